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
mod check;
mod continuing;
mod fetch;
mod inspect;
mod manual;
mod serve;
mod verify;

mod batches;
mod device_name;
mod display;
mod output;
mod place;
mod record;
mod report;
mod shell_word;
mod signals;
mod url;
mod verbose;

use std::num::NonZero;
use std::pin::Pin;
use std::process::ExitCode;

use std::time::Duration;

use args::{Command, Parsed};
use tokio::runtime::{Builder, Runtime};

/// How long threads have to leave their files as they should be, after a signal say. They need
/// milliseconds; a disk that hangs must not keep the process for ever.
const LAST_WORK: Duration = Duration::from_secs(5);

/// The stack of a thread, in bytes: what the system gives to the first one. Builds without optimization
/// need more than the usual 2 MiB to load the configuration. It is only reserved.
const STACK: usize = 8 * 1024 * 1024;

/// Threads for half of the cores. Fetching is mostly the kernel's work, the reader and the functions
/// of `local:` want cores too, and each thread more has a heap of its own that grows with time.
fn runtime() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread()
        .worker_threads(cores.div_ceil(2))
        .thread_stack_size(STACK)
        .enable_all()
        .build()
}

fn main() -> ExitCode {
    let Parsed { command, verbose } = match args::parse(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    let filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    if let Err(failure) = verbose::start(verbose, filter.as_deref()) {
        return report::failed(&failure);
    }
    let told = verbose > 0 || filter.is_some();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return report::failed(&report::Failure::file("cannot start", error)),
    };
    let work: Pin<Box<dyn Future<Output = Result<(), report::Failure>> + Send>> = match command {
        Command::Get(arguments) => Box::pin(fetch::get(arguments, told)),
        Command::Cat(arguments) => Box::pin(fetch::get(arguments.into_get(), told)),
        Command::Resume(arguments) => Box::pin(fetch::resume(arguments, told)),
        Command::Verify(arguments) => Box::pin(verify::verify(arguments)),
        Command::Bench(arguments) => Box::pin(bench::bench(arguments)),
        Command::Inspect(arguments) => Box::pin(inspect::inspect(arguments)),
        Command::Check(arguments) => Box::pin(check::check(arguments)),
        Command::Completions(arguments) => return ended(manual::completions(&arguments)),
        Command::Man(arguments) => return ended(manual::man(&arguments)),
        Command::Local(arguments) => Box::pin(serve::local(arguments)),
        Command::Function => return ended(runtime.block_on(serve::function())),
    };
    // On a thread of the runtime: this one would have to be woken for every read of a socket.
    let done =
        runtime.block_on(runtime.spawn(work)).unwrap_or_else(|lost| match lost.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(lost) => Err(report::Failure::file("cannot go on", lost.into())),
        });
    runtime.shutdown_timeout(LAST_WORK);
    ended(done)
}

fn ended(done: Result<(), report::Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::failed(&failure),
    }
}
