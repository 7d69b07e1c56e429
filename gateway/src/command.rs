//! Arguments come in; what they ask for is done, and an exit code goes out. The only place of this crate with
//! an environment, signals and words.

mod args;
#[cfg(feature = "local")]
mod emulate;
mod import;
mod run;
mod signals;
mod watch;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use stream_gateway::{Complaints, Config, Gateway};
use tracing_subscriber::EnvFilter;

use args::{Arguments, Command, Import};

/// What is told on stderr unless `RUST_LOG` says otherwise.
const TOLD: &str = "stream_gateway=info,warn";

/// Nothing was started, because of what was given.
const REFUSED: u8 = 2;

/// Why a command came to nothing.
pub(crate) enum Failure {
    /// The configuration, or what was given to `import`: a line for each thing that is wrong.
    Refused(String),
    /// What the system does not give, such as an address.
    System(String),
}

impl From<Complaints> for Failure {
    fn from(complaints: Complaints) -> Self {
        Self::Refused(complaints.to_string())
    }
}

pub(crate) fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(TOLD));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("stream-gateway: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match command {
            Command::Run { file, listen } => run::run(&file, &listen).await,
            Command::Check { file } => check(&file).await,
            #[cfg(feature = "local")]
            Command::Emulate(arguments) => emulate::emulate(arguments).await,
            Command::Import { from: Import::Apisix { file } } => import::apisix(&file),
            Command::Import { from: Import::Kong { file } } => import::kong(&file),
        }
    });
    match done {
        Ok(code) => code,
        Err(Failure::Refused(lines)) => {
            say(&lines);
            ExitCode::from(REFUSED)
        }
        Err(Failure::System(line)) => {
            say(&format!("stream-gateway: {line}"));
            ExitCode::FAILURE
        }
    }
}

async fn check(file: &Path) -> Result<ExitCode, Failure> {
    let config = read(file)?;
    Gateway::check(&config).await?;
    for note in config.notes() {
        say(&note.to_string());
    }
    let routes = config.route_count();
    let routes = if routes == 1 { "1 route".into() } else { format!("{routes} routes") };
    print(&format!("{}: nothing wrong, {routes}", file.display()));
    Ok(ExitCode::SUCCESS)
}

/// A configuration that knows this process's environment.
fn read(file: &Path) -> Result<Config, Complaints> {
    Ok(Config::read(file)?.environment(|name| std::env::var(name).ok()))
}

/// Words for people. That nobody reads them ends nothing.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// What was asked for.
fn print(line: &str) {
    let mut stdout = std::io::stdout().lock();
    // In one write, of however many lines.
    let _ = stdout.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdout.flush());
}
