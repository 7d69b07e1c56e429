//! The encoded slices of a body go in, as they come; the bytes they stand for come out, and an error if
//! they are not whole.

use bytes::Bytes;

use crate::checksum::{self, Checksum, Sum};
use crate::content_encoding::{Decoder, Encoding};
use crate::error::{Error, ErrorKind};
use crate::head::Head;

/// The encoded side of a decoded body.
pub(super) struct Decoding {
    decoder: Decoder,
    /// What is not decoded yet of the slice that came last.
    slice: Bytes,
    /// CRC-64/NVME as the head promises it, which is of the encoded bytes as the length is, and of those
    /// that came.
    promised: Option<(u64, Sum)>,
}

impl Decoding {
    pub(super) fn new(encoding: Encoding, head: Option<&Head>) -> Self {
        let promised =
            head.and_then(|head| head.header(checksum::HEADER)).and_then(checksum::parse);
        let promised = promised.map(|sum| (sum, Sum::default()));
        Self { decoder: Decoder::new(encoding), slice: Bytes::new(), promised }
    }

    /// The next decoded bytes; `None` if more has to be pushed.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.decoder.next(&mut self.slice)
    }

    /// Called when [`next`](Self::next) has nothing more.
    pub(super) fn push(&mut self, slice: Bytes) {
        if let Some((_, sum)) = &mut self.promised {
            sum.update(&slice);
        }
        self.slice = slice;
    }

    /// All was pushed.
    pub(super) fn end(&self) -> Result<(), Error> {
        self.decoder.end()?;
        match &self.promised {
            Some((promised, sum)) if *promised != sum.value() => {
                let (came, promised) =
                    (Checksum::Crc64Nvme(sum.value()), Checksum::Crc64Nvme(*promised));
                let message =
                    format!("the encoded result has {came}, its head promised {promised}");
                Err(Error::new(ErrorKind::Corrupt, message))
            }
            _ => Ok(()),
        }
    }
}
