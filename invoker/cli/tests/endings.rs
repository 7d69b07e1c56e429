//! Results that do not become whole come in: functions that fail, a wire that breaks, signals; the exit
//! code of that ending comes out, and no file.

mod support;

use support::scripted::{Endpoint, chunk, complete, partial, stream};
use support::{Home, failing_function};

/// More than one frame, less than a pipe holds for a reader who is late.
const BEFORE: usize = 20_000;

#[test]
fn a_function_that_fails_is_told_by_type_and_message() {
    let home = Home::new();
    let local = home.local("-q", &[("f", failing_function())]);
    for (how, words) in [
        ("early", &["Function.NothingToday", "the cupboard is bare"][..]),
        ("error", &["Function.OutOfRows", "row 7 cannot be read"]),
        ("panic", &["Function.Panic"]),
        ("exit", &["Runtime.ExitError", "exit status 7"]),
    ] {
        let payload = format!(r#"{{"fail": "{how}", "after": {BEFORE}}}"#);
        for rest in ["f -q -o out -p", "f -q --no-segments -o out -p"] {
            local.invoker(&home, "get", rest).arg(&payload).run().failed(3, words);
            assert!(home.names().is_empty(), "{how}: {:?}", home.names());
        }
        let cat = local.invoker(&home, "cat", "f -q -p").arg(&payload).run().failed(3, words);
        assert!(cat.stdout.iter().all(|&byte| byte == b'x'), "{how}: more than data");
        let report = "f -q -o out --report report.json -p";
        local.invoker(&home, "get", report).arg(&payload).run().failed(3, words);
        assert_eq!(home.json("report.json")["error"]["kind"], "Function");
        std::fs::remove_file(home.path("report.json")).unwrap();
    }
}

/// Rows that were found before the query broke are the caller's, however late he reads them.
#[test]
fn what_came_before_a_failure_is_on_stdout() {
    /// More than a pipe holds, and little enough for the failure to be known before it is read.
    const WAITING: usize = 120_000;
    let home = Home::new();
    let local = home.local("-q", &[("f", failing_function())]);
    let payload = format!(r#"{{"fail": "error", "after": {WAITING}}}"#);
    let cat = || local.invoker(&home, "cat", "f -q -p").arg(&payload);
    let late = cat().start();
    // Nobody reads the first one while the second one runs from its beginning to its end.
    for (who, ran) in [("at once", cat().run()), ("late", late.wait())] {
        let ran = ran.failed(3, &["Function.OutOfRows"]);
        assert_eq!(ran.stdout.len(), WAITING, "read {who}");
    }
}

#[test]
fn a_function_that_takes_too_long_has_failed() {
    let home = Home::new();
    let local = home.local("-q --timeout 1", &[("f", failing_function())]);
    for (how, error_type) in [("hang", "Function.DeadlineExceeded"), ("block", "Sandbox.Timedout")]
    {
        for after in [0, BEFORE] {
            let payload = format!(r#"{{"fail": "{how}", "after": {after}}}"#);
            let get = local.invoker(&home, "get", "f -q -o out -p").arg(&payload);
            get.run().failed(3, &[error_type]);
            assert!(home.names().is_empty(), "{how} after {after}");
        }
    }
}

/// An endpoint that answers with these bytes of an event stream, whatever it is asked.
fn answering(bytes: Vec<u8>) -> Endpoint {
    Endpoint::start(move |_| bytes.clone())
}

#[test]
fn a_body_that_is_cut_is_truncated() {
    let home = Home::new();
    let whole = stream(&[chunk(b"some bytes"), complete("{}")]);
    let cut_at = |end: usize| whole[..end].to_vec();
    let complete_len = complete("{}").len();
    for (where_, bytes) in [
        ("before the first frame", stream(&[])),
        ("between two frames", cut_at(whole.len() - complete_len)),
        ("in the prelude of a frame", cut_at(whole.len() - complete_len + 5)),
        ("behind the prelude", cut_at(whole.len() - complete_len + 12)),
        ("one byte before the end", cut_at(whole.len() - 1)),
    ] {
        let cut = answering(bytes);
        let line = format!("-q -p {{}} --retries 0 --endpoint-url {}", cut.url);
        let get = home.run(&format!("get f -o out {line}"));
        assert_eq!(get.code, Some(4), "{where_}: {}", get.stderr);
        get.failed(4, &[]);
        home.run(&format!("cat f {line}")).failed(4, &[]);
        assert!(home.names().is_empty(), "{where_}");
    }
    let few =
        stream(&[chunk(&[&partial(0, 99, 100, "\"a\"")[..], b"few"].concat()), complete("{}")]);
    let line = format!("-q -p {{}} --retries 0 --endpoint-url {}", answering(few).url);
    home.run(&format!("get f -o out {line}")).resumable(4, &["3 of the 100 bytes"]);
    home.run(&format!("cat f {line}")).failed_with_data(4);
    let line = format!("cat f -q -p {{}} --endpoint-url {}", answering(whole).url);
    assert_eq!(home.run(&line).succeeded().stdout, b"some bytes");
}

#[test]
fn bytes_that_changed_on_their_way_are_not_taken() {
    let home = Home::new();
    let mut wrong = stream(&[chunk(b"some bytes"), complete("{}")]);
    let payload = wrong.windows(10).position(|ten| ten == b"some bytes").unwrap();
    wrong[payload] ^= 1;
    let service = answering(wrong);
    let line = format!("-q -p {{}} --retries 0 --endpoint-url {}", service.url);
    home.run(&format!("get f -o out {line}")).failed(5, &["checksum"]);
    let cat = home.run(&format!("cat f {line}")).failed(5, &[]);
    assert!(cat.stdout.is_empty(), "a byte that was not sent");

    let more = answering(stream(&[chunk(b"some"), complete("{}"), chunk(b"more")]));
    let line = format!("get f -o out -q -p {{}} --retries 0 --endpoint-url {}", more.url);
    home.run(&line).failed(5, &[]);
    let lied = [&partial(0, 3, 10, "\"a\"")[..], b"more than four"].concat();
    let lied = answering(stream(&[chunk(&lied), complete("{}")]));
    let line = format!("get f -o out -q -p {{}} --segment-size 4 --endpoint-url {}", lied.url);
    home.run(&line).failed(5, &[]);
    assert!(home.names().is_empty());
}

#[test]
fn an_object_that_changes_is_not_spliced() {
    let home = Home::new();
    let service = Endpoint::start(|number| {
        let (first, etag) = if number == 0 { (0, "\"a\"") } else { (5, "\"b\"") };
        let body = [&partial(first, first + 4, 10, etag)[..], b"12345"].concat();
        stream(&[chunk(&body), complete("{}")])
    });
    let line = format!("get f x -o out -q --segment-size 5 --endpoint-url {}", service.url);
    home.run(&line).failed(6, &["\"a\"", "\"b\"", "--restart"]);
    assert!(!home.path("out").exists());
}

#[cfg(unix)]
#[test]
fn a_signal_ends_one_that_nobody_reads() {
    let home = Home::new();
    let mut running = home.invoker("cat local: 64MiB -q").start();
    let mut stdout = running.stdout();
    std::io::Read::read_exact(&mut stdout, &mut [0; 1]).unwrap();
    // The pipe is full from here on, and stays open.
    running.signal("INT");
    running.wait().failed(130, &["signal 2"]);
    drop(stdout);
}
