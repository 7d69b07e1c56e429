//! What was typed about a function and its object goes in; who is asked, and for what, comes out.

use clap::Args;
use invoker::{Checksum, Wanted};

/// Who is asked, and for what.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// A name, `name:qualifier`, an ARN or a Function URL; or `local:`, `local:DIR`
    #[arg(value_parser = function)]
    pub(crate) function: String,
    /// The name of an object that the function has
    #[arg(conflicts_with = "payload")]
    pub(crate) object: Option<String>,
    /// The event for the function, in place of an object; `-` is stdin
    #[arg(short, long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) payload: Option<String>,
    /// The version or alias of the function
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) qualifier: Option<String>,
    /// The tenant, for functions with tenant isolation
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub(crate) tenant_id: Option<String>,
    /// The client context that the function gets beside the payload: a JSON object, or `@FILE`
    #[arg(long, value_name = "JSON|@FILE", hide_short_help = true)]
    pub(crate) client_context: Option<String>,
}

/// Which bytes, and what they should be.
#[derive(Debug, Args)]
pub(crate) struct Bytes {
    /// Only these bytes: FIRST-LAST, FIRST- or -LENGTH, as in HTTP
    #[arg(long, value_parser = range, allow_hyphen_values = true)]
    pub(crate) range: Option<Wanted>,
    /// Check the bytes against this sum: sha256:… or crc64nvme:…
    #[arg(long, value_name = "SUM", value_parser = checksum)]
    pub(crate) checksum: Option<Checksum>,
}

fn function(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("the name of a function is needed".into()),
        false => Ok(text.to_owned()),
    }
}

pub(super) fn checksum(text: &str) -> Result<Checksum, String> {
    text.parse().map_err(|error: invoker::Error| error.to_string())
}

fn range(text: &str) -> Result<Wanted, String> {
    let digits =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
    let parsed = text.split_once('-').and_then(|(first, last)| {
        Some(match (first, last) {
            ("", length) => Wanted::Last(digits(length)?),
            (first, "") => Wanted::From(digits(first)?),
            (first, last) => Wanted::Range(digits(first)?..digits(last)?.checked_add(1)?),
        })
    });
    match parsed {
        Some(Wanted::Range(range)) if range.is_empty() => {
            Err("the last byte of a range cannot be before its first".into())
        }
        Some(Wanted::Last(0)) => Err("a range of the last 0 bytes is none".into()),
        Some(wanted) => Ok(wanted),
        None => Err("a range is FIRST-LAST, FIRST- or -LENGTH, counted from 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_or_refused() {
        assert_eq!(range("0-4"), Ok(Wanted::Range(0..5)));
        assert_eq!(range("7-"), Ok(Wanted::From(7)));
        assert_eq!(range("-7"), Ok(Wanted::Last(7)));
        for wrong in ["", "-", "5", "4-3", "a-b", "-0", "+1-2", "0-18446744073709551615"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
