//! The path of a file and its state come in; the CRC-64/NVME of all bytes of that state goes out, or
//! nothing, if they are not there (any more).

use super::super::State;
use crc_fast::{CrcAlgorithm::Crc64Nvme, Digest};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many bytes are read at a time: few enough to be in the processor's cache still when they are
/// summed. Measured on files in the page cache: 64 KiB cost a tenth more, 256 KiB and above the same.
const READ_BYTES: usize = 128 * 1024;

/// Blocks until all is read, or until the end of the read during which `stop` was set.
///
/// The file is opened anew, because the reading of another handle's clone would move the cursor of
/// both. What is open then may be another file of the same name: its state decides, before and after.
pub(super) fn of(path: &Path, state: State, stop: &AtomicBool) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    if State::of(&file.metadata()?) != state {
        return Ok(None);
    }
    let mut digest = Digest::new(Crc64Nvme);
    let mut bytes = vec![0; READ_BYTES];
    let mut summed = 0;
    while summed <= state.size && !stop.load(Ordering::Relaxed) {
        match file.read(&mut bytes) {
            Ok(0) => {
                let same = summed == state.size && State::of(&file.metadata()?) == state;
                return Ok(same.then(|| digest.finalize()));
            }
            Ok(read) => {
                digest.update(&bytes[..read]);
                summed += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_the_bytes_of_that_state_have_a_sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let go_on = AtomicBool::new(false);
        for length in [0, 1, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES + 7] {
            let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            let state = State::of(&fs::metadata(&path).unwrap());
            let wanted = crc_fast::checksum(Crc64Nvme, &bytes);
            assert_eq!(of(&path, state, &go_on).unwrap(), Some(wanted), "{length}");
            for other in [
                State { size: state.size + 1, ..state },
                State { modified: Some(std::time::UNIX_EPOCH), ..state },
            ] {
                assert_eq!(of(&path, other, &go_on).unwrap(), None, "{length}");
            }
            assert_eq!(of(&path, state, &AtomicBool::new(true)).unwrap(), None, "{length}");
        }
        assert!(
            of(&folder.path().join("missing"), State { size: 0, modified: None }, &go_on).is_err()
        );
    }
}
