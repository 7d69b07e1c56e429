//! The payload of a function and its cuts go in; a panic comes out where the head reader breaks a
//! promise.

use bytes::Bytes;

use super::{pieces, split};
use crate::head::{Beginning, HEAD_LIMIT, Head, HeadReader, KEYS, SEPARATOR};

/// Cut or whole, a payload has the same head, or none, and all bytes behind it are body.
///
/// # Panics
///
/// If a promise of the head reader is broken.
pub fn head(input: &[u8]) {
    let Some((cuts, payload)) = split(input) else { return };
    let payload = Bytes::copy_from_slice(payload);
    let whole = read(std::iter::once(payload.clone()), &payload);
    let cut = read(pieces(cuts, &payload), &payload);
    assert_eq!(whole, cut, "the head depends on the cuts");
    match (&whole, by_a_json_parser(&payload)) {
        (Read::Head(_, body_at), other) => assert_eq!(Some(*body_at), other, "no such head"),
        (Read::Body, None) | (Read::Malformed, _) => {}
        (Read::Body, Some(_)) => panic!("a head is taken for body"),
    }
    if let Read::Head(head, _) = &whole {
        for (name, _) in &head.headers {
            assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()), "a name in upper case");
            assert!(head.header(name).is_some(), "a header that is not found by its name");
        }
        let _ = head.content_length();
    }
}

#[derive(Debug, PartialEq)]
enum Read {
    /// And the offset at which the body begins.
    Head(Head, usize),
    /// No head: all is body.
    Body,
    /// A head that makes no sense: an error, and no body at all.
    Malformed,
}

fn read(pieces: impl Iterator<Item = Bytes>, payload: &Bytes) -> Read {
    let mut reader = HeadReader::default();
    let mut pushed = 0;
    for piece in pieces {
        pushed += piece.len();
        match reader.push(piece) {
            Ok(Beginning::Undecided) => assert!(pushed < HEAD_LIMIT, "undecided beyond the limit"),
            Ok(Beginning::Head(head, rest)) => {
                let body_at = pushed - rest.len();
                assert_eq!(rest, payload[body_at..pushed], "the body is not what follows the head");
                assert!(body_at <= HEAD_LIMIT, "a head beyond the limit");
                return Read::Head(head, body_at);
            }
            Ok(Beginning::Body(all)) => {
                assert_eq!(all, payload[..pushed], "a body without a head is not all there is");
                return Read::Body;
            }
            Err(_) => return Read::Malformed,
        }
    }
    assert_eq!(reader.finish(), payload[..pushed], "what was held is not all there is");
    Read::Body
}

/// The same question, asked of a JSON parser: where the body begins behind a head.
fn by_a_json_parser(payload: &[u8]) -> Option<usize> {
    let inside = payload.strip_prefix(b"{")?.trim_ascii_start();
    let known = |key: &[u8]| {
        inside.strip_prefix(b"\"").and_then(|rest| rest.strip_prefix(key)?.first()) == Some(&b'"')
    };
    if !inside.starts_with(b"}") && !KEYS.iter().any(|key| known(key)) {
        return None;
    }
    let mut values =
        serde_json::Deserializer::from_slice(payload).into_iter::<serde::de::IgnoredAny>();
    values.next()?.ok()?;
    let json_len = values.byte_offset();
    let body_at = json_len + SEPARATOR.len();
    (payload[json_len..].starts_with(&SEPARATOR) && body_at <= HEAD_LIMIT).then_some(body_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::Cuts;
    use proptest::prelude::*;

    /// What heads are made of, and bodies that look like them.
    const FRAGMENTS: [&str; 18] = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ":",
        ",",
        " ",
        "\0\0\0\0\0\0\0",
        "\0",
        "200",
        "\"statusCode\":",
        "\"headers\":{",
        "\"cookies\":[",
        "\"content-length\":",
        "\"a\"",
        "body",
    ];

    fn checked(cuts: Cuts, payload: &[u8]) {
        head(&[&cuts, payload].concat());
    }

    proptest! {
        #[test]
        fn any_split_of_a_payload_gives_the_same_head(
            fragments in prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..24),
            cuts in any::<Cuts>(),
        ) {
            checked(cuts, fragments.concat().as_bytes());
        }

        #[test]
        fn any_split_of_a_head_finds_it(
            status in 100u16..1000,
            headers in prop::collection::btree_map("[a-zA-Z-]{1,12}", "\\PC{0,12}", 0..5),
            body in prop::collection::vec(any::<u8>(), 0..40),
            cuts in any::<Cuts>(),
        ) {
            let json = serde_json::json!({"statusCode": status, "headers": headers}).to_string();
            let payload = Bytes::from([json.as_bytes(), &SEPARATOR, &body].concat());
            let Read::Head(found, body_at) = read(pieces(cuts, &payload), &payload) else {
                return Err(TestCaseError::fail("the head was not found"));
            };
            prop_assert_eq!((found.status, &payload[body_at..]), (status, &body[..]));
            checked(cuts, &payload);
        }
    }
}
