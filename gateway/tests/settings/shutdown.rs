//! A gateway that is told to stop lets answers come to their end for a while, and says when it does not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{ANYWHERE, Folder, Gate, arrived, aws, curl, route, service, until};

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_to_their_end_and_nobody_new_is_let_in() {
    let service = service().await;
    let folder = Folder::new();
    let file = format!(
        "{ANYWHERE}admin = \"127.0.0.1:0\"\nshutdown_grace = \"10m\"\n{}{}",
        aws(&service),
        route("/now", "one")
    );
    folder.write("gateway.toml", file);
    let mut program = folder.run();
    let admin = program.said[1].trim_start_matches("metrics and health on ").to_owned();
    let ready = async || {
        let flags = "-o /dev/null -w %{http_code}";
        let (health, ready) = (format!("{admin}/healthz"), format!("{admin}/readyz"));
        (curl(flags, &health).await.text, curl(flags, &ready).await.text)
    };
    assert_eq!(ready().await, ("200".into(), "200".into()));
    let gate = Gate::new().await;
    let mut running = Vec::new();
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let url = program.url(&format!("/now?at={}", gate.address));
        let curled = tokio::spawn(async move { curl(protocol, &url).await });
        running.push((gate.function().await, curled));
    }

    program.signal("-TERM");
    let address = program.address().to_owned();
    until(|| TcpStream::connect(&address).is_err().then_some(())).await.expect("the door closes");
    assert_eq!(ready().await, ("200".into(), "503".into()));
    for (waits, curled) in running {
        drop(waits);
        let curled = curled.await.unwrap();
        assert_eq!((curled.code, curled.text.as_str()), (Some(0), "one\nwhole\n"));
    }
    assert_eq!(program.ends().await.code(), Some(0), "{}", program.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_grace_answers_are_cut_and_look_so() {
    let service = service().await;
    let folder = Folder::new();
    let file =
        format!("{ANYWHERE}shutdown_grace = \"200ms\"\n{}{}", aws(&service), route("/now", "one"));
    folder.write("gateway.toml", file);
    for (signal, code, protocol) in
        [("-TERM", 143, "--http1.1"), ("-INT", 130, "--http2-prior-knowledge")]
    {
        let mut program = folder.run();
        let gate = Gate::new().await;
        let file = folder.path("answer");
        let url = program.url(&format!("/now?at={}", gate.address));
        let flags = format!("{protocol} -o {}", file.display());
        let curled = tokio::spawn(async move { curl(&flags, &url).await });
        let _waits = gate.function().await;
        arrived(&file, "one\n").await;
        program.signal(signal);
        assert_eq!(program.ends().await.code(), Some(code), "{}", program.told());
        assert!(program.tells("cut 1 answers").await.contains("cut 1 answers"));
        let curled = curled.await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\n");
        std::fs::remove_file(file).unwrap();
        // Of a connection that is gone, curl says different things.
        assert!([16, 18, 55, 56, 92].contains(&curled.code.unwrap()), "{:?}", curled.code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_cuts_at_once() {
    let service = service().await;
    let folder = Folder::new();
    let file =
        format!("{ANYWHERE}shutdown_grace = \"10h\"\n{}{}", aws(&service), route("/now", "one"));
    folder.write("gateway.toml", file);
    let mut program = folder.run();
    let gate = Gate::new().await;
    let file = folder.path("answer");
    let url = program.url(&format!("/now?at={}", gate.address));
    let flags = format!("-o {}", file.display());
    let curled = tokio::spawn(async move { curl(&flags, &url).await });
    let _waits = gate.function().await;
    arrived(&file, "one\n").await;
    program.signal("-TERM");
    program.tells("have 36000 s").await;
    program.signal("-TERM");
    assert_eq!(program.ends().await.code(), Some(143));
    assert_eq!(curled.await.unwrap().code, Some(18));
}

/// Heads that are half sent, connections that have nothing to do, and none of them waits for the grace.
#[tokio::test(flavor = "multi_thread")]
async fn connections_without_an_exchange_end_at_once() {
    let folder = Folder::new();
    let limits = "[limits]\nheader_read_timeout = \"10m\"\n";
    folder.write("gateway.toml", format!("{ANYWHERE}shutdown_grace = \"10h\"\n{limits}"));
    let request = "GET /nowhere HTTP/1.1\r\nhost: h\r\n\r\n";
    for said in [
        "".to_owned(),
        "GET / HTTP/1.1\r\nho".to_owned(),
        request.to_owned(),
        format!("{request}GET / HTTP/1.1\r\nho"),
        "PRI * HTTP/2.0\r\n\r\nSM".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_owned(),
    ] {
        let mut program = folder.run();
        let mut client = TcpStream::connect(program.address()).unwrap();
        client.write_all(said.as_bytes()).unwrap();
        if said.starts_with(request) {
            let mut answer = Vec::new();
            while !answer.ends_with(b"}") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                answer.extend(byte);
            }
        } else {
            // A connection that comes later is served: the one before it was taken.
            curl("", &program.url("/nowhere")).await;
        }
        program.signal("-TERM");
        assert_eq!(program.ends().await.code(), Some(0), "{said:?}: {}", program.told());
    }
}
