//! The words of a fault's text: in, `NAME=VALUE:MORE`; out, its parts, and what they stand for, or
//! what is wrong with them.

use crate::error::{Error, ErrorKind};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::time::Duration;

/// What separates words, and so is written as `%XX` inside of one.
const SEPARATORS: &AsciiSet = &CONTROLS.add(b',').add(b':').add(b'%');

/// The units of a time, the largest first, and their nanoseconds.
const TIME_UNITS: [(&str, u64); 4] =
    [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
/// The units of a size.
const SIZE_UNITS: [(&str, u64); 2] = [("KiB", 1 << 10), ("MiB", 1 << 20)];

/// The parts of one fault or condition.
pub(super) struct Words<'s> {
    pub(super) name: &'s str,
    pub(super) value: Option<&'s str>,
    pub(super) more: Option<&'s str>,
}

impl<'s> Words<'s> {
    pub(super) fn of(spec: &'s str) -> Self {
        let (front, more) = match spec.split_once(':') {
            None => (spec, None),
            Some((front, more)) => (front, Some(more)),
        };
        match front.split_once('=') {
            None => Self { name: front, value: None, more },
            Some((name, value)) => Self { name, value: Some(value), more },
        }
    }

    pub(super) fn value(&self) -> Result<&'s str, Error> {
        match self.value {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(bad(format!("{} needs a value: {}=...", self.name, self.name))),
        }
    }

    /// The value, where nothing may follow.
    pub(super) fn only_value(&self) -> Result<&'s str, Error> {
        self.no_more()?;
        self.value()
    }

    pub(super) fn no_more(&self) -> Result<(), Error> {
        match self.more {
            None => Ok(()),
            Some(more) => Err(self.wrong(more, "nothing there")),
        }
    }

    /// What has neither value nor more.
    pub(super) fn alone<T>(&self, meant: T) -> Result<T, Error> {
        self.no_more()?;
        match self.value {
            None => Ok(meant),
            Some(value) => Err(self.wrong(value, "no value")),
        }
    }

    /// A text that is not empty, or what stands for one that was not told.
    pub(super) fn text_or(&self, word: Option<&str>, default: &str) -> Result<String, Error> {
        let told = word.map_or_else(|| Ok(default.to_owned()), text)?;
        match told.is_empty() {
            true => Err(bad(format!("{} needs a text that is not empty", self.name))),
            false => Ok(told),
        }
    }

    pub(super) fn wrong(&self, word: &str, right: &str) -> Error {
        bad(format!("{} has {}; it takes {right}", self.name, escaped(word)))
    }
}

pub(super) fn bad(why: String) -> Error {
    Error::new(ErrorKind::Fault(why))
}

/// A word as a message quotes it.
pub(super) fn escaped(word: &str) -> String {
    format!("{word:?}")
}

/// A text with its `%XX` decoded.
pub(super) fn text(word: &str) -> Result<String, Error> {
    percent_decode_str(word)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| bad(format!("{} is not UTF-8 when decoded", escaped(word))))
}

pub(super) fn number(word: &str) -> Result<u64, Error> {
    // `parse` alone would take a sign.
    let digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| word.parse().ok())
        .flatten()
        .ok_or_else(|| bad(format!("{} is not a whole number", escaped(word))))
}

/// A number of bytes.
pub(super) fn size(word: &str) -> Result<u64, Error> {
    let unit =
        SIZE_UNITS.iter().find_map(|(unit, factor)| Some((word.strip_suffix(unit)?, factor)));
    let (digits, factor) = unit.unwrap_or((word, &1));
    let wrong = || bad(format!("{} is no size such as 1000, 64KiB or 5MiB", escaped(word)));
    number(digits).ok().and_then(|number| number.checked_mul(*factor)).ok_or_else(wrong)
}

pub(super) fn time(word: &str) -> Result<Duration, Error> {
    let wrong = || bad(format!("{} is no time such as 2s, 50ms or 10us", escaped(word)));
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &word[digits.len()..];
    let (_, nanos) = TIME_UNITS.iter().find(|(known, _)| *known == unit).ok_or_else(wrong)?;
    let number = number(digits).map_err(|_| wrong())?;
    let per_second = TIME_UNITS[0].1 / nanos;
    // A remainder is below a second.
    let below = u32::try_from(number % per_second * nanos).map_err(|_| wrong())?;
    Ok(Duration::new(number / per_second, below))
}

pub(super) fn probability(word: &str) -> Result<f64, Error> {
    word.parse()
        .ok()
        .filter(|p| (0.0..=1.0).contains(p))
        .ok_or_else(|| bad(format!("{} is no probability of 0 to 1", escaped(word))))
}

/// `BYTE.BIT`.
pub(super) fn bits(word: &str) -> Option<(u64, u8)> {
    let (byte, bit) = word.split_once('.')?;
    let bit = number(bit).ok().filter(|bit| *bit <= 7)?;
    Some((number(byte).ok()?, bit as u8))
}

/// A text with what separates words encoded.
pub(super) struct Escaped<'s>(pub(super) &'s str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", utf8_percent_encode(self.0, SEPARATORS))
    }
}

/// A time in the largest unit that gives a whole number.
pub(super) struct Unit(pub(super) Duration);

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let whole = TIME_UNITS.iter().find(|(_, unit)| nanos.is_multiple_of(u128::from(*unit)));
        let (unit, factor) = whole.copied().unwrap_or(("ns", 1));
        write!(f, "{}{unit}", nanos / u128::from(factor))
    }
}
