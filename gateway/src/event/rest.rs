//! The event of payload format 1.0 (API Gateway developer guide, "Input format of a Lambda function for proxy
//! integration" and, for HTTP APIs, "payload format version"): repeated headers and parameters stand in maps of
//! their own with all values, and in the plain ones with the last.

use std::time::UNIX_EPOCH;

use http::header;
use serde_json::{Value, json};

use super::{ANONYMOUS, STAGE, Shown, body, last, log_time, multiple, parameters, text};

pub(super) fn event(shown: &Shown<'_>) -> Value {
    let Shown { request, peer, request_id, now, .. } = shown;
    let path = request.uri.path();
    let host = shown.host();
    let id = host.split(['.', ':']).next().unwrap_or_default();
    let headers = shown.all_headers();
    let parameters = parameters(request.uri.query().unwrap_or_default());
    let (body, encoded) =
        body(shown).map_or((None, false), |(body, encoded)| (Some(body), encoded));
    let mut context = json!({
        "accountId": ANONYMOUS,
        "apiId": id,
        "domainName": host,
        "domainPrefix": id,
        "extendedRequestId": request_id,
        "httpMethod": request.method.as_str(),
        "identity": {
            "accessKey": null,
            "accountId": null,
            "caller": null,
            "cognitoAuthenticationProvider": null,
            "cognitoAuthenticationType": null,
            "cognitoIdentityId": null,
            "cognitoIdentityPoolId": null,
            "principalOrgId": null,
            "sourceIp": peer.ip().to_string(),
            "user": null,
            "userAgent": text(request.headers.get(header::USER_AGENT)),
            "userArn": null,
        },
        "path": path,
        "protocol": format!("{:?}", request.version),
        "requestId": request_id,
        "requestTime": log_time(*now),
        "requestTimeEpoch": now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
        "resourceId": format!("{} {}", request.method, shown.path),
        "resourcePath": shown.path,
        "stage": STAGE,
    });
    if let Some(authorizer) = shown.authorizer {
        context["authorizer"] = authorizer.clone();
    }
    if let Some(api) = shown.api {
        context["accountId"] = api.account.as_str().into();
        context["apiId"] = api.api.as_str().into();
        context["stage"] = api.stage.as_str().into();
        context["path"] = format!("/{}{path}", api.stage).into();
        context["identity"]["apiKey"] = text(request.headers.get("x-api-key")).into();
    }
    let mut event = json!({
        "version": "1.0",
        "resource": shown.path,
        "path": path,
        "httpMethod": request.method.as_str(),
        "headers": last(&headers),
        "multiValueHeaders": multiple(&headers),
        "queryStringParameters": (!parameters.is_empty()).then(|| last(&parameters)),
        "multiValueQueryStringParameters": (!parameters.is_empty()).then(|| multiple(&parameters)),
        "pathParameters": (!shown.parameters.is_empty()).then(|| shown.path_parameters()),
        "stageVariables": null,
        "requestContext": context,
        "body": body,
        "isBase64Encoded": encoded,
    });
    if let (Some(_), Some(event)) = (shown.api, event.as_object_mut()) {
        event.remove("version"); // only HTTP APIs send it
    }
    event
}
