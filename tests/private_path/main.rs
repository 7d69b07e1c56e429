//! The three templates of `deploy/cross-region` come in; packets go out over what they make: two network namespaces
//! with the stacks' addresses, routes and security groups, the private API in one and `invoker` in the other.
//!
//! Needs root, Debian's `iproute2` and what `tests/other_clients/install.sh` installs. Where one is missing the test
//! says so and skips, but fails if `CI` or `REQUIRE_OTHER_CLIENTS` is set.
#![cfg(target_os = "linux")] // where there are network namespaces
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

mod api;
mod namespace;
mod networks;
mod stacks;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use api::Api;
use networks::{Networks, Unbuilt};
use sha2::{Digest as _, Sha256};
use stacks::Stacks;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const MIB: u64 = 1 << 20;

/// How long a connection is waited for that does not come.
const SHORT: &str = "--connect-timeout 1s --retries 0";

/// The longest that a command may take. Never reached unless something is broken.
const LONG: &str = "--max-time 60s";

/// How long a test waits for what must happen. Never reached unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often something is looked at that cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// No rule is about it.
const OTHER_PORT: u16 = 8443;

#[test]
fn routes_of_all_three_templates_make_a_way_and_no_fewer_do() {
    let Some((stacks, networks)) = built_networks() else { return };
    let api = Api::start(&networks, &stacks, &ready_function());
    let client = Client::new(&networks, &stacks, &api);

    // Without a route of the peering.
    client.run("cat 1MiB -q --retries 0").failed(1, "Network is unreachable");
    // With those of the second template: what is sent arrives, and no answer does.
    networks.route_client(&stacks.client);
    networks.route_api(&stacks.api_without_way_back);
    client.run(&format!("cat 1MiB -q {SHORT}")).failed(7, "connect");
    // With that of the third as well.
    networks.route_api(&stacks.api);
    let whole = client.run("cat 3MiB -q --no-segments").succeeded();
    assert_eq!(sha256(&whole.stdout), pattern_sha256(3 * MIB));
    let line = "get 12MiB -q -o out --segment-size 4MiB --report report.json";
    client.run(line).succeeded();
    let bytes = std::fs::read(client.home.path().join("out")).unwrap();
    assert_eq!(sha256(&bytes), pattern_sha256(12 * MIB));
    let report = std::fs::read(client.home.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        (&report["segments"], &report["integrity"]["status"]),
        (&3.into(), &"verified".into())
    );
    // The API asks who calls, as its methods say.
    let unknown = client.run("cat 1MiB -q --no-sign");
    unknown.failed(254, "MissingAuthenticationTokenException");
    // And without it again.
    networks.route_api(&stacks.api_without_way_back);
    client.run(&format!("cat 1MiB -q {SHORT}")).failed(7, "connect");
}

/// The function writes its last bytes only when the client has its first.
#[test]
fn the_first_byte_is_there_before_the_function_ends() {
    let Some((stacks, networks)) = built_networks() else { return };
    networks.route_client(&stacks.client);
    networks.route_api(&stacks.api);
    let (_api, mut waiting) = Waiting::start(&networks, &stacks, "");
    assert_eq!(waiting.ends(), (b"last".to_vec(), Some(0)));
}

#[test]
fn the_way_back_is_needed_up_to_the_last_byte() {
    let Some((stacks, networks)) = built_networks() else { return };
    networks.route_client(&stacks.client);
    networks.route_api(&stacks.api);
    let (_api, mut waiting) = Waiting::start(&networks, &stacks, "--idle-timeout 1s");
    networks.route_api(&stacks.api_without_way_back);
    assert_eq!(waiting.ends(), (b"".to_vec(), Some(7)));
}

#[test]
fn security_groups_let_one_port_through() {
    let Some((stacks, networks)) = built_networks() else { return };
    networks.route_client(&stacks.client);
    networks.route_api(&stacks.api);
    let api = Api::start(&networks, &stacks, &ready_function());
    let client = Client::new(&networks, &stacks, &api);
    // Somebody is there; nobody gets so far.
    let _other = networks.api.listen((networks.endpoint[0], OTHER_PORT));
    let other = format!("https://{}:{OTHER_PORT}", networks.endpoint[0]);
    let call = |flags: &str| client.call(&other, &format!("cat 1MiB -q --no-sign {flags}"));
    // The clients' group.
    call("--retries 0").failed(1, "Permission denied");
    networks.client_leaves_its_group();
    // The endpoint's.
    call(SHORT).failed(7, "connect");
    client.run("cat 1MiB -q").succeeded();
}

#[test]
fn networks_that_overlap_are_refused_before_anything_is_built() {
    let Some(mut stacks) = Stacks::deploy() else { return };
    let (address, _) = stacks.api.cidr.split_once('/').unwrap();
    for same in [stacks.api.cidr.clone(), format!("{address}/20")] {
        stacks.client.cidr = same.clone();
        let Err(Unbuilt::Overlap(said)) = Networks::build(&stacks) else {
            panic!("{same} is built")
        };
        assert!(said.contains(&same) && said.contains("VPCs that are peered must not"), "{said}");
    }
}

fn built_networks() -> Option<(Stacks, Networks)> {
    let stacks = Stacks::deploy()?;
    match Networks::build(&stacks) {
        Ok(networks) => Some((stacks, networks)),
        Err(Unbuilt::NotHere(why)) => {
            skipped(&format!("no network namespaces, which take root and iproute2: {why}"));
            None
        }
        Err(Unbuilt::Overlap(said)) => panic!("{said}"),
    }
}

/// Says aloud that something is missing, unless it is required.
fn skipped(missing: &str) {
    let required =
        ["CI", "REQUIRE_OTHER_CLIENTS"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!required, "{missing}");
    // Not by a macro, whose words the test harness keeps to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}");
}

/// The command on a machine of the clients.
struct Client<'a> {
    networks: &'a Networks,
    url: &'a str,
    certificate: PathBuf,
    home: TempDir,
}

impl<'a> Client<'a> {
    fn new(networks: &'a Networks, stacks: &'a Stacks, api: &Api) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { networks, url: &stacks.url, certificate: api.certificate(), home }
    }

    /// `line` is split at spaces; the URL of the API comes behind its first word.
    fn command(&self, line: &str) -> Command {
        self.command_at(self.url, line)
    }

    fn command_at(&self, url: &str, line: &str) -> Command {
        let mut words = line.split_whitespace();
        let mut command = self.networks.client.command(built("invoker"));
        command
            .arg(words.next().unwrap())
            .arg(url)
            .arg("--ca-bundle")
            .arg(&self.certificate)
            .args(words)
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // No region: the URL has it.
            .envs([
                ("AWS_ACCESS_KEY_ID", "AKIDOFATEST"),
                ("AWS_SECRET_ACCESS_KEY", "secret-of-a-test"),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, line: &str) -> Ran {
        self.call(self.url, line)
    }

    fn call(&self, url: &str, line: &str) -> Ran {
        let line = format!("{line} {LONG}");
        Ran(self.command_at(url, &line).output().unwrap(), line)
    }
}

/// How it ended, and what was typed.
struct Ran(Output, String);

impl Ran {
    fn succeeded(self) -> Output {
        assert!(self.0.status.success(), "{}: {}", self.1, self.told());
        self.0
    }

    fn failed(self, code: i32, words: &str) {
        let told = self.told();
        assert_eq!(self.0.status.code(), Some(code), "{}: {told}", self.1);
        assert!(told.contains(words), "{}: {told}", self.1);
    }

    fn told(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

/// A call whose first bytes are there, of a function that waits before its last. Killed if the test leaves it.
struct Waiting {
    gate: TcpListener,
    running: Child,
    arrives: ChildStdout,
    _client: TempDir,
}

impl Waiting {
    fn start(networks: &Networks, stacks: &Stacks, flags: &str) -> (Api, Self) {
        let api = Api::start(networks, stacks, &quoted(&built("examples/pair_function")));
        let client = Client::new(networks, stacks, &api);
        let gate = networks.api.listen((Ipv4Addr::LOCALHOST, 0));
        gate.set_nonblocking(true).unwrap();
        let wait_for = gate.local_addr().unwrap().to_string();
        let wish = serde_json::json!({"do": "wait", "wait_for": wait_for});
        let mut command = client.command(&format!("cat -q {LONG} {flags} -p"));
        let mut running = command.arg(wish.to_string()).spawn().unwrap();
        let arrives = running.stdout.take().unwrap();
        let mut waiting = Self { gate, running, arrives, _client: client.home };
        let mut first = [0; b"first".len()];
        waiting.arrives.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"first");
        (api, waiting)
    }

    /// The function goes on: the bytes that come then, and the exit code.
    fn ends(&mut self) -> (Vec<u8>, Option<i32>) {
        drop(self.function());
        let mut last = Vec::new();
        self.arrives.read_to_end(&mut last).unwrap();
        (last, self.running.wait().unwrap().code())
    }

    /// It stands at the gate, or comes there.
    fn function(&self) -> TcpStream {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.gate.accept() {
                Ok((stream, _)) => return stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            assert!(Instant::now() < deadline, "the function does not come");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

/// What was built beside the folder of the test's own program.
fn built(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join(name);
    assert!(program.is_file(), "{} is not built: run `cargo test --workspace`", program.display());
    program
}

/// Made-up objects, whose names are their sizes.
fn ready_function() -> String {
    format!("env STREAM_FN_SOURCE=pattern {}", quoted(&built("stream-fn")))
}

fn quoted(program: &Path) -> String {
    format!("'{}'", program.display())
}

fn pattern_sha256(size: u64) -> String {
    let mut bytes = vec![0; size as usize];
    stream_fn::source::pattern::fill(0, &mut bytes);
    sha256(&bytes)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
