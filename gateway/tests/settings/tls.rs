//! A certificate and its key make connections private, for HTTP/1.1 and HTTP/2, and are read again at a reload.

use crate::support::{ANYWHERE, Folder, Gate, aws, certificate, curl, curl_until, route, service};

#[tokio::test(flavor = "multi_thread")]
async fn clients_choose_their_protocol_and_certificates_are_renewed() {
    let service = service().await;
    let folder = Folder::new();
    let (first, key) = certificate();
    folder.write("c.pem", &first);
    folder.write("k.pem", key);
    let first = folder.write("first.pem", first);
    let tls = "tls = { certificate = \"c.pem\", key = \"k.pem\" }\n";
    folder
        .write("gateway.toml", format!("{ANYWHERE}{tls}{}{}", aws(&service), route("/now", "one")));
    let program = folder.run();
    assert!(program.said[0].starts_with("listening on https://127.0.0.1:"), "{:?}", program.said);
    let url = program.url("/now");
    let trusting = |file: &std::path::Path| format!("--cacert {}", file.display());
    for (protocol, spoken) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let flags = format!("{} {protocol} -w %{{http_version}}", trusting(&first));
        let curled = curl(&flags, &url).await;
        assert_eq!((curled.code, curled.text), (Some(0), format!("one\n{spoken}")));
    }
    // 60: the certificate is not trusted.
    assert_eq!(curl("", &url).await.code, Some(60));
    // Whoever speaks without TLS is not answered.
    assert_ne!(curl("", &url.replace("https", "http")).await.code, Some(0));

    let gate = Gate::new().await;
    let (flags, gated) = (trusting(&first), format!("{url}?at={}", gate.address));
    let running = tokio::spawn(async move { curl(&flags, &gated).await });
    let waits = gate.function().await;
    let (second, key) = certificate();
    folder.replace("k.pem", key);
    folder.replace("c.pem", &second);
    let second = folder.write("second.pem", second);
    curl_until(&trusting(&second), &url, "one\n").await;
    assert_eq!(curl(&trusting(&first), &url).await.code, Some(60));
    drop(waits);
    assert_eq!(running.await.unwrap().text, "one\nwhole\n");
}
