//! Cases go in; a service on loopback comes out that plays the case a call names, byte for byte.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::read_call;

/// How the body of an answer ends on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// With the last chunk of the chunked coding.
    LastChunk,
    /// Between two chunks, without the last one.
    NoLastChunk,
    /// Inside a chunk that said it would be longer.
    InsideChunk,
    /// The connection is reset.
    Reset,
    /// Short of the Content-Length, which is that of the whole body.
    ContentLength,
    /// The body has no length: it ends where the connection does.
    NoLength,
}

pub(crate) const CLOSES: [Close; 6] = [
    Close::LastChunk,
    Close::NoLastChunk,
    Close::InsideChunk,
    Close::Reset,
    Close::ContentLength,
    Close::NoLength,
];

/// What becomes of a recorded body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    /// Its first `at` bytes come, then the end.
    Cut { at: usize, close: Close },
    /// All of it comes, but for one bit.
    Flip { bit: usize },
}

/// An answer to be played.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) body: Arc<Vec<u8>>,
    pub(crate) harm: Harm,
}

/// Plays case N to a call of the function `case-N`. It ends when it is dropped.
pub(crate) struct Wire {
    pub(crate) addr: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    pub(crate) async fn start(cases: Arc<Vec<Case>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(answer(socket, Arc::clone(&cases)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { addr, task }
    }
}

pub(crate) fn function(number: usize) -> String {
    format!("case-{number}")
}

async fn answer(mut socket: TcpStream, cases: Arc<Vec<Case>>) {
    let Some(asked) = read_call(&mut socket).await else { return };
    let (_, rest) = asked.target.split_once("/case-").unwrap();
    let number: usize = rest.split('/').next().unwrap().parse().unwrap();
    // The reader may leave at any time: a failed write is its business.
    let _ = play(socket, &cases[number]).await;
}

async fn play(mut socket: TcpStream, case: &Case) -> std::io::Result<()> {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\
                        content-type: application/vnd.amazon.eventstream\r\n\
                        x-amz-executed-version: 7\r\nx-amzn-requestid: request-of-a-test\r\n";
    let whole = &case.body[..];
    let mut body = whole.to_vec();
    let close = match case.harm {
        Harm::Cut { at, close } => {
            body.truncate(at);
            close
        }
        Harm::Flip { bit } => {
            body[bit / 8] ^= 1 << (bit % 8);
            Close::LastChunk
        }
    };
    let mut answer = HEAD.as_bytes().to_vec();
    match close {
        Close::ContentLength => {
            answer.extend(format!("content-length: {}\r\n\r\n", whole.len()).bytes());
            answer.extend(body);
        }
        Close::NoLength => {
            answer.extend(b"\r\n");
            answer.extend(body);
        }
        Close::LastChunk | Close::NoLastChunk | Close::InsideChunk | Close::Reset => {
            answer.extend(b"transfer-encoding: chunked\r\n\r\n");
            if close == Close::InsideChunk {
                answer.extend(format!("{:x}\r\n", whole.len() + 1).bytes());
                answer.extend(body);
            } else if !body.is_empty() {
                answer.extend(format!("{:x}\r\n", body.len()).bytes());
                answer.extend(body);
                answer.extend(b"\r\n");
            }
            if close == Close::LastChunk {
                answer.extend(b"0\r\n\r\n");
            }
        }
    }
    socket.write_all(&answer).await?;
    match close {
        Close::Reset => socket.set_zero_linger(),
        _ => socket.shutdown().await,
    }
}
