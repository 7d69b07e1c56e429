//! A question goes in; what a function has to give, and how it would be fetched, comes out on
//! stdout.

use std::time::Duration;

use indicatif::BinaryBytes;
use invoker::Description;

use crate::args::Inspect;
use crate::cost::{Plan, Tariff};
use crate::display::roughly;
use crate::question::payload;
use crate::report::Failure;
use crate::target::Target;
use crate::time_limits::{MaxTime, timeouts};

/// Tells what there is.
pub(crate) async fn inspect(arguments: Inspect) -> Result<(), Failure> {
    let Inspect { question, connection, limits, segment_size, in_flight, pricing } = arguments;
    let tariff = Tariff::of(&pricing)?;
    let payload = payload(&question)?;
    let max_time = MaxTime::of(&limits);
    let target = max_time.prepare(Target::find(&question.function, &connection, true)).await?;
    let download = target.download(&question, payload, timeouts(&limits, max_time));
    let progress = download.progress();
    let description = max_time.download(async { Ok(download.inspect().await?) }).await?;
    target.close().await;
    // The one invocation was left at its first byte.
    let asked = progress.snapshot();
    let first_byte = asked.invocation_time.as_secs_f64() / asked.invocations.max(1) as f64;

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
    lines.extend(plans(&description, segment_size, in_flight as u64, first_byte, &tariff));
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

fn plans(
    description: &Description,
    segment_size: u64,
    in_flight: u64,
    first_byte: f64,
    tariff: &Tariff,
) -> Vec<(&'static str, String)> {
    let Some(size) = description.size else { return Vec::new() };
    let mut lines = Vec::new();
    if description.ranges {
        let plan = Plan::segments(size, segment_size, in_flight, first_byte);
        let how = match plan.invocations() {
            1 => "one segment".to_owned(),
            n => format!(
                "{n} segments of {}, {} at once",
                BinaryBytes(segment_size),
                n.min(in_flight)
            ),
        };
        lines.push(("plan", how));
        lines.push(("segments", estimate(&plan, tariff)));
    }
    let plan = Plan::one_stream(size, first_byte);
    lines.push(("one stream", estimate(&plan, tariff)));
    lines
        .push(("estimate", "the documented burst and rate, this one first byte; the least".into()));
    lines.push(("prices", tariff.prices()));
    lines
}

fn estimate(plan: &Plan, tariff: &Tariff) -> String {
    let time = roughly(Duration::from_secs_f64(plan.seconds()));
    let ends = match plan.cut_at() {
        Some(bytes) => format!(", but the service ends it at {}", BinaryBytes(bytes)),
        None => String::new(),
    };
    format!("{time}{ends}; {}", tariff.cost(&plan.usage()).words())
}

fn size(bytes: u64) -> String {
    format!("{bytes} bytes ({})", BinaryBytes(bytes))
}
