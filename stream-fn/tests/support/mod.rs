//! Scripted invocations come in; a Runtime API on loopback gives them to a function in a child process
//! and tells, byte by byte, what the function answered. Written by hand on sockets, so that nothing
//! between the function's writes and the test tidies them up.

// Each test binary uses its share of this.
#![allow(dead_code)]

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tokio::task::JoinSet;

/// Nothing here takes a second; a test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fails a test instead of letting it hang.
pub(crate) async fn soon<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.expect("nothing happened for too long")
}

/// What the API does with an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Reads it to its end and accepts it.
    Accept,
    /// Accepts it before reading it, as some emulators do.
    AcceptEarly,
    /// Replies with this status after the first HTTP chunk.
    Refuse(u16),
    /// Closes the connection after the first HTTP chunk.
    Close,
}

pub(crate) struct Invocation {
    pub(crate) id: String,
    pub(crate) payload: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) deadline_ms: u64,
    pub(crate) reply: Reply,
}

impl Invocation {
    /// With a deadline far away.
    pub(crate) fn new(id: &str, payload: impl ToString) -> Self {
        Self {
            id: id.to_owned(),
            payload: payload.to_string(),
            headers: Vec::new(),
            deadline_ms: now_ms() + 900_000,
            reply: Reply::Accept,
        }
    }
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// What is seen of an answer, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The request line and headers, and whatever else the first read of the socket gave.
    Request { path: String, headers: Vec<(String, String)>, first_read: Vec<u8> },
    /// One HTTP chunk; the whole body if it is not chunked.
    Bytes(Vec<u8>),
    /// The clean end of the HTTP message, with its trailers.
    End(Vec<(String, String)>),
    /// The connection ended before.
    Broken,
}

/// An answer as a whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) first_read: Vec<u8>,
    pub(crate) http_chunks: Vec<Vec<u8>>,
    /// `None` if the connection broke.
    pub(crate) trailers: Option<Vec<(String, String)>>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        let trailers = self.trailers.as_ref().expect("the answer must end");
        trailers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The head's JSON and the bytes after the eight NULs.
    pub(crate) fn split(&self) -> (serde_json::Value, Vec<u8>) {
        let all = self.http_chunks.concat();
        let end = all.windows(8).position(|bytes| bytes == [0; 8]).expect("there must be a head");
        (serde_json::from_slice(&all[..end]).unwrap(), all[end + 8..].to_vec())
    }

    /// The error that the trailers tell, decoded.
    pub(crate) fn error(&self) -> Option<serde_json::Value> {
        use base64::Engine;
        let body = self.trailer("lambda-runtime-function-error-body")?;
        let json = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        Some(serde_json::from_slice(&json).unwrap())
    }
}

/// One answer while it arrives.
pub(crate) struct Watching(mpsc::Receiver<Seen>);

impl Watching {
    pub(crate) async fn next(&mut self) -> Seen {
        soon(self.0.recv()).await.expect("the answer has ended")
    }

    pub(crate) async fn whole(mut self) -> Answer {
        let Seen::Request { path, headers, first_read } = self.next().await else {
            panic!("an answer begins with a request")
        };
        let mut http_chunks = Vec::new();
        let trailers = loop {
            match self.next().await {
                Seen::Bytes(bytes) => http_chunks.push(bytes),
                Seen::End(trailers) => break Some(trailers),
                Seen::Broken => break None,
                Seen::Request { .. } => panic!("an answer is one request"),
            }
        };
        Answer { path, headers, first_read, http_chunks, trailers }
    }
}

pub(crate) struct RuntimeApi {
    address: String,
    invocations: mpsc::Sender<Invocation>,
    answers: Answers,
    polling: watch::Receiver<usize>,
    _connections: JoinSet<()>,
}

type Answers = Arc<Mutex<HashMap<String, (Reply, mpsc::Sender<Seen>)>>>;

#[derive(Clone)]
struct Shared {
    waiting: Arc<AsyncMutex<mpsc::Receiver<Invocation>>>,
    answers: Answers,
    /// How many workers wait for an invocation.
    polling: watch::Sender<usize>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (invocations, waiting) = mpsc::channel(64);
        let (polling_now, polling) = watch::channel(0);
        let answers = Answers::default();
        let shared = Shared {
            waiting: Arc::new(AsyncMutex::new(waiting)),
            answers: Arc::clone(&answers),
            polling: polling_now,
        };
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                open.spawn(connection(socket, shared.clone()));
            }
        });
        Self { address, invocations, answers, polling, _connections: connections }
    }

    /// Its HOST:PORT.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The command, told where this API is.
    pub(crate) fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_LAMBDA_RUNTIME_API", &self.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env_remove("AWS_LAMBDA_MAX_CONCURRENCY")
            .stdin(Stdio::null())
            .kill_on_drop(true)
    }

    /// The ready function, with a source.
    pub(crate) fn ready_function(&self, source: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stream-fn"));
        command.env("STREAM_FN_SOURCE", source).env_remove("STREAM_FN_CHECKSUM");
        self.environment(&mut command).spawn().unwrap()
    }

    pub(crate) async fn invoke(&self, invocation: Invocation) -> Watching {
        let (seen, watching) = mpsc::channel(4096);
        let reply = (invocation.reply, seen);
        self.answers.lock().unwrap().insert(invocation.id.clone(), reply);
        self.invocations.send(invocation).await.unwrap();
        Watching(watching)
    }

    /// Waits until this many workers ask for an invocation.
    pub(crate) async fn polled_by(&self, workers: usize) {
        let mut polling = self.polling.clone();
        soon(polling.wait_for(|now| *now == workers)).await.unwrap();
    }
}

async fn connection(mut socket: TcpStream, shared: Shared) {
    socket.set_nodelay(true).unwrap();
    let mut input = Input::default();
    while let Some((request_line, headers, first_read)) = input.head(&mut socket).await {
        let path = request_line.split(' ').nth(1).unwrap().to_owned();
        if request_line.starts_with("GET ") {
            shared.polling.send_modify(|now| *now += 1);
            let next = shared.waiting.lock().await.recv().await;
            shared.polling.send_modify(|now| *now -= 1);
            let Some(invocation) = next else { return };
            socket.write_all(next_reply(&invocation).as_bytes()).await.unwrap();
            continue;
        }
        let (_, place) = path.split_once("/invocation/").unwrap();
        let id = place.split('/').next().unwrap();
        let (reply, seen) = shared.answers.lock().unwrap().remove(id).expect("a known invocation");
        let chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, length)| length.parse().unwrap());
        seen.send(Seen::Request { path, headers, first_read }).await.unwrap();
        if reply == Reply::AcceptEarly {
            socket.write_all(&status(202)).await.unwrap();
        }
        let (mut bytes, mut refused) = (0, false);
        let trailers = loop {
            let next = match chunked {
                true => input.chunk(&mut socket).await,
                false if bytes == 0 && length > 0 => input.take(&mut socket, length).await,
                false => Some(Vec::new()),
            };
            match next {
                None => break None,
                Some(end) if end.is_empty() && chunked => break input.trailers(&mut socket).await,
                Some(end) if end.is_empty() => break Some(Vec::new()),
                Some(data) => {
                    bytes += data.len();
                    seen.send(Seen::Bytes(data)).await.unwrap();
                }
            }
            match reply {
                Reply::Close => break None,
                Reply::Refuse(code) if !refused => {
                    refused = true;
                    socket.write_all(&status(code)).await.unwrap();
                }
                _ => {}
            }
        };
        let Some(trailers) = trailers else {
            seen.send(Seen::Broken).await.unwrap();
            return;
        };
        if reply == Reply::Accept {
            socket.write_all(&status(202)).await.unwrap();
        }
        seen.send(Seen::End(trailers)).await.unwrap();
    }
}

fn status(code: u16) -> Vec<u8> {
    format!("HTTP/1.1 {code} Scripted\r\ncontent-length: 2\r\n\r\n{{}}").into_bytes()
}

fn next_reply(invocation: &Invocation) -> String {
    let mut reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nlambda-runtime-aws-request-id: {}\r\n\
         lambda-runtime-deadline-ms: {}\r\n",
        invocation.payload.len(),
        invocation.id,
        invocation.deadline_ms
    );
    for (name, value) in &invocation.headers {
        reply.push_str(&format!("{name}: {value}\r\n"));
    }
    reply + "\r\n" + &invocation.payload
}

/// What a connection has read and not used. `None` from any method: the connection has ended.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
}

impl Input {
    async fn read(&mut self, socket: &mut TcpStream) -> Option<()> {
        let mut buffer = vec![0; 256 * 1024];
        let length = socket.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        self.bytes.extend_from_slice(&buffer[..length]);
        Some(())
    }

    async fn take(&mut self, socket: &mut TcpStream, length: usize) -> Option<Vec<u8>> {
        while self.bytes.len() < length {
            self.read(socket).await?;
        }
        let rest = self.bytes.split_off(length);
        Some(std::mem::replace(&mut self.bytes, rest))
    }

    async fn line(&mut self, socket: &mut TcpStream) -> Option<String> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|bytes| bytes == b"\r\n") {
                let line = self.take(socket, end + 2).await?;
                return Some(String::from_utf8(line[..end].to_vec()).unwrap());
            }
            self.read(socket).await?;
        }
    }

    async fn trailers(&mut self, socket: &mut TcpStream) -> Option<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line(socket).await?;
            let Some((name, value)) = line.split_once(':') else { return Some(fields) };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    async fn head(
        &mut self,
        socket: &mut TcpStream,
    ) -> Option<(String, Vec<(String, String)>, Vec<u8>)> {
        if self.bytes.is_empty() {
            self.read(socket).await?;
        }
        let first_read = self.bytes.clone();
        let request_line = self.line(socket).await?;
        Some((request_line, self.trailers(socket).await?, first_read))
    }

    /// Empty for the last one, after which the trailers stand.
    async fn chunk(&mut self, socket: &mut TcpStream) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line(socket).await?, 16).unwrap();
        let data = self.take(socket, length).await?;
        if length > 0 {
            assert_eq!(self.take(socket, 2).await?, b"\r\n");
        }
        Some(data)
    }
}
