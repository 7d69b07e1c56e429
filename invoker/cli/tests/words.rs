//! Transfers come in; what is said of them on stderr while they go, and at their end, comes out.

mod support;

use serde_json::Value;
use support::scripted::{Endpoint, chunk, complete, stream};
use support::{CREDENTIALS, Home, Ran, failing_function, pattern, ready_function};

/// Each line of stderr as JSON.
#[track_caller]
fn documents(ran: &Ran) -> Vec<Value> {
    let lines = ran.stderr.lines();
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[test]
fn without_a_terminal_there_is_one_line_at_the_end_and_no_noise() {
    let home = Home::new();
    for flags in ["", "--progress auto", "--progress bar", "--progress plain", "--progress none"] {
        let ran = home.run(&format!("get local: 6MiB -o out {flags}")).succeeded();
        assert_eq!(ran.stderr.lines().count(), 1, "{flags}: {:?}", ran.stderr);
        assert!(ran.stderr.starts_with("6MiB: 6.00 MiB in "), "{flags}: {:?}", ran.stderr);
        assert!(!ran.stderr.contains(['\r', '\u{1b}']), "{flags}: {:?}", ran.stderr);
        assert!(ran.stdout.is_empty());
    }
    for flags in ["-q", "-q --progress plain", "-q --progress json --report r.json"] {
        let ran = home.run(&format!("get local: 6MiB -o out {flags}")).succeeded();
        let said = ran.stderr.lines().filter(|line| !line.contains("\"result\"")).count();
        assert_eq!(said, 0, "{flags}: {:?}", ran.stderr);
    }
    // Errors are no words to be quiet about.
    home.run("get local: huge -o none -q").failed(3, &["404"]);
}

#[test]
fn programs_get_lines_of_json() {
    let home = Home::new();
    let ran = home.run("cat local: 6MiB --progress json").succeeded();
    assert_eq!(ran.stdout, pattern(0..6 << 20));
    let told = documents(&ran);
    let (last, before) = told.split_last().unwrap();
    assert!(!before.is_empty());
    for document in before {
        assert_eq!(document["event"], "progress", "{document}");
        for name in ["elapsed_ms", "bytes", "bytes_per_second", "in_flight", "retries"] {
            assert!(document[name].is_number(), "{name}: {document}");
        }
    }
    assert_eq!((&last["event"], &last["bytes"]), (&"result".into(), &(6 << 20).into()));
    assert_eq!(last["integrity"]["status"], "verified");

    let ran = home.run("get local: 6MiB -o out --json --report r.json").succeeded();
    let told = documents(&ran);
    let mut report = home.json("r.json");
    report["event"] = "result".into();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["crc64nvme"], report["crc64nvme"]);
    assert_eq!(told[0].as_object().unwrap().len(), report.as_object().unwrap().len());
}

#[test]
fn a_failure_is_json_too_and_is_told_once() {
    let home = Home::new();
    let ran = home.run("get local: huge -o out --json");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let told = documents(&ran);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["error"]["kind"], &told[0]["resumable"]),
        (&"Answer".into(), &false.into())
    );

    let fault = "-q --fault cut=100000:reset,on=2-";
    let local = home.local(fault, &[("files", ready_function("pattern"))]);
    let line = "files 20MiB -o out --in-flight 1 --retries 0 --json -q";
    let ran = local.invoker(&home, "get", line).run();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let told = documents(&ran);
    assert_eq!((told.len(), &told[0]["resumable"]), (1, &true.into()));
    assert_eq!(told[0]["error"]["exit_code"], 4);
    let command = told[0]["resume_command"].as_str().unwrap();
    assert!(command.starts_with("invoker resume out "), "{command}");
}

#[test]
fn each_invocation_is_told_if_that_is_wanted() {
    let home = Home::new();
    let ran = home.run("get local: 12MiB -o out -v").succeeded();
    let told: Vec<_> = ran.stderr.lines().filter(|line| line.contains("outcome=")).collect();
    assert_eq!(told.len(), 3, "{}", ran.stderr);
    for range in ["bytes=0-5242879", "bytes=5242880-10485759", "bytes=10485760-12582911"] {
        let line = told.iter().find(|line| line.contains(range)).unwrap();
        for name in ["request_id=", "first_byte_ms=", "bytes=", "bytes_per_second=", "outcome="] {
            assert!(line.contains(name), "no {name} in {line}");
        }
    }
    assert!(ran.stderr.lines().all(|line| !line.contains('\u{1b}')), "{}", ran.stderr);

    let fault = "-q --fault cut=100000:reset,on=2";
    let local = home.local(fault, &[("files", ready_function("pattern"))]);
    let ran = local.invoker(&home, "get", "files 12MiB -o out -v").run().succeeded();
    assert!(ran.stderr.contains("outcome=\"Truncated\""), "{}", ran.stderr);
    assert!(ran.stderr.contains("is repeated"), "{}", ran.stderr);

    let more = home.run("get local: 1MiB -o more -vv").succeeded();
    assert!(more.stderr.contains("the answer has begun"), "{}", more.stderr);
    let none = home.invoker("get local: 1MiB -o none -v").env("RUST_LOG", "off").run().succeeded();
    assert_eq!(none.stderr.lines().count(), 1, "{}", none.stderr);
    let set = home.invoker("get local: 1MiB -o set").env("RUST_LOG", "invoker=debug").run();
    assert!(set.succeeded().stderr.contains("faas.invoke{"));
}

#[test]
fn the_end_of_the_log_is_told_of_plain_streams_and_of_failures() {
    let home = Home::new();
    let local =
        home.local("-q", &[("f", failing_function()), ("files", ready_function("pattern"))]);
    for (payload, code, words) in [
        (r#"{"fail": "never", "after": 10}"#, 0, "REPORT RequestId"),
        (r#"{"fail": "error", "after": 10}"#, 3, "REPORT RequestId"),
        (r#"{"fail": "panic"}"#, 3, "a test wants it"),
    ] {
        let cat = || local.invoker(&home, "cat", "f -q --retries 0 -p").arg(payload);
        let ran = cat().arg("--log-tail").run();
        assert_eq!(ran.code, Some(code), "{payload}: {}", ran.stderr);
        let told = ran.stderr.find("the end of the function's log, request ");
        let words = ran.stderr.find(words);
        assert!(told.is_some() && told < words, "{payload}: {}", ran.stderr);
        assert!(!cat().run().stderr.contains("RequestId"), "nobody asked");
        let ran = cat().args_of("--log-tail --json").run();
        let told = documents(&ran);
        assert_eq!(told[0]["event"], "log", "{told:?}");
        assert!(told[0]["text"].as_str().unwrap().contains("REPORT RequestId"));
    }
    // Segments that come well have nothing to tell.
    let ran = local.invoker(&home, "get", "files 12MiB -q -o out --log-tail").run().succeeded();
    assert_eq!(ran.stderr, "");
}

/// What a function writes is not to move a cursor.
#[test]
fn a_log_has_no_power_over_the_terminal() {
    let home = Home::new();
    // "\x1b[2Jgone\n" in base64.
    let end = complete(r#"{"LogResult": "G1sySmdvbmUK"}"#);
    let function = Endpoint::start(move |_| stream(&[chunk(b"x"), end.clone()]));
    let line = format!("cat f --log-tail --endpoint-url {}", function.url);
    let ran = home.invoker(&line).envs(&CREDENTIALS).run().succeeded();
    assert!(
        ran.stderr.contains("   [2Jgone") && !ran.stderr.contains('\u{1b}'),
        "{:?}",
        ran.stderr
    );
}

#[test]
fn a_dry_run_asks_and_runs_nothing() {
    let home = Home::new();
    let local = home.local("-q", &[("f", failing_function())]);
    let ran = local.invoker(&home, "get", "f x -o out --dry-run").run().succeeded();
    assert!(ran.stderr.contains("f is there") && ran.stderr.contains("nothing was run"));
    let ran = local.invoker(&home, "cat", "f -p {} --dry-run -q").run().succeeded();
    assert!(ran.stderr.is_empty() && ran.stdout.is_empty());
    local.invoker(&home, "get", "g x -o out --dry-run -q").run().failed(254, &["g", "name"]);
    home.run("get f x --dry-run").failed(253, &["region"]);
    assert!(home.names().is_empty(), "{:?}", home.names());

    let refused = br#"{"Message": "not allowed"}"#;
    let service = Endpoint::answering(move |_, call| {
        assert_eq!(call.header("x-amz-invocation-type"), Some("DryRun"));
        let head = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\nx-amzn-errortype: \
                    AccessDeniedException\r\ncontent-type: application/json\r\n\r\n";
        [head.as_bytes(), refused].concat()
    });
    let line = format!("get f x --dry-run -q --endpoint-url {}", service.url);
    let ran = home.invoker(&line).envs(&CREDENTIALS).run();
    ran.failed(254, &["AccessDeniedException", "lambda:InvokeFunction"]);
    let ignorant = Endpoint::start(|_| stream(&[chunk(b"x"), complete("{}")]));
    let line = format!("get f x --dry-run -q --endpoint-url {}", ignorant.url);
    home.invoker(&line).envs(&CREDENTIALS).run().failed(5, &["knows no dry run"]);
}

#[test]
fn what_travels_beside_the_payload_arrives() {
    let home = Home::new();
    home.write("context.json", r#"{"env": {"locale": "zh"}, "custom": {"a": "1"}}"#);
    let service = Endpoint::answering(|_, call| {
        let told = serde_json::json!({
            "context": call.context(),
            "tenant": call.header("x-amz-tenant-id"),
            "payload": call.payload,
        });
        stream(&[chunk(told.to_string().as_bytes()), complete("{}")])
    });
    for context in ["@context.json", r#"{"env":{"locale":"zh"},"custom":{"a":"1"}}"#] {
        let line = format!(
            "cat f -q -p {{\"x\":1}} --tenant-id blue --endpoint-url {} --client-context",
            service.url
        );
        let ran = home.invoker(&line).arg(context).envs(&CREDENTIALS).run().succeeded();
        let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(told["context"]["env"]["locale"], "zh", "{told}");
        assert_eq!(told["context"]["custom"]["a"], "1", "{told}");
        assert!(told["context"]["custom"]["range"].is_string(), "{told}");
        assert_eq!((&told["tenant"], &told["payload"]["x"]), (&"blue".into(), &1.into()));
    }
    for wrong in ["[1]", "{", "-", "@nowhere"] {
        let ran = home.invoker("cat f x -q --region r --client-context").arg(wrong).run();
        assert!(matches!(ran.code, Some(2 | 9 | 253)), "{wrong}: {}", ran.stderr);
    }
}

#[test]
fn a_result_keeps_its_name_in_a_folder_and_nothing_is_overwritten() {
    let home = Home::new();
    home.write("source/a/b.txt", "hello");
    home.write("into/x", "");
    home.run("get local:source a/b.txt -q -o into").succeeded();
    home.run("get local:source a/b.txt -q -o into/").succeeded();
    assert_eq!(home.read("into/b.txt"), b"hello");
    home.write("into/b.txt", "mine");
    let ran = home.run("get local:source a/b.txt -o into --no-clobber").succeeded();
    assert!(ran.stderr.contains("into/b.txt is there already"), "{}", ran.stderr);
    assert_eq!(home.read("into/b.txt"), b"mine");
    home.write("r.json", "of an earlier run");
    let line = "get local:source a/b.txt -o into --no-clobber --report r.json --json";
    let told: serde_json::Value = serde_json::from_str(&home.run(line).succeeded().stderr).unwrap();
    for document in [told, home.json("r.json")] {
        assert_eq!(document["object"], "a/b.txt");
        assert!(document["skipped"].as_str().unwrap().contains("into/b.txt is there already"));
    }
    home.run("get local:source a/b.txt -o other --no-clobber").succeeded();
    assert_eq!(home.read("other"), b"hello");
    // Stdout is no file, whatever there is of that name.
    home.write("-", "mine");
    let ran = home.run("get local:source a/b.txt -q -o - --no-clobber").succeeded();
    assert_eq!(ran.stdout, b"hello");
}
