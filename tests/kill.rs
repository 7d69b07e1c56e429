//! Downloads that are killed at random moments come in; whole files with the right bytes come out of
//! what was left, and how much of them had to be sent twice.
//!
//! This is the short form. The long one, and what it found, stands in CONTRIBUTING.md: `KILLS`,
//! `KILL_SIZE` (in MiB), `KILL_IN_FLIGHT` (a number, or `auto`) and `KILL_SEED` are its parameters.
#![cfg(unix)] // where a process can be killed without a word
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use local_lambda::{Function, LocalLambda, Logs};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const MIB: u64 = 1024 * 1024;

/// How long a test waits for what must happen. Never reached unless something is broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often something is looked at that cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The signal that no process can catch, on every Unix.
const SIGKILL: i32 = 9;

/// What may be sent twice of an object of a few hundred MiB: this share, on average over all downloads.
const TWICE_LIMIT: f64 = 0.10;

/// From this size on that limit counts. A smaller object has a larger share in flight, and on a busy
/// machine most of that may wait in the kernel's buffers.
const LARGE: u64 = 200 * MIB;

/// What may be sent twice of a smaller one: half of what it would be without a journal.
const TWICE_LIMIT_SMALL: f64 = 0.25;

/// The most runs that one download gets. Each one that is killed ends the sooner, so few do.
const RUNS_LIMIT: u32 = 8;

/// A parameter from the environment, or its value for CI.
fn parameter<T: FromStr>(name: &str, short: T) -> T {
    match std::env::var(name) {
        Ok(text) => match text.trim_end_matches("MiB").parse() {
            Ok(value) => value,
            Err(_) => panic!("{name}={text} is no number, or none that fits"),
        },
        Err(_) => short,
    }
}

/// What was built beside the folder of the test's own program.
fn built(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join(name);
    assert!(program.is_file(), "{} is not built: run `cargo test --workspace`", program.display());
    program
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same seed gives the same chances.
struct Chances(u64);

impl Chances {
    /// From 0.0 up to, not including, 1.0.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The upper 53 bits are what an f64 holds exactly.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One time of so many.
    fn one_of(&mut self, times: u32) -> bool {
        self.next() * f64::from(times) < 1.0
    }
}

/// The command, in an environment of its own.
fn invoker(home: &Path) -> Command {
    let mut command = Command::new(built("invoker"));
    command
        .env_clear()
        .env("HOME", home)
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A run of the command; killed if the test leaves it.
struct Run(Option<Child>);

impl Run {
    fn start(mut command: Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }

    fn has_ended(&mut self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    /// Its end, which comes by itself. It says less than a pipe holds.
    fn wait(mut self) -> Output {
        until("the command ends", || self.has_ended());
        self.0.take().unwrap().wait_with_output().unwrap()
    }

    /// Its end, which comes now if it has not come already.
    fn kill(mut self) -> Output {
        self.child().kill().unwrap();
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Fails if it has ended, which is just as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(SIGKILL)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A service with the ready function, and the object that is fetched from it.
struct Bench {
    _runtime: Runtime,
    local: LocalLambda,
    size: u64,
    /// So many from the beginning on, or as many as the command finds good.
    in_flight: Option<u32>,
    sha256: String,
}

impl Bench {
    fn start(size: u64, in_flight: Option<u32>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let function =
            Function::new("files", built("stream-fn")).env("STREAM_FN_SOURCE", "pattern");
        let local = LocalLambda::builder().function(function).logs(Logs::Discard);
        let local = runtime.block_on(local.start()).unwrap();
        Self { _runtime: runtime, local, size, in_flight, sha256: pattern_sha256(size) }
    }

    fn command(&self, home: &Path, verb: &[&str]) -> Run {
        let mut command = invoker(home);
        command
            .args(verb)
            .args(["--quiet", "--report", "report.json"])
            .args(["--endpoint-url", &self.local.endpoint_url()]);
        if let Some(in_flight) = self.in_flight {
            command.args(["--in-flight", &in_flight.to_string()]);
        }
        Run::start(command)
    }

    fn get(&self, home: &Path) -> Run {
        self.command(home, &["get", "files", &self.size.to_string(), "-o", "out"])
    }

    fn resume(&self, home: &Path) -> Run {
        self.command(home, &["resume", "out"])
    }

    /// Bytes sent so far, to whomever.
    fn sent(&self) -> u64 {
        self.local.stats().bytes_sent
    }

    /// Until the functions are done with those who left.
    fn rest(&self) {
        until("the functions are idle", || self.local.stats().invocations_running == 0);
    }

    /// One download that nobody interrupts.
    fn whole(&self) -> Whole {
        let home = tempfile::tempdir().unwrap();
        let (before, start) = (self.sent(), Instant::now());
        let ended = self.get(home.path()).wait();
        let time = start.elapsed();
        assert!(ended.status.success(), "{}", stderr(&ended));
        self.is_whole(home.path());
        Whole { sent: self.sent() - before, time }
    }

    /// The file has the object's bytes, and nothing else is left.
    fn is_whole(&self, home: &Path) {
        assert_eq!(names(home), ["out", "report.json"]);
        assert_eq!(sha256_of_file(&home.join("out")), self.sha256);
    }
}

/// What a download is that nobody interrupts.
struct Whole {
    /// Bytes, with all that HTTP and frames add.
    sent: u64,
    time: Duration,
}

/// When a run is killed: at a moment of its progress, or of the time it takes. The first is even over
/// the bytes, the second knows the moments before the first byte and after the last one too.
enum Moment {
    Sent(u64),
    Time(Duration),
}

/// What all downloads together came to.
#[derive(Default)]
struct Tally {
    downloads: u32,
    kills: u32,
    /// Of the kills, those of a run that went on with an earlier one.
    kills_of_resumed: u32,
    /// Of the kills, those that came before there was anything to go on with.
    nothing_left: u32,
    /// Of the kills, those that came when the file had its name already.
    done: u32,
    /// Of each download, as a share of the object.
    twice: Vec<f64>,
}

/// Downloads once, and kills it once, and sometimes again when it goes on.
fn download(bench: &Bench, whole: &Whole, chances: &mut Chances, tally: &mut Tally) {
    let home = TempDir::new().unwrap();
    let home = home.path();
    let before = bench.sent();
    let mut left_to_kill = if chances.one_of(3) { 2 } else { 1 };
    let mut next = Some(bench.get(home));
    let mut resumed = false;
    for _ in 0..RUNS_LIMIT {
        let Some(mut run) = next.take() else { break };
        if left_to_kill == 0 {
            let ended = run.wait();
            assert!(ended.status.success(), "{}", stderr(&ended));
            report_adds_up(home, bench.size);
            break;
        }
        let start = Instant::now();
        let sent = bench.sent();
        // What is left to send, as far as can be known.
        let rest = whole.sent.saturating_sub(sent - before);
        let share = rest as f64 / whole.sent as f64;
        let moment = match chances.one_of(2) {
            true => Moment::Sent((chances.next() * rest as f64) as u64),
            false => Moment::Time(whole.time.mul_f64(share * chances.next())),
        };
        until("the moment to kill it", || {
            run.has_ended()
                || match moment {
                    Moment::Sent(bytes) => bench.sent() - sent >= bytes,
                    Moment::Time(time) => start.elapsed() >= time,
                }
        });
        let ended = run.kill();
        if !was_killed(ended.status) {
            // It was faster.
            assert!(ended.status.success(), "{}", stderr(&ended));
            break;
        }
        left_to_kill -= 1;
        tally.kills += 1;
        tally.kills_of_resumed += u32::from(resumed);
        next = after_a_kill(bench, home, chances, tally);
        resumed = true;
    }
    assert!(next.is_none(), "it never ended");
    bench.is_whole(home);
    bench.rest();
    tally.downloads += 1;
    let twice = (bench.sent() - before).saturating_sub(whole.sent);
    tally.twice.push(twice as f64 / bench.size as f64);
}

/// What is there after a kill is right as far as it goes; the run that goes on, if there is anything
/// left to do.
fn after_a_kill(
    bench: &Bench,
    home: &Path,
    chances: &mut Chances,
    tally: &mut Tally,
) -> Option<Run> {
    if home.join("out").exists() {
        // It has its name, so it must be whole; only its journal may not be cleared away.
        assert_eq!(sha256_of_file(&home.join("out")), bench.sha256);
        tally.done += 1;
        return home.join("out.part.journal").exists().then(|| bench.get(home));
    }
    let mut verify = invoker(home);
    verify.args(["verify", "out"]);
    let verified = Run::start(verify).wait();
    match verified.status.code() {
        Some(1) => {
            let words = String::from_utf8_lossy(&verified.stdout).into_owned();
            assert!(words.contains("intact"), "{words}");
            Some(if chances.one_of(2) { bench.resume(home) } else { bench.get(home) })
        }
        Some(8) => {
            tally.nothing_left += 1;
            let refused = bench.resume(home).wait();
            assert_eq!(refused.status.code(), Some(8), "{}", stderr(&refused));
            Some(bench.get(home))
        }
        other => panic!("verify: {other:?}: {}", stderr(&verified)),
    }
}

/// What was there and what came make the object, and it was checked.
fn report_adds_up(home: &Path, size: u64) {
    let report: serde_json::Value =
        serde_json::from_reader(File::open(home.join("report.json")).unwrap()).unwrap();
    let bytes = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(bytes("bytes") + bytes("resumed_bytes"), size, "{report}");
    assert_eq!(report["integrity"]["status"], "verified", "{report}");
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Of a pattern object, without having it in memory.
fn pattern_sha256(size: u64) -> String {
    let mut sum = Sha256::new();
    let mut bytes = vec![0; MIB as usize];
    let mut offset = 0;
    while offset < size {
        let len = MIB.min(size - offset);
        let bytes = &mut bytes[..len as usize];
        stream_fn::source::pattern::fill(offset, bytes);
        sum.update(bytes);
        offset += len;
    }
    hex(&sum.finalize())
}

fn sha256_of_file(path: &Path) -> String {
    let mut file = File::open(path).unwrap();
    let mut sum = Sha256::new();
    let mut buffer = vec![0; MIB as usize];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return hex(&sum.finalize()),
            len => sum.update(&buffer[..len]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_download_that_is_killed_at_any_moment_becomes_whole() {
    let kills: u32 = parameter("KILLS", 6);
    let size = MIB * parameter::<u64>("KILL_SIZE", 48);
    let in_flight = parameter("KILL_IN_FLIGHT", "2".to_owned());
    let mut chances = Chances(parameter("KILL_SEED", 1));
    let fixed = match in_flight.as_str() {
        "auto" => None,
        number => Some(number.parse().unwrap()),
    };
    let bench = Bench::start(size, fixed);
    // Twice: the first one waits for processes to start.
    bench.whole();
    let whole = bench.whole();
    bench.rest();
    let mut tally = Tally::default();
    while tally.kills < kills {
        assert!(tally.downloads < 2 * kills + 10, "most downloads end before they are killed");
        download(&bench, &whole, &mut chances, &mut tally);
    }
    let mean = tally.twice.iter().sum::<f64>() / f64::from(tally.downloads);
    let most = tally.twice.iter().copied().fold(0.0, f64::max);
    println!(
        "{} kills (of those {} of a run that went on, {} with nothing to go on with, {} after the \
         end) of {} downloads of {} MiB, {in_flight} in flight, {:?} without a kill; sent twice: \
         {:.2} % of the object on average, {:.2} % at most",
        tally.kills,
        tally.kills_of_resumed,
        tally.nothing_left,
        tally.done,
        tally.downloads,
        size / MIB,
        whole.time,
        100.0 * mean,
        100.0 * most,
    );
    let limit = if size >= LARGE { TWICE_LIMIT } else { TWICE_LIMIT_SMALL };
    assert!(mean < limit, "{mean} of the object was sent twice on average");
}

/// Nobody is there to end the processes behind `local:`; they notice that by themselves.
#[cfg(target_os = "linux")] // where a process' environment can be read
#[test]
fn the_functions_of_a_killed_command_end_by_themselves() {
    let home = TempDir::new().unwrap();
    let mark = format!("OF_A_TEST={}", home.path().display());
    let marked = || {
        let marked = |process: std::fs::DirEntry| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|it| marked(it).then_some(()))
            .count()
    };
    let mut command = invoker(home.path());
    let (name, value) = mark.split_once('=').unwrap();
    // Larger than what the service sends at once: when it is killed, answers are under way.
    command.env(name, value).args(["get", "local:", "150MiB", "-q", "-o", "out"]);
    command.args(["--segment-size", "20MiB", "--in-flight", "4"]);
    let mut run = Run::start(command);
    until("functions at work", || {
        assert!(!run.has_ended(), "it ended too early");
        let journal = std::fs::metadata(home.path().join("out.part.journal"));
        marked() >= 5 && journal.is_ok_and(|journal| journal.len() > 1_400)
    });
    assert!(was_killed(run.kill().status));
    until("all processes have ended", || marked() == 0);
}
