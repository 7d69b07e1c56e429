//! A case and the answer to it go in; whether it is the one that the contract wants comes out, with what
//! was expected and what came. Pure. No byte of a body is ever in its words.

use std::ops::Range;

use bytes::Bytes;

use super::answer::{Answer, End};
use super::case::{Case, Expect, REFUSAL_MAX, SIZE_MAX};
use super::verdict::Verdict;

/// The checksum of the whole, in S3's own form.
const CHECKSUM: &str = "x-amz-checksum-crc64nvme";

/// Characters of a header's value that are quoted at most.
const QUOTED: usize = 80;

/// What earlier answers told of the object, which later ones have to agree with.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) size: u64,
    pub(super) etag: String,
    executed_version: Option<String>,
    encoding: Option<String>,
    checksum: Option<String>,
    /// Bytes that came, and their offset.
    seen: Vec<(u64, Bytes)>,
}

impl Known {
    /// What the answer to `bytes=0-0` tells, or why it tells nothing.
    pub(super) fn learn(answer: &Answer) -> Result<Self, Vec<String>> {
        let range = answer.header("content-range");
        let size = match answer.status {
            Some(206) => range.and_then(|range| range.strip_prefix("bytes 0-0/")),
            Some(416) => range.and_then(|range| range.strip_prefix("bytes */")),
            _ => None,
        };
        let size = size.and_then(|size| size.parse::<u64>().ok());
        let size = size.filter(|&size| size <= SIZE_MAX);
        let etag = answer.header("etag");
        match (size, etag) {
            (Some(size), Some(etag)) if is_strong(etag) => Ok(Self {
                size,
                etag: etag.to_owned(),
                executed_version: answer.executed_version.clone(),
                encoding: answer.header("content-encoding").map(str::to_owned),
                checksum: None,
                seen: Vec::new(),
            }),
            _ => {
                let mut faults = Vec::new();
                faults.extend(ended(&answer.end));
                match answer.status {
                    None => faults.push("expected a head with status 206, came none".to_owned()),
                    Some(206) => {}
                    Some(status) => faults.push(format!("expected status 206, came {status}")),
                }
                if size.is_none() {
                    let expected = "bytes 0-0/SIZE, with a SIZE below 2^63";
                    faults.push(differs("content-range", expected, range));
                }
                if !etag.is_some_and(is_strong) {
                    faults.push(differs("etag", "a strong one", etag));
                }
                Err(faults)
            }
        }
    }
}

/// Judges an answer, and remembers what it tells.
pub(super) fn judge(case: &Case, known: &mut Known, answer: &Answer) -> Verdict {
    let mut faults = Vec::new();
    let Some(status) = answer.status else {
        let ended = ended(&answer.end).map_or(String::new(), |ended| format!("; {ended}"));
        return Verdict::Broken(vec![format!("expected a head, came none{ended}")]);
    };
    let expected = status_of(&case.expect);
    if status != expected {
        // The rest would only say the same in other words.
        return Verdict::Broken(vec![format!("expected status {expected}, came {status}")]);
    }
    let size = known.size;
    let mut header = |name: &str, expected: &str| {
        if answer.header(name) != Some(expected) {
            faults.push(differs(name, expected, answer.header(name)));
        }
    };
    match &case.expect {
        Expect::Part(range) => {
            header("content-range", &format!("bytes {}-{}/{size}", range.start, range.end - 1));
            header("content-length", &(range.end - range.start).to_string());
        }
        Expect::Whole => header("content-length", &size.to_string()),
        Expect::Unsatisfiable => header("content-range", &format!("bytes */{size}")),
        Expect::NotModified | Expect::PreconditionFailed | Expect::NotFound => {}
    }
    if case.expect != Expect::NotFound {
        header("etag", &known.etag);
    }
    match &case.expect {
        Expect::Part(range) => {
            header("accept-ranges", "bytes");
            faults.extend(content(known, answer, range));
        }
        Expect::Whole => {
            header("accept-ranges", "bytes");
            if let Some(range) = answer.header("content-range") {
                faults.push(format!("expected no content-range, came {}", quoted(range)));
            }
            faults.extend(content(known, answer, &(0..size)));
        }
        Expect::NotModified => {
            faults.extend(ended(&answer.end));
            if !answer.body.is_empty() {
                faults.push(format!("expected no body, came {} bytes", answer.body.len()));
            }
        }
        Expect::Unsatisfiable | Expect::PreconditionFailed | Expect::NotFound => {
            faults.extend(refusal(answer));
        }
    }
    if answer.executed_version != known.executed_version {
        let of = |version: &Option<String>| {
            version.as_deref().map_or_else(|| "an unnamed one".to_owned(), quoted)
        };
        faults.push(format!(
            "expected version {} of the function, came {}",
            of(&known.executed_version),
            of(&answer.executed_version)
        ));
    }
    Verdict::of(faults)
}

/// What a body that ends early is.
const CUT_SHORT: &str = "Truncated";

/// Judges the end of a stream that was to fail midway. `by_url` says that it came over HTTP alone, where a
/// failure has no words: all that a caller can see of it is a body that ends early.
pub(super) fn failure(answer: &Answer, by_url: bool) -> Verdict {
    let good = |status: u16| (200..300).contains(&status);
    let expected = "expected an error of the function";
    match (&answer.end, answer.status) {
        (End::Whole, Some(status)) if !good(status) => {
            Verdict::NotTried(format!("it answered {status}: name one whose stream fails midway"))
        }
        (End::Whole, _) => {
            let bytes = answer.bytes;
            Verdict::Broken(vec![format!("{expected}, came a clean end after {bytes} bytes")])
        }
        (End::Left, _) => Verdict::NotTried("it had not failed where reading stopped".to_owned()),
        (End::Failed { in_body: true, error_type, .. }, _) => Verdict::Broken(vec![format!(
            "{expected} in a trailer, came {} as text in the body, which ended as if it were whole",
            quoted(error_type)
        )]),
        (End::Failed { error_type, .. }, _) => {
            let formed = ["Function.", "Runtime."].iter().any(|form| error_type.starts_with(form));
            match formed {
                true => Verdict::Kept,
                false => Verdict::Broken(vec![format!(
                    "expected an error whose type is Function.Xxx or Runtime.Xxx, came {}",
                    quoted(error_type)
                )]),
            }
        }
        (End::Broken { kind: CUT_SHORT, .. }, _) if by_url => Verdict::NotTried(
            "by its URL a function can only cut the body short, which it did: call it by its name to see \
             the type of the error"
                .to_owned(),
        ),
        (End::Broken { kind, message }, _) => {
            Verdict::Broken(vec![format!("{expected}, came {kind}: {message}")])
        }
    }
}

/// What else the first answer should tell: callers show it, and do not need it.
pub(super) fn described(answer: &Answer) -> Verdict {
    let lacking: Vec<&str> = ["content-type", "last-modified"]
        .into_iter()
        .filter(|name| answer.header(name).is_none())
        .collect();
    match lacking.is_empty() {
        true => Verdict::Kept,
        false => Verdict::Lacking(format!("no {}", lacking.join(", no "))),
    }
}

fn status_of(expect: &Expect) -> u16 {
    match expect {
        Expect::Part(_) => 206,
        Expect::Whole => 200,
        Expect::Unsatisfiable => 416,
        Expect::NotModified => 304,
        Expect::PreconditionFailed => 412,
        Expect::NotFound => 404,
    }
}

fn is_strong(etag: &str) -> bool {
    etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')
}

/// Holds the bytes of an answer to `range`, and to those that came before.
fn content(known: &mut Known, answer: &Answer, range: &Range<u64>) -> Vec<String> {
    let mut faults: Vec<String> = ended(&answer.end).into_iter().collect();
    let (came, wanted) = (answer.body.len() as u64, range.end - range.start);
    if faults.is_empty() && came != wanted && (answer.end == End::Whole || came > wanted) {
        faults.push(format!("expected {wanted} bytes, came {came}"));
    }
    if let Some(at) = known.contradiction(range.start, &answer.body) {
        faults.push(format!(
            "expected the bytes of an earlier answer of the same version, came others from {at} on"
        ));
    }
    known.seen.push((range.start, answer.body.clone()));
    let encoding = answer.header("content-encoding");
    if encoding != known.encoding.as_deref() {
        let expected = known.encoding.as_deref().unwrap_or("none");
        faults.push(differs("content-encoding", expected, encoding));
    }
    if let Some(sum) = answer.header(CHECKSUM) {
        if format!("crc64nvme:{sum}").parse::<invoker::Checksum>().is_err() {
            faults.push(differs(CHECKSUM, "8 bytes in base64", Some(sum)));
        }
        match &known.checksum {
            Some(first) if first != sum => faults.push(differs(CHECKSUM, first, Some(sum))),
            Some(_) => {}
            None => known.checksum = Some(sum.to_owned()),
        }
    }
    faults
}

impl Known {
    /// The offset of the first byte that is another one than before.
    fn contradiction(&self, offset: u64, body: &[u8]) -> Option<u64> {
        let end = offset + body.len() as u64;
        self.seen.iter().find_map(|(start, bytes)| {
            let both = (*start).max(offset)..(start + bytes.len() as u64).min(end);
            let len = both.end.checked_sub(both.start)? as usize;
            let (here, there) = ((both.start - offset) as usize, (both.start - start) as usize);
            let (here, there) = (&body[here..here + len], &bytes[there..there + len]);
            let at = here.iter().zip(there).position(|(here, there)| here != there)?;
            Some(both.start + at as u64)
        })
    }
}

/// Holds a refusal to its small JSON body.
fn refusal(answer: &Answer) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Refusal {
        #[serde(rename = "message")]
        _message: String,
    }
    let mut faults: Vec<String> = ended(&answer.end).into_iter().collect();
    if answer.end == End::Left || answer.body.len() as u64 > REFUSAL_MAX {
        faults.push(format!("expected a small body, came more than {REFUSAL_MAX} bytes"));
    } else if faults.is_empty() && serde_json::from_slice::<Refusal>(&answer.body).is_err() {
        let bytes = answer.body.len();
        faults.push(format!(
            "expected {{\"message\": \"...\"}} for a body, came {bytes} other bytes"
        ));
    }
    faults
}

/// What is wrong with an end that should be a good one.
fn ended(end: &End) -> Option<String> {
    match end {
        End::Whole | End::Left => None,
        End::Failed { error_type, message, .. } => {
            let error_type = quoted(error_type);
            Some(format!("expected a whole body, the function failed with {error_type}: {message}"))
        }
        End::Broken { kind, message } => {
            Some(format!("expected a whole body, came {kind}: {message}"))
        }
    }
}

fn differs(name: &str, expected: &str, came: Option<&str>) -> String {
    let came = came.map_or_else(|| "none".to_owned(), quoted);
    format!("expected {name} {expected}, came {came}")
}

/// A text of the function, fit for one line of a terminal.
fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTED).collect();
    match text.chars().any(|c| c.is_control()) {
        true => format!("{cut:?}"),
        false => cut,
    }
}

#[cfg(test)]
mod tests;
