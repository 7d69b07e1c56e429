//! A folder with a configuration goes in; the program, a service on loopback and curl come out. Nothing of the
//! environment that the tests run in reaches them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use local_lambda::{Function, LocalLambda, Logs};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

/// How long a test waits for what must happen. Never reached unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often something is looked at that cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Listens anywhere, and at a place for metrics.
pub(crate) const ANYWHERE: &str = "listen = \"127.0.0.1:0\"\n";

/// A route that nobody asks, for a configuration has one at least.
pub(crate) const SOMEWHERE: &str = "[[routes]]\npath = \"/somewhere\"\nauthorizer = \"none\"\nhttp = { url = \"http://127.0.0.1:9/\" }\n";

/// Functions `one` and `two`, which answer with their names.
pub(crate) async fn service() -> LocalLambda {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/settings_function");
    assert!(program.is_file(), "{} is not built: run `cargo test`", program.display());
    let builder = LocalLambda::builder()
        .function(Function::new("one", program.clone()))
        .function(Function::new("two", program));
    builder.logs(Logs::Discard).start().await.unwrap()
}

/// `[aws]` for it.
pub(crate) fn aws(service: &LocalLambda) -> String {
    format!("[aws]\nregion = \"eu-west-1\"\nendpoint_url = \"{}\"\n", service.endpoint_url())
}

/// A route by this function.
pub(crate) fn route(path: &str, function: &str) -> String {
    format!(
        "[[routes]]\npath = \"{path}\"\nauthorizer = \"none\"\nlambda = {{ function = \"{function}\" }}\n"
    )
}

/// A user's folder.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// As careful editors do: another file takes the name.
    pub(crate) fn replace(&self, name: &str, text: impl AsRef<[u8]>) {
        let new = self.write(&format!("{name}.new"), text);
        std::fs::rename(new, self.path(name)).unwrap();
    }

    /// The program in this folder with `line` split at spaces.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stream-gateway"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .current_dir(self.0.path())
            .args(line.split_whitespace())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn output(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs `gateway.toml`, and returns when it listens.
    pub(crate) fn run(&self) -> Program {
        Program::start(self.command("run gateway.toml"))
    }
}

/// The program while it runs; killed if the test leaves it.
pub(crate) struct Program {
    child: Child,
    /// The lines of stdout that say where it listens.
    pub(crate) said: Vec<String>,
    told: Arc<Mutex<String>>,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let told = Arc::new(Mutex::new(String::new()));
        let (heard, stderr) = (Arc::clone(&told), BufReader::new(child.stderr.take().unwrap()));
        // Ends with the process.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let mut program = Self { child, said: vec![line.trim_end().to_owned()], told };
        assert!(line.starts_with("listening on "), "said {line:?}, told {:?}", program.told());
        // The rest comes with the first line, or never.
        let rest = stdout.buffer().to_vec();
        program.said.extend(String::from_utf8(rest).unwrap().lines().map(str::to_owned));
        std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        program
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.said[0].trim_start_matches("listening on "))
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.said[0].rsplit_once("//").unwrap().1
    }

    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    /// Waits until these words were told.
    pub(crate) async fn tells(&self, words: &str) -> String {
        until(|| {
            let told = self.told();
            told.contains(words).then_some(told)
        })
        .await
        .unwrap_or_else(|| panic!("never told {words:?}: {}", self.told()))
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(name).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) async fn ends(&mut self) -> ExitStatus {
        let ended = until(|| self.child.try_wait().unwrap()).await;
        ended.unwrap_or_else(|| panic!("does not end: {}", self.told()))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks until there is something.
pub(crate) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return Some(found);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    None
}

/// What curl printed, and its exit code.
pub(crate) struct Curled {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

/// curl with `flags` split at spaces.
pub(crate) async fn curl(flags: &str, url: &str) -> Curled {
    let mut command = tokio::process::Command::new("curl");
    command.env_clear().args(["--silent", "--no-buffer", "--max-time", "60"]);
    command.args(flags.split_whitespace()).arg(url).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.expect("curl is there");
    Curled { code: output.status.code(), text: String::from_utf8_lossy(&output.stdout).into() }
}

/// Waits until a file has this text, which curl writes as it comes.
pub(crate) async fn arrived(file: &Path, text: &str) {
    let look = || (std::fs::read_to_string(file).ok()? == text).then_some(());
    until(look).await.unwrap_or_else(|| panic!("{text:?} does not arrive"));
}

/// The answer once it is this text: a file that has changed is served a little later.
pub(crate) async fn curl_until(flags: &str, url: &str, text: &str) {
    let begun = Instant::now();
    loop {
        let curled = curl(flags, url).await;
        if curled.text == text {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{url}: {:?} {:?}", curled.code, curled.text);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Somebody a function waits for.
pub(crate) struct Gate {
    listener: TcpListener,
    pub(crate) address: String,
}

impl Gate {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { listener, address }
    }

    /// The function, once it stands there; it goes on when this is dropped.
    pub(crate) async fn function(&self) -> TcpStream {
        let accepted = tokio::time::timeout(PATIENCE, self.listener.accept()).await;
        accepted.expect("the function comes").unwrap().0
    }
}

/// A certificate for this machine, and its key: PEM.
pub(crate) fn certificate() -> (String, String) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
