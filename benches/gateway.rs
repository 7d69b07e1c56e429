//! What `stream-gateway` costs beside nginx as a plain reverse proxy: the CPU time of each for a GiB of
//! body and for a request, and the time that each adds to a small answer. Behind nginx is a bare server
//! that sends the body as HTTP has it, behind the gateway one that sends the same body in the frames of
//! the Lambda service; both write what they have ready. Neither keeps connections, so each request opens
//! one behind the proxy. Everybody is a process; the ways take turns within one run.
//!
//! Wants the programs: `cargo build --release -p stream-gateway`, and nginx from the path or from the
//! variable `NGINX`. Without nginx it says so and measures nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[path = "support/frame_server.rs"]
mod frame_server;

use frame_server::Payload;

/// Bodies of the two tables, in bytes, and of one frame or chunk in each.
const LARGE: Payload = Payload { bytes: 1 << 30, chunk: 64 * 1024 };
const SMALL: Payload = Payload { bytes: 1024, chunk: 1024 };

/// Counted runs of each; one more before them is not counted.
const RUNS: usize = 5;
/// Small requests of a run, one after the other on one connection.
const REQUESTS: usize = 2_000;

/// How long a proxy may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the client reads at once, in bytes.
const READ: usize = 256 * 1024;

/// The kernel counts CPU time in these (`getconf CLK_TCK`, which is 100 on Linux).
const TICKS_PER_SECOND: f64 = 100.0;

/// The ways to the same bytes.
const WAYS: [&str; 4] =
    ["no proxy", "nginx, `proxy_buffering off`", "nginx, as it comes", "stream-gateway"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["frames", bytes, chunk] => serve(true, bytes, chunk),
        ["plain", bytes, chunk] => serve(false, bytes, chunk),
        _ => compare(),
    }
}

/// One of the bare servers, until it is killed.
fn serve(frames: bool, bytes: &str, chunk: &str) {
    let (listener, address) = frame_server::listen();
    println!("{address}");
    let number = |text: &str| text.parse().expect("a number");
    let payload = Payload { bytes: number(bytes), chunk: number(chunk) };
    if frames {
        return frame_server::serve(&listener, payload);
    }
    // As much at once as the other one writes.
    let at_once = vec![b'x'; payload.bytes.min(256 * 1024)];
    for socket in listener.incoming() {
        let (mut socket, at_once) = (socket.expect("a connection"), at_once.clone());
        // A client that leaves early is an error of its own.
        std::thread::spawn(move || drop(answer(&mut socket, &at_once, payload.bytes)));
    }
}

fn answer(socket: &mut TcpStream, at_once: &[u8], mut left: usize) -> std::io::Result<()> {
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
        b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\
          transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
    )?;
    while left > 0 {
        let bytes = &at_once[..left.min(at_once.len())];
        left -= bytes.len();
        write!(socket, "{:x}\r\n", bytes.len())?;
        socket.write_all(bytes)?;
        socket.write_all(b"\r\n")?;
    }
    socket.write_all(b"0\r\n\r\n")?;
    socket.shutdown(std::net::Shutdown::Write)?;
    while socket.read(&mut buffer)? > 0 {}
    Ok(())
}

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Of user and system, in seconds.
    fn cpu_s(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.0.id());
        let stat = std::fs::read_to_string(path).expect("its CPU time");
        // Behind the name in parentheses; utime and stime are the fields 14 and 15 (proc(5)).
        let fields = stat.rsplit_once(')').expect("a name").1.split_whitespace().skip(11);
        let ticks: f64 = fields.take(2).map(|field| field.parse::<f64>().expect("ticks")).sum();
        ticks / TICKS_PER_SECOND
    }
}

fn compare() {
    let folder = std::env::temp_dir().join(format!("bench-gateway-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    measure(&folder);
    std::fs::remove_dir_all(&folder).expect("its end");
}

fn measure(folder: &Path) {
    let plain = [LARGE, SMALL].map(|payload| bare("plain", payload));
    let framed = [LARGE, SMALL].map(|payload| bare("frames", payload));
    let Some((nginx, nginx_at)) = nginx(folder, plain[0].1, plain[1].1) else {
        eprintln!("MISSING, so nothing is measured: nginx (apt-get install nginx, or set NGINX)");
        return;
    };
    let gateways = framed.each_ref().map(|(_, endpoint)| gateway(folder, *endpoint));
    let ways = |of: usize, size: &str| {
        [
            (None, plain[of].1, "/".to_owned()),
            (Some(&nginx), nginx_at, format!("/{size}")),
            (Some(&nginx), nginx_at, format!("/buffered/{size}")),
            (Some(&gateways[of].0), gateways[of].1, format!("/{size}")),
        ]
    };

    println!("1 GiB of body, median of {RUNS} runs in turns.\n");
    println!("| way | MiB/s | CPU of the proxy, s/GiB | CPU / nginx |\n|---|---|---|---|");
    let costs = turns(&ways(0, "large"), |address, path| {
        assert_eq!(get(&mut connect(address), path), LARGE.bytes);
    });
    for (way, (wall, cpu)) in WAYS.iter().zip(&costs) {
        let rate = (LARGE.bytes >> 20) as f64 / wall;
        println!("| {way} | {rate:.0} | {} |", ratio(*cpu, costs[1].1));
    }

    println!(
        "\n{REQUESTS} answers of 1 KiB, one after the other; median of {RUNS} runs in turns.\n"
    );
    println!(
        "| way | ms for each | ms added | CPU of the proxy, ms for each | CPU / nginx |\n\
         |---|---|---|---|---|"
    );
    let costs = turns(&ways(1, "small"), |address, path| {
        let mut stream = None;
        for _ in 0..REQUESTS {
            // The bare server keeps no connection.
            let stream = match path {
                "/" => stream.insert(connect(address)),
                _ => stream.get_or_insert_with(|| connect(address)),
            };
            assert_eq!(get(stream, path), SMALL.bytes);
        }
    });
    let each = |seconds: f64| seconds * 1_000.0 / REQUESTS as f64;
    for (way, (wall, cpu)) in WAYS.iter().zip(&costs) {
        let (ms, added) = (each(*wall), each(wall - costs[0].0));
        println!("| {way} | {ms:.3} | {added:.3} | {} |", ratio(each(*cpu), each(costs[1].1)));
    }
}

/// What each way took by the clock, and of its proxy's CPU, in seconds: medians.
fn turns(
    ways: &[(Option<&Running>, SocketAddr, String); WAYS.len()],
    run: impl Fn(SocketAddr, &str),
) -> Vec<(f64, f64)> {
    let mut costs = vec![(Vec::new(), Vec::new()); WAYS.len()];
    for round in 0..=RUNS {
        for ((proxy, address, path), (walls, cpus)) in ways.iter().zip(&mut costs) {
            let cpu = || proxy.map_or(0.0, Running::cpu_s);
            let (begun, before) = (Instant::now(), cpu());
            run(*address, path);
            if round > 0 {
                walls.push(begun.elapsed().as_secs_f64());
                cpus.push(cpu() - before);
            }
        }
    }
    costs.into_iter().map(|(walls, cpus)| (median(walls), median(cpus))).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ratio(cpu: f64, of_nginx: f64) -> String {
    match cpu {
        0.0 => "| ".into(),
        _ => format!("{cpu:.3} | {:.2}", cpu / of_nginx),
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// The bytes of one body, which has neither a `0` nor an end of a line in it.
fn get(stream: &mut TcpStream, path: &str) -> usize {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("to ask");
    let mut buffer = vec![0; READ];
    let (mut body, mut tail, mut head) = (0, Vec::new(), Some(Vec::new()));
    while !tail.ends_with(b"\r\n0\r\n\r\n") {
        let len = stream.read(&mut buffer).expect("an answer");
        assert!(len > 0, "{path} was cut");
        let mut bytes = &buffer[..len];
        if let Some(begun) = &mut head {
            begun.extend_from_slice(bytes);
            let Some(end) = begun.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            assert!(begun.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(begun));
            bytes = &bytes[len - (begun.len() - end - 4)..];
            head = None;
        }
        body += bytes.iter().filter(|byte| **byte == b'x').count();
        tail.extend_from_slice(&bytes[bytes.len().saturating_sub(7)..]);
        tail.drain(..tail.len().saturating_sub(7));
    }
    body
}

/// This program as a bare server, and where it is.
fn bare(role: &str, payload: Payload) -> (Running, SocketAddr) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args([role, &payload.bytes.to_string(), &payload.chunk.to_string()]);
    let (child, line) = start(&mut command);
    (child, line.parse().expect("an address"))
}

fn start(command: &mut Command) -> (Running, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("a program");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("its stdout");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    (Running(child), line.trim().to_owned())
}

/// The program in front of a service at `endpoint`.
fn gateway(folder: &Path, endpoint: SocketAddr) -> (Running, SocketAddr) {
    // target/release/deps/gateway-HASH: the program is one folder up.
    let this = std::env::current_exe().expect("this program");
    let program = this.ancestors().nth(2).expect("its folder").join("stream-gateway");
    assert!(program.is_file(), "first: cargo build --release -p stream-gateway");
    let config = folder.join(format!("gateway-{}.toml", endpoint.port()));
    let text = format!(
        "listen = \"127.0.0.1:0\"\naccess_log = \"off\"\n\
         [aws]\nregion = \"eu-west-1\"\nendpoint_url = \"http://{endpoint}\"\n\
         [[routes]]\npath = \"/{{name}}\"\nauthorizer = \"none\"\nlambda = {{ function = \"f\" }}\n"
    );
    std::fs::write(&config, text).expect("its configuration");
    let mut command = Command::new(program);
    command.env_clear().env("AWS_ACCESS_KEY_ID", "bench").env("AWS_SECRET_ACCESS_KEY", "bench");
    let (child, line) = start(command.arg("run").arg(&config));
    let address = line.strip_prefix("listening on http://").expect("an address");
    (child, address.parse().expect("an address"))
}

/// One process in the foreground.
fn nginx(folder: &Path, large: SocketAddr, small: SocketAddr) -> Option<(Running, SocketAddr)> {
    let program = std::env::var_os("NGINX").unwrap_or("nginx".into());
    // Free now, and not for long: nobody else is given it in between on a machine that is measured.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    let root = folder.display();
    let text = format!(
        "daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/nginx.log;\n\
         events {{}}\n\
         http {{ access_log off; keepalive_requests 1000000; proxy_http_version 1.1;\n\
         client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;\n\
         uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;\n\
         server {{ listen {address};\n\
         location /large {{ proxy_pass http://{large}; proxy_buffering off; }}\n\
         location /small {{ proxy_pass http://{small}; proxy_buffering off; }}\n\
         location /buffered/large {{ proxy_pass http://{large}; }}\n\
         location /buffered/small {{ proxy_pass http://{small}; }} }} }}\n"
    );
    let config = folder.join("nginx.conf");
    std::fs::write(&config, text).expect("its configuration");
    let mut command = Command::new(program);
    command.arg("-e").arg(folder.join("nginx.log")).arg("-c").arg(&config).stdin(Stdio::null());
    let running = Running(command.spawn().ok()?);
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < PATIENCE, "nginx does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some((running, address))
}
