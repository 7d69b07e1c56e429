//! Who is compared: a client, an endpoint and what is asked come in; the command line of a whole
//! process goes out.

use std::path::{Path, PathBuf};
use std::time::Instant;

use aws_sdk_lambda::types::InvokeWithResponseStreamResponseEvent::{InvokeComplete, PayloadChunk};

use crate::process::{self, Cost};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The first argument by which this program is told to be the bare Rust SDK loop.
pub(crate) const SDK_LOOP: &str = "sdk-loop";

/// What every client finds in its environment.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "local"),
    ("AWS_SECRET_ACCESS_KEY", "local"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// `recv()` in a loop. The measure of all others.
    RustSdk,
    Boto3,
    JavaScript,
    /// `curl` of the Function URL, into nothing.
    CurlUrl,
    /// `invoker cat --no-segments`
    OurStream,
    /// `invoker cat`
    OurSegments,
    /// `invoker get -o FILE`
    OurFile,
}

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RustSdk => "bare Rust SDK loop",
            Self::Boto3 => "boto3",
            Self::JavaScript => "AWS SDK for JavaScript v3",
            Self::CurlUrl => "curl, Function URL",
            Self::OurStream => "`invoker cat --no-segments`",
            Self::OurSegments => "`invoker cat`",
            Self::OurFile => "`invoker get`, to a file",
        }
    }

    /// Whether it gets by with one stream alone.
    pub(crate) fn is_one_stream(self) -> bool {
        !matches!(self, Self::OurSegments | Self::OurFile)
    }
}

/// What is asked of whom.
pub(crate) struct Ask<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) function: &'a str,
    /// None: whatever the endpoint has, by the payload `{}`.
    pub(crate) object: Option<&'a str>,
    /// The object's bytes.
    pub(crate) bytes: u64,
    /// The function's URL, for those who want one.
    pub(crate) url: Option<&'a str>,
}

/// Where the clients are.
pub(crate) struct Installed {
    invoker: PathBuf,
    python: Option<PathBuf>,
    node: Option<PathBuf>,
    curl: bool,
    /// For reports and files.
    pub(crate) folder: PathBuf,
}

impl Installed {
    /// Finds the clients, and says aloud which are missing.
    pub(crate) fn find(folder: &Path) -> Self {
        let target = Path::new(ROOT).join("target");
        let invoker = target.join("release/invoker");
        assert!(invoker.is_file(), "build it first: cargo build --release -p invoker-cli");
        let others = target.join("other-clients");
        let python = Some(others.join("python/bin/python")).filter(|path| path.exists());
        let node = Some(others.join("node"))
            .filter(|path| path.join("node_modules/@aws-sdk/client-lambda").is_dir());
        let curl = succeeds("curl", "--version");
        for (missing, what) in [
            (python.is_none(), "boto3 (tests/other_clients/install.sh)"),
            (node.is_none(), "@aws-sdk/client-lambda (tests/other_clients/install.sh)"),
            (!curl, "curl"),
        ] {
            if missing {
                eprintln!("MISSING, so its rows are: {what}");
            }
        }
        Self { invoker, python, node, curl, folder: folder.to_owned() }
    }

    pub(crate) fn has(&self, client: Client) -> bool {
        match client {
            Client::Boto3 => self.python.is_some(),
            Client::JavaScript => self.node.is_some(),
            Client::CurlUrl => self.curl,
            _ => true,
        }
    }

    /// Runs a client as a process: its cost, and the time to the first byte in milliseconds. Runs at
    /// the same time differ by their `lane`.
    pub(crate) fn run(&self, client: Client, ask: &Ask<'_>, lane: usize) -> (Cost, Option<f64>) {
        let report = self.folder.join(format!("report-{lane}.json"));
        let file = self.folder.join(format!("result-{lane}"));
        let event = ask.object.map_or("{}".to_owned(), event);
        let common = [ask.endpoint, ask.function, &event, &ask.bytes.to_string()].map(String::from);
        let (program, arguments) = match client {
            Client::RustSdk => {
                let this = std::env::current_exe().expect("this program");
                (this, [vec![SDK_LOOP.to_owned()], common.to_vec()].concat())
            }
            Client::Boto3 => {
                let script = format!("{ROOT}/benches/peers/clients/boto3_loop.py");
                let python = self.python.clone().expect("boto3");
                (python, [vec![script], common.to_vec()].concat())
            }
            Client::JavaScript => {
                let script = format!("{ROOT}/benches/peers/clients/sdk_loop.mjs");
                let sdk = self.node.as_ref().expect("the SDK").display().to_string();
                ("node".into(), [vec![script], common.to_vec(), vec![sdk]].concat())
            }
            Client::CurlUrl => {
                let url = format!("{}{}", ask.url.expect("a URL"), ask.object.unwrap_or(""));
                let say = "%{stderr}ttfb_s %{time_starttransfer}\n".to_owned();
                let flags = ["-sSf", "-o", "/dev/null", "-w"].map(String::from);
                ("curl".into(), [flags.to_vec(), vec![say, url]].concat())
            }
            Client::OurStream | Client::OurSegments | Client::OurFile => {
                (self.invoker.clone(), self.invoker_line(client, ask, &report, &file))
            }
        };
        let cost = process::run(program, &arguments, &ENVIRONMENT);
        let ttfb_ms = match client {
            Client::OurStream | Client::OurSegments | Client::OurFile => {
                let report = std::fs::read(&report).expect("a report");
                let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
                assert!(report["bytes"].as_u64() >= Some(ask.bytes), "not all of it: {report}");
                report["ttfb_ms"].as_f64()
            }
            _ => said(&cost.said),
        };
        if client == Client::OurFile {
            std::fs::remove_file(&file).expect("the result");
        }
        (cost, ttfb_ms)
    }

    fn invoker_line(
        &self,
        client: Client,
        ask: &Ask<'_>,
        report: &Path,
        file: &Path,
    ) -> Vec<String> {
        let verb = if client == Client::OurFile { "get" } else { "cat" };
        let mut line = [verb, "-q", "--endpoint-url", ask.endpoint, ask.function, "--report"]
            .map(String::from)
            .to_vec();
        line.push(report.display().to_string());
        match ask.object {
            Some(object) => line.push(object.into()),
            None => line.extend(["-p", "{}"].map(String::from)),
        }
        match client {
            Client::OurStream => line.push("--no-segments".into()),
            Client::OurFile => line.extend(["-o".into(), file.display().to_string()]),
            _ => {}
        }
        line
    }
}

fn succeeds(program: &str, argument: &str) -> bool {
    std::process::Command::new(program).arg(argument).output().is_ok_and(|o| o.status.success())
}

/// The time to the first byte that a client said on stderr, in milliseconds.
fn said(words: &str) -> Option<f64> {
    words.lines().find_map(|line| {
        let (unit, number) = line.split_once(' ')?;
        let number: f64 = number.trim().parse().ok()?;
        match unit {
            "ttfb_ms" => Some(number),
            "ttfb_s" => Some(number * 1e3),
            _ => None,
        }
    })
}

/// The event that asks for an object by name: an HTTP API 2.0 event, as docs/contract.md has it.
fn event(object: &str) -> String {
    let path = format!("/{object}");
    serde_json::json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {}, "isBase64Encoded": false,
        "requestContext": {"stage": "$default", "http": {"method": "GET", "path": path}},
    })
    .to_string()
}

/// The bare loop over the Rust SDK's `recv()`, on one thread: the cheapest form it has.
pub(crate) fn sdk_loop(arguments: &[String]) {
    let [endpoint, function, payload, at_least] = arguments else { panic!("four arguments") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let received = runtime.expect("a runtime").block_on(async {
        let client = crate::support::client(endpoint);
        let begun = Instant::now();
        let call = client.invoke_with_response_stream().function_name(function);
        let blob = aws_sdk_lambda::primitives::Blob::new(payload.as_bytes());
        let mut events = call.payload(blob).send().await.expect("an answer").event_stream;
        let (mut received, mut complete) = (0, None);
        while let Some(event) = events.recv().await.expect("an event") {
            match event {
                PayloadChunk(update) => {
                    if received == 0 {
                        eprintln!("ttfb_ms {}", begun.elapsed().as_secs_f64() * 1e3);
                    }
                    received += update.payload.map_or(0, |blob| blob.as_ref().len() as u64);
                }
                InvokeComplete(event) => complete = Some(event),
                _ => {}
            }
        }
        let complete = complete.expect("the end");
        assert_eq!(complete.error_code(), None);
        received
    });
    assert!(received >= at_least.parse::<u64>().expect("a number"), "{received} bytes");
}
