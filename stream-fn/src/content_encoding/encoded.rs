//! The bytes of an answer come in; the same bytes encoded go out. What was ready is there when nothing
//! more is, and the encoding ends only where the answer does.

use super::Encoding;
use crate::error::BoxError;
use crate::failure::Failure;
use crate::promise::Promise;
use crate::source::{ByteStream, READ_BYTES};
use async_compression::Level;
use async_compression::brotli::EncoderParams;
use async_compression::codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};
use async_compression::core::util::{PartialBuffer, WriteBuffer};
use async_compression::zstd::CParameter;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::Stream;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// zstd's own default. All levels are chosen for speed: a function with 128 MB of memory has a fourteenth
/// of a processor (1,769 MB are one), and must still take in more than the 2 MB/s that it may send.
const ZSTD_LEVEL: i32 = 3;
/// The last one before the slower search for matches.
const BROTLI_LEVEL: i32 = 4;
/// zlib's own default, 6, takes several times as long for a percent of the size.
const GZIP_LEVEL: i32 = 4;

/// Up to how many bytes are encoded before others have their turn: about a millisecond of work.
const TURN_BYTES: usize = 4 * READ_BYTES;

/// An encoded body.
pub(crate) struct Encoded {
    /// Until its end, or its failure.
    plain: Option<ByteStream>,
    /// What the plain bytes are held to.
    promise: Promise,
    encoder: Box<dyn EncodeV2 + Send>,
    /// Plain bytes that the encoder has not taken.
    taken: Bytes,
    /// Whether it has taken some that it may still hold.
    holding: bool,
    /// Encoded bytes to hand on.
    ready: BytesMut,
    /// Told after them.
    failure: Option<BoxError>,
    /// Where the encoder writes.
    room: Box<[u8]>,
}

impl Encoded {
    /// `promised` is the length of the plain bytes.
    pub(crate) fn new(encoding: Encoding, promised: Option<u64>, plain: ByteStream) -> Self {
        Self {
            plain: Some(plain),
            promise: Promise::of(promised),
            encoder: encoder(encoding),
            taken: Bytes::new(),
            holding: false,
            ready: BytesMut::new(),
            failure: None,
            room: vec![0; READ_BYTES].into(),
        }
    }

    /// Encodes some of what was taken; how many bytes of it.
    fn encode(&mut self) -> io::Result<usize> {
        let mut input = PartialBuffer::new(&self.taken[..]);
        let mut output = WriteBuffer::new_initialized(&mut self.room);
        self.encoder.encode(&mut input, &mut output)?;
        let encoded = input.written_len();
        if encoded == 0 && output.written_len() == 0 {
            return Err(io::Error::other("the encoder takes nothing"));
        }
        self.ready.extend_from_slice(output.written());
        self.taken.advance(encoded);
        self.holding = true;
        Ok(encoded)
    }

    /// Makes the encoder give what it holds.
    fn flush(&mut self) -> io::Result<()> {
        while std::mem::take(&mut self.holding) {
            let mut output = WriteBuffer::new_initialized(&mut self.room);
            self.holding = !self.encoder.flush(&mut output)?;
            self.ready.extend_from_slice(output.written());
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        loop {
            let mut output = WriteBuffer::new_initialized(&mut self.room);
            let finished = self.encoder.finish(&mut output)?;
            self.ready.extend_from_slice(output.written());
            if finished {
                return Ok(());
            }
        }
    }

    /// The bytes before a failure are sent. Their encoding is not ended: nobody may take them for whole.
    fn fail(&mut self, failure: BoxError) {
        self.plain = None;
        self.taken = Bytes::new();
        self.failure = Some(failure);
        // An encoder that cannot do even this has failed before, which is told.
        let _unsent = self.flush();
    }

    /// Takes the next plain bytes, or their end; whether there was anything to take.
    fn take(&mut self, context: &mut Context<'_>) -> bool {
        let Some(plain) = &mut self.plain else { return false };
        // A panic is a failure after the bytes that are held here, so it must not pass through.
        let polled = catch_unwind(AssertUnwindSafe(|| plain.as_mut().poll_next(context)));
        match polled {
            Err(panic) => self.fail(Failure::from_panic(panic.as_ref()).into()),
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(Some(Err(error)))) => self.fail(error),
            Ok(Poll::Ready(Some(Ok(bytes)))) => match self.promise.take(bytes.len()) {
                Ok(()) => self.taken = bytes,
                Err(failure) => self.fail(failure.into()),
            },
            Ok(Poll::Ready(None)) => {
                self.plain = None;
                match self.promise.end() {
                    Ok(()) => {
                        if let Err(error) = self.finish() {
                            self.failure = Some(unencodable(error));
                        }
                    }
                    Err(failure) => self.fail(failure.into()),
                }
            }
        }
        true
    }
}

impl Stream for Encoded {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut encoded = 0;
        while this.ready.len() < READ_BYTES {
            if encoded >= TURN_BYTES {
                // More is ready, so nothing is flushed.
                context.waker().wake_by_ref();
                break;
            }
            if !this.taken.is_empty() {
                match this.encode() {
                    Ok(bytes) => encoded += bytes,
                    Err(error) => this.fail(unencodable(error)),
                }
            } else if !this.take(context) {
                if this.plain.is_some()
                    && let Err(error) = this.flush()
                {
                    this.fail(unencodable(error));
                }
                break;
            }
        }
        if !this.ready.is_empty() {
            // An encoder may give much at once: what it held back.
            let frame = this.ready.split_to(this.ready.len().min(READ_BYTES));
            return Poll::Ready(Some(Ok(frame.freeze())));
        }
        match this.plain {
            Some(_) => Poll::Pending,
            None => Poll::Ready(this.failure.take().map(Err)),
        }
    }
}

fn unencodable(error: io::Error) -> BoxError {
    Failure::new("EncodingFailed", "the answer could not be encoded").because(error).into()
}

fn encoder(encoding: Encoding) -> Box<dyn EncodeV2 + Send> {
    match encoding {
        Encoding::Zstd => {
            // As gzip always has one; brotli knows none.
            let checksum = CParameter::checksum_flag(true);
            Box::new(ZstdEncoder::new_with_params(ZSTD_LEVEL, &[checksum]))
        }
        Encoding::Brotli => {
            let level = Level::Precise(BROTLI_LEVEL);
            Box::new(BrotliEncoder::new(EncoderParams::default().quality(level)))
        }
        Encoding::Gzip => Box::new(GzipEncoder::new(Level::Precise(GZIP_LEVEL).into())),
    }
}

#[cfg(test)]
mod tests;
