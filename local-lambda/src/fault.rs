//! What may go wrong on command: in, a wish, in Rust or as text; out, a fault, and by which rule
//! invocations meet it. How each is brought about is the worry of the files below.

pub(crate) mod book;

mod selection;

pub(crate) mod injection;

mod head;
pub(crate) mod payload;

mod frame;
pub(crate) mod wire;

mod spec;

pub use book::Asked;
pub use selection::FaultRule;
pub use spec::{FAULT_FORMS, SELECTION_FORMS};

use crate::refusal::ThrottleReason;
use std::time::Duration;

/// One thing that goes wrong with an invocation.
///
/// As text a fault is `NAME[=VALUE][:MORE]`; [`FromStr`](std::str::FromStr) reads it and
/// [`Display`](std::fmt::Display) writes it. A [`FaultRule`] is a fault and the invocations that it
/// is for. What is in brackets may be left out.
///
/// | text | what goes wrong |
/// |---|---|
/// | `cut=PLACE[:end\|close\|reset]` | the answer ends there: its HTTP body ends cleanly, the connection is closed (FIN; the default), or it is reset (RST) |
/// | `stall=PLACE[:TIME]` | nothing leaves from there on, for ever or for a time |
/// | `drip=BYTES/TIME` | the body leaves in pieces of so many bytes, and rests that long after each |
/// | `flip=BYTE.BIT` | one bit of the body on the wire is wrong |
/// | `crc=FRAME` | the checksum of a frame is wrong |
/// | `prelude-crc=FRAME` | the checksum of a frame's prelude is wrong, that of the frame is right |
/// | `length=FRAME[:BYTES]` | a frame says that it has so many bytes, 4,294,967,295 by default, with right checksums |
/// | `error=FRAME[:CODE[:MESSAGE]]` | a frame of `:message-type` `error` stands in place of a frame |
/// | `exception=FRAME[:TYPE[:MESSAGE]]` | a frame of `:message-type` `exception` stands in place of a frame |
/// | `unknown-event=FRAME[:TYPE]` | an event that no model knows comes before a frame |
/// | `no-complete` | the body ends without `InvokeComplete` |
/// | `late-chunk=BYTES` | a `PayloadChunk` follows `InvokeComplete` |
/// | `late-junk=BYTES` | bytes that are no frame follow `InvokeComplete` |
/// | `throttle[=REASON][:retry-after=SECONDS]` | 429 `TooManyRequestsException`, the function does not run; `Retry-After` only if it is named |
/// | `refuse=STATUS[:TYPE]` | an error of the service, the function does not run |
/// | `refuse-after=STATUS[:TYPE]` | the same, but the function runs to its end |
/// | `cold=TIME` | the function gets the invocation that much later |
/// | `crash[=BYTE]` | the process is killed when it has the invocation, or when so many bytes of its answer were passed on |
/// | `timeout=TIME` | the function has only so much time |
/// | `version=TEXT` | the response names another executed version |
/// | `split=BYTES[:head]` | no frame has more than so many bytes of payload; or no frame of the head |
/// | `no-head` | the head is left out |
/// | `pad-head=BYTES` | the head has so many bytes: blanks in its JSON |
/// | `endless-head` | a head that never ends comes in place of the answer |
/// | `header=NAME:VALUE` | the head has that header |
/// | `no-header=NAME` | the head does not have it |
/// | `shorten=BYTES` | the last so many bytes of the body are left out, and the end says nothing of it |
/// | `lengthen=BYTES` | so many letters `x` follow the body, and the end says nothing of it |
/// | `flip-body=BYTE.BIT` | one bit of the body is wrong before there are frames: their checksums are right |
/// | `trailer-text=BYTE` | after so many bytes the payload ends cleanly with the text that `lambda_runtime` 1.5 writes in place of a trailer |
///
/// `PLACE` is `head` (before the HTTP head), `N` (after N bytes of the HTTP body: the encoded frames,
/// without HTTP's own framing), `frame.FRAME` (before that frame), or `frame.FRAME+N` (N bytes after
/// its begin). `FRAME` is a number from 1, or `last` for `InvokeComplete`; frames that faults add are
/// not counted. `BYTE` counts from 0, `BIT` is 0 (the lowest) to 7. Bytes of `crash` and
/// `trailer-text` are of the payload, head included; those of `flip-body`, `shorten` and `lengthen`
/// are of the body after the head. Sizes may have the unit `KiB` or `MiB`, a `TIME` has the unit
/// `ns`, `us`, `ms` or `s`. `REASON` is one of [`ThrottleReason`], in the service's spelling. In a text
/// `%2C` is a comma, `%3A` a colon and `%25` a percent sign.
///
/// All of them are of `InvokeWithResponseStream`. With `Invoke`, those of frames, `split` and
/// `endless-head` do nothing, and `end` of `cut` closes, because its answer has a length. A place that
/// an answer does not reach is no fault. Before `reset` everything is handed to the kernel: what the
/// caller's kernel has taken arrives, what still waits for a caller who does not read is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `cut`: the answer ends there. Before the HTTP head, [`Closing::End`] closes.
    Cut {
        /// Where.
        at: Place,
        /// In what way.
        closing: Closing,
    },
    /// `stall`: nothing leaves from there on, until the caller leaves or the time is over.
    Stall {
        /// Where.
        at: Place,
        /// How long; `None` is for ever.
        time: Option<Duration>,
    },
    /// `drip`: the body leaves in small pieces.
    Drip {
        /// Bytes of a piece; 0 counts as 1.
        bytes: u64,
        /// The rest after each.
        every: Duration,
    },
    /// `flip`: one bit of the body on the wire is wrong.
    Flip {
        /// The byte, from 0.
        byte: u64,
        /// The bit, 0 to 7; only its lowest three bits count.
        bit: u8,
    },
    /// `crc`: the checksum of a frame is wrong.
    Crc(FrameNumber),
    /// `prelude-crc`: the checksum of a frame's prelude is wrong, and nothing else.
    PreludeCrc(FrameNumber),
    /// `length`: a frame says that it has another length. Its checksums are right.
    Length {
        /// Which.
        frame: FrameNumber,
        /// The length that it declares, in bytes.
        bytes: u32,
    },
    /// `error`: a frame of `:message-type` `error` stands in place of a frame.
    ErrorFrame {
        /// Which.
        frame: FrameNumber,
        /// Its `:error-code`. Not empty, as the texts of frames below.
        code: String,
        /// Its `:error-message`.
        message: String,
    },
    /// `exception`: a frame of `:message-type` `exception` stands in place of a frame.
    ExceptionFrame {
        /// Which.
        frame: FrameNumber,
        /// Its `:exception-type`.
        exception: String,
        /// The `message` in its JSON.
        message: String,
    },
    /// `unknown-event`: an event that no model knows comes before a frame.
    UnknownEvent {
        /// Before which.
        frame: FrameNumber,
        /// Its `:event-type`.
        event: String,
    },
    /// `no-complete`: the body ends without `InvokeComplete`.
    NoComplete,
    /// `late-chunk`: a `PayloadChunk` of so many bytes follows `InvokeComplete`.
    LateChunk(u32),
    /// `late-junk`: so many bytes that are no frame follow `InvokeComplete`.
    LateJunk(u32),
    /// `throttle`: 429, and the function does not run.
    Throttle {
        /// Why.
        reason: ThrottleReason,
        /// The value of `Retry-After`, in seconds.
        retry_after_s: Option<u32>,
    },
    /// `refuse` and `refuse-after`: an error of the service.
    Refuse {
        /// The HTTP status, 400 to 599.
        status: u16,
        /// The error's type, such as `ServiceException`.
        error_type: String,
        /// Whether the function runs to its end before.
        after: bool,
    },
    /// `cold`: the function gets the invocation that much later.
    Cold(Duration),
    /// `crash`: the process is killed.
    Crash {
        /// After so many payload bytes; `None` is as soon as it has the invocation.
        after: Option<u64>,
    },
    /// `timeout`: the function has only so much time.
    Timeout(Duration),
    /// `version`: the response names another executed version.
    Version(String),
    /// `split`: no frame has more payload than this.
    Split {
        /// Bytes; 0 counts as 1.
        bytes: u64,
        /// Only of the head.
        head_only: bool,
    },
    /// `no-head`: the head is left out.
    NoHead,
    /// `pad-head`: the head has so many bytes, unless it has more already.
    PadHead(u32),
    /// `endless-head`: a head that never ends comes in place of the answer, until the caller leaves or
    /// a limit is reached.
    EndlessHead,
    /// `header`: the head has that header, in place of one of the same name.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// `no-header`: the head does not have that header.
    NoHeader(String),
    /// `shorten`: the last bytes of the body are left out. They are held in memory until its end.
    Shorten(u32),
    /// `lengthen`: so many letters `x` follow the body.
    Lengthen(u64),
    /// `flip-body`: one bit of the body is wrong before there are frames.
    FlipBody {
        /// The byte, from 0.
        byte: u64,
        /// The bit, 0 to 7; only its lowest three bits count.
        bit: u8,
    },
    /// `trailer-text`: after so many payload bytes the text of `lambda_runtime`, and a clean end.
    TrailerText(u64),
}

/// A place in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the HTTP head.
    Head,
    /// After so many bytes of the HTTP body.
    Byte(u64),
    /// So many bytes after a frame's begin.
    Frame(FrameNumber, u64),
}

/// Which frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameNumber {
    /// Counted from 1.
    Nth(u64),
    /// `InvokeComplete`.
    Last,
}

/// The ways in which an answer is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The HTTP body ends as if it were whole.
    End,
    /// The connection is closed (FIN) without the end of the HTTP body.
    Close,
    /// The connection is reset (RST).
    Reset,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_in_both_tables() {
        let rustdoc = include_str!("fault.rs");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/local-faults.md");
        let document = std::fs::read_to_string(path).unwrap();
        for (form, _) in FAULT_FORMS {
            let row = form.replace('|', "\\|");
            assert!(rustdoc.contains(&format!("/// | `{row}` |")), "{form}");
            assert!(document.contains(&format!("| `{row}` |")), "{form}");
        }
        for (form, _) in SELECTION_FORMS {
            assert!(document.contains(&format!("| `{}` |", form.replace('|', "\\|"))), "{form}");
        }
    }
}
