//! Encodings, whole, cut and spoiled, come in; the same bytes or an error come out, however they are
//! pushed.

use super::*;
use async_compression::codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};
use async_compression::zstd::CParameter;
use async_compression::{Level, brotli::EncoderParams};

const ALL: [Encoding; 3] = [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip];

fn encoder(encoding: Encoding) -> Box<dyn EncodeV2> {
    match encoding {
        Encoding::Zstd => Box::new(ZstdEncoder::new(3)),
        Encoding::Brotli => {
            Box::new(BrotliEncoder::new(EncoderParams::default().quality(Level::Precise(3))))
        }
        Encoding::Gzip => Box::new(GzipEncoder::new(Level::Precise(3).into())),
    }
}

/// Flushed after each of `parts`, which are not larger than the room.
fn encode(mut encoder: Box<dyn EncodeV2>, parts: &[&[u8]]) -> Vec<u8> {
    let mut encoded = Vec::new();
    let mut room = vec![0; 1 << 20];
    let mut give = |encoder: &mut dyn FnMut(&mut WriteBuffer<'_>) -> bool| loop {
        let mut output = WriteBuffer::new_initialized(&mut room);
        let done = encoder(&mut output);
        encoded.extend_from_slice(output.written());
        if done {
            break;
        }
    };
    for part in parts {
        let mut input = PartialBuffer::new(*part);
        give(&mut |output| {
            encoder.encode(&mut input, output).unwrap();
            input.unwritten().is_empty()
        });
        give(&mut |output| encoder.flush(output).unwrap());
    }
    give(&mut |output| encoder.finish(output).unwrap());
    encoded
}

/// What comes of `encoded`, pushed in slices of `len` bytes.
fn decode(encoding: Encoding, encoded: &[u8], len: usize) -> (Vec<u8>, Result<(), Error>) {
    let mut decoder = Decoder::new(encoding);
    let mut plain = Vec::new();
    for slice in encoded.chunks(len) {
        let mut slice = Bytes::copy_from_slice(slice);
        loop {
            match decoder.next(&mut slice) {
                Ok(Some(bytes)) => {
                    assert!(!bytes.is_empty() && bytes.len() <= ROOM_BYTES);
                    plain.extend_from_slice(&bytes);
                }
                Ok(None) => break,
                Err(error) => return (plain, Err(error)),
            }
        }
        assert!(slice.is_empty(), "left over");
    }
    (plain, decoder.end())
}

fn some_text() -> Vec<u8> {
    (0..2_000).flat_map(|n: u32| format!("{n},{},row\n", n * n).into_bytes()).collect()
}

#[test]
fn the_same_bytes_come_out_however_they_are_cut() {
    let text = some_text();
    let exactly_the_room = vec![b'x'; ROOM_BYTES];
    let more = vec![b'x'; 3 * ROOM_BYTES + 1];
    for encoding in ALL {
        for plain in [&text[..], b"", b"x", &exactly_the_room, &exactly_the_room[1..], &more] {
            let encoded = encode(encoder(encoding), &[plain]);
            for len in [1, 2, 7, 4_096, usize::MAX] {
                let (decoded, end) = decode(encoding, &encoded, len);
                end.unwrap();
                assert!(decoded == plain, "{encoding:?}, {} bytes by {len}", plain.len());
            }
        }
    }
}

#[test]
fn what_was_flushed_is_there_before_the_end() {
    let text = some_text();
    let parts: Vec<_> = text.chunks(1_000).collect();
    for encoding in ALL {
        let encoded = encode(encoder(encoding), &parts);
        let mut decoder = Decoder::new(encoding);
        let mut flushed = encode(encoder(encoding), &parts[..3]);
        // Up to the flush, before the end of what has the same beginning.
        let same = flushed.iter().zip(&encoded).take_while(|(one, other)| one == other).count();
        flushed.truncate(same);
        let mut slice = Bytes::from(flushed);
        let mut plain = Vec::new();
        while let Some(bytes) = decoder.next(&mut slice).unwrap() {
            plain.extend_from_slice(&bytes);
        }
        assert_eq!(plain, text[..3_000], "{encoding:?}");
    }
}

#[test]
fn an_encoding_cut_at_any_byte_is_an_error() {
    let text = &some_text()[..3_000];
    for encoding in ALL {
        let encoded = encode(encoder(encoding), &[&text[..1_000], &text[1_000..]]);
        for end in 0..encoded.len() {
            for len in [1, usize::MAX] {
                let (decoded, ended) = decode(encoding, &encoded[..end], len);
                let error = ended.expect_err("a cut encoding is not whole");
                assert_eq!(*error.kind(), ErrorKind::Truncated, "{encoding:?} at {end}: {error}");
                assert!(text.starts_with(&decoded), "{encoding:?} at {end}");
            }
        }
    }
}

#[test]
fn what_follows_the_end_is_an_error_or_another_one() {
    for encoding in ALL {
        let one = encode(encoder(encoding), &[b"one"]);
        let two = encode(encoder(encoding), &[b"two"]);
        for junk in [&b"\0"[..], b"junk", b"Lambda-Runtime-Function-Error-Type: x"] {
            for len in [1, one.len(), usize::MAX] {
                let (decoded, ended) = decode(encoding, &[&one, junk].concat(), len);
                assert!(ended.is_err(), "{encoding:?}, {} bytes of junk", junk.len());
                assert_eq!(decoded, b"one", "{encoding:?}");
            }
        }
        for len in [1, one.len(), usize::MAX] {
            let (decoded, ended) = decode(encoding, &[&one[..], &two].concat(), len);
            match encoding {
                Encoding::Brotli => {
                    assert_eq!(*ended.unwrap_err().kind(), ErrorKind::Corrupt);
                    assert_eq!(decoded, b"one");
                }
                _ => {
                    ended.unwrap();
                    assert_eq!(decoded, b"onetwo", "{encoding:?}");
                }
            }
            let cut = [&one[..], &two[..two.len() - 1]].concat();
            assert!(decode(encoding, &cut, len).1.is_err(), "{encoding:?}");
        }
    }
}

/// Of gzip every bit counts: it has a checksum. The others have none here, so that only their framing
/// can be held to anything.
#[test]
fn a_flipped_bit_is_never_another_gzip() {
    let text = &some_text()[..500];
    let encoded = encode(encoder(Encoding::Gzip), &[text]);
    for bit in 0..encoded.len() * 8 {
        let mut flipped = encoded.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (decoded, ended) = decode(Encoding::Gzip, &flipped, usize::MAX);
        assert!(ended.is_err() || decoded == text, "bit {bit}");
    }
}

#[test]
fn a_bomb_comes_out_in_bounded_pieces() {
    /// A thousand times and more what it is encoded in.
    const BYTES: usize = 256 << 20;
    let zeros = vec![0; 1 << 20];
    let parts: Vec<&[u8]> = std::iter::repeat_n(&zeros[..], BYTES / zeros.len()).collect();
    let encoded = encode(encoder(Encoding::Zstd), &parts);
    assert!(encoded.len() < BYTES / 1_000, "{} bytes", encoded.len());
    let mut decoder = Decoder::new(Encoding::Zstd);
    let (mut slice, mut plain) = (Bytes::from(encoded), 0);
    while let Some(bytes) = decoder.next(&mut slice).unwrap() {
        assert!(bytes.len() <= ROOM_BYTES);
        plain += bytes.len();
    }
    decoder.end().unwrap();
    assert_eq!(plain, BYTES);
}

#[test]
fn a_window_larger_than_allowed_is_refused() {
    for (window_log, allowed) in [(ZSTD_WINDOW_LOG, true), (ZSTD_WINDOW_LOG + 1, false)] {
        let window = CParameter::window_log(window_log);
        let encoder = Box::new(ZstdEncoder::new_with_params(1, &[window]));
        let encoded = encode(encoder, &[b"x"]);
        let (_, ended) = decode(Encoding::Zstd, &encoded, usize::MAX);
        assert_eq!(ended.is_ok(), allowed, "{window_log}: {ended:?}");
    }
}

#[test]
fn encodings_are_known_by_their_names() {
    let head = |values: &[&str]| Head {
        status: 200,
        headers: values.iter().map(|v| ("content-encoding".to_owned(), (*v).to_owned())).collect(),
        cookies: Vec::new(),
    };
    for (values, encoding) in [
        (&[][..], None),
        (&["identity"], None),
        (&[""], None),
        (&["GZIP"], Some(Encoding::Gzip)),
        (&["x-gzip"], Some(Encoding::Gzip)),
        (&[" br "], Some(Encoding::Brotli)),
        (&["zstd, identity"], Some(Encoding::Zstd)),
    ] {
        assert_eq!(Encoding::of(&head(values)).unwrap(), encoding, "{values:?}");
    }
    for values in [&["compress"][..], &["gzip, zstd"], &["gzip", "gzip"], &["deflate"]] {
        let error = Encoding::of(&head(values)).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Inconsistent);
        assert!(error.to_string().contains(values[0]), "{error}");
    }
}
