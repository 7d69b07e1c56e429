//! A random wish comes in; it is fetched to whatever end it has, every byte that is delivered is
//! compared, and the end is held to the faults that were met.

use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use invoker::{
    Download, Error, ErrorKind, Integrity, Invocation, Invoker, Report, Unfinished, Wanted,
};
use local_lambda::Fault;
use serde_json::json;
use stream_fn::source::pattern;

use crate::faults;
use crate::random::Random;
use crate::tally::Tally;

/// The most invocations at once of one download.
pub(crate) const IN_FLIGHT: u64 = 4;
/// The largest object: a few frames for each of a few segments.
const OBJECT_BYTES: u64 = 300_000;
/// How often a file is taken up again before it is given up.
const CONTINUATIONS: u32 = 4;
/// The longest time until a caller changes its mind.
const STOP_MS: u64 = 200;

/// How a result is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// All of an object into a file, which is there only if the sum of it is right.
    WholeFile,
    /// Any range into a file.
    RangeFile,
    /// Any range in order.
    InOrder,
    /// All of an object in one stream, in order or as one invocation.
    Stream,
}

/// A caller of one function, of which nobody else is.
pub(crate) struct Caller {
    pub(crate) way: Way,
    pub(crate) function: String,
    pub(crate) invoker: Invoker,
    pub(crate) folder: PathBuf,
    /// The faults that the function's invocations had since somebody emptied this.
    pub(crate) met: Arc<Mutex<Vec<Fault>>>,
    pub(crate) tally: Arc<Tally>,
}

/// What is wanted, and how.
#[derive(Debug)]
pub(crate) struct Wish {
    size: u64,
    wanted: Wanted,
    range: Range<u64>,
    segment_size: u64,
    pub(crate) in_flight: u64,
    memory_limit: usize,
    retries: u32,
    /// When the caller changes its mind, if it does.
    stop: Option<Duration>,
    slow: bool,
}

impl Wish {
    pub(crate) fn random(way: Way, random: &mut Random) -> Self {
        let segment_size = match random.of(0..3) {
            0 => random.of(1_000..10_000),
            _ => random.of(10_000..130_000),
        };
        // Sizes around a multiple of the segment's are where counting goes wrong.
        let size = match random.of(0..12) {
            0 => random.of(0..3),
            1 | 2 => segment_size * random.of(1..5) + random.of(0..3) - 1,
            _ => random.of(0..OBJECT_BYTES),
        };
        let segment_size = segment_size.max(size / 16);
        let whole = matches!(way, Way::WholeFile | Way::Stream) || random.one_in(2);
        let wanted = match (size, random.of(0..3)) {
            (0, _) => Wanted::All,
            _ if whole => Wanted::All,
            (_, 0) => Wanted::From(random.of(0..size)),
            (_, 1) => Wanted::Last(random.of(1..size + 2)),
            _ => {
                let start = random.of(0..size);
                Wanted::Range(start..random.of(start + 1..size + 2))
            }
        };
        let range = match &wanted {
            Wanted::All => 0..size,
            Wanted::From(start) => *start..size,
            Wanted::Range(range) => range.start..range.end.min(size),
            Wanted::Last(bytes) => size.saturating_sub(*bytes)..size,
        };
        let in_flight = if way == Way::Stream { 1 } else { random.of(1..IN_FLIGHT + 1) };
        let stop = random.one_in(10).then(|| Duration::from_millis(random.of(0..STOP_MS)));
        Self {
            size,
            wanted,
            range,
            segment_size,
            in_flight,
            memory_limit: random.of(20_000..600_000) as usize,
            retries: random.of(0..5) as u32,
            stop,
            slow: random.one_in(8),
        }
    }
}

impl Caller {
    /// Fetches to an end.
    pub(crate) async fn fetch(&self, wish: &Wish, random: &mut Random) {
        self.met.lock().unwrap().clear();
        let ending = match self.way {
            Way::WholeFile | Way::RangeFile => self.to_file(wish, random).await,
            Way::Stream if random.one_in(2) => self.invocation(wish).await,
            Way::Stream => self.in_order(wish, self.download(wish).segments(false)).await,
            Way::InOrder => self.in_order(wish, self.download(wish)).await,
        };
        self.tally.ended(format!("{:?}: {ending}", self.way));
    }

    fn download(&self, wish: &Wish) -> Download {
        let download = self.invoker.object(self.function.as_str(), &wish.size.to_string());
        self.set(wish, download).wanted(wish.wanted.clone())
    }

    fn set(&self, wish: &Wish, download: Download) -> Download {
        download
            .segment_size(wish.segment_size)
            .in_flight(wish.in_flight as usize)
            .memory_limit(wish.memory_limit)
            .retries(wish.retries)
    }

    async fn in_order(&self, wish: &Wish, download: Download) -> String {
        let mut got = Compared::new(wish);
        let read = async {
            let mut ordered = match download.in_order().await {
                Ok(ordered) => ordered,
                Err(error) => return self.failed(wish, &error),
            };
            while let Some(bytes) = ordered.next_bytes().await {
                match bytes {
                    Ok(bytes) => got.take(&bytes, &self.tally),
                    Err(error) => {
                        assert!(ordered.report().is_none(), "a report of no whole: {wish:?}");
                        return self.failed(wish, &error);
                    }
                }
                if wish.slow {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            self.whole(wish, ordered.report().expect("the report of a whole"));
            "whole".to_owned()
        };
        let ending = or_dropped(wish, read).await;
        if ending == "whole" {
            got.is_whole();
        }
        ending
    }

    async fn invocation(&self, wish: &Wish) -> String {
        let path = format!("/{}", wish.size);
        let payload = json!({
            "version": "2.0", "rawPath": path, "headers": {},
            "requestContext": {"stage": "$default", "http": {"method": "GET", "path": path}},
        });
        let invocation = Invocation::new(self.function.as_str()).payload(payload.to_string());
        let mut got = Compared::new(wish);
        let read = async {
            let mut stream = match self.invoker.invoke(invocation).await {
                Ok(stream) => stream,
                Err(error) => return self.failed(wish, &error),
            };
            while let Some(bytes) = stream.next_bytes().await {
                match bytes {
                    Ok(bytes) => got.take(&bytes, &self.tally),
                    Err(error) => return self.failed(wish, &error),
                }
            }
            "whole".to_owned()
        };
        let ending = or_dropped(wish, read).await;
        if ending == "whole" {
            got.is_whole();
        }
        ending
    }

    /// Takes what is left up again, until it is whole or nothing helps.
    async fn to_file(&self, wish: &Wish, random: &mut Random) -> String {
        let target = self.folder.join("object");
        let (part, journal) =
            (self.folder.join("object.part"), self.folder.join("object.part.journal"));
        let (mut start_over, mut resumed, mut stops) = (false, 0, 0);
        let mut last = String::new();
        for continuation in 0..=CONTINUATIONS {
            let mut download = self.download(wish).start_over(start_over);
            if journal.exists() && !start_over && random.one_in(2) {
                let unfinished = Unfinished::open(&target).await.unwrap();
                let verified = unfinished.verify().await.unwrap();
                assert_eq!(verified.broken, [], "what was recorded is not there: {wish:?}");
                assert_eq!(verified.intact, unfinished.recorded_bytes(), "{wish:?}");
                download = self.set(wish, self.invoker.resume(&unfinished));
            }
            let again = continuation > 0;
            let stop = wish.stop.filter(|_| !again || !start_over && random.one_in(2));
            let stopped = async {
                match stop {
                    Some(time) => tokio::time::sleep(time).await,
                    None => std::future::pending().await,
                }
            };
            let error = match download.to_file_until(&target, stopped).await {
                Ok(report) => {
                    self.whole(wish, &report);
                    self.compare(wish, &target);
                    assert!(!part.exists() && !journal.exists(), "leftovers: {wish:?}");
                    fs::remove_file(&target).unwrap();
                    resumed += report.snapshot.resumed_bytes;
                    let ending = match (continuation, resumed) {
                        (0, _) => "whole",
                        (_, 0) => "whole at another try",
                        _ => "whole, continued",
                    };
                    let stopped = if stops > 0 { " after a stop" } else { "" };
                    return format!("{ending}{stopped}");
                }
                Err(error) => error,
            };
            assert!(!target.exists(), "a file that is not whole: {wish:?}");
            let left = error.unfinished().is_some();
            assert_eq!((part.exists(), journal.exists()), (left, left), "{wish:?}: {error:?}");
            start_over = *error.kind() == ErrorKind::Changed;
            last = match error.kind() {
                ErrorKind::Stopped if stop.is_some() => {
                    stops += 1;
                    "stopped".to_owned()
                }
                _ => self.failed(wish, &error),
            };
        }
        for file in [part, journal] {
            if file.exists() {
                fs::remove_file(file).unwrap();
            }
        }
        format!("{last}, again and again")
    }

    /// What a whole result says of itself.
    fn whole(&self, wish: &Wish, report: &Report) {
        let wanted = wish.range.end - wish.range.start;
        let counted = report.snapshot.bytes + report.snapshot.resumed_bytes;
        assert_eq!(counted, wanted, "{wish:?}: {report:?}");
        // Without them a range is taken for what it is: some stream.
        let bare = |fault: &Fault| matches!(fault, Fault::NoHeader(_));
        if self.met.lock().unwrap().iter().any(bare) {
            return;
        }
        assert_eq!(report.description.size, Some(wish.size), "{wish:?}");
        let verified = matches!(report.integrity, Integrity::Verified { .. });
        assert_eq!(verified, wanted == wish.size, "{wish:?}: {:?}", report.integrity);
    }

    fn compare(&self, wish: &Wish, path: &Path) {
        let mut got = Compared::new(wish);
        let mut file = File::open(path).unwrap();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer).unwrap() {
                0 => return got.is_whole(),
                read => got.take(&buffer[..read], &self.tally),
            }
        }
    }

    /// The name of a failure, if there was a fault that allows it.
    fn failed(&self, wish: &Wish, error: &Error) -> String {
        let met = self.met.lock().unwrap();
        let allowed = met.iter().any(|fault| faults::allows(fault, error.kind()));
        assert!(allowed, "{error:?} after {met:?} of {}: {wish:?}", self.function);
        let name = format!("{:?}", error.kind());
        format!("failed, {}", name.split([' ', '(']).next().unwrap_or_default())
    }
}

/// Drops what is read when its reader changes its mind.
async fn or_dropped(wish: &Wish, read: impl Future<Output = String>) -> String {
    match wish.stop {
        None => read.await,
        Some(time) => {
            tokio::time::timeout(time, read).await.unwrap_or_else(|_| "dropped".to_owned())
        }
    }
}

/// Bytes that came, compared with what they should be.
struct Compared<'a> {
    wish: &'a Wish,
    next: u64,
    expected: Vec<u8>,
}

impl<'a> Compared<'a> {
    fn new(wish: &'a Wish) -> Self {
        Self { wish, next: wish.range.start, expected: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8], tally: &Tally) {
        assert!(!bytes.is_empty(), "no bytes: {:?}", self.wish);
        self.expected.resize(bytes.len(), 0);
        pattern::fill(self.next, &mut self.expected);
        assert!(self.expected == bytes, "wrong bytes from {} on: {:?}", self.next, self.wish);
        self.next += bytes.len() as u64;
        assert!(self.next <= self.wish.range.end, "bytes too many: {:?}", self.wish);
        tally.delivered(bytes.len() as u64);
    }

    fn is_whole(&self) {
        assert_eq!(self.next, self.wish.range.end, "bytes are missing: {:?}", self.wish);
    }
}
