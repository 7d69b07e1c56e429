//! Every kind of error, provoked with marked payloads, results and credentials: none of the marks is
//! in what an error says of itself.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_lambda::config::Credentials;
use invoker::{Error, ErrorKind, Invocation, Invoker, Timeouts};
use support::{Answer, Asked, Service, Step, chunk, complete, frame, head, pattern, range_answer};

const PAYLOAD: &str = r#"{"question": "mark-of-the-payload"}"#;
const RESULT: &[u8] = b"mark-of-the-result and what follows";
const KEY: &str = "mark-of-the-key";
const SECRET: &str = "mark-of-the-secret";
const TOKEN: &str = "mark-of-the-token";

fn credentials() -> Credentials {
    Credentials::new(KEY, SECRET, Some(TOKEN.to_owned()), None, "a test")
}

fn marked() -> Invocation {
    Invocation::new("f").payload(PAYLOAD).custom("mark", "mark-of-the-context")
}

/// All that an error and its causes tell.
fn told(error: &Error) -> String {
    let mut told = format!("{error} {error:?} {error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    told
}

#[track_caller]
fn assert_silent(error: &Error, signatures: &[String], what: &str) {
    let told = told(error);
    assert!(!told.contains("mark-of"), "{what}: {told}");
    // Bytes that are printed as numbers are bytes all the same.
    let numbers = format!("{:?}", &RESULT[..4]);
    assert!(!told.contains(numbers.trim_matches(['[', ']'])), "{what}: {told}");
    for signature in signatures {
        assert!(!told.contains(signature.as_str()), "{what}: {told}");
    }
}

async fn download(invoker: &Invoker) -> Result<(), Error> {
    let mut bytes = invoker.download(marked()).retries(0).segment_size(10).in_order().await?;
    while let Some(next) = bytes.next_bytes().await {
        next?;
    }
    Ok(())
}

fn result() -> Vec<u8> {
    chunk(RESULT)
}

type Script = fn(&Asked) -> Answer;

/// What goes over the wire for each kind of error that needs a wire.
fn scripts() -> Vec<(&'static str, Script)> {
    vec![
        ("Refused", |_| Answer::error(403, "AccessDeniedException", r#"{"message":"no"}"#)),
        ("Refused", |asked| {
            // As API Gateway explains a signature that it does not like.
            let message = format!(
                "'abc' not a valid key=value pair in Authorization header: 'AWS4-HMAC-SHA256 \
                 Credential={KEY}/x, Signature={}'",
                asked.signature
            );
            let body = serde_json::json!({"message": message}).to_string();
            Answer::error(403, "IncompleteSignatureException", &body)
        }),
        ("Refused", |asked| {
            let message = format!(
                "The request signature does not match.\n\nThe canonical string is\n{TOKEN}\n{}",
                asked.signature
            );
            let body = serde_json::json!({"message": message}).to_string();
            Answer::error(403, "InvalidSignatureException", &body)
        }),
        ("Refused", |_| Answer::error(500, "", &String::from_utf8_lossy(RESULT))),
        ("Throttled", |_| Answer::error(429, "TooManyRequestsException", "{}")),
        ("NotEventStream", |_| {
            let mut answer = Answer::stream([RESULT.to_vec()]);
            answer.headers = vec![support::header("content-type", "text/html")];
            answer
        }),
        ("Unreachable", |_| Answer::raw([Step::Bytes(RESULT.repeat(3))])),
        ("Function", |_| {
            let end = r#"{"ErrorCode":"Function.Boom","ErrorDetails":"gone"}"#;
            Answer::stream([result(), complete(end)])
        }),
        ("Answer", |_| Answer::stream([chunk(&head(404, &[])), result(), complete("{}")])),
        ("Truncated", |_| Answer::stream([result()])),
        ("Truncated", |_| Answer::stream([result(), result()[..60].to_vec()])),
        ("Truncated", |_| Answer::steps([Step::Bytes(result()), Step::Cut])),
        ("Corrupt", |_| {
            let mut broken = result();
            let at = broken.len() - 10;
            broken[at] ^= 1;
            Answer::stream([broken])
        }),
        ("Corrupt", |_| Answer::stream([RESULT.to_vec()])),
        ("Corrupt", |_| {
            Answer::stream([result(), frame("InvokeComplete", "application/json", RESULT)])
        }),
        ("Corrupt", |_| Answer::stream([result(), complete("{}"), result()])),
        ("Inconsistent", |_| {
            let malformed = [&br#"{"statusCode":"mark-of-the-result"}"#[..], &[0; 8]].concat();
            Answer::stream([chunk(&malformed)])
        }),
        ("Inconsistent", |_| {
            let head = head(200, &[("content-length", "4"), ("x-secret", "mark-of-the-result")]);
            Answer::stream([chunk(&head), result(), complete("{}")])
        }),
        ("Changed", |asked| {
            let etag = if asked.custom.contains_key("if-match") { "\"v2\"" } else { "\"v1\"" };
            range_answer(&pattern(100), etag, asked)
        }),
        ("TimedOut", |_| {
            let never = Step::Wait(Arc::new(tokio::sync::Notify::new()));
            Answer::steps([Step::Bytes(result()), never])
        }),
    ]
}

/// The name of a kind, without its fields.
fn name(kind: &ErrorKind) -> String {
    let debug = format!("{kind:?}");
    debug.split([' ', '{', '(']).next().unwrap().to_owned()
}

#[tokio::test]
async fn no_error_tells_what_was_sent_or_signed() {
    let short = Duration::from_millis(200);
    let mut seen = Vec::new();
    for (kind, script) in scripts() {
        let signatures = Arc::new(Mutex::new(Vec::new()));
        let signed = Arc::clone(&signatures);
        let service = Service::start(move |asked| {
            assert!(asked.payload == PAYLOAD.as_bytes() && asked.signature.len() == 64);
            signed.lock().unwrap().push(asked.signature.clone());
            script(asked)
        })
        .await;
        let invoker = support::invoker(&format!("http://{}", service.addr), credentials());
        let invoker = invoker.timeouts(Timeouts::default().idle(short));
        let download = invoker.download(marked()).throttle_patience(Duration::ZERO).retries(0);
        let folder = tempfile::tempdir().unwrap();
        let segments = download.segment_size(10).in_flight(1);
        let error = segments.to_file(folder.path().join("out")).await.unwrap_err();
        assert_eq!(name(error.kind()), kind, "{error}");
        assert_silent(&error, &signatures.lock().unwrap(), kind);
        if !matches!(error.kind(), ErrorKind::Throttled { .. }) {
            let error = self::download(&invoker).await.unwrap_err();
            assert_silent(&error, &signatures.lock().unwrap(), kind);
        }
        seen.push(kind.to_owned());
    }
    for (error, what) in without_a_wire().await {
        assert_silent(&error, &[], what);
        seen.push(name(error.kind()));
    }
    seen.sort();
    seen.dedup();
    let all = [
        "Answer",
        "CannotResume",
        "Changed",
        "Configuration",
        "Corrupt",
        "Function",
        "Inconsistent",
        "InvalidInput",
        "LocalFile",
        "NotEventStream",
        "Refused",
        "Stopped",
        "Throttled",
        "TimedOut",
        "Truncated",
        "Unreachable",
    ];
    assert_eq!(seen, all, "every kind of error");
}

/// Errors of calls that reach nobody.
async fn without_a_wire() -> Vec<(Error, &'static str)> {
    let unused = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let invoker = support::invoker(&unused, credentials());
    let unreachable = download(&invoker).await.unwrap_err();
    let not_a_header = invoker.invoke(marked().tenant_id("two\nlines")).await.unwrap_err();
    let too_long = invoker.invoke(marked().custom("more", "mark-of-the-context".repeat(1_000)));
    let too_long = too_long.await.unwrap_err();
    let no_folder = invoker.download(marked()).to_file("/no/such/folder/out").await.unwrap_err();

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("out.part.journal"), "mark-of-a-journal").unwrap();
    let foreign = invoker.download(marked()).to_file(folder.path().join("out")).await.unwrap_err();
    let stopped = invoker.download(marked());
    let stopped = stopped.to_file_until(folder.path().join("other"), std::future::ready(()));
    let stopped = stopped.await.unwrap_err();

    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(aws_sdk_lambda::config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(aws_sdk_lambda::config::Region::from_static("eu-west-1"))
        .endpoint_url(unused)
        .build();
    let anonymous = Invoker::new(aws_sdk_lambda::Client::from_conf(config));
    let unsigned = download(&anonymous).await.unwrap_err();
    vec![
        (unreachable, "nobody there"),
        (foreign, "a file in the place of a journal"),
        (stopped, "a download that is stopped at once"),
        (not_a_header, "a tenant that is no header"),
        (too_long, "a context that is too long"),
        (no_folder, "no folder"),
        (unsigned, "no credentials"),
    ]
}
