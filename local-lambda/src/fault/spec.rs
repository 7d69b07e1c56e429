//! Faults as text: in, what somebody typed; out, a fault and its conditions, or which word is wrong
//! and what would be right. And back again.

mod words;

use super::{Closing, Fault, FaultRule, FrameNumber, Place};
use crate::error::Error;
use crate::refusal::ThrottleReason;
use std::fmt;
use std::str::FromStr;
use words::{Escaped, Unit, Words, bad, bits, escaped, number, probability, size, text, time};

/// Every fault as text, and what it does in a few words. [`Fault`] explains them.
pub const FAULT_FORMS: [(&str, &str); 30] = [
    ("cut=PLACE[:end|close|reset]", "end the answer there"),
    ("stall=PLACE[:TIME]", "send nothing from there on"),
    ("drip=BYTES/TIME", "send small pieces slowly"),
    ("flip=BYTE.BIT", "flip a bit on the wire"),
    ("crc=FRAME", "spoil a frame's checksum"),
    ("prelude-crc=FRAME", "spoil the checksum of its prelude"),
    ("length=FRAME[:BYTES]", "declare another length"),
    ("error=FRAME[:CODE[:MESSAGE]]", "an error in place of a frame"),
    ("exception=FRAME[:TYPE[:MESSAGE]]", "an exception in place of a frame"),
    ("unknown-event=FRAME[:TYPE]", "an unknown event before a frame"),
    ("no-complete", "leave out InvokeComplete"),
    ("late-chunk=BYTES", "a PayloadChunk after InvokeComplete"),
    ("late-junk=BYTES", "no frame at all after it"),
    ("throttle[=REASON][:retry-after=SECONDS]", "429"),
    ("refuse=STATUS[:TYPE]", "an error of the service"),
    ("refuse-after=STATUS[:TYPE]", "the same after the function ran"),
    ("cold=TIME", "start late"),
    ("crash[=BYTE]", "kill the process, at once or after payload bytes"),
    ("timeout=TIME", "give the function less time"),
    ("version=TEXT", "name another executed version"),
    ("split=BYTES[:head]", "small frames"),
    ("no-head", "leave out the head"),
    ("pad-head=BYTES", "make the head large"),
    ("endless-head", "a head that never ends"),
    ("header=NAME:VALUE", "set a header of the head"),
    ("no-header=NAME", "remove a header of the head"),
    ("shorten=BYTES", "leave out the end of the body"),
    ("lengthen=BYTES", "add to the body"),
    ("flip-body=BYTE.BIT", "flip a bit before there are frames"),
    ("trailer-text=BYTE", "end the payload as lambda_runtime fails"),
];

/// Every condition as text, and what it does in a few words. [`FaultRule`] explains them.
pub const SELECTION_FORMS: [(&str, &str); 6] = [
    ("of=NAME", "only of this function"),
    ("on=K|A-B|A-", "the K-th invocation, or a range"),
    ("every=K", "every K-th"),
    ("p=P", "with this probability"),
    ("seed=N", "another series of chances"),
    ("times=N", "the first N of these"),
];

/// What an `error` frame says that was not told.
const ERROR_CODE: &str = "InternalFailure";
/// What an `exception` frame is that was not told.
const EXCEPTION_TYPE: &str = "ServiceException";
/// The type of an event that no model knows.
const UNKNOWN_EVENT: &str = "EventOfAFault";
/// The message of both.
const MESSAGE: &str = "a fault was asked for";
/// What a frame declares that was not told: what no limit lets pass.
const LENGTH_BYTES: u32 = u32::MAX;
/// The statuses that are errors.
const ERROR_STATUSES: std::ops::RangeInclusive<u16> = 400..=599;

impl FromStr for Fault {
    type Err = Error;

    fn from_str(spec: &str) -> Result<Self, Error> {
        if spec.contains(',') {
            return Err(bad(format!("{spec:?} has conditions, which a fault alone has not")));
        }
        let words = Words::of(spec);
        let name = words.name;
        Ok(match name {
            "cut" => {
                let at = place(&words)?;
                let closing = match words.more {
                    None | Some("close") => Closing::Close,
                    Some("end") if at != Place::Head => Closing::End,
                    Some("reset") => Closing::Reset,
                    Some(other) => {
                        let known = match at {
                            Place::Head => "close or reset",
                            _ => "end, close or reset",
                        };
                        return Err(words.wrong(other, known));
                    }
                };
                Self::Cut { at, closing }
            }
            "stall" => Self::Stall { at: place(&words)?, time: words.more.map(time).transpose()? },
            "drip" => {
                let value = words.only_value()?;
                let (bytes, every) = value
                    .split_once('/')
                    .ok_or_else(|| words.wrong(value, "BYTES/TIME, such as 100/50ms"))?;
                Self::Drip { bytes: positive(&words, bytes)?, every: time(every)? }
            }
            "flip" | "flip-body" => {
                let value = words.only_value()?;
                let (byte, bit) = bits(value).ok_or_else(|| {
                    words.wrong(value, "BYTE.BIT, such as 517.3; a bit is 0 to 7")
                })?;
                match name {
                    "flip" => Self::Flip { byte, bit },
                    _ => Self::FlipBody { byte, bit },
                }
            }
            "crc" => Self::Crc(lone_frame(&words)?),
            "prelude-crc" => Self::PreludeCrc(lone_frame(&words)?),
            "length" => Self::Length {
                frame: frame(&words, words.value()?)?,
                bytes: words.more.map_or(Ok(LENGTH_BYTES), |bytes| small_size(&words, bytes))?,
            },
            "error" | "exception" => {
                let frame = frame(&words, words.value()?)?;
                let is_error = name == "error";
                let (what, message) = match words.more.map(|more| more.split_once(':')) {
                    None => (None, None),
                    Some(None) => (words.more, None),
                    Some(Some((what, message))) => (Some(what), Some(message)),
                };
                let default = if is_error { ERROR_CODE } else { EXCEPTION_TYPE };
                let what = words.text_or(what, default)?;
                let message = words.text_or(message, MESSAGE)?;
                match is_error {
                    true => Self::ErrorFrame { frame, code: what, message },
                    false => Self::ExceptionFrame { frame, exception: what, message },
                }
            }
            "unknown-event" => Self::UnknownEvent {
                frame: frame(&words, words.value()?)?,
                event: words.text_or(words.more, UNKNOWN_EVENT)?,
            },
            "no-complete" => words.alone(Self::NoComplete)?,
            "late-chunk" => Self::LateChunk(small_size(&words, words.only_value()?)?),
            "late-junk" => Self::LateJunk(small_size(&words, words.only_value()?)?),
            "throttle" => throttle(&words)?,
            "refuse" | "refuse-after" => refuse(&words)?,
            "cold" => Self::Cold(time(words.only_value()?)?),
            "crash" => {
                words.no_more()?;
                Self::Crash { after: words.value.map(size).transpose()? }
            }
            "timeout" => Self::Timeout(time(words.only_value()?)?),
            "version" => Self::Version(words.text_or(Some(words.only_value()?), "")?),
            "split" => Self::Split {
                bytes: positive(&words, words.value()?)?,
                head_only: match words.more {
                    None => false,
                    Some("head") => true,
                    Some(other) => return Err(words.wrong(other, "head, or nothing")),
                },
            },
            "no-head" => words.alone(Self::NoHead)?,
            "pad-head" => Self::PadHead(small_size(&words, words.only_value()?)?),
            "endless-head" => words.alone(Self::EndlessHead)?,
            "header" => Self::Header {
                name: words.text_or(words.value, "")?,
                value: text(words.more.ok_or_else(|| words.wrong(spec, "header=NAME:VALUE"))?)?,
            },
            "no-header" => Self::NoHeader(words.text_or(Some(words.only_value()?), "")?),
            "shorten" => Self::Shorten(small_size(&words, words.only_value()?)?),
            "lengthen" => Self::Lengthen(size(words.only_value()?)?),
            "trailer-text" => Self::TrailerText(size(words.only_value()?)?),
            _ => return Err(unknown("fault", name, FAULT_FORMS.map(|(form, _)| form))),
        })
    }
}

impl FromStr for FaultRule {
    type Err = Error;

    fn from_str(spec: &str) -> Result<Self, Error> {
        let mut parts = spec.split(',');
        let mut rule = Self::new(parts.next().unwrap_or_default().parse()?);
        for part in parts {
            let words = Words::of(part);
            let value = || words.value();
            words.no_more()?;
            match words.name {
                "of" => rule.function = Some(words.text_or(words.value, "")?),
                "on" => {
                    let (first, last) = match value()?.split_once('-') {
                        None => (number(value()?)?, number(value()?)?),
                        Some((first, "")) => (number(first)?, u64::MAX),
                        Some((first, last)) => (number(first)?, number(last)?),
                    };
                    if first == 0 || first > last {
                        return Err(words.wrong(value()?, "K, A-B or A-, counted from 1"));
                    }
                    (rule.first, rule.last) = (first, last);
                }
                "every" => rule.every = positive(&words, value()?)?,
                "p" => rule.probability = probability(value()?)?,
                "seed" => rule.seed = number(value()?)?,
                "times" => rule.times = number(value()?)?,
                name => {
                    return Err(unknown("condition", name, SELECTION_FORMS.map(|(form, _)| form)));
                }
            }
        }
        Ok(rule)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { at, closing } => write!(f, "cut={at}:{closing}"),
            Self::Stall { at, time: None } => write!(f, "stall={at}"),
            Self::Stall { at, time: Some(time) } => write!(f, "stall={at}:{}", Unit(*time)),
            Self::Drip { bytes, every } => write!(f, "drip={}/{}", bytes.max(&1), Unit(*every)),
            Self::Flip { byte, bit } => write!(f, "flip={byte}.{}", bit & 7),
            Self::Crc(frame) => write!(f, "crc={frame}"),
            Self::PreludeCrc(frame) => write!(f, "prelude-crc={frame}"),
            Self::Length { frame, bytes } => write!(f, "length={frame}:{bytes}"),
            Self::ErrorFrame { frame, code: what, message } => {
                write!(f, "error={frame}:{}:{}", Escaped(what), Escaped(message))
            }
            Self::ExceptionFrame { frame, exception: what, message } => {
                write!(f, "exception={frame}:{}:{}", Escaped(what), Escaped(message))
            }
            Self::UnknownEvent { frame, event } => {
                write!(f, "unknown-event={frame}:{}", Escaped(event))
            }
            Self::NoComplete => f.write_str("no-complete"),
            Self::LateChunk(bytes) => write!(f, "late-chunk={bytes}"),
            Self::LateJunk(bytes) => write!(f, "late-junk={bytes}"),
            Self::Throttle { reason, retry_after_s } => {
                write!(f, "throttle={}", reason.as_str())?;
                match retry_after_s {
                    None => Ok(()),
                    Some(seconds) => write!(f, ":retry-after={seconds}"),
                }
            }
            Self::Refuse { status, error_type, after } => {
                let name = if *after { "refuse-after" } else { "refuse" };
                write!(f, "{name}={status}:{}", Escaped(error_type))
            }
            Self::Cold(time) => write!(f, "cold={}", Unit(*time)),
            Self::Crash { after: None } => f.write_str("crash"),
            Self::Crash { after: Some(bytes) } => write!(f, "crash={bytes}"),
            Self::Timeout(time) => write!(f, "timeout={}", Unit(*time)),
            Self::Version(version) => write!(f, "version={}", Escaped(version)),
            Self::Split { bytes, head_only } => {
                write!(f, "split={}{}", bytes.max(&1), if *head_only { ":head" } else { "" })
            }
            Self::NoHead => f.write_str("no-head"),
            Self::PadHead(bytes) => write!(f, "pad-head={bytes}"),
            Self::EndlessHead => f.write_str("endless-head"),
            Self::Header { name, value } => {
                write!(f, "header={}:{}", Escaped(name), Escaped(value))
            }
            Self::NoHeader(name) => write!(f, "no-header={}", Escaped(name)),
            Self::Shorten(bytes) => write!(f, "shorten={bytes}"),
            Self::Lengthen(bytes) => write!(f, "lengthen={bytes}"),
            Self::FlipBody { byte, bit } => write!(f, "flip-body={byte}.{}", bit & 7),
            Self::TrailerText(byte) => write!(f, "trailer-text={byte}"),
        }
    }
}

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)?;
        if let Some(function) = &self.function {
            write!(f, ",of={}", Escaped(function))?;
        }
        match (self.first, self.last) {
            (1, u64::MAX) => {}
            (first, u64::MAX) => write!(f, ",on={first}-")?,
            (first, last) if first == last => write!(f, ",on={first}")?,
            (first, last) => write!(f, ",on={first}-{last}")?,
        }
        if self.every != 1 {
            write!(f, ",every={}", self.every)?;
        }
        if self.probability != 1.0 {
            write!(f, ",p={}", self.probability)?;
        }
        if self.seed != 0 {
            write!(f, ",seed={}", self.seed)?;
        }
        if self.times != u64::MAX {
            write!(f, ",times={}", self.times)?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::Byte(byte) => byte.fmt(f),
            Self::Frame(frame, 0) => write!(f, "frame.{frame}"),
            Self::Frame(frame, bytes) => write!(f, "frame.{frame}+{bytes}"),
        }
    }
}

impl fmt::Display for FrameNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(number) => number.fmt(f),
            Self::Last => f.write_str("last"),
        }
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "end",
            Self::Close => "close",
            Self::Reset => "reset",
        })
    }
}

fn place(words: &Words<'_>) -> Result<Place, Error> {
    let value = words.value()?;
    if value == "head" {
        return Ok(Place::Head);
    }
    let Some(rest) = value.strip_prefix("frame.") else {
        return size(value).map(Place::Byte).map_err(|_| {
            words.wrong(value, "a place: head, N bytes, frame.FRAME or frame.FRAME+N")
        });
    };
    let (which, bytes) = match rest.split_once('+') {
        None => (rest, 0),
        Some((which, bytes)) => (which, size(bytes)?),
    };
    Ok(Place::Frame(frame(words, which)?, bytes))
}

fn frame(words: &Words<'_>, text: &str) -> Result<FrameNumber, Error> {
    match (text, number(text)) {
        ("last", _) => Ok(FrameNumber::Last),
        (_, Ok(nth)) if nth > 0 => Ok(FrameNumber::Nth(nth)),
        _ => Err(words.wrong(text, "a frame: a number from 1, or last")),
    }
}

fn lone_frame(words: &Words<'_>) -> Result<FrameNumber, Error> {
    frame(words, words.only_value()?)
}

fn small_size(words: &Words<'_>, text: &str) -> Result<u32, Error> {
    u32::try_from(size(text)?).map_err(|_| words.wrong(text, "less than 4 GiB"))
}

fn positive(words: &Words<'_>, text: &str) -> Result<u64, Error> {
    match size(text)? {
        0 => Err(words.wrong(text, "a number above 0")),
        positive => Ok(positive),
    }
}

fn throttle(words: &Words<'_>) -> Result<Fault, Error> {
    let reason = match words.value {
        None => ThrottleReason::ReservedConcurrency,
        Some(word) => ThrottleReason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .ok_or_else(|| {
                let known = ThrottleReason::ALL.map(ThrottleReason::as_str).join(", ");
                words.wrong(word, &format!("a reason: {known}"))
            })?,
    };
    let retry_after_s = match words.more {
        None => None,
        Some(more) => {
            let seconds = more
                .strip_prefix("retry-after=")
                .and_then(|seconds| seconds.parse().ok())
                .ok_or_else(|| words.wrong(more, "retry-after=SECONDS"))?;
            Some(seconds)
        }
    };
    Ok(Fault::Throttle { reason, retry_after_s })
}

fn refuse(words: &Words<'_>) -> Result<Fault, Error> {
    let value = words.value()?;
    let status = value
        .parse()
        .ok()
        .filter(|status| ERROR_STATUSES.contains(status))
        .ok_or_else(|| words.wrong(value, "a status of 400 to 599"))?;
    let error_type = match (words.more, status) {
        (Some(_), _) => words.text_or(words.more, "")?,
        (None, 429) => "TooManyRequestsException".into(),
        (None, 500) => "ServiceException".into(),
        (None, 502) => "ResourceNotReadyException".into(),
        (None, 503) => "ServiceUnavailableException".into(),
        (None, _) => return Err(words.wrong(value, "STATUS:TYPE, such as 410:EFSIOException")),
    };
    Ok(Fault::Refuse { status, error_type, after: words.name == "refuse-after" })
}

fn unknown<const N: usize>(what: &str, name: &str, forms: [&str; N]) -> Error {
    let known = forms.map(|form| form.split(['[', '=', ':']).next().unwrap_or(form));
    bad(format!("there is no {what} {}; known are {}", escaped(name), known.join(", ")))
}

#[cfg(test)]
mod tests;
