//! The documents that caller and function agree on come in as they stand in `tests/golden`; the ready
//! function must answer them as the contract says.

// clippy.toml allows it to functions marked as tests; what they call is theirs too.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use std::path::Path;
use support::{Answer, Invocation, RuntimeApi};

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn ask(api: &RuntimeApi, context: Option<&Value>) -> Answer {
    let mut invocation = Invocation::new("id", golden("event-2.0.json"));
    if let Some(context) = context {
        // One line: a header.
        invocation.headers.push(("lambda-runtime-client-context", context.to_string()));
    }
    api.invoke(invocation).await.whole().await
}

#[tokio::test]
async fn the_event_and_the_client_context_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a folder")).unwrap();
    std::fs::write(folder.path().join("a folder/ö.txt"), "0123456789").unwrap();
    let api = RuntimeApi::start().await;
    let _function = api.ready_function(&format!("directory:{}", folder.path().display()));

    let (head, body) = ask(&api, None).await.split();
    assert_eq!((&head["statusCode"], body.as_slice()), (&200.into(), &b"0123456789"[..]));
    let etag = head["headers"]["etag"].clone();

    let mut context = golden("client-context.json");
    let (head, _) = ask(&api, Some(&context)).await.split();
    assert_eq!(head["statusCode"], 412);
    assert_eq!(head["headers"]["etag"], etag);

    context["custom"]["if-match"] = etag;
    let (head, body) = ask(&api, Some(&context)).await.split();
    assert_eq!(head["statusCode"], 206);
    assert_eq!(head["headers"]["content-range"], "bytes 0-4/10");
    assert_eq!(body, b"01234");
}
