//! The same work by ours and by other people's clients: in, nothing but what is installed; out, tables
//! and a picture in `benches/peers/`. Clients are whole processes that take turns on the same endpoint;
//! medians of several rounds count.
//!
//! `benches/peers/run` installs what is missing and runs it. `--quick` does a little of everything and
//! writes nothing.

use std::path::Path;
use std::process::Command;
use std::thread;

use local_lambda::{Function, Limits, LocalLambda, Logs};

mod clients;

mod table;

mod web_server;

#[path = "../support/process.rs"]
mod process;

#[path = "../support/frame_server.rs"]
mod frame_server;

#[path = "../support/chart.rs"]
mod chart;

#[path = "../../examples/support/mod.rs"]
mod support;

use clients::{Ask, Client, Installed, SDK_LOOP, sdk_loop};
use frame_server::Payload;
use process::MEASURE;
use table::{Bound, Row, Work};
use web_server::{FileCosts, compare_files};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;

/// Objects of the pattern function, with their bytes.
const OBJECTS: [(&str, u64); 5] = [
    ("1KiB", KIB as u64),
    ("6MB", 6_000_000),
    ("60MB", 60_000_000),
    ("200MB", 200_000_000),
    ("1GiB", GIB as u64),
];
/// The same works in little, for `--quick`.
const QUICK_OBJECTS: [(&str, u64); 5] = [
    ("1KiB", KIB as u64),
    ("1MiB", MIB as u64),
    ("7MiB", 7 * MIB as u64),
    ("8MiB", 8 * MIB as u64),
    ("201MiB", 201 * MIB as u64),
];
/// Frames and whole streams of the bare endpoint, in bytes. At 1 KiB the loops of the scripting
/// languages would take minutes for a GiB.
const FRAMES: [(usize, usize); 3] = [(KIB, GIB / 4), (8 * KIB, GIB), (64 * KIB, GIB)];
/// Rounds without limits; medians count.
const ROUNDS: usize = 3;
/// The longest object that one stream has with the service's limits: the service ends it at 200 MiB.
const ONE_STREAM_BYTES: u64 = local_lambda::STREAMED_RESPONSE_BYTES;

const ALL: [Client; 7] = [
    Client::RustSdk,
    Client::Boto3,
    Client::JavaScript,
    Client::CurlUrl,
    Client::OurStream,
    Client::OurSegments,
    Client::OurFile,
];
/// Those that read frames, and one stream of them.
const OF_FRAMES: [Client; 4] =
    [Client::RustSdk, Client::Boto3, Client::JavaScript, Client::OurStream];

/// How much of everything.
struct Scale {
    quick: bool,
    rounds: usize,
    objects: [(&'static str, u64); 5],
    /// The bytes of other works are divided by it.
    less: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some(MEASURE) => process::measure(&arguments[1..]),
        Some(SDK_LOOP) => sdk_loop(&arguments[1..]),
        Some("function") => function(),
        Some("frames") => {
            let number = |place: usize| arguments[place].parse().expect("a number");
            let (listener, address) = frame_server::listen();
            println!("{address}");
            frame_server::serve(&listener, Payload { chunk: number(1), bytes: number(2) });
        }
        Some("--quick") => {
            compare(Scale { quick: true, rounds: 1, objects: QUICK_OBJECTS, less: 64 });
        }
        _ => compare(Scale { quick: false, rounds: ROUNDS, objects: OBJECTS, less: 1 }),
    }
}

/// The function of every client: it serves what its environment says.
#[tokio::main]
async fn function() {
    let setting = std::env::var("STREAM_FN_SOURCE").expect("a source");
    let source = stream_fn::source::parse(&setting).expect("a source");
    stream_fn::serve(source).await.expect("a Runtime API");
}

fn compare(scale: Scale) {
    // On the disk of the build, because temporary folders may be memory.
    let folder = tempfile::tempdir_in(Path::new(ROOT).join("target")).expect("a folder");
    let installed = Installed::find(folder.path());
    let machine = machine();
    eprintln!("{machine}");

    let frames: Vec<Work> =
        FRAMES.iter().map(|(chunk, bytes)| of_frames(&installed, *chunk, *bytes, &scale)).collect();
    let services = tokio::runtime::Runtime::new().expect("a runtime");
    let free = services.block_on(service(Limits::off(), folder.path()));
    let without: Vec<Work> = scale
        .objects
        .iter()
        .map(|object| without_limits(&installed, &free, object, &scale))
        .collect();
    let files = compare_files(&installed, &free, GIB / scale.less, scale.rounds);
    services.block_on(free.shutdown());
    let limited = services.block_on(service(Limits::aws(), folder.path()));
    let with: Vec<Work> = scale
        .objects
        .iter()
        .map(|object| with_limits(&installed, &limited, object, &scale))
        .collect();
    services.block_on(limited.shutdown());

    // What the measuring process has itself is the least that the kernel ever tells of a child.
    let floor = process::run("true", &[], &[]).peak_bytes as f64;
    let after = format!(
        "Load after it: {}. The least memory that can be measured: {}.",
        load(),
        table::mib(floor)
    );
    let text = document(&machine, &after, &frames, &without, &with, files.as_ref(), &scale);
    println!("{text}");
    let mut panels: Vec<_> = frames.iter().map(Work::cpu_panel).collect();
    panels.extend(without.last().map(Work::wall_panel));
    panels.extend(with.get(2).map(Work::wall_panel));
    let picture = chart::svg(&panels);
    if !scale.quick {
        let into = Path::new(ROOT).join("benches/peers");
        std::fs::write(into.join("results.md"), text).expect("to write the results");
        std::fs::write(into.join("results.svg"), picture).expect("to write the picture");
    }
}

async fn service(limits: Limits, folder: &Path) -> LocalLambda {
    let this = std::env::current_exe().expect("this program");
    let function = |name: &str, source: String| {
        Function::new(name, &this).arg("function").env("STREAM_FN_SOURCE", source).url(true)
    };
    LocalLambda::builder()
        .function(function("made", "pattern".into()))
        .function(function("files", format!("directory:{}", folder.display())))
        .limits(limits)
        .logs(Logs::Stderr)
        .start()
        .await
        .expect("the local service")
}

/// One stream of frames of one size, from an endpoint that does nothing but send them.
fn of_frames(installed: &Installed, chunk: usize, bytes: usize, scale: &Scale) -> Work {
    let bytes = bytes / scale.less;
    let mut server = Command::new(std::env::current_exe().expect("this program"))
        .args(["frames", &chunk.to_string(), &bytes.to_string()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("a server");
    let address = first_line(&mut server);
    let endpoint = format!("http://{address}");
    let ask =
        Ask { endpoint: &endpoint, function: "f", object: None, bytes: bytes as u64, url: None };
    let title = format!("One stream of {} in PayloadChunks of {}", size(bytes), size(chunk));
    let work = in_turns(installed, &OF_FRAMES, title, &ask, scale.rounds);
    server.kill().expect("to end the server");
    server.wait().expect("its end");
    work
}

fn without_limits(
    installed: &Installed,
    local: &LocalLambda,
    (object, bytes): &(&str, u64),
    scale: &Scale,
) -> Work {
    let endpoint = local.endpoint_url();
    let url = local.function_url("made");
    let bytes = *bytes;
    let ask = Ask {
        endpoint: &endpoint,
        function: "made",
        object: Some(object),
        bytes,
        url: url.as_deref(),
    };
    in_turns(installed, &ALL, format!("{object}, limits off"), &ask, scale.rounds)
}

/// With the service's limits a stream is slow whoever reads it, and costs next to nothing while it
/// waits. So the streams run side by side, once; what comes by segments runs alone, and in rounds.
fn with_limits(
    installed: &Installed,
    local: &LocalLambda,
    (object, bytes): &(&str, u64),
    scale: &Scale,
) -> Work {
    let endpoint = local.endpoint_url();
    let url = local.function_url("made");
    let bytes = *bytes;
    let ask = &Ask {
        endpoint: &endpoint,
        function: "made",
        object: Some(object),
        bytes,
        url: url.as_deref(),
    };
    let paced = bytes > local_lambda::BURST_BYTES;
    let mut work = Work { title: format!("{object}, limits on"), bytes, rows: Vec::new() };
    if !paced {
        return in_turns(installed, &ALL, work.title, ask, scale.rounds);
    }
    let streams = ALL.iter().copied().filter(|c| c.is_one_stream() && installed.has(*c));
    if bytes > ONE_STREAM_BYTES {
        let why = "impossible: ended at 200 MiB";
        work.rows = streams.map(|client| (client, Row::Left(why))).collect();
    } else {
        eprintln!("{}: streams side by side", work.title);
        work.rows = thread::scope(|threads| {
            let runs: Vec<_> = streams
                .enumerate()
                .map(|(lane, client)| {
                    let run = threads.spawn(move || installed.run(client, ask, lane));
                    (client, run)
                })
                .collect();
            runs.into_iter()
                .map(|(client, run)| (client, Row::Measured(vec![run.join().expect("a run")])))
                .collect()
        });
    }
    let segments = [Client::OurSegments, Client::OurFile];
    work.rows.extend(in_turns(installed, &segments, work.title.clone(), ask, scale.rounds).rows);
    work
}

/// Clients by turns, some rounds.
fn in_turns(
    installed: &Installed,
    clients: &[Client],
    title: String,
    ask: &Ask<'_>,
    rounds: usize,
) -> Work {
    eprintln!("{title}");
    let mut rows: Vec<(Client, Vec<_>)> = clients
        .iter()
        .filter(|client| installed.has(**client))
        .map(|client| (*client, Vec::new()))
        .collect();
    // A first run warms files and environments that later ones find warm.
    if let Some((client, _)) = rows.last() {
        installed.run(*client, ask, 0);
    }
    for _ in 0..rounds {
        for (client, runs) in &mut rows {
            runs.push(installed.run(*client, ask, 0));
        }
    }
    let rows = rows.into_iter().map(|(client, runs)| (client, Row::Measured(runs))).collect();
    Work { title, bytes: ask.bytes, rows }
}

fn document(
    machine: &str,
    after: &str,
    frames: &[Work],
    without: &[Work],
    with: &[Work],
    files: Option<&FileCosts>,
    scale: &Scale,
) -> String {
    let tables = |works: &[Work]| works.iter().map(Work::table).collect::<Vec<_>>().join("\n");
    let mut text = format!(
        "# The same work by others\n\nWritten by `benches/peers/run`; it is what the run said.\n\n\
         {machine} {after}\n\n\
         Clients are whole processes, from their start to their end, in turns, medians of {} rounds. In \
         parentheses the ratio to the bare Rust SDK loop of the same work. CPU time is user and system, \
         and memory the most that was resident, of the client's process alone. The first byte is counted \
         by the client from its own call on; `invoker` and `curl` from theirs, too. The others throw the \
         data away in memory; curl and `invoker cat` write it to `/dev/null`, and `invoker` alone checks \
         what it got (frames, lengths, the object's CRC-64/NVME).\n\n![the same as bars](results.svg)\n\n",
        scale.rounds
    );
    text.push_str("## What we set ourselves\n\n");
    text.push_str(&table::bounds(&bars(frames, without, with, files)));
    text.push_str("\n## One stream, by the size of its frames\n\n");
    text.push_str(
        "From an endpoint that sends frames it encoded before, so that every client gets frames of \
         exactly this size and none waits for a function.\n\n",
    );
    text.push_str(&tables(frames));
    text.push_str("\n## Objects, without the service's limits\n\n");
    text.push_str(
        "From `local-lambda` and one function, whose process makes the bytes while it sends them. \
         PayloadChunks are what it reads at once, at most 64 KiB.\n\n",
    );
    text.push_str(&tables(without));
    text.push_str("\n## 1 GiB to a file, and nginx\n\n");
    match files {
        Some(files) => text.push_str(&files.table()),
        None => text.push_str("Not measured: nginx or curl was missing.\n"),
    }
    text.push_str("\n## Objects, with the service's limits\n\n");
    text.push_str(
        "6 MiB at once, then 2 MiB/s, 200 MiB in all for each stream. Streams above 6 MiB ran side by \
         side, once: what they take is the service's pace, and their first byte is not comparable.\n\n",
    );
    text.push_str(&tables(with));
    text
}

/// The numbers that the project set itself before it measured.
fn bars(frames: &[Work], without: &[Work], with: &[Work], files: Option<&FileCosts>) -> Vec<Bound> {
    let at_most: fn(f64, f64) -> bool = |found, limit| found <= limit;
    let at_least: fn(f64, f64) -> bool = |found, limit| found >= limit;
    let cpu = |work: &Work, other: Client| {
        Some(work.medians(Client::OurStream)?.cpu_s / work.medians(other)?.cpu_s)
    };
    let wall = |work: &Work, client: Client| Some(work.medians(client)?.wall_s);
    let mut bounds = Vec::new();
    let mut add = |what: &str, holds: fn(f64, f64) -> bool, limit: f64, found: Option<f64>| {
        let word = if holds(0.0, 1.0) { "at most" } else { "at least" };
        let bound = format!("{word} {limit}");
        bounds.push(Bound { what: what.into(), bound, found, holds, limit });
    };
    let (small, large) = (&frames[0], &frames[2]);
    let what = "CPU of one stream, chunks of 64 KiB, `cat --no-segments` / ";
    add(&format!("{what}Rust SDK"), at_most, 0.9, cpu(large, Client::RustSdk));
    add(&format!("{what}boto3"), at_most, 0.12, cpu(large, Client::Boto3));
    add(&format!("{what}JavaScript"), at_most, 0.10, cpu(large, Client::JavaScript));
    add("the same, chunks of 1 KiB / Rust SDK", at_most, 0.55, cpu(small, Client::RustSdk));
    let ratio = files.map(|files| files.ours().wall_s / files.nginx().wall_s);
    add("1 GiB to a file, wall time, `get` / curl from nginx", at_most, 2.0, ratio);
    let peak = files.map(|files| files.ours().peak_bytes / MIB as f64);
    add("its peak memory, MiB", at_most, 64.0, peak);
    let pair =
        |other: Client, client: Client, work: &Work| Some(wall(work, other)? / wall(work, client)?);
    let faster = pair(Client::RustSdk, Client::OurFile, &with[2]);
    add("60 MB with limits, one stream / `get`", at_least, 50.0, faster);
    let slower = wall(&with[4], Client::OurFile)
        .and_then(|with| Some(with / wall(&without[4], Client::OurFile)?));
    add("1 GiB by `get`, with limits / without", at_most, 1.5, slower);
    bounds
}

/// When and where this runs.
fn machine() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu_info = read("/proc/cpuinfo");
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?.to_owned();
        Some(line.split(':').nth(1)?.trim().to_owned())
    };
    let cpu = field(&cpu_info, "model name").unwrap_or("an unknown CPU".into());
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kib: f64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let unknown = || "unknown".to_owned();
    format!(
        "{}, {cores} cores of {cpu}, {:.0} GiB of memory, Linux {}, {}, Node.js {}, {}. Load before the \
         run: {}.",
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(unknown),
        kib * KIB as f64 / GIB as f64,
        read("/proc/sys/kernel/osrelease").trim().split('-').next().unwrap_or_default(),
        said("rustc", &["--version"]).unwrap_or_else(unknown),
        said("node", &["--version"]).unwrap_or_else(unknown),
        said("python3", &["--version"]).unwrap_or_else(unknown),
        load()
    )
}

/// The load of the machine over the last minute.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}

fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(GIB) => format!("{} GiB", bytes / GIB),
        bytes if bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        bytes => format!("{} KiB", bytes / KIB),
    }
}

/// The first line that a child says on stdout.
fn first_line(child: &mut std::process::Child) -> String {
    use std::io::BufRead as _;
    let stdout = child.stdout.as_mut().expect("its stdout");
    let mut line = String::new();
    std::io::BufReader::new(stdout).read_line(&mut line).expect("a line");
    line.trim_end().to_owned()
}
