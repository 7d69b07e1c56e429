//! The head of an answer: in, the first payload bytes; out, where the body begins, and a head as
//! faults want it.

use bytes::Bytes;
use serde_json::{Map, Value};

/// What stands between the head's JSON and the body (AWS documentation, "Implementing response
/// streaming in a custom runtime": eight null bytes).
const DELIMITER: [u8; 8] = [0; 8];

/// How far a head is looked for, in bytes. API Gateway takes 16 KB; what is longer than four times
/// that is a body that begins with a brace.
const SEARCH_BYTES_MAX: usize = 64 * 1024;

/// What is done to a head.
#[derive(Clone, Debug)]
pub(super) enum HeadEdit {
    Set {
        name: String,
        value: String,
    },
    Unset(String),
    /// To so many bytes, delimiter included.
    Pad(usize),
    Remove,
}

/// Payload bytes that may be of a head, until it is known.
#[derive(Default)]
pub(super) struct Search {
    reads: Vec<Bytes>,
    len: usize,
    nulls: usize,
}

/// What the search found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// More bytes are needed.
    Nothing,
    /// The head has so many bytes, delimiter included; 0 if there is none.
    Head(usize),
}

impl Search {
    /// Looks at the next bytes of the payload, and keeps them.
    pub(super) fn push(&mut self, read: Bytes) -> Found {
        let begins_a_head = self.len > 0 || read.first() == Some(&b'{');
        let mut found = Found::Nothing;
        if begins_a_head {
            for (place, byte) in read.iter().enumerate() {
                self.nulls = if *byte == 0 { self.nulls + 1 } else { 0 };
                if self.nulls == DELIMITER.len() {
                    found = Found::Head(self.len + place + 1);
                    break;
                }
            }
        } else if !read.is_empty() {
            found = Found::Head(0);
        }
        self.len += read.len();
        self.reads.push(read);
        match found {
            Found::Nothing if self.len > SEARCH_BYTES_MAX => Found::Head(0),
            found => found,
        }
    }

    /// All that was kept, as it came.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.reads)
    }
}

/// The head as `edits` want it. One that is not the JSON of a head stays as it is, but can be removed
/// and padded.
pub(super) fn edited(head: &[u8], edits: &[HeadEdit]) -> Vec<u8> {
    let mut json = head.strip_suffix(&DELIMITER).unwrap_or(head).to_vec();
    for edit in edits {
        match edit {
            HeadEdit::Set { .. } | HeadEdit::Unset(_) => {
                if let Some(changed) = with_header(&json, edit) {
                    json = changed;
                }
            }
            HeadEdit::Pad(bytes) => {
                let missing = bytes.saturating_sub(json.len() + DELIMITER.len());
                // Blanks may stand behind the opening brace.
                json.splice(1..1, std::iter::repeat_n(b' ', missing));
            }
            HeadEdit::Remove => return Vec::new(),
        }
    }
    json.extend_from_slice(&DELIMITER);
    json
}

fn with_header(json: &[u8], edit: &HeadEdit) -> Option<Vec<u8>> {
    let mut head: Map<String, Value> = serde_json::from_slice(json).ok()?;
    let headers = head.entry("headers").or_insert_with(|| Value::Object(Map::new()));
    let headers = headers.as_object_mut()?;
    let (HeadEdit::Set { name, .. } | HeadEdit::Unset(name)) = edit else { return None };
    headers.retain(|known, _| !known.eq_ignore_ascii_case(name));
    if let HeadEdit::Set { name, value } = edit {
        headers.insert(name.clone(), value.as_str().into());
    }
    serde_json::to_vec(&head).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(payload: &'static [u8], read: usize) -> Found {
        let mut search = Search::default();
        let mut found = Found::Nothing;
        for read in payload.chunks(read) {
            found = search.push(Bytes::from_static(read));
            if found != Found::Nothing {
                break;
            }
        }
        found
    }

    #[test]
    fn the_body_begins_after_the_first_eight_nulls_however_it_is_read() {
        for read in 1..30 {
            assert_eq!(found(b"{\"statusCode\":200}\0\0\0\0\0\0\0\0\0body", read), Found::Head(26));
            assert_eq!(found(b"{}\0\0\0\0\0\0\0", read), Found::Nothing);
            assert_eq!(found(b"no head\0\0\0\0\0\0\0\0", read), Found::Head(0));
        }
        static LONG: [u8; SEARCH_BYTES_MAX + 1] = [b'{'; SEARCH_BYTES_MAX + 1];
        assert_eq!(found(&LONG, 1_000), Found::Head(0));
        assert_eq!(found(b"", 1), Found::Nothing);
    }

    #[test]
    fn a_head_is_edited_and_nothing_else() {
        let head =
            b"{\"headers\":{\"ETag\":\"a\",\"x\":[\"y\"]},\"statusCode\":206}\0\0\0\0\0\0\0\0";
        let json = |edits: &[HeadEdit]| {
            let edited = edited(head, edits);
            let (json, nulls) = edited.split_at(edited.len() - 8);
            assert_eq!(nulls, DELIMITER);
            serde_json::from_slice::<Value>(json).unwrap()
        };
        let rest = serde_json::json!({"headers": {"x": ["y"]}, "statusCode": 206});
        assert_eq!(json(&[HeadEdit::Unset("etag".into())]), rest);
        let set = HeadEdit::Set { name: "etag".into(), value: "\"b\"".into() };
        assert_eq!(json(&[set])["headers"], serde_json::json!({"etag": "\"b\"", "x": ["y"]}));
        for bytes in [head.len() + 1, 20_000] {
            assert_eq!(edited(head, &[HeadEdit::Pad(bytes)]).len(), bytes);
        }
        assert_eq!(edited(head, &[HeadEdit::Pad(5)]), head);
        assert_eq!(json(&[HeadEdit::Pad(1_000)])["statusCode"], 206);
        assert!(edited(head, &[HeadEdit::Remove]).is_empty());
    }
}
