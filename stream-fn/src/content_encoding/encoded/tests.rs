//! Bodies that are ready, that wait and that fail come in; what a decoder has of them at any moment is
//! compared with what was ready then.

use super::*;
use async_compression::codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};
use futures_util::StreamExt;
use futures_util::stream;

const ALL: [Encoding; 3] = [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip];

/// One poll of a body.
#[derive(Clone)]
enum Step {
    Bytes(Bytes),
    Wait,
    Fail,
    Panic,
}

fn text(words: &'static str) -> Step {
    Step::Bytes(Bytes::from_static(words.as_bytes()))
}

fn body(steps: impl IntoIterator<Item = Step>) -> ByteStream {
    let mut steps = steps.into_iter().collect::<Vec<_>>().into_iter();
    stream::poll_fn(move |context| match steps.next() {
        None => Poll::Ready(None),
        Some(Step::Bytes(bytes)) => Poll::Ready(Some(Ok(bytes))),
        Some(Step::Fail) => Poll::Ready(Some(Err(Failure::new("Boom", "it broke").into()))),
        Some(Step::Panic) => panic!("on purpose"),
        Some(Step::Wait) => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .boxed()
}

struct Decoder {
    inner: Box<dyn DecodeV2>,
    plain: Vec<u8>,
    ended: bool,
}

impl Decoder {
    fn new(encoding: Encoding) -> Self {
        let inner: Box<dyn DecodeV2> = match encoding {
            Encoding::Zstd => Box::new(ZstdDecoder::new()),
            Encoding::Brotli => Box::new(BrotliDecoder::new()),
            Encoding::Gzip => Box::new(GzipDecoder::new()),
        };
        Self { inner, plain: Vec::new(), ended: false }
    }

    fn push(&mut self, encoded: &[u8]) {
        let mut input = PartialBuffer::new(encoded);
        while !input.unwritten().is_empty() {
            assert!(!self.ended, "bytes after the end");
            // Room for all of it: no test here has more.
            let mut room = vec![0; 4 << 20];
            let mut output = WriteBuffer::new_initialized(&mut room);
            self.ended = self.inner.decode(&mut input, &mut output).unwrap();
            self.plain.extend_from_slice(output.written());
        }
    }
}

#[tokio::test]
async fn what_was_ready_is_there_when_nothing_more_is() {
    for encoding in ALL {
        let steps = [text("one"), Step::Wait, text("two"), text("three"), Step::Wait, text("four")];
        let mut encoded = Encoded::new(encoding, Some(15), body(steps));
        let mut decoder = Decoder::new(encoding);
        for wanted in ["one", "onetwothree", "onetwothreefour"] {
            decoder.push(&encoded.next().await.unwrap().unwrap());
            assert_eq!(decoder.plain, wanted.as_bytes(), "{encoding:?}");
        }
        assert!(encoded.next().await.is_none());
        assert!(decoder.ended, "{encoding:?}");
    }
}

#[tokio::test]
async fn items_that_are_ready_are_encoded_together() {
    for encoding in ALL {
        let together = Encoded::new(encoding, None, body([text("row\nrow\n"), text("row\n")]));
        let items: Vec<_> = together.collect().await;
        assert_eq!(items.len(), 1, "{encoding:?}");

        let rows = || vec![text("a row of some words\n"); 1_000];
        let size = |steps| async move {
            let encoded: Vec<_> = Encoded::new(encoding, None, body(steps)).collect().await;
            encoded.into_iter().map(|item| item.unwrap().len()).sum::<usize>()
        };
        let ready = size(rows()).await;
        let waiting = size(rows().into_iter().flat_map(|row| [row, Step::Wait]).collect()).await;
        assert!(ready * 10 < waiting, "{encoding:?}: {ready} bytes, {waiting} one by one");
    }
}

#[tokio::test]
async fn a_failure_is_no_end_and_comes_after_the_bytes_before_it() {
    for encoding in ALL {
        for (steps, promised, wanted, error_type) in [
            (vec![text("one"), Step::Fail, text("after")], None, "one", "Function.Boom"),
            (vec![text("one"), Step::Wait, Step::Fail], None, "one", "Function.Boom"),
            (vec![text("one"), Step::Panic], None, "one", "Function.Panic"),
            (vec![text("one")], Some(4), "one", "Function.BodyTooShort"),
            (vec![text("one"), text("two")], Some(4), "one", "Function.BodyTooLong"),
            (vec![Step::Fail], None, "", "Function.Boom"),
        ] {
            let mut encoded = Encoded::new(encoding, promised, body(steps));
            let mut decoder = Decoder::new(encoding);
            let failure = loop {
                match encoded.next().await.expect("a failure") {
                    Ok(bytes) => decoder.push(&bytes),
                    Err(error) => break Failure::from(error),
                }
            };
            assert_eq!(failure.error_type(), error_type, "{encoding:?}");
            assert_eq!(decoder.plain, wanted.as_bytes(), "{encoding:?} {error_type}");
            assert!(!decoder.ended, "{encoding:?} {error_type}: ended like a whole one");
            assert!(encoded.next().await.is_none());
        }
    }
}

#[tokio::test]
async fn frames_are_bounded_and_nothing_is_lost() {
    // Bytes that do not compress, from a fixed seed, and bytes that do.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(1 << 20)
    .collect();
    for (plain, least) in [(noise, 10), (vec![b'x'; 1 << 20], 1), (Vec::new(), 1)] {
        for encoding in ALL {
            let step = Step::Bytes(plain.clone().into());
            let encoded: Vec<_> = Encoded::new(encoding, None, body([step])).collect().await;
            assert!(encoded.len() >= least, "{encoding:?}: {} frames", encoded.len());
            let mut decoder = Decoder::new(encoding);
            for frame in encoded {
                let frame = frame.unwrap();
                assert!(frame.len() <= READ_BYTES, "{encoding:?}: {} bytes", frame.len());
                decoder.push(&frame);
            }
            assert!(decoder.ended && decoder.plain == plain, "{encoding:?}");
        }
    }
}
