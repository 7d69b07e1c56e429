//! A question goes in; all its bytes come out, in a file or in order: by segments side by side
//! where the function keeps the contract, as one stream where it does not.

mod plan;

mod event;

mod discovery;

mod in_order;

mod part_file;
mod to_file;

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::Semaphore;

use crate::body::ResponseStream;
use crate::checksum::{self, Sum};
use crate::client::Invoker;
use crate::deadline::Deadline;
use crate::description::Description;
use crate::error::{Error, ErrorKind};
use crate::invocation::Invocation;
use crate::piece::Version;
use crate::progress::{InFlight, Progress, Snapshot};
use crate::segment::retry::{self, Class, Policy};
use crate::segment::{Asking, Segment};
use discovery::{Found, Object};
use in_order::InOrder;
use to_file::FileWriter;

pub use plan::Wanted;

/// Bytes of one segment. Below the 6 MB that the service sends at full speed before it holds a
/// stream to 2 MB/s, with room for the head (AWS Lambda developer guide, "Response streaming
/// bandwidth").
pub const DEFAULT_SEGMENT_SIZE: u64 = 5 * 1024 * 1024;

/// Segments in flight. A thirtieth of the 1,000 concurrent executions that an account has at first,
/// for they are shared by all its functions.
pub const DEFAULT_IN_FLIGHT: usize = 32;

/// Bytes held for a reader who wants them in order: twelve segments of the default size.
pub const DEFAULT_MEMORY_LIMIT: usize = 64 * 1024 * 1024;

/// A fetch of one result, to be configured and then started.
///
/// ```no_run
/// # async fn run(client: aws_sdk_lambda::Client) -> Result<(), invoker::Error> {
/// let invoker = invoker::Invoker::new(client);
/// let report = invoker.object("files", "2026/measurements.parquet")
///     .in_flight(16)
///     .to_file("measurements.parquet").await?;
/// println!("{} bytes, {:?}", report.snapshot.bytes, report.integrity);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Download {
    invoker: Invoker,
    invocation: Invocation,
    wanted: Wanted,
    segmented: bool,
    settings: Settings,
    policy: Policy,
    progress: Progress,
}

/// How much at once.
#[derive(Clone, Copy, Debug)]
struct Settings {
    segment_size: u64,
    in_flight: usize,
    memory_limit: usize,
}

impl Invoker {
    /// Fetches the object called `name` from a function: the payload is an HTTP API 2.0 event,
    /// `GET /name`. The function is a name, or an [`Invocation`] with more settings than that.
    pub fn object(&self, function: impl Into<Invocation>, name: &str) -> Download {
        self.download(function.into().payload(event::for_object(name)))
    }

    /// Fetches the result of `invocation`.
    pub fn download(&self, invocation: Invocation) -> Download {
        Download {
            invoker: self.clone(),
            invocation,
            wanted: Wanted::All,
            segmented: true,
            settings: Settings {
                segment_size: DEFAULT_SEGMENT_SIZE,
                in_flight: DEFAULT_IN_FLIGHT,
                memory_limit: DEFAULT_MEMORY_LIMIT,
            },
            policy: Policy::default(),
            progress: Progress::new(),
        }
    }
}

impl Download {
    /// Which bytes of the object; all of them if this is not called. A function that serves no
    /// ranges refuses any other wish.
    pub fn wanted(mut self, wanted: Wanted) -> Self {
        self.wanted = wanted;
        self
    }

    /// Bytes of one segment, at least 1; [`DEFAULT_SEGMENT_SIZE`] if this is not called. A segment
    /// is never larger than the [memory limit](Self::memory_limit).
    pub fn segment_size(mut self, bytes: u64) -> Self {
        self.settings.segment_size = bytes.max(1);
        self
    }

    /// The most segments in flight at once, at least 1; [`DEFAULT_IN_FLIGHT`] if this is not
    /// called.
    pub fn in_flight(mut self, segments: usize) -> Self {
        self.settings.in_flight = segments.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Bytes held for a reader of [`in_order`](Self::in_order), from 1 to 4 GiB;
    /// [`DEFAULT_MEMORY_LIMIT`] if this is not called.
    ///
    /// Memory in all is at most this and, for each segment in flight, its largest frame and one
    /// read of its socket. A file needs no such budget: there it is the second term, and a few
    /// pieces that wait for the disk.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        let most = Semaphore::MAX_PERMITS.min(u32::MAX as usize);
        self.settings.memory_limit = bytes.clamp(1, most);
        self
    }

    /// Whether to use segments where the function can; without them it is one stream, which the
    /// service holds to 2 MB/s after 6 MB and ends at 200 MB.
    pub fn segments(mut self, wanted: bool) -> Self {
        self.segmented = wanted;
        self
    }

    /// How many failures of one segment are followed by another try; 2 if this is not called.
    /// Throttles are no failures: they are [waited out](Self::throttle_patience). All segments
    /// together repeat 8 invocations at once and 5 per second after that, so that a function that is
    /// broken is not asked for each segment.
    ///
    /// A plain stream is asked for again until its answer begins; after that it cannot be.
    pub fn retries(mut self, retries: u32) -> Self {
        self.policy.retries = retries;
        self
    }

    /// How long a download that receives nothing goes on asking a service that throttles it, or that
    /// makes the function ready; 60 s if this is not called. While any byte arrives, and however
    /// often it is throttled, it goes on. A wait that the service asks for (`Retry-After`) is heeded
    /// within that time.
    pub fn throttle_patience(mut self, patience: Duration) -> Self {
        self.policy.throttle_patience = patience;
        self
    }

    /// The counters of this download, to look at while it runs and after it failed.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Asks what there is, with one invocation that gives one byte.
    ///
    /// # Errors
    ///
    /// As [`Invoker::invoke`]; and [`ErrorKind::Answer`] if the function said no.
    ///
    /// # Cancel safety
    ///
    /// As [`Invoker::invoke`].
    pub async fn inspect(self) -> Result<Description, Error> {
        const ONE_BYTE: u64 = 1;
        self.progress.begin();
        let asking = self.asking();
        // A plain stream is no mistake here, so all bytes are wanted, and the first one asked.
        let found =
            asking.deadline.hold(discovery::discover(&asking, &Wanted::All, ONE_BYTE)).await?;
        Ok(describe(&found))
    }

    /// Writes the result into the file `path`, which is there only when the result is whole. Until
    /// then there is `path` with `.part` behind its name; after an error it is gone.
    ///
    /// # Errors
    ///
    /// Whatever kept the result from being whole, or the file from being written.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the download and removes the part file. Invocations that were
    /// started run to their end and are billed.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<Report, Error> {
        let writer = FileWriter::create(path.as_ref()).await?;
        let (asking, found, settings) = match self.discover().await {
            Ok(discovered) => discovered,
            Err(error) => {
                writer.abandon().await;
                return Err(error);
            }
        };
        let check = Check::of(&found, &asking.progress);
        let integrity = writer.write(&asking, found, &settings, |sum| check.integrity(sum)).await?;
        let snapshot = asking.progress.snapshot();
        Ok(Report { description: check.description, integrity, snapshot })
    }

    /// Starts fetching, to be read in order. Returns when the first answer has begun.
    ///
    /// # Errors
    ///
    /// Whatever kept the first answer from beginning.
    ///
    /// # Cancel safety
    ///
    /// As [`Invoker::invoke`].
    pub async fn in_order(self) -> Result<OrderedBytes, Error> {
        let (asking, found, settings) = self.discover().await?;
        let check = Check::of(&found, &asking.progress);
        let (progress, deadline) = (asking.progress.clone(), asking.deadline);
        let inner = match found {
            Found::Plain(stream) => Inner::Plain { stream, _in_flight: progress.start_segment() },
            Found::Object(object) => match *object {
                // Too large to be held whole: it cannot but wait for its reader.
                Object { first, version, wanted, .. }
                    if settings.segment_size > settings.memory_limit as u64
                        && wanted.end - wanted.start > settings.memory_limit as u64 =>
                {
                    let next = wanted.start;
                    let segment = first.unwrap_or_else(|| {
                        Segment::new(Arc::clone(&asking), Arc::clone(&version), wanted)
                    });
                    Inner::Direct { segment: Box::new(segment), version, next }
                }
                object => Inner::Queue(InOrder::start(asking, object, &settings)),
            },
        };
        Ok(OrderedBytes { inner, sum: Sum::default(), check, deadline, progress, report: None })
    }

    async fn discover(self) -> Result<(Arc<Asking>, Found, Settings), Error> {
        self.progress.begin();
        let asking = self.asking();
        let mut settings = self.settings;
        settings.segment_size = match self.segmented {
            true => settings.segment_size.min(settings.memory_limit as u64),
            false => u64::MAX,
        };
        let found = discovery::discover(&asking, &self.wanted, settings.segment_size);
        let found = asking.deadline.hold(found).await?;
        Ok((asking, found, settings))
    }

    fn asking(&self) -> Arc<Asking> {
        Arc::new(Asking {
            invoker: self.invoker.clone(),
            invocation: self.invocation.clone(),
            policy: self.policy,
            budgets: Mutex::default(),
            deadline: self.invoker.deadline(),
            chance,
            progress: self.progress.clone(),
        })
    }
}

/// A number in `0.0..1.0` from the standard library's randomness, which every new hasher state has.
/// It spreads retries; nothing else depends on it.
fn chance() -> f64 {
    /// The bits that a `f64` holds exactly.
    const BITS: u32 = 53;
    let random = std::hash::RandomState::new().build_hasher().finish();
    (random >> (u64::BITS - BITS)) as f64 / (1u64 << BITS) as f64
}

/// Says of a failure in the middle of a plain stream why it was not repeated, where that could have
/// helped.
fn not_repeatable(error: Error) -> Error {
    match retry::class(error.kind()) {
        Class::Final => error,
        _ => error.with_note("a plain stream cannot be taken up where it stopped"),
    }
}

fn describe(found: &Found) -> Description {
    match found {
        Found::Plain(stream) => {
            Description::of(stream.head(), stream.executed_version(), stream.promised_len(), false)
        }
        Found::Object(object) => Description::of(
            Some(&object.head),
            object.executed_version.as_deref(),
            Some(object.version.size),
            true,
        ),
    }
}

/// How the bytes of a whole result were checked, beyond lengths, versions and the checksums of
/// frames.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Integrity {
    /// Their sum is the one that the function gave for the object.
    Verified {
        /// The name of the sum.
        algorithm: &'static str,
    },
    /// There was nothing to compare them with.
    NotVerified {
        /// Why not.
        reason: &'static str,
    },
}

/// What a download did, once it is whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What the first answer told.
    pub description: Description,
    /// How the bytes were checked.
    pub integrity: Integrity,
    /// The counters at the end.
    pub snapshot: Snapshot,
}

/// What the result's sum is compared with at the end.
struct Check {
    description: Description,
    expected: Result<u64, &'static str>,
}

impl Check {
    fn of(found: &Found, progress: &Progress) -> Self {
        let description = describe(found);
        let wanted = match found {
            Found::Object(object) => Some(object.wanted.end - object.wanted.start),
            Found::Plain(_) => description.size,
        };
        if let Some(wanted) = wanted {
            progress.wants(wanted);
        }
        progress.describe(description.clone());
        let sum = description.checksum.as_deref().and_then(checksum::parse);
        let partial = matches!(found, Found::Plain(stream)
            if stream.head().is_some_and(|head| head.status == 206));
        let expected = match sum {
            None => Err("the function gave no checksum"),
            Some(_) if partial => Err("only a range of the object was fetched"),
            Some(_) if wanted != description.size => Err("only a range of the object was fetched"),
            Some(sum) => Ok(sum),
        };
        Self { description, expected }
    }

    fn integrity(&self, sum: u64) -> Result<Integrity, Error> {
        match self.expected {
            Err(reason) => Ok(Integrity::NotVerified { reason }),
            Ok(expected) if expected == sum => {
                Ok(Integrity::Verified { algorithm: checksum::ALGORITHM })
            }
            Ok(expected) => {
                let message = format!(
                    "the bytes have the {} {sum:016x}, the function gave {expected:016x}",
                    checksum::ALGORITHM
                );
                Err(Error::new(ErrorKind::Corrupt, message))
            }
        }
    }
}

/// The bytes of a result, in order, as they arrive.
///
/// Segments are fetched ahead of the reader into the memory budget; a reader that stops keeps no
/// invocation waiting. A plain stream, or one segment larger than the budget, has no such buffer:
/// there a slow reader holds the function back.
///
/// # Cancel safety
///
/// Dropping it ends the download. Invocations that were started run to their end and are billed.
pub struct OrderedBytes {
    inner: Inner,
    /// Over the bytes delivered, where no segment has done it.
    sum: Sum,
    check: Check,
    deadline: Deadline,
    progress: Progress,
    report: Option<Report>,
}

#[expect(clippy::large_enum_variant, reason = "there is one for a download")]
enum Inner {
    Plain {
        stream: ResponseStream,
        _in_flight: InFlight,
    },
    Direct {
        segment: Box<Segment>,
        version: Arc<Version>,
        next: u64,
    },
    Queue(InOrder),
    /// The last item was delivered.
    Ended,
}

impl OrderedBytes {
    /// What the first answer told of the result.
    pub fn description(&self) -> &Description {
        &self.check.description
    }

    /// The next bytes, never empty; `None` when the result is whole and checked.
    ///
    /// # Errors
    ///
    /// Whatever kept the result from being whole; after it there are no more items.
    ///
    /// # Cancel safety
    ///
    /// Safe: no byte is lost when the future is dropped. One segment larger than the budget that has
    /// to be asked for again is asked for anew each time, so do not drop it often.
    pub async fn next_bytes(&mut self) -> Option<Result<Bytes, Error>> {
        if matches!(self.inner, Inner::Ended) {
            return None;
        }
        let deadline = self.deadline;
        let next = match deadline.hold(self.read()).await {
            Ok(Some(bytes)) => return Some(Ok(bytes)),
            Ok(None) => self.finish(),
            Err(error) => Err(error),
        };
        self.inner = Inner::Ended;
        next.err().map(Err)
    }

    /// What was done, once [`next_bytes`](Self::next_bytes) has returned `None` for a whole result.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// The same bytes as a `Stream`.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        futures_util::stream::unfold(self, async |mut bytes| {
            bytes.next_bytes().await.map(|item| (item, bytes))
        })
    }

    async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let bytes = match &mut self.inner {
            Inner::Plain { stream, .. } => {
                stream.next_bytes().await.transpose().map_err(not_repeatable)?
            }
            Inner::Direct { segment, version, next } => match segment.next().await? {
                Some(piece) => {
                    let bytes = piece.into_bytes(version, *next)?;
                    *next += bytes.len() as u64;
                    Some(bytes)
                }
                None => None,
            },
            Inner::Queue(queue) => return queue.next().await,
            Inner::Ended => None,
        };
        if let (Inner::Plain { .. }, Some(bytes)) = (&self.inner, &bytes) {
            self.progress.received(bytes.len() as u64);
            self.sum.update(bytes);
        }
        Ok(bytes)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let sum = match &self.inner {
            Inner::Plain { .. } => self.sum.value(),
            Inner::Direct { segment, .. } => segment.sum().value(),
            Inner::Queue(queue) => queue.sum(),
            Inner::Ended => return Ok(()),
        };
        // What was in flight is not any more.
        self.inner = Inner::Ended;
        let integrity = self.check.integrity(sum)?;
        let description = self.check.description.clone();
        self.report = Some(Report { description, integrity, snapshot: self.progress.snapshot() });
        Ok(())
    }
}

impl std::fmt::Debug for OrderedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderedBytes")
            .field("description", &self.check.description)
            .field("progress", &self.progress.snapshot())
            .finish_non_exhaustive()
    }
}
