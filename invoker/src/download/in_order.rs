//! Segments of one version go in, fetched side by side; their bytes come out in the order of the
//! object, in bounded memory.
//!
//! Order is by construction: a queue of started segments, delivered from the front. A segment is
//! started only when its whole length fits into the memory budget, so none ever waits for a slow
//! reader (it would be billed while it waits, and might be killed for it). Memory is at most the
//! budget and, for each segment in flight, its largest frame and one read of its socket.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::discovery::Object;
use super::plan;
use crate::checksum::Joined;
use crate::error::{Error, ErrorKind};
use crate::memory_budget::MemoryBudget;
use crate::piece::{Gathered, Piece, Version};
use crate::segment::{Asking, Segment};

/// What a segment sends to its place in the queue.
enum Arrived {
    Piece(Piece),
    /// The whole range was sent; this is its sum.
    Whole {
        sum: u64,
    },
    Failed(Error),
}

/// A started segment: what has arrived of it and was not delivered yet.
struct Started {
    range: Range<u64>,
    /// Its channel takes as many pieces as the segment has bytes, so a segment never waits here;
    /// what bounds it is `memory`.
    arrived: mpsc::Receiver<Arrived>,
    /// The budget of the bytes that were not delivered yet; `None` for one that the reader waited
    /// for while others had all of the budget.
    memory: Option<OwnedSemaphorePermit>,
}

/// How many segments were started and not delivered to their end.
#[derive(Default)]
struct Undelivered {
    count: AtomicUsize,
    none: Notify,
}

impl Undelivered {
    fn started(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    fn delivered(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none.notify_one();
        }
    }

    /// Waits until the reader waits for the next segment.
    async fn none(&self) {
        while self.count.load(Ordering::Acquire) > 0 {
            self.none.notified().await;
        }
    }
}

/// Delivers the wanted bytes of one version in order.
pub(super) struct InOrder {
    version: Arc<Version>,
    wanted: Range<u64>,
    /// The offset of the next byte to deliver.
    next: u64,
    starting: mpsc::Receiver<Started>,
    front: Option<Started>,
    undelivered: Arc<Undelivered>,
    joined: Joined,
    /// Owns the task that starts segments, which owns theirs: dropped, all of them end.
    _starter: JoinSet<()>,
}

impl InOrder {
    pub(super) fn start(
        asking: Arc<Asking>,
        object: Object,
        segment_size: u64,
        budget: MemoryBudget,
    ) -> Self {
        let Object { version, wanted, first, .. } = object;
        let (queue, starting) = mpsc::channel(asking.pace().most());
        let undelivered = Arc::new(Undelivered::default());
        let starter = Starter {
            asking,
            version: Arc::clone(&version),
            budget,
            undelivered: Arc::clone(&undelivered),
            queue,
            segments: JoinSet::new(),
        };
        let planned = first.as_ref().map_or(wanted.start, |segment| segment.range().end);
        let rest = plan::segments(planned..wanted.end, segment_size);
        let mut _starter = JoinSet::new();
        _starter.spawn(starter.run(first, rest));
        let next = wanted.start;
        let joined = Joined::from(next);
        Self { version, wanted, next, starting, front: None, undelivered, joined, _starter }
    }

    /// The next bytes; `None` after the last of the wanted ones, each proven to be in its place.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if self.front.is_none() {
                self.front = self.starting.recv().await;
            }
            let Some(front) = &mut self.front else {
                if self.next != self.wanted.end {
                    return Err(lost(self.next));
                }
                return Ok(None);
            };
            match front.arrived.recv().await {
                Some(Arrived::Piece(piece)) => {
                    let bytes = piece.into_bytes(&self.version, self.next)?;
                    self.next += bytes.len() as u64;
                    // The budget is given back as the bytes are.
                    drop(front.memory.as_mut().and_then(|memory| memory.split(bytes.len())));
                    return Ok(Some(bytes));
                }
                Some(Arrived::Whole { sum }) => {
                    let range = front.range.clone();
                    if self.next != range.end {
                        return Err(lost(self.next));
                    }
                    self.joined.add(range.start, sum, range.end - range.start);
                    self.front = None;
                    self.undelivered.delivered();
                }
                Some(Arrived::Failed(error)) => return Err(error),
                None => return Err(lost(self.next)),
            }
        }
    }

    /// CRC-64/NVME of all wanted bytes, once they are delivered.
    pub(super) fn sum(&self) -> u64 {
        self.joined.value()
    }
}

/// Starts segments in order, as memory and slots become free.
struct Starter {
    asking: Arc<Asking>,
    version: Arc<Version>,
    /// Bytes that may be held for readers.
    budget: MemoryBudget,
    undelivered: Arc<Undelivered>,
    queue: mpsc::Sender<Started>,
    segments: JoinSet<()>,
}

impl Starter {
    async fn run(mut self, first: Option<Segment>, rest: impl Iterator<Item = Range<u64>>) {
        if let Some(first) = first
            && self.start(first.range(), Some(first)).await.is_none()
        {
            return;
        }
        for range in rest {
            if self.start(range, None).await.is_none() {
                return;
            }
        }
        while self.segments.join_next().await.is_some() {}
    }

    /// `None` when nobody reads any more.
    async fn start(&mut self, range: Range<u64>, begun: Option<Segment>) -> Option<()> {
        let len = range.end - range.start;
        // The settings keep a segment within the budget, and the budget within a u32 of bytes.
        let permits = u32::try_from(len).ok()?;
        let memory = tokio::select! {
            biased;
            memory = self.budget.hold(permits) => Some(memory?),
            () = self.undelivered.none() => None,
        };
        while self.segments.try_join_next().is_some() {}
        while self.segments.len() >= self.asking.pace().allowed() {
            self.segments.join_next().await?.ok()?;
        }
        let segment = begun.unwrap_or_else(|| {
            Segment::new(Arc::clone(&self.asking), Arc::clone(&self.version), range.clone())
        });
        // One place for each byte and one for the end: no piece is smaller than a byte.
        let (sender, arrived) = mpsc::channel(permits as usize + 1);
        self.segments.spawn(fetch(segment, sender));
        self.undelivered.started();
        self.queue.send(Started { range, arrived, memory }).await.ok()
    }
}

async fn fetch(mut segment: Segment, sender: mpsc::Sender<Arrived>) {
    let room = sender.capacity();
    let mut gathered: Option<Gathered> = None;
    let end = loop {
        let piece = match segment.next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break Arrived::Whole { sum: segment.sum().value() },
            Err(error) => break Arrived::Failed(error),
        };
        // What is not taken at once may wait long, and what waits is gathered.
        let waits = sender.capacity() < room;
        let together = match gathered.take() {
            None if !waits => {
                if sender.send(Arrived::Piece(piece)).await.is_err() {
                    return;
                }
                continue;
            }
            None => Gathered::from(piece),
            Some(mut together) => match together.add(piece) {
                Ok(()) => together,
                Err(error) => break Arrived::Failed(error),
            },
        };
        if waits && !together.is_enough() {
            gathered = Some(together);
        } else if sender.send(Arrived::Piece(together.into_piece())).await.is_err() {
            return;
        }
    };
    drop(segment); // in flight until now
    let last = gathered.map(|together| Arrived::Piece(together.into_piece()));
    for arrived in last.into_iter().chain([end]) {
        if sender.send(arrived).await.is_err() {
            return;
        }
    }
}

/// The queue ended early. Only a task that panicked ends so.
fn lost(at: u64) -> Error {
    Error::new(ErrorKind::Truncated, format!("the segments ended at offset {at}"))
}
