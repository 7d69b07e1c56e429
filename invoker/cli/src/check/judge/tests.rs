//! Answers that are right, and each of them with one thing wrong, come in; the verdict on each comes
//! out.

use super::*;
use crate::check::case;

const SIZE: u64 = 1_000;
const ETAG: &str = "\"v1\"";

fn bytes(range: Range<u64>) -> Bytes {
    range.map(|offset| (offset % 251) as u8).collect()
}

/// What a function answers that keeps the contract.
fn right(case: &Case) -> Answer {
    let status = status_of(&case.expect);
    let range = match &case.expect {
        Expect::Part(range) => range.clone(),
        Expect::Whole => 0..SIZE,
        _ => 0..0,
    };
    let mut headers = vec![("etag", ETAG.to_owned())];
    match &case.expect {
        Expect::Part(range) => {
            headers
                .push(("content-range", format!("bytes {}-{}/1000", range.start, range.end - 1)));
        }
        Expect::Unsatisfiable => headers.push(("content-range", "bytes */1000".to_owned())),
        _ => {}
    }
    if matches!(case.expect, Expect::Part(_) | Expect::Whole) {
        headers.push(("content-length", (range.end - range.start).to_string()));
        headers.push(("accept-ranges", "bytes".to_owned()));
        headers.push(("content-type", "text/plain".to_owned()));
        headers.push(("last-modified", "Thu, 01 Jan 1970 00:00:01 GMT".to_owned()));
        headers.push(("x-amz-checksum-crc64nvme", "rosUhgp5mIg=".to_owned()));
    }
    let body = match status {
        200 | 206 => bytes(range),
        304 => Bytes::new(),
        _ => Bytes::from_static(b"{\"message\": \"no\"}"),
    };
    Answer {
        status: Some(status),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        bytes: body.len() as u64,
        body,
        end: End::Whole,
        executed_version: Some("7".to_owned()),
    }
}

fn known() -> Known {
    let first = case::first(None);
    let answer = right(&first);
    let mut known = Known::learn(&answer).unwrap();
    assert_eq!((known.size, known.etag.as_str()), (SIZE, ETAG));
    assert_eq!(judge(&first, &mut known, &answer), Verdict::Kept);
    known
}

fn all_cases() -> Vec<Case> {
    let mut cases = case::of(SIZE, ETAG);
    cases.extend(case::side_by_side(SIZE, ETAG, 8));
    cases.push(Case::new("not there", None, Expect::NotFound));
    cases
}

#[track_caller]
fn broken(case: &Case, answer: &Answer) -> String {
    match judge(case, &mut known(), answer) {
        Verdict::Broken(faults) => faults.join("; "),
        other => panic!("{case:?}: {other:?}"),
    }
}

fn with(mut answer: Answer, name: &str, value: Option<&str>) -> Answer {
    answer.headers.retain(|(other, _)| other != name);
    if let Some(value) = value {
        answer.headers.push((name.to_owned(), value.to_owned()));
    }
    answer
}

#[test]
fn right_answers_are_kept() {
    let mut known = known();
    for case in all_cases() {
        assert_eq!(judge(&case, &mut known, &right(&case)), Verdict::Kept, "{case:?}");
    }
    assert_eq!(described(&right(&case::first(None))), Verdict::Kept);
}

#[test]
fn no_case_is_kept_with_another_status_or_without_a_head() {
    for case in all_cases() {
        for status in [200, 204, 206, 304, 400, 404, 412, 416, 500] {
            let mut answer = right(&case);
            if answer.status == Some(status) {
                continue;
            }
            answer.status = Some(status);
            let fault = broken(&case, &answer);
            assert!(fault.contains(&format!("came {status}")), "{case:?}: {fault}");
        }
        let answer = Answer { status: None, ..right(&case) };
        assert!(broken(&case, &answer).contains("expected a head, came none"), "{case:?}");
    }
}

#[test]
fn each_header_that_must_be_is_missed_where_it_is_gone_or_wrong() {
    for case in all_cases() {
        let must: &[&str] = match case.expect {
            Expect::Part(_) => &["content-range", "content-length", "etag", "accept-ranges"],
            Expect::Whole => &["content-length", "etag", "accept-ranges"],
            Expect::Unsatisfiable => &["content-range", "etag"],
            Expect::NotModified | Expect::PreconditionFailed => &["etag"],
            Expect::NotFound => &[],
        };
        for name in must {
            let fault = broken(&case, &with(right(&case), name, None));
            assert!(fault.contains(&format!("expected {name} ")), "{case:?}: {fault}");
            let fault = broken(&case, &with(right(&case), name, Some("W/\"v1\"")));
            assert!(fault.contains("came W/"), "{case:?}: {fault}");
        }
    }
}

#[test]
fn each_end_that_is_no_end_is_broken() {
    let failed =
        End::Failed { error_type: "Function.Boom".into(), message: "gone".into(), in_body: false };
    let cut = End::Broken { kind: "Truncated", message: "it ended early".into() };
    for case in all_cases() {
        for (end, word) in [(failed.clone(), "Function.Boom"), (cut.clone(), "Truncated")] {
            let fault = broken(&case, &Answer { end, ..right(&case) });
            assert!(fault.contains(word), "{case:?}: {fault}");
        }
    }
}

#[test]
fn bodies_are_held_to_their_length_and_to_one_another() {
    for case in all_cases() {
        let answer = right(&case);
        match &case.expect {
            Expect::Part(range) => {
                let len = answer.body.len();
                let short = Answer { body: answer.body.slice(..len - 1), ..answer.clone() };
                assert!(broken(&case, &short).contains(&format!("came {}", len - 1)), "{case:?}");
                let long = bytes(range.start..range.end + 1);
                assert!(broken(&case, &Answer { body: long, ..answer.clone() }).contains("came"));
                let other = bytes(range.start + 1..range.end + 1);
                let mut known = known();
                assert_eq!(judge(&case, &mut known, &answer), Verdict::Kept);
                let again = judge(&case, &mut known, &Answer { body: other, ..answer });
                let Verdict::Broken(faults) = again else { panic!("{case:?}") };
                assert!(faults[0].contains(&format!("others from {} on", range.start)));
            }
            Expect::NotModified => {
                let body = Bytes::from_static(b"x");
                assert!(broken(&case, &Answer { body, ..answer }).contains("no body"));
            }
            Expect::Whole => {
                let body = bytes(0..SIZE - 1);
                assert!(broken(&case, &Answer { body, ..answer }).contains("came 999"));
            }
            _ => {
                for body in [&b"no"[..], b"", b"[]", b"{\"error\": \"no\"}"] {
                    let body = Bytes::from_static(body);
                    assert!(broken(&case, &Answer { body, ..answer.clone() }).contains("message"));
                }
                let body = Bytes::from(vec![b' '; REFUSAL_MAX as usize + 1]);
                assert!(broken(&case, &Answer { body, ..answer }).contains("small"));
            }
        }
    }
}

#[test]
fn what_overlaps_has_the_same_bytes() {
    let mut known = known();
    let part = |range: Range<u64>| Case::new("a part", None, Expect::Part(range));
    let (first, second) = (part(100..200), part(150..160));
    assert_eq!(judge(&first, &mut known, &right(&first)), Verdict::Kept);
    let mut body = bytes(150..160).to_vec();
    body[7] ^= 1;
    let wrong = Answer { body: body.into(), ..right(&second) };
    let Verdict::Broken(faults) = judge(&second, &mut known, &wrong) else { panic!() };
    assert!(faults[0].contains("others from 157 on"), "{faults:?}");
    let next = part(200..300);
    assert_eq!(judge(&next, &mut known, &right(&next)), Verdict::Kept, "they only touch");
}

#[test]
fn versions_encodings_and_checksums_are_the_same_in_all_answers() {
    let case = Case::new("a part", None, Expect::Part(1..9));
    let other = Answer { executed_version: Some("8".into()), ..right(&case) };
    assert!(broken(&case, &other).contains("expected version 7 of the function, came 8"));
    let encoded = with(right(&case), "content-encoding", Some("gzip"));
    assert!(broken(&case, &encoded).contains("expected content-encoding none, came gzip"));
    let sum = with(right(&case), "x-amz-checksum-crc64nvme", Some("AAAAAAAAAAA="));
    assert!(broken(&case, &sum).contains("came AAAAAAAAAAA="));
    let odd = with(right(&case), "x-amz-checksum-crc64nvme", Some("no"));
    assert!(broken(&case, &odd).contains("8 bytes in base64"));
    let none = with(right(&case), "x-amz-checksum-crc64nvme", None);
    assert_eq!(judge(&case, &mut known(), &none), Verdict::Kept, "a function may not know it");
}

#[test]
fn a_whole_answer_is_no_part() {
    let case = Case::new("all", None, Expect::Whole);
    let part = with(right(&case), "content-range", Some("bytes 0-999/1000"));
    assert!(broken(&case, &part).contains("no content-range"));
}

#[test]
fn what_is_no_object_is_not_learned() {
    let answer = right(&case::first(None));
    for (wrong, word) in [
        (Answer { status: None, ..answer.clone() }, "a head"),
        (Answer { status: Some(200), ..answer.clone() }, "came 200"),
        (with(answer.clone(), "content-range", Some("bytes 0-1/1000")), "0-0/SIZE"),
        (with(answer.clone(), "content-range", Some("bytes 0-0/*")), "0-0/SIZE"),
        (with(answer.clone(), "content-range", Some("bytes 0-0/9223372036854775808")), "2^63"),
        (with(answer.clone(), "content-range", Some("bytes 0-0/18446744073709551615")), "2^63"),
        (with(answer.clone(), "content-range", None), "came none"),
        (with(answer.clone(), "etag", Some("W/\"v1\"")), "a strong one, came W/"),
        (with(answer.clone(), "etag", None), "a strong one"),
    ] {
        let faults = Known::learn(&wrong).unwrap_err().join("; ");
        assert!(faults.contains(word), "{word}: {faults}");
    }
    let empty = Answer { status: Some(416), ..with(answer, "content-range", Some("bytes */0")) };
    assert_eq!(Known::learn(&empty).unwrap().size, 0);
}

#[test]
fn what_is_only_shown_may_be_lacking() {
    let answer = with(right(&case::first(None)), "last-modified", None);
    assert_eq!(described(&answer), Verdict::Lacking("no last-modified".to_owned()));
}

#[test]
fn a_failure_is_one_only_with_a_type_and_a_trailer() {
    let failed = |error_type: &str, in_body| End::Failed {
        error_type: error_type.to_owned(),
        message: "row 7".to_owned(),
        in_body,
    };
    let judged = |status, end| failure(&Answer { status, end, ..Answer::default() }, false);
    assert_eq!(judged(Some(200), failed("Function.Boom", false)), Verdict::Kept);
    assert_eq!(judged(None, failed("Runtime.ExitError", false)), Verdict::Kept);
    for (status, end, word) in [
        (Some(200), End::Whole, "clean end"),
        (None, End::Whole, "clean end"),
        (Some(200), failed("Boom", false), "Function.Xxx"),
        (Some(200), failed("Function.Boom", true), "as text in the body"),
        (Some(200), End::Broken { kind: "Truncated", message: "cut".into() }, "Truncated"),
    ] {
        let Verdict::Broken(faults) = judged(status, end) else { panic!("{word}") };
        assert!(faults[0].contains(word), "{faults:?}");
    }
    for (status, end) in [(Some(404), End::Whole), (Some(200), End::Left)] {
        assert!(matches!(judged(status, end), Verdict::NotTried(_)));
    }
}

#[test]
fn no_control_character_comes_through() {
    let case = Case::new("a part", None, Expect::Part(1..9));
    let odd = with(right(&case), "content-range", Some("\u{1b}[2J"));
    assert!(!broken(&case, &odd).contains('\u{1b}'));
}

#[test]
fn by_url_a_failure_is_a_body_cut_short_and_never_a_clean_end() {
    let judged = |end| failure(&Answer { status: Some(200), end, ..Answer::default() }, true);
    let kind = invoker::ErrorKind::Truncated.name();
    let cut = judged(End::Broken { kind, message: "cut".into() });
    assert!(matches!(&cut, Verdict::NotTried(why) if why.contains("by its name")), "{cut:?}");
    for end in [End::Whole, End::Broken { kind: "Corrupt", message: "odd".into() }] {
        assert!(matches!(judged(end.clone()), Verdict::Broken(_)), "{end:?}");
    }
}
