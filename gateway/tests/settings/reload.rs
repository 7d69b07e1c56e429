//! A file that changes is served to new requests, while answers under way go on; a bad one changes nothing.

use crate::support::{
    ANYWHERE, Curled, Folder, Gate, Program, SOMEWHERE, aws, certificate, curl, curl_until, route,
    service,
};

/// Asks for an answer that stands at `gate`.
fn stream(program: &Program, gate: &Gate) -> tokio::task::JoinHandle<Curled> {
    let url = program.url(&format!("/now?at={}", gate.address));
    tokio::spawn(async move { curl("", &url).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_answer_goes_on_while_new_requests_see_the_new_route() {
    let service = service().await;
    let folder = Folder::new();
    let file = |function| format!("{ANYWHERE}{}{}", aws(&service), route("/now", function));
    folder.write("gateway.toml", file("one"));
    let program = folder.run();
    let gate = Gate::new().await;
    let running = stream(&program, &gate);
    let waits = gate.function().await;

    folder.replace("gateway.toml", file("two"));
    curl_until("", &program.url("/now"), "two\n").await;

    drop(waits);
    let ran = running.await.unwrap();
    assert_eq!((ran.code, ran.text.as_str()), (Some(0), "one\nwhole\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_told_and_counted_and_the_old_routes_go_on() {
    let service = service().await;
    let folder = Folder::new();
    let first = format!("{ANYWHERE}admin = \"127.0.0.1:0\"\n");
    let file = |rest: &str| format!("{first}{}{rest}", aws(&service));
    folder.write("gateway.toml", file(&route("/now", "one")));
    let program = folder.run();
    let admin = program.said[1].trim_start_matches("metrics and health on ").to_owned();
    let url = program.url("/now");

    // By watching: written in place, and not even TOML. By SIGHUP: a file that is as it was.
    folder.write("gateway.toml", file("\n\n[[routes]\n"));
    program.tells("gateway.toml:8: ").await;
    program.tells("goes on with what it had").await;
    curl_until("", &url, "one\n").await;

    let tls = "[tls]\ncertificate = \"no.pem\"\nkey = \"no.pem\"\n";
    folder.write("gateway.toml", file(&format!("{tls}{SOMEWHERE}")));
    program.tells("gateway.toml:7: the certificate no.pem cannot be read").await;
    curl_until("", &url, "one\n").await;

    folder.write("gateway.toml", file(&route("/now", "two")));
    curl_until("", &url, "two\n").await;
    let metrics = curl("", &format!("{admin}/metrics")).await.text;
    assert!(metrics.contains("stream_gateway_reloads_total{result=\"ok\"} 1\n"), "{metrics}");
    // An editor's steps may be seen one by one.
    let refused = metrics.lines().find(|line| line.contains("result=\"refused\"")).unwrap();
    let refused: u32 = refused.rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(refused >= 2, "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reads_the_file_again() {
    let service = service().await;
    let folder = Folder::new();
    folder.write("gateway.toml", format!("{ANYWHERE}{}{}", aws(&service), route("/now", "one")));
    let program = folder.run();
    curl_until("", &program.url("/now"), "one\n").await;
    program.signal("-HUP");
    program.tells("serves gateway.toml anew").await;
    curl_until("", &program.url("/now"), "one\n").await;
}

/// A file that is being written, say.
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_file_is_not_taken() {
    let service = service().await;
    let folder = Folder::new();
    let whole = format!("{ANYWHERE}{}{}", aws(&service), route("/now", "one"));
    folder.write("gateway.toml", &whole);
    let program = folder.run();
    for cut in ["", &whole[..whole.find("[[routes]]").unwrap()]] {
        folder.replace("gateway.toml", cut);
        program.signal("-HUP");
        program.tells("gateway.toml: there is no route in it").await;
        assert_eq!(curl("", &program.url("/now")).await.text, "one\n");
        let output = folder.output("check gateway.toml");
        assert_eq!(output.status.code(), Some(2));
    }
    assert_eq!(folder.output("run gateway.toml").status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_addresses_need_a_restart() {
    let folder = Folder::new();
    folder.write("gateway.toml", format!("{ANYWHERE}{SOMEWHERE}"));
    let program = folder.run();
    folder.replace("gateway.toml", format!("listen = \"127.0.0.2:0\"\n{SOMEWHERE}"));
    program.tells("gateway.toml: listen has changed, which takes a restart").await;
    assert_eq!(curl("-o /dev/null -w %{http_code}", &program.url("/")).await.text, "404");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_addresses_answer_and_one_flag_takes_their_place() {
    let folder = Folder::new();
    let listen = "listen = [\"127.0.0.1:0\", \"127.0.0.2:0\"]\n";
    folder.write("gateway.toml", format!("{listen}{SOMEWHERE}"));
    let program = folder.run();
    assert_eq!(program.said.len(), 2, "{:?}", program.said);
    for said in &program.said {
        let url = said.trim_start_matches("listening on ");
        assert_eq!(curl("-o /dev/null -w %{http_code}", url).await.text, "404");
    }
    let program = Program::start(folder.command("run gateway.toml --listen 127.0.0.3:0"));
    assert_eq!(program.said.len(), 1);
    assert!(program.said[0].starts_with("listening on http://127.0.0.3:"), "{:?}", program.said);
}

/// Of other certificates in the same file, in whichever way it is named.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_trusted_are_read_again() {
    let route =
        "[[routes]]\npath = \"/\"\nauthorizer = \"none\"\nhttp = { url = \"https://h/\" }\n";
    for (setting, variable, named) in [
        ("ca_bundle = \"roots.pem\"\n", "", "gateway.toml:3: ca_bundle roots.pem: "),
        ("", "roots.pem", "AWS_CA_BUNDLE roots.pem: "),
    ] {
        let folder = Folder::new();
        let (first, _) = certificate();
        folder.write("roots.pem", first);
        folder.write("gateway.toml", format!("{ANYWHERE}[aws]\n{setting}{route}"));
        let mut command = folder.command("run gateway.toml");
        command.env("AWS_CA_BUNDLE", variable);
        let program = Program::start(command);
        folder.replace("roots.pem", "nothing to trust");
        program.tells(named).await;
        program.tells("goes on with what it had").await;
        let (second, _) = certificate();
        folder.replace("roots.pem", second);
        program.tells("serves gateway.toml anew").await;
    }
}
