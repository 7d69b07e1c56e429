//! What was measured goes in; all of it comes out as JSON.

use serde_json::{Value, json};

use super::comparison::Measured;
use super::measure::Run;
use crate::cost::{Tariff, Usage};

/// Points of a curve that are written: enough to draw it as wide as a screen.
const POINTS: usize = 1_000;

/// The object.
pub(super) fn document(
    function: &str,
    object: Option<&str>,
    measured: &Measured,
    tariff: &Tariff,
    local: bool,
) -> Value {
    let told = measured.told();
    let runs = |runs: &[Run]| match runs.is_empty() {
        true => Value::Null,
        false => {
            let runs: Vec<Value> = runs.iter().map(|one| run(one, tariff, local)).collect();
            json!({ "runs": runs })
        }
    };
    let faster = measured.times_faster();
    json!({
        "invoker": env!("CARGO_PKG_VERSION"),
        "function": function,
        "object": object,
        "size_bytes": told.size,
        "etag": told.etag,
        "executed_version": told.executed_version,
        "ranges": told.ranges,
        "one_stream": runs(&measured.one_stream),
        "segments": runs(&measured.segments),
        "times_faster": faster.map(|(times, _)| times),
        "times_faster_is_projected": faster.map(|(_, projected)| projected),
    })
}

fn run(run: &Run, tariff: &Tariff, local: bool) -> Value {
    const MILLIS: f64 = 1e3;
    let knee = run.knee.map(|knee| {
        json!({
            "burst_bytes": knee.burst_bytes.round() as u64,
            "burst_bytes_per_second": knee.rate_before,
            "at_ms": knee.at * MILLIS,
            "bytes_per_second_after": knee.rate_after,
        })
    });
    let gaps = run.gaps.as_ref().map(|gaps| {
        json!({
            "count": gaps.count(),
            "median_ms": gaps.quantile(0.5) * MILLIS,
            "p99_ms": gaps.quantile(0.99) * MILLIS,
            "longest_ms": gaps.longest() * MILLIS,
        })
    });
    let points = run.curve.points();
    let every = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let curve: Vec<Value> = points
        .iter()
        .enumerate()
        .filter(|(n, _)| n % every == 0 || *n == last)
        .map(|(_, (seconds, bytes))| json!([seconds * MILLIS, bytes]))
        .collect();
    let now = &run.snapshot;
    json!({
        "bytes": run.bytes(),
        "whole": run.whole,
        "elapsed_ms": run.seconds * MILLIS,
        "ttfb_ms": run.first_byte.map(|seconds| seconds * MILLIS),
        "bytes_per_second": run.rate(),
        "gaps": gaps,
        "knee": knee,
        "segments": now.segments,
        "in_flight_max": now.in_flight_max,
        "retries": now.retries,
        "throttles": now.throttles,
        "hedges": now.hedges,
        "cost": tariff.json(&Usage::from(now), local),
        "curve_ms_bytes": curve,
    })
}
