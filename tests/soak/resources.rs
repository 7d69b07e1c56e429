//! This process comes in; its memory, descriptors, children and tasks come out, as Linux and the
//! runtime count them.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Bytes of a page, on every system that the tests run on.
const PAGE_BYTES: u64 = 4096;
/// How long what ends may take to be gone. Never reached unless something is left.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a process must give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) tasks: usize,
    pub(crate) descriptors: usize,
    pub(crate) children: usize,
}

impl Held {
    pub(crate) fn now() -> Self {
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        Self { tasks, descriptors: descriptors(), children: children() }
    }

    /// What is held once nothing more than this is, or after all patience.
    pub(crate) async fn come_down_to(limit: Self) -> Self {
        let start = Instant::now();
        loop {
            let now = Self::now();
            let down = now.tasks <= limit.tasks
                && now.descriptors <= limit.descriptors
                && now.children <= limit.children;
            if down || start.elapsed() > PATIENCE {
                return now;
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// What is resident, in bytes; 0 where the system does not say.
pub(crate) fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Processes whose parent this one is, those that nobody has waited for among them.
pub(crate) fn children() -> usize {
    let own = std::process::id();
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    processes
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        // "PID (NAME) STATE PARENT ...", and a name may have anything in it.
        .filter_map(|stat| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok())
        .filter(|parent| *parent == own)
        .count()
}
