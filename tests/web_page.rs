//! The page of `examples/web_page` comes in, behind the gateway's own program and the local service; out, what
//! a browser shows of streams that go well, break, or are stopped.
//!
//! `tests/other_clients/install.sh` installs what drives Chromium; Debian has Chromium itself. Where one is
//! missing the test says so and skips, but fails if `CI` or `REQUIRE_OTHER_CLIENTS` is set.
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local_lambda::{Function, LocalLambda, Logs};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

#[path = "pair/support.rs"]
mod support;

use support::{built, example, in_time, ready_function};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What Chromium's program is called: by Debian, by others, by those who have Google's own alone.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Of the long table.
const ROWS: u32 = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_what_arrives_and_how_it_ended() {
    let Some((playwright, chromium)) = browser() else { return };
    let mut driver = Driver::start(&playwright, &chromium).await;
    let local = service(&driver.places.gate).await;
    let example = Gateway::start(&configured()).await;
    let tapped = Gateway::start(&tapped(&driver.places.service)).await;

    driver
        .tell(json!({
            "page": tapped.address,
            "service": local.addr().to_string(),
            "count": ROWS,
            "crc32": sum(&example.address).await,
        }))
        .await;
    let said = in_time(driver.ended()).await;
    local.shutdown().await;
    assert!(said.ends_with("passed\n"), "{said}");
}

/// The folder of what drives a browser, and the browser.
fn browser() -> Option<(PathBuf, PathBuf)> {
    let folder = std::env::var_os("OTHER_CLIENTS_WEB_PAGE")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(ROOT).join("target/other-clients/web-page"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let chromium = std::env::split_paths(&path)
        .flat_map(|folder| CHROMIUM.map(|name| folder.join(name)))
        .find(|program| program.is_file());
    let missing = match chromium {
        Some(chromium) if folder.join("node_modules/playwright-core/package.json").is_file() => {
            return Some((folder, chromium));
        }
        Some(_) => "playwright-core is not installed; run tests/other_clients/install.sh",
        None => "chromium is not installed; apt-get install chromium",
    };
    let required =
        ["CI", "REQUIRE_OTHER_CLIENTS"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!required, "{missing}");
    // Not by a macro, whose words the test harness keeps to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}");
    None
}

/// The function of the page, which waits at the gate where it is asked to.
async fn service(gate: &str) -> LocalLambda {
    LocalLambda::builder()
        .function(Function::new("web_page", example("web_page")).env("WEB_PAGE_GATE", gate))
        .logs(Logs::Discard)
        .start()
        .await
        .unwrap()
}

/// The example's own configuration, on a free port, with what was built for the tests, and no log.
fn configured() -> String {
    let mut text =
        std::fs::read_to_string(format!("{ROOT}/examples/web_page/gateway.toml")).unwrap();
    for (old, new) in [
        (
            "listen = \"127.0.0.1:8080\"",
            "listen = \"127.0.0.1:0\"\naccess_log = \"off\"".to_owned(),
        ),
        ("\"../..\"", format!("{ROOT:?}")),
        ("\"target/release/stream-fn\"", format!("{:?}", ready_function())),
        ("\"target/release/examples/web_page\"", format!("{:?}", example("web_page"))),
    ] {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, &new);
    }
    text
}

/// The same, with the function of the page in a service behind the driver's tap.
fn tapped(service: &str) -> String {
    let changed = configured().lines().fold(String::new(), |all, line| {
        let function = line.starts_with("local = ") && line.contains("web_page");
        let line = if function { "lambda = { function = \"web_page\" }" } else { line };
        all + line + "\n"
    });
    assert_eq!(changed.matches("lambda").count(), 3 + 1, "three routes, and a comment");
    changed + &format!("[aws]\nendpoint_url = \"http://{service}\"\nregion = \"us-east-1\"\n")
}

/// The gateway's program.
struct Gateway {
    address: String,
    _program: Child,
    _folder: TempDir,
}

impl Gateway {
    async fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, config).unwrap();
        let mut program = Command::new(built("stream-gateway"))
            .arg("run")
            .arg(file)
            .envs([("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local")])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(program.stdout.take().unwrap()).lines();
        let line = in_time(said.next_line()).await.unwrap().expect("it says where it listens");
        let address = line.strip_prefix("listening on ").expect("it says where it listens");
        Self { address: address.to_owned(), _program: program, _folder: folder }
    }
}

/// The sum of all rows, as they come through a gateway.
async fn sum(gateway: &str) -> String {
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let request = Request::get(format!("{gateway}/rows?count={ROWS}"));
    let response = in_time(client.request(request.body(Empty::<Bytes>::new()).unwrap())).await;
    let body = response.unwrap().into_body();
    let all = in_time(body.collect()).await.unwrap().to_bytes();
    // The last line has the function's own.
    let rows = all.trim_ascii_end().iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let (rows, end) = all.split_at(rows);
    let sum = format!("{:08x}", crc32fast::hash(rows));
    let end: Value = serde_json::from_slice(end).unwrap();
    assert_eq!(end, json!({"end": {"count": ROWS, "crc32": sum}}));
    sum
}

/// The program that has the browser.
struct Driver {
    program: Child,
    asked: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    places: Places,
}

/// Where the functions wait, and where the gateway finds the service.
#[derive(Deserialize)]
struct Places {
    gate: String,
    service: String,
}

impl Driver {
    async fn start(playwright: &Path, chromium: &Path) -> Self {
        let mut program = Command::new("node")
            .arg(format!("{ROOT}/tests/web_page/drive.mjs"))
            .args([playwright, chromium])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let asked = program.stdin.take().unwrap();
        let mut said = BufReader::new(program.stdout.take().unwrap()).lines();
        let places = in_time(said.next_line()).await.unwrap().expect("it says its places");
        Self { program, asked, said, places: serde_json::from_str(&places).unwrap() }
    }

    async fn tell(&mut self, what: Value) {
        self.asked.write_all(format!("{what}\n").as_bytes()).await.unwrap();
    }

    /// Everything that it says until its end, which it puts a limit to itself.
    async fn ended(mut self) -> String {
        let mut said = String::new();
        self.said.get_mut().read_to_string(&mut said).await.unwrap();
        let status = self.program.wait().await.unwrap();
        said + if status.success() { "" } else { "(it failed)\n" }
    }
}
