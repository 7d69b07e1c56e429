//! `STREAM_FN_SOURCE` and `STREAM_FN_CHECKSUM` come in; a function goes out that serves the objects of that source.

use std::error::Error as _;
use std::io::Write as _;
use std::process::ExitCode;
use stream_fn::{Error, Source, source};

const SOURCE: &str = "STREAM_FN_SOURCE";
const CHECKSUM: &str = "STREAM_FN_CHECKSUM";

#[tokio::main]
async fn main() -> ExitCode {
    #[cfg(feature = "log")]
    log();
    let source = match source() {
        Ok(source) => source,
        Err(why) => return fail(&why),
    };
    match stream_fn::serve(source).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&in_one_line(&error)),
    }
}

fn source() -> Result<Box<dyn Source>, String> {
    let setting = std::env::var(SOURCE)
        .map_err(|_| format!("{SOURCE} is not set: say \"directory:PATH\" or \"pattern\""))?;
    let plain =
        source::parse(&setting).map_err(|error| format!("{SOURCE}: {}", in_one_line(&error)))?;
    // The source is good, so what is wrong from here on is this one's fault.
    match std::env::var_os(CHECKSUM) {
        None => Ok(plain),
        Some(checksum) => source::parse_with_checksum(&setting, &checksum.to_string_lossy())
            .map_err(|error| format!("{CHECKSUM}: {}", in_one_line(&error))),
    }
}

/// To stderr, which Lambda keeps in the function's log.
#[cfg(feature = "log")]
fn log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time() // Lambda's log has the time already
        .init();
}

fn in_one_line(error: &Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        line.push_str(&format!(": {source}"));
        next = source.source();
    }
    line
}

fn fail(why: &str) -> ExitCode {
    // If even stderr is gone, the exit code has to do.
    let _unwritten = writeln!(std::io::stderr(), "stream-fn: {why}");
    ExitCode::FAILURE
}
