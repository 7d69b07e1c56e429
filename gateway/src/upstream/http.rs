//! A request goes to an HTTP server, with a key or signed if that is asked; its answer comes back as it arrives.

mod answered;
mod signature;
mod target;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use http_body_util::Empty;
use invoker::HttpClient;
use tokio::time::{Instant, timeout, timeout_at};

use super::lambda::{failure, is_final};
use super::{Answer, Ending, Failure};
use crate::config::{self, Environment, Route};
use crate::event::Shown;
use answered::Answered;
use signature::Signer;
use target::Target;

/// As the library waits for functions: lost packets of a handshake are sent again after 1, 3 and 7 s (Linux).
const CONNECT: Duration = Duration::from_secs(10);
/// A cold start may initialise for 10 s and fetch its input after that.
const FIRST_BYTE: Duration = Duration::from_secs(60);
/// A server that makes a result slowly is silent for less, a dead connection for ever.
const IDLE: Duration = Duration::from_secs(30);

/// API keys of API Gateway ("Choose an API key source").
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// What AWS calls the request that is answered.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

pub(crate) struct Http {
    client: HttpClient,
    target: Target,
    api_key: Option<HeaderValue>,
    signer: Option<Signer>,
    limits: Limits,
}

/// How long to wait for what.
#[derive(Clone, Copy)]
struct Limits {
    connect: Duration,
    first_byte: Duration,
    idle: Duration,
    total: Option<Duration>,
}

/// Looks whether the key that it names is there.
pub(super) fn check(http: &config::Http, environment: &Environment) -> Result<(), String> {
    http.api_key_env.as_deref().map_or(Ok(()), |name| api_key(name, environment).map(drop))
}

impl Http {
    /// `loaded` is there if requests are to be signed.
    pub(super) fn new(
        http: &config::Http,
        route: &Route,
        client: HttpClient,
        loaded: Option<&SdkConfig>,
        environment: &Environment,
    ) -> Result<Self, String> {
        let api_key = http.api_key_env.as_deref().map(|name| api_key(name, environment));
        let api_key = api_key.transpose()?;
        let signer = match (http.sign, loaded) {
            (Some(service), Some(loaded)) => Some(Signer::new(service, http, loaded)?),
            _ => None,
        };
        let timeouts = route.timeouts;
        let limits = Limits {
            connect: timeouts.connect.unwrap_or(CONNECT),
            first_byte: timeouts.first_byte.unwrap_or(FIRST_BYTE),
            idle: timeouts.idle.unwrap_or(IDLE),
            total: timeouts.total,
        };
        let target = Target::new(&http.url.0, route.path.get_ref());
        Ok(Self { client, target, api_key, signer, limits })
    }

    pub(super) async fn ask(&self, shown: &Shown<'_>) -> Result<Answer, Failure> {
        let started = Instant::now();
        let deadline = self.limits.total.map(|total| started + total);
        let asked = timeout(self.limits.first_byte, self.send(shown));
        let answered = match deadline {
            Some(deadline) => timeout_at(deadline, asked).await.map_err(|_| self.too_long())?,
            None => asked.await,
        };
        let response = answered.map_err(|_| {
            let limit = humantime::format_duration(self.limits.first_byte);
            let detail = format!("the upstream did not begin to answer within {limit}");
            Failure::new(Ending::TimedOut, StatusCode::GATEWAY_TIMEOUT, detail)
        })??;
        let (mut parts, body) = response.into_parts();
        let bodiless = shown.request.method == Method::HEAD
            || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&parts.status);
        if parts.status.is_informational() {
            let detail = "the upstream wants to speak another protocol";
            return Err(Failure::new(Ending::Refused, StatusCode::BAD_GATEWAY, detail));
        }
        if !is_final(&parts.status) {
            let detail = format!("the upstream's status {} is none of HTTP", parts.status.as_str());
            return Err(Failure::new(Ending::Refused, StatusCode::BAD_GATEWAY, detail));
        }
        if parts.headers.contains_key(header::TRANSFER_ENCODING) {
            // It counts in place of a length that came beside it (RFC 9112, section 6.3).
            parts.headers.remove(header::CONTENT_LENGTH);
        }
        if !bodiless && !ends_provably(&parts) {
            let detail = "the upstream's answer has neither a length nor chunks: its end could not be told \
                          from a broken connection";
            return Err(Failure::new(Ending::Refused, StatusCode::BAD_GATEWAY, detail));
        }
        let request_id = parts.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let request_id = request_id.map(str::to_owned);
        let body = match bodiless {
            true => Empty::new().map_err(|never| match never {}).boxed_unsync(),
            false => {
                let idle = self.limits.idle;
                Answered::new(body, idle, deadline, request_id.clone()).boxed_unsync()
            }
        };
        let (status, headers) = (parts.status, parts.headers);
        Ok(Answer { status, headers, body, request_id, executed_version: None })
    }

    async fn send(&self, shown: &Shown<'_>) -> Result<Response<SdkBody>, Failure> {
        let mut request = self.request(shown)?;
        if let Some(signer) = &self.signer {
            signer.sign(&mut request, shown.now).await?;
        }
        let sent = self.client.send(request.map(SdkBody::from), self.limits.connect);
        sent.await.map_err(failure)
    }

    fn request(&self, shown: &Shown<'_>) -> Result<Request<Bytes>, Failure> {
        let uri = self.target.of(shown)?;
        let mut request = Request::new(Bytes::copy_from_slice(shown.body));
        *request.method_mut() = shown.request.method.clone();
        let mut headers = shown.headers();
        // Both are the new connection's own.
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::HOST);
        let host = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
        if let Some(host) = host {
            headers.insert(header::HOST, host);
        }
        if let Some(key) = &self.api_key {
            headers.insert(API_KEY, key.clone());
        }
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn too_long(&self) -> Failure {
        let detail = "the upstream did not answer within the time for all of an exchange";
        Failure::new(Ending::TimedOut, StatusCode::GATEWAY_TIMEOUT, detail)
    }
}

/// The value of the environment variable `name`, which no message shows.
/// Whether it is one without doubt. What is not may be the key itself, written in the wrong place.
fn is_like_a_variable(name: &str) -> bool {
    let known = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.contains('_') && name.chars().all(known)
}

fn api_key(name: &str, environment: &Environment) -> Result<HeaderValue, String> {
    let variable = match is_like_a_variable(name) {
        true => format!("the environment variable {name}"),
        false => "the environment variable that api_key_env names".to_owned(),
    };
    let key = environment
        .variable(name)
        .ok_or_else(|| format!("{variable} has the API key of a route, and is not set"))?;
    match HeaderValue::from_str(key.trim()) {
        Ok(mut key) if !key.is_empty() => {
            key.set_sensitive(true);
            Ok(key)
        }
        _ => Err(format!("{variable} is empty, or no text for an HTTP header")),
    }
}

/// Whether the last byte of an answer can be told from a connection that broke (RFC 9112, section 6.3). Chunks
/// of something else than the body, such as of its gzip, are none that could be passed on.
fn ends_provably(parts: &http::response::Parts) -> bool {
    let mut codings = parts.headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = match (codings.next(), codings.next()) {
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    chunked && parts.version == Version::HTTP_11
        || parts.headers.contains_key(header::CONTENT_LENGTH)
}
