//! What a caller accepts and what a handler says of its answer come in; the encoding that the answer
//! gets goes out, and its headers say so.

mod accepted;
mod encoded;
mod media_type;

use accepted::Accepted;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

pub(crate) use encoded::Encoded;

/// A body that promises fewer bytes than this is left alone: it is one packet either way.
const SMALLEST_BYTES: u64 = 1024;

/// The encodings, the one to be preferred first: zstd takes least of the function's time, small writes
/// included; brotli makes the smaller result of the other two when it is flushed often.
const PREFERRED: [Encoding; 3] = [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip];

/// How the bytes of an answer are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Encoding {
    /// Its name in a header, from the IANA registry.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// Decides for an answer without a range, and puts the decision into its headers. `wanted` is the word
/// of the handler, if it said one.
pub(crate) fn choose(
    accept_encoding: Option<&str>,
    status: StatusCode,
    headers: &mut HeaderMap,
    wanted: Option<bool>,
    promised: Option<u64>,
) -> Option<Encoding> {
    let accepted = accept_encoding.map(Accepted::parse).unwrap_or_default();
    let worth = wanted.unwrap_or_else(|| media_type::is_text(headers.get(CONTENT_TYPE)))
        && promised.is_none_or(|bytes| bytes >= SMALLEST_BYTES);
    if wanted == Some(false) || !(worth || accepted.refuses_plain()) || is_fixed(status, headers) {
        return None;
    }
    // Said of the plain answer too: another caller would have got another one.
    vary(headers);
    let encoding = accepted.best()?;
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    headers.remove(CONTENT_LENGTH);
    weaken_etag(headers);
    Some(encoding)
}

/// Whether its headers speak of these very bytes, so that no others may stand behind them.
fn is_fixed(status: StatusCode, headers: &HeaderMap) -> bool {
    /// Beside those with a constant; checksums of S3 are known by their prefix.
    const DIGESTS: [&str; 4] = ["content-digest", "content-md5", "digest", "repr-digest"];
    const CHECKSUM: &str = "x-amz-checksum-";
    let by_name = [CONTENT_ENCODING, CONTENT_RANGE, ACCEPT_RANGES];
    status == StatusCode::PARTIAL_CONTENT
        || by_name.iter().any(|name| headers.contains_key(name))
        || DIGESTS.iter().any(|name| headers.contains_key(*name))
        || headers.keys().any(|name| name.as_str().starts_with(CHECKSUM))
        || names(headers, &CACHE_CONTROL, "no-transform")
}

fn vary(headers: &mut HeaderMap) {
    if !names(headers, &VARY, "accept-encoding") && !names(headers, &VARY, "*") {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// Whether a header that is a list has `wanted` in it.
fn names(headers: &HeaderMap, name: &http::HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(wanted))
}

/// A strong tag is of the handler's own bytes (RFC 9110 section 8.8.3.3); the weak one of the same name
/// says that the encoded ones mean the same.
fn weaken_etag(headers: &mut HeaderMap) {
    if let Some(tag) = headers.get(ETAG)
        && tag.as_bytes().starts_with(b"\"")
    {
        match HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
            Ok(weak) => headers.insert(ETAG, weak),
            Err(_) => headers.remove(ETAG),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    const CSV: (&str, &str) = ("content-type", "text/csv; charset=utf-8");

    #[test]
    fn an_encoded_answer_says_so() {
        let mut said =
            headers(&[CSV, ("content-length", "5000"), ("etag", "\"v1\""), ("vary", "range")]);
        let encoding = choose(Some("zstd, gzip"), StatusCode::OK, &mut said, None, Some(5_000));
        assert_eq!(encoding, Some(Encoding::Zstd));
        assert_eq!(said["content-encoding"], "zstd");
        assert_eq!(said["etag"], "W/\"v1\"");
        assert!(!said.contains_key("content-length"));
        let vary: Vec<_> = said.get_all("vary").iter().collect();
        assert_eq!(vary, ["range", "accept-encoding"]);
    }

    #[test]
    fn what_is_left_alone() {
        let ok = StatusCode::OK;
        type Answer<'a> = (StatusCode, &'a [(&'a str, &'a str)], Option<bool>, Option<u64>);
        let table: &[Answer] = &[
            (ok, &[("content-type", "image/png")], None, None),
            (ok, &[("content-type", "application/octet-stream")], None, None),
            (ok, &[], None, None),
            (ok, &[CSV], Some(false), None),
            (ok, &[CSV], None, Some(SMALLEST_BYTES - 1)),
            (ok, &[CSV, ("content-encoding", "br")], Some(true), None),
            (ok, &[CSV, ("accept-ranges", "bytes")], None, None),
            (ok, &[CSV, ("repr-digest", "sha-256=:AA==:")], None, None),
            (ok, &[CSV, ("x-amz-checksum-crc64nvme", "AQIDBAUGBwg=")], None, None),
            (ok, &[CSV, ("cache-control", "public, No-Transform")], None, None),
            (StatusCode::PARTIAL_CONTENT, &[CSV], None, None),
            (StatusCode::PARTIAL_CONTENT, &[CSV, ("content-range", "bytes 0-1/2")], None, None),
        ];
        for &(status, pairs, wanted, promised) in table {
            let (mut said, before) = (headers(pairs), headers(pairs));
            let encoding = choose(Some("gzip"), status, &mut said, wanted, promised);
            assert_eq!((encoding, said), (None, before), "{pairs:?} {wanted:?} {promised:?}");
        }
    }

    #[test]
    fn what_the_handler_wants_counts_before_the_media_type() {
        let mut said = headers(&[("content-type", "application/octet-stream")]);
        let encoding = choose(Some("gzip"), StatusCode::OK, &mut said, Some(true), None);
        assert_eq!(encoding, Some(Encoding::Gzip));
    }

    #[test]
    fn a_caller_who_takes_nothing_plain_gets_all_encoded() {
        let mut said = headers(&[("content-type", "image/png"), ("content-length", "5")]);
        let accept = Some("gzip, identity;q=0");
        let encoding = choose(accept, StatusCode::OK, &mut said, None, Some(5));
        assert_eq!(encoding, Some(Encoding::Gzip));
    }

    #[test]
    fn a_plain_answer_varies_too() {
        for accept in [None, Some("identity"), Some("deflate")] {
            let mut said = headers(&[CSV]);
            assert_eq!(choose(accept, StatusCode::OK, &mut said, None, None), None);
            assert_eq!(said, headers(&[CSV, ("vary", "accept-encoding")]), "{accept:?}");
        }
    }
}
