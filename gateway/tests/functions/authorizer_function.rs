//! An authorizer's event of any kind comes in; the answer goes out that its token asks for by a word, such as
//! `allow-all` or `hang`. Each call leaves a line in the file that `CALLS` names: the event.

use std::io::Write as _;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

/// More than is read of an answer, in bytes.
const TOO_LARGE: usize = 64 * 1024;

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let event = event.payload;
    if let Ok(calls) = std::env::var("CALLS") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(calls)?;
        writeln!(file, "{event}")?;
    }
    let token = ["/authorizationToken", "/headers/authorization", "/headers/x-who"]
        .into_iter()
        .find_map(|place| event.pointer(place))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let arn = event["methodArn"].as_str().or(event["routeArn"].as_str()).unwrap_or_default();
    let stage = arn.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
    let word = token.split(' ').next_back().unwrap_or_default();
    Ok(match word {
        "allow-all" => policy("Allow", &format!("{stage}/*")),
        "allow-this" => policy("Allow", arn),
        "allow-objects" => policy("Allow", &format!("{stage}/GET/objects/*")),
        "deny" => policy("Deny", "*"),
        "yes" => json!({"isAuthorized": true, "context": {"tenant": "blue", "groups": ["a", "b"]}}),
        "no" => json!({"isAuthorized": false}),
        "nobody" => return Err("Unauthorized".into()),
        "fail" => return Err(format!("the token {token} is not to be seen").into()),
        "hang" => std::future::pending().await,
        "garbage" => json!({"hello": 1}),
        "nested" => {
            let mut answer = policy("Allow", "*");
            answer["context"]["nested"] = json!({"a": 1});
            answer
        }
        "large" => {
            let mut answer = policy("Allow", "*");
            answer["context"]["large"] = "x".repeat(TOO_LARGE).into();
            answer
        }
        _ => return Err("Unauthorized".into()),
    })
}

fn policy(effect: &str, resource: &str) -> Value {
    json!({
        "principalId": "ann",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource},
            ],
        },
        "context": {"tenant": "blue", "level": 7, "admin": false},
    })
}
