//! The `invoker` command: arguments go in; a result, words about it on stderr, and an exit code
//! come out.

mod args;

mod question;

mod target;

mod http_client;

mod fetch;
mod inspect;
mod serve;

mod display;
mod output;
mod report;
mod signals;

use std::process::ExitCode;

use args::{Command, Parsed};

fn main() -> ExitCode {
    let command = match args::parse() {
        Ok(command) => command,
        Err(Parsed::Printed(code)) => return code,
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report::failed(&report::Failure::file("cannot start", error)),
    };
    let done = runtime.block_on(async {
        match command {
            Command::Get(arguments) => fetch::get(arguments).await,
            Command::Cat(arguments) => fetch::get(arguments.into_get()).await,
            Command::Inspect(arguments) => inspect::inspect(arguments).await,
            Command::Local(arguments) => serve::local(arguments).await,
            Command::Function => serve::function().await,
        }
    });
    // A thread that still waits for a full pipe must not keep the process.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::failed(&failure),
    }
}
