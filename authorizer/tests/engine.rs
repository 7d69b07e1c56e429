//! Settings and requests come in; what the parts of an engine decide together goes out.

mod support;

use serde_json::{Value, json};
use stream_authorizer::{
    Decision, DenialReason, Engine, ErrorKind, RequestView, Settings, Unauthenticated,
};
use support::*;

fn decide(engine: &Engine, method: &str, path: &str, sent: &[(&'static str, &str)]) -> Decision {
    engine.authorize(&RequestView::new(method, path, &headers(sent)), now())
}

#[track_caller]
fn denied(decision: Decision) -> (String, DenialReason) {
    match decision {
        Decision::Deny(denial) => (denial.grant().principal().to_owned(), denial.reason()),
        other => panic!("not denied but {other:?}"),
    }
}

#[test]
fn a_key_has_its_scopes_and_its_context() {
    let engine = engine(&jwks(&[&Signer::ed("d")]));
    let key = [("x-api-key", "k-reader")];
    let grant = allowed(decide(&engine, "GET", "/objects/a", &key));
    assert_eq!(grant.expires(), None);
    let context = serde_json::to_value(grant.context()).unwrap();
    assert_eq!(
        context,
        json!({
            "principal": "reader", "scope": "objects:read", "team": "data", "tier": 2, "beta": true,
        })
    );
    for (method, path) in [("PUT", "/objects/a"), ("GET", "/"), ("GET", "/objects/../x")] {
        let decided = denied(decide(&engine, method, path, &key));
        assert_eq!(decided, ("reader".to_owned(), DenialReason::Scope), "{method} {path}");
    }
    let nobody = decide(&engine, "GET", "/objects/a", &[("x-api-key", "k-nobody")]);
    assert_eq!(denied(nobody), ("nobody".to_owned(), DenialReason::Scope));
}

#[test]
fn the_first_credential_decides_and_none_stands_in_for_a_bad_one() {
    use Unauthenticated::*;
    let signer = Signer::ed("d");
    let engine = engine(&jwks(&[&signer]));
    let good = format!("Bearer {}", signer.sign(&claims()));
    let good_key = ("x-api-key", "k-reader");
    let get = |sent: &[(&'static str, &str)]| decide(&engine, "GET", "/objects/a", sent);
    let both = allowed(get(&[("authorization", &good), good_key]));
    assert_eq!(both.principal(), "anna");
    // A key of API Gateway's own usage plans is none of ours.
    allowed(get(&[("authorization", &good), ("x-api-key", "plan")]));
    for (sent, why) in [
        (vec![], Missing),
        (vec![("x-api-key", "wrong")], Key),
        (vec![("x-api-key", "")], Key),
        (vec![("x-api-key", "k-reader"), ("x-api-key", "k-reader")], Repeated),
        (vec![("authorization", "Bearer x.y.z"), good_key], TokenForm),
        (vec![("authorization", good.as_str()), ("authorization", good.as_str())], Repeated),
        (vec![("authorization", "Basic YTpi")], Missing),
        (vec![("authorization", "k-reader")], Missing),
        (vec![("api-key", "k-reader")], Missing),
    ] {
        assert_eq!(refused(get(&sent)), why, "{sent:?}");
    }
    // Another scheme is no token, so the key counts.
    allowed(get(&[("authorization", "Basic YTpi"), good_key]));
}

#[test]
fn the_one_credential_of_a_token_authorizer_is_a_token_or_a_key() {
    let signer = Signer::ed("d");
    let engine = engine(&jwks(&[&signer]));
    let token = signer.sign(&claims());
    let sent = headers(&[("x-api-key", "k-reader")]);
    let view = RequestView::new("GET", "/objects/a", &sent);
    for (presented, who) in [
        (format!("Bearer {token}"), "anna"),
        (format!("bearer  {token}"), "anna"),
        (token.clone(), "anna"),
        ("k-reader".to_owned(), "reader"),
    ] {
        let grant = allowed(engine.authorize(&view.token(&presented), now()));
        assert_eq!(grant.principal(), who);
    }
    for (presented, why) in [
        ("Bearer k-reader", Unauthenticated::TokenForm),
        ("wrong", Unauthenticated::Key),
        ("", Unauthenticated::Key),
        ("Basic k-reader", Unauthenticated::Key),
    ] {
        assert_eq!(refused(engine.authorize(&view.token(presented), now())), why, "{presented}");
    }
}

#[test]
fn vpc_endpoints_are_a_condition_on_top() {
    let mut settings = settings(json!({"jwks_env": "JWKS"}));
    settings.vpc_endpoints = Some(vec!["vpce-1".into(), "vpce-2".into()]);
    let engine = with(&settings, &jwks(&[&Signer::ed("d")]));
    let (key, none) = (headers(&[("x-api-key", "k-reader")]), headers(&[]));
    let view = RequestView::new("GET", "/objects/a", &key);
    allowed(engine.authorize(&view.vpc_endpoint("vpce-2"), now()));
    for view in [view, view.vpc_endpoint("vpce-3"), view.vpc_endpoint("")] {
        let decided = denied(engine.authorize(&view, now()));
        assert_eq!(decided, ("reader".to_owned(), DenialReason::VpcEndpoint));
    }
    let stranger = RequestView::new("GET", "/objects/a", &none).vpc_endpoint("vpce-1");
    assert_eq!(refused(engine.authorize(&stranger, now())), Unauthenticated::Missing);
}

#[test]
fn keys_may_come_in_other_headers() {
    let mut json = settings_json(json!({"jwks_env": "JWKS"}));
    json["key_headers"] = json!(["X-Key", "x-other-key"]);
    let settings: Settings = serde_json::from_value(json).unwrap();
    let engine = with(&settings, &jwks(&[&Signer::ed("d")]));
    let get = |sent: &[(&'static str, &str)]| decide(&engine, "GET", "/objects/a", sent);
    allowed(get(&[("x-other-key", "k-reader")]));
    assert_eq!(refused(get(&[("x-api-key", "k-reader")])), Unauthenticated::Missing);
    let both = get(&[("x-key", "k-reader"), ("x-other-key", "k-reader")]);
    assert_eq!(refused(both), Unauthenticated::Repeated);
}

#[test]
fn what_is_wrong_with_settings_has_a_place() {
    let jwks_text = jwks(&[&Signer::ed("d")]);
    let new = |json: Value| {
        let settings: Settings = serde_json::from_value(json).map_err(|error| error.to_string())?;
        Engine::new(&settings, |name| (name == "JWKS").then(|| jwks_text.clone()))
            .map(drop)
            .map_err(|error| {
                assert!(matches!(error.kind(), ErrorKind::Setting | ErrorKind::Keys));
                error.to_string()
            })
    };
    let good = || settings_json(json!({"jwks_env": "JWKS"}));
    new(good()).unwrap();
    for (pointer, value, words) in [
        ("/scopes/objects:read", json!([]), "scopes.\"objects:read\": has no route"),
        ("/scopes/objects:read/0", json!("GET /a?"), "scopes.\"objects:read\"[0]: '?' cannot"),
        ("/scopes", json!({"a b": ["GET /"]}), "scopes.\"a b\": a name"),
        ("/keys/0/scopes/0", json!("x"), "keys[0].scopes[0]: \"x\" is no scope"),
        ("/keys/0/sha256", json!("k-reader"), "keys[0].sha256: is no SHA-256"),
        ("/keys/0/context", json!({"a": [1]}), "data did not match"),
        ("/keys/0/context", json!({"principal": 1}), "keys[0].context: principal is set"),
        ("/key_headers", json!([]), "key_headers: is empty"),
        ("/key_headers", json!(["a b"]), "key_headers[0]: is no name"),
        ("/key_headers", json!(["Authorization"]), "key_headers[0]: is for tokens"),
        ("/vpc_endpoints", json!([]), "vpc_endpoints: is empty"),
        ("/vpc_endpoints", json!(["vpc-1"]), "vpc_endpoints: is empty, or has one"),
        ("/jwt/issuer", json!(""), "jwt.issuer: is empty"),
        ("/jwt/audience", json!([]), "jwt.audience: is empty"),
        ("/jwt/leeway_seconds", json!(601), "jwt.leeway_seconds: at most 600 s"),
        ("/jwt/jwks_env", json!("OTHER"), "jwt.jwks_env: OTHER is not set"),
        ("/jwt/jwks_file", json!("/x"), "jwt: say where the keys are"),
        ("/jwt/jwks_env", json!(null), "jwt: say where the keys are"),
        ("/jwt/scopes", json!(["x"]), "jwt.scopes[0]: \"x\" is no scope"),
        ("/jwt/context_claims", json!(["scope"]), "jwt.context_claims: scope is set"),
        ("/jwt/query_parameter", json!(""), "jwt.query_parameter: is empty"),
        ("/unknown", json!(1), "unknown field `unknown`"),
        ("/jwt/algorithms", json!(["HS256"]), "unknown field `algorithms`"),
    ] {
        let mut json = good();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = json.pointer_mut(parent).unwrap();
        match parent {
            Value::Array(listed) => listed[name.parse::<usize>().unwrap()] = value,
            parent => parent[name] = value,
        }
        let error = new(json).unwrap_err();
        assert!(error.starts_with(words), "{pointer}: {error}");
        assert!(!error.contains("k-reader"), "{error}");
    }
    assert!(new(json!({"scopes": {"a": ["GET /"]}})).unwrap_err().starts_with("keys, jwt: nobody"));
}

#[test]
fn debug_shows_no_secret() {
    let signer = Signer::ed("d");
    let settings = settings(json!({"jwks_env": "JWKS"}));
    let engine = with(&settings, &jwks(&[&signer]));
    let token = signer.sign(&claims());
    let sent = headers(&[("authorization", &format!("Bearer {token}"))]);
    let view = RequestView::new("GET", "/objects/a", &sent).query("hunter2").token(&token);
    let decision = engine.authorize(&view, now());
    let text = format!("{settings:?} {engine:?} {view:?} {decision:?}");
    for secret in [&sum("k-reader"), "hunter2", &token, "anna", "t1"] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// What the README sends people to.
#[test]
fn the_example_is_good() {
    let settings = Settings::from_toml(include_str!("../example.toml")).unwrap();
    let engine = with(&settings, &jwks(&[&Signer::ed("d")]));
    engine.policies_fit().unwrap();
    let readme = include_str!("../README.md");
    let snippet = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let settings = Settings::from_toml(snippet).unwrap();
    assert_eq!(settings.keys[0].name, "reporting");
}
