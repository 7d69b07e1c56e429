//! Where an issuer's keys are comes in; the keys as they are now go out, read again when their file has
//! changed and when a token names a key that is not there, and not more often than every few seconds.
//!
//! This is all that the engine reads after its start. A file that cannot be read any more, or has no usable
//! keys, leaves those of before: half a rotation should not lock everybody out.

use crate::error::{Error, ErrorKind};
use crate::key_set::{KeySet, LONGEST};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};
use std::time::{Duration, SystemTime};

/// How long a file is not looked at again, whatever strangers send. A guess: short beside the minutes that
/// issuers announce a new key before they sign with it.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct KeySource {
    file: Option<PathBuf>,
    current: RwLock<Arc<KeySet>>,
    looks: Mutex<Looks>,
}

#[derive(Default)]
struct Looks {
    state: Option<FileState>,
    changed: Option<SystemTime>,
    missed: Option<SystemTime>,
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileState {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl KeySource {
    /// Keys that stay as they are.
    pub(crate) fn fixed(text: &str) -> Result<Self, Error> {
        Ok(Self::of(None, KeySet::parse(text.as_bytes())?, None))
    }

    /// Keys in a file, which has to be good now.
    pub(crate) fn file(path: &Path) -> Result<Self, Error> {
        let (state, text) = read(path).map_err(|error| {
            let words = format!("{} cannot be read: {error}", path.display());
            Error::new(ErrorKind::Keys, words)
        })?;
        let keys = KeySet::parse(&text)
            .map_err(|error| Error::new(ErrorKind::Keys, format!("{}: {error}", path.display())))?;
        Ok(Self::of(Some(path.to_owned()), keys, Some(state)))
    }

    fn of(file: Option<PathBuf>, keys: KeySet, state: Option<FileState>) -> Self {
        let looks = Mutex::new(Looks { state, ..Looks::default() });
        Self { file, current: RwLock::new(Arc::new(keys)), looks }
    }

    /// The keys, after a look at the file if the last one is long ago.
    pub(crate) fn keys(&self, now: SystemTime) -> Arc<KeySet> {
        self.look(now, false);
        self.current()
    }

    /// The keys, after those there were did not have what a token named.
    pub(crate) fn keys_after_a_miss(&self, now: SystemTime) -> Arc<KeySet> {
        self.look(now, true);
        self.current()
    }

    fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One at a time: who comes while another looks goes on with the keys there are.
    fn look(&self, now: SystemTime, missed: bool) {
        let Some(file) = &self.file else { return };
        let mut looks = match self.looks.try_lock() {
            Ok(looks) => looks,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let last = if missed { &mut looks.missed } else { &mut looks.changed };
        // A clock that was set back counts as a long time.
        let recent = |at: SystemTime| now.duration_since(at).is_ok_and(|since| since < LOOK_EVERY);
        if last.is_some_and(recent) {
            return;
        }
        *last = Some(now);
        if !missed && state(file).ok() == looks.state {
            return;
        }
        let read = read(file).map_err(|error| error.to_string()).and_then(|(state, text)| {
            looks.state = Some(state);
            KeySet::parse(&text).map_err(|error| error.to_string())
        });
        match read {
            Ok(keys) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(keys);
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), error, "the keys of before are kept");
            }
        }
    }
}

fn state(path: &Path) -> io::Result<FileState> {
    let metadata = std::fs::metadata(path)?;
    Ok(FileState { modified: metadata.modified().ok(), bytes: metadata.len() })
}

/// The state from before the text: what is written between the two is seen at the next look.
fn read(path: &Path) -> io::Result<(FileState, Vec<u8>)> {
    let state = state(path)?;
    let mut text = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        let words = format!("it is longer than {LONGEST} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, words));
    }
    Ok((state, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_set::Found;
    use jsonwebtoken::Algorithm;

    /// Of RFC 8037, appendix A.2, by another name each time.
    fn jwks(id: &str) -> String {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"{x}"}}]}}"#)
    }

    fn has(keys: &KeySet, id: &str) -> bool {
        matches!(keys.find(Some(id), Algorithm::EdDSA), Found::Key(_))
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn a_file_that_changed_is_read_again_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, jwks("a")).unwrap();
        let source = KeySource::file(&path).unwrap();
        assert!(has(&source.keys(at(0)), "a"));
        std::fs::write(&path, jwks("another")).unwrap();
        assert!(has(&source.keys(at(4)), "a"), "it was looked at 4 s ago");
        assert!(has(&source.keys(at(5)), "another"));
    }

    #[test]
    fn a_miss_reads_it_even_if_it_looks_as_before_and_not_too_often() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, jwks("a")).unwrap();
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        let write_unseen = |id: &str| {
            std::fs::write(&path, jwks(id)).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        };
        let source = KeySource::file(&path).unwrap();
        write_unseen("b");
        assert!(has(&source.keys(at(10)), "a"), "as long and as old as before");
        assert!(has(&source.keys_after_a_miss(at(10)), "b"));
        write_unseen("c");
        assert!(has(&source.keys_after_a_miss(at(14)), "b"), "it was read 4 s ago");
        assert!(has(&source.keys_after_a_miss(at(15)), "c"));
        write_unseen("d");
        assert!(has(&source.keys_after_a_miss(at(3)), "d"), "the clock was set back");
    }

    #[test]
    fn what_cannot_be_read_any_more_leaves_the_keys_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, jwks("a")).unwrap();
        let source = KeySource::file(&path).unwrap();
        std::fs::write(&path, "{").unwrap();
        assert!(has(&source.keys(at(10)), "a"));
        std::fs::remove_file(&path).unwrap();
        assert!(has(&source.keys_after_a_miss(at(20)), "a"));
        std::fs::write(&path, jwks("other")).unwrap();
        assert!(has(&source.keys(at(30)), "other"));
    }

    #[test]
    fn at_the_start_it_has_to_be_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        let words = |path: &Path| KeySource::file(path).err().unwrap().to_string();
        assert!(words(&path).contains("jwks.json cannot be read"));
        std::fs::write(&path, "{}").unwrap();
        assert!(words(&path).contains("jwks.json: the keys are no JWKS"));
        std::fs::write(&path, vec![b' '; LONGEST as usize + 1]).unwrap();
        assert!(words(&path).contains("longer than"));
    }
}
