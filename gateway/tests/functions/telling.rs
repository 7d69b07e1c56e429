//! The variable `ANSWER` comes in, the JSON of a text; each invocation is answered with that text, byte by byte
//! as it is written there, `EVENT` in it replaced by the event, `CONTEXT` by the client context (`null` without one) and
//! `PROCESS` by the process's id. On bare sockets,
//! for no runtime lets a function send any bytes it likes. `WAY=buffered` sends no stream.

use std::env;
use std::io::{BufRead as _, BufReader, Error, Read as _, Result, Write as _};
use std::net::TcpStream;

fn main() -> Result<()> {
    let api = env::var("AWS_LAMBDA_RUNTIME_API").map_err(Error::other)?;
    let answer = env::var("ANSWER").map_err(Error::other)?;
    let answer: String = serde_json::from_str(&answer)?;
    let buffered = env::var("WAY").is_ok_and(|way| way == "buffered");
    loop {
        let mut stream = TcpStream::connect(&api)?;
        write!(stream, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {api}\r\n\r\n")?;
        let (headers, event) = message(stream)?;
        let id = header(&headers, "lambda-runtime-aws-request-id");
        let context = header(&headers, "lambda-runtime-client-context");
        let event = String::from_utf8(event).map_err(Error::other)?;
        let answer = answer
            .replace("EVENT", &event)
            .replace("CONTEXT", if context.is_empty() { "null" } else { &context });
        let answer = answer.replace("PROCESS", &std::process::id().to_string());
        let mode =
            if buffered { "" } else { "Lambda-Runtime-Function-Response-Mode: streaming\r\n" };
        let mut stream = TcpStream::connect(&api)?;
        write!(
            stream,
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: {api}\r\n{mode}\
             Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{answer}\r\n0\r\n\r\n",
            answer.len()
        )?;
        message(stream)?;
    }
}

/// The head of an HTTP answer, in small letters, and its body.
fn message(stream: TcpStream) -> Result<(Vec<String>, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(Error::other("the service is gone"));
        }
        match line.trim_end() {
            "" => break,
            line => headers.push(line.to_owned()),
        }
    }
    let length = header(&headers, "content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((headers, body))
}

fn header(headers: &[String], name: &str) -> String {
    let of_name = headers.iter().filter_map(|line| line.split_once(':'));
    let mut of_name = of_name.filter(|(other, _)| other.eq_ignore_ascii_case(name));
    of_name.next().map_or(String::new(), |(_, value)| value.trim().to_owned())
}
