//! Requests with and without credentials come in at the gateway's own program; what every kind of authorizer
//! makes of them must come out, with real functions behind.
#![allow(clippy::unwrap_used)]

mod paths;
mod support;

use http::StatusCode;
use serde_json::json;

use support::{Setup, program};

const TOKEN: &str = r#"
[authorizers.door]
kind = "lambda"
lambda = { function = "authorizer" }
type = "TOKEN"
identity = ["$request.header.Authorization"]
timeout = "2s"
api = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live"
"#;

fn bearer(word: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {word}"))]
}

macro_rules! get {
    ($setup:expr, $path:expr, $word:expr) => {{
        let headers = bearer($word);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        $setup.get($path, &headers).await
    }};
}

#[tokio::test]
async fn a_token_authorizer_says_who_may() {
    let setup = Setup::start(TOKEN).await;
    for (word, status) in [
        ("allow-all", StatusCode::OK),
        ("allow-this", StatusCode::OK),
        ("deny", StatusCode::FORBIDDEN),
        ("nobody", StatusCode::UNAUTHORIZED),
        ("fail", StatusCode::INTERNAL_SERVER_ERROR),
        ("hang", StatusCode::INTERNAL_SERVER_ERROR),
        ("garbage", StatusCode::INTERNAL_SERVER_ERROR),
        ("nested", StatusCode::INTERNAL_SERVER_ERROR),
        ("large", StatusCode::INTERNAL_SERVER_ERROR),
        ("yes", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let answer = get!(setup, "/objects/a", word);
        assert_eq!(answer.status, status, "{word}: {:?}", answer.body);
        let challenge = answer.headers.get("www-authenticate").map(|value| value.to_str().unwrap());
        let is_401 = status == StatusCode::UNAUTHORIZED;
        assert_eq!(challenge, is_401.then_some("Bearer"), "{word}");
    }
    let expected = json!({
        "type": "TOKEN",
        "authorizationToken": "Bearer allow-all",
        "methodArn": "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live/GET/objects/a",
    });
    assert_eq!(setup.calls()[0], expected);
    // The function behind is told, and nobody else.
    let answer = get!(setup, "/objects/a", "allow-all");
    let told = json!({
        "lambda": {"principalId": "ann", "tenant": "blue", "level": 7, "admin": false}
    });
    assert_eq!(answer.json()["requestContext"]["authorizer"], told);
    let open = setup.get("/open", &[]).await;
    assert_eq!(open.json()["requestContext"].get("authorizer"), None);
}

#[tokio::test]
async fn without_an_identity_nobody_is_asked() {
    let setup = Setup::start(&format!("{TOKEN}validation = 'Bearer [a-z-]+'\n")).await;
    let (one, other) = (("authorization", "Bearer allow-all"), ("authorization", "Bearer deny"));
    for headers in [
        &[][..],
        &[("authorization", "")],
        &[("x-api-key", "allow-all")],
        &[one, other],
        &[("authorization", "Basic allow-all")],
        &[("authorization", "Bearer allow-all and more")],
    ] {
        let answer = setup.get("/objects/a", headers).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{headers:?}");
    }
    assert_eq!(setup.calls().len(), 0);
    assert_eq!(setup.get("/objects/a", &[one]).await.status, StatusCode::OK);
    assert_eq!(setup.calls().len(), 1);
}

#[tokio::test]
async fn a_kept_answer_opens_what_its_policy_does_and_nothing_else() {
    let setup = Setup::start(TOKEN).await;
    assert_eq!(get!(setup, "/objects/a", "allow-this").status, StatusCode::OK);
    assert_eq!(get!(setup, "/objects/a", "allow-this").status, StatusCode::OK);
    assert_eq!(get!(setup, "/objects/b", "allow-this").status, StatusCode::FORBIDDEN);
    assert_eq!(setup.calls().len(), 1, "it was asked again");
    let post = setup.ask("POST", "/objects/a", &[("authorization", "Bearer allow-this")]).await;
    assert_eq!(post.status, StatusCode::FORBIDDEN);

    assert_eq!(get!(setup, "/objects/a", "allow-objects").status, StatusCode::OK);
    assert_eq!(get!(setup, "/objects/b/c", "allow-objects").status, StatusCode::OK);
    assert_eq!(get!(setup, "/others", "allow-objects").status, StatusCode::FORBIDDEN);
    for tricky in ["/objects/../others", "/objects/%2e%2e/others", "/objects/%252e%252e/others"] {
        assert_eq!(
            get!(setup, tricky, "allow-objects").status,
            StatusCode::BAD_REQUEST,
            "{tricky}"
        );
    }
    assert_eq!(setup.calls().len(), 2);
    // Failures and 401 are asked for each time.
    for word in ["fail", "nobody"] {
        let before = setup.calls().len();
        get!(setup, "/objects/a", word);
        get!(setup, "/objects/a", word);
        assert_eq!(setup.calls().len(), before + 2, "{word}");
    }
}

#[tokio::test]
async fn what_a_client_writes_is_no_wildcard() {
    let setup = Setup::start(TOKEN).await;
    for wild in ["/objects/*", "/objects/%2A"] {
        assert_eq!(get!(setup, wild, "allow-this").status, StatusCode::OK);
    }
    assert_eq!(get!(setup, "/objects/a", "allow-this").status, StatusCode::FORBIDDEN);
    assert_eq!(setup.calls().len(), 1);
    let long = format!("/objects/{}", "a".repeat(1600));
    assert_eq!(get!(setup, &long, "allow-this").status, StatusCode::URI_TOO_LONG);
}

#[tokio::test]
async fn those_who_come_at_once_wait_for_one_call() {
    let setup = Setup::start(TOKEN).await;
    let setup = &setup;
    let answers = (0..30).map(|n| async move {
        let path = format!("/objects/{n}");
        get!(setup, &path, "allow-all").status
    });
    let statuses = futures_util::future::join_all(answers).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK));
    assert_eq!(setup.calls().len(), 1);
}

#[tokio::test]
async fn without_a_time_nothing_is_kept() {
    let setup = Setup::start(&format!("{TOKEN}ttl = \"0s\"\n")).await;
    for _ in 0..3 {
        assert_eq!(get!(setup, "/objects/a", "allow-all").status, StatusCode::OK);
    }
    assert_eq!(setup.calls().len(), 3);
}

#[tokio::test]
async fn a_request_authorizer_sees_the_request() {
    let setup = Setup::start(
        r#"
[authorizers.door]
kind = "lambda"
local = { command = "COMMAND" }
type = "REQUEST"
identity = ["$request.header.X-Who", "$request.querystring.tenant"]
"#
        .replace("COMMAND", &program("authorizer_function").display().to_string())
        .as_str(),
    )
    .await;
    let who = [("x-who", "allow-this")];
    assert_eq!(setup.get("/objects/a", &who).await.status, StatusCode::UNAUTHORIZED);
    let twice = setup.get("/objects/a?tenant=1&tenant=2", &who).await;
    assert_eq!(twice.status, StatusCode::UNAUTHORIZED);
    let answer = setup.get("/objects/a?tenant=1&x=y%20z", &who).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(setup.get("/objects/b?tenant=1", &who).await.status, StatusCode::FORBIDDEN);
    // Another tenant is another identity.
    assert_eq!(setup.get("/objects/b?tenant=2", &who).await.status, StatusCode::OK);
    assert_eq!(setup.get("/objects/a?tenant=3", &[("x-who", "nobody")]).await.status, 401);
    assert_eq!(setup.service().stats().invocations_started, 2, "of the function behind");
}

const SIMPLE: &str = r#"
[authorizers.door]
kind = "lambda"
lambda = { function = "authorizer" }
type = "REQUEST"
payload = "2.0"
answer = "simple"
identity = ["$request.header.Authorization"]
"#;

#[tokio::test]
async fn a_simple_answer_is_for_the_request_it_was_asked_for() {
    let setup = Setup::start(SIMPLE).await;
    let answer = get!(setup, "/objects/a?x=1", "yes");
    let told = json!({"lambda": {"tenant": "blue", "groups": ["a", "b"]}});
    assert_eq!(answer.json()["requestContext"]["authorizer"], told);
    let event = &setup.calls()[0];
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["type"], "REQUEST");
    assert_eq!(event["identitySource"], json!(["Bearer yes"]));
    assert_eq!(event["rawQueryString"], "x=1");
    let arn = event["routeArn"].as_str().unwrap();
    assert!(arn.ends_with("/GET/objects/a"), "{arn}");
    assert_eq!(event.get("body"), None);

    assert_eq!(get!(setup, "/objects/a", "yes").status, StatusCode::OK);
    assert_eq!(setup.calls().len(), 1);
    assert_eq!(get!(setup, "/objects/b", "yes").status, StatusCode::OK);
    assert_eq!(setup.calls().len(), 2);
    assert_eq!(get!(setup, "/objects/b", "no").status, StatusCode::FORBIDDEN);
    assert_eq!(get!(setup, "/objects/b", "allow-all").status, StatusCode::INTERNAL_SERVER_ERROR);
}

/// SHA-256 of "abc" (FIPS 180-2, appendix B.1).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[tokio::test]
async fn api_keys_and_the_engine_decide_in_process() {
    let keys = format!(
        "[authorizers.door]\nkind = \"api-keys\"\nkeys = [{{ name = \"ci\", sha256 = \"{ABC}\" }}]\n"
    );
    let setup = Setup::start(&keys).await;
    let answer = setup.get("/objects/a", &[("x-api-key", "abc")]).await;
    assert_eq!(answer.json()["requestContext"]["authorizer"]["lambda"]["principalId"], "ci");
    for headers in [
        &[][..],
        &[("x-api-key", "abd")],
        &[("x-api-key", "")],
        &[("x-api-key", "abc"), ("x-api-key", "abc")],
    ] {
        let answer = setup.get("/objects/a", headers).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers.get("www-authenticate"), None);
    }
    let engine = format!(
        r#"
[authorizers.door]
kind = "engine"
[authorizers.door.settings.scopes]
read = ["GET /objects/*"]
[[authorizers.door.settings.keys]]
name = "reader"
sha256 = "{ABC}"
scopes = ["read"]
context = {{ tenant = "blue" }}
"#
    );
    let setup = Setup::start(&engine).await;
    let key = [("x-api-key", "abc")];
    let answer = setup.get("/objects/a", &key).await;
    assert_eq!(answer.json()["requestContext"]["authorizer"]["lambda"]["tenant"], "blue");
    assert_eq!(setup.get("/others", &key).await.status, StatusCode::FORBIDDEN);
    assert_eq!(setup.ask("POST", "/objects/a", &key).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn no_log_has_a_token() {
    let setup = Setup::start(TOKEN).await;
    let words = ["allow-this", "deny", "nobody", "fail", "garbage", "large"];
    for word in words {
        get!(setup, "/objects/a?token=allow-all", &format!("secret {word}"));
    }
    let said = setup.end();
    assert!(said.contains("an authorizer failed"), "{said}");
    for secret in ["secret", "Bearer", "allow-this", "allow-all", "garbage", "not to be seen"] {
        assert!(!said.contains(secret), "{secret} is in the log: {said}");
    }
}
