//! A question goes in; what a function has to give, and how it would be fetched, comes out on
//! stdout.

use std::time::Duration;

use indicatif::BinaryBytes;
use invoker::Description;

use crate::args::Inspect;
use crate::display::roughly;
use crate::question::payload;
use crate::report::Failure;
use crate::target::Target;
use crate::time_limits::{MaxTime, timeouts};

/// What the service sends of one stream at full speed, in bytes (AWS Lambda developer guide,
/// "Response streaming bandwidth"; its sandbox code says MiB).
const BURST: u64 = 6 * 1024 * 1024;
/// What it sends of one stream after that, in bytes per second (same source).
const RATE: u64 = 2 * 1024 * 1024;
/// The most it sends of one stream, in bytes (same guide, "Response streaming limits").
const STREAM_LIMIT: u64 = 200 * 1024 * 1024;

/// Tells what there is.
pub(crate) async fn inspect(arguments: Inspect) -> Result<(), Failure> {
    let Inspect { question, connection, limits, segment_size, in_flight } = arguments;
    let payload = payload(&question)?;
    let max_time = MaxTime::of(&limits);
    let target = max_time.prepare(Target::find(&question.function, &connection, true)).await?;
    let download = target.download(&question, payload, timeouts(&limits, max_time));
    let description = max_time.download(async { Ok(download.inspect().await?) }).await?;
    target.close().await;

    let function = match &description.executed_version {
        Some(version) => format!("{} (version {version} answered)", question.function),
        None => question.function.clone(),
    };
    let unknown = || "not told".to_owned();
    let mut lines = vec![
        ("function", function),
        ("object", question.object.clone().unwrap_or_else(|| "the result of the payload".into())),
        ("size", description.size.map_or_else(unknown, size)),
        ("version", description.etag.clone().unwrap_or_else(unknown)),
        ("type", description.content_type.clone().unwrap_or_else(unknown)),
        ("encoding", description.encoding.clone().unwrap_or_else(|| "none".into())),
        ("modified", description.last_modified.clone().unwrap_or_else(unknown)),
        ("checksum", description.checksum.clone().unwrap_or_else(unknown)),
        ("ranges", if description.ranges { "yes" } else { "no: one stream only" }.to_owned()),
    ];
    lines.extend(plan(&description, segment_size, in_flight));
    let mut text = String::new();
    for (name, value) in lines {
        text.push_str(&format!("{name:<10} {value}\n"));
    }
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::BrokenPipe),
        Err(error) => Err(Failure::file("cannot write stdout", error)),
    }
}

fn plan(
    description: &Description,
    segment_size: u64,
    in_flight: usize,
) -> Vec<(&'static str, String)> {
    let Some(size) = description.size else { return Vec::new() };
    let mut lines = Vec::new();
    if description.ranges {
        let segments = size.div_ceil(segment_size);
        let at_once = segments.min(in_flight as u64);
        let plan = match segments {
            0 | 1 => "one segment".to_owned(),
            n => format!("{n} segments of {}, {at_once} at once", BinaryBytes(segment_size)),
        };
        lines.push(("plan", plan));
    }
    let seconds = size.saturating_sub(BURST) / RATE;
    let single = match roughly(Duration::from_secs(seconds)) {
        time if size > STREAM_LIMIT => {
            format!("{time}, but the service ends it at {}", BinaryBytes(STREAM_LIMIT))
        }
        time => time,
    };
    lines.push(("one stream", format!("{single}, at the service's documented rate")));
    lines
}

fn size(bytes: u64) -> String {
    format!("{bytes} bytes ({})", BinaryBytes(bytes))
}
