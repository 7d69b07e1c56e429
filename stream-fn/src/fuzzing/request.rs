//! A client context and a payload go in; a panic comes out where the request that they make breaks a
//! promise.

use crate::range::RangeAsk;
use crate::request::{Request, RequestKind};
use bytes::Bytes;
use http::{HeaderValue, Method};
use lambda_runtime::{Context, LambdaInvocation};

/// The first two bytes are the length of the client context, which is the next so many bytes; the
/// rest is the payload. A client context of no bytes is none.
///
/// # Panics
///
/// If a promise about requests is broken.
pub fn request(input: &[u8]) {
    let Some((len, rest)) = input.split_first_chunk() else { return };
    let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
    let (client_context, payload) = rest.split_at(len);
    let payload = Bytes::copy_from_slice(payload);
    // What is no header, or no client context, is refused before it gets here.
    let Some(request) = read(client_context, &payload) else { return };

    assert_eq!(request.raw_payload(), &payload, "the payload is not as it came");
    if request.kind() == RequestKind::Plain {
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.object(), None, "a plain call names no object");
        assert!(request.headers().is_empty() && request.query("").is_none());
        assert_eq!(request.body(), payload, "the payload of a plain call is the caller's own");
    }
    let custom = request.client_context().and_then(|custom| custom.get("range"));
    if let Some(range) = custom {
        assert_eq!(request.range(), RangeAsk::parse(range), "the client context counts first");
    }
    let again = read(client_context, &payload).map(|request| format!("{:?}", request.ask()));
    assert_eq!(again, Some(format!("{:?}", request.ask())), "the same call asks something else");
    as_http(request);
}

/// As a web framework gets it: refused, if it makes no URI, or with the same method, range and body.
fn as_http(request: Request) {
    let (plain, method) = (request.kind() == RequestKind::Plain, request.method().clone());
    let (body, range) = (request.body(), request.range());
    let Ok(http) = request.into_http() else { return };
    assert!(http.uri().path().starts_with('/'), "a path begins with a slash");
    assert_eq!(*http.method(), if plain { Method::POST } else { method });
    // Where the range is said in the client context it may be no header.
    let header = http.headers().get("range").and_then(|range| range.to_str().ok());
    if let Some(range) = range {
        assert_eq!(header.and_then(RangeAsk::parse), Some(range), "another range");
    }
    assert_eq!(http.into_body().into_bytes(), body, "another body");
}

fn read(client_context: &[u8], payload: &Bytes) -> Option<Request> {
    let mut http = http::Response::new(());
    http.headers_mut().insert("lambda-runtime-deadline-ms", HeaderValue::from_static("0"));
    if !client_context.is_empty() {
        let context = HeaderValue::from_bytes(client_context).ok()?;
        http.headers_mut().insert("lambda-runtime-client-context", context);
    }
    let (parts, ()) = http.into_parts();
    let context = Context::new("id", Default::default(), &parts.headers).ok()?;
    Some(Request::read(LambdaInvocation { parts, body: payload.clone(), context }))
}
