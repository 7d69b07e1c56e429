//! The most memory that the command `invoker` has resident, from its own reports: a large file, a
//! reader who comes late, and sizes sixteen times apart. The local service runs within the process
//! that is measured.
//!
//! Needs `target/release/invoker`: `cargo build --release -p invoker-cli`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// Runs of each measurement; their median counts.
const RUNS: usize = 5;

/// How late the reader of `cat` comes.
const LATE: Duration = Duration::from_secs(5);

fn main() {
    let invoker = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/invoker");
    assert!(invoker.exists(), "build it first: cargo build --release -p invoker-cli");
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench { invoker, folder: folder.path().to_owned() };

    let file = folder.path().join("source");
    write_file(&file, 1024 * MIB);
    let source = format!("local:{}", folder.path().display());

    println!("| what | peak resident memory |");
    println!("|---|---|");
    let get = bench.median(|| bench.get(&source, "source"));
    println!("| `get` of a file of 1 GiB, 32 in flight | {} |", mib(get));
    let cat = bench.median(|| bench.late_cat(&source, "source"));
    println!("| `cat` of it, the reader {LATE:?} late | {} |", mib(cat));
    let small = bench.median(|| bench.get("local:", "256MiB"));
    println!("| `get local: 256MiB` | {} |", mib(small));
    let large = bench.median(|| bench.get("local:", "4GiB"));
    println!("| `get local: 4GiB` | {} |", mib(large));
    println!("\n4 GiB / 256 MiB: {:.3}", large as f64 / small as f64);
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB as f64)
}

struct Bench {
    invoker: PathBuf,
    folder: PathBuf,
}

impl Bench {
    fn median(&self, run: impl Fn() -> u64) -> u64 {
        let mut peaks: Vec<u64> = (0..RUNS).map(|_| run()).collect();
        peaks.sort_unstable();
        peaks[RUNS / 2]
    }

    fn get(&self, function: &str, object: &str) -> u64 {
        let out = self.folder.join("out");
        let mut command = self.command("get", function, object);
        let status = command.arg("-o").arg(&out).status().expect("to run invoker");
        assert!(status.success());
        std::fs::remove_file(out).expect("the result");
        self.peak()
    }

    fn late_cat(&self, function: &str, object: &str) -> u64 {
        let mut command = self.command("cat", function, object);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("to run invoker");
        std::thread::sleep(LATE);
        let mut stdout = child.stdout.take().expect("its stdout");
        let mut buffer = vec![0; MIB as usize];
        while stdout.read(&mut buffer).expect("bytes") > 0 {}
        assert!(child.wait().expect("its end").success());
        self.peak()
    }

    fn command(&self, verb: &str, function: &str, object: &str) -> Command {
        let mut command = Command::new(&self.invoker);
        command.args([verb, function, object, "-q", "--report"]).arg(self.report());
        command
    }

    fn report(&self) -> PathBuf {
        self.folder.join("report.json")
    }

    fn peak(&self) -> u64 {
        let report = std::fs::read(self.report()).expect("a report");
        let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
        report["peak_rss_bytes"].as_u64().expect("the peak, which only Linux tells")
    }
}

/// Bytes that do not repeat soon; their values do not matter here.
fn write_file(path: &Path, len: u64) {
    let mut file = std::fs::File::create(path).expect("a file");
    let mut block = vec![0; MIB as usize];
    for at in 0..len / MIB {
        for (index, byte) in block.iter_mut().enumerate() {
            *byte = (index as u64 * (at | 1)) as u8;
        }
        file.write_all(&block).expect("to write it");
    }
}
