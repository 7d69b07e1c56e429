//! Bytes with proof of their place: they are only given to a caller who names the version and the
//! offset they belong to.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, ErrorKind};

/// What identifies the bytes of an object: two answers with the same version have the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// The strong ETag, with its quotes.
    pub(crate) etag: String,
    /// The size of the object, in bytes.
    pub(crate) size: u64,
    /// The version of the function, where it has a number that can be asked for again.
    pub(crate) executed: Option<String>,
}

/// Some bytes of one version of an object.
pub(crate) struct Piece {
    version: Arc<Version>,
    offset: u64,
    bytes: Bytes,
}

impl Piece {
    /// Only a segment makes pieces: it has checked what it was answered.
    pub(crate) fn new(version: Arc<Version>, offset: u64, bytes: Bytes) -> Self {
        Self { version, offset, bytes }
    }

    /// The same piece in memory of its own, no larger than it is. A slice keeps the whole read of
    /// the socket that it came in, which may be several times its length.
    pub(crate) fn compact(self) -> Self {
        Self { bytes: Bytes::copy_from_slice(&self.bytes), ..self }
    }

    /// The bytes, for a caller who expects `version` at `offset`.
    pub(crate) fn into_bytes(self, version: &Arc<Version>, offset: u64) -> Result<Bytes, Error> {
        let same = Arc::ptr_eq(&self.version, version) || self.version == *version;
        if same && self.offset == offset {
            return Ok(self.bytes);
        }
        let message = format!(
            "bytes at offset {} of version {} came where offset {offset} of version {} was due",
            self.offset, self.version.etag, version.etag
        );
        Err(Error::new(ErrorKind::Inconsistent, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_given_only_for_their_own_place() {
        let version =
            |etag: &str| Arc::new(Version { etag: etag.to_owned(), size: 9, executed: None });
        let piece = || Piece::new(version("\"a\""), 5, Bytes::from_static(b"data"));
        assert_eq!(piece().into_bytes(&version("\"a\""), 5).unwrap(), "data");
        for (etag, offset) in [("\"b\"", 5), ("\"a\"", 4)] {
            let error = piece().into_bytes(&version(etag), offset).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Inconsistent);
        }
    }
}
