//! An invocation comes in: payload, client context and the facts about the call; a [`Request`] goes out
//! for the handler, and the [`Ask`] that its answer will be measured by.

mod caller;
mod context;
mod event;

use crate::error::{Error, ErrorKind};
use crate::range::RangeAsk;
use bytes::Bytes;
use http::{HeaderMap, Method};
use lambda_runtime::{Context, LambdaInvocation};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::time::SystemTime;

pub use caller::{Caller, CallerKind};
pub use context::RequestContext;
pub use event::RequestKind;

/// What a handler is asked.
pub struct Request {
    payload: Bytes,
    event: event::Event,
    context: Context,
}

/// What decides about the form of an answer, kept while the handler owns the request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) kind: RequestKind,
    pub(crate) method: Method,
    pub(crate) range: Option<RangeAsk>,
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) if_range: Option<String>,
    #[cfg(feature = "compression")]
    pub(crate) accept_encoding: Option<String>,
}

impl Request {
    /// Any payload makes a request: what is no HTTP event is the caller's own.
    pub(crate) fn read(invocation: LambdaInvocation) -> Self {
        let LambdaInvocation { body: payload, context, .. } = invocation;
        let event = event::read(&payload);
        Self { payload, event, context }
    }

    pub(crate) fn ask(&self) -> Ask {
        Ask {
            kind: self.kind(),
            method: self.method().clone(),
            range: self.range(),
            if_match: self.if_match().map(str::to_owned),
            if_none_match: self.if_none_match().map(str::to_owned),
            if_range: self.if_range().map(str::to_owned),
            #[cfg(feature = "compression")]
            accept_encoding: self.accept_encoding().map(str::to_owned),
        }
    }

    /// How the request came: through HTTP, or as plain JSON.
    pub fn kind(&self) -> RequestKind {
        self.event.kind
    }

    /// The HTTP method. A plain call is a `GET`.
    pub fn method(&self) -> &Method {
        &self.event.method
    }

    /// The name of the object asked for: the path of an HTTP event without its first slash, percent
    /// decoded once. `None` for a plain call, and for a path that does not decode to UTF-8.
    ///
    /// The name is not checked in any other way: [`Directory`](crate::source::Directory) does that for
    /// files.
    pub fn object(&self) -> Option<&str> {
        self.event.object.as_deref()
    }

    /// The range asked for, if exactly one well-formed range of bytes is.
    pub fn range(&self) -> Option<RangeAsk> {
        self.beside("range").and_then(RangeAsk::parse)
    }

    /// The entity tags of `If-Match`.
    pub fn if_match(&self) -> Option<&str> {
        self.beside("if-match")
    }

    /// The entity tags of `If-None-Match`.
    pub fn if_none_match(&self) -> Option<&str> {
        self.beside("if-none-match")
    }

    /// The entity tag or date of `If-Range`.
    pub fn if_range(&self) -> Option<&str> {
        self.beside("if-range")
    }

    /// The encodings of `Accept-Encoding`.
    pub fn accept_encoding(&self) -> Option<&str> {
        self.beside("accept-encoding")
    }

    /// The headers of an HTTP event; none for a plain call.
    pub fn headers(&self) -> &HeaderMap {
        &self.event.headers
    }

    /// A parameter of the query of an HTTP event. Of a repeated one a 2.0 event gives all values,
    /// joined by commas, a 1.0 event the last.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.event.query.get(name).map(String::as_str)
    }

    /// The caller's JSON: the whole payload of a plain call, the body of an HTTP event.
    ///
    /// # Errors
    ///
    /// If it is not the JSON of a `T`. The message has the place, not the text.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body()).map_err(|error| {
            let place = format!("at line {}, column {}", error.line(), error.column());
            Error::new(ErrorKind::Payload, format!("the payload is not the JSON wanted, {place}"))
        })
    }

    /// The caller's bytes: the whole payload of a plain call, the (base64 decoded) body of an HTTP
    /// event.
    pub fn body(&self) -> Bytes {
        match &self.event.body {
            Some(body) => body.clone(),
            None => self.payload.clone(),
        }
    }

    /// The payload of the invocation as it came: of an HTTP event the event itself.
    pub fn raw_payload(&self) -> &Bytes {
        &self.payload
    }

    /// What the front door says of an HTTP request beside it, read as a [`RequestContext`], or as a type of
    /// your own: `request.request_context::<serde_json::Value>()`.
    ///
    /// # Errors
    ///
    /// If this is a plain call, or if the context is not the JSON of a `T`. The message has the place, not
    /// the text.
    pub fn request_context<T: DeserializeOwned>(&self) -> Result<T, Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Event<T> {
            request_context: T,
        }
        if self.kind() == RequestKind::Plain {
            let words = "a plain call has no request context";
            return Err(Error::new(ErrorKind::Payload, words));
        }
        let event: Event<T> = serde_json::from_slice(&self.payload).map_err(|error| {
            let place = format!("at line {}, column {}", error.line(), error.column());
            let words = format!("the request context is not the JSON wanted, {place}");
            Error::new(ErrorKind::Payload, words)
        })?;
        Ok(event.request_context)
    }

    /// Who the front door says is calling, if it asked: by a Lambda authorizer, by a token (JWT, Cognito), or by
    /// IAM. `None` for a plain call, and where nobody was asked, such as behind a public Function URL.
    ///
    /// It is as good as the front door: whoever may invoke the function directly can send it any event.
    pub fn caller(&self) -> Option<Caller> {
        self.request_context().ok().and_then(Caller::read)
    }

    /// The cookies of an HTTP API 2.0 event, each `name=value`. Other events have them in a header.
    pub fn cookies(&self) -> &[String] {
        &self.event.cookies
    }

    /// The path of an HTTP event as it came, without the stage of an HTTP API.
    pub(crate) fn path(&self) -> &str {
        &self.event.path
    }

    /// The query as it came, if it did.
    pub(crate) fn raw_query(&self) -> Option<&str> {
        self.event.raw_query.as_deref()
    }

    /// The parameters of the query, decoded; a repeated one several times, if the event knows of that.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let event = &self.event;
        let multiple = event
            .multi_query
            .iter()
            .flat_map(|(name, values)| values.iter().map(|value| (name.as_str(), value.as_str())));
        let single = event
            .query
            .iter()
            .filter(|(name, _)| !event.multi_query.contains_key(*name))
            .map(|(name, value)| (name.as_str(), value.as_str()));
        multiple.chain(single)
    }

    /// What `lambda_runtime` knows of the invocation.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The id of the invocation.
    pub fn request_id(&self) -> &str {
        &self.context.request_id
    }

    /// When the invocation times out.
    pub fn deadline(&self) -> SystemTime {
        self.context.deadline()
    }

    /// The ARN the function was invoked by.
    pub fn invoked_function_arn(&self) -> &str {
        &self.context.invoked_function_arn
    }

    /// The tenant of the invocation, where the function is isolated by tenants.
    pub fn tenant_id(&self) -> Option<&str> {
        self.context.tenant_id.as_deref()
    }

    /// The `custom` part of the client context: what travels beside the payload of a direct call.
    pub fn client_context(&self) -> Option<&HashMap<String, String>> {
        self.context.client_context.as_ref().map(|context| &context.custom)
    }

    /// A value that may come in the client context or as a header. The client context counts: it is
    /// the word of the one who called the function.
    fn beside(&self, name: &str) -> Option<&str> {
        self.beside_in_context(name)
            .or_else(|| self.event.headers.get(name).and_then(|value| value.to_str().ok()))
    }

    pub(crate) fn beside_in_context(&self, name: &str) -> Option<&str> {
        let custom = self.client_context()?;
        // A map has no order of its own: of other spellings the same one counts each time.
        let spelled = |(key, _): &(&String, &String)| key.eq_ignore_ascii_case(name);
        let value = custom.get(name).or_else(|| Some(custom.iter().filter(spelled).min()?.1))?;
        Some(value)
    }
}

/// Without the payload and the headers, which are not ours to print.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("request_id", &self.context.request_id)
            .field("kind", &self.event.kind)
            .field("method", &self.event.method)
            .field("object", &self.event.object)
            .field("range", &self.range())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(payload: serde_json::Value, client_context: Option<&str>) -> Request {
        let mut http = http::Response::builder().header("lambda-runtime-deadline-ms", "123");
        if let Some(client_context) = client_context {
            http = http.header("lambda-runtime-client-context", client_context);
        }
        let (parts, ()) = http.body(()).unwrap().into_parts();
        let context = Context::new("id", Default::default(), &parts.headers).unwrap();
        let body = Bytes::from(payload.to_string());
        Request::read(LambdaInvocation { parts, body, context })
    }

    #[test]
    fn a_plain_call_is_the_callers_own_json() {
        #[derive(serde::Deserialize)]
        struct Rows {
            rows: u32,
        }
        let context = r#"{"custom":{"range":"bytes=0-9","if-match":"\"v\""}}"#;
        let request = request(json!({"rows": 3}), Some(context));
        assert_eq!(request.kind(), RequestKind::Plain);
        assert_eq!(request.object(), None);
        assert_eq!(request.payload::<Rows>().unwrap().rows, 3);
        assert_eq!(request.range(), Some(RangeAsk::Bounded { first: 0, last: 9 }));
        assert_eq!(request.if_match(), Some("\"v\""));
        let error = request.payload::<Vec<u8>>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload);
    }

    #[test]
    fn the_client_context_counts_before_the_headers() {
        let event = json!({
            "version": "2.0", "rawPath": "/a", "requestContext": {"http": {"method": "GET"}},
            "headers": {"Range": "bytes=5-6", "If-None-Match": "\"x\""},
        });
        let through_http = request(event.clone(), None);
        assert_eq!(through_http.range(), Some(RangeAsk::Bounded { first: 5, last: 6 }));
        let both = request(event, Some(r#"{"custom":{"Range":"bytes=1-2"}}"#));
        assert_eq!(both.range(), Some(RangeAsk::Bounded { first: 1, last: 2 }));
        assert_eq!(both.if_none_match(), Some("\"x\""));
    }

    #[test]
    fn of_several_spellings_the_same_one_counts_each_time() {
        for _ in 0..20 {
            let context =
                r#"{"custom":{"RANGE":"bytes=1-","Range":"bytes=2-","rangE":"bytes=3-"}}"#;
            let from = |request: Request| request.range();
            assert_eq!(from(request(json!({}), Some(context))), Some(RangeAsk::From { first: 1 }));
            let context = r#"{"custom":{"RANGE":"bytes=1-","range":"bytes=2-"}}"#;
            assert_eq!(from(request(json!({}), Some(context))), Some(RangeAsk::From { first: 2 }));
            let event = json!({
                "rawPath": "/a", "requestContext": {"http": {"method": "GET"}},
                "headers": {"range": "bytes=3-", "RANGE": "bytes=1-", "Range": "bytes=2-"},
            });
            assert_eq!(from(request(event, None)), Some(RangeAsk::From { first: 1 }));
        }
    }

    #[test]
    fn the_caller_is_who_the_front_door_says() {
        let authorizer = json!({"lambda": {"principal": "anna", "scope": "a b"}});
        let event = json!({
            "version": "2.0", "rawPath": "/a",
            "requestContext": {"http": {"method": "GET"}, "authorizer": authorizer},
        });
        let through_http = request(event, None);
        let caller = through_http.caller().unwrap();
        assert_eq!((caller.kind(), caller.principal()), (CallerKind::Authorizer, Some("anna")));
        let rest = json!({
            "path": "/a", "httpMethod": "GET",
            "requestContext": {"authorizer": {"principalId": "anna"}},
        });
        assert_eq!(request(rest, None).caller().unwrap().principal(), Some("anna"));
        // The caller's own JSON, which says whatever its caller likes.
        let plain = json!({"requestContext": {"authorizer": {"principalId": "admin"}}});
        assert_eq!(request(plain, None).caller(), None);
    }

    #[test]
    fn debug_shows_no_payload() {
        let text = format!("{:?}", request(json!({"secret": "hunter2"}), None));
        assert!(!text.contains("hunter2"), "{text}");
    }
}
