//! What API Gateway sends to an authorizer comes in, in any of its forms; one form of it goes out.
//!
//! Only what matters is read, each field for itself and leniently, by a view of our own: the types of
//! `aws_lambda_events` know no VPC endpoint, and want fields that emulators leave out.

use crate::error::{Error, ErrorKind};
use crate::policy::Stage;
use crate::request::RequestView;
use crate::route::CONNECT;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// Which answer an event wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// REST, of either type, and WebSocket.
    Rest,
    /// HTTP API, payload format 1.0.
    HttpApi1,
    /// HTTP API, payload format 2.0.
    HttpApi2,
}

pub(crate) struct Event {
    pub(crate) kind: EventKind,
    /// `None` if no policy should be built on what the event has.
    pub(crate) stage: Option<Stage>,
    method: String,
    path: String,
    headers: HeaderMap,
    query: Option<String>,
    source_ip: Option<String>,
    vpc_endpoint: Option<String>,
    token: Option<String>,
}

/// In order, so that of names which differ in case alone the same one counts each time.
type Single = BTreeMap<String, Value>;
type Multiple = BTreeMap<String, Option<Vec<Value>>>;

/// All forms at once; which one it is shows in what is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "type")]
    kind: Option<String>,
    version: Option<String>,
    method_arn: Option<String>,
    route_arn: Option<String>,
    authorization_token: Option<String>,
    http_method: Option<String>,
    path: Option<String>,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    headers: Option<Single>,
    multi_value_headers: Option<Multiple>,
    query_string_parameters: Option<Single>,
    multi_value_query_string_parameters: Option<Multiple>,
    #[serde(default, deserialize_with = "or_nothing")]
    request_context: WireContext,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireContext {
    stage: Option<String>,
    event_type: Option<String>,
    http: Option<WireHttp>,
    identity: Option<WireIdentity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireHttp {
    method: Option<String>,
    source_ip: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireIdentity {
    source_ip: Option<String>,
    vpce_id: Option<String>,
}

/// `null` is as good as nothing.
fn or_nothing<'de, D: Deserializer<'de>>(context: D) -> Result<WireContext, D::Error> {
    Ok(Option::deserialize(context)?.unwrap_or_default())
}

/// A value that should be a text: emulators have numbers as they are.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

impl Event {
    pub(crate) fn read(event: &Value) -> Result<Self, Error> {
        // What serde would say of it has values in it.
        let wire = Wire::deserialize(event).map_err(|_| {
            none("a field is of another type than API Gateway gives it, or it is no object")
        })?;
        match (wire.kind.as_deref(), wire.version.as_deref()) {
            (Some("TOKEN"), _) => wire.token(),
            (Some("REQUEST"), Some("2.0")) => wire.format_2(),
            (Some("REQUEST"), Some("1.0")) => wire.format_1(EventKind::HttpApi1),
            // REST has no version, and a WebSocket API that of the function.
            (Some("REQUEST"), _) => wire.format_1(EventKind::Rest),
            (Some(_), _) => Err(none("its type is neither TOKEN nor REQUEST")),
            (None, _) => Err(none("it has no type")),
        }
    }

    pub(crate) fn view(&self) -> RequestView<'_> {
        let mut view = RequestView::new(&self.method, &self.path, &self.headers);
        view.query = self.query.as_deref();
        view.source_ip = self.source_ip.as_ref().and_then(|address| address.parse().ok());
        view.vpc_endpoint = self.vpc_endpoint.as_deref();
        view.token = self.token.as_deref();
        view
    }
}

fn none(why: &str) -> Error {
    let words = format!("the event is none that API Gateway sends to an authorizer: {why}");
    Error::new(ErrorKind::Event, words)
}

impl Wire {
    fn token(self) -> Result<Event, Error> {
        let arn = self.method_arn.ok_or_else(|| none("it has no methodArn"))?;
        let token = self.authorization_token.ok_or_else(|| none("it has no authorizationToken"))?;
        let stage = Stage::parse(&arn);
        let (method, path) = stage.as_ref().map_or(("", ""), Stage::asked);
        Ok(Event {
            kind: EventKind::Rest,
            method: method.to_owned(),
            path: path.to_owned(),
            stage,
            headers: HeaderMap::new(),
            query: None,
            source_ip: None,
            vpc_endpoint: None,
            token: Some(token),
        })
    }

    /// Method and path are those of the ARN, where it has them: a policy is about them, and `path` may have
    /// the base path of a domain name in it.
    fn format_1(self, kind: EventKind) -> Result<Event, Error> {
        let arn = self.method_arn.ok_or_else(|| none("it has no methodArn"))?;
        let stage = Stage::parse(&arn);
        let connects = self.request_context.event_type.as_deref() == Some("CONNECT");
        let (method, path) = match &stage {
            _ if connects => (CONNECT.to_owned(), String::new()),
            Some(stage) => {
                let (method, path) = stage.asked();
                (method.to_owned(), path.to_owned())
            }
            None => (self.http_method.unwrap_or_default(), self.path.unwrap_or_default()),
        };
        let identity = self.request_context.identity;
        let (source_ip, vpc_endpoint) =
            identity.map_or((None, None), |known| (known.source_ip, known.vpce_id));
        Ok(Event {
            kind,
            stage,
            method,
            path,
            headers: headers(self.headers, self.multi_value_headers),
            query: query(self.query_string_parameters, self.multi_value_query_string_parameters),
            source_ip,
            vpc_endpoint,
            token: None,
        })
    }

    fn format_2(self) -> Result<Event, Error> {
        let arn = self.route_arn.ok_or_else(|| none("it has no routeArn"))?;
        let path = self.raw_path.ok_or_else(|| none("it has no rawPath"))?;
        let http =
            self.request_context.http.ok_or_else(|| none("it has no requestContext.http"))?;
        // A named stage is the first part of the path; the default one is not in it.
        let stage = self.request_context.stage.filter(|stage| stage != "$default");
        let behind = stage.and_then(|stage| {
            let rest = path.strip_prefix('/')?.strip_prefix(&stage)?;
            match rest {
                "" => Some("/".to_owned()),
                _ => rest.starts_with('/').then(|| rest.to_owned()),
            }
        });
        Ok(Event {
            kind: EventKind::HttpApi2,
            stage: Stage::parse(&arn),
            method: http.method.ok_or_else(|| none("it has no method"))?,
            path: behind.unwrap_or(path),
            headers: headers(self.headers, None),
            query: self.raw_query_string,
            source_ip: http.source_ip,
            vpc_endpoint: None,
            token: None,
        })
    }
}

/// A name in both maps is taken from the one that has all its values.
fn headers(single: Option<Single>, multiple: Option<Multiple>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in multiple.unwrap_or_default() {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        for value in values.iter().flatten().filter_map(text) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(&name, value);
            }
        }
    }
    let several = headers.clone();
    for (name, value) in single.unwrap_or_default() {
        let (Ok(name), Some(Ok(value))) = (
            HeaderName::from_bytes(name.as_bytes()),
            text(&value).map(|value| HeaderValue::from_str(&value)),
        ) else {
            continue;
        };
        // Names that differ in case alone are one header that came twice.
        if !several.contains_key(&name) {
            headers.append(name, value);
        }
    }
    headers
}

/// As a client would have sent it: a 1.0 event has it decoded.
fn query(single: Option<Single>, multiple: Option<Multiple>) -> Option<String> {
    let multiple = multiple.unwrap_or_default();
    let mut pairs = Vec::new();
    for (name, values) in &multiple {
        let values = values.iter().flatten().filter_map(text);
        pairs.extend(values.map(|value| (name.clone(), value)));
    }
    for (name, value) in single.unwrap_or_default() {
        if let (Some(value), false) = (text(&value), multiple.contains_key(&name)) {
            pairs.push((name, value));
        }
    }
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    let query: Vec<String> = pairs.collect();
    (!query.is_empty()).then(|| query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:execute-api:eu-west-1:1:api/prod/GET/objects/a";

    fn read(event: Value) -> Event {
        Event::read(&event).unwrap()
    }

    #[test]
    fn a_token_event_has_no_more_than_its_token() {
        let event = read(json!({"type": "TOKEN", "authorizationToken": "t", "methodArn": ARN}));
        let view = event.view();
        assert_eq!(event.kind, EventKind::Rest);
        assert_eq!((view.method, view.path, view.token), ("GET", "/objects/a", Some("t")));
    }

    #[test]
    fn a_rest_event_of_a_private_api() {
        let event = read(json!({
            "type": "REQUEST", "methodArn": ARN, "path": "/base/objects/a", "httpMethod": "GET",
            "headers": {"X-Api-Key": "last", "One": "1"},
            "multiValueHeaders": {"X-Api-Key": ["first", "last"], "none": null},
            "queryStringParameters": {"q": "2", "s": "ä &"},
            "multiValueQueryStringParameters": {"q": ["1", "2"]},
            "requestContext": {"identity": {"sourceIp": "10.0.0.7", "vpceId": "vpce-1", "vpcId": "vpc-1"}},
        }));
        let view = event.view();
        assert_eq!(event.kind, EventKind::Rest);
        assert_eq!((view.method, view.path), ("GET", "/objects/a"));
        assert_eq!(view.headers.get_all("x-api-key").iter().count(), 2);
        assert_eq!(view.headers["one"], "1");
        assert_eq!(view.query, Some("q=1&q=2&s=%C3%A4%20%26"));
        assert_eq!(view.source_ip, Some([10, 0, 0, 7].into()));
        assert_eq!(view.vpc_endpoint, Some("vpce-1"));
        assert_eq!(view.token, None);
    }

    #[test]
    fn what_emulators_leave_out_or_spell_otherwise_is_read() {
        let event = read(json!({
            "type": "REQUEST", "methodArn": ARN, "requestContext": null, "multiValueHeaders": null,
            "headers": {"content-length": 7, "x-a": null, "x-b": true, "x-c": {}},
            "multiValueQueryStringParameters": {"page": [1, null]},
        }));
        let view = event.view();
        assert_eq!(
            (&view.headers["content-length"], &view.headers["x-b"]),
            (&"7".parse().unwrap(), &"true".parse().unwrap())
        );
        assert_eq!(view.headers.len(), 2);
        assert_eq!(view.query, Some("page=1"));
    }

    #[test]
    fn names_that_differ_in_case_are_one_header() {
        let event = read(json!({
            "type": "REQUEST", "methodArn": ARN, "headers": {"authorization": "a", "Authorization": "b"},
        }));
        assert_eq!(event.view().headers.get_all("authorization").iter().count(), 2);
    }

    #[test]
    fn a_socket_is_opened() {
        let event = read(json!({
            "type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-west-1:1:api/prod/$connect",
            "requestContext": {"eventType": "CONNECT", "routeKey": "$connect"},
        }));
        assert_eq!((event.view().method, event.view().path), (CONNECT, ""));
    }

    #[test]
    fn a_named_stage_of_an_http_api_is_no_part_of_the_path() {
        for (raw_path, stage, path) in [
            ("/prod/x", "prod", "/x"),
            ("/prod", "prod", "/"),
            ("/production/x", "prod", "/production/x"),
            ("/prod/x", "$default", "/prod/x"),
        ] {
            let event = read(json!({
                "version": "2.0", "type": "REQUEST", "routeArn": ARN, "rawPath": raw_path,
                "rawQueryString": "a=b",
                "requestContext": {"stage": stage, "http": {"method": "GET", "sourceIp": "::1"}},
            }));
            let view = event.view();
            assert_eq!(event.kind, EventKind::HttpApi2);
            assert_eq!(
                (view.method, view.path, view.query),
                ("GET", path, Some("a=b")),
                "{raw_path}"
            );
        }
    }

    #[test]
    fn anything_else_is_an_error_that_shows_nothing() {
        for (event, words) in [
            (json!({"secret": "hunter2"}), "it has no type"),
            (json!({"type": "hunter2"}), "neither TOKEN nor REQUEST"),
            (json!({"type": "TOKEN", "authorizationToken": "hunter2"}), "no methodArn"),
            (json!({"type": "TOKEN", "methodArn": "hunter2"}), "no authorizationToken"),
            (json!({"type": "REQUEST", "headers": {"a": "hunter2"}}), "no methodArn"),
            (json!({"type": "REQUEST", "version": "2.0", "routeArn": ARN}), "no rawPath"),
            (json!({"type": "REQUEST", "methodArn": ARN, "headers": "hunter2"}), "another type"),
            (json!(["hunter2"]), "another type"),
            (json!("hunter2"), "another type"),
            (json!(null), "another type"),
        ] {
            let error = Event::read(&event).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Event);
            assert!(error.to_string().contains(words), "{event}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
