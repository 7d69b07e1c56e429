//! Mistakes of all kinds come in; one line that says what, where and what to do, the right exit code,
//! and no file come out.

mod support;

use std::net::TcpListener;

use support::scripted::{Endpoint, http};
use support::{CREDENTIALS, Home, ready_function};

/// Nobody listens on the port of tcpmux.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn what_cannot_be_typed_is_explained() {
    let home = Home::new();
    for (line, words) in [
        ("", &["Usage"][..]),
        ("fetch x", &["fetch", "there are get, cat"]),
        ("inspct x", &["'inspct'", "'inspect'"]),
        (
            "get x --segmnt-size 5MiB",
            &["'--segmnt-size'", "'--segment-size'", "invoker get --help"],
        ),
        ("get", &["FUNCTION"]),
        ("get local: 5 -p {}", &["--payload", "OBJECT"]),
        ("get local: 5 --range 5", &["'5'", "--range", "FIRST-LAST"]),
        ("get local: 5 --range 5-4", &["'5-4'", "before"]),
        ("get local: 5 --range -0", &["'-0'"]),
        ("get local: 5 --range a-b", &["'a-b'"]),
        ("cat local: 5 --segment-size 0", &["'0'", "--segment-size", "5MiB"]),
        ("cat local: 5 --segment-size five", &["'five'", "5MiB"]),
        ("cat local: 5 --memory-limit lots", &["--memory-limit", "5MiB"]),
        ("get local: 5 --in-flight 0", &["'0'", "--in-flight", "above 0"]),
        ("get local: 5 --in-flight many", &["'many'"]),
        ("get local: 5 --retries often", &["--retries"]),
        ("get local: 5 --idle-timeout 0", &["'0'", "--idle-timeout", "seconds"]),
        ("get local: 5 --first-byte-timeout soon", &["'soon'"]),
        ("inspect local: 5 --segment-size 0", &["--segment-size"]),
        ("local", &["--function"]),
        ("local --function made", &["'made'", "NAME=COMMAND"]),
        ("local --function =made", &["NAME=COMMAND"]),
        ("local --function made=", &["NAME=COMMAND"]),
        ("local --function f=x --listen somewhere", &["'somewhere'", "IP:PORT"]),
        ("local --function f=x --listen 127.0.0.1:99999", &["IP:PORT"]),
        ("local --function f=x --limits none", &["'none'", "aws", "off"]),
        ("local --function f=x --timeout 0", &["--timeout"]),
    ] {
        let ran = home.run(line);
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{line}");
        let one = ran.stderr.lines().count() == 1 && ran.stderr.starts_with("invoker: ");
        assert!(one || line.is_empty(), "{line}: {}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{line}: no {word:?} in\n{}", ran.stderr);
        }
        assert!(home.names().is_empty(), "{line}: {:?}", home.names());
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    let home = Home::new();
    for (line, word) in [
        ("--help", "Fetches streamed results"),
        ("get --help", "--max-in-flight"),
        ("get --help-all", "--segment-size"),
        ("help get", "--segment-size"),
        ("cat -h", "Examples"),
        ("local --help", "--limits"),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        let ran = home.run(line).succeeded();
        let text = String::from_utf8(ran.stdout).unwrap();
        assert!(text.contains(word) && ran.stderr.is_empty(), "{line}: {text}");
        assert!(!text.contains("serve-function"), "{line} tells what is nobody's business");
    }
}

#[test]
fn what_cannot_be_done_is_one_line() {
    let home = Home::new();
    home.write("source/file", "hello");
    for (line, code, words) in [
        ("get local:nowhere x -o out", 2, &["local:nowhere", "no such folder"][..]),
        ("get local:source/file x -o out", 2, &["local:source/file"]),
        ("get local:source -o out", 3, &["404"]),
        ("get local:source missing -o out", 3, &["404", "no such object"]),
        ("get local:source ../source/file -o out", 3, &["404"]),
        ("get local: huge -o out", 3, &["404", "256MiB"]),
        ("get local:source file --range 5- -o out", 3, &["416", "5"]),
        ("get local:source file --range 99-100 -o out", 3, &["416"]),
        ("get local: 0 --range -1 -o out", 3, &["416"]),
        ("inspect local: huge", 3, &["404"]),
        ("get local: 5 --endpoint-url http://127.0.0.1:9 -o out", 2, &["--endpoint-url", "local:"]),
        ("get local: -p {} ", 2, &["-o FILE", "-o -"]),
        ("get local: ..", 2, &["\"..\"", "-o"]),
        ("get local: a/", 2, &["\"a/\"", "-o"]),
        (
            "get f x -q -o out --region eu-west-1 --endpoint-url nonsense",
            2,
            &["nonsense", "http://"],
        ),
        ("get f x -q -o out --region eu-west-1 --endpoint-url ftp://x", 2, &["ftp://x"]),
        ("get local: 5 -o no/such/folder", 9, &["no/such/folder", "No such file"]),
        ("get local: 5 -o folder/", 9, &["folder/", "not found"]),
        ("get local: -p {} -o source", 2, &["source", "folder", "-o FILE"]),
        ("get local: .. -o source", 2, &["\"..\"", "-o FILE"]),
        ("get local: - ", 2, &["\"-\"", "-o FILE"]),
        ("get local: 5 -o source/file/x", 9, &["source/file/x"]),
        ("cat local: -p @nowhere.json", 9, &["nowhere.json"]),
        ("get f x -o out", 253, &["region", "--region", "AWS_REGION"]),
        ("inspect f x", 253, &["region"]),
    ] {
        let ran = home.run(line).failed(code, words);
        assert!(ran.stdout.is_empty(), "{line}");
        assert_eq!(home.names(), ["source"], "{line}");
    }
}

#[test]
fn a_caller_without_credentials_is_told_in_one_line() {
    let home = Home::new();
    let words = ["no credentials", "AWS_ACCESS_KEY_ID", "--profile"];
    for line in [
        "get f x -o out --region eu-west-1",
        "cat f x --region eu-west-1",
        "inspect f x --region eu-west-1 --endpoint-url https://lambda.example.invalid",
    ] {
        home.run(line).failed(253, &words);
        assert!(home.names().is_empty(), "{line}");
    }
}

#[test]
fn a_payload_that_is_not_json_is_pointed_at() {
    let home = Home::new();
    home.write("bad.json", "{\n  \"a\": oops\n}");
    let get = || home.invoker("get local: -o out -p");
    get().arg("{\"a\":").run().failed(2, &["-p", "line 1, column 5"]);
    get().arg("").run().failed(2, &["-p", "line 1, column 0"]);
    get().arg("@bad.json").run().failed(2, &["bad.json", "line 2, column "]);
    get().arg("-").stdin("[1, 2\n").run().failed(2, &["stdin", "line 2, column 0"]);
    get().arg("{} {}").run().failed(2, &["line 1, column 4"]);
    assert_eq!(home.names(), ["bad.json"]);
}

/// A setting of the environment is the user's too; and no message shows what was to be sent.
#[test]
fn a_bad_endpoint_in_the_environment_is_said_without_the_request() {
    let home = Home::new();
    for (variable, url) in
        [("AWS_ENDPOINT_URL_LAMBDA", "nonsense"), ("AWS_ENDPOINT_URL", "ftp://127.0.0.1:9")]
    {
        let cat = home.invoker(r#"cat f --retries 0 -p {"password":"open-sesame"}"#);
        let ran = cat.envs(&CREDENTIALS).env(variable, url).run();
        let stderr = &ran.stderr;
        assert!(!stderr.contains("sesame") && !stderr.contains("SdkBody"), "{variable}: {stderr}");
        assert!(matches!(ran.code, Some(2 | 253)), "{variable}: {:?} {stderr}", ran.code);
        assert!(stderr.contains(url) && stderr.lines().count() == 1, "{variable}: {stderr}");
    }
}

#[test]
fn what_cannot_be_sent_is_not_blamed_on_credentials() {
    let home = Home::new();
    for (what, line, args) in
        [("region", "cat f x --region", &["eu west"][..]), ("function", "cat -q", &["", "x"])]
    {
        let invoker = args.iter().fold(home.invoker(line), |invoker, arg| invoker.arg(arg));
        let ran = invoker.envs(&CREDENTIALS).run();
        assert!(matches!(ran.code, Some(2 | 253)), "{what}: {:?} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
        assert!(!ran.stderr.contains("AWS_ACCESS_KEY_ID"), "{what}: {}", ran.stderr);
    }
}

#[test]
fn a_profile_that_is_not_there_is_named() {
    let home = Home::new();
    let named = "no credentials in the profile nope";
    home.run("cat f x --region eu-west-1 --profile nope").failed(253, &[named]);
    let of_variable = |line| home.invoker(line).env("AWS_PROFILE", "nope").run();
    of_variable("cat f x --region eu-west-1").failed(253, &[named]);
    of_variable("cat f x").failed(253, &["no region", "the profile nope"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_read_only_is_said() {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let folder = home.path("locked");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(folder.join("probe"), "").is_ok() {
        // Not by a macro, whose words the test harness keeps to itself.
        let words = "SKIPPED: this user may write into a folder that is read-only";
        let _ = writeln!(std::io::stderr(), "{words}");
        return;
    }
    home.run("get local: 5 -o locked/out").failed(9, &["locked/out", "Permission denied"]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_said() {
    let home = Home::new();
    home.run("get local: 5 -q -o /dev/full").failed(9, &["/dev/full", "No space left"]);
}

#[test]
fn an_endpoint_where_nobody_is_cannot_be_reached() {
    let home = Home::new();
    let words = ["cannot be reached", "--endpoint-url"];
    for (line, envs) in [
        (format!("get f x -q -o out --endpoint-url {NOBODY}"), &[][..]),
        (format!("cat f x --endpoint-url {NOBODY}"), &CREDENTIALS),
        (format!("inspect f x --endpoint-url {NOBODY}"), &CREDENTIALS),
        ("get f x -o out -q --retries 0".to_owned(), &[("AWS_ENDPOINT_URL_LAMBDA", NOBODY)]),
    ] {
        home.invoker(&line).envs(envs).run().failed(1, &words);
        assert!(home.names().is_empty(), "{line}");
    }
}

#[test]
fn what_is_not_the_lambda_service_is_refused() {
    let home = Home::new();
    let page = "<html>hello</html>";
    for status in [200, 301, 404, 500] {
        let web = Endpoint::start(move |_| http(status, "text/html", page.as_bytes()));
        let line = format!("get f x -q -o out --endpoint-url {} --retries 0", web.url);
        let ran = home.run(&line).failed(254, &[]);
        assert!(!ran.stderr.contains("<html>"), "payload in a message: {}", ran.stderr);
        assert!(home.names().is_empty(), "{status}");
    }
    let web = Endpoint::start(move |_| http(200, "text/html", page.as_bytes()));
    home.run(&format!("cat f x -q --endpoint-url {}", web.url))
        .failed(254, &["event stream", "text/html", "check --endpoint-url"]);
}

#[test]
fn what_the_service_refuses_is_said_with_its_name() {
    let home = Home::new();
    let local = home.local("-q", &[("known", ready_function("pattern"))]);
    for (rest, words) in [
        ("nobody 5", &["ResourceNotFoundException", "nobody", "check the function's name"][..]),
        ("known:9 5", &["ResourceNotFoundException"]),
        ("known 5 --qualifier live", &["ResourceNotFoundException"]),
    ] {
        let line = format!("{rest} -q -o out");
        local.invoker(&home, "get", &line).run().failed(254, words);
        assert!(home.names().is_empty(), "{rest}");
    }
    home.write("large.json", format!("\"{}\"", "x".repeat(6 << 20)));
    let large = local.invoker(&home, "get", "known -p @large.json -q -o out").run();
    large.failed(254, &["RequestTooLargeException"]);
    std::fs::remove_file(home.path("large.json")).unwrap();
    let body = br#"{"__type": "AccessDeniedException", "Message": "no"}"#;
    let guarded = Endpoint::start(|_| http(403, "application/json", body));
    home.run(&format!("get f x -q -o out --endpoint-url {}", guarded.url))
        .failed(254, &["AccessDeniedException", "lambda:InvokeFunction"]);
}

#[test]
fn an_address_in_use_is_said() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    home.run(&format!("local --function f=x --listen {address}"))
        .failed(9, &["cannot serve on", &address, "in use"]);
}

#[test]
fn what_invoker_local_cannot_serve_is_said() {
    let home = Home::new();
    let local = |spec: &str| home.invoker("local").arg("--function").arg(spec).run();
    local("f='open").failed(2, &["--function", "open single quote"]);
    local("a name=x").failed(2, &["a name", "would not accept"]);
    assert!(home.names().is_empty());
}

/// It is found out when it is called, as at the service.
#[test]
fn a_program_that_is_not_there_is_named() {
    let home = Home::new();
    let service = home.local("-q", &[("gone", "/no/such/program".into())]);
    service
        .invoker(&home, "get", "gone 5 -q -o out")
        .run()
        .failed(3, &["Runtime.InvalidEntrypoint", "/no/such/program"]);
    assert!(home.names().is_empty());
}

#[test]
fn a_report_that_cannot_be_written_is_said() {
    let home = Home::new();
    home.run("get local: 5 -q -o out --report no/folder.json").failed(9, &["no/folder.json"]);
    assert!(home.names().is_empty(), "nothing was called");
    home.run("get local: 5 -q -o out --report ./out").failed(2, &["./out", "both"]);
    home.run("get local: 5 -q -o out --report out.part").failed(2, &["out.part", "both"]);
    assert!(home.names().is_empty());
}

/// What was wrong with the download counts for more than what was wrong with its report.
#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_hides_no_failure() {
    let home = Home::new();
    let local = home.local("-q", &[("f", support::failing_function())]);
    let rest = "f -q -o out --report /dev/full -p";
    let ran = local.invoker(&home, "get", rest).arg(r#"{"fail": "early"}"#).run();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("Function.NothingToday"), "{}", ran.stderr);
}

#[test]
fn what_was_never_begun_is_not_begun_again() {
    let home = Home::new();
    for line in ["resume mistyped", "verify mistyped"] {
        let ran =
            home.run(line).failed(8, &["no unfinished download of mistyped", "is that the name"]);
        assert!(!ran.stderr.contains("--restart"), "{}", ran.stderr);
    }
}

#[test]
fn a_filter_of_the_log_that_is_none_is_said() {
    let home = Home::new();
    let ran = home.invoker("get local: 5 -o out").env("RUST_LOG", "invoker=loud").run();
    ran.failed(2, &["RUST_LOG: ", "invoker=debug"]);
    let unset = home.invoker("get local: 5 -q -o out").env("RUST_LOG", "").run().succeeded();
    assert_eq!(unset.stderr, "");
}
