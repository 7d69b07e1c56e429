//! Bytes that are wanted in memory go in, from any number of downloads; permission to hold them
//! comes out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes held for a reader who wants them in order: twelve segments of the default size.
pub const DEFAULT_MEMORY_LIMIT: usize = 64 * 1024 * 1024;

/// What part of a container's memory a budget takes by default: the rest is for whoever uses what
/// is fetched.
const SHARE: u64 = 4;

/// How many bytes all downloads that share it hold for their readers.
///
/// Clones are the same budget. A segment is started only when all of it fits, but the one that a
/// reader waits for is always started: so no download waits for the reader of another one, and memory
/// is at most the limit and one segment for each download.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    limit: usize,
    free: Arc<Semaphore>,
}

impl MemoryBudget {
    /// A budget of so many bytes, from 1 to 4 GiB.
    pub fn of(bytes: usize) -> Self {
        let most = Semaphore::MAX_PERMITS.min(u32::MAX as usize);
        let limit = bytes.clamp(1, most);
        Self { limit, free: Arc::new(Semaphore::new(limit)) }
    }

    /// [`DEFAULT_MEMORY_LIMIT`], or a quarter of the memory that this process's container may use
    /// (cgroup v1 or v2, as Linux tells it), whichever is less.
    pub fn of_this_process() -> Self {
        Self::of(share_of(container_limit(
            Path::new("/proc/self/cgroup"),
            Path::new("/sys/fs/cgroup"),
        )))
    }

    /// The limit, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What of it is not held now, in bytes.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Waits until `bytes`, which must not be more than the limit, may be held.
    pub(crate) async fn hold(&self, bytes: u32) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.free).acquire_many_owned(bytes).await.ok()
    }
}

fn share_of(container: Option<u64>) -> usize {
    let share = container.map_or(u64::MAX, |limit| limit / SHARE);
    DEFAULT_MEMORY_LIMIT.min(usize::try_from(share).unwrap_or(usize::MAX))
}

/// The least limit on the way from the root of the hierarchy to this process's group.
fn container_limit(own_groups: &Path, root: &Path) -> Option<u64> {
    let groups = std::fs::read_to_string(own_groups).unwrap_or_default();
    let mut least: Option<u64> = None;
    for line in groups.lines() {
        // `0::/path` of version 2, `7:memory,...:/path` of version 1.
        let mut fields = line.splitn(3, ':');
        let (_, controllers, Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let (base, file) = match controllers {
            Some("") => (root.to_owned(), "memory.max"),
            Some(names) if names.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // In a container the path may be that of the host: then its own group is the root.
        let mut folder: PathBuf = base.join(path.trim_start_matches('/'));
        loop {
            let limit = std::fs::read_to_string(folder.join(file)).ok();
            if let Some(limit) = limit.and_then(|text| text.trim().parse().ok()) {
                least = Some(least.map_or(limit, |least| least.min(limit)));
            }
            if folder == base || !folder.pop() {
                break;
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_container_gives_a_quarter() {
        assert_eq!(share_of(None), DEFAULT_MEMORY_LIMIT);
        assert_eq!(share_of(Some(u64::MAX)), DEFAULT_MEMORY_LIMIT);
        assert_eq!(share_of(Some(128 << 20)), 32 << 20);
    }

    #[test]
    fn the_least_limit_on_the_way_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let groups = folder.path().join("groups");
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        std::fs::write(&groups, "0::/a/b\n").unwrap();
        assert_eq!(container_limit(&groups, &root), None);
        write("a/b/memory.max", "max\n");
        write("a/memory.max", "1000\n");
        write("memory.max", "5000\n");
        assert_eq!(container_limit(&groups, &root), Some(1000));
        // A path of the host: the root is the container's own group.
        std::fs::write(&groups, "0::/docker/abc\n").unwrap();
        assert_eq!(container_limit(&groups, &root), Some(5000));
        std::fs::write(&groups, "7:memory,cpu:/x\n1:name=systemd:/\n").unwrap();
        write("memory/x/memory.limit_in_bytes", "700\n");
        assert_eq!(container_limit(&groups, &root), Some(700));
        assert_eq!(container_limit(&folder.path().join("none"), &root), None);
    }

    #[tokio::test]
    async fn clones_are_one_budget() {
        let budget = MemoryBudget::of(10);
        let held = budget.clone().hold(6).await.unwrap();
        assert_eq!((budget.limit(), budget.free()), (10, 4));
        drop(held);
        assert_eq!(budget.free(), 10);
    }
}
