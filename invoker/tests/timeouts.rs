//! Services that are silent or slow, on a real socket: every wait ends, and says which limit it was.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::config::Credentials;
use invoker::{Download, Error, ErrorKind, Invocation, Invoker, TimeLimit, Timeouts};
use support::{Answer, Asked, Service, Step, chunk, complete, head, header, pattern, range_answer};
use tokio::sync::Notify;

const ETAG: &str = "\"v1\"";

/// Long for a loopback, short for a test.
const SHORT: Duration = Duration::from_millis(100);

/// Between two bytes that drip.
const PAUSE: Duration = Duration::from_millis(5);

fn never() -> Step {
    Step::Wait(Arc::new(Notify::new()))
}

async fn to_file(download: Download) -> Result<Vec<u8>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let done = download.to_file(&path).await;
    assert_eq!(path.exists(), done.is_ok());
    done.map(|_| std::fs::read(path).unwrap())
}

async fn in_order(download: Download) -> Result<Vec<u8>, Error> {
    let mut bytes = download.in_order().await?;
    let mut all = Vec::new();
    while let Some(next) = bytes.next_bytes().await {
        all.extend_from_slice(&next?);
    }
    Ok(all)
}

async fn invoke(invoker: &Invoker) -> Result<Vec<u8>, Error> {
    let mut stream = invoker.invoke(Invocation::new("f")).await?;
    let mut all = Vec::new();
    while let Some(next) = stream.next_bytes().await {
        all.extend_from_slice(&next?);
    }
    Ok(all)
}

/// How each way of fetching a result ends: once called, as a file, and in order.
async fn all_ways(invoker: Invoker, configure: impl Fn(Download) -> Download) -> [Error; 3] {
    let download = || configure(invoker.download(Invocation::new("f")));
    [
        invoke(&invoker).await.unwrap_err(),
        to_file(download()).await.unwrap_err(),
        in_order(download()).await.unwrap_err(),
    ]
}

#[track_caller]
fn assert_limit(error: &Error, limit: TimeLimit, what: &str) {
    assert_eq!(*error.kind(), ErrorKind::TimedOut, "{what}: {error}");
    assert_eq!(error.time_limit(), Some(limit), "{what}: {error}");
}

#[tokio::test]
async fn silence_ends_in_every_phase() {
    let part = |len: usize| Step::Bytes(chunk(b"data")[..len].to_vec());
    type Script = Box<dyn Fn() -> Answer + Send + Sync>;
    let promised =
        || Step::Bytes(chunk(&[&head(200, &[("content-length", "4")])[..], b"data"].concat()));
    let table: Vec<(&str, Script, TimeLimit)> = vec![
        ("before HTTP", Box::new(|| Answer::raw([never()])), TimeLimit::FirstByte),
        (
            "in the HTTP head",
            Box::new(|| Answer::raw([Step::Bytes(b"HTTP/1.1 200 OK\r\nx-a".into()), never()])),
            TimeLimit::FirstByte,
        ),
        ("before the first frame", Box::new(|| Answer::steps([never()])), TimeLimit::FirstByte),
        (
            "in an error's body",
            Box::new(|| {
                let mut answer = Answer::error(503, "ServiceException", "{");
                answer.steps.push(never());
                answer
            }),
            TimeLimit::FirstByte,
        ),
        ("in a prelude", Box::new(move || Answer::steps([part(7), never()])), TimeLimit::Idle),
        ("in a frame", Box::new(move || Answer::steps([part(40), never()])), TimeLimit::Idle),
        (
            "in the function's head",
            Box::new(|| Answer::steps([Step::Bytes(chunk(b"{\"statusCode\"")), never()])),
            TimeLimit::Idle,
        ),
        (
            "in the body",
            Box::new(|| Answer::steps([Step::Bytes(chunk(b"data")), never()])),
            TimeLimit::Idle,
        ),
        (
            "after the last byte",
            Box::new(move || Answer::steps([promised(), never()])),
            TimeLimit::Idle,
        ),
    ];
    let timeouts = Timeouts::default().first_byte(2 * SHORT).idle(SHORT);
    for (what, script, limit) in table {
        let service = Service::start(move |_| script()).await;
        for error in all_ways(service.invoker().timeouts(timeouts), |d| d.retries(0)).await {
            assert_limit(&error, limit, what);
        }
        assert_eq!(service.asked().len(), 3, "{what}");
    }
}

#[tokio::test]
async fn a_proven_end_needs_no_closed_connection() {
    let service = Service::start(|_| {
        let frames = [chunk(b"data"), complete("{}")].map(Step::Bytes);
        Answer::steps(frames.into_iter().chain([never()]))
    })
    .await;
    assert_eq!(invoke(&service.invoker()).await.unwrap(), b"data");
}

#[tokio::test]
async fn a_drip_after_the_end_is_not_waited_for() {
    let service = Service::start(|_| {
        let frames = [chunk(b"data"), complete("{}")].map(Step::Bytes);
        Answer::steps(frames.into_iter().chain([Step::Drip(vec![0; 100_000], PAUSE)]))
    })
    .await;
    assert_eq!(*invoke(&service.invoker()).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

/// A frame that comes a byte at a time is never idle.
fn drip() -> Answer {
    Answer::steps([Step::Bytes(chunk(b"data")), Step::Drip(chunk(&[0; 100_000]), PAUSE)])
}

#[tokio::test]
async fn a_drip_is_ended_by_what_measures_it() {
    let table = [
        (Timeouts::default().minimum_rate(10_000, SHORT), TimeLimit::MinimumRate),
        (Timeouts::default().invocation(SHORT), TimeLimit::Invocation),
        (Timeouts::default().total(2 * SHORT), TimeLimit::Total),
    ];
    for (timeouts, limit) in table {
        let service = Service::start(|_| drip()).await;
        for error in all_ways(service.invoker().timeouts(timeouts), |d| d.retries(0)).await {
            assert_limit(&error, limit, "a drip");
        }
    }
}

#[tokio::test]
async fn a_segment_that_is_too_slow_is_asked_for_again() {
    let bytes = pattern(50_000);
    let served = bytes.clone();
    let script = move |asked: &Asked| {
        let mut answer = range_answer(&served, ETAG, asked);
        if asked.number == 1 {
            let frames = std::mem::take(&mut answer.steps).into_iter().map(|step| match step {
                Step::Bytes(bytes) => Step::Drip(bytes, PAUSE),
                other => other,
            });
            answer.steps = frames.collect();
        }
        answer
    };
    let timeouts = Timeouts::default().minimum_rate(10_000, SHORT);
    for way in 0..2 {
        let service = Service::start(script.clone()).await;
        let invoker = service.invoker().timeouts(timeouts);
        let download = invoker.object("f", "x").segment_size(10_000).in_flight(2);
        let progress = download.progress();
        let got = if way == 0 { to_file(download).await } else { in_order(download).await };
        assert!(got.unwrap() == bytes);
        assert_eq!(progress.snapshot().retries, 1);
    }
}

#[tokio::test]
async fn time_in_which_nobody_reads_does_not_count() {
    let timeouts =
        Timeouts::default().idle(SHORT).invocation(SHORT).minimum_rate(1_000_000, SHORT / 2);
    let gate = Arc::new(Notify::new());
    let opened = Arc::clone(&gate);
    let service = Service::start(move |_| {
        Answer::steps([
            Step::Bytes(chunk(b"first")),
            Step::Wait(Arc::clone(&gate)),
            Step::Bytes(chunk(b"last")),
            Step::Bytes(complete("{}")),
        ])
    })
    .await;
    let invoker = service.invoker().timeouts(timeouts);
    let mut stream = invoker.invoke(Invocation::new("f")).await.unwrap();
    assert_eq!(stream.next_bytes().await.unwrap().unwrap(), "first");
    tokio::time::sleep(3 * SHORT).await; // away, for longer than each limit
    opened.notify_one();
    assert_eq!(stream.next_bytes().await.unwrap().unwrap(), "last");
    assert!(stream.next_bytes().await.is_none());
}

#[tokio::test]
async fn the_total_covers_retries_and_patience() {
    type Script = fn() -> Answer;
    let table: [(&str, Script); 3] = [
        ("failures", || Answer::error(503, "ServiceException", "{}")),
        ("throttles", || Answer::error(429, "TooManyRequestsException", "{}")),
        ("a wait that the service asks for", || {
            let mut answer = Answer::error(503, "ServiceException", "{}");
            answer.headers.push(header("retry-after", "3600"));
            answer
        }),
    ];
    for (what, script) in table {
        let service = Service::start(move |_| script()).await;
        let invoker = service.invoker().timeouts(Timeouts::default().total(3 * SHORT));
        let download = || {
            let hour = Duration::from_secs(3_600);
            invoker.object("f", "x").retries(u32::MAX).throttle_patience(hour)
        };
        let inspected = download().inspect().await.unwrap_err();
        let filed = to_file(download()).await.unwrap_err();
        let ordered = in_order(download()).await.unwrap_err();
        for error in [inspected, filed, ordered] {
            assert_limit(&error, TimeLimit::Total, what);
        }
    }
}

#[tokio::test]
async fn the_total_covers_a_reader_who_is_away() {
    let bytes = pattern(50_000);
    let service = Service::start(move |asked| range_answer(&bytes, ETAG, asked)).await;
    let invoker = service.invoker().timeouts(Timeouts::default().total(5 * SHORT));
    let mut ordered = invoker.object("f", "x").segment_size(10_000).in_order().await.unwrap();
    let mut stream = invoker.invoke(Invocation::new("f")).await.unwrap();
    tokio::time::sleep(6 * SHORT).await; // away
    let error = ordered.next_bytes().await.unwrap().unwrap_err();
    assert_limit(&error, TimeLimit::Total, "in order");
    assert!(ordered.next_bytes().await.is_none());
    let error = stream.next_bytes().await.unwrap().unwrap_err();
    assert_limit(&error, TimeLimit::Total, "one invocation");
    assert!(stream.next_bytes().await.is_none());
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_no_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    // The kernel takes the connections; nobody reads them.
    let invoker = support::invoker(&url, Credentials::for_tests());
    for error in
        all_ways(invoker.timeouts(Timeouts::default().connect(SHORT)), |d| d.retries(0)).await
    {
        assert_limit(&error, TimeLimit::Connect, "TLS");
        assert!(error.to_string().contains(&url), "{error}");
    }
}

#[cfg(target_os = "linux")] // how a full queue is filled is the kernel's business
#[tokio::test]
async fn a_connection_into_a_black_hole_ends() {
    use tokio::net::TcpSocket;

    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    // Nobody accepts: once the queue is full, the kernel drops what else knocks.
    let mut queue: Vec<_> =
        (0..8).map(|_| Box::pin(TcpSocket::new_v4().unwrap().connect(addr))).collect();
    std::future::poll_fn(|cx| {
        for connecting in &mut queue {
            let _ = connecting.as_mut().poll(cx);
        }
        std::task::Poll::Ready(())
    })
    .await;

    let invoker = support::invoker(&format!("http://{addr}"), Credentials::for_tests());
    for error in
        all_ways(invoker.timeouts(Timeouts::default().connect(SHORT)), |d| d.retries(0)).await
    {
        assert_limit(&error, TimeLimit::Connect, "a black hole");
    }
}
