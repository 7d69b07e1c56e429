//! What happens in a download comes in; whoever listens gets it, one event after the other, and the
//! download waits for none of them.

use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};

use crate::error::ErrorKind;

/// DownloadEvents that wait for a listener; of more the oldest are lost. A download of 32 segments at once
/// makes some dozens of them in a second.
const KEPT: usize = 1_024;

/// Something that happened in a download.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownloadEvent {
    /// The download has begun.
    Started,
    /// A segment was started, or the one plain stream.
    SegmentStarted {
        /// Its bytes; `None` of a plain stream.
        range: Option<Range<u64>>,
    },
    /// A segment is not in flight any more: it is whole, or the download ends.
    SegmentEnded {
        /// Its bytes as they were when it was started.
        range: Option<Range<u64>>,
    },
    /// Bytes came. Told for each MiB or so, not for each piece.
    Received {
        /// How many there are in all, each counted once.
        bytes: u64,
    },
    /// An invocation failed and is repeated.
    Retried {
        /// How it failed.
        kind: ErrorKind,
        /// When it is repeated, from now.
        after: Duration,
    },
    /// The service had no capacity for an invocation, which is repeated.
    Throttled {
        /// When, from now.
        after: Duration,
    },
    /// What is left of a slow segment was asked for a second time.
    Hedged {
        /// What is left.
        range: Range<u64>,
    },
    /// Half of what was left of a slow segment became a segment of its own.
    Split,
    /// The download has ended; nothing follows.
    Ended {
        /// `None` if the result is whole; [`ErrorKind::Stopped`] if the download was dropped.
        error: Option<ErrorKind>,
    },
    /// The listener was too slow for some events.
    Missed {
        /// How many are lost.
        events: u64,
    },
}

/// The events of one download from now on; see [`Progress::events`](crate::Progress::events).
#[derive(Debug)]
pub struct DownloadEvents {
    /// `None` once the end was told, or was there before.
    receiver: Option<Receiver<DownloadEvent>>,
    /// The end that was there before.
    ended: Option<DownloadEvent>,
}

impl DownloadEvents {
    /// The next event; `None` after [`DownloadEvent::Ended`], which is the only one if the download has
    /// ended already. What [`one_stream`](crate::Download::one_stream) gives has an end of its own: there
    /// `None` comes when all counters were dropped.
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<DownloadEvent> {
        if let Some(ended) = self.ended.take() {
            return Some(ended);
        }
        let event = match self.receiver.as_mut()?.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(events)) => DownloadEvent::Missed { events },
            Err(RecvError::Closed) => {
                self.receiver = None;
                return None;
            }
        };
        if matches!(event, DownloadEvent::Ended { .. }) {
            self.receiver = None;
        }
        Some(event)
    }

    /// The same as a `Stream`.
    pub fn into_stream(self) -> impl Stream<Item = DownloadEvent> + Send {
        futures_util::stream::unfold(self, async |mut events| {
            events.next().await.map(|event| (event, events))
        })
    }
}

/// Where events go. Costs the look at one atomic number while nobody listens.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    sender: OnceLock<Sender<DownloadEvent>>,
    /// How the download has ended, if it has.
    ended: OnceLock<Option<ErrorKind>>,
}

impl Listeners {
    pub(super) fn add(&self) -> DownloadEvents {
        let sender = self.sender.get_or_init(|| channel(KEPT).0);
        // In this order: an end between the two is told by both, and counts once.
        let receiver = sender.subscribe();
        match self.ended.get() {
            Some(error) => DownloadEvents {
                receiver: None,
                ended: Some(DownloadEvent::Ended { error: error.clone() }),
            },
            None => DownloadEvents { receiver: Some(receiver), ended: None },
        }
    }

    /// The first end counts.
    pub(super) fn end(&self, error: Option<ErrorKind>) {
        if self.ended.set(error.clone()).is_ok() {
            self.tell(|| DownloadEvent::Ended { error });
        }
    }

    pub(super) fn tell(&self, event: impl FnOnce() -> DownloadEvent) {
        if let Some(sender) = self.sender.get() {
            // It fails if they have all left.
            let _ = sender.send(event());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_listener_loses_the_oldest_and_is_told() {
        let listeners = Listeners::default();
        listeners.tell(|| unreachable!("nobody listens"));
        let (mut events, mut other) = (listeners.add(), listeners.add());
        for bytes in 0..KEPT as u64 + 5 {
            listeners.tell(|| DownloadEvent::Received { bytes });
        }
        listeners.end(None);
        listeners.end(Some(ErrorKind::Stopped));
        assert_eq!(events.next().await, Some(DownloadEvent::Missed { events: 6 }));
        assert_eq!(events.next().await, Some(DownloadEvent::Received { bytes: 6 }));
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event);
        }
        assert_eq!(last, Some(DownloadEvent::Ended { error: None }));

        drop(listeners);
        while other.next().await.is_some() {}
        assert_eq!(other.next().await, None);
    }

    #[tokio::test]
    async fn who_comes_after_the_end_is_told_of_it() {
        let listeners = Listeners::default();
        listeners.end(Some(ErrorKind::Truncated));
        let mut events = listeners.add();
        let ended = DownloadEvent::Ended { error: Some(ErrorKind::Truncated) };
        assert_eq!(events.next().await, Some(ended));
        assert_eq!(events.next().await, None);
    }
}
