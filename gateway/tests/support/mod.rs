//! What the tests share: a function and the text of a configuration go in; a service on loopback, the real
//! gateway in front of it, and curl to ask it, come out. Nothing of the environment that the tests run in
//! reaches them.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part, and may unwrap

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use local_lambda::{Function, Limits, LocalLambda, Logs};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

/// How long a test waits for what must happen. Never reached unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often something is looked at that cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Both ways to speak with a gateway without TLS, as curl's flags.
pub(crate) const PROTOCOLS: [&str; 2] = ["--http1.1", "--http2-prior-knowledge"];

/// A route for every path, by the function `f`.
pub(crate) const ANY: &str = r#"
    [[routes]]
    path = "/{path+}"
    authorizer = "none"
    lambda = { function = "f" }
"#;

/// The function that does as the query says; `tests/functions/gateway_function.rs`.
pub(crate) fn function() -> Function {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/gateway_function");
    assert!(program.is_file(), "{} is not built: run `cargo test`", program.display());
    Function::new("f", program)
}

/// A service without the limits that cost time.
pub(crate) async fn service() -> LocalLambda {
    service_with(function()).await
}

pub(crate) async fn service_with(function: Function) -> LocalLambda {
    let limits = Limits::aws().with_pace(None);
    let builder = LocalLambda::builder().function(function).limits(limits);
    builder.logs(Logs::Discard).start().await.unwrap()
}

/// The gateway's program while it runs; killed if the test leaves it.
pub(crate) struct Gateway {
    child: Child,
    url: String,
    folder: TempDir,
    // A pipe that is closed would end whoever writes into it.
    _stdout: BufReader<std::process::ChildStdout>,
}

impl Gateway {
    /// The program with these routes in front of the service at `endpoint`; its log is in its folder.
    pub(crate) fn start(endpoint: &str, routes: &str) -> Self {
        Self::start_with(endpoint, "", routes)
    }

    /// The same with `first` on the configuration's first lines.
    pub(crate) fn start_with(endpoint: &str, first: &str, routes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("gateway.toml");
        let text = format!(
            "listen = \"127.0.0.1:0\"\naccess_log = \"{}\"\n{first}\n\
             [aws]\nregion = \"eu-west-1\"\nendpoint_url = \"{endpoint}\"\n{routes}",
            folder.path().join("access.log").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_stream-gateway"))
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", "AKIDOFATEST")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-a-test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .arg("run")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // Ends with the line, or with the process.
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ");
        let url = url.unwrap_or_else(|| panic!("the gateway said {line:?}")).to_owned();
        Self { child, url, folder, _stdout: stdout }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The log's lines once there are so many; they come when an exchange is over, which its client
    /// cannot wait for.
    pub(crate) async fn logged(&self, lines: usize) -> Vec<Value> {
        let log = self.folder.path().join("access.log");
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let found: Vec<Value> =
                whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            if found.len() >= lines {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{} of {lines} lines: {text}", found.len());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The last of so many lines.
    pub(crate) async fn last_logged(&self, lines: usize) -> Value {
        self.logged(lines).await.swap_remove(lines - 1)
    }

    /// curl with `flags` split at spaces, and this path.
    pub(crate) async fn curl(&self, flags: &str, path: &str) -> Curled {
        let head = self.folder.path().join(format!("head-{}", unique()));
        let mut command = tokio::process::Command::new("curl");
        command
            .args(["--silent", "--no-buffer", "--max-time", "60"])
            .arg("--dump-header")
            .arg(&head)
            .args(flags.split_whitespace())
            .arg(self.url(path))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = in_time(command.output()).await.expect("curl is there");
        let head = std::fs::read_to_string(&head).unwrap_or_default().to_ascii_lowercase();
        Curled { code: output.status.code(), body: output.stdout, head }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What curl came back with.
pub(crate) struct Curled {
    /// 0: whole. 18: cut (HTTP/1.1). 92: reset (HTTP/2).
    pub(crate) code: Option<i32>,
    pub(crate) body: Vec<u8>,
    /// In lower case.
    head: String,
}

impl Curled {
    /// Of the last head: one before it may be `100 Continue`.
    pub(crate) fn status(&self) -> u16 {
        let mut lines = self.head.lines().rev();
        let line = lines.find(|line| line.starts_with("http/"));
        let status = line.and_then(|line| line.split(' ').nth(1));
        status.unwrap_or_else(|| panic!("no status: {:?}", self.head)).parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found == name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{:?}", self.text()))
    }
}

fn unique() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// Somebody a function waits for.
pub(crate) struct Gate {
    listener: TcpListener,
}

impl Gate {
    pub(crate) async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// Waits until a function waits here. Dropping what is returned lets it go on.
    pub(crate) async fn somebody(&self) -> TcpStream {
        in_time(self.listener.accept()).await.unwrap().0
    }
}

/// Ends a test that would wait for ever.
pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it still waits")
}

/// Looks until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// An empty folder's file.
pub(crate) fn file_in(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}
