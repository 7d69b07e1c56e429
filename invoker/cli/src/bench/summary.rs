//! What was measured goes in; lines for a person come out.

use std::time::Duration;

use indicatif::BinaryBytes;

use super::comparison::{Measured, takes, typical};
use super::curve::Gaps;
use super::knee::Knee;
use super::measure::Run;
use crate::cost::{Tariff, Usage};

/// Aligned lines, the last one ended.
pub(super) fn text(function: &str, what: &str, measured: &Measured, tariff: &Tariff) -> String {
    let told = measured.told();
    let mut lines = vec![("function", function.to_owned()), ("object", what.to_owned())];
    if let Some(size) = told.size {
        lines.push(("size", format!("{size} bytes ({})", BinaryBytes(size))));
    }
    if let Some(run) = typical(&measured.one_stream) {
        lines.push(("one stream", transfer(run, measured.one_stream.len())));
        lines.push(("  first byte", first_byte(run)));
        lines.extend(run.gaps.as_ref().map(|found| ("  gaps", gaps(found))));
        lines.push(("  knee", knee_words(run)));
        if let Some(takes) = takes(run, told.size).filter(|takes| takes.projected) {
            lines.push(("  all of it", format!("about {} at that rate", seconds(takes.seconds))));
        }
        lines.push(("  cost", cost(run, tariff)));
    }
    if let Some(run) = typical(&measured.segments) {
        lines.push(("segments", transfer(run, measured.segments.len())));
        lines.push(("  at once", at_once(run)));
        lines.push(("  first byte", first_byte(run)));
        lines.push(("  cost", cost(run, tariff)));
    }
    if let Some((times, projected)) = measured.times_faster() {
        let about = if projected { "about " } else { "" };
        lines.push(("faster", format!("segments, {about}{times:.1} times")));
    }
    lines.push(("prices", tariff.prices()));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

/// How much came, in what time.
pub(super) fn transfer(run: &Run, runs: usize) -> String {
    let stopped = if run.whole { "" } else { ", stopped there" };
    let of = if runs > 1 { format!("; the middle one of {runs} runs") } else { String::new() };
    let (bytes, rate) = (BinaryBytes(run.bytes()), BinaryBytes(run.rate() as u64));
    format!("{bytes} in {}, {rate}/s{stopped}{of}", seconds(run.seconds))
}

pub(super) fn knee(knee: &Knee) -> String {
    let before = match knee.rate_before {
        Some(rate) => format!("{}/s", BinaryBytes(rate as u64)),
        None => "once".to_owned(),
    };
    let (burst, after) =
        (BinaryBytes(knee.burst_bytes as u64), BinaryBytes(knee.rate_after as u64));
    format!("{burst} at {before}, then {after}/s")
}

fn knee_words(run: &Run) -> String {
    match &run.knee {
        Some(found) => knee(found),
        None if run.whole => "none: the rate does not break".to_owned(),
        None => "none so far: --time allows more".to_owned(),
    }
}

fn at_once(run: &Run) -> String {
    if !run.told.ranges {
        return "one stream as well: the function serves no ranges of it".to_owned();
    }
    let now = &run.snapshot;
    let mut words = format!("{} of {} segments", now.in_flight_max, now.segments);
    for (count, name) in
        [(now.retries, "retried"), (now.throttles, "throttled"), (now.hedges, "asked for twice")]
    {
        if count > 0 {
            words.push_str(&format!(", {count} {name}"));
        }
    }
    words
}

fn first_byte(run: &Run) -> String {
    run.first_byte.map_or("none".to_owned(), seconds)
}

fn gaps(gaps: &Gaps) -> String {
    if gaps.count() == 0 {
        return "none: all came at once".to_owned();
    }
    format!(
        "{} of {} at the median, {} at the 99th percentile, {} at most",
        gaps.count(),
        seconds(gaps.quantile(0.5)),
        seconds(gaps.quantile(0.99)),
        seconds(gaps.longest())
    )
}

fn cost(run: &Run, tariff: &Tariff) -> String {
    let usage = Usage::from(&run.snapshot);
    let more = if usage.abandoned > 0 { ", and more: it was left before its end" } else { "" };
    let s = if usage.invocations == 1 { "" } else { "s" };
    format!("{}{more}; {} invocation{s}", tariff.cost(&usage).words(), usage.invocations)
}

/// Seconds with three digits that count.
pub(super) fn seconds(seconds: f64) -> String {
    const MILLIS: f64 = 1e3;
    match seconds {
        s if s >= 100.0 => format!("{s:.0} s"),
        s if s >= 10.0 => format!("{s:.1} s"),
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s * MILLIS >= 100.0 => format!("{:.0} ms", s * MILLIS),
        s if s * MILLIS >= 10.0 => format!("{:.1} ms", s * MILLIS),
        s => format!("{:.2} ms", s * MILLIS),
    }
}

/// What is said before a run.
pub(super) fn announce(what: &str, run: usize, runs: usize, time: Duration) -> String {
    let of = if runs > 1 { format!(", run {run} of {runs}") } else { String::new() };
    format!("invoker: measuring {what}{of}, for {} s at most", time.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_keep_three_digits() {
        for (given, words) in [
            (0.000_05, "0.05 ms"),
            (0.012_34, "12.3 ms"),
            (0.999, "999 ms"),
            (1.0, "1.00 s"),
            (27.04, "27.0 s"),
            (123.4, "123 s"),
        ] {
            assert_eq!(seconds(given), words);
        }
    }
}
