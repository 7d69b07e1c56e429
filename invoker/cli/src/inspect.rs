//! A question goes in; what a function has to give, and how it would be fetched, comes out on
//! stdout.

use std::io::Write;
use std::time::Duration;

use indicatif::BinaryBytes;
use invoker::Description;
use serde_json::{Value, json};

use crate::args::{Inspect, Question};
use crate::cost::{Plan, Tariff};
use crate::display::roughly;
use crate::question::payload;
use crate::report::Failure;
use crate::target::{LOCAL, Target};
use crate::time_limits::{MaxTime, timeouts};
use crate::url::shown;

/// Tells what there is.
pub(crate) async fn inspect(arguments: Inspect) -> Result<(), Failure> {
    let Inspect { question, json, segments, connection, limits, pricing } = arguments;
    let tariff = Tariff::of(&pricing)?;
    let payload = payload(&question)?;
    let max_time = MaxTime::of(&limits);
    let target = max_time.prepare(Target::find(&question.function, &connection, true)).await?;
    let download = target.download(&question, payload, timeouts(&limits, max_time))?;
    let download = segments.apply(download);
    let to_file = Cut { of: download.file_segment_size(), at_once: download.file_in_flight() };
    let in_order =
        Cut { of: download.ordered_segment_size(), at_once: download.ordered_in_flight() };
    let progress = download.progress();
    let description = max_time.download(async { Ok(download.inspect().await?) }).await?;
    target.close().await;
    // The one invocation was left at its first byte.
    let asked = progress.snapshot();
    let first_byte = asked.invocation_time.as_secs_f64() / asked.invocations.max(1) as f64;
    let plans = Plans::of(&description, to_file, in_order, first_byte);
    let text = match json {
        true => format!("{}\n", document(&question, &description, &plans, &tariff)),
        false => words(&question, &description, &plans, &tariff),
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::BrokenPipe),
        Err(error) => Err(Failure::file("cannot write stdout", error)),
    }
}

/// Bytes of a segment, and how many of them at once.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cut {
    of: u64,
    at_once: usize,
}

/// The ways in which it could be fetched.
#[derive(Default)]
struct Plans {
    to_file: Option<Plan>,
    /// Where it is another than that to a file.
    to_stdout: Option<Plan>,
    one_stream: Option<Plan>,
}

impl Plans {
    fn of(description: &Description, to_file: Cut, in_order: Cut, first_byte: f64) -> Self {
        let Some(size) = description.size else { return Self::default() };
        let segments = |Cut { of, at_once }| Plan::segments(size, of, at_once as u64, first_byte);
        Self {
            to_file: description.ranges.then(|| segments(to_file)),
            to_stdout: (description.ranges && in_order != to_file).then(|| segments(in_order)),
            one_stream: Some(Plan::one_stream(size, first_byte)),
        }
    }

    /// With their names for people and for programs.
    fn named(&self) -> impl Iterator<Item = (&'static str, &'static str, &Plan)> {
        let plans = [
            ("to a file", "to_file", &self.to_file),
            ("to stdout", "to_stdout", &self.to_stdout),
            ("one stream", "one_stream", &self.one_stream),
        ];
        plans.into_iter().filter_map(|(words, name, plan)| Some((words, name, plan.as_ref()?)))
    }
}

fn words(question: &Question, description: &Description, plans: &Plans, tariff: &Tariff) -> String {
    let function = match &description.executed_version {
        Some(version) => format!("{} (version {version} answered)", shown(&question.function)),
        None => shown(&question.function),
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
    for (name, _, plan) in plans.named() {
        let how = match (name, plan.invocations()) {
            ("one stream", _) => String::new(),
            (_, 1) => "one segment; ".to_owned(),
            (_, n) => {
                let (of, at_once) = (BinaryBytes(plan.segment_size()), n.min(plan.in_flight()));
                format!("{n} segments of {of}, up to {at_once} at once; ")
            }
        };
        lines.push((name, format!("{how}{}", estimate(plan, tariff))));
    }
    if plans.one_stream.is_some() {
        let how = "the documented burst and rate, this one first byte; the least";
        lines.push(("estimate", how.to_owned()));
        lines.push(("prices", tariff.prices()));
    }
    let mut text = String::new();
    for (name, value) in lines {
        text.push_str(&format!("{name:<10} {value}\n"));
    }
    text
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

fn document(
    question: &Question,
    description: &Description,
    plans: &Plans,
    tariff: &Tariff,
) -> Value {
    let local = question.function.starts_with(LOCAL);
    let plans: serde_json::Map<String, Value> = plans
        .named()
        .map(|(_, name, plan)| {
            let plan = json!({
                "invocations": plan.invocations(),
                "segment_bytes": plan.segment_size(),
                "in_flight": plan.in_flight().min(plan.invocations()),
                "least_seconds": plan.seconds(),
                "ends_at_bytes": plan.cut_at(),
                "cost": tariff.json(&plan.usage(), local),
            });
            (name.to_owned(), plan)
        })
        .collect();
    json!({
        "function": shown(&question.function),
        "object": question.object,
        "executed_version": description.executed_version,
        "size_bytes": description.size,
        "etag": description.etag,
        "content_type": description.content_type,
        "encoding": description.encoding,
        "last_modified": description.last_modified,
        "crc64nvme": description.checksum,
        "ranges": description.ranges,
        "plans": plans,
    })
}
