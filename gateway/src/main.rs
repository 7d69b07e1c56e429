//! The `stream-gateway` command: a configuration file goes in; a running gateway, or one line that says why
//! not, comes out.

#[cfg(feature = "local")]
mod emulate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stream_gateway::{Config, Gateway};

/// An HTTP gateway that streams AWS Lambda functions.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a configuration until a signal ends it
    Run {
        /// The file
        config: PathBuf,
    },
    /// Take the part of the REST API in a template, with commands for its functions
    #[cfg(feature = "local")]
    Emulate(emulate::Emulate),
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match Arguments::parse().command {
        Command::Run { config } => run(config).await,
        #[cfg(feature = "local")]
        Command::Emulate(arguments) => emulate::emulate(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("stream-gateway: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(file: PathBuf) -> Result<(), String> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{name}: {error}"))?;
    let config = Config::parse(&text, &name).map_err(|complaint| complaint.to_string())?;
    let gateway = Gateway::start(config).await.map_err(|error| error.to_string())?;
    println!("listening on http://{}", gateway.addr());
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())
}
