//! What was found goes in, and the sums of the bytes that were fetched; the verdict comes out.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::discovery::Found;
use super::file_writer::differs;
use super::{Integrity, Report};
use crate::checksum::{self, Checksum};
use crate::description::Description;
use crate::error::Error;
use crate::segment::Asking;

/// What the sums of a result are compared with at the end.
pub(super) struct Check {
    asking: Arc<Asking>,
    description: Description,
    /// Whether the sum of the whole object is that of the wanted bytes.
    whole: bool,
    /// Whether the bytes came in an encoding, and are not in it any more.
    decoded: bool,
    /// What the caller says the bytes are.
    expected: Option<Checksum>,
}

impl Check {
    pub(super) fn of(found: &Found, asking: &Arc<Asking>, expected: Option<Checksum>) -> Self {
        let (description, wanted, resumed) = match found {
            Found::Object(object) => {
                let wanted = object.wanted.end - object.wanted.start;
                (object.description.clone(), Some(wanted), object.there.bytes())
            }
            Found::Plain(stream) => {
                let (head, len) = (stream.head(), stream.promised_len());
                let told = Description::of(head, stream.executed_version(), len, false);
                (told, len, 0)
            }
        };
        if let Some(wanted) = wanted {
            asking.progress.wants(wanted);
        }
        asking.progress.resumes(resumed);
        asking.progress.describe(description.clone());
        let partial = matches!(found, Found::Plain(stream)
            if stream.head().is_some_and(|head| head.status == 206));
        let whole = !partial && wanted == description.size;
        // Then the sum that its head promises is of what comes, and is compared there.
        let decoded = matches!(found, Found::Plain(stream) if stream.is_decoded());
        if let Some(sum) = description.checksum.as_deref().and_then(checksum::parse)
            && !decoded
        {
            asking.set_object_sum(sum);
        }
        Self { asking: Arc::clone(asking), description, whole, decoded, expected }
    }

    pub(super) fn description(&self) -> &Description {
        &self.description
    }

    /// Compares `sum`, the CRC-64/NVME of all bytes, with what the function and the caller say.
    pub(super) fn crc(&self, sum: u64) -> Result<Integrity, Error> {
        let by_function = self.asking.object_sum().filter(|_| self.whole);
        let by_caller = match self.expected {
            Some(Checksum::Crc64Nvme(sum)) => Some(sum),
            _ => None,
        };
        for expected in [by_function, by_caller].into_iter().flatten() {
            if expected != sum {
                return Err(differs(Checksum::Crc64Nvme(sum), Checksum::Crc64Nvme(expected)));
            }
        }
        let crc = by_function.or(by_caller).is_some();
        Ok(match (crc, self.sha256().is_some()) {
            (true, true) => Integrity::Verified { algorithm: "SHA-256 and CRC-64/NVME" },
            (false, true) => Integrity::Verified { algorithm: "SHA-256" },
            (true, false) => Integrity::Verified { algorithm: checksum::ALGORITHM },
            (false, false) if self.asking.object_sum().is_some() => {
                Integrity::NotVerified { reason: "only a range of the object was fetched" }
            }
            (false, false) if self.decoded && self.description.checksum.is_some() => {
                Integrity::Verified { algorithm: "CRC-64/NVME of the encoded bytes" }
            }
            (false, false) => Integrity::NotVerified { reason: "the function gave no checksum" },
        })
    }

    /// What the caller says that the SHA-256 of all bytes is.
    pub(super) fn sha256(&self) -> Option<[u8; 32]> {
        match self.expected {
            Some(Checksum::Sha256(sum)) => Some(sum),
            _ => None,
        }
    }

    /// Compares the SHA-256 of bytes that came in order.
    pub(super) fn compare_sha256(&self, found: Option<Sha256>) -> Result<(), Error> {
        let (Some(expected), Some(found)) = (self.sha256(), found) else { return Ok(()) };
        let found: [u8; 32] = found.finalize().into();
        match found == expected {
            true => Ok(()),
            false => Err(differs(Checksum::Sha256(found), Checksum::Sha256(expected))),
        }
    }

    /// What was done, with `sum` for the CRC-64/NVME of all bytes.
    pub(super) fn report(&self, integrity: Integrity, sum: u64) -> Report {
        let description = self.description.clone();
        let snapshot = self.asking.progress.snapshot();
        Report { description, integrity, crc64nvme: Checksum::Crc64Nvme(sum), snapshot }
    }
}
