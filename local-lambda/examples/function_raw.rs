//! A function on bare sockets that does what no runtime would: in, an event, or the body of one, whose
//! `do` names a behaviour (or the variable `INIT` one at start), and `type` the type of a streamed
//! answer; out, that behaviour.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a function prints its log")]

use serde_json::{Value, json};
use std::env;
use std::io::{BufRead as _, BufReader, Error, Read as _, Result, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::exit;

fn main() -> Result<()> {
    let api = env::var("AWS_LAMBDA_RUNTIME_API").map_err(Error::other)?;
    match env::var("INIT").as_deref() {
        Ok("exit") => exit(7),
        Ok("silent") => rest(),
        Ok("error") => {
            let mut call = Call::post(&api, "/2018-06-01/runtime/init/error", ERROR)?;
            call.body(br#"{"errorType":"Function.NoConfig","errorMessage":"no config"}"#)?;
            exit(1)
        }
        _ => {}
    }
    loop {
        let invocation = next(&api)?;
        behave(&api, &invocation)?;
    }
}

const ERROR: &str = "Lambda-Runtime-Function-Error-Type: Function.NoConfig\r\n";
const STREAMING: &str = "Lambda-Runtime-Function-Response-Mode: streaming\r\n\
     Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n";

fn behave(api: &str, invocation: &Invocation) -> Result<()> {
    // A visitor of a Function URL sends the wish as the body of a request.
    let body = invocation.payload["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
    let wish = body.as_ref().unwrap_or(&invocation.payload);
    let content_type = wish["type"].as_str().map(|name| format!("Content-Type: {name}\r\n"));
    let headers = format!("{STREAMING}{}", content_type.unwrap_or_default());
    let begin = || Call::post(api, &invocation.path("response"), &headers)?.chunked();
    match wish["do"].as_str().unwrap_or("echo") {
        "echo" => {
            let mut call = Call::post(api, &invocation.path("response"), "")?;
            call.body(invocation.describe().to_string().as_bytes())?;
            call.finish()
        }
        // Answers properly, then ends.
        "last words" => {
            let mut call = Call::post(api, &invocation.path("response"), "")?;
            call.body(b"\"bye\"")?;
            exit(0)
        }
        // `bytes` bytes, `write` at a time; counts what was taken in the file `count`.
        "stream" => {
            let write = vec![b'x'; wish["write"].as_u64().unwrap_or(65_536) as usize];
            let mut left = wish["bytes"].as_u64().unwrap_or(0) as usize;
            let mut sent = 0;
            let mut call = begin()?;
            while left > 0 {
                let size = left.min(write.len());
                call.chunk(&write[..size])?;
                (left, sent) = (left - size, sent + size);
                if let Some(count) = wish["count"].as_str() {
                    std::fs::write(count, sent.to_string())?;
                }
            }
            call.last_chunk("")?;
            call.finish()
        }
        // A head and its delimiter in one chunk, if there is a `head`, then each text of `chunks`.
        "answer" => {
            let mut call = begin()?;
            if wish["head"].is_object() {
                call.chunk(format!("{}\0\0\0\0\0\0\0\0", wish["head"]).as_bytes())?;
            }
            for text in wish["chunks"].as_array().into_iter().flatten() {
                call.chunk(text.as_str().unwrap_or_default().as_bytes())?;
            }
            call.last_chunk("")?;
            call.finish()
        }
        // The same bytes with a length known before.
        "whole" => {
            let mut call = Call::post(api, &invocation.path("response"), "")?;
            call.body(&vec![b'x'; wish["bytes"].as_u64().unwrap_or(0) as usize])?;
            call.finish()
        }
        // One chunk, waits until somebody at `wait_for` lets go, another chunk.
        "wait" => {
            let mut call = begin()?;
            call.chunk(b"first")?;
            wait_for(wish)?;
            call.chunk(b"last")?;
            call.last_chunk("")?;
            call.finish()
        }
        "trailers" => {
            let mut call = begin()?;
            call.chunk(b"some")?;
            call.last_chunk(
                "Lambda-Runtime-Function-Error-Type: Function.Boom\r\n\
                 Lambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJib29tIn0=\r\n",
            )?;
            call.finish()
        }
        "error" => {
            let mut call = Call::post(api, &invocation.path("error"), ERROR)?;
            call.body(br#"{"errorType":"Function.Bad","errorMessage":"bad"}"#)?;
            call.finish()
        }
        "error in mid-body" => {
            let mut response = begin()?;
            response.chunk(b"some")?;
            let mut call = Call::post(api, &invocation.path("error"), ERROR)?;
            call.body(br#"{"errorType":"Function.Bad","errorMessage":"bad"}"#)?;
            call.finish()?;
            response.last_chunk("")?;
            response.finish()
        }
        "exit" => exit(3),
        "exit in mid-body" => {
            begin()?.chunk(b"some")?;
            exit(3)
        }
        "kill in mid-body" => {
            begin()?.chunk(b"some")?;
            std::process::abort()
        }
        // Cuts the response but lives on.
        "cut" => {
            let call = begin()?;
            let mut stream = call.stream;
            stream.write_all(b"4\r\nsome\r\n10\r\nno")?;
            stream.shutdown(Shutdown::Both)?;
            rest()
        }
        "hang" => rest(),
        "hang in mid-body" => begin()?.chunk(b"some").and_then(|()| rest()),
        // Answers after the one at `wait_for` let go, and says how that was received.
        "late" => {
            wait_for(wish)?;
            let mut call = Call::post(api, &invocation.path("response"), "")?;
            call.body(b"{}")?;
            println!("late: {}", call.status()?);
            Ok(())
        }
        "print" => {
            for line in 0..wish["lines"].as_u64().unwrap_or(1) {
                println!("line {line}");
            }
            eprint!("half a line");
            let mut call = Call::post(api, &invocation.path("response"), "")?;
            call.body(b"{}")?;
            call.finish()
        }
        // Asks the Runtime API what it should not be asked, and answers with what it said.
        "protocol" => {
            let path = |id: &str, what| format!("/2018-06-01/runtime/invocation/{id}/{what}");
            let mut told = Vec::new();
            let mut ask = |path: &str, headers: &str| -> Result<()> {
                let mut call = Call::post(api, path, headers)?;
                call.body(b"{}")?;
                told.push(call.status()?);
                Ok(())
            };
            ask(&path("other", "response"), "")?;
            ask(&path("other", "error"), "")?;
            let mode = "Lambda-Runtime-Function-Response-Mode: fast\r\n";
            ask(&invocation.path("response"), mode)?;
            ask("/2018-06-01/runtime/init/error", "")?;
            ask("/2020-01-01/extension/register", "")?;
            ask("/2020-01-01/extension/register", "Lambda-Extension-Name: watcher\r\n")?;
            ask("/elsewhere", "")?;
            told.push(get(api, "/2018-06-01/runtime/invocation/next")?.1.status()?);
            let mut call = Call::post(api, &invocation.path("response"), "")?;
            call.body(json!(told).to_string().as_bytes())?;
            call.finish()
        }
        other => Err(Error::other(format!("unknown behaviour {other}"))),
    }
}

fn wait_for(wish: &Value) -> Result<()> {
    let address = wish["wait_for"].as_str().unwrap_or_default();
    TcpStream::connect(address)?.read_to_end(&mut Vec::new()).map(drop)
}

/// Does nothing for ever.
fn rest() -> ! {
    loop {
        std::thread::park();
    }
}

struct Invocation {
    headers: Vec<(String, String)>,
    payload: Value,
}

impl Invocation {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn path(&self, what: &str) -> String {
        let id = self.header("lambda-runtime-aws-request-id").unwrap_or_default();
        format!("/2018-06-01/runtime/invocation/{id}/{what}")
    }

    fn describe(&self) -> Value {
        json!({
            "headers": self.headers.iter().cloned().collect::<std::collections::HashMap<_, _>>(),
            "payload": self.payload,
            "process": std::process::id(),
            "version": env::var("AWS_LAMBDA_FUNCTION_VERSION").unwrap_or_default(),
        })
    }
}

fn next(api: &str) -> Result<Invocation> {
    let (headers, mut call) = get(api, "/2018-06-01/runtime/invocation/next")?;
    let mut invocation = Invocation { headers, payload: Value::Null };
    let length = invocation.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    call.reader.read_exact(&mut body)?;
    invocation.payload = serde_json::from_slice(&body)?;
    Ok(invocation)
}

fn get(api: &str, path: &str) -> Result<(Vec<(String, String)>, Call)> {
    let mut call = Call::open(api)?;
    call.stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {api}\r\n\r\n").as_bytes())?;
    let head = call.head()?;
    let headers = head
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Ok((headers, call))
}

/// One request on a connection of its own.
struct Call {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    status: Option<u16>,
}

impl Call {
    fn open(api: &str) -> Result<Self> {
        let stream = TcpStream::connect(api)?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader, status: None })
    }

    fn post(api: &str, path: &str, headers: &str) -> Result<Self> {
        let mut call = Self::open(api)?;
        let head = format!("POST {path} HTTP/1.1\r\nHost: {api}\r\n{headers}");
        call.stream.write_all(head.as_bytes())?;
        Ok(call)
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        write!(self.stream, "Content-Length: {}\r\n\r\n", body.len())?;
        self.stream.write_all(body)
    }

    fn chunked(mut self) -> Result<Self> {
        self.stream.write_all(b"Transfer-Encoding: chunked\r\n\r\n")?;
        Ok(self)
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.stream.write_all(&chunk)
    }

    fn last_chunk(&mut self, trailers: &str) -> Result<()> {
        self.stream.write_all(format!("0\r\n{trailers}\r\n").as_bytes())
    }

    fn head(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            match line.trim_end() {
                "" => break,
                text => lines.push(text.to_owned()),
            }
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        self.status = status;
        Ok(lines)
    }

    fn status(&mut self) -> Result<u16> {
        if self.status.is_none() {
            self.head()?;
        }
        self.status.ok_or_else(|| Error::other("no answer"))
    }

    /// Waits for the reply, whatever it is.
    fn finish(mut self) -> Result<()> {
        self.head().map(drop)
    }
}
