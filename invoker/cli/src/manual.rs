//! The definition of the command line goes in; what a shell or `man` wants of it comes out on stdout.

use std::io::Write;

use clap::Command;
use clap_mangen::Man;

use crate::args::{self, Completions};
use crate::report::{EXIT_CODES, Failure};

/// What the environment says, and to whom.
const ENVIRONMENT: [(&str, &str); 8] = [
    ("AWS_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID, ...", "as every AWS tool reads them"),
    ("AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL", "another endpoint than that of the region"),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY",
        "proxies, in capital or small letters; the last counts least",
    ),
    ("NO_PROXY", "hosts that no proxy is asked for, between commas"),
    ("AWS_CA_BUNDLE", "a file of certificates (PEM) to trust in place of the system's"),
    ("RUST_LOG", "what to log on stderr, such as invoker=debug; counts for more than -v"),
    ("NO_COLOR", "if it is set and not empty, help has no colours; nothing else has any"),
    ("STREAM_FN_SOURCE", "what the function behind local: serves; set by this program itself"),
];

/// Prints what completes command lines.
pub(crate) fn completions(arguments: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut args::definition(), "invoker", &mut script);
    print(&script)
}

/// Prints the page of one command, or that of the whole.
pub(crate) fn man(arguments: &args::Man) -> Result<(), Failure> {
    let definition = args::definition();
    let command = match &arguments.command {
        None => definition,
        Some(name) => match definition.find_subcommand(name) {
            Some(command) => command.clone(),
            None => {
                let message = format!("there is no command {name:?}: `invoker --help` lists them");
                return Err(Failure::Usage(message));
            }
        },
    };
    let page =
        page(command).map_err(|error| Failure::file("cannot write the manual page", error))?;
    print(ascii(&String::from_utf8_lossy(&page)).as_bytes())
}

/// Other letters by their number, which every roff knows; not every one knows UTF-8.
fn ascii(page: &str) -> String {
    let plain = |c: char| match c.is_ascii() {
        true => c.to_string(),
        false => format!("\\[u{:04X}]", u32::from(c)),
    };
    page.chars().map(plain).collect()
}

fn page(mut command: Command) -> std::io::Result<Vec<u8>> {
    let usage = command.render_usage().to_string();
    let examples = command.get_after_long_help().or(command.get_after_help());
    let examples = examples.map(ToString::to_string).unwrap_or_default();
    let whole = command.has_subcommands();
    // The examples get a section of their own, line by line; and what the usual help leaves out has its
    // words here.
    let command = command.after_help("").after_long_help("");
    let man = Man::new(command.mut_args(|flag| flag.hide_short_help(false)));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let usage = escaped(usage.trim_start_matches("Usage: "));
    writeln!(page, ".SH SYNOPSIS\n{usage}")?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if whole {
        man.render_subcommands_section(&mut page)?;
    }
    writeln!(page, ".SH EXAMPLES\n.nf")?;
    for line in examples.lines().filter(|line| *line != "Examples:") {
        writeln!(page, "{}", escaped(line))?;
    }
    writeln!(page, ".fi")?;
    for (title, table) in [("EXIT STATUS", &EXIT_CODES[..]), ("ENVIRONMENT", &ENVIRONMENT)] {
        writeln!(page, ".SH \"{title}\"")?;
        for (name, meaning) in table {
            writeln!(page, ".TP\n\\fB{}\\fR\n{}", escaped(name), escaped(meaning))?;
        }
    }
    Ok(page)
}

/// A line of text for roff.
fn escaped(line: &str) -> String {
    let escaped = line.replace('\\', r"\e").replace('-', r"\-").replace('\'', r"\(aq");
    match escaped.starts_with('.') {
        true => format!(r"\&{escaped}"),
        false => escaped,
    }
}

fn print(text: &[u8]) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::BrokenPipe),
        Err(error) => Err(Failure::file("cannot write stdout", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_as_they_are() {
        for (line, expected) in [
            ("invoker -v", r"invoker \-v"),
            (".part", r"\&.part"),
            ("'{\"a\": 1}'", r#"\(aq{"a": 1}\(aq"#),
            ("a\\b", r"a\eb"),
        ] {
            assert_eq!(escaped(line), expected);
        }
    }
}
