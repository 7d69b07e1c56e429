//! A question goes in; all its bytes come out, in a file or in order: by segments side by side
//! where the function keeps the contract, as one stream where it does not.

mod plan;

mod discovery;

mod check;
mod in_order;
mod one_stream;
mod ordered_body;
mod ordered_bytes;

mod journal;
mod journal_file;
mod ledger;
mod runs;

mod file_identity;
mod part_file;

mod file_writer;
mod to_file;

mod unfinished;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::checksum::Checksum;
use crate::client::Invoker;
use crate::description::Description;
use crate::error::Error;
use crate::invocation::Invocation;
use crate::memory_budget::{DEFAULT_MEMORY_LIMIT, MemoryBudget};
use crate::progress::{Progress, Snapshot, Unended};
use crate::segment::Asking;
use crate::segment::pace::Pace;
use crate::segment::retry::{self, Class, Policy};
use check::Check;
use discovery::{Found, Object};
use journal::{Journal, Question};

pub use ordered_body::OrderedBody;
pub use ordered_bytes::OrderedBytes;
pub use plan::Wanted;
pub use unfinished::{FileChecksums, Unfinished, Verified, file_checksums};

/// Bytes of one segment. Below the 6 MB that the service sends at full speed before it holds a
/// stream to 2 MB/s, with room for the head (AWS Lambda developer guide, "Response streaming
/// bandwidth").
pub const DEFAULT_SEGMENT_SIZE: u64 = 5 * 1024 * 1024;

/// Segments in flight at most. A thirtieth of the 1,000 concurrent executions that an account has at
/// first, for they are shared by all its functions.
pub const DEFAULT_IN_FLIGHT: usize = 32;

/// The smallest segment that is chosen by itself, in bytes: each is an invocation, with its own price
/// and its own time to begin.
const LEAST_SEGMENT_SIZE: u64 = 1024 * 1024;

/// No more segments are ever in flight: beyond the quota of any account that was heard of, and what a
/// queue can hold.
const IN_FLIGHT_LIMIT: usize = 100_000;

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
    compression: bool,
    settings: Settings,
    budget: MemoryBudget,
    policy: Policy,
    progress: Progress,
    unended: Unended,
    note: String,
    start_over: bool,
    log_tail: bool,
}

/// How much at once, and what it should come to.
#[derive(Clone, Copy, Debug)]
struct Settings {
    /// `None` is as fits.
    segment_size: Option<u64>,
    in_flight: InFlight,
    expected: Option<Checksum>,
}

/// How many segments at once.
#[derive(Clone, Copy, Debug)]
enum InFlight {
    Fixed(usize),
    Growing(usize),
}

impl Invoker {
    /// Fetches the object called `name` from a function: the payload is an HTTP API 2.0 event,
    /// `GET /name`. The function is a name, or an [`Invocation`] with more settings than that.
    pub fn object(&self, function: impl Into<Invocation>, name: &str) -> Download {
        self.download(function.into().object(name))
    }

    /// Fetches the result of `invocation`.
    pub fn download(&self, invocation: Invocation) -> Download {
        let progress = Progress::new();
        Download {
            invoker: self.clone(),
            invocation,
            wanted: Wanted::All,
            segmented: true,
            compression: true,
            settings: Settings {
                segment_size: None,
                in_flight: InFlight::Growing(DEFAULT_IN_FLIGHT),
                expected: None,
            },
            budget: MemoryBudget::of(DEFAULT_MEMORY_LIMIT),
            policy: Policy::default(),
            unended: Unended::of(&progress),
            progress,
            note: String::new(),
            start_over: false,
            log_tail: false,
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

    /// Bytes of one segment, at least 1. If this is not called: [`DEFAULT_SEGMENT_SIZE`], or less for
    /// [`in_order`](Self::in_order), so that as many as may be in flight fit into the memory, but not
    /// less than 1 MiB. A segment is never larger than the [memory limit](Self::memory_limit).
    pub fn segment_size(mut self, bytes: u64) -> Self {
        self.settings.segment_size = Some(bytes.max(1));
        self
    }

    /// The most segments in flight at once, at least 1; [`DEFAULT_IN_FLIGHT`] if neither this nor
    /// [`in_flight`](Self::in_flight) is called. A download begins with eight, and takes more for as
    /// long as that brings more; it takes fewer as soon as the service throttles it.
    pub fn max_in_flight(mut self, segments: usize) -> Self {
        self.settings.in_flight = InFlight::Growing(segments.clamp(1, IN_FLIGHT_LIMIT));
        self
    }

    /// So many segments in flight at once, at least 1, from the beginning on and whatever comes of
    /// it.
    pub fn in_flight(mut self, segments: usize) -> Self {
        self.settings.in_flight = InFlight::Fixed(segments.clamp(1, IN_FLIGHT_LIMIT));
        self
    }

    /// Bytes held for a reader of [`in_order`](Self::in_order), from 1 to 4 GiB;
    /// [`DEFAULT_MEMORY_LIMIT`] if this is not called.
    ///
    /// Memory in all is at most this and, for each segment in flight, its largest frame and one
    /// read of its socket. A file needs no such budget: there it is the second term, and a few
    /// pieces that wait for the disk.
    pub fn memory_limit(self, bytes: usize) -> Self {
        self.memory_budget(&MemoryBudget::of(bytes))
    }

    /// The same, shared with all downloads that have the same budget.
    pub fn memory_budget(mut self, budget: &MemoryBudget) -> Self {
        self.budget = budget.clone();
        self
    }

    /// Whether to use segments where the function can; without them it is one stream, which the
    /// service holds to 2 MB/s after 6 MB and ends at 200 MB.
    pub fn segments(mut self, wanted: bool) -> Self {
        self.segmented = wanted;
        self
    }

    /// Whether a result that cannot be fetched by segments may come compressed (zstd, br or gzip), to be
    /// decoded as it arrives; yes if this is not called. The service's limits are on what it sends, so
    /// text arrives several times faster. Without compression none is asked for, and what comes is
    /// handed on as it comes, whatever its encoding.
    ///
    /// An `accept-encoding` of the [invocation](Invocation::custom)'s own is what is asked instead.
    pub fn compression(mut self, wanted: bool) -> Self {
        self.compression = wanted;
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

    /// What the fetched bytes must have for the result to be whole; compared beside what the
    /// function itself says. SHA-256 costs a file a second reading of it.
    pub fn expect(mut self, checksum: Checksum) -> Self {
        self.settings.expected = Some(checksum);
        self
    }

    /// Whether [`to_file`](Self::to_file) forgets what an earlier download has left, instead of
    /// continuing it.
    pub fn start_over(mut self, wanted: bool) -> Self {
        self.start_over = wanted;
        self
    }

    /// A text for the journal, to be found again by [`Unfinished::note`]; empty if this is not
    /// called. A download continues only what was begun with the same note.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
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

    /// Whether to ask for the end of the function's log; [`Progress::take_log_tails`] has those of plain
    /// streams and of segments that failed.
    pub fn log_tail(mut self, wanted: bool) -> Self {
        self.log_tail = wanted;
        self
    }

    /// The most segments of [`to_file`](Self::to_file) in flight at once, as it is set up now.
    pub fn file_in_flight(&self) -> usize {
        let (InFlight::Fixed(most) | InFlight::Growing(most)) = self.settings.in_flight;
        most
    }

    /// The most segments of [`in_order`](Self::in_order) in flight at once, as it is set up now: as
    /// many as fit into the memory.
    pub fn ordered_in_flight(&self) -> usize {
        let fit = self.budget.limit() as u64 / self.segment_size_in_order().max(1);
        self.file_in_flight().min(usize::try_from(fit).unwrap_or(usize::MAX)).max(1)
    }

    /// Bytes of one segment of [`to_file`](Self::to_file), as it is set up now.
    pub fn file_segment_size(&self) -> u64 {
        self.segment_size_to_file()
    }

    /// Bytes of one segment of [`in_order`](Self::in_order), as it is set up now.
    pub fn ordered_segment_size(&self) -> u64 {
        self.segment_size_in_order()
    }

    /// The counters of this download, to look at while it runs and after it failed.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Asks what there is, with one invocation that gives one byte.
    ///
    /// # Errors
    ///
    /// As [`Invoker::invoke`]; and [`ErrorKind::Answer`](crate::ErrorKind::Answer) if the function said no.
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
            asking.deadline.hold(discovery::discover(&asking, &Wanted::All, ONE_BYTE)).await;
        self.progress.end(found.as_ref().err());
        Ok(Check::of(&found?, &asking, None).description().clone())
    }

    /// Writes the result into the file `path`, which is there only when the result is whole. Until
    /// then there is `path` with `.part` behind its name, and with `.part.journal` the record of
    /// what is in it.
    ///
    /// What an earlier download of the same has left is continued: of the same function, payload,
    /// range and [`note`](Self::note), and of the version that it began with. Its bytes are read
    /// again first, and fetched again where they are not what was recorded. Plain streams cannot be
    /// continued; after an error nothing is left of them.
    ///
    /// # Errors
    ///
    /// Whatever kept the result from being whole, or the file from being written.
    /// [`Error::unfinished`] tells whether it can be continued. [`ErrorKind::CannotResume`](crate::ErrorKind::CannotResume) if there
    /// is a journal of another download; [`ErrorKind::Changed`](crate::ErrorKind::Changed) if the function has no longer the
    /// version that was begun. [`start_over`](Self::start_over) forgets both.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the download as [`to_file_until`](Self::to_file_until) does, but
    /// does not wait until that is done: the file's thread records what it has, and ends. Invocations
    /// that were started run to their end and are billed.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<Report, Error> {
        self.to_file_until(path, std::future::pending()).await
    }

    /// As [`to_file`](Self::to_file), but ends when `stop` does, with what there is recorded and
    /// durable.
    ///
    /// # Errors
    ///
    /// As [`to_file`](Self::to_file); [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) if `stop` was first.
    ///
    /// # Cancel safety
    ///
    /// As [`to_file`](Self::to_file).
    pub async fn to_file_until(
        self,
        path: impl AsRef<Path>,
        stop: impl Future<Output = ()>,
    ) -> Result<Report, Error> {
        let (progress, _unended) = (self.progress(), self.unended.clone());
        let done = to_file::to_file(self, path.as_ref(), stop).await;
        progress.end(done.as_ref().err());
        done
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
        let segment_size = self.segment_size_in_order();
        let discovered = self.discover(segment_size).await;
        let (asking, found) = discovered.inspect_err(|error| self.progress.end(Some(error)))?;
        let check = Check::of(&found, &asking, self.settings.expected);
        Ok(OrderedBytes::start(asking, found, check, segment_size, self.budget, self.unended))
    }

    fn question(&self) -> Question {
        Question {
            invocation: self.invocation.clone(),
            wanted: self.wanted.clone(),
            note: self.note.clone(),
        }
    }

    async fn discover(&self, segment_size: u64) -> Result<(Arc<Asking>, Found), Error> {
        self.progress.begin();
        let asking = self.asking();
        let found = discovery::discover(&asking, &self.wanted, segment_size);
        let found = asking.deadline.hold(found).await?;
        Ok((asking, found))
    }

    /// What there is need not be asked: an earlier download was told.
    fn resume(&self, left: Journal) -> (Arc<Asking>, Found) {
        self.progress.begin();
        let asking = self.asking();
        if let Some(sum) = left.object_sum {
            asking.set_object_sum(sum);
        }
        let object = Object {
            version: Arc::new(left.header.version),
            wanted: left.header.wanted,
            first: None,
            there: left.runs,
            resumed: true,
            description: left.header.description,
            head: None,
        };
        (asking, Found::Object(Box::new(object)))
    }

    fn segment_size_to_file(&self) -> u64 {
        match self.segmented {
            true => {
                let limit = self.budget.limit() as u64;
                self.settings.segment_size.unwrap_or(DEFAULT_SEGMENT_SIZE).min(limit)
            }
            false => u64::MAX,
        }
    }

    fn segment_size_in_order(&self) -> u64 {
        if !self.segmented {
            return u64::MAX;
        }
        let limit = self.budget.limit() as u64;
        let fits =
            (limit / self.file_in_flight() as u64).clamp(LEAST_SEGMENT_SIZE, DEFAULT_SEGMENT_SIZE);
        self.settings.segment_size.unwrap_or(fits).min(limit)
    }

    fn asking(&self) -> Arc<Asking> {
        let mut pace = match self.settings.in_flight {
            InFlight::Fixed(segments) => Pace::fixed(segments),
            InFlight::Growing(most) => Pace::growing(most),
        };
        pace.begin(Instant::now());
        let invocation = self.invocation.clone();
        let invocation = if self.log_tail { invocation.log_tail(true) } else { invocation };
        Arc::new(Asking {
            pace: Mutex::new(pace),
            invoker: self.invoker.clone(),
            invocation,
            compression: self.compression,
            policy: self.policy,
            budgets: Mutex::default(),
            deadline: self.invoker.deadline(),
            chance,
            progress: self.progress.clone(),
            object_sum: OnceLock::new(),
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
    /// The sum of the fetched bytes, a [`Checksum::Crc64Nvme`].
    pub crc64nvme: Checksum,
    /// The counters at the end.
    pub snapshot: Snapshot,
}
