//! The command as a shell runs it: arguments go in; exit code, stdout and stderr come out. Nothing
//! of the environment that the tests run in reaches it.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part, and may unwrap

pub(crate) mod scripted;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// How long a test waits for what must happen. Never reached unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often something is looked at that cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The environment of a user who has credentials.
pub(crate) const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIDOFATEST"),
    ("AWS_SECRET_ACCESS_KEY", "secret-of-a-test"),
    ("AWS_REGION", "eu-west-1"),
];

/// A user's folder: home and working folder of the command in one.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// The names of all that is here, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The command with `line` split at spaces.
    pub(crate) fn invoker(&self, line: &str) -> Invoker {
        let mut command = Command::new(env!("CARGO_BIN_EXE_invoker"));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .current_dir(self.folder.path())
            .args(line.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Invoker { command, stdin: Vec::new() }
    }

    /// Runs the command with `line` split at spaces.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.invoker(line).run()
    }

    /// `invoker local`, once it listens.
    pub(crate) fn local(&self, flags: &str, functions: &[(&str, String)]) -> Local {
        let mut invoker = self.invoker(&format!("local {flags}"));
        for (name, command) in functions {
            invoker = invoker.arg("--function").arg(format!("{name}={command}"));
        }
        let mut running = invoker.start();
        let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
        // Ends with the line, or with the process.
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Some(url) = line.strip_prefix("listening on ") else {
            let ended = running.wait();
            panic!("`invoker local` said {line:?} and {:?}", ended.stderr);
        };
        Local { url: url.trim_end().to_owned(), running: Some(running), stdout }
    }
}

/// The command, to be run.
pub(crate) struct Invoker {
    command: Command,
    stdin: Vec<u8>,
}

impl Invoker {
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More of them, split at spaces.
    pub(crate) fn args_of(mut self, line: &str) -> Self {
        self.command.args(line.split_whitespace());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn envs(mut self, variables: &[(&str, &str)]) -> Self {
        self.command.envs(variables.iter().copied());
        self
    }

    pub(crate) fn stdin(mut self, bytes: &str) -> Self {
        self.command.stdin(Stdio::piped());
        self.stdin = bytes.into();
        self
    }

    pub(crate) fn run(self) -> Ran {
        self.start().wait()
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(&self.stdin).unwrap();
        }
        let stderr = child.stderr.take().map(read_all);
        Running { child, stderr }
    }
}

/// The command while it runs; killed if the test leaves it. Its stdout waits for a reader.
pub(crate) struct Running {
    child: Child,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

impl Running {
    /// Its stdout, to read some of it and then leave.
    pub(crate) fn stdout(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().unwrap()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends `INT` or `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub(crate) fn wait(mut self) -> Ran {
        let stdout = self.child.stdout.take().map(read_all);
        let status = self.status();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran {
            code: status.code(),
            stdout: stdout.map(|read| read.join().unwrap()).unwrap_or_default(),
            stderr: text(self.stderr.take().unwrap().join().unwrap()),
        }
    }

    fn status(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it still runs");
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if it has ended, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// `None` after a signal that it did not catch.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// It did what it was asked to.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// It ended with `code` and one line on stderr that has all of `words`, and gave no data.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, words: &[&str]) -> Self {
        let Self { stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "{stderr}");
        assert!(stderr.starts_with("invoker: "), "{stderr:?}");
        let lines = stderr.lines().count();
        assert!(lines == 1 && stderr.ends_with('\n'), "{lines} lines: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "no {word:?} in {stderr:?}");
        }
        self
    }
}

impl Ran {
    /// It was typed wrongly: usage, with all the lines that the parser writes.
    #[track_caller]
    pub(crate) fn failed_usage(self, word: &str) -> Self {
        assert_eq!(self.code, Some(2), "{}", self.stderr);
        assert!(self.stderr.contains(word), "no {word:?} in {:?}", self.stderr);
        self
    }

    /// It ended with `code`, a line that says why, with all of `words`, and one that says how to
    /// go on.
    #[track_caller]
    pub(crate) fn resumable(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        let lines: Vec<&str> = self.stderr.lines().collect();
        let [why, how] = lines[..] else { panic!("{} lines: {}", lines.len(), self.stderr) };
        for word in words {
            assert!(why.contains(word), "no {word:?} in {why:?}");
        }
        assert!(how.starts_with("invoker: ") && how.contains("invoker resume out"), "{how:?}");
        self
    }

    /// It ended with `code`, with the data that had come on stdout.
    #[track_caller]
    pub(crate) fn failed_with_data(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(!self.stdout.is_empty());
        self
    }
}

/// `invoker local` while it runs, and where. Ended as a user would when it is dropped.
pub(crate) struct Local {
    pub(crate) url: String,
    running: Option<Running>,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Local {
    /// `invoker VERB --endpoint-url URL REST`
    pub(crate) fn invoker(&self, home: &Home, verb: &str, rest: &str) -> Invoker {
        home.invoker(&format!("{verb} --endpoint-url {} {rest}", self.url))
    }

    /// The next line on stdout.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Ends it with a signal: how it ended, and what it said on stdout after its first line.
    pub(crate) fn end(mut self, signal: &str) -> (Ran, String) {
        let running = self.running.take().unwrap();
        running.signal(signal);
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (running.wait(), rest)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // So that the processes of its functions end as well.
        if let Some(mut running) = self.running.take() {
            running.signal("TERM");
            if !thread::panicking() {
                running.status();
            }
        }
    }
}

/// Looks until something is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// The command line of this package's failing function. Cargo builds examples before it runs tests,
/// and puts them beside the folder of the test's own program.
pub(crate) fn failing_function() -> String {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/failing_function");
    assert!(program.is_file(), "{} is not built: run `cargo test --workspace`", program.display());
    format!("'{}'", program.display())
}

/// The command line of the ready function, which this program is as well, with its source.
pub(crate) fn ready_function(source: &str) -> String {
    let program = env!("CARGO_BIN_EXE_invoker");
    format!("env 'STREAM_FN_SOURCE={source}' '{program}' serve-function")
}

/// The bytes of a pattern object.
pub(crate) fn pattern(range: std::ops::Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    stream_fn::source::pattern::fill(range.start, &mut bytes);
    bytes
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn sha256_of_file(path: &Path) -> String {
    let mut file = std::fs::File::open(path).unwrap();
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
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

/// Bare HTTP, as any browser would ask.
pub(crate) fn http(address: &str, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
