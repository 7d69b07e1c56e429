//! Sums come in and are there again for the next process, as files of a directory that may be shared.
//!
//! The sum of the object `a/b.bin` in the version `"file-64-18a0"` is the file
//! `a/b.bin.file-64-18a0.crc64nvme`, which has in it what the header `x-amz-checksum-crc64nvme` has, and
//! a line feed. The version is in the name, so a sum is never taken for that of another version, and
//! whoever writes a file of a given name writes the same bytes into it: no lock is needed, and what
//! somebody has written only half is no sum.

use crate::version::Version;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What is read of a file at most, in bytes: more than a sum has (12 characters and a line feed).
const READ_MAX_BYTES: u64 = 64;

#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
}

impl Kept {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Blocks. The path is relative, and nothing but plain segments.
    pub(super) fn find(&self, path: &Path, version: &Version) -> Option<u64> {
        let mut text = String::new();
        let file = File::open(self.place(path, version)).ok()?;
        file.take(READ_MAX_BYTES).read_to_string(&mut text).ok()?;
        // Without its line feed it may have been cut off anywhere.
        let sum = STANDARD.decode(text.strip_suffix('\n')?.trim_ascii_end()).ok()?;
        Some(u64::from_be_bytes(sum.try_into().ok()?))
    }

    /// Blocks.
    pub(super) fn keep(&self, path: &Path, version: &Version, sum: u64) -> io::Result<()> {
        let place = self.place(path, version);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(place, format!("{}\n", STANDARD.encode(sum.to_be_bytes())))
    }

    fn place(&self, path: &Path, version: &Version) -> PathBuf {
        let mut place = self.folder.join(path).into_os_string();
        place.push(format!(".{}.crc64nvme", version.as_etag().trim_matches('"')));
        place.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_and_what_is_no_sum_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path().to_owned());
        let (path, version) = (Path::new("dir/a.bin"), Version::new("file-3-ff").unwrap());
        assert_eq!(kept.find(path, &version), None);
        // The check value of the catalogue, and how S3 writes it.
        kept.keep(path, &version, 0xae8b_1486_0a79_9888).unwrap();
        let place = folder.path().join("dir/a.bin.file-3-ff.crc64nvme");
        assert_eq!(fs::read_to_string(&place).unwrap(), "rosUhgp5mIg=\n");
        assert_eq!(kept.find(path, &version), Some(0xae8b_1486_0a79_9888));
        assert_eq!(kept.find(path, &Version::new("file-3-fe").unwrap()), None);
        assert_eq!(kept.find(Path::new("dir/a"), &version), None);
        fs::write(&place, "rosUhgp5mIg=\r\n").unwrap();
        assert_eq!(kept.find(path, &version), Some(0xae8b_1486_0a79_9888));
        for torn in ["", "\n", "rosUhgp5mIg=", "rosUhgp5mIg", "rosUhgp5\n", "rosUhgp5mIgA\n", "?\n"]
        {
            fs::write(&place, torn).unwrap();
            assert_eq!(kept.find(path, &version), None, "{torn:?}");
        }
        fs::write(&place, "A".repeat(100) + "\n").unwrap();
        assert_eq!(kept.find(path, &version), None);
        // Where a folder is in the way nothing is kept, and nothing is lost.
        assert!(kept.keep(Path::new("dir/a.bin.file-3-ff.crc64nvme/b"), &version, 1).is_err());
    }
}
