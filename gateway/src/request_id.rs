//! A request comes in; the id by which the gateway, its log and its client know it goes out.

use http::{HeaderMap, HeaderName};

/// On every answer; on requests if clients may name theirs.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a client, in bytes: it goes into every log line.
const LENGTH_MAX: usize = 128;

/// The client's own, if it may have one and it is good for a log; else a new one.
pub(crate) fn of(headers: &HeaderMap, accept: bool) -> String {
    let given = headers.get(REQUEST_ID).filter(|_| accept);
    let given = given.and_then(|value| value.to_str().ok()).filter(|id| is_plain(id));
    given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

fn is_plain(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte);
    (1..=LENGTH_MAX).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_taken_only_if_that_is_wanted_and_it_is_plain() {
        let of = |id: &str, accept| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, id.parse().unwrap());
            super::of(&headers, accept)
        };
        assert_eq!(of("trace-1/a=b", true), "trace-1/a=b");
        let long = "x".repeat(LENGTH_MAX + 1);
        for (id, accept) in
            [("trace-1", false), ("", true), ("a b", true), ("a\"b", true), (&long, true)]
        {
            assert_ne!(of(id, accept), id);
            assert_eq!(of(id, accept).len(), 36);
        }
    }
}
