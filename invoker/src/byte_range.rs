//! Byte ranges: half-open inside this crate, inclusive in HTTP headers. Converted here, nowhere
//! else. Pure.

use std::ops::Range;

/// The value of a `Range` header that asks for `range`, which is not empty. An end of `u64::MAX`
/// means the end of the object, wherever that is.
pub(crate) fn header(range: &Range<u64>) -> String {
    match range.end {
        u64::MAX => format!("bytes={}-", range.start),
        end => format!("bytes={}-{}", range.start, end.saturating_sub(1)),
    }
}

/// What a `Content-Range` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// `bytes 0-4/10`, or `bytes 0-4/*` where the size is not known.
    Part { range: Range<u64>, size: Option<u64> },
    /// `bytes */10`: no byte of the asked range exists.
    None { size: u64 },
}

impl ContentRange {
    /// Strict: what is not exactly of one of the forms of RFC 9110, section 14.4, is nothing.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let (range, size) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
        if range == "*" {
            return Some(Self::None { size: number(size)? });
        }
        let (first, last) = range.split_once('-')?;
        let range = number(first)?..number(last)?.checked_add(1)?;
        let size = if size == "*" { None } else { Some(number(size)?) };
        let sound = range.start < range.end && size.is_none_or(|size| range.end <= size);
        sound.then_some(Self::Part { range, size })
    }
}

/// Digits only: `parse` alone would take a sign as well.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_inclusive() {
        assert_eq!(header(&(0..5)), "bytes=0-4");
        assert_eq!(header(&(5..u64::MAX)), "bytes=5-");
    }

    #[test]
    fn content_ranges_are_parsed_or_refused() {
        let part = |range, size| Some(ContentRange::Part { range, size });
        let table = [
            ("bytes 0-4/10", part(0..5, Some(10))),
            ("bytes 9-9/10", part(9..10, Some(10))),
            ("bytes 0-4/*", part(0..5, None)),
            ("bytes */10", Some(ContentRange::None { size: 10 })),
            ("bytes */0", Some(ContentRange::None { size: 0 })),
            ("bytes 0-10/10", None),
            ("bytes 5-4/10", None),
            ("bytes */*", None),
            ("bytes +0-4/10", None),
            ("bytes 0-4", None),
            ("0-4/10", None),
            ("bytes 0-18446744073709551615/*", None),
        ];
        for (header, expected) in table {
            assert_eq!(ContentRange::parse(header), expected, "{header}");
        }
    }
}
