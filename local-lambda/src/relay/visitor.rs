//! Who waits at a Function URL: in, the function's answer as it comes; out, an HTTP answer: status and
//! headers of the head, and the rest as the body, which ends cleanly only if the function did.

mod head;

use crate::answer::{AnswerBody, whole};
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::relay::flow::{Flow, TooLarge};
use bytes::{Bytes, BytesMut};
use head::Opening;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::Either;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::{mpsc, oneshot};

/// The type of an answer that begins with a head (the Runtime API's own word for it).
const WITH_HEAD: &str = "application/vnd.awslambda.http-integration-response";
/// The type of a body whose function names none, as the service has it.
const TYPE_DEFAULT: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// What the service says in place of an answer that does not come.
const FAILED: Bytes = Bytes::from_static(br#"{"message":"Internal Server Error"}"#);
/// Pieces that wait for the visitor's connection; see `ANSWERS_AHEAD`.
const PIECES_AHEAD: usize = 1;

/// What a visitor is answered.
pub(crate) type Shown = Response<Either<AnswerBody, Passage>>;

/// A visitor of a Function URL.
pub(crate) struct Visitor {
    /// Until the status is known.
    door: Option<Door>,
    pieces: mpsc::Sender<Piece>,
    /// What came of the head, until it is whole.
    opening: Option<BytesMut>,
    flow: Flow,
}

struct Door {
    answer: oneshot::Sender<Shown>,
    body: Passage,
}

enum Piece {
    Data(Bytes),
    /// The function's answer was whole.
    End,
}

/// A body that fails unless it is told to end.
pub(crate) struct Passage(mpsc::Receiver<Piece>);

/// The function did not come to its end. The connection is cut, so that no visitor takes what came for
/// all of it.
#[derive(Debug, thiserror::Error)]
#[error("the function's answer ended early")]
pub(crate) struct Broken;

impl Visitor {
    /// A visitor who is answered through `answer`.
    pub(crate) fn new(answer: oneshot::Sender<Shown>, limits: &Limits) -> Self {
        let (pieces, coming) = mpsc::channel(PIECES_AHEAD);
        let door = Some(Door { answer, body: Passage(coming) });
        Self { door, pieces, opening: None, flow: Flow::new(limits) }
    }

    /// The function begins to answer.
    pub(super) fn begin(&mut self, content_type: Option<HeaderValue>) {
        if content_type.as_ref().is_some_and(begins_with_head) {
            self.opening = Some(BytesMut::new());
        } else {
            let mut head = Response::new(());
            head.headers_mut().insert(header::CONTENT_TYPE, content_type.unwrap_or(TYPE_DEFAULT));
            self.open(head);
        }
    }

    /// Passes bytes on, at the pace of a streamed response.
    pub(super) async fn data(&mut self, mut data: Bytes) -> Result<(), TooLarge> {
        let within = self.flow.admit(&mut data);
        while !data.is_empty() && self.listens() {
            let piece = self.flow.next(&mut data, self.pieces.closed()).await;
            let body = if self.opening.is_some() { self.read_head(&piece) } else { piece };
            if !body.is_empty() {
                // Closed means that the visitor left, which changes nothing for the function.
                let _ = self.pieces.send(Piece::Data(body)).await;
            }
        }
        within
    }

    pub(super) fn listens(&self) -> bool {
        match &self.door {
            Some(door) => !door.answer.is_closed(),
            None => !self.pieces.is_closed(),
        }
    }

    /// Ends the answer, or breaks it off.
    pub(super) async fn end(mut self, failed: bool) {
        self.fail(); // if nothing was shown yet, nothing of worth came
        if !failed {
            let _ = self.pieces.send(Piece::End).await;
        }
    }

    /// Tells the visitor that there is no invocation.
    pub(super) fn refuse(self, refusal: Refusal) {
        if let Some(door) = self.door {
            let _ = door.answer.send(refusal.into_response().map(Either::Left));
        }
    }

    /// Reads on in the head, and returns what of the body came with its end.
    fn read_head(&mut self, piece: &[u8]) -> Bytes {
        let Some(mut opening) = self.opening.take() else { return Bytes::new() };
        let looked_at = opening.len();
        opening.extend_from_slice(piece);
        match head::read(&mut opening, looked_at) {
            Opening::Unfinished => self.opening = Some(opening),
            Opening::Head(head) => {
                self.open(head);
                return opening.freeze();
            }
            Opening::None => self.fail(),
        }
        Bytes::new()
    }

    fn open(&mut self, head: Response<()>) {
        if let Some(Door { answer, body }) = self.door.take() {
            let _ = answer.send(head.map(|()| Either::Right(body)));
        }
    }

    /// Shows a failure, if nothing was shown yet. What comes after it reaches nobody.
    fn fail(&mut self) {
        if let Some(Door { answer, .. }) = self.door.take() {
            let _ = answer.send(failed());
        }
    }
}

/// The answer in place of one that does not come.
pub(crate) fn failed() -> Shown {
    let mut response = Response::new(Either::Left(whole(FAILED)));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn begins_with_head(content_type: &HeaderValue) -> bool {
    let essence = content_type.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case(WITH_HEAD)
}

impl Body for Passage {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Poll::Ready(match ready!(self.0.poll_recv(cx)) {
            Some(Piece::Data(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => None,
            None => Some(Err(Broken)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    fn visitor() -> (Visitor, oneshot::Receiver<Shown>) {
        let (answer, shown) = oneshot::channel();
        (Visitor::new(answer, &Limits::off()), shown)
    }

    /// Status, body as far as it came, and whether it came to its end.
    async fn see(shown: oneshot::Receiver<Shown>) -> (u16, Vec<u8>, bool) {
        let (parts, mut body) = shown.await.unwrap().into_parts();
        let mut bytes = Vec::new();
        loop {
            match body.frame().await {
                None => return (parts.status.as_u16(), bytes, true),
                Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(_)) => return (parts.status.as_u16(), bytes, false),
            }
        }
    }

    #[tokio::test]
    async fn a_head_is_found_wherever_it_is_cut() {
        let answer = b"{\"statusCode\":201}\0\0\0\0\0\0\0\0\0body";
        for cut in 0..=answer.len() {
            let (mut visitor, shown) = visitor();
            let seen = tokio::spawn(see(shown));
            visitor.begin(Some(HeaderValue::from_static(WITH_HEAD)));
            for part in [&answer[..cut], &answer[cut..]] {
                visitor.data(Bytes::copy_from_slice(part)).await.unwrap();
            }
            visitor.end(false).await;
            assert_eq!(seen.await.unwrap(), (201, b"\0body".to_vec(), true), "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn only_the_end_of_the_function_is_an_end() {
        let (mut one, shown) = visitor();
        let seen = tokio::spawn(see(shown));
        one.begin(None);
        one.data(Bytes::from_static(b"some")).await.unwrap();
        one.end(true).await;
        assert_eq!(seen.await.unwrap(), (200, b"some".to_vec(), false), "a failure");

        let (mut one, shown) = visitor();
        let seen = tokio::spawn(see(shown));
        one.begin(None);
        drop(one);
        assert_eq!(seen.await.unwrap(), (200, Vec::new(), false), "the service stopped");
    }

    #[tokio::test]
    async fn without_a_whole_head_there_is_a_failure() {
        for (text, failed) in
            [(&b"{\"statusCode\":200}\0\0\0\0\0\0\0"[..], false), (b"", false), (b"{", true)]
        {
            let (mut visitor, shown) = visitor();
            let seen = tokio::spawn(see(shown));
            visitor.begin(Some(HeaderValue::from_static(WITH_HEAD)));
            visitor.data(Bytes::copy_from_slice(text)).await.unwrap();
            visitor.end(failed).await;
            assert_eq!(seen.await.unwrap(), (502, FAILED.to_vec(), true));
        }
        let (visitor, shown) = visitor();
        visitor.end(true).await;
        assert_eq!(see(shown).await, (502, FAILED.to_vec(), true), "no answer at all");
    }
}
