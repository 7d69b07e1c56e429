//! The authorizer as it is deployed: its program under a Lambda service, events by an AWS SDK in, answers and
//! errors out as API Gateway would get them. And what it says to whoever sets it up wrongly.
#![allow(clippy::unwrap_used)]

use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::primitives::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use local_lambda::{Function, LocalLambda, Logs};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:api1/prod";

/// The program is in the folder above that of the test's own, if all members were built.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("stream-authorizer");
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.is_file(), "{} is not built: run `cargo test --workspace`", program.display());
    program
}

/// Runs the program outside of Lambda, with these variables of its own.
fn run(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program());
    for name in ["STREAM_AUTHORIZER_CONFIG", "STREAM_AUTHORIZER_SETTINGS", "AWS_LAMBDA_RUNTIME_API"]
    {
        command.env_remove(name);
    }
    command.args(words).envs(variables.iter().copied()).output().unwrap()
}

/// A fresh key, and the entry that knows it, as the program prints both.
fn key(name: &str) -> (String, String) {
    let output = run(&["key", name], &[]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let key = text.lines().nth(1).unwrap().to_owned();
    assert!(key.starts_with("sa_") && key.len() == 46, "{text}");
    let entry = &text[text.find("[[keys]]").unwrap()..];
    assert!(!entry.contains(&key), "the settings hold no key");
    (key, entry.replace("scopes = []", "scopes = [\"read\"]"))
}

/// A service with the authorizer, and somebody who calls it as API Gateway does.
struct Authorizer {
    client: aws_sdk_lambda::Client,
    _local: LocalLambda,
}

impl Authorizer {
    async fn start(function: Function) -> Self {
        let local =
            LocalLambda::builder().function(function).logs(Logs::Discard).start().await.unwrap();
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .endpoint_url(local.endpoint_url())
            .build();
        Self { client: aws_sdk_lambda::Client::from_conf(config), _local: local }
    }

    /// The answer, or the error, as JSON, and whether it is an error.
    async fn ask(&self, event: Value) -> (Value, bool) {
        let payload = Blob::new(event.to_string());
        let answer = self.client.invoke().function_name("auth").payload(payload).send().await;
        let answer = answer.unwrap();
        let json = serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap();
        (json, answer.function_error.is_some())
    }
}

fn token_event(token: &str) -> Value {
    let arn = format!("{ARN}/GET/objects/a");
    json!({"type": "TOKEN", "authorizationToken": token, "methodArn": arn})
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_answers_out() {
    let (key, entry) = key("reporting");
    let folder = tempfile::tempdir().unwrap();
    let jwks = folder.path().join("jwks.json");
    let signing = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let x = URL_SAFE_NO_PAD.encode(signing.public_key_raw());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": x});
    std::fs::write(&jwks, json!({"keys": [jwk]}).to_string()).unwrap();
    let config = folder.path().join("authorizer.toml");
    let settings = format!(
        "[scopes]\nread = [\"GET /objects/*\"]\n\n{entry}\n[jwt]\nissuer = \"i\"\naudience = [\"a\"]\njwks_file = {jwks:?}\n"
    );
    std::fs::write(&config, settings).unwrap();
    let function = Function::new("auth", program())
        .env("STREAM_AUTHORIZER_CONFIG", &config)
        .concurrent_invocations(4);
    let authorizer = Authorizer::start(function).await;

    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Action": ["execute-api:Invoke"], "Resource": [format!("{ARN}/GET/objects/*")],
        }],
    });
    let by_key = authorizer.ask(token_event(&key)).await;
    let context = json!({"principal": "reporting", "scope": "read"});
    let wanted = json!({"principalId": "reporting", "policyDocument": policy, "context": context});
    assert_eq!(by_key, (wanted, false));

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let token = |expires: Duration| {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
        header.kid = Some("d".into());
        let claims = json!({
            "iss": "i", "aud": "a", "sub": "anna", "scope": "read", "exp": expires.as_secs(),
        });
        let key = jsonwebtoken::EncodingKey::from_ed_der(&signing.serialize_der());
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    };
    let good = token(now + Duration::from_secs(3600));
    let (answer, failed) = authorizer.ask(token_event(&format!("Bearer {good}"))).await;
    assert!(!failed);
    assert_eq!((&answer["principalId"], &answer["policyDocument"]), (&json!("anna"), &policy));

    // Of a REST API, by the header.
    let (answer, _) = authorizer
        .ask(json!({
            "type": "REQUEST", "methodArn": format!("{ARN}/PUT/objects/a"),
            "headers": {"authorization": format!("Bearer {good}")},
        }))
        .await;
    assert_eq!(answer["policyDocument"], policy, "all that they may, not what was asked");

    // What makes API Gateway answer 401: this word and no other.
    let old = token(now - Duration::from_secs(3600));
    for refused in ["", "wrong", &key[1..], &format!("Bearer {old}"), &good[..good.len() - 3]] {
        let (error, failed) = authorizer.ask(token_event(refused)).await;
        assert!(failed, "{refused}");
        assert_eq!(error["errorMessage"], "Unauthorized", "{refused}");
    }

    // And what makes it answer 500, without a word of the event.
    let (error, failed) = authorizer.ask(json!({"hunter2": "hunter2"})).await;
    assert!(failed && !error.to_string().contains("hunter2"), "{error}");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("the event is none that API Gateway sends"), "{message}");

    // Several at once, as on Lambda Managed Instances.
    let asked = (0..20).map(|_| authorizer.ask(token_event(&key)));
    for (answer, failed) in futures_util::future::join_all(asked).await {
        assert!(!failed && answer["principalId"] == "reporting", "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_answers_where_the_settings_ask_for_them() {
    let (key, entry) = key("web");
    let settings =
        format!("http_api_answer = \"simple\"\n[scopes]\nread = [\"GET /objects/*\"]\n{entry}");
    let function = Function::new("auth", program()).env("STREAM_AUTHORIZER_SETTINGS", settings);
    let authorizer = Authorizer::start(function).await;
    let event = |path: &str, key: &str| {
        json!({
            "version": "2.0", "type": "REQUEST", "routeArn": format!("{ARN}/GET{path}"),
            "rawPath": path, "headers": {"x-api-key": key},
            "requestContext": {"stage": "$default", "http": {"method": "GET"}},
        })
    };
    for (path, key, authorized) in [
        ("/objects/a", key.as_str(), true),
        ("/admin", &key, false),
        ("/objects/a", "wrong", false),
    ] {
        let (answer, failed) = authorizer.ask(event(path, key)).await;
        assert!(!failed);
        assert_eq!(answer["isAuthorized"], authorized, "{path} {key}");
    }
}

#[test]
fn bad_input_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    let wrong = folder.path().join("wrong.toml");
    std::fs::write(&wrong, "[scopes]\nread = [\"GET objects\"]\n").unwrap();
    let (missing, wrong) = (missing.to_str().unwrap(), wrong.to_str().unwrap());
    let (config, settings) = ("STREAM_AUTHORIZER_CONFIG", "STREAM_AUTHORIZER_SETTINGS");
    let good = "[scopes]\nread = [\"GET /*\"]\n[[keys]]\nname = \"a\"\nsha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"";
    for (words, variables, expected) in [
        (&[][..], vec![], "no settings: STREAM_AUTHORIZER_CONFIG is the path"),
        (&[], vec![(config, missing)], "missing.toml cannot be read"),
        (&[], vec![(config, wrong)], "wrong.toml: scopes.\"read\"[0]: say a method and a path"),
        (&[], vec![(config, wrong), (settings, good)], "are set: say one of them"),
        (&[], vec![(settings, "a = 1")], "STREAM_AUTHORIZER_SETTINGS: line 1: unknown field `a`"),
        (&[], vec![(settings, "keys = \"hunter2\"")], "line 1: invalid type, expected a sequence"),
        (&[], vec![(settings, good)], "AWS_LAMBDA_RUNTIME_API is not set"),
        (&["check"], vec![(settings, "")], "keys, jwt: nobody could be known"),
        (&["serve"], vec![], "say nothing, \"check\" or \"key NAME\""),
        (&["key"], vec![], "say nothing, \"check\" or \"key NAME\""),
        (&["key", "a\"b"], vec![], "key: a name has letters"),
    ] {
        let output = run(words, &variables);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("stream-authorizer: ") && text.contains(expected), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let checked = run(&["check"], &[(settings, good)]);
    assert!(checked.status.success());
    assert_eq!(checked.stdout, b"good: scopes 1, API keys 1, no tokens\n");
}
