//! A gateway that is told to stop lets answers come to their end for a while, and says when it does not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::support::{
    ANYWHERE, Folder, Gate, SOMEWHERE, arrived, aws, curl, route, service, until,
};

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
    folder
        .write("gateway.toml", format!("{ANYWHERE}shutdown_grace = \"10h\"\n{limits}{SOMEWHERE}"));
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

/// A place where credentials are looked for that gives none: its program ends with its folder.
fn waiting(folder: &Folder) -> String {
    std::fs::create_dir(folder.path(".aws")).unwrap();
    folder.write(".aws/config", "[default]\ncredential_process = sh wait.sh\n");
    folder.write("wait.sh", "touch asked; while [ -e asked ]; do sleep 0.1; done\n");
    format!("{ANYWHERE}[aws]\nregion = \"eu-west-1\"\n{}", route("/", "f"))
}

#[tokio::test]
async fn a_signal_ends_what_is_not_yet_started() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let folder = Folder::new();
        folder.write("gateway.toml", waiting(&folder));
        let mut child = folder.command("run gateway.toml").spawn().unwrap();
        until(|| folder.path("asked").exists().then_some(())).await.expect("it asks");
        let sent = Command::new("kill").arg(signal).arg(child.id().to_string()).status();
        assert!(sent.unwrap().success());
        let ended = until(|| child.try_wait().unwrap()).await.expect("it ends");
        assert_eq!(ended.code(), Some(code));
    }
}

#[tokio::test]
async fn a_signal_ends_a_gateway_that_reloads() {
    let folder = Folder::new();
    folder.write("gateway.toml", format!("{ANYWHERE}{SOMEWHERE}"));
    let mut program = folder.run();
    let waiting = waiting(&folder);
    folder.replace("gateway.toml", waiting);
    until(|| folder.path("asked").exists().then_some(())).await.expect("it asks");
    program.signal("-TERM");
    assert_eq!(program.ends().await.code(), Some(0));
    assert!(!program.told().contains("anew"), "{}", program.told());
}
