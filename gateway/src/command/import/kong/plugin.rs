//! What the plugin is set to comes in; the lines of a route that say who answers it go out, with a warning for
//! each meaning that differs. Pure.

use serde_json::{Map, Value};

use crate::command::import::imported::quoted;

/// All that the plugin has.
const KNOWN: [&str; 29] = [
    "aws_assume_role_arn",
    "aws_imds_protocol_version",
    "aws_key",
    "aws_region",
    "aws_role_session_name",
    "aws_secret",
    "aws_sts_endpoint_url",
    "awsgateway_compatible",
    "awsgateway_compatible_payload_version",
    "base64_encode_body",
    "disable_https",
    "empty_arrays_mode",
    "forward_request_body",
    "forward_request_headers",
    "forward_request_method",
    "forward_request_uri",
    "function_name",
    "host",
    "invocation_type",
    "is_proxy_integration",
    "keepalive",
    "log_type",
    "port",
    "proxy_scheme",
    "proxy_url",
    "qualifier",
    "skip_large_bodies",
    "timeout",
    "unhandled_status",
];

/// What Kong puts into an event of its own.
const FORWARDED: [(&str, &str); 4] = [
    ("forward_request_method", "request_method is requestContext.http.method"),
    (
        "forward_request_uri",
        "request_uri is rawPath and rawQueryString, request_uri_args queryStringParameters",
    ),
    ("forward_request_headers", "request_headers is headers"),
    (
        "forward_request_body",
        "request_body is body, with isBase64Encoded, and request_body_args is not parsed",
    ),
];

/// A function as a route has it.
pub(super) struct Function {
    pub(super) lines: String,
    /// Whether it saw the path as Kong would have sent it on.
    pub(super) sees_upstream_path: bool,
}

/// None if it is not to be called as we do.
pub(super) fn function(
    settings: &Map<String, Value>,
    warnings: &mut Vec<String>,
) -> Result<Option<Function>, String> {
    for key in settings.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        warnings.push(format!("{key} is no field of aws-lambda that is known here: left out"));
    }
    let name = text(settings, "function_name")?.ok_or("function_name is missing")?;
    match text(settings, "invocation_type")? {
        None | Some("RequestResponse") => {}
        Some(other) => {
            warnings.push(format!(
                "invocation_type = {other}: left out, because functions are waited for here"
            ));
            return Ok(None);
        }
    }
    let mut lambda = vec![format!("function = {}", quoted(name))];
    if let Some(qualifier) = text(settings, "qualifier")? {
        lambda.push(format!("qualifier = {}", quoted(qualifier)));
    }
    let is_proxy = flag(settings, "is_proxy_integration", false)?;
    let is_compatible = flag(settings, "awsgateway_compatible", false)?;
    let event = if is_compatible {
        compatible(settings, warnings)?
    } else {
        own_event(settings, is_proxy, warnings)?
    };
    lambda.push(format!("event = {}", quoted(event)));
    if is_proxy {
        lambda.push("mode = \"buffered\"".into());
        let reason = "is_proxy_integration: written as mode = \"buffered\", because the function answers with JSON \
                      that has statusCode and body; take mode out once it streams";
        warnings.push(reason.into());
    } else {
        let reason = "the function's answer was sent as application/json with status 200; here it streams as it is, \
                      as application/octet-stream unless it says more in a head of its own";
        warnings.push(reason.into());
    }
    let mut lines = format!("lambda = {{ {} }}\n", lambda.join(", "));
    lines.push_str(&timeouts(settings, warnings)?);
    others(settings, warnings)?;
    Ok(Some(Function { lines, sees_upstream_path: is_compatible }))
}

/// An event that is one of API Gateway's in Kong as well.
fn compatible(
    settings: &Map<String, Value>,
    warnings: &mut Vec<String>,
) -> Result<&'static str, String> {
    let event = match text(settings, "awsgateway_compatible_payload_version")? {
        None | Some("1.0") => "1.0",
        Some("2.0") => "2.0",
        Some(_) => {
            return Err("awsgateway_compatible_payload_version is neither 1.0 nor 2.0".into());
        }
    };
    warnings.push(match flag(settings, "base64_encode_body", true)? {
        true => "base64_encode_body: Kong encoded every body; here only what is no text is, and isBase64Encoded says so"
            .into(),
        false => "base64_encode_body = false: what is no text is encoded here, and isBase64Encoded says so".into(),
    });
    Ok(event)
}

/// An event of Kong's own, or none: what comes nearest.
fn own_event(
    settings: &Map<String, Value>,
    is_proxy: bool,
    warnings: &mut Vec<String>,
) -> Result<&'static str, String> {
    let mut forwarded = Vec::new();
    for (key, is) in FORWARDED {
        if flag(settings, key, false)? {
            forwarded.push(is);
        }
    }
    if !forwarded.is_empty() {
        let forwarded = forwarded.join("; ");
        warnings.push(format!(
            "Kong's own event is not made here: the function sees format 2.0 and has to be changed: {forwarded}; or, \
             with event = \"raw\", the body alone"
        ));
        return Ok("2.0");
    }
    if is_proxy {
        let reason = "Kong sent the parameters of the query and of the body as the payload; the function sees format \
                      2.0 (queryStringParameters, body) and has to be changed, because an answer with a statusCode \
                      needs an event";
        warnings.push(reason.into());
        return Ok("2.0");
    }
    let reason = "Kong sent the parameters of the query and of the body as the payload; with event = \"raw\" the body \
                  alone is the payload, and has to be JSON: no query, no forms";
    warnings.push(reason.into());
    Ok("raw")
}

fn timeouts(settings: &Map<String, Value>, warnings: &mut Vec<String>) -> Result<String, String> {
    let Some(said) = settings.get("timeout") else { return Ok(String::new()) };
    let limit = said.as_u64().filter(|limit| *limit > 0);
    let limit = limit.ok_or("timeout is no number of milliseconds")?;
    warnings.push(format!(
        "timeout {limit} ms was for connecting, sending and reading: written as connect, first_byte and idle"
    ));
    Ok(format!(
        "timeouts = {{ connect = \"{limit}ms\", first_byte = \"{limit}ms\", idle = \"{limit}ms\" }}\n"
    ))
}

/// What has no like here.
fn others(settings: &Map<String, Value>, warnings: &mut Vec<String>) -> Result<(), String> {
    if let Some(status) = settings.get("unhandled_status") {
        warnings.push(format!(
            "unhandled_status {status}: not carried over: a function that fails before its first byte is a 502"
        ));
    }
    if text(settings, "log_type")? == Some("Tail") {
        let reason =
            "log_type = Tail: not carried over: clients are not sent the end of the function's log";
        warnings.push(reason.into());
    }
    if settings.contains_key("keepalive") {
        warnings.push("keepalive: not carried over: connections are kept for a while".into());
    }
    if flag(settings, "skip_large_bodies", true)? {
        let reason = "skip_large_bodies: bodies that Kong did not keep in memory were left out; here they are passed \
                      on, and one of more than body_max (6 MB) is a 413";
        warnings.push(reason.into());
    }
    if text(settings, "empty_arrays_mode")? == Some("legacy") {
        let reason = "empty_arrays_mode = legacy: not carried over: an empty array stays one";
        warnings.push(reason.into());
    }
    Ok(())
}

/// # Errors
///
/// It is no text, or one that stands for another (Kong's vaults, decK's variables).
pub(super) fn text<'a>(
    settings: &'a Map<String, Value>,
    key: &str,
) -> Result<Option<&'a str>, String> {
    let text = match settings.get(key) {
        None => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(format!("{key} is no text")),
    };
    if text.starts_with("{vault:") || text.contains("${{") {
        return Err(format!("{key} stands for something else: write what it stands for"));
    }
    Ok(Some(text))
}

pub(super) fn flag(
    settings: &Map<String, Value>,
    key: &str,
    default: bool,
) -> Result<bool, String> {
    match settings.get(key) {
        None => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(format!("{key} is neither true nor false")),
    }
}
