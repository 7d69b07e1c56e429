//! A scripted service on loopback: what it is asked goes to a closure, what the closure says goes
//! out on the wire. Frames are written by the official crate: the outside hand.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part, and may unwrap

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::tls;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How long a test waits for what must happen. Never reached unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// What counts as endless, in bytes: more than kernels hold, and no danger to who would read it all.
const ENDLESS: usize = 64 * 1024 * 1024;

/// One call, as the service saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Counted from 0.
    pub(crate) number: usize,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// `custom` of the client context.
    pub(crate) custom: BTreeMap<String, String>,
    pub(crate) payload: Vec<u8>,
    /// The signature in the `Authorization` header.
    pub(crate) signature: String,
}

impl Asked {
    /// The range asked, in the client context or in a header, half-open; the end is `u64::MAX` where none was named.
    pub(crate) fn range(&self) -> Option<std::ops::Range<u64>> {
        let asked = self.custom.get("range").or(self.headers.get("range"))?;
        let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
        let end = if last.is_empty() { u64::MAX } else { last.parse::<u64>().unwrap() + 1 };
        Some(first.parse().unwrap()..end)
    }
}

/// What happens on the wire next.
pub(crate) enum Step {
    /// Bytes of the body.
    Bytes(Vec<u8>),
    /// Waits for the other side of the test.
    Wait(Arc<Notify>),
    /// Ends the body without its last HTTP chunk.
    Cut,
    /// The same bytes again and again, until the reader leaves.
    Endless(Vec<u8>),
    /// These bytes, one at a time, with a pause after each.
    Drip(Vec<u8>, Duration),
}

/// An answer: the HTTP head and what follows.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) steps: Vec<Step>,
    /// Whether the steps are all of the answer: no HTTP head, no HTTP chunks.
    pub(crate) raw: bool,
}

pub(crate) fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

impl Answer {
    /// A stream of `frames`, and its end.
    pub(crate) fn stream(frames: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::steps(frames.into_iter().map(Step::Bytes))
    }

    pub(crate) fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        let headers = vec![
            header("content-type", "application/vnd.amazon.eventstream"),
            header("x-amz-executed-version", "7"),
            header("x-amzn-requestid", "request-of-a-test"),
        ];
        Self { status: 200, headers, steps: steps.into_iter().collect(), raw: false }
    }

    /// An answer of which not even the HTTP head is given.
    pub(crate) fn raw(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { raw: true, ..Self::steps(steps) }
    }

    /// An error of the service.
    pub(crate) fn error(status: u16, code: &str, body: &str) -> Self {
        let headers = vec![header("x-amzn-errortype", code)];
        Self { status, headers, steps: vec![Step::Bytes(body.as_bytes().to_vec())], raw: false }
    }

    pub(crate) fn executed_version(mut self, version: &str) -> Self {
        self.headers.retain(|(name, _)| name != "x-amz-executed-version");
        self.headers.push(header("x-amz-executed-version", version));
        self
    }
}

pub(crate) fn frame(event: &str, content_type: &str, payload: &[u8]) -> Vec<u8> {
    let string = |text: &str| HeaderValue::String(text.to_owned().into());
    raw_frame(
        &[
            (":message-type", string("event")),
            (":event-type", string(event)),
            (":content-type", string(content_type)),
        ],
        payload,
    )
}

pub(crate) fn raw_frame(headers: &[(&'static str, HeaderValue)], payload: &[u8]) -> Vec<u8> {
    let mut message = Message::new(payload.to_vec());
    for (name, value) in headers {
        message = message.add_header(Header::new(*name, value.clone()));
    }
    let mut encoded = Vec::new();
    aws_smithy_eventstream::frame::write_message_to(&message, &mut encoded).unwrap();
    encoded
}

pub(crate) fn chunk(payload: &[u8]) -> Vec<u8> {
    frame("PayloadChunk", "application/octet-stream", payload)
}

pub(crate) fn complete(json: &str) -> Vec<u8> {
    frame("InvokeComplete", "application/json", json.as_bytes())
}

pub(crate) fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let headers: BTreeMap<_, _> = headers.iter().copied().collect();
    let json = serde_json::json!({"statusCode": status, "headers": headers, "cookies": []});
    [json.to_string().as_bytes(), &[0; 8]].concat()
}

/// A function that keeps the contract, for the object `bytes`.
pub(crate) fn range_answer(bytes: &[u8], etag: &str, asked: &Asked) -> Answer {
    let size = bytes.len() as u64;
    let range = asked.range().unwrap_or(0..u64::MAX);
    let range = range.start..range.end.min(size);
    if range.start >= range.end {
        let content_range = format!("bytes */{size}");
        let refusal = head(416, &[("content-range", &content_range), ("etag", etag)]);
        return Answer::stream([chunk(&refusal), complete("{}")]);
    }
    let part = &bytes[range.start as usize..range.end as usize];
    let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    let length = part.len().to_string();
    let head = head(
        206,
        &[
            ("content-range", &content_range),
            ("content-length", &length),
            ("etag", etag),
            ("accept-ranges", "bytes"),
        ],
    );
    let frames = [chunk(&head)].into_iter().chain(part.chunks(64 * 1024).map(chunk));
    Answer::stream(frames.chain([complete("{}")]))
}

/// What goes over the sockets of a service.
#[derive(Default)]
struct Wire {
    /// Bytes that the sockets took.
    written: AtomicU64,
    open: AtomicUsize,
}

/// The scripted service. It ends when it is dropped.
pub(crate) struct Service {
    pub(crate) addr: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    wire: Arc<Wire>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&asked), Arc::new(script));
        let wire = Arc::new(Wire::default());
        let sockets = Arc::clone(&wire);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                connections.spawn(connection(socket, log, script, Arc::clone(&sockets)));
            }
        });
        Self { addr, asked, wire, task }
    }

    /// All bytes that the sockets took, once the reader has left them.
    pub(crate) async fn written(&self) -> u64 {
        let left = async {
            while self.wire.open.load(Ordering::Acquire) > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, left).await.expect("the reader never left");
        self.wire.written.load(Ordering::Acquire)
    }

    /// All calls so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn invoker(&self) -> invoker::Invoker {
        invoker(&format!("http://{}", self.addr), Credentials::for_tests())
    }
}

/// A caller of the service at `url`.
pub(crate) fn invoker(url: &str, credentials: Credentials) -> invoker::Invoker {
    let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(credentials)
        .endpoint_url(url)
        .build();
    invoker::Invoker::new(aws_sdk_lambda::Client::from_conf(config))
}

async fn connection(
    mut socket: TcpStream,
    log: Arc<Mutex<Vec<Asked>>>,
    script: Arc<impl Fn(&Asked) -> Answer>,
    wire: Arc<Wire>,
) {
    let Some(mut asked) = read_call(&mut socket).await else { return };
    let answer = {
        let mut log = log.lock().unwrap();
        asked.number = log.len();
        log.push(asked.clone());
        script(&asked)
    };
    wire.open.fetch_add(1, Ordering::AcqRel);
    // The reader may leave at any time: a failed write is its business.
    let _ = write_answer(&mut socket, answer, &wire.written).await;
    wire.open.fetch_sub(1, Ordering::AcqRel);
}

pub(crate) async fn read_call(socket: &mut TcpStream) -> Option<Asked> {
    let mut received = Vec::new();
    let head_len = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(received[..head_len].to_vec()).unwrap();
    let value = |name: &str| {
        head.lines().find_map(|line| {
            let (other, value) = line.split_once(": ")?;
            other.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let body_len: usize = value("content-length").map_or(0, |len| len.parse().unwrap());
    while received.len() < head_len + body_len {
        socket.read_buf(&mut received).await.ok()?;
    }
    let custom = value("x-amz-client-context").map(|encoded| {
        let json = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
        let context: serde_json::Value = serde_json::from_slice(&json).unwrap();
        serde_json::from_value(context["custom"].clone()).unwrap()
    });
    Some(Asked {
        number: 0,
        method: head.split(' ').next().unwrap().to_owned(),
        target: head.split(' ').nth(1).unwrap().to_owned(),
        headers: head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        custom: custom.unwrap_or_default(),
        payload: received[head_len..].to_vec(),
        signature: value("authorization")
            .and_then(|value| Some(value.split_once("Signature=")?.1.to_owned()))
            .unwrap_or_default(),
    })
}

async fn write_answer(
    socket: &mut TcpStream,
    answer: Answer,
    written: &AtomicU64,
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    if !answer.raw {
        socket.write_all(head.as_bytes()).await?;
    }
    let mut write = async |bytes: &[u8]| -> std::io::Result<()> {
        let framed = match answer.raw {
            true => bytes.to_vec(),
            false => [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
        };
        let mut rest = &framed[..];
        while !rest.is_empty() {
            let len = socket.write(rest).await?;
            written.fetch_add(len as u64, Ordering::AcqRel);
            rest = &rest[len..];
        }
        Ok(())
    };
    let mut whole = !answer.raw;
    for step in answer.steps {
        match step {
            Step::Bytes(bytes) if bytes.is_empty() => {}
            Step::Bytes(bytes) => write(&bytes).await?,
            Step::Wait(gate) => gate.notified().await,
            Step::Endless(bytes) => {
                for _ in 0..ENDLESS.div_ceil(bytes.len()) {
                    write(&bytes).await?;
                }
                whole = false;
                break;
            }
            Step::Drip(bytes, pause) => {
                for byte in bytes {
                    write(&[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            Step::Cut => {
                whole = false;
                break;
            }
        }
    }
    if whole {
        socket.write_all(b"0\r\n\r\n").await?;
    }
    socket.shutdown().await
}

/// Bytes whose values tell their offset.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}
