//! How much is to be told of what goes on goes in; lines on stderr come out, of the events that the
//! library and what it stands on tell.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::report::Failure;

/// Each invocation: how it ended, and why it is repeated.
const INVOCATIONS: &str = "invoker=debug";

/// All that is known of each, and of what is below. Of the SDK no more than its warnings: at its finer
/// levels it writes whole requests and answers, with signatures and payloads.
const EVERYTHING: &str = "warn,invoker=trace,local_lambda=debug,aws_config=info,hyper_util=debug";

/// Tells it from now on. `filter` is what the environment says, in the form of `RUST_LOG`; it counts
/// for more.
pub(crate) fn start(verbose: u8, filter: Option<&str>) -> Result<(), Failure> {
    let unusable = |error| {
        let message = format!("RUST_LOG: {error}: it takes such as invoker=debug, or off");
        Failure::Usage(message)
    };
    let filter = filter.map(EnvFilter::try_new).transpose().map_err(unusable)?;
    let events = tracing_subscriber::fmt().with_writer(std::io::stderr);
    match (filter, verbose) {
        (Some(filter), _) => events.with_env_filter(filter).init(),
        // The SDK logs what it returns as well; a failure is told once, unless someone wants more.
        (None, 0) => {}
        (None, 1) => events.with_env_filter(INVOCATIONS).event_format(Words).init(),
        (None, _) => events.with_env_filter(EVERYTHING).init(),
    }
    Ok(())
}

/// `invoker: what happened name=value ...`, as all other words of this program.
struct Words;

impl<S, N> FormatEvent<S, N> for Words
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("invoker: ")?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
