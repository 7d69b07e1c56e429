//! The ARN of an API with its stage comes in; with a method and a path it gives the ARN of one request, which
//! is what policies are about.

use std::fmt::{self, Write as _};

use http::Method;
use percent_encoding::percent_decode_str;

/// The longest ARN of a request, in bytes (API Gateway developer guide, "Output from an API Gateway Lambda
/// authorizer").
const REQUEST_MAX: usize = 1600;

/// The methods that an API can have, and so those that a policy can be about. Any other is a client's word:
/// `delete` would pass a policy that denies `DELETE`.
pub(crate) const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// An API and its stage: `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiArn {
    text: String,
    pub(crate) account: String,
    pub(crate) api: String,
    pub(crate) stage: String,
}

impl fmt::Display for ApiArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a request has no ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoArn {
    /// A server behind could read its path in another way than it is read here.
    Ambiguous,
    TooLong,
}

impl ApiArn {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "execute-api", region, account, rest] = parts[..] else {
            return None;
        };
        let (api, stage) = rest.split_once('/')?;
        let word = |text: &str, more: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
            !text.is_empty() && text.chars().all(known)
        };
        let good = word(partition, "-")
            && word(region, "-")
            && word(account, "")
            && word(api, "-")
            && (word(stage, "-_") || stage == "$default");
        good.then(|| Self {
            text: text.to_owned(),
            account: account.to_owned(),
            api: api.to_owned(),
            stage: stage.to_owned(),
        })
    }

    /// The ARN of a request for `path`, as the client wrote it and without a stage.
    ///
    /// The path is decoded once, since policies are written in plain letters. What would be a wildcard or a
    /// variable in a policy stays encoded: an authorizer that answers with just the ARN it was sent must not
    /// open what a client chose to write there. So does an encoded slash: no part of the path would be the same
    /// without it.
    pub(crate) fn of_request(&self, method: &Method, path: &str) -> Result<String, NoArn> {
        let decoded = percent_decode_str(path).decode_utf8().map_err(|_| NoArn::Ambiguous)?;
        let twice = percent_decode_str(&decoded).decode_utf8_lossy();
        let dots = |part: &str| part == "." || part == "..";
        if decoded.contains(|c: char| c.is_control() || c == '\\')
            || twice.split(['/', '\\']).any(dots)
        {
            return Err(NoArn::Ambiguous);
        }
        let mut arn = format!("{}/", self.text);
        push(&mut arn, method.as_str());
        for part in path.strip_prefix('/').unwrap_or(path).split('/') {
            arn.push('/');
            push(&mut arn, &percent_decode_str(part).decode_utf8_lossy());
        }
        if arn.len() > REQUEST_MAX {
            return Err(NoArn::TooLong);
        }
        Ok(arn)
    }
}

/// With what is more than a letter in a policy, or a slash, encoded.
fn push(arn: &mut String, part: &str) {
    for c in part.chars() {
        match c {
            '*' | '?' | '$' | '%' | '/' => {
                // Writing to a string does not fail.
                let _ = write!(arn, "%{:02X}", u32::from(c));
            }
            plain => arn.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live";

    #[test]
    fn an_api_is_read_and_what_is_none_is_not() {
        let api = ApiArn::parse(API).unwrap();
        assert_eq!((&*api.account, &*api.api, &*api.stage), ("123456789012", "a1b2c3", "live"));
        for text in [
            "",
            "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3",
            "arn:aws:lambda:eu-central-1:123456789012:a1b2c3/live",
            "arn:aws:execute-api:eu-central-1:123456789012:a*/live",
            "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live/GET",
            "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live:x",
        ] {
            assert_eq!(ApiArn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_path_of_the_client_is_no_pattern() {
        let api = ApiArn::parse(API).unwrap();
        let of = |path: &str| api.of_request(&Method::GET, path);
        assert_eq!(of("/objects/a").unwrap(), format!("{API}/GET/objects/a"));
        assert_eq!(of("/").unwrap(), format!("{API}/GET/"));
        assert_eq!(of("/a%20b").unwrap(), format!("{API}/GET/a b"));
        assert_eq!(of("/%6fbjects").unwrap(), format!("{API}/GET/objects"));
        for wild in ["/*", "/%2A", "/%2a"] {
            assert_eq!(of(wild).unwrap(), format!("{API}/GET/%2A"));
        }
        // No slash but those that the client wrote, and no method but its own.
        assert_eq!(of("/a%2fb").unwrap(), format!("{API}/GET/a%2Fb"));
        let any = Method::from_bytes(b"*").unwrap();
        assert_eq!(api.of_request(&any, "/a").unwrap(), format!("{API}/%2A/a"));
        assert_eq!(of("/%252A").unwrap(), format!("{API}/GET/%252A"));
        assert_eq!(of("/%3f$%7Bx}").unwrap(), format!("{API}/GET/%3F%24{{x}}"));
        for tricky in ["/a/../b", "/a/%2e%2e/b", "/a/%252e%252e/b", "/a%5cb", "/%00", "/%ff"] {
            assert_eq!(of(tricky), Err(NoArn::Ambiguous), "{tricky}");
        }
        assert_eq!(of(&"/a".repeat(800)), Err(NoArn::TooLong));
    }
}
