//! An endpoint that is not the Lambda service, or a bad day of it: what a test says goes out on the
//! wire, whoever calls. Frames are written by the official crate: the outside hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::prelude::{BASE64_STANDARD, Engine as _};

/// The endpoint. Its threads end with the test's process.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<Call>>>,
}

/// What a caller sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    /// The first line and the headers.
    pub(crate) head: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The same, if it is JSON.
    pub(crate) payload: serde_json::Value,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The client context.
    pub(crate) fn context(&self) -> serde_json::Value {
        let Some(encoded) = self.header("x-amz-client-context") else { return Default::default() };
        serde_json::from_slice(&BASE64_STANDARD.decode(encoded).unwrap()).unwrap()
    }

    /// What is beside the payload.
    pub(crate) fn beside(&self, name: &str) -> Option<String> {
        self.context()["custom"][name].as_str().map(str::to_owned)
    }

    /// The name of the object.
    pub(crate) fn object(&self) -> Option<&str> {
        self.payload["rawPath"].as_str()?.strip_prefix('/')
    }
}

impl Endpoint {
    /// Answers each call, counted from 0, with all bytes of an HTTP answer; then closes.
    pub(crate) fn start(answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::answering(move |number, _| answer(number))
    }

    /// The same, by what the call says.
    pub(crate) fn answering(
        answer: impl Fn(usize, &Call) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for (number, socket) in listener.incoming().enumerate() {
                let (socket, answer) = (socket.unwrap(), Arc::clone(&answer));
                let log = Arc::clone(&log);
                thread::spawn(move || {
                    let (mut socket, call) = read_call(socket);
                    log.lock().unwrap().push(call.clone());
                    // The caller may leave at any time: a failed write is its business.
                    let _ = socket.write_all(&answer(number, &call));
                });
            }
        });
        Self { url, heard }
    }

    /// All calls so far, of an endpoint that answers.
    pub(crate) fn heard(&self) -> Vec<Call> {
        self.heard.lock().unwrap().clone()
    }

    /// Takes calls, answers with these bytes, and is silent from then on.
    pub(crate) fn stuck(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            // Kept, so that none of them is closed.
            let mut calls = Vec::new();
            for socket in listener.incoming() {
                let (mut socket, _) = read_call(socket.unwrap());
                let _ = socket.write_all(&answer);
                calls.push(socket);
            }
        });
        Self { url, heard: Arc::default() }
    }

    /// Answers with `answer`, and then a byte of zero every `pause`.
    pub(crate) fn dripping(answer: Vec<u8>, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (socket, answer) = (socket.unwrap(), answer.clone());
                thread::spawn(move || {
                    let (mut socket, _) = read_call(socket);
                    let mut sent = socket.write_all(&answer);
                    while sent.is_ok() {
                        thread::sleep(pause);
                        sent = socket.write_all(&[0]);
                    }
                });
            }
        });
        Self { url, heard: Arc::default() }
    }
}

fn read_call(socket: TcpStream) -> (TcpStream, Call) {
    let mut reader = BufReader::new(socket);
    let mut headers = Vec::new();
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|len| len > 2) {
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        head.push_str(&line);
        line.clear();
    }
    let mut call = Call { head, headers, ..Call::default() };
    let body_len = call.header("content-length").map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; body_len];
    let _ = reader.read_exact(&mut body);
    call.payload = serde_json::from_slice(&body).unwrap_or_default();
    call.body = String::from_utf8_lossy(&body).into_owned();
    (reader.into_inner(), call)
}

/// An HTTP answer whose body ends with the connection, as HTTP allows: only the frames tell whether
/// it is whole.
pub(crate) fn http(status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Scripted\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         x-amz-executed-version: 7\r\nx-amzn-requestid: request-of-a-test\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// An answer of the service that has these frames.
pub(crate) fn stream(frames: &[Vec<u8>]) -> Vec<u8> {
    http(200, "application/vnd.amazon.eventstream", &frames.concat())
}

pub(crate) fn chunk(payload: &[u8]) -> Vec<u8> {
    frame("PayloadChunk", "application/octet-stream", payload)
}

pub(crate) fn complete(json: &str) -> Vec<u8> {
    frame("InvokeComplete", "application/json", json.as_bytes())
}

fn frame(event: &str, content_type: &str, payload: &[u8]) -> Vec<u8> {
    let headers =
        [(":message-type", "event"), (":event-type", event), (":content-type", content_type)];
    let mut message = Message::new(payload.to_vec());
    for (name, value) in headers {
        let value = HeaderValue::String(value.to_owned().into());
        message = message.add_header(Header::new(name, value));
    }
    let mut encoded = Vec::new();
    aws_smithy_eventstream::frame::write_message_to(&message, &mut encoded).unwrap();
    encoded
}

/// The head of a 206 for bytes `first..=last` of `size`.
pub(crate) fn partial(first: u64, last: u64, size: u64, etag: &str) -> Vec<u8> {
    let head = serde_json::json!({
        "statusCode": 206,
        "headers": {
            "content-range": format!("bytes {first}-{last}/{size}"),
            "content-length": (last - first + 1).to_string(),
            "etag": etag,
            "accept-ranges": "bytes",
        },
    });
    [head.to_string().as_bytes(), &[0; 8]].concat()
}
