//! What one stream costs in CPU time: `invoker::ResponseStream` against the bare loop over the SDK's
//! `recv()`, on the same pre-encoded frames, the data discarded. Server and clients are processes of
//! their own; the two kinds of client take turns, and the ratio is of their medians.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, ExitCode, Stdio};

use aws_sdk_lambda::types::InvokeWithResponseStreamResponseEvent::PayloadChunk;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use invoker::{Invocation, Invoker};

/// Payload of one stream, in bytes.
const STREAM: usize = 1024 * 1024 * 1024;

/// Counted runs of each client; one more before them is not counted.
const RUNS: usize = 5;

/// Frames that the server writes at once, in bytes.
const WRITE: usize = 256 * 1024;

/// One tick of the CPU times in `/proc/self/stat`, in seconds: `USER_HZ` of Linux.
const TICK: f64 = 0.01;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server", chunk] => server(chunk.parse().expect("a size")),
        ["client", kind, address] => client(kind, address),
        _ => compare(),
    }
    ExitCode::SUCCESS
}

fn compare() {
    if !std::path::Path::new("/proc/self/stat").exists() {
        println!("stream_cpu: skipped, CPU times are read from /proc");
        return;
    }
    println!("| PayloadChunk | ResponseStream, CPU s/GiB | SDK recv(), CPU s/GiB | ratio |");
    println!("|---|---|---|---|");
    for kib in [1usize, 8, 64] {
        let mut server = this(&["server", &(kib * 1024).to_string()]).spawn().expect("a server");
        let mut address = String::new();
        let mut stdout = server.stdout.take().expect("its stdout");
        let mut byte = [0];
        while stdout.read(&mut byte).expect("an address") == 1 && byte[0] != b'\n' {
            address.push(char::from(byte[0]));
        }
        let mut ours = Vec::new();
        let mut sdk = Vec::new();
        for run in 0..=RUNS {
            for (kind, times) in [("ours", &mut ours), ("sdk", &mut sdk)] {
                let output = this(&["client", kind, &address]).output().expect("a client");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                let seconds: f64 =
                    String::from_utf8_lossy(&output.stdout).trim().parse().expect("seconds");
                if run > 0 {
                    times.push(seconds);
                }
            }
        }
        server.kill().expect("to end the server");
        server.wait().expect("the server's end");
        let (ours, sdk) = (median(ours), median(sdk));
        println!("| {kib} KiB | {ours:.2} | {sdk:.2} | {:.2} |", ours / sdk);
    }
}

fn this(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
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

/// Answers every call with the same frames, until it is ended.
fn server(chunk: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("its address"));
    std::io::stdout().flush().expect("to say it");
    let one = frame("PayloadChunk", "application/octet-stream", vec![b'x'; chunk]);
    let count = (WRITE / one.len()).max(1);
    let many = one.repeat(count);
    let end = frame("InvokeComplete", "application/json", b"{}".to_vec());
    for socket in listener.incoming() {
        // A client that leaves early shows in its own exit code.
        let _ = answer(socket.expect("a connection"), &many, count, STREAM / chunk, &end);
    }
}

fn answer(
    mut socket: TcpStream,
    many: &[u8],
    count: usize,
    frames: usize,
    end: &[u8],
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        let len = socket.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..len]);
    }
    socket.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
          transfer-encoding: chunked\r\n\r\n",
    )?;
    let one = many.len() / count;
    let mut left = frames;
    while left > 0 {
        let bytes = &many[..one * left.min(count)];
        left -= left.min(count);
        write!(socket, "{:x}\r\n", bytes.len())?;
        socket.write_all(bytes)?;
        socket.write_all(b"\r\n")?;
    }
    write!(socket, "{:x}\r\n", end.len())?;
    socket.write_all(end)?;
    socket.write_all(b"\r\n0\r\n\r\n")
}

fn client(kind: &str, address: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(aws_sdk_lambda::config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(aws_sdk_lambda::config::Region::from_static("us-east-1"))
        .credentials_provider(aws_sdk_lambda::config::Credentials::new("a", "b", None, None, "b"))
        .endpoint_url(format!("http://{address}"))
        .build();
    let client = aws_sdk_lambda::Client::from_conf(config);
    let payload = runtime.expect("a runtime").block_on(async {
        match kind {
            "ours" => ours(client).await,
            _ => sdk(client).await,
        }
    });
    assert_eq!(payload, STREAM);
    println!("{}", cpu_seconds());
}

async fn ours(client: aws_sdk_lambda::Client) -> usize {
    let mut stream = Invoker::new(client).invoke(Invocation::new("f")).await.expect("an answer");
    let mut payload = 0;
    while let Some(bytes) = stream.next_bytes().await {
        payload += bytes.expect("a whole result").len();
    }
    payload
}

async fn sdk(client: aws_sdk_lambda::Client) -> usize {
    let call = client.invoke_with_response_stream().function_name("f").send();
    let mut events = call.await.expect("an answer").event_stream;
    let mut payload = 0;
    while let Some(event) = events.recv().await.expect("an event") {
        if let PayloadChunk(update) = event {
            payload += update.payload.map_or(0, |blob| blob.as_ref().len());
        }
    }
    payload
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    // The second field is the name in parentheses; the 14th and 15th are the times.
    let after_name = stat.rsplit(") ").next().expect("fields");
    let times = after_name.split(' ').skip(11).take(2);
    times.map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() * TICK
}
