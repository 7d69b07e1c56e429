//! What the environment says of logging comes in; a log on stderr goes out, which Lambda keeps: text, or
//! JSON with the request id in each line of an invocation.

use crate::error::{Error, ErrorKind};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// How Lambda names the log format of a function: `Text` or `JSON` ("Advanced logging controls").
const FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";

/// How Lambda names the least level that a function should write, if the format is JSON.
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// How Rust programs have it, per target too. It counts first.
const FILTER: &str = "RUST_LOG";

/// If nothing says more.
const DEFAULT_LEVEL: &str = "warn";

/// Begins the log of this process. `variable` looks a variable of the environment up:
/// `stream_fn::log::to_stderr(|name| std::env::var(name).ok())`.
///
/// `AWS_LAMBDA_LOG_FORMAT=JSON` makes each line a JSON object with `timestamp`, `level`, `message`, the
/// fields of the event and, within an invocation, `span.requestId`, the names that `lambda_runtime` has
/// for them; anything else makes it text. `RUST_LOG` sets what is logged, else `AWS_LAMBDA_LOG_LEVEL`
/// (`TRACE` to `FATAL`), else it is `warn`. What a handler logs through `tracing` is in the same log.
///
/// # Errors
///
/// [`ErrorKind::Setting`], if there is a log already.
pub fn to_stderr(variable: impl Fn(&str) -> Option<String>) -> Result<(), Error> {
    subscriber(variable, std::io::stderr).try_init().map_err(|error| {
        Error::new(ErrorKind::Setting, "the log cannot be begun twice").because(error)
    })
}

fn subscriber<W>(
    variable: impl Fn(&str) -> Option<String>,
    writer: W,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = variable(LEVEL).map(|level| match level.to_ascii_lowercase().as_str() {
        // What tracing has no name for is an error that ends a function.
        "fatal" => "error".to_owned(),
        known @ ("trace" | "debug" | "info" | "warn" | "error") => known.to_owned(),
        _ => DEFAULT_LEVEL.to_owned(),
    });
    let level = level.unwrap_or_else(|| DEFAULT_LEVEL.to_owned());
    let filter = variable(FILTER)
        .and_then(|filter| EnvFilter::try_new(filter).ok())
        .unwrap_or_else(|| EnvFilter::new(level));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    match variable(FORMAT).is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        // Flat, as CloudWatch discovers fields; Lambda reads the level and the time from it.
        true => Box::new(log.json().flatten_event(true).with_span_list(false).finish()),
        // Lambda's log has the time of each line already.
        false => Box::new(log.without_time().finish()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of a warning within an invocation, and of words of the level `info`.
    fn written(variables: &[(&str, &str)]) -> String {
        let lines = Lines::default();
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let writer = lines.clone();
        tracing::subscriber::with_default(subscriber(variable, move || writer.clone()), || {
            tracing::error_span!("invocation", requestId = "id-1").in_scope(|| {
                tracing::warn!(rows = 3, "slow");
                tracing::info!("chatty");
            });
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_has_level_time_and_request() {
        let line = written(&[(FORMAT, "JSON")]);
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&json["level"], &json["message"]), (&"WARN".into(), &"slow".into()));
        assert_eq!((&json["span"]["requestId"], &json["rows"]), (&"id-1".into(), &3.into()));
        assert!(json["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }

    #[test]
    fn text_has_the_request_too() {
        let line = written(&[]);
        assert!(line.contains("WARN") && line.contains("id-1") && line.contains("slow"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn levels_are_those_of_lambda_and_rust_counts_first() {
        for (variables, lines) in [
            (&[][..], 1),
            (&[(LEVEL, "INFO")], 2),
            (&[(LEVEL, "DEBUG")], 2),
            (&[(LEVEL, "ERROR")], 0),
            (&[(LEVEL, "FATAL")], 0),
            (&[(LEVEL, "nonsense")], 1),
            (&[(LEVEL, "ERROR"), (FILTER, "info")], 2),
            (&[(LEVEL, "INFO"), (FILTER, "off")], 0),
        ] {
            assert_eq!(written(variables).lines().count(), lines, "{variables:?}");
        }
    }
}
