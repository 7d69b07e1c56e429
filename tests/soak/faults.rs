//! The number of an invocation goes in; what goes wrong with it comes out, and which errors of a
//! download that allows.

use crate::random::Random;
use invoker::ErrorKind;
use local_lambda::{Closing, Fault, FrameNumber, Place, ThrottleReason};
use std::time::Duration;

/// Bytes within which a fault has its place: longer than most answers here, so that some places are
/// behind the end, where they are no faults.
const PLACES: u64 = 100_000;
/// The longest head that a fault makes, in bytes; the contract allows 16,000.
const HEAD_BYTES: u64 = 12_000;
/// The longest wait that is survived without a retry. Far below every limit of the callers here.
const SHORT_WAIT_MS: u64 = 40;

/// The faults of one invocation: the same for the same numbers. What spoils bytes so that only the
/// sum of the whole object tells, is for those who compare it before they believe any byte.
pub(crate) fn of(seed: u64, slot: u64, number: u64, compares_sum: bool) -> Vec<Fault> {
    // Odd numbers spread neighbours over all seeds.
    let own = slot.wrapping_mul(0x1000_0000_01b3) ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d);
    let mut random = Random::new(seed ^ own);
    let mut faults = Vec::new();
    if random.one_in(8) {
        faults.push(harmless(&mut random));
    }
    // Never two that spoil bytes: together they could be right again in length, and in no other way.
    if random.one_in(40) {
        faults.push(fatal(&mut random, compares_sum));
    } else if random.one_in(6) {
        faults.push(recoverable(&mut random));
    }
    faults
}

/// What a caller has to take as it comes.
fn harmless(random: &mut Random) -> Fault {
    let frame = FrameNumber::Nth(random.of(1..5));
    let short = Duration::from_millis(random.of(1..SHORT_WAIT_MS));
    match random.of(0..7) {
        0 => Fault::Split { bytes: random.of(64..4_096), head_only: false },
        1 => Fault::Split { bytes: random.of(1..100), head_only: true },
        2 => Fault::Drip { bytes: random.of(1_024..8_192), every: Duration::from_millis(1) },
        3 => Fault::UnknownEvent { frame, event: "Heartbeat".to_owned() },
        4 => Fault::PadHead(random.of(1_000..HEAD_BYTES) as u32),
        5 => Fault::Cold(short),
        _ => Fault::Stall { at: place(random), time: Some(short) },
    }
}

/// What another try mends.
fn recoverable(random: &mut Random) -> Fault {
    let frame = match random.of(1..4) {
        3 => FrameNumber::Last,
        number => FrameNumber::Nth(number),
    };
    match random.of(0..48) {
        // Each costs the time of a limit.
        0..2 => Fault::Stall { at: place(random), time: None },
        2..16 => {
            let closings = [Closing::End, Closing::Close, Closing::Reset];
            Fault::Cut { at: place(random), closing: random.one_of(&closings) }
        }
        16..20 => Fault::Flip { byte: random.of(0..PLACES), bit: random.of(0..8) as u8 },
        20..23 => Fault::Crc(frame),
        23..25 => Fault::PreludeCrc(frame),
        25..28 => Fault::Length { frame, bytes: random.one_of(&[0, 20, 70_000, u32::MAX]) },
        28..30 => Fault::ErrorFrame {
            frame,
            code: "InternalFailure".to_owned(),
            message: "made by a test".to_owned(),
        },
        30..32 => Fault::ExceptionFrame {
            frame,
            exception: "ServiceException".to_owned(),
            message: "made by a test".to_owned(),
        },
        32..35 => Fault::NoComplete,
        35..37 => Fault::LateChunk(random.of(1..1_000) as u32),
        37..39 => Fault::LateJunk(random.of(1..100) as u32),
        39..42 => Fault::Shorten(random.of(1..2_000) as u32),
        42..45 => Fault::Throttle { reason: ThrottleReason::FunctionRate, retry_after_s: None },
        _ => Fault::Refuse {
            status: random.one_of(&[500, 502, 503]),
            error_type: "ServiceException".to_owned(),
            after: random.one_in(2),
        },
    }
}

/// What ends a download.
fn fatal(random: &mut Random, compares_sum: bool) -> Fault {
    match random.of(0..if compares_sum { 13 } else { 11 }) {
        0 => Fault::Crash { after: None },
        1 | 2 => Fault::Crash { after: Some(random.of(0..PLACES)) },
        3 => Fault::Timeout(Duration::from_millis(1)),
        4 | 5 => Fault::Lengthen(random.of(1..1_000)),
        6 => Fault::Version("7".to_owned()),
        7 => Fault::Header { name: "etag".to_owned(), value: "\"another\"".to_owned() },
        8 => {
            let names = ["etag", "content-length", "content-range"];
            Fault::NoHeader(random.one_of(&names).to_owned())
        }
        // Behind any head.
        9 | 10 => Fault::TrailerText(2 * HEAD_BYTES + random.of(0..PLACES)),
        _ => Fault::FlipBody { byte: random.of(0..PLACES), bit: random.of(0..8) as u8 },
    }
}

fn place(random: &mut Random) -> Place {
    match random.of(0..8) {
        0 => Place::Head,
        1..4 => Place::Byte(random.of(0..PLACES)),
        4..7 => Place::Frame(FrameNumber::Nth(random.of(1..4)), random.of(0..200)),
        _ => Place::Frame(FrameNumber::Last, random.of(0..40)),
    }
}

/// Whether a download whose invocation had this fault may end with such an error.
pub(crate) fn allows(fault: &Fault, kind: &ErrorKind) -> bool {
    use ErrorKind as Kind;
    match fault {
        Fault::Split { .. }
        | Fault::Drip { .. }
        | Fault::UnknownEvent { .. }
        | Fault::PadHead(_)
        | Fault::Cold(_)
        | Fault::Stall { time: Some(_), .. } => false,
        Fault::Stall { time: None, .. } => matches!(kind, Kind::TimedOut),
        // A reset takes the head with it that was not read yet.
        Fault::Cut { .. } => matches!(kind, Kind::Truncated | Kind::Unreachable),
        Fault::Flip { .. }
        | Fault::Crc(_)
        | Fault::PreludeCrc(_)
        | Fault::LateChunk(_)
        | Fault::LateJunk(_) => matches!(kind, Kind::Corrupt),
        // The frame may be longer than what follows.
        Fault::Length { .. } => matches!(kind, Kind::Corrupt | Kind::Truncated),
        Fault::ErrorFrame { .. } | Fault::ExceptionFrame { .. } | Fault::Refuse { .. } => {
            matches!(kind, Kind::Refused { .. })
        }
        Fault::NoComplete | Fault::Shorten(_) => matches!(kind, Kind::Truncated),
        Fault::Throttle { .. } => matches!(kind, Kind::Throttled { .. }),
        Fault::Crash { .. } | Fault::Timeout(_) | Fault::TrailerText(_) => {
            matches!(kind, Kind::Function { .. })
        }
        Fault::Lengthen(_) => matches!(kind, Kind::Inconsistent),
        // The version is asked for, and is not there.
        Fault::Version(_) => matches!(kind, Kind::Refused { status: 404, .. }),
        Fault::Header { .. } => matches!(kind, Kind::Changed),
        Fault::NoHeader(_) => matches!(kind, Kind::Inconsistent | Kind::Changed),
        // Two readings of one range can differ as well.
        Fault::FlipBody { .. } => matches!(kind, Kind::Corrupt | Kind::Changed),
        _ => false,
    }
}

/// The fault without its numbers.
pub(crate) fn name(fault: &Fault) -> String {
    let text = fault.to_string();
    let name = text.split('=').next().unwrap_or_default();
    match fault {
        Fault::Cut { closing, .. } => format!("cut:{closing:?}").to_lowercase(),
        Fault::Stall { time: None, .. } => "stall for ever".to_owned(),
        Fault::Stall { .. } => "stall for a moment".to_owned(),
        _ => name.to_owned(),
    }
}
