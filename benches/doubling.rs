//! Objects of 256 MiB to 8 GiB through `invoker cat local:`: whether twice the bytes take twice the time
//! and the same memory. Writes `benches/doubling.svg`. The local service runs within the process that is
//! measured; its functions do not.
//!
//! Needs `target/release/invoker`: `cargo build --release -p invoker-cli`.

use std::path::Path;
use std::process::{Command, Stdio};

#[path = "support/chart.rs"]
mod chart;

use chart::{Bar, Panel};

/// Each is twice the one before.
const SIZES: [(&str, u64); 6] = [
    ("256MiB", 256),
    ("512MiB", 512),
    ("1GiB", 1_024),
    ("2GiB", 2_048),
    ("4GiB", 4_096),
    ("8GiB", 8_192),
];

/// Runs of each size; the median counts.
const RUNS: usize = 3;

const MIB: f64 = 1024.0 * 1024.0;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let invoker = root.join("target/release/invoker");
    assert!(invoker.exists(), "build it first: cargo build --release -p invoker-cli");
    let folder = tempfile::tempdir().expect("a folder");
    let mut rows = Vec::new();
    for (size, mib) in SIZES {
        // Time and memory, each with its own median.
        let (mut times, mut peaks) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (time, peak) = fetch(&invoker, folder.path(), size, mib);
            times.push(time);
            peaks.push(peak);
        }
        times.sort_by(f64::total_cmp);
        peaks.sort_by(f64::total_cmp);
        rows.push((size, times[RUNS / 2], peaks[RUNS / 2]));
    }

    println!("| object | time | of the one before | peak memory |");
    println!("|---|---|---|---|");
    let mut before = None;
    for (size, time, peak) in &rows {
        let ratio = before.map_or(String::new(), |before| format!("{:.2}", time / before));
        println!("| {size} | {time:.2} s | {ratio} | {:.1} MiB |", peak / MIB);
        before = Some(time);
    }
    let bar =
        |name: &str, value: f64, words: String| Bar { name: name.into(), value, words, ours: true };
    let times = rows.iter().map(|(size, time, _)| bar(size, *time, format!("{time:.2} s")));
    let peaks =
        rows.iter().map(|(size, _, peak)| bar(size, *peak, format!("{:.1} MiB", peak / MIB)));
    let picture = chart::svg(&[
        Panel { title: "invoker cat: time".into(), bars: times.collect() },
        Panel { title: "invoker cat: peak memory".into(), bars: peaks.collect() },
    ]);
    std::fs::write(root.join("benches/doubling.svg"), picture).expect("to write the picture");
}

/// Seconds and the most bytes that were resident, as the command reports them.
fn fetch(invoker: &Path, folder: &Path, size: &str, mib: u64) -> (f64, f64) {
    let report = folder.join("report.json");
    let mut command = Command::new(invoker);
    command.args(["cat", "local:", size, "-q", "--report"]).arg(&report).stdout(Stdio::null());
    assert!(command.status().expect("to run invoker").success());
    let report = std::fs::read(report).expect("a report");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(report["bytes"], mib << 20);
    let number = |field: &str| report[field].as_f64().expect("a number, which only Linux has");
    (number("elapsed_ms") / 1e3, number("peak_rss_bytes"))
}
