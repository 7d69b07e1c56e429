//! The names of files come in; word that what is in them has changed goes out, once they are at rest.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// How long a folder is at rest before its files are read: an editor writes in several steps.
const REST: Duration = Duration::from_millis(200);

/// How many rests are waited for in a folder that never is: five seconds.
const RESTS: usize = 25;

/// Files, and their folders: what is renamed over a file, or linked in its place, is seen there.
pub(super) struct Watch {
    files: Vec<PathBuf>,
    stirred: Arc<Notify>,
    /// Of what was in the files.
    seen: u64,
    /// Says nothing any more when it is dropped.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// What is in the files now is what they are compared with.
    pub(super) fn new(files: Vec<PathBuf>) -> notify::Result<Self> {
        let seen = content(&files);
        let stirred = Arc::new(Notify::new());
        let stir = Arc::clone(&stirred);
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // Reading is an event as well, and is what is done here.
                if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                    stir.notify_one();
                }
            })?;
        for folder in folders(&files) {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        // What changed between the look and the watch.
        stirred.notify_one();
        Ok(Self { files, stirred, seen, _watcher: watcher })
    }

    /// Whether these are the files.
    pub(super) fn is_of(&self, files: &[PathBuf]) -> bool {
        self.files == files
    }

    /// Waits until the files have other bytes than before. Cancel safe: a change is told by the next call.
    pub(super) async fn changed(&mut self) {
        loop {
            self.stirred.notified().await;
            for _ in 0..RESTS {
                if tokio::time::timeout(REST, self.stirred.notified()).await.is_err() {
                    break;
                }
            }
            let now = content(&self.files);
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

/// Of the files, and of what they are links to.
fn folders(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let real = files.iter().filter_map(|file| file.canonicalize().ok());
    let files = files.iter().cloned().chain(real);
    let folder = |file: PathBuf| match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => ".".into(),
    };
    files.map(folder).filter(|folder| folder.is_dir()).collect()
}

/// A sum of all their bytes; a file that is not there counts as such.
fn content(files: &[PathBuf]) -> u64 {
    let mut sum = DefaultHasher::new();
    for file in files {
        std::fs::read(file).ok().hash(&mut sum);
    }
    sum.finish()
}
