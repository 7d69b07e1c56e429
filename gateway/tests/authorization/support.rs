//! What the tests of this folder share: the functions under a service on loopback, the gateway's program in
//! front of them, and requests.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local_lambda::{Function, LocalLambda, Logs};
use serde_json::Value;
use tempfile::TempDir;

/// The functions, the gateway, and where their words go.
pub(crate) struct Setup {
    gateway: Child,
    address: String,
    client: Client<HttpConnector, Empty<Bytes>>,
    service: LocalLambda,
    folder: TempDir,
    stderr: Option<thread::JoinHandle<Vec<String>>>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Setup {
    /// `authorizers` is the TOML of an authorizer called `door`, which stands before every path.
    pub(crate) async fn start(authorizers: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let calls = folder.path().join("calls");
        let authorizer = Function::new("authorizer", program("authorizer_function"))
            .env("CALLS", &calls)
            .concurrency(8);
        let service = LocalLambda::builder()
            .function(authorizer)
            .function(Function::new("echo", program("echo_function")))
            .logs(Logs::Discard)
            .start()
            .await
            .unwrap();
        let config = format!(
            r#"
listen = "127.0.0.1:0"

[aws]
region = "us-east-1"
endpoint_url = "{}"

{authorizers}

[[routes]]
path = "/{{rest+}}"
lambda = {{ function = "echo" }}
authorizer = "door"

[[routes]]
path = "/open"
lambda = {{ function = "echo" }}
authorizer = "none"
"#,
            service.endpoint_url()
        );
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, config).unwrap();
        let (gateway, address, stderr) = run(&["run", &file.display().to_string()]);
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { gateway, address, client, service, folder, stderr: Some(stderr) }
    }

    /// Where the gateway listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Empty::new()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// The events that the authorizer's function was sent.
    pub(crate) fn calls(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn service(&self) -> &LocalLambda {
        &self.service
    }

    /// Ends the gateway; all that it said.
    pub(crate) fn end(mut self) -> String {
        self.gateway.kill().unwrap();
        self.gateway.wait().unwrap();
        self.stderr.take().unwrap().join().unwrap().join("\n")
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}

/// Starts the gateway's program, and waits until it says where it listens.
pub(crate) fn run(arguments: &[&str]) -> (Child, String, thread::JoinHandle<Vec<String>>) {
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_stream-gateway"))
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("RUST_LOG", "stream_gateway=trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(gateway.stderr.take().unwrap());
    let said = thread::spawn(move || stderr.lines().map_while(Result::ok).collect::<Vec<_>>());
    let mut line = String::new();
    BufReader::new(gateway.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let Some(address) = line.trim().strip_prefix("listening on http://") else {
        let _ = gateway.kill();
        let _ = gateway.wait();
        panic!("the gateway did not start: {line:?}: {}", said.join().unwrap().join("\n"));
    };
    (gateway, address.to_owned(), said)
}

/// An example of this package. Cargo builds examples before it runs tests, and puts them beside the folder of
/// the test's own program.
pub(crate) fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(Path::new(&program).is_file(), "{} is not built", program.display());
    program
}
