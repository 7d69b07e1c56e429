//! The event of payload format 2.0 (API Gateway developer guide, "Create AWS Lambda proxy integrations for
//! HTTP APIs"): repeated headers and parameters are joined by commas, cookies stand apart.

use std::time::UNIX_EPOCH;

use http::header;
use serde_json::{Map, Value, json};

use super::{ANONYMOUS, STAGE, Shown, body, cookies, log_time, parameters, text};

pub(super) fn event(shown: &Shown<'_>) -> Value {
    let Shown { request, peer, request_id, now, .. } = shown;
    let path = request.uri.path();
    let query = request.uri.query().unwrap_or_default();
    let host = shown.host();
    let id = host.split(['.', ':']).next().unwrap_or_default();
    let route = format!("{} {}", request.method, shown.path);
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(shown),
        "requestContext": {
            "accountId": ANONYMOUS,
            "apiId": id,
            "domainName": host,
            "domainPrefix": id,
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", request.version),
                "sourceIp": peer.ip().to_string(),
                "userAgent": text(request.headers.get(header::USER_AGENT)).unwrap_or_default(),
            },
            "requestId": request_id,
            "routeKey": route,
            "stage": STAGE,
            "time": log_time(*now),
            "timeEpoch": now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
        },
        "isBase64Encoded": false,
    });
    if let Some(authorizer) = shown.authorizer {
        event["requestContext"]["authorizer"] = authorizer.clone();
    }
    let cookies = cookies(&request.headers);
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    let mut joined = Map::new();
    for (name, values) in parameters(query) {
        joined.insert(name, values.join(",").into());
    }
    if !joined.is_empty() {
        event["queryStringParameters"] = joined.into();
    }
    if !shown.parameters.is_empty() {
        event["pathParameters"] = shown.path_parameters();
    }
    if let Some((body, encoded)) = body(shown) {
        event["body"] = body.into();
        event["isBase64Encoded"] = encoded.into();
    }
    event
}

/// The headers under small names, repeated ones joined, cookies left out.
fn headers(shown: &Shown<'_>) -> Map<String, Value> {
    let all = shown.all_headers().into_iter();
    let shown = all.filter(|(name, _)| *name != header::COOKIE.as_str());
    shown.map(|(name, values)| (name, values.join(",").into())).collect()
}
