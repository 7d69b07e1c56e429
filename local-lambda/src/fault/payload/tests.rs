//! Payloads before there are frames: in, reads and faults; out, the pieces that leave.

use super::*;

const HEAD: &[u8] = b"{\"headers\":{\"etag\":\"a\"},\"statusCode\":200}\0\0\0\0\0\0\0\0";
const BODY: &[u8] = b"0123456789";

/// The pieces of HEAD and BODY when they are read `read` bytes at a time.
fn pieces(faults: &[&str], read: usize, complete: bool) -> (Vec<Vec<u8>>, bool) {
    let faults: Vec<Fault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let mut faults = PayloadFaults::new(&faults, true).unwrap();
    let mut pieces = Vec::new();
    for read in [HEAD, BODY].concat().chunks(read) {
        faults.push(Bytes::copy_from_slice(read));
        pieces.extend(std::iter::from_fn(|| faults.next()).map(Vec::from));
    }
    let clean = faults.finish(complete);
    pieces.extend(std::iter::from_fn(|| faults.next()).map(Vec::from));
    assert!(pieces.iter().all(|piece| !piece.is_empty()), "{faults:?}", faults = pieces);
    (pieces, clean)
}

fn payload(fault: &str) -> Vec<u8> {
    let whole = pieces(&[fault], 1_000, true).0.concat();
    for read in 1..60 {
        assert_eq!(pieces(&[fault], read, true).0.concat(), whole, "{fault} in reads of {read}");
    }
    whole
}

#[test]
fn each_changes_what_it_says_and_nothing_else() {
    assert_eq!(payload("no-head"), BODY);
    assert_eq!(payload("no-header=other"), [HEAD, BODY].concat());
    assert_eq!(payload("pad-head=100").len(), 100 + BODY.len());
    assert_eq!(payload("shorten=3"), [HEAD, b"0123456"].concat());
    assert_eq!(payload("shorten=30"), HEAD);
    assert_eq!(payload("lengthen=3"), [HEAD, BODY, b"xxx"].concat());
    assert_eq!(payload("lengthen=70000").len(), HEAD.len() + BODY.len() + 70_000);
    assert_eq!(payload("flip-body=4.0"), [HEAD, b"0123556789"].concat());
    assert_eq!(payload("flip-body=10.0"), [HEAD, BODY].concat());
    let all = HEAD.len() + BODY.len();
    for at in [0, 5, HEAD.len(), HEAD.len() + 4, all] {
        let text = [&[HEAD, BODY].concat()[..at], TRAILER_TEXT].concat();
        assert_eq!(payload(&format!("trailer-text={at}")), text);
    }
    assert_eq!(payload(&format!("trailer-text={}", all + 1)), [HEAD, BODY].concat());
    let header = payload("header=ETag:b");
    assert!(header.ends_with(&[&[0; 8], BODY].concat()));
    assert!(header.windows(10).any(|part| part == b"\"ETag\":\"b\""));
}

#[test]
fn pieces_are_the_reads_unless_they_are_split() {
    let lengths = |fault: &str, read| -> Vec<usize> {
        pieces(&[fault], read, true).0.iter().map(Vec::len).collect()
    };
    let all = HEAD.len() + BODY.len();
    // The delimiter ends inside the third read.
    assert_eq!(lengths("flip-body=0.0", 20), [20, 20, HEAD.len() - 40, all - HEAD.len()]);
    assert_eq!(lengths("split=1", 20), vec![1; all]);
    let mut head_alone = vec![1; HEAD.len()];
    head_alone.push(BODY.len());
    assert_eq!(lengths("split=1:head", 1_000), head_alone);
    assert_eq!(lengths("split=7", 1_000)[..3], [7, 7, 7]);
}

#[test]
fn an_end_that_is_none_is_not_mended() {
    let (pieces_, clean) = pieces(&["lengthen=5"], 7, false);
    assert_eq!((pieces_.concat(), clean), ([HEAD, BODY].concat(), false));
    let (pieces_, clean) = pieces(&["trailer-text=5"], 7, false);
    assert_eq!((pieces_.concat(), clean), ([&HEAD[..5], TRAILER_TEXT].concat(), true));
}

#[test]
fn several_go_together() {
    let together = ["shorten=2", "lengthen=1", "flip-body=0.1", "no-head"];
    assert_eq!(
        pieces(&together, 9, true).0.concat(),
        b"2123456".iter().chain(b"7x").copied().collect::<Vec<u8>>()
    );
}

#[test]
fn an_endless_head_is_for_those_who_are_streamed_to() {
    assert!(PayloadFaults::new(&[Fault::EndlessHead], false).is_none());
    let mut faults = PayloadFaults::new(&[Fault::EndlessHead], true).unwrap();
    faults.push(Bytes::from_static(HEAD));
    let start: Vec<u8> = std::iter::from_fn(|| faults.next()).take(10).flatten().collect();
    assert!(start.starts_with(b"{\"statusCode\":200,") && start.ends_with(b"xxxxxxxx"));
    assert!(!start.contains(&0));
    assert!(!faults.finish(false));
}
