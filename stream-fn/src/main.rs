//! `STREAM_FN_SOURCE` and the other settings of the environment come in; a function goes out that serves
//! the objects of that source.

use std::error::Error as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use stream_fn::{Error, Function, Source, source};

const SOURCE: &str = "STREAM_FN_SOURCE";

/// What it may be, for whoever has not said it.
const ACCEPTED: &str = match cfg!(feature = "s3") {
    true => "\"directory:PATH\", \"pattern\" or \"s3://BUCKET/PREFIX\"",
    false => "\"directory:PATH\" or \"pattern\"",
};

const CHECKSUM: &str = "STREAM_FN_CHECKSUM";
const DEADLINE_MARGIN: &str = "STREAM_FN_DEADLINE_MARGIN_MS";

#[tokio::main]
async fn main() -> ExitCode {
    #[cfg(feature = "log")]
    if let Err(error) = stream_fn::log::to_stderr(|name| std::env::var(name).ok()) {
        return fail(&in_one_line(&error));
    }
    let source = match source().await {
        Ok(source) => source,
        Err(why) => return fail(&why),
    };
    let function = Function::new(stream_fn::objects(source));
    let function = match deadline_margin() {
        Ok(None) => function,
        Ok(Some(margin)) => function.deadline_margin(margin),
        Err(why) => return fail(&why),
    };
    match function.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&in_one_line(&error)),
    }
}

async fn source() -> Result<Box<dyn Source>, String> {
    let setting =
        std::env::var(SOURCE).map_err(|_| format!("{SOURCE} is not set: say {ACCEPTED}"))?;
    #[cfg(feature = "s3")]
    if setting.starts_with("s3:") {
        if std::env::var_os(CHECKSUM).is_some() {
            return Err(format!(
                "{CHECKSUM}: objects in S3 have the checksums that S3 keeps: leave it out"
            ));
        }
        let source = source::S3::from_environment(&setting, |name| std::env::var(name).ok()).await;
        return match source {
            Ok(source) => Ok(Box::new(source)),
            Err(error) => Err(format!("{SOURCE}: {}", in_one_line(&error))),
        };
    }
    let plain =
        source::parse(&setting).map_err(|error| format!("{SOURCE}: {}", in_one_line(&error)))?;
    // The source is good, so what is wrong from here on is this one's fault.
    match std::env::var_os(CHECKSUM) {
        None => Ok(plain),
        Some(checksum) => source::parse_with_checksum(&setting, &checksum.to_string_lossy())
            .map_err(|error| format!("{CHECKSUM}: {}", in_one_line(&error))),
    }
}

fn deadline_margin() -> Result<Option<Duration>, String> {
    let Some(setting) = std::env::var_os(DEADLINE_MARGIN) else { return Ok(None) };
    let milliseconds = setting.to_str().and_then(|digits| digits.parse().ok());
    match milliseconds {
        Some(milliseconds) => Ok(Some(Duration::from_millis(milliseconds))),
        None => {
            Err(format!("{DEADLINE_MARGIN} is not a whole number of milliseconds, such as 500"))
        }
    }
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
