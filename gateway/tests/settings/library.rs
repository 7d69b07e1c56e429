//! The library's own way: start, reload, shutdown, without a program around it.

use std::time::Duration;

use stream_gateway::{Config, Error, Gateway};

use crate::support::{SOMEWHERE, curl};

fn config(text: &str) -> Config {
    Config::parse(&format!("{text}{SOMEWHERE}"), "gateway.toml").unwrap()
}

const STATUS: &str = "-o /dev/null -w %{http_code}";

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_started_reloaded_and_ended() {
    let listen = "listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n";
    let gateway = Gateway::start(config(listen)).await.unwrap();
    assert_eq!((gateway.addrs().len(), gateway.addrs()[0]), (2, gateway.addr()));
    let admin = format!("http://{}", gateway.admin_addr().unwrap());
    let url = format!("http://{}/", gateway.addr());
    assert_eq!(curl(STATUS, &url).await.text, "404");
    for (path, status) in
        [("/metrics", "200"), ("/healthz", "200"), ("/readyz", "200"), ("/", "404")]
    {
        assert_eq!(curl(STATUS, &format!("{admin}{path}")).await.text, status, "{path}");
    }
    assert_eq!(curl(&format!("{STATUS} -X POST"), &format!("{admin}/metrics")).await.text, "405");

    let same = gateway.reload(config(listen)).await.unwrap();
    assert!(same.needs_restart.is_empty(), "{same:?}");
    let other = gateway.reload(config("admin = \"127.0.0.1:1\"\n")).await.unwrap();
    assert_eq!(other.needs_restart.len(), 2, "{other:?}");
    let refused =
        gateway.reload(config("tls = { certificate = \"no.pem\", key = \"no.pem\" }\n")).await;
    assert!(
        matches!(&refused, Err(Error::Configuration(complaints))
        if complaints.to_string().starts_with("gateway.toml:1: the certificate no.pem")),
        "{refused:?}"
    );
    gateway.reload_refused();
    let metrics = gateway.metrics().render();
    assert!(metrics.contains("reloads_total{result=\"ok\"} 2\n"), "{metrics}");
    assert!(metrics.contains("reloads_total{result=\"refused\"} 2\n"), "{metrics}");
    assert_eq!(curl(STATUS, &url).await.text, "404");

    let cut = gateway.shutdown(Duration::from_secs(60)).await;
    assert_eq!(cut.exchanges, 0);
    assert_eq!(curl(STATUS, &url).await.code, Some(7)); // nobody is there
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = Gateway::start(config(&format!("listen = \"{address}\"\n"))).await;
    let told = refused.err().unwrap().to_string();
    assert!(told.starts_with(&format!("cannot listen on {address}: ")), "{told}");
}
