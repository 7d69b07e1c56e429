//! Bytes with proof of their place: they are only given to a caller who names the version and the
//! offset they belong to.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// What identifies the bytes of an object: two answers with the same version have the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Consecutive pieces that wait together, in memory of their own. A slice would keep the whole read
/// of the socket that it came in, and a piece of a few bytes costs many times that to keep.
pub(crate) struct Gathered {
    version: Arc<Version>,
    offset: u64,
    bytes: BytesMut,
}

impl Gathered {
    /// From here on a gathered piece is large enough to wait by itself, in bytes.
    const ENOUGH: usize = 16 * 1024;

    pub(crate) fn from(piece: Piece) -> Self {
        let mut bytes = BytesMut::with_capacity(piece.bytes.len().max(Self::ENOUGH));
        bytes.extend_from_slice(&piece.bytes);
        Self { version: piece.version, offset: piece.offset, bytes }
    }

    /// Takes the piece that follows.
    pub(crate) fn add(&mut self, piece: Piece) -> Result<(), Error> {
        let end = self.offset + self.bytes.len() as u64;
        self.bytes.extend_from_slice(&piece.into_bytes(&self.version, end)?);
        Ok(())
    }

    pub(crate) fn is_enough(&self) -> bool {
        self.bytes.len() >= Self::ENOUGH
    }

    pub(crate) fn into_piece(self) -> Piece {
        Piece::new(self.version, self.offset, self.bytes.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_follows_is_gathered() {
        let version = Arc::new(Version { etag: "\"a\"".to_owned(), size: 9, executed: None });
        let piece = |offset, bytes: &'static [u8]| {
            Piece::new(Arc::clone(&version), offset, Bytes::from_static(bytes))
        };
        let mut gathered = Gathered::from(piece(3, b"ab"));
        gathered.add(piece(5, b"c")).unwrap();
        assert!(gathered.add(piece(7, b"e")).is_err());
        assert_eq!(gathered.into_piece().into_bytes(&version, 3).unwrap(), "abc");
    }

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
