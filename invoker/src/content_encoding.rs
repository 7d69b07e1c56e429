//! A head goes in; the encoding of the body behind it comes out. Encoded bytes go in, cut anywhere; the
//! bytes they stand for come out, a bounded number at a time, and whether their encoding ended where
//! they did. Pure.

use async_compression::codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};
use async_compression::core::util::{PartialBuffer, WriteBuffer};
use async_compression::zstd::DParameter;
use bytes::{Buf, Bytes};

use crate::error::{Error, ErrorKind, quotable};
use crate::head::Head;

/// The encodings that are read, as a caller asks for them. The order says nothing: which of those
/// accepted alike it uses is the function's choice.
pub(crate) const ACCEPTED: &str = "zstd, br, gzip";

/// The name of that wish in a client context.
pub(crate) const ACCEPT: &str = "accept-encoding";

/// How many bytes are decoded at a time. As much as a frame of most functions; a few encoded bytes may
/// stand for gigabytes.
const ROOM_BYTES: usize = 64 * 1024;

/// The binary logarithm of the largest window of zstd: 8 MiB, more than which a content-encoding may
/// not ask for (RFC 9659, section 3). The others have 16 MiB (brotli) and 32 KiB (gzip) by design.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Encoding {
    /// `None` if the body is not encoded; an error if nobody here can read it.
    pub(crate) fn of(head: &Head) -> Result<Option<Self>, Error> {
        let Some(named) = name(head) else { return Ok(None) };
        Ok(Some(match named.as_str() {
            "zstd" => Self::Zstd,
            "br" => Self::Brotli,
            // Its old name (RFC 9110, section 8.4.1.3).
            "gzip" | "x-gzip" => Self::Gzip,
            other => {
                let message = format!(
                    "the result is encoded with {}, of which only {ACCEPTED} can be decoded: \
                     fetch it without compression to have it as it comes",
                    quotable(other)
                );
                return Err(Error::new(ErrorKind::Inconsistent, message));
            }
        }))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// What a head says of encodings, the first one first; `None` if there are none.
pub(crate) fn name(head: &Head) -> Option<String> {
    let values = head.headers.iter().filter(|(name, _)| name == "content-encoding");
    let named: Vec<_> = values
        .flat_map(|(_, value)| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// Decodes one body.
pub(crate) struct Decoder {
    encoding: Encoding,
    inner: Box<dyn DecodeV2 + Send + Sync>,
    place: Place,
    /// The room was full: there may be more of the same input.
    full: bool,
    room: Box<[u8]>,
    /// Encoded bytes read.
    read: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first byte, or within.
    Inside,
    /// After a complete one. Of gzip and zstd another may follow (RFC 1952, section 2.2; RFC 8878,
    /// section 3).
    Ended,
}

impl Decoder {
    pub(crate) fn new(encoding: Encoding) -> Self {
        let inner: Box<dyn DecodeV2 + Send + Sync> = match encoding {
            Encoding::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                Box::new(ZstdDecoder::new_with_params(&[window]))
            }
            Encoding::Brotli => Box::new(BrotliDecoder::new()),
            Encoding::Gzip => Box::new(GzipDecoder::new()),
        };
        let room = vec![0; ROOM_BYTES].into();
        Self { encoding, inner, place: Place::Inside, full: false, room, read: 0 }
    }

    /// The next bytes that `input` stands for, which it takes off its front; `None` if all of it was
    /// taken, and more is needed to go on.
    pub(crate) fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Error> {
        while !input.is_empty() || self.full {
            if self.place == Place::Ended && !input.is_empty() {
                self.begin_another()?;
            }
            let mut encoded = PartialBuffer::new(&input[..]);
            let mut output = WriteBuffer::new_initialized(&mut self.room);
            let decoded = match (input.is_empty(), self.encoding) {
                // That decoder takes an empty input for a mistake; its footer is still to come.
                (true, Encoding::Gzip) => self.inner.flush(&mut output).map(|_| false),
                _ => self.inner.decode(&mut encoded, &mut output),
            };
            let ended = decoded.map_err(|error| {
                let (name, read) = (self.encoding.name(), self.read);
                let message = format!("the result is no {name} after {read} bytes of it");
                Error::new(ErrorKind::Corrupt, message).with_source(error)
            })?;
            let (taken, made) = (encoded.written_len(), output.written_len());
            self.full = output.has_no_spare_space() && !ended;
            if ended {
                self.place = Place::Ended;
            }
            if taken == 0 && made == 0 && !ended && !input.is_empty() {
                let message = format!("the {} of the result leads nowhere", self.encoding.name());
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
            input.advance(taken);
            self.read += taken as u64;
            if made > 0 {
                return Ok(Some(Bytes::copy_from_slice(&self.room[..made])));
            }
        }
        Ok(None)
    }

    /// There is no more input, and none was left.
    pub(crate) fn end(&self) -> Result<(), Error> {
        match self.place {
            Place::Ended => Ok(()),
            Place::Inside => {
                let (name, read) = (self.encoding.name(), self.read);
                let message = format!("the {name} of the result is not complete at {read} bytes");
                Err(Error::new(ErrorKind::Truncated, message))
            }
        }
    }

    fn begin_another(&mut self) -> Result<(), Error> {
        if self.encoding == Encoding::Brotli {
            let message = format!("bytes follow the end of the result's br, at {}", self.read);
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        self.place = Place::Inside;
        self.inner.reinit().map_err(|error| {
            Error::new(ErrorKind::Corrupt, "the result cannot be decoded on").with_source(error)
        })
    }
}

#[cfg(test)]
mod tests;
