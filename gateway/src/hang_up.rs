//! Word that an answer is over although its client does not take it comes in; the client's connection hears of
//! it. A connection that waits for its client asks its answer for nothing, so the answer has to speak first.

use std::sync::Arc;

use tokio::sync::Notify;

/// Between a connection and the answers on it; in the extensions of their requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct HangUp(Arc<Notify>);

impl HangUp {
    /// Nothing that the connection still has is of use.
    pub(crate) fn now(&self) {
        self.0.notify_one();
    }

    /// Waits until somebody says so. Cancel safe.
    pub(crate) async fn wanted(&self) {
        self.0.notified().await;
    }
}
