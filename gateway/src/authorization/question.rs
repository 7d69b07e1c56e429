//! A request and what is known of it come in; the event that its authorizer's function sees goes out, as JSON.
//! Pure.

use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::identity::Identity;
use crate::config::{ApiArn, Asks, EventFormat};
use crate::event::{Shown, log_time, parameters, text};

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

fn request(shown: &Shown<'_>, api: &ApiArn, arn: &str) -> Value {
    let head = shown.request;
    let (headers, all_headers) = of_headers(&head.headers);
    let (query, all_queries) = of_query(head.uri.query().unwrap_or_default());
    let path_parameters = match shown.parameters.is_empty() {
        true => Value::Null,
        false => shown.path_parameters(),
    };
    json!({
        "type": "REQUEST",
        "methodArn": arn,
        "resource": shown.path,
        "path": head.uri.path(),
        "httpMethod": head.method.as_str(),
        "headers": headers,
        "multiValueHeaders": all_headers,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": all_queries,
        "pathParameters": path_parameters,
        "stageVariables": null,
        "requestContext": {
            "accountId": api.account,
            "apiId": api.api,
            "domainName": shown.host(),
            "httpMethod": head.method.as_str(),
            "identity": {
                "apiKey": text(head.headers.get("x-api-key")),
                "sourceIp": shown.peer.ip().to_string(),
                "userAgent": text(head.headers.get(header::USER_AGENT)),
            },
            "path": format!("/{}{}", api.stage, head.uri.path()),
            "protocol": format!("{:?}", head.version),
            "requestId": shown.request_id,
            "requestTime": log_time(shown.now),
            "requestTimeEpoch": shown.epoch_ms(),
            "resourcePath": shown.path,
            "stage": api.stage,
        },
    })
}

/// That of the function behind, without a body.
fn http_api(shown: &Shown<'_>, api: &ApiArn, identity: &Identity, arn: &str) -> Value {
    let bare = Shown { body: &[], ..*shown };
    let mut event = bare.value(EventFormat::HttpApi);
    if let Some(event) = event.as_object_mut() {
        event.remove("isBase64Encoded");
    }
    event["type"] = "REQUEST".into();
    event["routeArn"] = arn.into();
    event["identitySource"] = identity.values().into();
    event["requestContext"]["accountId"] = api.account.as_str().into();
    event["requestContext"]["apiId"] = api.api.as_str().into();
    event["requestContext"]["stage"] = api.stage.as_str().into();
    event
}

/// By name, the last value of each, and all values of each.
fn of_headers(received: &HeaderMap) -> (Map<String, Value>, Map<String, Value>) {
    let (mut last, mut all) = (Map::new(), Map::new());
    for name in received.keys() {
        let values = received.get_all(name).iter();
        let values: Vec<String> = values.filter_map(|value| text(Some(value))).collect();
        last.insert(name.as_str().into(), values.last().cloned().into());
        all.insert(name.as_str().into(), values.into());
    }
    (last, all)
}

fn of_query(query: &str) -> (Map<String, Value>, Map<String, Value>) {
    let (mut last, mut all) = (Map::new(), Map::new());
    for (name, values) in parameters(query) {
        last.insert(name.clone(), values.last().cloned().into());
        all.insert(name, values.into());
    }
    (last, all)
}
