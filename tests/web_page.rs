//! The page of `examples/web_page` comes in, behind the gateway's own program and the local service; out, what
//! a browser shows of streams that go well, break, or are stopped.
//!
//! `tests/other_clients/install.sh` installs what drives Chromium; Debian has Chromium itself. Where one is
//! missing the test says so and skips, but fails if `CI` or `REQUIRE_OTHER_CLIENTS` is set.
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use local_lambda::{Function, LocalLambda, Logs};
use serde::Deserialize;
use serde_json::{Value, json};
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
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.toml");
    std::fs::write(&config, configured(&driver.places.service)).unwrap();
    let (_gateway, page) = gateway(&config).await;

    driver
        .tell(json!({
            "page": page,
            "service": local.addr().to_string(),
            "count": ROWS,
            "crc32": sum(&local).await,
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

/// The functions of the page, one of which waits at the gate where it is asked to.
async fn service(gate: &str) -> LocalLambda {
    let site = format!("directory:{ROOT}/examples/web_page/site");
    LocalLambda::builder()
        .function(Function::new("web_page", example("web_page")).env("WEB_PAGE_GATE", gate))
        .function(Function::new("site", ready_function()).env("STREAM_FN_SOURCE", site))
        .logs(Logs::Discard)
        .start()
        .await
        .unwrap()
}

/// The example's own configuration, on free ports, with the service behind the driver's tap.
fn configured(service: &str) -> String {
    let mut text =
        std::fs::read_to_string(format!("{ROOT}/examples/web_page/gateway.toml")).unwrap();
    for (old, new) in [("127.0.0.1:8080", "127.0.0.1:0"), ("127.0.0.1:9001", service)] {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text = text.replace(old, new);
    }
    text
}

/// Runs the gateway; its address is the first thing that it says.
async fn gateway(config: &Path) -> (Child, String) {
    let mut gateway = Command::new(built("stream-gateway"))
        .arg("run")
        .arg(config)
        .envs([("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local")])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(gateway.stdout.take().unwrap()).lines();
    let line = in_time(said.next_line()).await.unwrap().expect("it says where it listens");
    let address = line.strip_prefix("listening on ").expect("it says where it listens").to_owned();
    (gateway, address)
}

/// The sum of all rows, from the function itself.
async fn sum(local: &LocalLambda) -> String {
    let invoker = invoker::Invoker::new(support::client(&local.endpoint_url()));
    let query = format!("count={ROWS}");
    let event = json!({
        "version": "2.0", "rawPath": "/rows", "rawQueryString": query, "headers": {},
        "queryStringParameters": {"count": ROWS.to_string()},
        "requestContext": {"stage": "$default", "http": {"method": "GET", "path": "/rows"}},
    });
    let invocation = invoker::Invocation::new("web_page").payload(event.to_string());
    let mut stream = in_time(invoker.invoke(invocation)).await.unwrap();
    let mut all = Vec::new();
    while let Some(bytes) = in_time(stream.next_bytes()).await {
        all.extend_from_slice(&bytes.unwrap());
    }
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
