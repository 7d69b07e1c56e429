//! Clients that ask for too much are told; those that are too slow are cut.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{
    ANYWHERE, Folder, Gate, PATIENCE, Program, SOMEWHERE, aws, curl, route, service,
};

const REQUEST: &[u8] = b"GET /nowhere HTTP/1.1\r\nhost: h\r\n\r\n";

fn program(limits: &str) -> (Folder, Program) {
    let folder = Folder::new();
    folder.write(
        "gateway.toml",
        format!("listen = \"127.0.0.1:0\"\n[limits]\n{limits}\n{SOMEWHERE}"),
    );
    let program = folder.run();
    (folder, program)
}

async fn connected(program: &Program) -> TcpStream {
    TcpStream::connect(program.address()).await.unwrap()
}

/// Reads one answer of the gateway's own, to its end.
async fn answer(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = timeout(PATIENCE, client.read_buf(&mut answer)).await.expect("it comes");
        assert_ne!(read.unwrap(), 0, "{:?}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

/// Waits until the gateway closes; what came before.
async fn closed(mut client: TcpStream) -> String {
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("it is closed");
    // A reset is an end, too.
    drop(read);
    String::from_utf8(rest).unwrap()
}

#[tokio::test]
async fn headers_that_are_too_large_are_431() {
    let (_folder, program) = program("headers = \"8KiB\"");
    let flags = |size: usize, protocol| {
        let header = "x".repeat(size);
        format!("{protocol} -o /dev/null -w %{{http_code}} -H x-large:{header}")
    };
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        for (size, status) in [(7 * 1024, "404"), (9 * 1024, "431"), (100 * 1024, "431")] {
            let curled = curl(&flags(size, protocol), &program.url("/")).await;
            // Of far too many frames of headers, HTTP/2 closes the connection.
            let closed = protocol != "--http1.1" && size > 64 * 1024 && curled.text == "000";
            assert!(curled.text == status || closed, "{protocol} {size}: {}", curled.text);
        }
    }
    let flags = flags(9 * 1024, "--http1.1").replace("-o /dev/null", "");
    let text = curl(&flags, &program.url("/")).await.text;
    assert!(text.contains("larger than the 8192 bytes") && text.contains("requestId"), "{text}");
}

/// As many fields as HTTP/2 counts into the same limit, in either protocol.
#[tokio::test]
async fn many_small_headers_are_taken() {
    let (_folder, program) = program("headers = \"32KiB\"");
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        for (fields, status) in [(500, "404"), (1500, "431")] {
            let fields: String = (0..fields).map(|field| format!(" -H a{field}:b")).collect();
            let flags = format!("{protocol} -o /dev/null -w %{{http_code}}{fields}");
            assert_eq!(curl(&flags, &program.url("/")).await.text, status, "{protocol}");
        }
    }
}

/// No route gets to see it, not even one for every method.
#[tokio::test]
async fn nobody_gets_a_tunnel() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = Folder::new();
    let url = format!("http://{}/", server.local_addr().unwrap());
    let any = format!(
        "[[routes]]\npath = \"/{{rest+}}\"\nauthorizer = \"none\"\nhttp = {{ url = \"{url}\" }}\n"
    );
    folder.write("gateway.toml", format!("{ANYWHERE}{any}"));
    let program = folder.run();
    for target in ["h:443", "/x"] {
        let mut client = connected(&program).await;
        let request = format!("CONNECT {target} HTTP/1.1\r\nhost: h:443\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") && !answer.ends_with(b"}") {
            let read = timeout(PATIENCE, client.read_buf(&mut answer)).await.expect("it comes");
            assert_ne!(read.unwrap(), 0);
        }
        let answer = String::from_utf8(answer).unwrap();
        let refused = ["HTTP/1.1 501", "HTTP/1.1 400"].iter().any(|told| answer.starts_with(told));
        assert!(refused, "{target}: {answer}");
    }
    assert!(timeout(std::time::Duration::ZERO, server.accept()).await.is_err());
}

#[tokio::test]
async fn whoever_is_too_slow_or_does_nothing_is_cut() {
    let (_folder, program) = program("header_read_timeout = \"300ms\"");
    let beginnings: [&[u8]; 5] = [
        b"",
        b"P",
        b"GET / HTTP/1.1\r\nhost: h\r\nx-slow: ",
        b"PRI * HTTP/2.0\r\n\r\nSM",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ];
    for beginning in beginnings {
        let mut client = connected(&program).await;
        client.write_all(beginning).await.unwrap();
        let said = timeout(PATIENCE, async {
            let mut said = Vec::new();
            let _ = client.read_to_end(&mut said).await;
            said
        });
        said.await.unwrap_or_else(|_| panic!("{beginning:?} is served for ever"));
    }
    // A connection that was used, and is so no more.
    let mut client = connected(&program).await;
    for _ in 0..3 {
        client.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut client).await.starts_with("HTTP/1.1 404"));
    }
    assert_eq!(closed(client).await, "");
}

#[tokio::test]
async fn no_more_connections_are_served_than_the_limit_says() {
    let (_folder, program) = program("connections = 1\nheader_read_timeout = \"10m\"");
    let mut first = connected(&program).await;
    first.write_all(REQUEST).await.unwrap();
    answer(&mut first).await;
    let mut second = connected(&program).await;
    second.write_all(REQUEST).await.unwrap();
    for _ in 0..20 {
        first.write_all(REQUEST).await.unwrap();
        answer(&mut first).await;
    }
    let early = second.try_read(&mut [0; 1]);
    assert_eq!(early.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    program.tells("no more connections are taken").await;
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn bodies_are_limited_for_all_routes_and_for_one() {
    let folder = Folder::new();
    let route = |path: &str, more: &str| {
        format!(
            "[[routes]]\npath = \"{path}\"\nauthorizer = \"none\"\nlambda = {{ function = \"f\" }}\n{more}"
        )
    };
    let aws = "[aws]\nregion = \"eu-west-1\"\nendpoint_url = \"http://127.0.0.1:1\"\n";
    let routes = route("/usual", "") + &route("/more", "body_max = \"1KiB\"\n");
    folder.write(
        "gateway.toml",
        format!("listen = \"127.0.0.1:0\"\n[limits]\nbody = \"10B\"\n{aws}{routes}"),
    );
    let program = folder.run();
    let flags = "-o /dev/null -w %{http_code} --data 12345678901";
    assert_eq!(curl(flags, &program.url("/usual")).await.text, "413");
    // Nobody is there: the body was taken.
    assert_eq!(curl(flags, &program.url("/more")).await.text, "503");
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanges_of_a_route_are_limited_for_all_routes_and_for_one() {
    let service = service().await;
    let folder = Folder::new();
    let more = route("/more", "one") + "in_flight = 2\n";
    folder.write(
        "gateway.toml",
        format!(
            "{ANYWHERE}[limits]\nin_flight = 1\n{}{}{more}",
            aws(&service),
            route("/usual", "one")
        ),
    );
    let program = folder.run();
    let gate = Gate::new().await;
    let status = "-o /dev/null -w %{http_code}";
    for (path, next) in [("/usual", "503"), ("/more", "200")] {
        let url = program.url(&format!("{path}?at={}", gate.address));
        let running = tokio::spawn(async move { curl("", &url).await });
        let waits = gate.function().await;
        assert_eq!(curl(status, &program.url(path)).await.text, next);
        drop(waits);
        assert_eq!(running.await.unwrap().text, "one\nwhole\n");
    }
}
