//! The invocations of one environment: in, those handed to it; out, which the runtime took, which it
//! answers, and which it must no longer answer.

use crate::invocation::{Answer, Invocation};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How many expired request ids are remembered, to answer them 410 and not 400.
const EXPIRED_MAX: usize = 64;

/// What the Runtime API of one environment knows.
pub(crate) struct Desk {
    /// How many invocations the runtime may hold at once.
    slots: usize,
    inbox: mpsc::Sender<Invocation>,
    /// Taken in turns by the `/next` calls that wait.
    waiting: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    book: Mutex<Book>,
    ready: AtomicBool,
    extensions: AtomicUsize,
}

#[derive(Default)]
struct Book {
    active: HashMap<String, Active>,
    expired: VecDeque<String>,
    init_error: Option<(String, Bytes)>,
}

struct Active {
    answers: mpsc::Sender<Answer>,
    responding: bool,
}

/// Why a runtime may not answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unclaimed {
    /// There is nothing to answer.
    NoInvocation,
    /// There is, but not under this id, or it is being answered already.
    OtherId,
    /// Its time is over.
    Expired,
}

impl Desk {
    pub(crate) fn new(slots: usize) -> Self {
        let (inbox, waiting) = mpsc::channel(slots);
        Self {
            slots,
            inbox,
            waiting: tokio::sync::Mutex::new(waiting),
            book: Mutex::default(),
            ready: AtomicBool::new(false),
            extensions: AtomicUsize::new(0),
        }
    }

    /// Hands over an invocation. It is dropped, and so its answers end, if the environment is gone.
    pub(crate) fn deliver(&self, invocation: Invocation) {
        // There are as many places as slots, and who delivers holds a slot: only a closed inbox fails.
        let _ = self.inbox.try_send(invocation);
    }

    /// The next invocation; `None` when the environment closes. Cancel safe.
    pub(crate) async fn next(&self) -> Option<Invocation> {
        self.ready.store(true, Ordering::Release);
        self.waiting.lock().await.recv().await
    }

    /// Whether the runtime holds as many invocations as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.book().active.len() >= self.slots
    }

    /// Notes that the runtime gets `invocation` now.
    pub(crate) fn take(&self, invocation: &Invocation) {
        let answers = invocation.answers.clone();
        // The relay that waits has not read anything yet, so there is room; if it is gone, the answer
        // has nowhere to go and the runtime will be told so.
        let _ = answers.try_send(Answer::Taken(Instant::now()));
        let active = Active { answers, responding: false };
        self.book().active.insert(invocation.request_id.clone(), active);
    }

    /// Lets the runtime begin a response.
    pub(crate) fn claim(self: &Arc<Self>, request_id: &str) -> Result<Claim, Unclaimed> {
        let book = &mut *self.book();
        let lone = book.active.is_empty();
        match book.active.get_mut(request_id) {
            Some(active) if !active.responding => {
                active.responding = true;
                Ok(Claim {
                    desk: Arc::clone(self),
                    request_id: request_id.into(),
                    answers: active.answers.clone(),
                })
            }
            Some(_) => Err(Unclaimed::OtherId),
            None if book.expired.iter().any(|id| id == request_id) => Err(Unclaimed::Expired),
            None if lone => Err(Unclaimed::NoInvocation),
            None => Err(Unclaimed::OtherId),
        }
    }

    /// Takes an invocation away from the runtime's response, because it reported an error instead.
    /// Says whether a response had begun.
    pub(crate) fn interrupt(&self, request_id: &str) -> Option<(mpsc::Sender<Answer>, bool)> {
        let active = self.book().active.remove(request_id)?;
        Some((active.answers, active.responding))
    }

    /// Ends an invocation whose time is over, in an environment that lives on.
    pub(crate) fn expire(&self, request_id: &str) {
        let mut book = self.book();
        book.active.remove(request_id);
        if book.expired.len() == EXPIRED_MAX {
            book.expired.pop_front();
        }
        book.expired.push_back(request_id.into());
    }

    pub(crate) fn is_expired(&self, request_id: &str) -> bool {
        self.book().expired.iter().any(|id| id == request_id)
    }

    /// Ends every invocation, taken or not: the process is gone and all it said has been read.
    pub(crate) async fn close(&self) {
        let mut waiting = self.waiting.lock().await;
        waiting.close();
        while waiting.recv().await.is_some() {}
        self.book().active.clear();
    }

    /// Whether the runtime ever asked for an invocation.
    pub(crate) fn was_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(crate) fn note_init_error(&self, error_type: String, details: Bytes) {
        self.book().init_error = Some((error_type, details));
    }

    pub(crate) fn init_error(&self) -> Option<(String, Bytes)> {
        self.book().init_error.clone()
    }

    pub(crate) fn register_extension(&self) {
        self.extensions.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether somebody in the environment wants to know before it ends.
    pub(crate) fn has_extensions(&self) -> bool {
        self.extensions.load(Ordering::Relaxed) > 0
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Each change of the book is one operation, so a panic elsewhere leaves it whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to answer one invocation. Dropping it without [`Claim::settle`] ends the answers without
/// an end, which is how a cut connection is told.
pub(crate) struct Claim {
    desk: Arc<Desk>,
    request_id: String,
    answers: mpsc::Sender<Answer>,
}

impl Claim {
    /// Passes on the next part of the answer; false if nobody takes it any more. Waits while the
    /// caller does not read: this is where backpressure passes.
    pub(crate) async fn send(&self, answer: Answer) -> bool {
        self.answers.send(answer).await.is_ok()
    }

    /// The answer is whole: from here on the runtime may ask for the next invocation.
    pub(crate) fn settle(self) -> mpsc::Sender<Answer> {
        self.answers.clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.desk.book().active.remove(&self.request_id);
    }
}
