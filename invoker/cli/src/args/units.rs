//! A number with a unit goes in, as people type it; bytes, a duration or a count comes out.

use std::time::Duration;

/// Bytes: a number and a unit of 1,000 (`KB`, `MB`, `GB`) or 1,024 (`KiB`, `MiB`, `GiB`).
pub(super) fn size(text: &str) -> Result<u64, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Ok(size.as_u64()),
        _ => Err("a size is a number above 0 and a unit, such as 5MiB, 64KiB or 5000000".into()),
    }
}

/// A time: a number and its unit; seconds where there is none.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const SECONDS_OF: [(&str, f64); 5] =
        [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let parsed = SECONDS_OF.iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?;
        // Digits alone: a number may also be written `1e3` or `inf`, but not by people who mean it.
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        Some(number.parse::<f64>().ok().filter(|_| plain)? * seconds)
    });
    parsed
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| {
            "a time above 0 is needed: in seconds, or with a unit, such as 30, 500ms, 10s or 2m"
                .into()
        })
}

/// How many of something there must be at least one of.
pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("a whole number above 0 is needed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("5MiB", 5 << 20),
            ("5MB", 5_000_000),
            ("1GB", 1_000_000_000),
            ("1GiB", 1 << 30),
            ("64KiB", 64 << 10),
            ("1.5KiB", 1536),
            ("5 MiB", 5 << 20),
            ("5mib", 5 << 20),
            ("17", 17),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "0", "0MiB", "five", "-1", "5 apples", "MiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("30", 30_000),
            ("0.5", 500),
            ("500ms", 500),
            ("10s", 10_000),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "0", "0s", "-1", "inf", "1e3", "s", "ms", "5 apples", "10d", "1.2.3"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(duration("99999999999999999999999h").is_err());
    }

    #[test]
    fn counts_are_above_0() {
        assert_eq!(count("7"), Ok(7));
        assert!(count("0").is_err() && count("-1").is_err() && count("many").is_err());
    }
}
