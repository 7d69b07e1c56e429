//! The bodies of a connection's answers come in; they go out as they are, until a client takes nothing of one
//! for as long as a limit says: then it is let go, and with it its upstream.
//!
//! For HTTP/2, where a client may read its connection and not one of its streams: then no write waits, and
//! nobody asks for the body any more.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::activity::Held;
use crate::answer::Sent;
use crate::ending::Ending;
use crate::upstream::Failure;

/// What is handed out at once, in bytes: so much has to be taken within the limit, however large the pieces of
/// an upstream are.
const PIECE_BYTES: usize = 64 * 1024;

/// Those of one connection.
#[derive(Default)]
pub(super) struct Bodies {
    all: Mutex<Vec<Weak<Mutex<State>>>>,
}

/// A body that is let go when nobody takes it.
pub(super) struct Watched(Arc<Mutex<State>>);

struct State {
    /// None once it was let go.
    body: Option<Held<Sent>>,
    /// What of its last frame was not handed out.
    rest: Bytes,
    /// Since when there is a piece that the client has not taken.
    handed: Option<Instant>,
}

impl Bodies {
    pub(super) fn watch(&self, body: Held<Sent>) -> Watched {
        let state = State { body: Some(body), rest: Bytes::new(), handed: None };
        let state = Arc::new(Mutex::new(state));
        let mut all = locked(&self.all);
        all.retain(|one| one.strong_count() > 0);
        all.push(Arc::downgrade(&state));
        Watched(state)
    }

    /// Lets go of bodies of which nothing is taken for as long as `limit`. Never ends.
    pub(super) async fn let_go(&self, limit: Duration) -> Infallible {
        loop {
            let now = Instant::now();
            let mut next = now + limit;
            let all: Vec<_> = locked(&self.all).iter().filter_map(Weak::upgrade).collect();
            for one in all {
                let mut state = locked(&one);
                match state.handed.map(|handed| handed + limit) {
                    Some(over) if over <= now => state.let_go(limit),
                    Some(over) => next = next.min(over),
                    None => {}
                }
            }
            tokio::time::sleep_until(next).await;
        }
    }
}

impl State {
    fn let_go(&mut self, limit: Duration) {
        self.handed = None;
        self.rest = Bytes::new();
        if let Some(body) = self.body.take() {
            body.into_inner().give_up(untaken(limit));
        }
    }

    fn hand_out(&mut self) -> Frame<Bytes> {
        self.handed = Some(Instant::now());
        Frame::data(self.rest.split_to(PIECE_BYTES.min(self.rest.len())))
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let mut state = locked(&self.0);
        state.handed = None;
        if !state.rest.is_empty() {
            return Poll::Ready(Some(Ok(state.hand_out())));
        }
        let Some(body) = &mut state.body else {
            return Poll::Ready(Some(Err(untaken(Duration::ZERO))));
        };
        let Some(frame) = ready!(Pin::new(body).poll_frame(cx)) else { return Poll::Ready(None) };
        Poll::Ready(Some(frame.map(|frame| match frame.into_data() {
            Ok(bytes) => {
                state.rest = bytes;
                state.hand_out()
            }
            Err(frame) => frame,
        })))
    }

    fn is_end_stream(&self) -> bool {
        let state = locked(&self.0);
        state.rest.is_empty() && state.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let state = locked(&self.0);
        let Some(body) = &state.body else { return SizeHint::default() };
        let (hint, rest) = (body.size_hint(), state.rest.len() as u64);
        let mut with_rest = SizeHint::new();
        with_rest.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            with_rest.set_upper(upper + rest);
        }
        with_rest
    }
}

fn untaken(limit: Duration) -> Failure {
    let limit = humantime::format_duration(limit);
    let detail = format!("the client took nothing for {limit}");
    Failure::new(Ending::ClientGone, StatusCode::REQUEST_TIMEOUT, detail)
}

/// What a panic left behind is as good as before: nothing of it is changed in two steps.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
