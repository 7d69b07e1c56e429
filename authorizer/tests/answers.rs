//! Events of every kind of authorizer that API Gateway has come in, ours and the recorded ones of
//! `aws_lambda_events`; the answers go out, as API Gateway would read them.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod support;

use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerResponse, ApiGatewayV2CustomAuthorizerIamPolicyResponse,
    ApiGatewayV2CustomAuthorizerSimpleResponse,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use stream_authorizer::policy::{Evaluation, INVOKE, evaluate};
use stream_authorizer::{Engine, HttpApiAnswer, NoAnswer, Settings, answer};
use support::*;

const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:api1/prod";

fn of_kind(kind: &str, method: &str, path: &str, credential: &str) -> Value {
    let arn = format!("{STAGE}/{method}{path}");
    let headers = json!({"X-Api-Key": credential, "Accept": "*/*"});
    match kind {
        "TOKEN" => json!({"type": "TOKEN", "authorizationToken": credential, "methodArn": arn}),
        "REQUEST" => json!({
            "type": "REQUEST", "methodArn": arn, "resource": "/objects/{name}", "path": path,
            "httpMethod": method, "headers": headers,
            "multiValueHeaders": {"X-Api-Key": [credential], "Accept": ["*/*"]},
            "queryStringParameters": null, "multiValueQueryStringParameters": null,
            "pathParameters": {"name": "a"}, "stageVariables": null,
            "requestContext": {"stage": "prod", "identity": {"sourceIp": "127.0.0.1"}},
        }),
        "1.0" => json!({
            "version": "1.0", "type": "REQUEST", "methodArn": arn, "identitySource": credential,
            "authorizationToken": credential, "path": path, "httpMethod": method,
            "headers": headers, "requestContext": {"identity": {"sourceIp": "127.0.0.1"}},
        }),
        "2.0" => json!({
            "version": "2.0", "type": "REQUEST", "routeArn": arn, "identitySource": [credential],
            "routeKey": "$default", "rawPath": format!("/prod{path}"), "rawQueryString": "",
            "headers": {"x-api-key": credential, "accept": "*/*"},
            "requestContext": {
                "stage": "prod",
                "http": {"method": method, "path": path, "sourceIp": "127.0.0.1"},
            },
        }),
        other => panic!("{other}"),
    }
}

fn answered(engine: &Engine, event: &Value) -> Result<Value, NoAnswer> {
    answer(engine, HttpApiAnswer::Iam, event, now())
}

/// No null anywhere: API Gateway may take one for a mistake.
fn has_null(json: &Value) -> bool {
    match json {
        Value::Null => true,
        Value::Array(listed) => listed.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

#[test]
fn policies_are_of_the_scopes_whatever_was_asked() {
    let engine = engine(&jwks(&[&Signer::ed("d")]));
    for kind in ["TOKEN", "REQUEST", "1.0", "2.0"] {
        // Also for what they may not: that is not in the policy, which may be kept for the rest.
        for (method, path) in [("GET", "/objects/a"), ("DELETE", "/objects/a"), ("GET", "/")] {
            let event = of_kind(kind, method, path, "k-reader");
            let json = answered(&engine, &event).unwrap();
            assert!(!has_null(&json), "{json}");
            assert_eq!(
                json,
                json!({
                    "principalId": "reader",
                    "policyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [{
                            "Effect": "Allow", "Action": ["execute-api:Invoke"],
                            "Resource": [format!("{STAGE}/GET/objects/*"), format!("{STAGE}/HEAD/objects/*")],
                        }],
                    },
                    "context": {
                        "principal": "reader", "scope": "objects:read",
                        "team": "data", "tier": 2, "beta": true,
                    },
                }),
                "{kind}"
            );
            // The field's own types read it.
            serde_json::from_value::<ApiGatewayCustomAuthorizerResponse>(json.clone()).unwrap();
            serde_json::from_value::<ApiGatewayV2CustomAuthorizerIamPolicyResponse>(json).unwrap();
        }
    }
}

#[test]
fn nobody_known_is_the_very_word_and_who_may_nothing_is_denied() {
    let engine = engine(&jwks(&[&Signer::ed("d")]));
    for kind in ["TOKEN", "REQUEST", "1.0", "2.0"] {
        let why = answered(&engine, &of_kind(kind, "GET", "/objects/a", "wrong")).unwrap_err();
        assert!(matches!(why, NoAnswer::Unauthorized));
        assert_eq!(why.to_string(), "Unauthorized");

        let json = answered(&engine, &of_kind(kind, "GET", "/objects/a", "k-nobody")).unwrap();
        assert!(!has_null(&json), "{json}");
        let policy = &json["policyDocument"];
        for asked in ["GET/objects/a", "$connect", "PUT/"] {
            let arn = format!("{STAGE}/{asked}");
            assert_eq!(evaluate(policy, INVOKE, &arn), Evaluation::ExplicitDeny, "{kind}");
        }
    }
}

#[test]
fn simple_answers_say_whether_they_may_this() {
    let engine = engine(&jwks(&[&Signer::ed("d")]));
    let simple = |event: &Value| {
        let json = answer(&engine, HttpApiAnswer::Simple, event, now()).unwrap();
        assert!(!has_null(&json), "{json}");
        serde_json::from_value::<ApiGatewayV2CustomAuthorizerSimpleResponse>(json.clone()).unwrap();
        json
    };
    let yes = simple(&of_kind("2.0", "GET", "/objects/a", "k-reader"));
    let context = json!({
        "principal": "reader", "scope": "objects:read", "team": "data", "tier": 2, "beta": true,
    });
    assert_eq!(yes, json!({"isAuthorized": true, "context": context}));
    for (method, path, key) in [
        ("PUT", "/objects/a", "k-reader"),
        ("GET", "/objects/%2e%2e/a", "k-reader"),
        ("GET", "/objects/a", "k-nobody"),
        ("GET", "/objects/a", "wrong"),
    ] {
        let no = simple(&of_kind("2.0", method, path, key));
        assert_eq!(no, json!({"isAuthorized": false, "context": {}}), "{method} {path} {key}");
    }
    // The other kinds take policies only.
    let rest = simple_of(&engine, "REQUEST");
    assert!(rest.get("policyDocument").is_some());
}

fn simple_of(engine: &Engine, kind: &str) -> Value {
    let event = of_kind(kind, "GET", "/objects/a", "k-reader");
    answer(engine, HttpApiAnswer::Simple, &event, now()).unwrap()
}

#[test]
fn a_private_api_may_be_reached_through_its_endpoint_alone() {
    let mut settings = settings(json!({"jwks_env": "JWKS"}));
    settings.vpc_endpoints = Some(vec!["vpce-1".into()]);
    let engine = with(&settings, &jwks(&[&Signer::ed("d")]));
    let arn = format!("{STAGE}/GET/objects/a");
    for (endpoint, evaluation) in [
        (Some("vpce-1"), Evaluation::Allow),
        (Some("vpce-2"), Evaluation::ExplicitDeny),
        (None, Evaluation::ExplicitDeny),
    ] {
        let mut event = of_kind("REQUEST", "GET", "/objects/a", "k-reader");
        if let Some(endpoint) = endpoint {
            event["requestContext"]["identity"]["vpceId"] = json!(endpoint);
        }
        // What a client says of itself is not asked.
        event["headers"]["x-amzn-vpce-id"] = json!("vpce-1");
        let json = answered(&engine, &event).unwrap();
        assert_eq!(evaluate(&json["policyDocument"], INVOKE, &arn), evaluation, "{endpoint:?}");
    }
}

#[test]
fn an_arn_that_no_policy_could_be_built_on_denies_everything() {
    let engine = engine(&jwks(&[&Signer::ed("d")]));
    for arn in [
        "arn:aws:execute-api:eu-west-1:123456789012:api1/*/GET/objects/a",
        "arn:aws:execute-api:eu-west-1:123456789012:*/prod/GET/objects/a",
        "arn:aws:execute-api:*:*:*",
        "*",
        "",
    ] {
        let event = json!({"type": "TOKEN", "authorizationToken": "k-reader", "methodArn": arn});
        let json = answered(&engine, &event).unwrap();
        let resource = format!("{STAGE}/GET/objects/a");
        let evaluation = evaluate(&json["policyDocument"], INVOKE, &resource);
        assert_eq!(evaluation, Evaluation::ExplicitDeny, "{arn}");
    }
}

#[test]
fn scopes_that_do_not_fit_deny_and_keys_with_them_are_refused_at_the_start() {
    let mut json = settings_json(json!({"jwks_env": "JWKS"}));
    let many: Vec<String> = (0..40).map(|n| format!("GET /{n}/{}", "a".repeat(220))).collect();
    json["scopes"]["many"] = json!(many);
    json["jwt"]["scopes"] = json!(["many"]);
    let signer = Signer::ed("d");
    let settings: Settings = serde_json::from_value(json.clone()).unwrap();
    let engine = with(&settings, &jwks(&[&signer]));
    engine.policies_fit().unwrap();
    let event = of_kind("TOKEN", "GET", "/objects/a", &signer.sign(&claims()));
    let policy = answered(&engine, &event).unwrap()["policyDocument"].clone();
    for path in ["/objects/a".to_owned(), many[0][4..].to_owned()] {
        let arn = format!("{STAGE}/GET{path}");
        assert_eq!(evaluate(&policy, INVOKE, &arn), Evaluation::ExplicitDeny);
    }
    json["keys"][1]["scopes"] = json!(["many"]);
    let engine = with(&serde_json::from_value(json).unwrap(), &jwks(&[&signer]));
    let error = engine.policies_fit().unwrap_err().to_string();
    assert!(error.starts_with("keys[1].scopes: a policy of "), "{error}");
}

/// The recorded events that come with `aws_lambda_events`, from its source as cargo has it.
fn recorded(name: &str) -> Option<Value> {
    let path = fixtures().join(name);
    match std::fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: {}: {error}", path.display());
            None
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

fn fixtures() -> &'static Path {
    static FIXTURES: OnceLock<PathBuf> = OnceLock::new();
    FIXTURES.get_or_init(|| {
        let metadata = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let events =
            packages.iter().find(|package| package["name"] == "aws_lambda_events").unwrap();
        let manifest = PathBuf::from(events["manifest_path"].as_str().unwrap());
        manifest.with_file_name("src").join("fixtures")
    })
}

#[test]
fn recorded_events_are_answered() {
    let settings: Settings = serde_json::from_value(json!({
        "scopes": {"all": ["* /*"], "socket": ["$connect"]},
        "key_headers": ["HeaderAuth1", "Header1"],
        "keys": [
            {"name": "token", "sha256": sum("allow"), "scopes": ["all"]},
            {"name": "rest", "sha256": sum("headerValue1"), "scopes": ["all"]},
            {"name": "http", "sha256": sum("value1"), "scopes": ["all", "socket"]},
        ],
    }))
    .unwrap();
    let engine = with(&settings, "");
    let strangers = self::engine(&jwks(&[&Signer::ed("d")]));
    let http = "example-apigw-v2-custom-authorizer";
    for (name, principal, evaluation) in [
        // Its stage is `*`: no policy is built on that.
        ("example-apigw-custom-auth-request", "token", Evaluation::ExplicitDeny),
        ("example-apigw-custom-auth-request-type-request", "rest", Evaluation::Allow),
        (&*format!("{http}-v1-request"), "rest", Evaluation::Allow),
        (&*format!("{http}-v2-request"), "http", Evaluation::Allow),
        (&*format!("{http}-v2-request-null-maps"), "http", Evaluation::Allow),
        (&*format!("{http}-v2-request-without-cookies"), "http", Evaluation::Allow),
        (&*format!("{http}-v2-request-without-identity-source"), "http", Evaluation::Allow),
        (&*format!("{http}-websocket-request"), "http", Evaluation::Allow),
    ] {
        let Some(event) = recorded(&format!("{name}.json")) else { continue };
        let json = answered(&engine, &event).unwrap();
        assert_eq!(json["principalId"], principal, "{name}");
        assert!(!has_null(&json), "{json}");
        let arn = event["methodArn"].as_str().or(event["routeArn"].as_str()).unwrap();
        assert_eq!(evaluate(&json["policyDocument"], INVOKE, arn), evaluation, "{name}");
        let unknown = answered(&strangers, &event).unwrap_err();
        assert_eq!(unknown.to_string(), "Unauthorized", "{name}");
        if name.contains("-v2-request") {
            let simple = answer(&engine, HttpApiAnswer::Simple, &event, now()).unwrap();
            assert_eq!(simple["isAuthorized"], true, "{name}");
        }
    }
    // Events of functions, which are none of an authorizer.
    for name in ["example-apigw-request", "example-apigw-v2-request-jwt-authorizer"] {
        let Some(event) = recorded(&format!("{name}.json")) else { continue };
        let why = answered(&engine, &event).unwrap_err().to_string();
        assert!(
            why.starts_with("the event is none that API Gateway sends to an authorizer"),
            "{why}"
        );
    }
}
