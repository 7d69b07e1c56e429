//! Requests come in as clients of a REST API send them, and answers that are ready; what such an API takes, says
//! and calls its headers goes out. Pure.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header, request};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::authorization::Caller;
use crate::config::{KeySource, Rest, Rules};
use crate::problem::{Cause, Problem};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// What the gateway itself calls a request.
const GATEWAY_ID: HeaderName = crate::request_id::REQUEST_ID;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXTENDED_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// What a signed request's `authorization` begins with (SigV4).
const SIGNED: &str = "AWS4-HMAC-SHA256 ";

/// Of an extended id, in bytes: 15 characters and a padding, as in life.
const EXTENDED_ID_BYTES: usize = 11;

/// Where the head of a stream and the zeros behind it must be at their end, in bytes (developer guide, "Stream
/// the integration response": the first 16 KB; whether of 1,000 or of 1,024 it does not say).
const HEAD_MAX: usize = 16_000;
/// Quotes, a colon and a comma of a header in JSON; the braces, the status and the zeros around them.
const MARKS: usize = 6;
const HEAD_FRAME: usize = r#"{"statusCode":200,"headers":{}}"#.len() + 8;

/// Headers of the gateway's own that such an API does not have.
const FOREIGN: [HeaderName; 2] = [GATEWAY_ID, HeaderName::from_static("x-amz-executed-version")];

/// Headers of a function that come out under another name. The developer guide ("Amazon API Gateway important
/// notes") lists those that may; these are the ones that are seen to in answers of functions, from memory.
const REMAPPED: [(HeaderName, HeaderName); 6] = [
    (header::CONTENT_LENGTH, HeaderName::from_static("x-amzn-remapped-content-length")),
    (header::DATE, HeaderName::from_static("x-amzn-remapped-date")),
    (header::SERVER, HeaderName::from_static("x-amzn-remapped-server")),
    (header::HOST, HeaderName::from_static("x-amzn-remapped-host")),
    (header::AUTHORIZATION, HeaderName::from_static("x-amzn-remapped-authorization")),
    (header::WWW_AUTHENTICATE, HeaderName::from_static("x-amzn-remapped-www-authenticate")),
];

/// The same request without the stage, which is the first part of its path.
pub(crate) fn without_stage(rest: &Rest, uri: &Uri) -> Result<Uri, Problem> {
    let nowhere = || Problem::new(StatusCode::NOT_FOUND, "this is no path of the stage");
    let path = uri.path().strip_prefix('/').and_then(|path| path.strip_prefix(&*rest.api.stage));
    let path = match path {
        Some("") => "/",
        Some(path) if path.starts_with('/') => path,
        _ => return Err(nowhere()),
    };
    let behind = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(behind.parse::<PathAndQuery>().map_err(|_| nowhere())?);
    Uri::from_parts(parts).map_err(|_| nowhere())
}

/// Whether a method may be asked, as far as that is not its authorizer's to say.
pub(crate) fn admit(
    rest: &Rest,
    rules: Rules,
    head: &request::Parts,
    caller: Option<&Caller>,
) -> Result<(), Problem> {
    if rules.signed {
        let value = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if !value.is_some_and(|value| value.starts_with(SIGNED)) {
            let problem = Problem::new(StatusCode::FORBIDDEN, "this method wants a signature");
            return Err(problem.because(Cause::NotSigned));
        }
    }
    if rules.needs_key {
        let key = match rest.key_source {
            // Of two nobody knows which one counts.
            KeySource::Header => {
                match &head.headers.get_all(API_KEY).iter().collect::<Vec<_>>()[..] {
                    [key] => Some(key.as_bytes()),
                    _ => None,
                }
            }
            KeySource::Authorizer => {
                caller.and_then(|caller| caller.usage_key.as_deref()).map(str::as_bytes)
            }
        };
        let key = key.filter(|key| !key.is_empty());
        let sum: Option<[u8; 32]> = key.map(|key| Sha256::digest(key).into());
        if !sum.is_some_and(|sum| rest.keys.contains(&sum)) {
            let problem = Problem::new(StatusCode::FORBIDDEN, "this method wants an API key");
            return Err(problem.because(Cause::NoKey));
        }
    }
    Ok(())
}

/// What such an API answers itself. The words and types are those of its "gateway responses" (developer guide,
/// "Gateway response types"), which names statuses and no texts; the texts are what clients of APIs in life
/// report, and those of 413, 414, 429 and 504's type are from memory.
pub(crate) fn refusal(problem: &Problem) -> Response<Bytes> {
    let message = |text: &str| json!({ "message": text });
    // With a capital, as the service has it here.
    let denied = |text: &str| json!({ "Message": text });
    let internal = "InternalServerErrorException";
    let (status, kind, body) = match (problem.status, problem.cause) {
        (_, Some(Cause::NotSigned))
        | (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => (
            StatusCode::FORBIDDEN,
            "MissingAuthenticationTokenException",
            message("Missing Authentication Token"),
        ),
        (_, Some(Cause::NoKey)) => {
            (StatusCode::FORBIDDEN, "ForbiddenException", message("Forbidden"))
        }
        (_, Some(Cause::Denied { explicitly: true })) => (
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            denied("User is not authorized to access this resource with an explicit deny"),
        ),
        (_, Some(Cause::Denied { explicitly: false })) => (
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            denied("User is not authorized to access this resource"),
        ),
        (_, Some(Cause::AuthorizerFailed)) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "AuthorizerConfigurationException",
            json!({ "message": null }),
        ),
        (status @ StatusCode::UNAUTHORIZED, _) => {
            (status, "UnauthorizedException", message("Unauthorized"))
        }
        (status @ StatusCode::BAD_REQUEST, _) => {
            (status, "BadRequestException", message("Bad Request"))
        }
        (status @ StatusCode::PAYLOAD_TOO_LARGE, _) => {
            (status, "RequestTooLargeException", message("Request Too Long"))
        }
        (status @ StatusCode::URI_TOO_LONG, _) => {
            (status, "RequestTooLargeException", message("Request-URI Too Large"))
        }
        (StatusCode::SERVICE_UNAVAILABLE, _) => (
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            message("Too Many Requests"),
        ),
        (status @ StatusCode::GATEWAY_TIMEOUT, _) => {
            (status, internal, message("Endpoint request timed out"))
        }
        // The function was throttled, which a client is not told.
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            (StatusCode::INTERNAL_SERVER_ERROR, internal, message("Internal server error"))
        }
        _ => (StatusCode::BAD_GATEWAY, internal, message("Internal server error")),
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(ERROR_TYPE, HeaderValue::from_static(kind));
    response
}

/// Such an API looks for the end of a head only so far. What came is known only by what it says; written as
/// JSON without spaces it is as long as this, or nearly.
pub(crate) fn check_head(status: StatusCode, headers: &HeaderMap) -> Result<(), Problem> {
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + MARKS);
    let length = lines.sum::<usize>() + HEAD_FRAME;
    if length <= HEAD_MAX {
        return Ok(());
    }
    let detail = format!(
        "the function's head ({status}) has about {length} bytes; it ends within {HEAD_MAX} or is none"
    );
    Err(Problem::new(StatusCode::BAD_GATEWAY, detail))
}

/// Takes the headers of a function's answer as such an API does. A body that was not streamed is as long as
/// the API says itself.
pub(crate) fn remap(headers: &mut HeaderMap, rules: Rules) {
    let streamed = |name: &HeaderName| rules.streams || *name != header::CONTENT_LENGTH;
    for (name, other) in REMAPPED.into_iter().filter(|(name, _)| streamed(name)) {
        if let Some(value) = headers.remove(&name) {
            headers.insert(other, value);
        }
    }
}

/// Gives every answer the ids that such an API gives.
pub(crate) fn name(headers: &mut HeaderMap) {
    let request_id = headers.get(GATEWAY_ID).cloned().unwrap_or(HeaderValue::from_static(""));
    for name in FOREIGN {
        headers.remove(name);
    }
    let sum = Sha256::digest(&request_id);
    let extended = BASE64_STANDARD.encode(&sum[..EXTENDED_ID_BYTES]);
    headers.insert(REQUEST_ID, request_id);
    if let Ok(extended) = HeaderValue::from_str(&extended) {
        headers.insert(EXTENDED_ID, extended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ApiArn;

    fn rest() -> Rest {
        let api = ApiArn::parse("arn:aws:execute-api:us-east-1:123456789012:a/live").unwrap();
        Rest { api, keys: Vec::new(), key_source: KeySource::Header, rules: Vec::new() }
    }

    #[test]
    fn a_path_is_of_the_stage_or_of_nothing() {
        for (uri, expected) in [
            ("/live/objects/a?b=c", Some("/objects/a?b=c")),
            ("/live/", Some("/")),
            ("/live", Some("/")),
            ("http://host/live/a", Some("http://host/a")),
            ("/lively/a", None),
            ("/a", None),
            ("/", None),
            ("/test/a", None),
        ] {
            let found = without_stage(&rest(), &uri.parse().unwrap()).ok();
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn headers_of_a_function_come_out_under_other_names() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(7));
        headers.insert(header::ETAG, HeaderValue::from_static("\"a\""));
        remap(&mut headers, Rules { streams: true, signed: false, needs_key: false });
        headers.insert(GATEWAY_ID, HeaderValue::from_static("7d1f"));
        name(&mut headers);
        assert_eq!(headers["x-amzn-remapped-content-length"], "7");
        assert_eq!(headers["etag"], "\"a\"");
        assert_eq!(headers["x-amzn-requestid"], "7d1f");
        assert_eq!(headers["x-amz-apigw-id"].len(), 16);
        assert!(!headers.contains_key(header::CONTENT_LENGTH));
    }
}
