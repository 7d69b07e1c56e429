//! Exchanges begin and end; how many are in progress, and whether there was none for a while, comes out.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;

/// Of a connection, or of all of them.
#[derive(Debug)]
pub(super) struct Activity {
    count: watch::Sender<Count>,
    all: Option<Arc<Activity>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    in_progress: usize,
    /// Ever.
    begun: u64,
}

/// One request and its answer, until this is dropped.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Activity>);

impl Activity {
    /// What happens here counts for `all`, too.
    pub(super) fn new(all: Option<Arc<Activity>>) -> Arc<Self> {
        Arc::new(Self { count: watch::Sender::default(), all })
    }

    pub(super) fn begin(self: &Arc<Self>) -> Exchange {
        self.change(|count| {
            count.in_progress += 1;
            count.begun += 1;
        });
        Exchange(Arc::clone(self))
    }

    pub(super) fn in_progress(&self) -> usize {
        self.count.borrow().in_progress
    }

    pub(super) fn has_begun(&self) -> bool {
        self.count.borrow().begun > 0
    }

    /// Waits until nothing was in progress for as long as `limit`.
    pub(super) async fn unused(&self, limit: Duration) {
        let mut count = self.count.subscribe();
        loop {
            // The sender is borrowed by this function: it is not gone.
            let Ok(now) = count.wait_for(|count| count.in_progress == 0).await.map(|now| *now)
            else {
                return;
            };
            let next = count.wait_for(|count| count.begun != now.begun);
            if tokio::time::timeout(limit, next).await.is_err() {
                return;
            }
        }
    }

    fn change(&self, change: impl Fn(&mut Count) + Copy) {
        self.count.send_modify(change);
        if let Some(all) = &self.all {
            all.change(change);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.change(|count| count.in_progress -= 1);
    }
}

/// A body that keeps its exchange in progress.
pub(super) struct Held<B> {
    body: B,
    _exchange: Exchange,
}

impl<B> Held<B> {
    pub(super) fn new(body: B, exchange: Exchange) -> Self {
        Self { body, _exchange: exchange }
    }

    /// Ends the exchange.
    pub(super) fn into_inner(self) -> B {
        self.body
    }
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_exchange_that_began_and_ended_in_between_counts() {
        let all = Activity::new(None);
        let one = Activity::new(Some(Arc::clone(&all)));
        let limit = Duration::from_secs(10);
        let began = tokio::time::Instant::now();
        let unused = one.unused(limit);
        let busy = async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            let exchange = one.begin();
            assert_eq!((one.in_progress(), all.in_progress()), (1, 1));
            drop(exchange);
            assert_eq!((one.in_progress(), all.in_progress()), (0, 0));
        };
        tokio::join!(unused, busy);
        assert_eq!(began.elapsed(), Duration::from_secs(16)); // of a clock that the test turns
    }
}
