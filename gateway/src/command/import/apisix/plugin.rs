//! The object of the plugin comes in; the lines of a route that say who answers it go out, with a warning for
//! each meaning that differs. Pure.

use std::collections::BTreeSet;

use http::Uri;
use serde_json::{Map, Value};

use crate::command::import::imported::quoted;

/// What APISIX takes for the region and the service where nothing is said.
const REGION_DEFAULT: &str = "us-east-1";
const SERVICE_DEFAULT: &str = "execute-api";

/// The largest payload of an invocation, in bytes (AWS Lambda developer guide, "Quotas").
const PAYLOAD_MAX: u64 = 6 * 1_000_000;

/// The longest time that is one, in milliseconds: a year.
const TIMEOUT_MAX: u64 = 365 * 24 * 60 * 60 * 1_000;

/// All that the plugin has, and what every plugin may have.
const KNOWN: [&str; 9] = [
    "function_uri",
    "authorization",
    "timeout",
    "ssl_verify",
    "keepalive",
    "keepalive_timeout",
    "keepalive_pool",
    "max_req_body_size",
    "_meta",
];

/// `name` is the route's, and becomes part of the names of variables; `variables` are those of the routes before.
pub(super) fn upstream(
    settings: &Map<String, Value>,
    name: &str,
    variables: &mut BTreeSet<String>,
    warnings: &mut Vec<String>,
) -> Result<String, String> {
    for key in settings.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        warnings.push(format!("{key} is no field of aws-lambda that is known here: left out"));
    }
    if settings.get("_meta").is_some() {
        warnings.push("_meta is not carried over".into());
    }
    let mut http = vec![format!("url = {}", quoted(&url(settings)?))];
    let empty = Map::new();
    let authorization = object(settings, "authorization", "authorization")?.unwrap_or(&empty);
    let iam = object(authorization, "iam", "authorization.iam")?;
    match (text(authorization, "apikey", "authorization.apikey")?, iam) {
        (Some(key), iam) => {
            let variable = variable(key, name, variables);
            http.push(format!("api_key_env = {}", quoted(&variable)));
            warnings.push(format!(
                "set the variable {variable} to what was authorization.apikey; it now replaces an x-api-key \
                 that a client sends"
            ));
            if iam.is_some() {
                let reason = "authorization.iam was never used beside apikey, and is left out; to sign instead, \
                              take api_key_env out and add sign and region";
                warnings.push(reason.into());
            }
        }
        (None, Some(iam)) => http.extend(signing(iam, warnings)?),
        (None, None) => {}
    }
    let mut lines = format!("http = {{ {} }}\n", http.join(", "));
    lines.push_str(&timeouts(settings, warnings)?);
    lines.push_str(&body(settings, warnings)?);
    if settings.get("ssl_verify").and_then(Value::as_bool) == Some(false) {
        let reason = "ssl_verify = false is not carried over: certificates are always verified here; name the one \
                      to trust as ca_bundle in [aws]";
        warnings.push(reason.into());
    }
    let kept = ["keepalive", "keepalive_timeout", "keepalive_pool"];
    let kept: Vec<&str> = kept.into_iter().filter(|key| settings.contains_key(*key)).collect();
    if !kept.is_empty() {
        let kept = kept.join(", ");
        warnings.push(format!(
            "{kept}: not carried over: connections are kept for a while, as many as there are"
        ));
    }
    Ok(lines)
}

/// What is there has to be an object. No message quotes what it is.
fn object<'a>(
    of: &'a Map<String, Value>,
    key: &str,
    path: &str,
) -> Result<Option<&'a Map<String, Value>>, String> {
    let object = of.get(key).map(|value| value.as_object());
    object.map(|object| object.ok_or_else(|| format!("{path} is no object"))).transpose()
}

/// The same of a text.
fn text<'a>(of: &'a Map<String, Value>, key: &str, path: &str) -> Result<Option<&'a str>, String> {
    let text = of.get(key).map(|value| value.as_str());
    text.map(|text| text.ok_or_else(|| format!("{path} is no text"))).transpose()
}

/// No message quotes it: there may be a secret in it.
fn url(settings: &Map<String, Value>) -> Result<String, String> {
    let said = settings.get("function_uri").and_then(Value::as_str);
    let said = said.ok_or("function_uri is missing, or is no text")?;
    let uri: Uri = said.parse().map_err(|_| "function_uri is no URL")?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("function_uri is no http:// or https:// URL".into());
    };
    if authority.as_str().contains('@') || uri.query().is_some() {
        let reason =
            "function_uri has a user, a password or a query, which may be secrets: take them out";
        return Err(reason.into());
    }
    if said.contains(['{', '}', '#']) {
        return Err("function_uri has braces or a fragment: take them out".into());
    }
    Ok(said.to_owned())
}

fn signing(iam: &Map<String, Value>, warnings: &mut Vec<String>) -> Result<[String; 2], String> {
    let region = text(iam, "aws_region", "authorization.iam.aws_region")?.unwrap_or(REGION_DEFAULT);
    let service = text(iam, "service", "authorization.iam.service")?.unwrap_or(SERVICE_DEFAULT);
    if !["lambda", "execute-api"].contains(&service) {
        let reason = "authorization.iam.service is neither lambda nor execute-api: nothing else is signed for here";
        return Err(reason.into());
    }
    if !region.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') {
        return Err("authorization.iam.aws_region is no region".into());
    }
    let said = ["accesskey", "secretkey"].iter().any(|key| iam.contains_key(*key));
    if said {
        let reason = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to what were authorization.iam.accesskey and \
                      secretkey, for all routes; or better, leave them out for a profile or a role ([aws])";
        warnings.push(reason.into());
    }
    let reason = "a client's authorization header is now replaced by the signature; APISIX then sent it on \
                  unsigned. Signed are the headers that AWS asks for, not all";
    warnings.push(reason.into());
    Ok([format!("sign = {}", quoted(service)), format!("region = {}", quoted(region))])
}

/// The variable that a key belongs into: the one that it is taken from already, or one by the route's name that no
/// other route has.
fn variable(key: &str, name: &str, variables: &mut BTreeSet<String>) -> String {
    let prefix = key.get(.."$env://".len()).filter(|prefix| prefix.eq_ignore_ascii_case("$env://"));
    if let Some(prefix) = prefix {
        let variable = key[prefix.len()..].split('/').next().unwrap_or_default();
        let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if !variable.is_empty() && variable.chars().all(letters) {
            variables.insert(variable.to_owned());
            return variable.to_owned();
        }
    }
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let name: String = name.to_ascii_uppercase().chars().map(letter).collect();
    let mut variable = format!("APISIX_{name}_API_KEY");
    let mut number = 1;
    while !variables.insert(variable.clone()) {
        number += 1;
        variable = format!("APISIX_{name}_{number}_API_KEY");
    }
    variable
}

fn timeouts(settings: &Map<String, Value>, warnings: &mut Vec<String>) -> Result<String, String> {
    let Some(said) = settings.get("timeout") else {
        let reason = "APISIX waited 3 s to connect, to send and to read; here connect, first_byte, idle and total are \
                      separate, and longer by default: timeouts = { ... } to change them";
        warnings.push(reason.into());
        return Ok(String::new());
    };
    let limit = said.as_u64().filter(|limit| *limit > 0);
    let limit = limit.ok_or("timeout is no number of milliseconds")?;
    if limit > TIMEOUT_MAX {
        return Err("timeout is longer than a year: write it in milliseconds".into());
    }
    warnings.push(format!(
        "timeout {limit} ms was for connecting, sending and reading: written as connect, first_byte and idle; total \
         has no like in APISIX"
    ));
    Ok(format!(
        "timeouts = {{ connect = \"{limit}ms\", first_byte = \"{limit}ms\", idle = \"{limit}ms\" }}\n"
    ))
}

fn body(settings: &Map<String, Value>, warnings: &mut Vec<String>) -> Result<String, String> {
    match settings.get("max_req_body_size") {
        Some(size) => {
            let size = size.as_u64().ok_or("max_req_body_size is no number of bytes")?;
            if size > PAYLOAD_MAX {
                warnings.push(format!(
                    "max_req_body_size {size} is carried over, but a function takes {PAYLOAD_MAX} bytes at most"
                ));
            }
            Ok(format!("body_max = {size}\n"))
        }
        None => {
            let reason = "APISIX took bodies of 64 MiB, here 6 MB are taken, as a function does: body_max to change \
                          it";
            warnings.push(reason.into());
            Ok(String::new())
        }
    }
}
