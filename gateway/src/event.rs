//! A request comes in, with what the gateway knows about it; the event that its function sees goes out,
//! as JSON. Pure.

mod alb;
mod forwarded;
mod http_api;
mod raw;
mod rest;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header, request};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::config::{ApiArn, EventFormat};

/// The only stage that there is.
const STAGE: &str = "$default";
/// What stands for the account: the gateway has none.
const ANONYMOUS: &str = "anonymous";

/// In the extensions of a request that came over TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverTls;

/// In which format an authorizer's function is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuestionFormat {
    Rest,
    HttpApi,
}

/// Why a request is none that a function could be shown; one sentence for whoever sent it.
#[derive(Debug)]
pub(crate) struct NoEvent(pub(crate) String);

/// A request as it is shown to a function.
pub(crate) struct Shown<'a> {
    pub(crate) request: &'a request::Parts,
    pub(crate) body: &'a [u8],
    /// Of the route.
    pub(crate) path: &'a str,
    /// What the names in the route's path stand for.
    pub(crate) parameters: &'a [(String, String)],
    pub(crate) peer: SocketAddr,
    /// The API that this is the part of.
    pub(crate) api: Option<&'a ApiArn>,
    pub(crate) request_id: &'a str,
    /// What the authorizer says of the caller, in the shape of the event's format.
    pub(crate) authorizer: Option<&'a Value>,
    pub(crate) now: SystemTime,
}

impl Shown<'_> {
    /// As JSON, in the format that the function expects.
    ///
    /// # Errors
    ///
    /// The format has no place for such a request.
    pub(crate) fn event(&self, format: EventFormat) -> Result<Bytes, NoEvent> {
        let event = match format {
            EventFormat::HttpApi => http_api::event(self),
            EventFormat::Rest => rest::event(self),
            EventFormat::Alb => alb::event(self, false),
            EventFormat::AlbMultiValue => alb::event(self, true),
            EventFormat::Raw => return raw::payload(self),
        };
        Ok(event.to_string().into())
    }

    /// What an authorizer's function is asked of the same request: the event without what is of the body.
    pub(crate) fn bodiless(&self, format: QuestionFormat, api: &ApiArn) -> Value {
        let bare = Shown { body: &[], authorizer: None, api: Some(api), ..*self };
        let mut event = match format {
            QuestionFormat::HttpApi => http_api::event(&bare),
            QuestionFormat::Rest => rest::event(&bare),
        };
        if let Some(event) = event.as_object_mut() {
            event.remove("body");
            event.remove("isBase64Encoded");
        }
        event
    }

    /// The headers that an upstream is shown: without what was meant for the client's connection, and with
    /// what is known of it.
    pub(crate) fn headers(&self) -> HeaderMap {
        forwarded::headers(self)
    }

    /// Makes something of the same request without a header.
    pub(crate) fn without<T>(&self, name: &HeaderName, make: impl FnOnce(&Shown<'_>) -> T) -> T {
        let mut request = self.request.clone();
        request.headers.remove(name);
        make(&Shown { request: &request, ..*self })
    }

    /// `http` or `https`, as the client came.
    fn scheme(&self) -> &str {
        match self.request.extensions.get::<OverTls>() {
            Some(OverTls) => "https",
            None => "http",
        }
    }

    /// All values of each header, in their order.
    fn all_headers(&self) -> BTreeMap<String, Vec<String>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in &self.headers() {
            all.entry(name.as_str().to_owned()).or_default().extend(text(Some(value)));
        }
        all
    }

    /// The name that the client called, with its port if it said one.
    fn host(&self) -> String {
        let of_uri = self.request.uri.authority().map(|authority| authority.as_str().to_owned());
        of_uri.or_else(|| text(self.request.headers.get(header::HOST))).unwrap_or_default()
    }

    /// Decoded, as API Gateway hands them over.
    fn path_parameters(&self) -> Value {
        let decoded = self.parameters.iter().map(|(name, value)| {
            (name.clone(), percent_decode_str(value).decode_utf8_lossy().into_owned().into())
        });
        Value::Object(decoded.collect())
    }
}

/// The body as it travels in JSON, and whether that is base64.
fn body(shown: &Shown<'_>) -> Option<(String, bool)> {
    if shown.body.is_empty() {
        return None;
    }
    let plain = is_text(shown.request.headers.get(header::CONTENT_TYPE));
    match std::str::from_utf8(shown.body) {
        Ok(body) if plain => Some((body.to_owned(), false)),
        _ => Some((BASE64_STANDARD.encode(shown.body), true)),
    }
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| text(Some(value)));
    let cookies = lines.flat_map(|line| {
        line.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()
    });
    cookies.filter(|cookie| !cookie.is_empty()).collect()
}

/// The parameters of a query, decoded, with all values of each in their order.
fn parameters(query: &str) -> BTreeMap<String, Vec<String>> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameters.entry(decoded(name)).or_default().push(decoded(value));
    }
    parameters
}

/// The last value of each name.
fn last(all: &BTreeMap<String, Vec<String>>) -> Value {
    let last = all.iter().map(|(name, values)| (name.clone(), values.last().cloned().into()));
    Value::Object(last.collect())
}

/// All values of each name.
fn multiple(all: &BTreeMap<String, Vec<String>>) -> Value {
    let multiple = all.iter().map(|(name, values)| (name.clone(), values.clone().into()));
    Value::Object(multiple.collect::<Map<_, _>>())
}

/// Whether a body of this type is handed over as it is. Other bodies may be anything, and travel as
/// base64.
fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let Some(content_type) = text(content_type) else { return false };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("text", _)) => true,
        Some(("application", kind)) => {
            ["json", "xml", "javascript", "x-www-form-urlencoded"].contains(&kind)
                || kind.ends_with("+json")
                || kind.ends_with("+xml")
        }
        _ => false,
    }
}

fn text(value: Option<&HeaderValue>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The time as web servers log it: `21/Nov/2026:13:58:45 +0000`.
fn log_time(now: SystemTime) -> String {
    // "Sat, 21 Nov 2026 13:58:45 GMT", the same words in another order.
    let date = httpdate::fmt_http_date(now);
    let words: Vec<&str> = date.split(' ').collect();
    match words[..] {
        [_, day, month, year, time, _] => format!("{day}/{month}/{year}:{time} +0000"),
        _ => date,
    }
}
