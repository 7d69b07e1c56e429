//! Random streams of frames, sound and spoiled, go through our decoder and the official one: both
//! must find the same frames and the same end, but for the listed faults of the official one, each
//! of which has a test of its own here.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

#[path = "differential/random.rs"]
mod random;

#[path = "differential/readers.rs"]
mod readers;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use invoker::event_stream::{Decoded, Decoder, FrameError, HeaderError, Limits};
use random::{Sample, crc32, repair};
use readers::{OfficialEnd, assert_same, official, ours, read_in_turn, same_defect};

/// Streams to be compared. A stream is made of its number alone, so a failure is found again.
const STREAMS: u64 = 1_000_000;

/// Streams that a thread takes at once.
const AT_ONCE: u64 = 1_000;

const PRELUDE_LEN: usize = 12;

/// How the two readings of one stream compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Both found the whole stream sound.
    Sound,
    /// Both found that it ends inside a frame.
    Unfinished,
    /// Both refused the same frame.
    Refused,
    /// The official decoder took the prelude of a frame for the end of the stream.
    PreludeForEnd,
    /// The official decoder was still waiting for the rest of a frame whose lengths cannot be.
    WaitsForFalseLengths,
    /// The official decoder let a header without a name through.
    HeaderWithoutName,
}

const VERDICTS: [Verdict; 6] = [
    Verdict::Sound,
    Verdict::Unfinished,
    Verdict::Refused,
    Verdict::PreludeForEnd,
    Verdict::WaitsForFalseLengths,
    Verdict::HeaderWithoutName,
];

/// Reads a stream with both, cut in the same places; how many frames both found, and the verdict.
///
/// # Panics
///
/// If the two differ in any other way than those listed.
fn compare(stream: &Bytes, cuts: &[usize]) -> (usize, Verdict) {
    let (frames, end) = ours(stream, cuts);
    let (messages, official_end) = official(stream, cuts);
    assert!(messages.len() >= frames.len(), "official: only {} frames", messages.len());
    for (frame, message) in frames.iter().zip(&messages) {
        assert_same(frame, message);
    }
    for (frame, message) in frames.iter().zip(&read_in_turn(stream, frames.len())) {
        assert_same(frame, message);
    }
    let more = messages.len() - frames.len();
    let verdict = match (end, official_end) {
        (Ok(()), OfficialEnd::Clean) if more == 0 => Verdict::Sound,
        (Err(FrameError::Unfinished { received }), end) if more == 0 => match end {
            OfficialEnd::Unfinished => Verdict::Unfinished,
            OfficialEnd::Clean if received == PRELUDE_LEN => Verdict::PreludeForEnd,
            end => panic!("ours: {received} bytes into a frame; official: {end:?}"),
        },
        (Err(FrameError::Header(HeaderError::NoName)), _) if more > 0 => Verdict::HeaderWithoutName,
        (Err(error), OfficialEnd::Refused(other)) if more == 0 => {
            assert!(same_defect(&error, &other), "ours: {error:?}; official: {other:?}");
            Verdict::Refused
        }
        (
            Err(
                FrameError::PreludeChecksum { .. }
                | FrameError::HeadersTooLong { .. }
                | FrameError::PayloadTooLong { .. }
                | FrameError::Lengths { .. },
            ),
            OfficialEnd::Unfinished | OfficialEnd::Clean,
        ) if more == 0 => Verdict::WaitsForFalseLengths,
        (end, official_end) => {
            panic!("ours: {end:?}; official: {official_end:?} after {more} more frames")
        }
    };
    (frames.len(), verdict)
}

/// Names the stream of a panic.
struct Current(u64);

impl Drop for Current {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the decoders differ on stream {}", self.0);
        }
    }
}

#[test]
fn a_million_random_streams_are_read_as_the_official_decoder_reads_them() {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut frames = 0;
    let mut verdicts: BTreeMap<Verdict, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        let work = || {
            let mut frames = 0;
            let mut verdicts: BTreeMap<Verdict, u64> = BTreeMap::new();
            loop {
                let first = next.fetch_add(AT_ONCE, Ordering::Relaxed);
                if first >= STREAMS {
                    return (frames, verdicts);
                }
                for number in first..first + AT_ONCE {
                    let current = Current(number);
                    let Sample { stream, cuts } = Sample::numbered(number);
                    let (found, verdict) = compare(&stream, &cuts);
                    frames += found;
                    *verdicts.entry(verdict).or_default() += 1;
                    drop(current);
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (found, counted) = worker.join().unwrap();
            frames += found;
            for (verdict, count) in counted {
                *verdicts.entry(verdict).or_default() += count;
            }
        }
    });
    // The harness keeps what a passing test prints; this line is for the one who asks.
    let mut stderr = std::io::stderr();
    let seconds = began.elapsed().as_secs_f32();
    writeln!(stderr, "{STREAMS} streams, {frames} equal frames, {seconds:.1} s: {verdicts:?}")
        .unwrap();
    assert_eq!(verdicts.values().sum::<u64>(), STREAMS);
    for verdict in VERDICTS {
        assert!(verdicts.contains_key(&verdict), "no stream was {verdict:?}: it proves less");
    }
}

fn encoded(headers: &[(&'static str, HeaderValue)], payload: &[u8]) -> Vec<u8> {
    let mut message = Message::new(payload.to_vec());
    for (name, value) in headers {
        message = message.add_header(Header::new(*name, value.clone()));
    }
    let mut encoded = Vec::new();
    write_message_to(&message, &mut encoded).unwrap();
    encoded
}

const WHOLE: &[usize] = &[usize::MAX];

/// The official decoder takes the prelude out of the buffer, and its caller asks the buffer whether
/// anything is left.
#[test]
fn a_prelude_alone_is_no_end() {
    let mut stream = encoded(&[], b"first");
    let second = encoded(&[], b"second");
    stream.extend_from_slice(&second[..PRELUDE_LEN]);
    for cuts in [WHOLE, &[1], &[7], &[PRELUDE_LEN]] {
        assert_eq!(compare(&Bytes::from(stream.clone()), cuts), (1, Verdict::PreludeForEnd));
    }
}

/// The official decoder checks the lengths only once as many bytes are there as they say: up to 4 GiB.
#[test]
fn lengths_that_cannot_be_are_refused_at_once() {
    let mut flipped = encoded(&[], b"payload");
    flipped[0] ^= 0x40; // now it is a gigabyte
    let limits = Limits::SPECIFICATION;
    let prelude = |total: u32, headers: u32| {
        let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        prelude.extend(crc32(&prelude));
        prelude
    };
    for stream in [
        flipped,
        prelude(limits.payload + 17, 0),
        prelude(limits.headers + 17, limits.headers + 1),
        prelude(u32::MAX, 0),
        prelude(100, 85),
    ] {
        assert_eq!(compare(&stream.into(), WHOLE), (0, Verdict::WaitsForFalseLengths));
    }
}

/// A frame of any length that 32 bits can say is whole for the official decoder; the specification
/// has limits, and what keeps them is read by both.
#[test]
fn frames_beyond_the_limits_of_the_specification_are_refused() {
    let limits = Limits::SPECIFICATION;
    let longest = encoded(&[], &vec![7; limits.payload as usize]);
    assert_eq!(compare(&longest.into(), &[1 << 20]), (1, Verdict::Sound));
    let longer = encoded(&[], &vec![7; limits.payload as usize + 1]);
    let payload = limits.payload + 1;
    let refused = FrameError::PayloadTooLong { payload, limit: limits.payload };
    assert_eq!(official(&longer.clone().into(), WHOLE).0.len(), 1);
    assert_eq!(ours(&longer.into(), WHOLE).1, Err(refused));

    // An encoder writes no value beyond 32 KiB, so it takes four headers.
    let headers = |len: u32| {
        const LARGEST: usize = i16::MAX as usize;
        const FRAMING: usize = 5; // name length, a name of one byte, type, value length
        let value = |len: usize| HeaderValue::ByteArray(vec![7; len].into());
        let last = len as usize - 3 * (LARGEST + FRAMING) - FRAMING;
        let lens = [("a", LARGEST), ("b", LARGEST), ("c", LARGEST), ("d", last)];
        encoded(&lens.map(|(name, len)| (name, value(len))), b"")
    };
    assert_eq!(compare(&headers(limits.headers).into(), &[1 << 20]), (1, Verdict::Sound));
    let longer = headers(limits.headers + 1);
    let refused = FrameError::HeadersTooLong { headers: limits.headers + 1, limit: limits.headers };
    assert_eq!(official(&longer.clone().into(), WHOLE).0.len(), 1);
    assert_eq!(ours(&longer.into(), WHOLE).1, Err(refused));
}

/// The specification gives a header a name; a frame in which one has none was not written by it.
#[test]
fn a_header_without_a_name_is_refused() {
    let frame = encoded(&[("", HeaderValue::Bool(true))], b"");
    assert_eq!(compare(&frame.into(), WHOLE), (0, Verdict::HeaderWithoutName));
}

/// The official decoder goes on behind a defect, at a place that is not known to start a frame.
#[test]
fn nothing_is_read_behind_a_defect() {
    let mut stream = encoded(&[], b"spoiled");
    let spoiled = stream.len();
    stream[spoiled - 1] ^= 1;
    stream.extend(encoded(&[], b"next"));

    let mut decoder = aws_smithy_eventstream::frame::MessageFrameDecoder::new();
    let mut buffer = Bytes::from(stream.clone());
    let error = decoder.decode_frame(&mut buffer).unwrap_err();
    assert!(readers::defect(&error) == "MessageChecksumMismatch");
    assert!(decoder.decode_frame(&mut buffer).is_ok(), "the official decoder went on");

    let mut decoder = Decoder::default();
    decoder.push(stream.into());
    let error = decoder.decode().unwrap_err();
    decoder.push(encoded(&[], b"next").into());
    assert_eq!(decoder.decode().map(|_: Decoded| ()), Err(error));
    assert_eq!(decoder.finish(), Err(error));
}

/// What both refuse, once each with its right checksums: the listed differences are no others.
#[test]
fn malformed_headers_are_refused_by_both() {
    let sound = encoded(&[("n", HeaderValue::String("text".into()))], b"payload to run into");
    for (at, byte) in [(12, 200), (13, 0xff), (14, 10), (15, 0x70), (16, 200), (17, 0xff), (7, 1)] {
        let mut spoiled = sound.clone();
        spoiled[at] = byte;
        repair(&mut spoiled);
        assert_eq!(compare(&spoiled.into(), WHOLE), (0, Verdict::Refused), "byte {at}");
    }
}
