//! `$request.header.Authorization` comes in, as API Gateway writes where a request says who it is; the place
//! to look at goes out.

use http::HeaderName;

/// A part of a request that says who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdentitySource {
    /// One header.
    Header(HeaderName),
    /// One parameter of the query, by its decoded name.
    Query(String),
    /// What the gateway knows of the request.
    Context(ContextName),
}

/// Names of `$context` that say something about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContextName {
    HttpMethod,
    Path,
    RouteKey,
    SourceIp,
    UserAgent,
}

impl IdentitySource {
    /// Both spellings: `$request.header.X` of HTTP APIs, and `method.request.header.X` of REST APIs.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "{text:?} says nothing about a request: write $request.header.NAME, \
                 $request.querystring.NAME, or $context.httpMethod, path, routeKey, identity.sourceIp \
                 or identity.userAgent"
            )
        };
        let name = text.strip_prefix('$').unwrap_or(text);
        let name = name.strip_prefix("method.").unwrap_or(name);
        if let Some(header) = name.strip_prefix("request.header.") {
            return header.parse().map(Self::Header).map_err(|_| unknown());
        }
        if let Some(parameter) = name.strip_prefix("request.querystring.") {
            return match parameter {
                "" => Err(unknown()),
                named => Ok(Self::Query(named.to_owned())),
            };
        }
        match name.strip_prefix("context.") {
            Some("httpMethod") => Ok(Self::Context(ContextName::HttpMethod)),
            Some("path") => Ok(Self::Context(ContextName::Path)),
            Some("routeKey") => Ok(Self::Context(ContextName::RouteKey)),
            Some("identity.sourceIp") => Ok(Self::Context(ContextName::SourceIp)),
            Some("identity.userAgent") => Ok(Self::Context(ContextName::UserAgent)),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_what_says_nothing_is_refused() {
        let header = IdentitySource::Header(http::header::AUTHORIZATION);
        for text in ["$request.header.Authorization", "method.request.header.authorization"] {
            assert_eq!(IdentitySource::parse(text), Ok(header.clone()), "{text}");
        }
        let query = IdentitySource::Query("Key".into());
        assert_eq!(IdentitySource::parse("$request.querystring.Key"), Ok(query));
        let ip = IdentitySource::Context(ContextName::SourceIp);
        assert_eq!(IdentitySource::parse("context.identity.sourceIp"), Ok(ip));
        for text in [
            "",
            "$request.header.",
            "$request.header.a b",
            "$request.querystring.",
            "$context.nothing",
            "$stageVariables.x",
            "Authorization",
        ] {
            assert!(IdentitySource::parse(text).is_err(), "{text}");
        }
    }
}
