//! The name of an object goes in; the event comes out that asks a function for it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a path may contain as it is: RFC 3986's unreserved characters and the separator.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// An HTTP API 2.0 event, which is also what Function URLs send: `GET /name`.
///
/// It has no time, id or version of its own, so the same object is always asked for with the same
/// bytes, and a download that was begun is known again.
pub(crate) fn for_object(name: &str) -> Vec<u8> {
    let path = format!("/{}", utf8_percent_encode(name.trim_start_matches('/'), PATH));
    let agent = "invoker";
    serde_json::json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "accept": "*/*", "host": "invoker", "user-agent": agent },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "invoker",
            "domainName": "invoker",
            "domainPrefix": "invoker",
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": agent,
            },
            "requestId": "invoker",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/1970:00:00:00 +0000",
            "timeEpoch": 0,
        },
        "isBase64Encoded": false,
    })
    .to_string()
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths() {
        let path = |name: &str| {
            let event: serde_json::Value = serde_json::from_slice(&for_object(name)).unwrap();
            assert_eq!(event["rawPath"], event["requestContext"]["http"]["path"]);
            event["rawPath"].as_str().unwrap().to_owned()
        };
        assert_eq!(path("a/b.txt"), "/a/b.txt");
        assert_eq!(path("/a"), "/a");
        assert_eq!(path("50% of ä?#"), "/50%25%20of%20%C3%A4%3F%23");
    }
}
