//! A configuration comes in; a gateway in this process and a client of it go out, over real sockets. And servers
//! that say exactly what a test wants.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use local_lambda::{Function, Limits, LocalLambda, Logs};
use stream_gateway::{Config, Gateway};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The path of an example of this crate.
pub(crate) fn function(name: &str) -> String {
    let mut path = PathBuf::from(env!("CARGO_BIN_EXE_stream-gateway"));
    path.pop();
    path.push("examples");
    path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built", path.display());
    path.display().to_string()
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection said that this was all.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.headers.iter().filter(move |(other, _)| other == name);
        of_name.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }
}

pub(crate) async fn start(routes: &str) -> Gateway {
    let text = format!("listen = \"127.0.0.1:0\"\n{routes}");
    let config = Config::parse(&text, "gateway.toml").unwrap_or_else(|wrong| panic!("{wrong}"));
    Gateway::start(config).await.unwrap()
}

/// One open route that takes all paths.
pub(crate) async fn start_route(settings: &str) -> Gateway {
    let route = format!("[[routes]]\npath = \"/{{rest+}}\"\nauthorizer = \"none\"\n{settings}\n");
    start(&route).await
}

/// Sends `request` as it is, and reads the answer up to the end of the connection, which is asked for.
pub(crate) async fn ask(gateway: &impl Listens, request: &str) -> Answer {
    ask_with(gateway, request, b"").await
}

/// `request` is its first line and headers, a line each.
pub(crate) async fn ask_with(gateway: &impl Listens, request: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
    let mut head = format!("{line} HTTP/1.1\r\nhost: gateway.test\r\nconnection: close\r\n");
    for header in headers.lines() {
        head.push_str(&format!("{}\r\n", header.trim()));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut received = Vec::new();
    // A connection that was cut may end in a reset.
    let _ = stream.read_to_end(&mut received).await;
    read(&received, line.starts_with("HEAD "))
}

fn read(received: &[u8], of_head: bool) -> Answer {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(received)));
    let head = std::str::from_utf8(&received[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let header =
        |name: &str| headers.iter().find(|(other, _)| other == name).map(|(_, v)| v.clone());
    let rest = &received[end + 4..];
    let (body, whole) = match (header("transfer-encoding"), header("content-length")) {
        _ if of_head || matches!(status, 204 | 304) => (rest.to_vec(), rest.is_empty()),
        (Some(_), _) => unchunked(rest),
        (None, Some(length)) => (rest.to_vec(), rest.len() == length.parse::<usize>().unwrap()),
        (None, None) => (rest.to_vec(), false),
    };
    Answer { status, headers, body, whole }
}

fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|two| two == b"\r\n") else {
            return (body, false);
        };
        let size = std::str::from_utf8(&rest[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            return (body, rest == b"\r\n");
        }
        if rest.len() < size + 2 {
            body.extend_from_slice(&rest[..rest.len().min(size)]);
            return (body, false);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

/// An HTTP server that keeps what it was asked and answers each connection with the same bytes, then closes it.
pub(crate) struct Scripted {
    pub(crate) url: String,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    door: JoinHandle<()>,
}

impl Scripted {
    pub(crate) async fn start(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        let door = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request(&mut stream).await;
                kept.lock().unwrap().push(request);
                stream.write_all(&answer).await.unwrap();
                // An answer without a word is meant to be silence.
                if answer.is_empty() {
                    let _ = stream.read(&mut [0]).await;
                }
            }
        });
        Self { url, asked, door }
    }

    /// What came last.
    pub(crate) fn asked(&self) -> String {
        self.asked.lock().unwrap().last().cloned().unwrap()
    }

    /// The values of a header of what came last.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let asked = self.asked();
        let lines = asked.split("\r\n").filter_map(|line| line.split_once(": "));
        let of_name = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.to_owned()).collect()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.door.abort();
    }
}

/// Head and body.
async fn request(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower.split("content-length: ").nth(1);
            let length =
                length.map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        if stream.read_buf(&mut received).await.unwrap() == 0 {
            return text_of(&received);
        }
    }
}

fn text_of(received: &[u8]) -> String {
    String::from_utf8_lossy(received).into_owned()
}

/// The command itself, with credentials and no other AWS configuration.
pub(crate) struct Binary {
    child: Child,
    address: SocketAddr,
}

impl Binary {
    /// Or what it said in place of starting.
    pub(crate) fn start(file: &Path, environment: &[(&str, &str)]) -> Result<Self, String> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stream-gateway"))
            .arg("run")
            .arg(file)
            .env_remove("TEST_API_KEY")
            .envs(environment.iter().copied())
            .env("AWS_ACCESS_KEY_ID", "AKIDOFATEST")
            .env("AWS_SECRET_ACCESS_KEY", "hush")
            .env("AWS_SESSION_TOKEN", "token")
            .env("AWS_REGION", "us-west-2")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.trim().rsplit_once("http://") {
            Some((_, address)) => Ok(Self { child, address: address.parse().unwrap() }),
            None => {
                let mut words = String::new();
                child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
                child.wait().unwrap();
                Err(words)
            }
        }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a test talks to.
pub(crate) trait Listens {
    fn addr(&self) -> SocketAddr;
}

impl Listens for Gateway {
    fn addr(&self) -> SocketAddr {
        Gateway::addr(self)
    }
}

impl Listens for Binary {
    fn addr(&self) -> SocketAddr {
        self.address
    }
}

/// A service with two functions, `f`, which serves the pattern, and `told`, which answers with the JSON of its client
/// context; and the command in front of it, with one route: the SDK finds its credentials in an environment, which the
/// tests' own has not.
pub(crate) async fn in_front(
    tables: &str,
    route: &str,
) -> (LocalLambda, Binary, tempfile::TempDir) {
    let serving = Function::new("f", function("gateway_serving"))
        .env("STREAM_FN_SOURCE", "pattern")
        .version("7")
        .alias("live", "7");
    let telling = Function::new("told", function("gateway_telling"))
        .env("ANSWER", r#""{\"context\": CONTEXT}""#)
        .version("7");
    let service = LocalLambda::builder()
        .function(serving)
        .function(telling)
        .limits(Limits::off())
        .logs(Logs::Discard)
        .start()
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[aws]\nendpoint_url = '{}'\n{tables}\n[[routes]]\n\
         path = \"/{{rest+}}\"\nauthorizer = \"none\"\n{route}\n",
        service.endpoint_url()
    );
    std::fs::write(&file, text).unwrap();
    let gateway = Binary::start(&file, &[]).unwrap();
    (service, gateway, folder)
}
