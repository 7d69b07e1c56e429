//! What one stream costs in CPU time: `invoker::ResponseStream` against the bare loop over the SDK's
//! `recv()`, on the same pre-encoded frames, the data discarded. Server and clients are processes of
//! their own; the two kinds of client take turns, and the ratio is of their medians.

use std::io::Read;
use std::process::{Command, ExitCode, Stdio};

use aws_sdk_lambda::types::InvokeWithResponseStreamResponseEvent::PayloadChunk;
use invoker::{Invocation, Invoker};

#[path = "support/frame_server.rs"]
mod frame_server;

use frame_server::Payload;

/// Payload of one stream, in bytes.
const STREAM: usize = 1024 * 1024 * 1024;

/// Counted runs of each client; one more before them is not counted.
const RUNS: usize = 9;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server", chunk] => {
            let (listener, address) = frame_server::listen();
            println!("{address}");
            let chunk = chunk.parse().expect("a size");
            frame_server::serve(&listener, Payload { bytes: STREAM, chunk });
        }
        ["client", kind, address] => client(kind, address),
        _ => compare(),
    }
    ExitCode::SUCCESS
}

fn compare() {
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
        println!("| {kib} KiB | {ours:.3} | {sdk:.3} | {:.2} |", ours / sdk);
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
#[cfg(unix)]
fn cpu_seconds() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("what this process cost");
    let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

#[cfg(not(unix))]
fn cpu_seconds() -> f64 {
    panic!("what a process costs is asked as Unix tells it: run this bench there")
}
