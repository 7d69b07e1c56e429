//! A client's headers come in; those that an upstream is shown go out: without what was meant for the client's
//! connection, and with what is known of it (`x-forwarded-*`). Pure.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Shown;
use crate::hop_by_hop;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What a proxy before the gateway may say, and any client: nobody can tell whose words they are, and who reads
/// them believes them.
const HEARSAY: [HeaderName; 3] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-real-ip"),
];

/// As an upstream sees them. The last address of `x-forwarded-for` is the one that the gateway saw itself;
/// those before it are what the client said. `host` is there also where HTTP/2 has it elsewhere.
pub(super) fn headers(shown: &Shown<'_>) -> HeaderMap {
    let mut headers = shown.request.headers.clone();
    hop_by_hop::strip(&mut headers);
    headers.remove(header::EXPECT);
    for name in HEARSAY {
        headers.remove(name);
    }
    let said = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let mut path: Vec<String> = said.map(str::to_owned).collect();
    path.push(shown.peer.ip().to_string());
    let host = shown.host();
    for (name, value) in [
        (header::HOST, host.as_str()),
        (FORWARDED_FOR, &path.join(", ")),
        (FORWARDED_HOST, &host),
        (FORWARDED_PROTO, shown.scheme()),
    ] {
        match HeaderValue::from_str(value) {
            Ok(value) if !value.is_empty() => headers.insert(name, value),
            _ => headers.remove(name),
        };
    }
    headers
}
