//! A number goes in; a stream of random frames, spoiled or not, and its cuts come out: always the
//! same for the same number. The frames are written by the official crate.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::DateTime;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;

/// Two lengths, their checksum, and the checksum of all.
const PRELUDE_LEN: usize = 12;
const LENGTHS_LEN: usize = 8;
const CHECKSUM_LEN: usize = 4;
const OVERHEAD: usize = PRELUDE_LEN + CHECKSUM_LEN;

/// SplitMix64: small, and every seed is as good as any other.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, which is not 0 and is not reached.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + size_of::<u64>());
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    fn text(&mut self, len: usize) -> String {
        const LETTERS: [char; 8] = ['a', 'z', ':', '-', '0', '\0', 'ü', '😀'];
        (0..len).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }
}

/// One stream to be read twice.
pub(crate) struct Sample {
    pub(crate) stream: Bytes,
    /// The lengths of the pieces, in turn; never empty, never 0.
    pub(crate) cuts: Vec<usize>,
}

impl Sample {
    pub(crate) fn numbered(number: u64) -> Self {
        let mut random = Random::new(number);
        let random = &mut random;
        let mut stream = Vec::new();
        let mut starts = Vec::new();
        for _ in 0..1 + random.below(3) {
            starts.push(stream.len());
            write_message_to(&message(random), &mut stream).unwrap();
        }
        if random.one_in(2) {
            for _ in 0..1 + random.below(2) {
                spoil(random, &mut stream, &starts);
            }
            if random.one_in(2) {
                repair(&mut stream);
            }
        }
        let cuts = match random.below(4) {
            0 => vec![usize::MAX],
            pieces => (0..pieces).map(|_| 1 + random.below(80)).collect(),
        };
        Self { stream: stream.into(), cuts }
    }
}

fn message(random: &mut Random) -> Message {
    let len = if random.one_in(50) { random.below(3000) } else { random.below(40) };
    let mut message = Message::new(random.bytes(len));
    for _ in 0..random.below(4) {
        // A name without a byte is what the two decoders differ about; it has a test of its own, and
        // comes up here when a length is spoiled.
        let len = if random.one_in(100) { 60 } else { 1 + random.below(9) };
        let name = random.text(len);
        message = message.add_header(Header::new(name, value(random)));
    }
    message
}

fn value(random: &mut Random) -> HeaderValue {
    let number = random.next();
    match random.below(9) {
        0 => HeaderValue::Bool(number.is_multiple_of(2)),
        1 => HeaderValue::Byte(number as i8),
        2 => HeaderValue::Int16(number as i16),
        3 => HeaderValue::Int32(number as i32),
        4 => HeaderValue::Int64(number as i64),
        5 => HeaderValue::ByteArray(random.bytes((number % 20) as usize).into()),
        6 => HeaderValue::String(random.text((number % 12) as usize).into()),
        7 => HeaderValue::Timestamp(DateTime::from_millis(number as i64)),
        _ => HeaderValue::Uuid(u128::from(number) << 64 | u128::from(random.next())),
    }
}

/// Something that goes wrong on the way, at a random place.
fn spoil(random: &mut Random, stream: &mut Vec<u8>, starts: &[usize]) {
    if stream.is_empty() {
        return;
    }
    let at = random.below(stream.len());
    let frame = starts[random.below(starts.len())];
    match random.below(9) {
        0 => stream[at] ^= 1 << random.below(8),
        1 => stream[at] = random.next() as u8,
        2 => stream.truncate(at),
        3 => stream.truncate(frame + PRELUDE_LEN),
        4 => {
            let len = random.below(9);
            let extra = random.bytes(len);
            stream.splice(at..at, extra);
        }
        5 => {
            let end = stream.len().min(at + 1 + random.below(30));
            stream.drain(at..end);
        }
        6 => {
            let end = stream.len().min(at + 1 + random.below(200));
            let twice = stream[at..end].to_vec();
            stream.splice(at..at, twice);
        }
        // One of the two lengths.
        7 => {
            let field = frame + [0, 4][random.below(2)];
            let near = (random.below(40) as u32).wrapping_sub(20);
            if let Some(length) = stream.get_mut(field..).and_then(|rest| rest.first_chunk_mut()) {
                let said = u32::from_be_bytes(*length);
                let spoiled = match random.below(3) {
                    0 => near,
                    1 => said.wrapping_add(near),
                    _ => random.next() as u32,
                };
                *length = spoiled.to_be_bytes();
            }
        }
        // The length of the first header's name.
        _ => {
            if let Some(len) = stream.get_mut(frame + PRELUDE_LEN) {
                *len = random.below(3) as u8;
            }
        }
    }
}

/// Puts the checksums right from frame to frame, as far as the declared lengths lead.
pub(crate) fn repair(mut rest: &mut [u8]) {
    while rest.len() >= PRELUDE_LEN {
        let total = u32::from_be_bytes(*rest.first_chunk().unwrap()) as usize;
        let crc = crc32(&rest[..LENGTHS_LEN]);
        rest[LENGTHS_LEN..PRELUDE_LEN].copy_from_slice(&crc);
        if total < OVERHEAD || total > rest.len() {
            return;
        }
        let (frame, after) = rest.split_at_mut(total);
        let (covered, checksum) = frame.split_at_mut(total - CHECKSUM_LEN);
        checksum.copy_from_slice(&crc32(covered));
        rest = after;
    }
}

pub(crate) fn crc32(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_be_bytes()
}
