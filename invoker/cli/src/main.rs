//! The `invoker` command: arguments go in; a result, words about it on stderr, and an exit code
//! come out.

mod args;

mod question;

mod target;

mod aws;

mod http_client;

mod time_limits;

mod cost;

mod bench;
mod continuing;
mod fetch;
mod inspect;
mod serve;
mod verify;

mod display;
mod output;
mod report;
mod signals;

use std::num::NonZero;
use std::process::ExitCode;

use std::time::Duration;

use args::{Command, Parsed};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

/// How long threads have to leave their files as they should be, after a signal say. They need
/// milliseconds; a disk that hangs must not keep the process for ever.
const LAST_WORK: Duration = Duration::from_secs(5);

/// Threads for half of the cores. Fetching is mostly the kernel's work, the reader and the functions
/// of `local:` want cores too, and each thread more has a heap of its own that grows with time.
fn runtime() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread().worker_threads(cores.div_ceil(2)).enable_all().build()
}

fn main() -> ExitCode {
    let command = match args::parse() {
        Ok(command) => command,
        Err(Parsed::Printed(code)) => return code,
    };
    // The SDK logs what it returns as well; a failure is told once, unless someone wants more.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return report::failed(&report::Failure::file("cannot start", error)),
    };
    let done = runtime.block_on(async {
        match command {
            Command::Get(arguments) => fetch::get(arguments).await,
            Command::Cat(arguments) => fetch::get(arguments.into_get()).await,
            Command::Resume(arguments) => fetch::resume(arguments).await,
            Command::Verify(arguments) => verify::verify(arguments).await,
            Command::Bench(arguments) => bench::bench(arguments).await,
            Command::Inspect(arguments) => inspect::inspect(arguments).await,
            Command::Local(arguments) => serve::local(arguments).await,
            Command::Function => serve::function().await,
        }
    });
    runtime.shutdown_timeout(LAST_WORK);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::failed(&failure),
    }
}
