//! An invocation goes in; the HTTP request comes out that a function with an URL sees as the same. Pure.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde_json::Value;

use crate::error::{Error, ErrorKind, quotable};
use crate::invocation::{Invocation, no_custom};

/// How this program names itself.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("invoker/", env!("CARGO_PKG_VERSION")));

/// Headers of an event that the connection makes anew, or that the front door does.
const OF_THE_CONNECTION: [&str; 6] =
    ["host", "content-length", "connection", "transfer-encoding", "user-agent", "x-amzn-trace-id"];

/// The request of an event of the HTTP API's payload format 2.0: the part that the sender chose.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    version: String,
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    request_context: RequestContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(serde::Deserialize)]
struct RequestContext {
    http: Http,
}

#[derive(serde::Deserialize)]
struct Http {
    method: String,
}

/// Scheme and authority of an address, without a user and a password.
pub(super) fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{}://{host}", uri.scheme_str().unwrap_or("https"))
}

/// The request for `invocation`, whose function is an URL.
pub(super) fn of(invocation: &Invocation) -> Result<Request<Bytes>, Error> {
    refuse_what_no_url_carries(invocation)?;
    let base: Uri = invocation.function.parse().map_err(|_| no_url())?;
    if base.host().is_none_or(str::is_empty)
        || base.authority().is_none_or(|a| a.as_str().contains('@'))
    {
        return Err(no_url());
    }
    let event = serde_json::from_slice::<Event>(&invocation.payload).ok();
    let event = event.filter(|event| event.version == "2.0");
    let mut request = match event {
        Some(event) => of_event(&base, event)?,
        None => {
            let mut request = Request::new(invocation.payload.clone());
            *request.method_mut() = Method::POST;
            *request.uri_mut() = base;
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            request
        }
    };
    let context = match invocation.client_context.get("custom") {
        Some(custom) => Some(custom.as_object().ok_or_else(no_custom)?),
        None => None,
    };
    for (name, value) in context.into_iter().flatten() {
        let (name, value) = header(name, &text(name, value)?)?;
        request.headers_mut().insert(name, value);
    }
    for (name, value) in &invocation.custom {
        let (name, value) = header(name, value)?;
        request.headers_mut().insert(name, value);
    }
    let host = request.uri().authority().and_then(|host| host.as_str().parse().ok());
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, AGENT);
    headers.insert(HOST, host.ok_or_else(no_url)?);
    Ok(request)
}

fn of_event(base: &Uri, event: Event) -> Result<Request<Bytes>, Error> {
    // A server, or the signature, would take it for another path.
    if event.raw_path.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(invalid("an URL's path has no parts called . or ..".into()));
    }
    let folder = base.path().trim_end_matches('/');
    // That of the URL may be what lets the call in.
    let queries = [base.query().unwrap_or_default(), &event.raw_query_string];
    let queries: Vec<_> = queries.into_iter().filter(|query| !query.is_empty()).collect();
    let query = if queries.is_empty() { String::new() } else { format!("?{}", queries.join("&")) };
    let slash = if event.raw_path.starts_with('/') { "" } else { "/" };
    let uri = format!("{}{folder}{slash}{}{query}", origin(base), event.raw_path);
    let body = event.body.unwrap_or_default();
    let body = match event.is_base64_encoded {
        true => BASE64.decode(body).map_err(|_| invalid("the event's body is no base64".into()))?,
        false => body.into_bytes(),
    };
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::from_bytes(event.request_context.http.method.as_bytes())
        .map_err(|_| invalid("the event's method is none of HTTP".into()))?;
    *request.uri_mut() = uri.parse().map_err(|_| invalid("the event's path is none".into()))?;
    for (name, value) in &event.headers {
        if !OF_THE_CONNECTION.contains(&name.to_ascii_lowercase().as_str()) {
            let (name, value) = header(name, value)?;
            request.headers_mut().insert(name, value);
        }
    }
    Ok(request)
}

/// A direct call has room for these; a Function URL has none, and they must not vanish.
fn refuse_what_no_url_carries(invocation: &Invocation) -> Result<(), Error> {
    let what = if invocation.qualifier.is_some() {
        "qualifier: an URL belongs to one version or alias"
    } else if invocation.tenant_id.is_some() {
        "tenant"
    } else if invocation.log_tail {
        "log"
    } else if invocation.client_context.keys().any(|key| key != "custom") {
        "client context but `custom`"
    } else {
        return Ok(());
    };
    Err(invalid(format!("a call by URL has no {what}")))
}

/// An entry of `custom` as a header has it.
fn text<'a>(name: &str, value: &'a Value) -> Result<Cow<'a, str>, Error> {
    match value {
        Value::String(text) => Ok(text.into()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(invalid(format!(
            "`custom` of the client context: {:?} is no text, number or boolean, and cannot be an HTTP \
             header",
            quotable(name)
        ))),
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let named = name.parse().map_err(|_| {
        invalid(format!("{:?} cannot be the name of an HTTP header", quotable(name)))
    })?;
    let value = HeaderValue::from_str(value)
        .map_err(|_| invalid(format!("the value of {name} cannot stand in an HTTP header")))?;
    Ok((named, value))
}

fn no_url() -> Error {
    invalid("the function is no URL such as https://abc.lambda-url.eu-west-1.on.aws".into())
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://abc.lambda-url.eu-west-1.on.aws";

    #[test]
    fn an_event_becomes_the_request_that_it_tells_of() {
        let event = serde_json::json!({
            "version": "2.0", "rawPath": "/a%20b/c", "rawQueryString": "x=1&y=%20",
            "headers": {"host": "other", "accept": "text/csv", "x-own": "1"},
            "requestContext": {"http": {"method": "PUT"}}, "body": "eHl6", "isBase64Encoded": true,
        });
        let table = [
            (URL.to_owned(), "/a%20b/c?x=1&y=%20"),
            (format!("{URL}/under/"), "/under/a%20b/c?x=1&y=%20"),
            (format!("{URL}/under?key=1&x=2"), "/under/a%20b/c?key=1&x=2&x=1&y=%20"),
            (format!("{URL}?"), "/a%20b/c?x=1&y=%20"),
        ];
        for (url, path) in table {
            let invocation = Invocation::new(url)
                .payload(event.to_string())
                .custom("range", "bytes=0-9")
                .custom("Accept", "text/plain");
            let request = of(&invocation).unwrap();
            assert_eq!(request.method(), "PUT");
            assert_eq!(request.uri().to_string(), format!("{URL}{path}"));
            let header = |name: &str| request.headers()[name].to_str().unwrap();
            assert_eq!(header("host"), "abc.lambda-url.eu-west-1.on.aws");
            assert_eq!((header("accept"), header("x-own")), ("text/plain", "1"));
            assert_eq!(header("range"), "bytes=0-9");
            assert_eq!(&request.body()[..], b"xyz");
        }
    }

    #[test]
    fn any_other_payload_is_posted() {
        for payload in ["{}", r#"{"version": "2.0"}"#, "[1, 2]"] {
            let invocation = Invocation::new(format!("{URL}/do?it=1")).payload(payload);
            let request = of(&invocation).unwrap();
            assert_eq!(request.method(), "POST");
            assert_eq!(request.uri().to_string(), format!("{URL}/do?it=1"));
            assert_eq!(request.headers()["content-type"], "application/json");
            assert_eq!(request.body(), payload);
        }
    }

    #[test]
    fn entries_of_custom_are_headers() {
        let context = |custom: Value| {
            let context = serde_json::Map::from_iter([("custom".to_owned(), custom)]);
            of(&Invocation::new(format!("{URL}?key=1"))
                .client_context(context)
                .payload(event("/a")))
        };
        let custom = serde_json::json!({"a": "text", "b": 7, "c": 1.5, "d": true});
        let request = context(custom).unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(["a", "b", "c", "d"].map(header), ["text", "7", "1.5", "true"]);
        assert_eq!(request.uri().query(), Some("key=1"));
        for bad in [
            serde_json::json!({"a": null}),
            serde_json::json!({"a": ["x"]}),
            serde_json::json!({"a": {"b": "x"}}),
            serde_json::json!("x"),
        ] {
            assert_eq!(*context(bad).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn what_an_url_cannot_carry_is_refused() {
        let context = serde_json::Map::from_iter([("env".to_owned(), serde_json::json!({}))]);
        let event = event("/a/../b");
        let refused = [
            Invocation::new(URL).qualifier("live"),
            Invocation::new(URL).tenant_id("blue"),
            Invocation::new(URL).log_tail(true),
            Invocation::new(URL).client_context(context),
            Invocation::new(URL).custom("no name", "x"),
            Invocation::new(URL).custom("name", "a\nb"),
            Invocation::new(URL).payload(event),
            Invocation::new("https://user:secret@host/"),
            Invocation::new("https://"),
        ];
        for invocation in refused {
            let error = of(&invocation).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::InvalidInput, "{invocation:?}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    fn event(path: &str) -> String {
        let context = serde_json::json!({"http": {"method": "GET"}});
        serde_json::json!({"version": "2.0", "rawPath": path, "requestContext": context})
            .to_string()
    }
}
