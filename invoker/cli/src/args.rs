//! What was typed goes in; what is meant comes out.

mod units;

mod fetching;
mod looking;

mod access;
mod bench;
mod local;
mod manual;

mod question;
mod segments;
mod time_limits;
mod transfer;

mod pricing;
mod words;

mod mistake;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::report::{USAGE, say};

pub(crate) use access::Access;
pub(crate) use bench::Bench;
pub(crate) use fetching::{Get, Resume};
pub(crate) use local::{Limits, Local};
pub(crate) use looking::{Check, Inspect, Verify};
pub(crate) use manual::{Completions, Man};
pub(crate) use pricing::{Architecture, Pricing};
pub(crate) use question::{Bytes, Question};
pub(crate) use segments::{SegmentSize, Segments};
pub(crate) use time_limits::TimeLimits;
pub(crate) use transfer::Transfer;
pub(crate) use words::{ShowProgress, Words};

use fetching::Cat;

/// Fetches streamed results of AWS Lambda functions: whole, in bounded memory, and past the 6 MB
/// and the 2 MB/s of a single answer.
#[derive(Debug, Parser)]
#[command(
    name = "invoker",
    version,
    max_term_width = 100,
    disable_help_flag = true,
    after_help = EXAMPLES
)]
struct Line {
    #[command(subcommand)]
    command: Command,
    /// Tell of each invocation on stderr; -vv: of all that goes on
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    // A screen for those who look something up, and all of it for those who want that.
    /// Print the usual flags
    #[arg(short, long, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// Print all flags
    #[arg(long, global = true, action = ArgAction::HelpLong)]
    help_all: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch one result into a file
    #[command(after_help = fetching::GET_EXAMPLES)]
    Get(Get),
    /// Fetch one result to stdout, in order
    #[command(after_help = fetching::CAT_EXAMPLES)]
    Cat(Cat),
    /// Continue a download from the journal beside FILE
    #[command(after_help = fetching::RESUME_EXAMPLES)]
    Resume(Resume),
    /// Check a file, finished or not, without calling anything
    #[command(after_help = looking::VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Tell what a function has to give, with one invocation that gives one byte
    #[command(after_help = looking::INSPECT_EXAMPLES)]
    Inspect(Inspect),
    /// Tell which rules of the contract a function keeps, in whatever language it is
    #[command(after_help = looking::CHECK_EXAMPLES)]
    Check(Check),
    /// Measure one stream and many segments: rates, first byte, where the rate breaks
    #[command(after_help = bench::BENCH_EXAMPLES)]
    Bench(Bench),
    /// Run the Lambda service on loopback, in the foreground
    #[command(after_help = local::LOCAL_EXAMPLES, after_long_help = local::faults())]
    Local(Local),
    /// Print what completes command lines in a shell
    #[command(after_help = manual::COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Print the manual page, for `man`
    #[command(after_help = manual::MAN_EXAMPLES)]
    Man(Man),
    /// The function behind `local:`; its environment says what it serves
    #[command(skip)]
    Function,
}

/// How this program starts itself as the function behind `local:`: for no one to type, and for no
/// completion or manual to name.
pub(crate) const FUNCTION_COMMAND: &str = "serve-function";

const EXAMPLES: &str = "\
Examples:
  invoker get local: 256MiB -o out.bin       no account needed: try it
  invoker get files 2026/data.parquet        an object of the function `files`, into a file
  invoker cat rows -p '{\"rows\": 1000}' | jq .

`invoker COMMAND --help` has the usual flags of a command and more examples, `--help-all` all flags.";

/// How the service is reached. What is not given here comes from the AWS environment variables and
/// configuration files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Another endpoint than the region's, such as one of `invoker local`
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// The AWS region
    #[arg(long, value_name = "NAME", value_parser = region)]
    pub(crate) region: Option<String>,
    /// The profile of the AWS configuration files
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// What there is to do.
pub(crate) struct Parsed {
    pub(crate) command: Command,
    /// How often `-v` was given.
    pub(crate) verbose: u8,
}

/// Reads the command line. Without a command to run, help, the version or a mistake was printed.
pub(crate) fn parse(typed: &[OsString]) -> Result<Parsed, ExitCode> {
    if typed.get(1).is_some_and(|word| word == FUNCTION_COMMAND) {
        return Ok(Parsed { command: Command::Function, verbose: 0 });
    }
    let error = match Line::try_parse_from(typed) {
        Ok(Line { command, verbose, .. }) => return Ok(Parsed { command, verbose }),
        Err(error) => error,
    };
    match error.kind() {
        // To stdout if it was asked for. Nothing can be done if that does not work.
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
        }
        _ => {
            let first = typed.get(1).map(|word| word.to_string_lossy()).unwrap_or_default();
            let line = mistake::in_one_line(&error.render().to_string(), &first, &names());
            say(&format!("invoker: {line}"));
        }
    }
    Err(if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS })
}

/// The names of the commands.
fn names() -> Vec<String> {
    let line = Line::command();
    line.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// All that can be typed, for those who describe it.
pub(crate) fn definition() -> clap::Command {
    let mut definition = Line::command();
    definition.build();
    definition
}

fn region(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    match !text.is_empty() && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("a region is letters, digits and hyphens, such as eu-west-1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a screen that is not small, and its columns.
    const SCREEN: (usize, usize) = (40, 100);

    #[test]
    fn the_definitions_hold_together() {
        Line::command().debug_assert();
    }

    #[test]
    fn the_help_of_each_command_fits_a_screen_and_has_examples() {
        let (lines, columns) = SCREEN;
        let mut all = definition().term_width(columns);
        let mut helps = vec![("invoker".to_owned(), all.render_help().to_string())];
        for name in names() {
            let command = all.find_subcommand_mut(&name).unwrap();
            let mut command = command.clone().term_width(columns);
            helps.push((name, command.render_help().to_string()));
        }
        for (name, help) in helps {
            assert!(help.contains("Examples:\n  invoker "), "{name}: {help}");
            assert!(
                help.lines().count() <= lines,
                "{name}: {} lines\n{help}",
                help.lines().count()
            );
            let longest = help.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(longest <= columns, "{name}: {longest} columns\n{help}");
        }
    }
}
