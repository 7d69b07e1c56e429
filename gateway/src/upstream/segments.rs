//! A request for an object comes in; its bytes go out as one answer, fetched by many short invocations side
//! by side, in order and in bounded memory. What is no such request, or no such object, is left to a plain call.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use invoker::{
    DEFAULT_IN_FLIGHT, ErrorKind, Invocation, Invoker, MemoryBudget, OrderedBytes, Wanted,
};

use super::lambda::{self, failure};
use super::{Answer, Failure};
use crate::config::{EventFormat, Prelude, Segments};
use crate::event::Shown;

/// Headers that make an answer depend on what there is, which only the function knows.
const CONDITIONS: [header::HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
];

/// How objects are fetched.
pub(super) struct BySegments {
    settings: Segments,
    /// Of all requests together.
    budget: MemoryBudget,
    prelude: Prelude,
}

impl BySegments {
    pub(super) fn new(settings: Segments, budget: &MemoryBudget, prelude: Prelude) -> Self {
        Self { settings, budget: budget.clone(), prelude }
    }

    /// `None` if it is to be asked for by a plain call.
    pub(super) async fn ask(
        &self,
        invoker: &Invoker,
        invocation: &Invocation,
        format: EventFormat,
        shown: &Shown<'_>,
    ) -> Result<Option<Answer>, Failure> {
        let Some(wanted) = wanted(&shown.request.method, &shown.request.headers) else {
            return Ok(None);
        };
        // Each segment has the same event, and its range beside it.
        let event = shown.without(&header::RANGE, |shown| shown.event(format))?;
        let mut download = invoker
            .download(invocation.clone().payload(event))
            .compression(false)
            .memory_budget(&self.budget)
            .wanted(wanted.clone());
        if let Some(bytes) = self.settings.segment_size {
            download = download.segment_size(bytes);
        }
        let most = self.settings.in_flight.map_or(DEFAULT_IN_FLIGHT, std::num::NonZeroUsize::get);
        download = download.max_in_flight(most);
        if let Wanted::Range(range) = &wanted
            && range.end - range.start <= download.ordered_segment_size()
        {
            return Ok(None); // one invocation is enough, and the function knows best how to answer
        }
        match download.in_order().await {
            Ok(bytes) if self.prelude == Prelude::Always && bytes.head().is_none() => {
                Err(lambda::no_head(None))
            }
            Ok(bytes) => answer(bytes, &wanted).map(Some),
            // The function said no, in its own words, which a plain call passes on; or it has no
            // ranges, or no version that could be asked for again.
            Err(error)
                if matches!(error.kind(), ErrorKind::Answer { .. } | ErrorKind::Inconsistent) =>
            {
                Ok(None)
            }
            Err(error) => Err(failure(error)),
        }
    }
}

/// What of the object is asked for; `None` if only the function can tell.
fn wanted(method: &Method, headers: &HeaderMap) -> Option<Wanted> {
    if method != Method::GET || CONDITIONS.iter().any(|name| headers.contains_key(name)) {
        return None;
    }
    let mut ranges = headers.get_all(header::RANGE).iter();
    match (ranges.next(), ranges.next()) {
        (None, _) => Some(Wanted::All),
        (Some(range), None) => range.to_str().ok().and_then(one_range),
        (Some(_), Some(_)) => None,
    }
}

/// `bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-LENGTH` (RFC 9110, section 14.1.2).
fn one_range(text: &str) -> Option<Wanted> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    // `parse` alone would take a sign as well.
    let number = |digits: &str| {
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    match (unit.eq_ignore_ascii_case("bytes"), first, last) {
        (true, "", length) => number(length).filter(|length| *length > 0).map(Wanted::Last),
        (true, first, "") => number(first).map(Wanted::From),
        (true, first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(())?;
            Some(Wanted::Range(first..last.checked_add(1)?))
        }
        _ => None,
    }
}

/// As one plain call would have answered.
fn answer(bytes: OrderedBytes, wanted: &Wanted) -> Result<Answer, Failure> {
    let description = bytes.description();
    let executed_version = description.executed_version.clone();
    let object = description.size.filter(|_| description.ranges);
    let (mut status, mut headers) = lambda::head(bytes.head())?;
    if let Some(size) = object {
        let given = given(wanted, size);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(given.end - given.start));
        status = match wanted {
            Wanted::All => StatusCode::OK,
            _ => StatusCode::PARTIAL_CONTENT,
        };
        let range = format!("bytes {}-{}/{size}", given.start, given.end.saturating_sub(1));
        if let Ok(range) = HeaderValue::from_str(&range) {
            headers.insert(header::CONTENT_RANGE, range);
        }
    }
    // The first answer may have been a range that is all there is.
    if *wanted == Wanted::All && (object.is_some() || status == StatusCode::PARTIAL_CONTENT) {
        status = StatusCode::OK;
        headers.remove(header::CONTENT_RANGE);
    }
    let body = bytes.into_body().map_err(failure).boxed_unsync();
    Ok(Answer { status, headers, body, request_id: None, executed_version })
}

/// The bytes that are given of an object of `size` bytes. There is one at least, or the function would have
/// refused.
fn given(wanted: &Wanted, size: u64) -> Range<u64> {
    match wanted {
        Wanted::All => 0..size,
        Wanted::From(start) => *start..size,
        Wanted::Range(range) => range.start..range.end.min(size),
        Wanted::Last(length) => size.saturating_sub(*length)..size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Option<Wanted> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        wanted(&Method::GET, &map)
    }

    #[test]
    fn one_plain_range_is_fetched_and_all_else_is_the_functions() {
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let table: [(Headers<'_>, Option<Wanted>); 13] = [
            (&[], Some(Wanted::All)),
            (&[("accept", "*/*")], Some(Wanted::All)),
            (&[("range", "bytes=0-9")], Some(Wanted::Range(0..10))),
            (&[("range", "Bytes=5-")], Some(Wanted::From(5))),
            (&[("range", "bytes=-7")], Some(Wanted::Last(7))),
            (&[("range", "bytes=-0")], None),
            (&[("range", "bytes=9-0")], None),
            (&[("range", "bytes=+1-2")], None),
            (&[("range", "bytes=0-1,3-4")], None),
            (&[("range", "bytes=0-18446744073709551615")], None),
            (&[("range", "lines=0-9")], None),
            (&[("range", "bytes=0-1"), ("range", "bytes=3-4")], None),
            (&[("range", "bytes=0-1"), ("if-range", "\"a\"")], None),
        ];
        for (headers, expected) in table {
            assert_eq!(asked(headers), expected, "{headers:?}");
        }
        assert_eq!(asked(&[("if-none-match", "\"a\"")]), None);
        assert_eq!(wanted(&Method::HEAD, &HeaderMap::new()), None);
    }
}
