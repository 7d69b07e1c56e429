//! The length of a stream and of its frames come in; a server of pre-encoded frames goes out, which
//! answers every call with the same bytes and does next to nothing else: a bare endpoint.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};

/// Frames that the server writes at once, in bytes.
const WRITE: usize = 256 * 1024;

/// What every call is answered.
#[derive(Clone, Copy)]
pub(crate) struct Payload {
    /// Bytes of all PayloadChunks.
    pub(crate) bytes: usize,
    /// Bytes of each; those of the whole are a multiple.
    pub(crate) chunk: usize,
}

/// Listens on a free port of loopback.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// Answers until the process ends, each connection on a thread of its own.
pub(crate) fn serve(listener: &TcpListener, payload: Payload) {
    let count = (WRITE / payload.chunk).max(1);
    let many = frames(payload.chunk, count);
    let end = frame("InvokeComplete", "application/json", b"{}".to_vec());
    std::thread::scope(|threads| {
        for socket in listener.incoming() {
            let socket = socket.expect("a connection");
            let (many, end) = (&many, &end);
            // A client that leaves early shows in its own exit code.
            threads.spawn(move || drop(answer(socket, many, count, payload, end)));
        }
    });
}

/// As many PayloadChunks, each of `chunk` bytes.
pub(crate) fn frames(chunk: usize, count: usize) -> Vec<u8> {
    frame("PayloadChunk", "application/octet-stream", vec![b'x'; chunk]).repeat(count)
}

fn frame(event: &'static str, content_type: &'static str, payload: Vec<u8>) -> Vec<u8> {
    let string = |text: &'static str| HeaderValue::String(text.into());
    let message = Message::new(payload)
        .add_header(Header::new(":message-type", string("event")))
        .add_header(Header::new(":event-type", string(event)))
        .add_header(Header::new(":content-type", string(content_type)));
    let mut encoded = Vec::new();
    write_message_to(&message, &mut encoded).expect("a frame");
    encoded
}

fn answer(
    mut socket: TcpStream,
    many: &[u8],
    count: usize,
    payload: Payload,
    end: &[u8],
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        let len = socket.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..len]);
        if len == 0 {
            return Ok(());
        }
    }
    socket.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
          transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
    )?;
    let one = many.len() / count;
    let mut left = payload.bytes / payload.chunk;
    while left > 0 {
        let bytes = &many[..one * left.min(count)];
        left -= left.min(count);
        write!(socket, "{:x}\r\n", bytes.len())?;
        socket.write_all(bytes)?;
        socket.write_all(b"\r\n")?;
    }
    write!(socket, "{:x}\r\n", end.len())?;
    socket.write_all(end)?;
    socket.write_all(b"\r\n0\r\n\r\n")?;
    // What the client may still send is read, so that the close does not destroy what it has to read.
    socket.shutdown(std::net::Shutdown::Write)?;
    while socket.read(&mut buffer)? > 0 {}
    Ok(())
}
