//! An `http::Response` of a web framework comes in; the [`Response`] that is answered goes out; and,
//! the other way, what a [`Response`] is for one request, as an `http::Response`.

use crate::answer::{Settled, settle};
use crate::error::BoxError;
use crate::failure::Failure;
use crate::request::Request;
use crate::response::Response;
use crate::source::ByteStream;
use bytes::{Buf, Bytes};
use futures_util::stream::{self, StreamExt};
use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, SET_COOKIE};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

/// What is said to the next hop alone (RFC 9110 section 7.6.1), and `trailer`, because a head has no
/// trailers behind it. What `connection` names is dropped as well.
const FOR_THE_NEXT_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Among the extensions of a response that [`Request::answer`] made: whether it is encoded is decided.
#[derive(Clone, Copy)]
struct Decided;

impl Response {
    /// What a web framework responds, with any body, as the answer of a handler.
    ///
    /// * The **body** is streamed: each frame of it leaves as it comes. An error of it in mid-stream ends
    ///   the answer as a failure; put a [`Failure`] anywhere in its sources to choose the type. A length
    ///   that its headers promise, or that it knows itself, is held to.
    /// * **Set-Cookie** headers become cookies of the head. Other repeated headers are folded into one
    ///   value where RFC 9110 section 5.3 allows it, and fail the invocation where it does not.
    /// * Headers for the **next hop** are dropped (`connection` and those it names, `transfer-encoding`,
    ///   `upgrade` and their like), and so are **trailers** of the body, with a warning in the log: the
    ///   Runtime API has trailers for errors alone.
    /// * It is compressed under the same rules as any other answer: see
    ///   [`compression`](Self::compression).
    pub fn from_http<B>(response: http::Response<B>) -> Self
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = response.into_parts();
        let mut headers = parts.headers;
        drop_for_the_next_hop(&mut headers);
        // That of no bytes may be the one of a HEAD, which says nothing of what a GET would give.
        if let Some(length @ 1..) = body.size_hint().exact()
            && !headers.contains_key(CONTENT_LENGTH)
        {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let response = Self::of_http(parts.status, headers, frames(body));
        match parts.extensions.get::<Decided>() {
            Some(Decided) => response.compression(false),
            None => response,
        }
    }
}

impl Request {
    /// What a [`Response`] is for this request: with the range and the preconditions applied, if it is an
    /// object. For services under [`http()`](crate::http), which find their `Arc<Request>` among the
    /// extensions; a handler just returns its [`Response`].
    ///
    /// # Errors
    ///
    /// `Function.InvalidHead`, and what reading the object gives.
    ///
    /// # Cancel safety
    ///
    /// Dropping it reads nothing.
    pub async fn answer(
        &self,
        response: Response,
    ) -> Result<http::Response<ResponseBody>, Failure> {
        let Settled { status, mut headers, cookies, body, .. } =
            settle(&self.ask(), response).await?;
        for cookie in cookies {
            let value = HeaderValue::try_from(cookie)
                .map_err(|_| Failure::new("InvalidHead", "a cookie is no value of a header"))?;
            headers.append(SET_COOKIE, value);
        }
        let mut response = http::Response::new(ResponseBody(Mutex::new(body)));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response.extensions_mut().insert(Decided);
        Ok(response)
    }
}

fn drop_for_the_next_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in FOR_THE_NEXT_HOP {
        headers.remove(name);
    }
}

/// The data of a body. Frames of something else are trailers.
fn frames<B>(body: B) -> ByteStream
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    stream::unfold(Box::pin(body), |mut body| async move {
        loop {
            let frame = match body.frame().await? {
                Ok(frame) => frame,
                Err(error) => return Some((Err(error.into()), body)),
            };
            match frame.into_data() {
                // Of `Bytes` this is the same bytes, uncopied.
                Ok(mut data) => return Some((Ok(data.copy_to_bytes(data.remaining())), body)),
                Err(_) => tracing::warn!("the trailers of a response are dropped"),
            }
        }
    })
    .boxed()
}

/// The body of what [`Request::answer`] gives.
// Frameworks want bodies that are Sync, which streams here are not; nobody ever waits for this lock.
pub struct ResponseBody(Mutex<ByteStream>);

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let stream = self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        stream.as_mut().poll_next(context).map(|next| next.map(|bytes| bytes.map(Frame::data)))
    }
}

/// Without the bytes, which are not ours to print.
impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
