//! Completions and manual pages come in, as the command prints them; that shells and `man` can read
//! them comes out.
//!
//! Where a shell is missing the test says so and skips, but fails if `CI` is set: `.ci/run` installs
//! them.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::io::Write as _;
use std::process::{Command, Output};

use support::Home;

/// The commands that a user sees.
const COMMANDS: [&str; 10] =
    ["get", "cat", "resume", "verify", "inspect", "check", "bench", "local", "completions", "man"];

/// Whether a program is here; if not, aloud.
fn is_here(program: &str) -> bool {
    if Command::new(program).arg("--version").output().is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
    // Not by a macro, whose words the test harness keeps to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {program} is not installed");
    false
}

/// Runs a shell without anyone's settings, in the folder of `home`.
fn shell(home: &Home, program: &str, flags: &[&str], script: &str) -> Output {
    Command::new(program)
        .args(flags)
        .args(["-c", script])
        .env_clear()
        .env("HOME", home.path(""))
        .env("TERM", "dumb")
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .current_dir(home.path(""))
        .output()
        .unwrap()
}

fn written(home: &Home, line: &str, name: &str) -> String {
    let ran = home.run(line).succeeded();
    assert!(ran.stderr.is_empty(), "{line}: {}", ran.stderr);
    home.write(name, &ran.stdout);
    String::from_utf8(ran.stdout).unwrap()
}

#[track_caller]
fn said(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    for word in words {
        assert!(text.split_whitespace().any(|other| other == *word), "no {word} in {text}");
    }
    assert!(!text.contains("serve-function"), "{text}");
}

#[test]
fn each_shell_has_completions() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = written(&home, &format!("completions {shell}"), "script");
        for word in ["inspect", "max-in-flight", "throttle-patience"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    home.run("completions tcsh").failed_usage("bash");
    home.run("completions").failed_usage("<SHELL>");
}

#[test]
fn bash_completes_commands_and_flags() {
    if !is_here("bash") {
        return;
    }
    let home = Home::new();
    written(&home, "completions bash", "invoker.bash");
    let script = |typed: &str, index: usize| {
        // As bash calls it: the command, the word at the cursor, and the word before that.
        format!(
            ". ./invoker.bash; complete -p invoker >/dev/null; COMP_WORDS=({typed}); \
             COMP_CWORD={index}; _invoker invoker \"${{COMP_WORDS[{index}]}}\" \
             \"${{COMP_WORDS[{index} - 1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
    };
    let flags = ["--norc", "--noprofile"];
    said(&shell(&home, "bash", &flags, &script("invoker ''", 1)), &COMMANDS);
    said(
        &shell(&home, "bash", &flags, &script("invoker get --p", 2)),
        &["--payload", "--progress"],
    );
    let retries = script("invoker get --retr", 2);
    said(&shell(&home, "bash", &flags, &retries), &["--retries"]);
    let how = script("invoker get --progress ''", 3);
    said(&shell(&home, "bash", &flags, &how), &["auto", "bar", "plain", "json", "none"]);
}

#[test]
fn zsh_loads_its_completions() {
    if !is_here("zsh") {
        return;
    }
    let home = Home::new();
    written(&home, "completions zsh", "functions/_invoker");
    let script = "fpath=(./functions $fpath); autoload -Uz compinit; compinit -u -d ./dump; \
                  autoload +X _invoker; print -r -- $_comps[invoker]; functions _invoker >/dev/null; \
                  print -r -- ${functions[_invoker]} | grep -c -- --progress >/dev/null && print ok";
    said(&shell(&home, "zsh", &["-f"], script), &["_invoker", "ok"]);
}

#[test]
fn fish_completes_commands_and_flags() {
    if !is_here("fish") {
        return;
    }
    let home = Home::new();
    written(&home, "completions fish", "invoker.fish");
    let complete = |typed: &str| {
        let script = format!("source ./invoker.fish; complete --do-complete '{typed}'");
        shell(&home, "fish", &["--no-config"], &script)
    };
    said(&complete("invoker "), &COMMANDS);
    said(&complete("invoker get --p"), &["--payload", "--progress", "--profile", "--prices"]);
}

#[test]
fn the_manual_pages_render_without_a_warning() {
    let home = Home::new();
    let mut pages = vec![("man".to_owned(), "invoker(1)", "invoker \\- Fetches".to_owned())];
    for command in COMMANDS {
        pages.push((format!("man {command}"), "invoker", format!("invoker\\-{command} \\-")));
    }
    for (line, title, name) in pages {
        let page = written(&home, &line, "page.1");
        assert!(page.contains(&name), "{line}: no {name} in\n{page}");
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT"] {
            assert!(
                page.contains(&format!(".SH {section}\n"))
                    || page.contains(&format!(".SH \"{section}\"\n")),
                "{line}: no {section}"
            );
        }
        if !is_here("groff") {
            continue;
        }
        let render = "groff -man -Tutf8 -ww -rLL=80n page.1 | sed 's/\\x1b\\[[0-9;]*m//g'";
        let rendered = shell(&home, "sh", &[], render);
        assert!(rendered.status.success(), "{line}");
        let warnings = String::from_utf8_lossy(&rendered.stderr);
        assert!(warnings.is_empty(), "{line}: {warnings}");
        let text = String::from_utf8_lossy(&rendered.stdout);
        assert!(text.contains(title), "{line}: {text}");
        assert!(text.contains("  invoker "), "{line}: its examples are on lines of their own");
    }
    home.run("man nothing").failed(2, &["nothing", "invoker --help"]);
    home.run("man serve-function").failed(2, &["serve-function"]);
}

/// The page has what the usual help leaves out.
#[test]
fn the_manual_page_has_all_flags() {
    let home = Home::new();
    let page = written(&home, "man get", "page.1");
    let all = String::from_utf8(home.run("get --help-all").succeeded().stdout).unwrap();
    let short = String::from_utf8(home.run("get --help").succeeded().stdout).unwrap();
    let flags = |text: &str| -> Vec<String> {
        let words = text.split_whitespace().filter(|word| word.starts_with("--"));
        let letters = |c: char| !c.is_ascii_lowercase() && c != '-';
        words.map(|word| word.trim_end_matches(letters).to_owned()).collect()
    };
    for flag in flags(&all) {
        assert!(page.contains(&flag.replace('-', "\\-")), "no {flag} in the manual page");
    }
    // With its words.
    assert!(page.contains("The version or alias of the function"), "{page}");
    assert!(flags(&all).len() > flags(&short).len() + 10);
    for command in COMMANDS {
        let help = |flag: &str| home.run(&format!("{command} {flag}")).succeeded().stdout;
        assert_eq!(help("-h"), help("--help"), "{command}");
    }
}
