//! The `stream-gateway` command: a configuration file goes in; a running gateway, or a line for each thing that
//! is wrong with it, comes out.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main()
}
