//! A command comes in; it runs as a whole process, and what it cost goes out: wall time, CPU time of
//! user and system, and the most memory it had resident, as the kernel counted them at its end.
//!
//! The kernel adds up what all ended children cost, so each command is run by a process that has no
//! other child: this program again.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
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
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the cost of children");
    let seconds = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000).as_secs_f64()
    };
    let cost = Cost {
        wall_s: wall.as_secs_f64(),
        cpu_s: seconds(usage.user_time()) + seconds(usage.system_time()),
        peak_bytes: usage.max_rss() as u64 * 1024, // Linux counts it in KiB
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
        success: output.status.success(),
    };
    println!("{}", serde_json::to_string(&cost).expect("JSON"));
}

/// The middle one of several values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
