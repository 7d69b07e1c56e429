//! A [`Request`] comes in; the `http::Request` that a web framework knows goes out.

use crate::failure::Failure;
use crate::request::{Request, RequestContext, RequestKind};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HeaderName};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri};
use http_body::{Frame, SizeHint};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Where a plain call goes, as a `POST` of its JSON: the path that AWS's Lambda Web Adapter has for
/// events that are not HTTP (`AWS_LWA_PASS_THROUGH_PATH`).
const PLAIN_PATH: &str = "/events";

/// What travels in the client context of a direct call under the names of HTTP headers.
const BESIDE: [&str; 5] = ["range", "if-match", "if-none-match", "if-range", "accept-encoding"];

/// What a front door may have decoded in a path, and a URI does not allow. What is encoded stays so.
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// The same of a query that came in one piece.
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// The unreserved characters of RFC 3986 section 2.3 stay as they are in names and values of a query.
const NOT_IN_A_PARAMETER: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Request {
    /// The request as web frameworks know it. [`http()`](crate::http) does this for you.
    ///
    /// * **Method, path, query, headers, body** are those of the HTTP event: a Function URL's, an HTTP
    ///   API's (2.0 or 1.0), a REST API's. The path is percent encoded, and has no stage in front of it;
    ///   of a repeated parameter or header all values are there; `cookie` has what the event has in
    ///   `cookies`; a base64 body is decoded.
    /// * **A plain call** is `POST /events` with its payload as a JSON body.
    /// * `range`, `if-match`, `if-none-match`, `if-range` and `accept-encoding` in the **client context**
    ///   of a direct call take the place of the headers of those names.
    /// * **Extensions**: [`RequestContext`] of an HTTP event; `lambda_runtime::Context`, as `lambda_http`
    ///   has it; and `Arc<Request>`, which has all the rest (the raw event, the deadline), and
    ///   [`Request::answer`] for objects with ranges.
    ///
    /// # Errors
    ///
    /// `Function.InvalidRequest`, if path and query make no URI: it is too long for one (64 KiB).
    pub fn into_http(self) -> Result<http::Request<RequestBody>, Failure> {
        let plain = self.kind() == RequestKind::Plain;
        let mut request = http::Request::new(RequestBody(Some(self.body())));
        *request.method_mut() = if plain { Method::POST } else { self.method().clone() };
        *request.uri_mut() = uri(&self)?;
        let headers = request.headers_mut();
        headers.clone_from(self.headers());
        if plain {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for name in BESIDE {
            let value = self.beside_in_context(name).map(HeaderValue::from_str);
            if let Some(Ok(value)) = value {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        if let (false, Ok(cookies)) =
            (headers.contains_key(COOKIE), HeaderValue::from_str(&self.cookies().join("; ")))
            && !cookies.is_empty()
        {
            headers.insert(COOKIE, cookies);
        }
        let extensions = request.extensions_mut();
        if let (false, Ok(context)) = (plain, self.request_context::<RequestContext>()) {
            extensions.insert(context);
        }
        extensions.insert(self.context().clone());
        extensions.insert(Arc::new(self));
        Ok(request)
    }
}

fn uri(request: &Request) -> Result<Uri, Failure> {
    let path = match request.kind() {
        RequestKind::Plain => PLAIN_PATH,
        _ => request.path(),
    };
    let mut text = utf8_percent_encode(path, NOT_IN_A_PATH).to_string();
    if !text.starts_with('/') {
        text.insert(0, '/');
    }
    let query = query(request);
    if !query.is_empty() {
        text.push('?');
        text.push_str(&query);
    }
    let path_and_query: PathAndQuery = text.parse().map_err(|error| {
        let words = "path and query of the event make no URI";
        Failure::new("InvalidRequest", words).because(error)
    })?;
    Ok(Uri::from(path_and_query))
}

/// As it came where the event has it so; else put together of what the front door has decoded.
fn query(request: &Request) -> String {
    if let Some(raw) = request.raw_query() {
        return utf8_percent_encode(raw, NOT_IN_A_QUERY).to_string();
    }
    let encoded = |text: &str| utf8_percent_encode(text, NOT_IN_A_PARAMETER).to_string();
    let pairs = request.parameters();
    pairs
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// The body of a request: in memory, for Lambda has read it before the function is called.
#[derive(Clone, Default)]
pub struct RequestBody(Option<Bytes>);

impl RequestBody {
    /// Its bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0.unwrap_or_default()
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = self.0.take().filter(|bytes| !bytes.is_empty());
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Without the bytes, which are not ours to print.
impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestBody({} bytes)", self.0.as_ref().map_or(0, Bytes::len))
    }
}

#[cfg(test)]
mod tests;
