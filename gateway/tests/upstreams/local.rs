//! A command is a route's upstream: it runs when it is called, from the folder of the configuration, and ends with
//! the gateway.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::support::{ask, function, start, start_route};

/// No process here takes so long to start or to die.
const PATIENCE: Duration = Duration::from_secs(60);

/// A route whose function serves `source`.
fn serving(source: &str, more: &str) -> String {
    let command = function("gateway_serving");
    format!(
        "local = {{ command = '{command}', environment = {{ STREAM_FN_SOURCE = '{source}' }} }}\n{more}"
    )
}

#[tokio::test]
async fn a_folder_is_served_from_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("site/ö")).unwrap();
    std::fs::write(folder.path().join("site/ö/a file.txt"), "some bytes").unwrap();
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[[routes]]\npath = \"/{{rest+}}\"\nauthorizer = \"none\"\n{}",
        serving("directory:site", "")
    );
    let file = folder.path().join("gateway.toml");
    let config = stream_gateway::Config::parse(&text, &file.display().to_string()).unwrap();
    let gateway = stream_gateway::Gateway::start(config).await.unwrap();
    let answer = ask(&gateway, "GET /%C3%B6/a%20file.txt").await;
    assert_eq!((answer.status, answer.text(), answer.whole), (200, "some bytes", true));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(answer.header("x-amzn-requestid").is_some());
    assert_eq!(ask(&gateway, "GET /none").await.status, 404);
    // Nothing of the folder above.
    assert_eq!(ask(&gateway, "GET /../gateway.toml").await.status, 400);
}

/// What RFC 9110 has about ranges and conditions passes the gateway in both directions.
#[tokio::test]
async fn ranges_and_conditions_are_the_functions() {
    let gateway = start_route(&serving("pattern", "")).await;
    let whole = ask(&gateway, "GET /100000").await;
    assert_eq!((whole.status, whole.body.len(), whole.whole), (200, 100_000, true));
    let etag = whole.header("etag").unwrap();
    let table = [
        ("range: bytes=10-19".to_owned(), 206, Some(10..20)),
        ("range: bytes=99990-".to_owned(), 206, Some(99_990..100_000)),
        ("range: bytes=-5".to_owned(), 206, Some(99_995..100_000)),
        ("range: bytes=100000-".to_owned(), 416, None),
        (format!("if-none-match: {etag}"), 304, Some(0..0)),
        ("if-none-match: \"other\"".to_owned(), 200, Some(0..100_000)),
        (format!("if-match: {etag}"), 200, Some(0..100_000)),
        ("if-match: \"other\"".to_owned(), 412, None),
        (format!("range: bytes=0-9\nif-range: {etag}"), 206, Some(0..10)),
        ("range: bytes=0-9\nif-range: \"other\"".to_owned(), 200, Some(0..100_000)),
    ];
    for (headers, status, bytes) in table {
        let answer = ask(&gateway, &format!("GET /100000\n{headers}")).await;
        assert_eq!((answer.status, answer.whole), (status, true), "{headers}");
        if let Some(bytes) = bytes {
            assert_eq!(answer.body, whole.body[bytes.clone()], "{headers}");
            let range = format!("bytes {}-{}/100000", bytes.start, bytes.end.max(1) - 1);
            let shown = answer.header("content-range");
            assert_eq!(shown, (status == 206).then_some(range.as_str()), "{headers}");
        }
    }
    let head = ask(&gateway, "HEAD /100000").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("100000")));
    assert_eq!(ask(&gateway, "GET /100000\naccept-encoding: gzip").await.body, whole.body);
}

#[tokio::test]
async fn routes_with_the_same_command_share_it_and_others_do_not() {
    let command = function("gateway_telling");
    let route = |path: &str, format: &str, own: &str| {
        format!(
            "[[routes]]\npath = \"{path}\"\nauthorizer = \"none\"\n\
             local = {{ command = '{command}', event = '{format}', \
             environment = {{ ANSWER = '\"PROCESS\"', OWN = '{own}' }} }}\n"
        )
    };
    let routes = [route("/a", "2.0", "1"), route("/b", "1.0", "1"), route("/c", "2.0", "2")];
    let gateway = start(&routes.concat()).await;
    let mut processes = Vec::new();
    for path in ["/a", "/b", "/c"] {
        let answer = ask(&gateway, &format!("GET {path}")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-amz-executed-version"), Some("$LATEST"));
        processes.push(answer.text().to_owned());
    }
    assert_eq!(processes[0], processes[1]);
    assert_ne!(processes[0], processes[2]);
}

#[tokio::test]
async fn a_command_that_cannot_be_run_is_a_502_with_a_reason() {
    let gateway = start_route("local = { command = './no-such-program' }").await;
    let answer = ask(&gateway, "GET /").await;
    assert_eq!(answer.status, 404, "the route has a rest of one byte at least");
    let answer = ask(&gateway, "GET /x").await;
    assert_eq!((answer.status, answer.whole), (502, true));
    assert_eq!(answer.json()["status"], 502);
}

#[tokio::test]
async fn the_services_limits_hold_if_that_is_wanted() {
    let command = function("gateway_telling");
    let answer = "x".repeat(7 * 1024 * 1024);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    std::fs::write(&file, &answer).unwrap();
    // A payload of more than 6 MB is refused by the service, and by `limits = "off"` it is not.
    for (limits, status) in [("aws", 413), ("off", 200)] {
        let gateway = start_route(&format!(
            "body_max = '8MB'\nlocal = {{ command = '{command}', limits = '{limits}', \
             environment = {{ ANSWER = '\"whole\"' }} }}"
        ))
        .await;
        let asked = crate::support::ask_with(&gateway, "POST /x", answer.as_bytes()).await;
        assert_eq!(asked.status, status, "{limits}");
    }
}

/// The processes of this machine with `mark` in their environment.
#[cfg(target_os = "linux")]
fn marked(mark: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |id: &u32| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|window| window == mark.as_bytes())
    };
    ids.filter(has).collect()
}

/// However the gateway ends, so does what it started: an orderly end kills it, and after any other its own
/// connection to the gateway is gone, which ends it.
#[cfg(target_os = "linux")]
#[test]
fn no_process_outlives_the_gateway() {
    for (turn, signal) in ["INT", "KILL"].into_iter().enumerate() {
        let mark = format!("GATEWAY_TEST_MARK={}-{turn}", std::process::id());
        let (name, value) = mark.split_once('=').unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let command = function("gateway_serving");
        let text = format!(
            "listen = \"127.0.0.1:0\"\n[[routes]]\npath = \"/{{rest+}}\"\nauthorizer = \"none\"\n\
             local = {{ command = '{command}', environment = {{ STREAM_FN_SOURCE = 'pattern', \
             {name} = '{value}' }} }}\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut gateway = Command::new(env!("CARGO_BIN_EXE_stream-gateway"))
            .arg("run")
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(gateway.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("//").next().unwrap().to_owned();
        assert!(marked(&mark).is_empty(), "it is started when it is called");
        let got = Command::new("curl")
            .args(["-sS", &format!("http://{address}/1000")])
            .output()
            .expect("curl is needed");
        assert_eq!(got.stdout.len(), 1000);
        assert_eq!(marked(&mark).len(), 1);
        let mut kill = Command::new("kill");
        kill.args([format!("-{signal}"), gateway.id().to_string()]);
        assert!(kill.status().unwrap().success());
        gateway.wait().unwrap();
        let begun = Instant::now();
        while !marked(&mark).is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{signal}: a process is left");
            std::thread::yield_now();
        }
    }
}

#[tokio::test]
async fn many_clients_at_once_get_their_own_bytes() {
    let gateway = std::sync::Arc::new(start_route(&serving("pattern", "")).await);
    let mut asking = tokio::task::JoinSet::new();
    for size in 1..=16_usize {
        let gateway = std::sync::Arc::clone(&gateway);
        asking.spawn(async move {
            let answer = ask(&*gateway, &format!("GET /{}", size * 100_000)).await;
            assert!(answer.whole);
            (size * 100_000, answer.body)
        });
    }
    while let Some(got) = asking.join_next().await {
        let (size, body) = got.unwrap();
        let mut expected = vec![0; size];
        stream_fn::source::pattern::fill(0, &mut expected);
        assert_eq!(Sha256::digest(&body), Sha256::digest(&expected), "{size}");
    }
}
