//! An HTTP server is a route's upstream: it is asked what the client asked, and its answer passes as it is, or fails.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Binary, Listens as _, Scripted, ask, ask_with, start, start_route};

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

async fn route(server: &Scripted, more: &str) -> stream_gateway::Gateway {
    start_route(&format!("http = {{ url = '{}/base?key=1'{more} }}", server.url)).await
}

#[tokio::test]
async fn what_the_client_asked_is_asked() {
    let server = Scripted::start(HELLO).await;
    let gateway = route(&server, "").await;
    let request = "PUT /a%20b/c?x=1&x=2&y=%2F&z\n\
        accept: text/csv\nx-own: 1\nx-own: 2\ncookie: a=1\nauthorization: Bearer of-the-client\n\
        connection: x-hop\nx-hop: 1\nte: trailers\nx-forwarded-for: 203.0.113.9\n\
        x-forwarded-proto: https\nx-forwarded-host: elsewhere\nforwarded: for=1.2.3.4\n\
        x-real-ip: 1.2.3.4\nx-forwarded-port: 1\ncontent-type: text/plain";
    let answer = ask_with(&gateway, request, b"some body").await;
    assert_eq!((answer.status, answer.text(), answer.whole), (200, "hello", true));
    let asked = server.asked();
    assert!(asked.starts_with("PUT /base/a%20b/c?key=1&x=1&x=2&y=%2F&z HTTP/1.1\r\n"), "{asked}");
    assert!(asked.ends_with("\r\n\r\nsome body"), "{asked}");
    let address = server.url.trim_start_matches("http://");
    let table: [(&str, &[&str]); 17] = [
        ("host", &[address]),
        ("content-length", &["9"]),
        ("content-type", &["text/plain"]),
        ("accept", &["text/csv"]),
        ("x-own", &["1", "2"]),
        ("cookie", &["a=1"]),
        ("authorization", &["Bearer of-the-client"]),
        ("x-forwarded-for", &["203.0.113.9, 127.0.0.1"]),
        ("x-forwarded-host", &["gateway.test"]),
        ("x-forwarded-proto", &["http"]),
        ("forwarded", &[]),
        ("x-real-ip", &[]),
        ("x-forwarded-port", &[]),
        ("connection", &[]),
        ("x-hop", &[]),
        ("te", &[]),
        ("x-api-key", &[]),
    ];
    for (name, values) in table {
        assert_eq!(server.header(name), values, "{name}");
    }
}

#[tokio::test]
async fn what_the_server_answers_is_passed_on() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\
        keep-alive: timeout=5\r\nconnection: x-hop\r\nx-hop: 1\r\nx-amzn-requestid: of-the-server\r\n\
        transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    let server = Scripted::start(format!("HTTP/1.1 100 Continue\r\n\r\n{answer}")).await;
    let gateway = route(&server, "").await;
    let answer = ask(&gateway, "GET /x").await;
    assert_eq!((answer.status, answer.text(), answer.whole), (302, "hello", true));
    assert_eq!(answer.header("location"), Some("/elsewhere"));
    assert_eq!(answer.all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(answer.header("x-amzn-requestid"), Some("of-the-server"));
    assert_eq!((answer.header("keep-alive"), answer.header("x-hop")), (None, None));
    assert_eq!(server.asked.lock().unwrap().len(), 1, "redirects are the client's to follow");
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    for (method, answer, status) in [
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n", 304),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("GET", "HTTP/1.1 205 Reset Content\r\ncontent-length: 5\r\n\r\nhello", 205),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", 200),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200),
    ] {
        let server = Scripted::start(answer).await;
        let gateway = route(&server, "").await;
        let answer = ask(&gateway, &format!("{method} /x")).await;
        assert_eq!((answer.status, answer.body.len(), answer.whole), (status, 0, true), "{method}");
        let length = (method == "HEAD").then_some("5");
        assert!(length.is_none() || answer.header("content-length") == length);
    }
}

/// No answer that was cut looks whole: the client's connection is cut as well, or it is told before.
#[tokio::test]
async fn a_cut_answer_is_cut() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nno size\r\n",
    ] {
        let server = Scripted::start(answer).await;
        let gateway = route(&server, "").await;
        let answer = ask(&gateway, "GET /x").await;
        assert_eq!((answer.status, answer.whole), (200, false));
        assert!("hello".as_bytes().starts_with(&answer.body));
    }
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "HTTP/1.1 600 Odd\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 999 Odd\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 20",
        "no HTTP\r\n\r\n",
    ] {
        let server = Scripted::start(answer).await;
        let gateway = route(&server, "").await;
        let told = ask(&gateway, "GET /x").await;
        assert_eq!((told.status, told.whole), (502, true), "{answer}");
        assert!(!told.text().contains("hello"));
    }
}

/// Two ways to say where a body ends: chunks count (RFC 9112, section 6.3), and a length that is said twice is one.
#[tokio::test]
async fn an_answer_has_one_end() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    ] {
        let server = Scripted::start(answer).await;
        let gateway = route(&server, "").await;
        let told = ask(&gateway, "GET /x").await;
        assert_eq!((told.status, told.text(), told.whole), (200, "hello", true), "{answer}");
        let lengths = told.all("content-length").count() + told.all("transfer-encoding").count();
        assert_eq!(lengths, 1, "{answer}");
    }
}

/// The end of the connection is all that a client of HTTP/1.0 knows of the end of a body without a length: it comes
/// behind a whole one only, and an error behind all others.
#[tokio::test(flavor = "multi_thread")]
async fn no_cut_answer_looks_whole_to_an_old_client() {
    let whole = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let cut = whole.strip_suffix("0\r\n\r\n").unwrap();
    let with_length = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    for (answer, is_whole) in [(whole, true), (cut, false), (with_length, false)] {
        let server = Scripted::start(answer).await;
        let gateway = route(&server, "").await;
        for request in
            ["GET /x HTTP/1.0\r\n\r\n", "GET /x HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"]
        {
            let mut client = TcpStream::connect(gateway.addr()).await.unwrap();
            client.write_all(request.as_bytes()).await.unwrap();
            let mut received = Vec::new();
            let ended = client.read_to_end(&mut received).await;
            let received = String::from_utf8(received).unwrap();
            let says_length = received.contains("content-length: 9\r\n");
            assert_eq!(ended.is_ok() && !says_length, is_whole, "{request}{received}{ended:?}");
            if is_whole {
                assert!(received.ends_with("\r\n\r\nhello"), "{received}");
            }
        }
        let url = format!("http://{}/x", gateway.addr());
        for protocol in ["--http1.0", "--http1.1"] {
            let flags = ["-sS", protocol, "-H", "connection: close", &url];
            let curl = tokio::process::Command::new("curl").args(flags).output().await.unwrap();
            assert_eq!(curl.status.success(), is_whole, "{protocol}: {curl:?}");
        }
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told() {
    let large = "x".repeat(70_000);
    let answer = format!("HTTP/1.1 200 OK\r\nx-large: {large}\r\ncontent-length: 0\r\n\r\n");
    let server = Scripted::start(answer).await;
    let gateway = route(&server, "").await;
    let told = ask(&gateway, "GET /x").await;
    assert_eq!((told.status, told.whole), (502, true));
}

#[tokio::test]
async fn no_wait_is_without_a_limit() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    let table = [
        ("first_byte = '50ms'", "", 504, true),
        ("total = '50ms'", "", 504, true),
        ("idle = '50ms'", begun, 200, false),
        ("total = '200ms'", begun, 200, false),
    ];
    for (timeouts, answer, status, whole) in table {
        let server = Silent::start(answer).await;
        let gateway = start_route(&format!(
            "http = {{ url = '{}' }}\ntimeouts = {{ {timeouts} }}",
            server.url
        ))
        .await;
        let told = ask(&gateway, "GET /x").await;
        assert_eq!((told.status, told.whole), (status, whole), "{timeouts}");
    }
    // Nobody listens there: the port was free a moment ago.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gateway = start_route(&format!("http = {{ url = 'http://{free}' }}")).await;
    assert_eq!(ask(&gateway, "GET /x").await.status, 503);
}

/// Says something, and then nothing more, without closing its connections.
struct Silent {
    url: String,
    door: tokio::task::JoinHandle<()>,
}

impl Silent {
    async fn start(answer: &'static str) -> Self {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let door = tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
                held.push(stream);
            }
        });
        Self { url, door }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.door.abort();
    }
}

/// A certificate that nobody trusts is no reason to go on.
#[tokio::test]
async fn tls_is_verified() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = vec![key.cert.der().clone()];
    let private =
        rustls_pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let door = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_ok()
    });
    let gateway = start_route(&format!("http = {{ url = 'https://localhost:{port}' }}")).await;
    assert_eq!(ask(&gateway, "GET /x").await.status, 503);
    assert!(!door.await.unwrap(), "the handshake went through");
}

#[tokio::test]
async fn a_client_that_came_over_tls_is_said_to() {
    let server = Scripted::start(HELLO).await;
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let certificate = write("c.pem", key.cert.pem());
    let private = write("k.pem", key.signing_key.serialize_pem());
    let gateway = start(&format!(
        "tls = {{ certificate = '{certificate}', key = '{private}' }}\n[[routes]]\npath = \"/x\"\n\
         authorizer = \"none\"\nhttp = {{ url = '{}' }}\n",
        server.url
    ))
    .await;
    let url = format!("https://localhost:{}/x", gateway.addr().port());
    for protocol in ["--http1.1", "--http2"] {
        let arguments =
            ["-sS", "--cacert", &certificate, protocol, "-H", "x-forwarded-proto: http", &url];
        let got = tokio::process::Command::new("curl").args(arguments).output().await.unwrap();
        assert_eq!(got.stdout, b"hello");
        assert_eq!(server.header("x-forwarded-proto"), ["https"]);
    }
}

/// One test has all that reads the environment, and the binary is what reads it, so that no other test does.
#[test]
fn keys_and_signatures_are_of_the_environment() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Scripted::start(HELLO));
    let url = &server.url;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(
        &file,
        format!(
            "listen = \"127.0.0.1:0\"\n\
             [[routes]]\npath = \"/key/{{rest+}}\"\nauthorizer = \"none\"\n\
             http = {{ url = '{url}', api_key_env = 'TEST_API_KEY' }}\n\
             [[routes]]\npath = \"/lambda/{{rest+}}\"\nauthorizer = \"none\"\n\
             http = {{ url = '{url}', sign = 'lambda', region = 'eu-west-1' }}\n\
             [[routes]]\npath = \"/both/{{rest+}}\"\nauthorizer = \"none\"\n\
             http = {{ url = '{url}', api_key_env = 'TEST_API_KEY', sign = 'execute-api' }}\n"
        ),
    )
    .unwrap();
    let gateway = Binary::start(&file, &[("TEST_API_KEY", "k-hush")]).unwrap();
    let said = |path: &str| {
        let got = std::process::Command::new("curl")
            .args(["-sS", "-H", "x-api-key: mine", "-H", "authorization: mine"])
            .args(["-H", "content-type: text/plain", "-d", "abc"])
            .arg(format!("http://{}{path}", gateway.addr()))
            .output()
            .expect("curl is needed");
        assert_eq!(got.stdout, b"hello", "{path}");
    };
    said("/key/a");
    assert_eq!(server.header("x-api-key"), ["k-hush"], "it is the gateway's, never the client's");
    assert_eq!(server.header("authorization"), ["mine"]);
    for (path, scope, key) in [
        ("/lambda/a?b+c=1", "eu-west-1/lambda", "mine"),
        ("/both/a", "us-west-2/execute-api", "k-hush"),
    ] {
        said(path);
        let authorization = server.header("authorization");
        assert_eq!(authorization.len(), 1);
        let credential = "AWS4-HMAC-SHA256 Credential=AKIDOFATEST/";
        assert!(authorization[0].starts_with(credential), "{}", authorization[0]);
        assert!(authorization[0].contains(&format!("/{scope}/aws4_request, ")));
        let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, ";
        assert!(authorization[0].contains(signed), "{}", authorization[0]);
        assert_eq!(server.header("x-amz-security-token"), ["token"]);
        assert_eq!(server.header("x-api-key"), [key]);
    }
    assert!(server.asked.lock().unwrap()[1].starts_with("POST /a?b%20c=1 HTTP/1.1\r\n"));
    // What is missing is said at the start, for each route.
    let refused = Binary::start(&file, &[]).err().unwrap();
    assert!(refused.lines().count() == 2, "one for each route that wants it: {refused}");
    assert!(refused.lines().all(|line| line.contains("TEST_API_KEY")), "{refused}");
}

/// An answer of which the client takes only a little is not read on and on.
#[tokio::test]
async fn a_client_that_does_not_read_holds_the_server_back() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const SIZE: usize = 256 * 1024 * 1024;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&sent);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let some = vec![0; 64 * 1024];
        while stream.write_all(&some).await.is_ok() {
            counted.fetch_add(some.len(), std::sync::atomic::Ordering::Relaxed);
        }
    });
    let gateway = start(&format!(
        "[[routes]]\npath = \"/x\"\nauthorizer = \"none\"\nhttp = {{ url = '{url}' }}\n"
    ))
    .await;
    let mut client = tokio::net::TcpStream::connect(gateway.addr()).await.unwrap();
    client.write_all(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    client.read_exact(&mut [0; 1024]).await.unwrap();
    // What the sockets between them hold is taken; then nothing moves any more.
    let mut last = usize::MAX;
    loop {
        let now = sent.load(std::sync::atomic::Ordering::Relaxed);
        if now == last {
            break;
        }
        last = now;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(last < SIZE / 4, "{last} bytes were sent to nobody");
    // The client is gone, and so the server's connection breaks.
    drop(client);
    server.await.unwrap();
}
