//! A command comes in; it runs as a whole process, and what it cost goes out: wall time, CPU time of
//! user and system, and the most memory it had resident, as the kernel counted them at its end.
//!
//! The kernel adds up what all ended children cost, so each command is run by a process that has no
//! other child: this program again.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// The first argument by which this program is told to run a command and say what it cost.
pub(crate) const MEASURE: &str = "measure";

/// What one run of a command cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) peak_bytes: u64,
    /// What it said on stderr.
    pub(crate) said: String,
    pub(crate) success: bool,
}

/// Runs `program`, its stdout thrown away. Panics if it fails.
pub(crate) fn run(
    program: impl AsRef<OsStr>,
    arguments: &[String],
    environment: &[(&str, &str)],
) -> Cost {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .arg(MEASURE)
        .arg(program.as_ref())
        .args(arguments)
        .envs(environment.iter().copied())
        .stderr(Stdio::inherit())
        .output()
        .expect("to run this program");
    let cost: Cost = serde_json::from_slice(&output.stdout).expect("a cost");
    let program = program.as_ref().display();
    assert!(cost.success, "{program} {arguments:?} failed: {}", cost.said);
    cost
}

/// The other side of [`run`]: the command line of what is measured comes in, its cost goes to stdout.
pub(crate) fn measure(line: &[String]) {
    let (program, arguments) = line.split_first().expect("a command");
    let begun = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let wall = begun.elapsed();
    let (cpu_s, peak_bytes) = cost_of_children();
    let cost = Cost {
        wall_s: wall.as_secs_f64(),
        cpu_s,
        peak_bytes,
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
        success: output.status.success(),
    };
    println!("{}", serde_json::to_string(&cost).expect("JSON"));
}

/// The CPU time of all ended children, in seconds, and the most memory that one had resident, in bytes.
#[cfg(unix)]
fn cost_of_children() -> (f64, u64) {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    // Linux and the BSDs count memory in KiB, Apple in bytes (their manuals of getrusage).
    const MEMORY_UNIT: u64 = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the cost of children");
    let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    (cpu, usage.max_rss() as u64 * MEMORY_UNIT)
}

#[cfg(not(unix))]
fn cost_of_children() -> (f64, u64) {
    panic!("what processes cost is asked as Unix tells it: run this bench there")
}

/// The middle one of several values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
