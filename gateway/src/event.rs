//! A request comes in, with what the gateway knows about it; the event that its function sees goes out,
//! as JSON. Pure.

mod http_api;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header, request};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::config::EventFormat;

/// A request as it is shown to a function.
pub(crate) struct Shown<'a> {
    pub(crate) request: &'a request::Parts,
    pub(crate) body: &'a [u8],
    /// Of the route.
    pub(crate) path: &'a str,
    /// What the names in the route's path stand for.
    pub(crate) parameters: &'a [(String, String)],
    pub(crate) peer: SocketAddr,
    pub(crate) request_id: &'a str,
    pub(crate) now: SystemTime,
    /// What the authorizer says of the caller, in the shape of the event's format.
    pub(crate) authorizer: Option<&'a Value>,
}

impl Shown<'_> {
    /// As JSON, in the format that the function expects.
    pub(crate) fn event(&self, format: EventFormat) -> Bytes {
        self.value(format).to_string().into()
    }

    /// The same, not yet as text.
    pub(crate) fn value(&self, format: EventFormat) -> Value {
        match format {
            EventFormat::HttpApi => http_api::event(self),
        }
    }

    /// When the request came, in milliseconds.
    pub(crate) fn epoch_ms(&self) -> u64 {
        let since = self.now.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The name that the client called, with its port if it said one.
    pub(crate) fn host(&self) -> String {
        let of_uri = self.request.uri.authority().map(|authority| authority.as_str().to_owned());
        of_uri.or_else(|| text(self.request.headers.get(header::HOST))).unwrap_or_default()
    }

    /// Decoded, as API Gateway hands them over.
    pub(crate) fn path_parameters(&self) -> Value {
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
pub(crate) fn parameters(query: &str) -> BTreeMap<String, Vec<String>> {
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

pub(crate) fn text(value: Option<&HeaderValue>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The time as web servers log it: `21/Nov/2026:13:58:45 +0000`.
pub(crate) fn log_time(now: SystemTime) -> String {
    // "Sat, 21 Nov 2026 13:58:45 GMT", the same words in another order.
    let date = httpdate::fmt_http_date(now);
    let words: Vec<&str> = date.split(' ').collect();
    match words[..] {
        [_, day, month, year, time, _] => format!("{day}/{month}/{year}:{time} +0000"),
        _ => date,
    }
}
