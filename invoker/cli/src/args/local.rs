//! The arguments of `local`, and what its faults are called.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use local_lambda::{FAULT_FORMS, FaultRule, SELECTION_FORMS};

use super::units::{count, duration};

pub(super) const LOCAL_EXAMPLES: &str = "\
Examples:
  invoker local --function 'rows=target/release/examples/sqlite_rows'
  invoker get --endpoint-url http://127.0.0.1:PORT rows -o rows.ndjson
  invoker local --function 'rows=...' --function-url rows
  invoker local --function 'rows=...' --fault cut=100000:reset,every=5 --fault throttle,times=3

`invoker help local` lists the faults.";

/// The examples, and what `--fault` takes.
pub(super) fn faults() -> String {
    let list = |forms: &[(&str, &str)]| -> String {
        forms.iter().map(|(form, words)| format!("  {form:<42}{words}\n")).collect()
    };
    let (faults, conditions) = (list(&FAULT_FORMS), list(&SELECTION_FORMS));
    let examples = LOCAL_EXAMPLES.split("\n\n").next().unwrap_or_default();
    format!(
        "{examples}\n\nFaults:\n{faults}\nConditions:\n{conditions}\n\
         A PLACE is head, N (bytes of the body), frame.FRAME or frame.FRAME+N; a FRAME is a number \
         from 1, or last.\ndocs/local-faults.md has the rest."
    )
}

#[derive(Debug, Args)]
pub(crate) struct Local {
    /// A function: its name and the command line of its process (repeat for more)
    #[arg(long = "function", value_name = "NAME=COMMAND", required = true, value_parser = named_command)]
    pub(crate) functions: Vec<(String, String)>,
    /// Give this function a Function URL as well, which streams and asks nobody who they are (repeat
    /// for more); a line `NAME at URL` on stdout says where
    #[arg(long = "function-url", value_name = "NAME")]
    pub(crate) function_urls: Vec<String>,
    /// The address to listen on; port 0 is any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The limits of the service, as it documents them: bandwidth, sizes, concurrency
    #[arg(long, value_enum, default_value_t = Limits::Aws)]
    pub(crate) limits: Limits,
    /// End an invocation after this time
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// The most environments of one function at once
    #[arg(long, value_name = "N", default_value = "1000", value_parser = count)]
    pub(crate) concurrency: usize,
    /// What goes wrong, and with which invocations: FAULT[,CONDITION...] (repeat for more)
    #[arg(long = "fault", value_name = "SPEC", value_parser = fault)]
    pub(crate) faults: Vec<FaultRule>,
    /// Leave out what the functions write to stdout and stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Limits {
    Aws,
    Off,
}

fn named_command(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, command)) if !name.is_empty() && !command.trim().is_empty() => {
            Ok((name.to_owned(), command.to_owned()))
        }
        _ => Err("a function is NAME=COMMAND, such as rows=target/release/rows".into()),
    }
}

fn fault(text: &str) -> Result<FaultRule, String> {
    text.parse().map_err(|error: local_lambda::Error| error.to_string())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let with_port = if text.contains(':') { text.to_owned() } else { format!("{text}:0") };
    with_port.parse().map_err(|_| "an address is IP:PORT, such as 127.0.0.1:9000".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_or_refused() {
        assert!(named_command("f=cmd --a=b").is_ok_and(|(name, _)| name == "f"));
        assert!(named_command("=cmd").is_err() && named_command("f").is_err());
        assert!(address("127.0.0.1").is_ok_and(|a| a.port() == 0) && address("x:1").is_err());
    }
}
