//! A request and what is known of it come in; the event that its authorizer's function sees goes out, as JSON.
//! Pure.

use serde_json::{Value, json};

use super::identity::Identity;
use crate::config::{ApiArn, Asks};
use crate::event::{QuestionFormat, Shown};

/// As API Gateway asks (its developer guide, "Input to an API Gateway Lambda authorizer" and "Control access to
/// HTTP APIs with AWS Lambda authorizers").
pub(super) fn event(
    shown: &Shown<'_>,
    asks: Asks,
    api: &ApiArn,
    identity: &Identity,
    arn: &str,
) -> Vec<u8> {
    let event = match asks {
        Asks::Token => json!({
            "type": "TOKEN",
            "authorizationToken": identity.values().first(),
            "methodArn": arn,
        }),
        Asks::Request => request(shown, api, arn),
        Asks::HttpApiRequest => http_api(shown, api, identity, arn),
    };
    event.to_string().into_bytes()
}

/// That of the function behind, without a body.
fn request(shown: &Shown<'_>, api: &ApiArn, arn: &str) -> Value {
    let mut event = shown.bodiless(QuestionFormat::Rest, api);
    event["type"] = "REQUEST".into();
    event["methodArn"] = arn.into();
    event
}

fn http_api(shown: &Shown<'_>, api: &ApiArn, identity: &Identity, arn: &str) -> Value {
    let mut event = shown.bodiless(QuestionFormat::HttpApi, api);
    event["type"] = "REQUEST".into();
    event["routeArn"] = arn.into();
    event["identitySource"] = identity.values().into();
    let context = &mut event["requestContext"];
    context["accountId"] = api.account.as_str().into();
    context["apiId"] = api.api.as_str().into();
    context["stage"] = api.stage.as_str().into();
    event
}
