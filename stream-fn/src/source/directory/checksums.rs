//! The path of a file and its state come in; its CRC-64/NVME goes out: at once if it is known or costs
//! little, later if it costs much.
//!
//! What a sum may cost:
//!
//! * It is looked up, in this process and where sums are kept, for every answer.
//! * It is computed before the answer only if the answer begins at the object's first byte (the first
//!   that a caller asks, see `docs/contract.md`) and the file has at most [`AT_ONCE_MAX_BYTES`].
//! * For a larger file such an answer goes without it, and a computation is started that reads the file
//!   once, beside whatever else is done. There is never more than one of these in a process.
//!
//! So of many processes that serve the ranges of one object, one computes.

mod kept;
mod sum;

use super::State;
use kept::Kept;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::task::{JoinHandle, spawn_blocking};

/// The largest file whose sum an answer waits for, in bytes: 32 segments of 5 MiB, which is what a
/// caller asks for side by side (the invoker's defaults). They may all be answered by other processes
/// than the first one was; of a larger file more is asked when the sum is known. It takes 10 ms from
/// memory, at the 17 GB/s that were measured; from a network file system with 100 MB/s, 1.7 s, once.
const AT_ONCE_MAX_BYTES: u64 = 160 << 20;

/// How many sums are remembered at most: with paths of 100 bytes less than 1 MB.
const KNOWN_MAX: usize = 4096;

/// How long ago a file must have been changed for its sum to be remembered. A file that is changed
/// again within one tick of its file system's clock, and keeps its size, has two contents and one
/// state. Linux ticks at least every 10 ms (`CONFIG_HZ`).
const SETTLED: Duration = Duration::from_millis(100);

/// The same for a time in whole seconds, which some file systems have: two of them on FAT.
const SETTLED_COARSE: Duration = Duration::from_secs(2);

/// The sums of the files below one directory.
pub(super) struct Checksums {
    known: Arc<Known>,
    at_once_max_bytes: u64,
    /// One file is summed before its answer at a time: who waits finds the sum known, maybe.
    at_once: tokio::sync::Mutex<()>,
    behind: Mutex<Option<Behind>>,
}

impl Checksums {
    /// None is remembered yet, but those that were `kept` in that folder, where new ones go too. `now`
    /// is the clock that the times of the files are compared with.
    pub(super) fn new(root: Arc<Path>, kept: Option<PathBuf>, now: fn() -> SystemTime) -> Self {
        let known = Known { root, now, sums: Mutex::default(), kept: kept.map(Kept::new) };
        Self {
            known: Arc::new(known),
            at_once_max_bytes: AT_ONCE_MAX_BYTES,
            at_once: tokio::sync::Mutex::default(),
            behind: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn at_once_up_to(mut self, bytes: u64) -> Self {
        self.at_once_max_bytes = bytes;
        self
    }

    /// The sum, if it is known. Blocks: it may be a file.
    pub(super) fn known(&self, path: &Path, state: State) -> Option<u64> {
        self.known.find(path, state)
    }

    /// The sum, if it is known by now or can be at once; if it cannot, it is looked for.
    ///
    /// # Cancel safety
    ///
    /// What is being computed goes on to its end, and its result is remembered or not.
    pub(super) async fn wanted(&self, path: PathBuf, state: State) -> Option<u64> {
        // Without a time no change would be seen.
        state.modified?;
        if state.size > self.at_once_max_bytes {
            let known = self.known.remembered(&path, state);
            if known.is_none() {
                self.look_behind(path, state);
            }
            return known;
        }
        let _one_at_a_time = self.at_once.lock().await;
        if let Some(sum) = self.known.remembered(&path, state) {
            return Some(sum);
        }
        let known = Arc::clone(&self.known);
        let never = AtomicBool::new(false);
        spawn_blocking(move || known.compute(&path, state, &never)).await.ok()?
    }

    /// Starts a computation, unless one is under way.
    fn look_behind(&self, path: PathBuf, state: State) {
        let wait = self.known.unsettled_for(state);
        if wait > SETTLED_COARSE {
            return; // changed in the future: a wait for it would keep all others out
        }
        let mut behind = unpoisoned(&self.behind);
        if behind.as_ref().is_none_or(|behind| behind.task.is_finished()) {
            *behind = Some(Behind::start(Arc::clone(&self.known), wait, path, state));
        }
    }

    /// Waits until nothing is being computed behind the answers.
    #[cfg(test)]
    pub(super) async fn caught_up(&self) {
        let behind = unpoisoned(&self.behind).take();
        if let Some(mut behind) = behind {
            (&mut behind.task).await.unwrap();
        }
    }
}

impl fmt::Debug for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checksums").field("kept", &self.known.kept).finish_non_exhaustive()
    }
}

/// A computation that no answer waits for. It ends with its owner.
struct Behind {
    task: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

impl Behind {
    fn start(known: Arc<Known>, wait: Duration, path: PathBuf, state: State) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            // Sooner it could not be remembered, and would have been computed for nothing.
            tokio::time::sleep(wait).await;
            // A panic of it has been printed; the sum is not known then.
            let _ended = spawn_blocking(move || known.compute(&path, state, &stopped)).await;
        });
        Self { task, stop }
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

/// The sums that are known.
struct Known {
    root: Arc<Path>,
    now: fn() -> SystemTime,
    sums: Mutex<HashMap<PathBuf, (State, u64)>>,
    kept: Option<Kept>,
}

impl Known {
    fn remembered(&self, path: &Path, state: State) -> Option<u64> {
        let sums = unpoisoned(&self.sums);
        sums.get(path).filter(|(of, _)| *of == state).map(|(_, sum)| *sum)
    }

    fn find(&self, path: &Path, state: State) -> Option<u64> {
        self.remembered(path, state).or_else(|| {
            let sum = self.kept.as_ref()?.find(self.below(path)?, &state.version())?;
            self.remember(path, state, sum);
            Some(sum)
        })
    }

    fn compute(&self, path: &Path, state: State, stop: &AtomicBool) -> Option<u64> {
        // Before the first byte is read: later ones are the same or have another state.
        let settled = self.unsettled_for(state).is_zero();
        let sum = match sum::of(path, state, stop) {
            Ok(sum) => sum?,
            Err(error) => {
                tracing::warn!(%error, "a file cannot be summed");
                return None;
            }
        };
        if settled {
            self.remember(path, state, sum);
            if let (Some(kept), Some(path)) = (&self.kept, self.below(path)) {
                // A folder that cannot be written may have been filled by somebody else.
                if let Err(error) = kept.keep(path, &state.version(), sum) {
                    tracing::debug!(%error, "a sum cannot be kept");
                }
            }
        }
        Some(sum)
    }

    fn remember(&self, path: &Path, state: State, sum: u64) {
        let mut sums = unpoisoned(&self.sums);
        if sums.len() >= KNOWN_MAX && !sums.contains_key(path) {
            // Whichever: it can be computed again.
            if let Some(one) = sums.keys().next().cloned() {
                sums.remove(&one);
            }
        }
        sums.insert(path.to_owned(), (state, sum));
    }

    /// How long from now until a change of the file must change its state. Without a time it need
    /// never.
    fn unsettled_for(&self, state: State) -> Duration {
        let Some(modified) = state.modified else { return Duration::MAX };
        let coarse = modified
            .duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|since| since.subsec_nanos() == 0);
        let wanted = if coarse { SETTLED_COARSE } else { SETTLED };
        // A time in the future is one of another clock, and may stand still.
        match (self.now)().duration_since(modified) {
            Ok(age) => wanted.saturating_sub(age),
            Err(ahead) => wanted.saturating_add(ahead.duration()),
        }
    }

    fn below<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.strip_prefix(&self.root).ok()
    }
}

/// What these locks guard is whole at every moment.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
