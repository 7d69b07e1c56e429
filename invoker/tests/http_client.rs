//! The library's own HTTP client: whom it trusts, which proxies it asks, and what it says when they
//! do not answer.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use invoker::{Error, ErrorKind, HttpClient, HttpClientBuilder, Invocation, Invoker, Proxies};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use support::{Answer, Service, chunk, complete};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// A name that no resolver knows (RFC 6761): who wants to go there has to ask a proxy.
const NAME: &str = "service.test";

/// `user:p@ss`, as an URL has it and as a header has it.
const USER: &str = "user:p%40ss";
const AUTHORIZATION: &str = "Basic dXNlcjpwQHNz";

fn invoker(url: &str, client: HttpClientBuilder) -> Invoker {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(client.build().unwrap())
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(Credentials::for_tests())
        .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
        .endpoint_url(url)
        .build();
    Invoker::from_conf(config)
}

async fn call(invoker: &Invoker) -> Result<Vec<u8>, Error> {
    let mut stream = invoker.invoke(Invocation::new("f")).await?;
    let mut all = Vec::new();
    while let Some(bytes) = stream.next_bytes().await {
        all.extend_from_slice(&bytes?);
    }
    Ok(all)
}

async fn service() -> Service {
    Service::start(|_| Answer::stream([chunk(b"body"), complete("{}")])).await
}

/// All that an error tells.
fn told(error: &Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told.push_str(&format!(": {error}"));
        cause = error.source();
    }
    told
}

/// Something that listens until the test ends.
struct Door {
    address: SocketAddr,
    /// The first lines of what was asked, with the headers.
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// TLS in front of `service`, with a certificate for [`NAME`]; and the certificate of who signed it.
async fn tls(service: SocketAddr) -> (Door, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec![NAME.to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                // One who trusts nobody here leaves.
                let Ok(mut inside) = acceptor.accept(socket).await else { return };
                let mut outside = TcpStream::connect(service).await.unwrap();
                let _ = copy_bidirectional(&mut inside, &mut outside).await;
            });
        }
    });
    (Door { address, asked: Arc::default(), task }, authority.pem())
}

/// A proxy whose tunnels all lead to `to`, for those who say who they are if they have to.
async fn proxy(to: SocketAddr, wants: Option<&'static str>) -> Door {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            connections.spawn(async move {
                let mut socket = BufReader::new(socket);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if socket.read_line(&mut head).await.unwrap() == 0 {
                        return;
                    }
                }
                let known = wants.is_none_or(|wanted| head.contains(wanted));
                log.lock().unwrap().push(head);
                if !known {
                    let answer = b"HTTP/1.1 407 Who?\r\ncontent-length: 0\r\n\r\n";
                    socket.write_all(answer).await.unwrap();
                    return;
                }
                socket.write_all(b"HTTP/1.1 200 There\r\n\r\n").await.unwrap();
                let mut to = TcpStream::connect(to).await.unwrap();
                let _ = copy_bidirectional(&mut socket, &mut to).await;
            });
        }
    });
    Door { address, asked, task }
}

/// The address of nobody: a port that was free a moment ago.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_server_is_trusted_if_its_authority_is() {
    let service = service().await;
    let (server, authority) = tls(service.addr).await;
    let url = format!("https://localhost:{}", server.address.port());
    let client = HttpClient::builder().ca_bundle(authority.as_bytes()).unwrap();
    assert_eq!(call(&invoker(&url, client)).await.unwrap(), b"body");

    let (_, stranger) = tls(service.addr).await;
    let client = HttpClient::builder().ca_bundle(stranger.as_bytes()).unwrap();
    for client in [client, HttpClient::builder().no_roots(), HttpClient::builder()] {
        let error = call(&invoker(&url, client)).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unreachable);
        assert!(told(&error).contains("certificate"), "{}", told(&error));
    }
}

#[tokio::test]
async fn a_tunnel_leads_to_a_server_that_only_the_proxy_knows() {
    let service = service().await;
    let (server, authority) = tls(service.addr).await;
    let proxy = proxy(server.address, Some(AUTHORIZATION)).await;
    let trusting = || HttpClient::builder().ca_bundle(authority.as_bytes()).unwrap();
    let url = format!("https://{NAME}");

    let known = Proxies::none().https(&format!("http://{USER}@{}", proxy.address)).unwrap();
    assert_eq!(call(&invoker(&url, trusting().proxies(known))).await.unwrap(), b"body");
    let asked = proxy.asked.lock().unwrap()[0].clone();
    assert!(asked.starts_with(&format!("CONNECT {NAME}:443 HTTP/1.1\r\n")), "{asked}");
    assert!(!asked.contains("AWS4"), "the proxy sees no call: {asked}");

    let stranger = Proxies::none().https(&format!("http://{}", proxy.address)).unwrap();
    let error = call(&invoker(&url, trusting().proxies(stranger))).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unreachable);
    let told = told(&error);
    assert!(told.contains("proxy authorization required"), "{told}");
    assert!(told.contains(&proxy.address.to_string()), "{told}");
}

#[tokio::test]
async fn a_proxy_may_be_reached_by_tls_as_well() {
    let service = service().await;
    let (server, authority) = tls(service.addr).await;
    let proxy = proxy(server.address, None).await;
    let (front, of_proxy) = tls(proxy.address).await;
    let both = format!("{authority}{of_proxy}");
    let proxies =
        Proxies::none().https(&format!("https://localhost:{}", front.address.port())).unwrap();
    let client = HttpClient::builder().ca_bundle(both.as_bytes()).unwrap().proxies(proxies);
    assert_eq!(call(&invoker(&format!("https://{NAME}"), client)).await.unwrap(), b"body");
    assert_eq!(proxy.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn without_tls_a_proxy_is_told_the_whole_address() {
    // What stands there answers as the service would, so it can be the proxy itself.
    let service = service().await;
    let proxies = Proxies::none().http(&format!("http://{USER}@{}", service.addr)).unwrap();
    let client = HttpClient::builder().no_roots().proxies(proxies);
    let invoker = invoker(&format!("http://{NAME}:9000"), client);
    assert_eq!(call(&invoker).await.unwrap(), b"body");
    let asked = &service.asked()[0];
    assert!(asked.target.starts_with(&format!("http://{NAME}:9000/")), "{}", asked.target);
    assert_eq!(asked.headers["proxy-authorization"], AUTHORIZATION);
}

#[tokio::test]
async fn no_proxy_is_asked_for_what_is_here() {
    let service = service().await;
    let nobody = nobody().await;
    let proxies = || {
        let url = format!("http://{USER}@{nobody}");
        Proxies::none().http(&url).unwrap().https(&url).unwrap()
    };
    let url = format!("http://{}", service.addr);
    let client = |proxies| HttpClient::builder().no_roots().proxies(proxies);
    assert_eq!(call(&invoker(&url, client(proxies()))).await.unwrap(), b"body");
    assert!(!service.asked()[0].headers.contains_key("proxy-authorization"));

    let everywhere = client(proxies().local_addresses(true));
    let error = call(&invoker(&url, everywhere)).await.unwrap_err();
    let told = told(&error);
    assert!(told.contains(&format!("the proxy http://{nobody}/ made no connection")), "{told}");
    assert!(!told.contains("user") && !told.contains("ss@"), "{told}");

    let excepted = client(proxies().local_addresses(true).except("127.0.0.0/8"));
    assert_eq!(call(&invoker(&url, excepted)).await.unwrap(), b"body");
}

/// What is no call of a function goes over the same connections, with the same limits and words.
#[tokio::test]
async fn any_request_can_be_sent() {
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::byte_stream::ByteStream;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        for answer in [
            "HTTP/1.1 404 No\r\ncontent-length: 2\r\n\r\nno",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nno",
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(&mut stream);
            reader.read_line(&mut line).await.unwrap();
            assert_eq!(line, "PUT / HTTP/1.1\r\n");
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).await.unwrap();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let client = HttpClient::builder().no_roots().build().unwrap();
    let request = || http::Request::put(&url).body(SdkBody::empty()).unwrap();
    let limit = std::time::Duration::from_secs(10);
    let answer = client.send(request(), limit).await.unwrap();
    assert_eq!(answer.status(), 404);
    let collected = ByteStream::new(answer.into_body()).collect().await.unwrap();
    assert_eq!(collected.into_bytes(), "no");
    // A body that is cut is no whole one.
    let answer = client.send(request(), limit).await.unwrap();
    assert!(ByteStream::new(answer.into_body()).collect().await.is_err());
    server.await.unwrap();
    let error = client.send(request(), limit).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unreachable, "{error}");
}
