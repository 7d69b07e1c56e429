//! A URL as somebody typed it goes in; where it leads to, and what of it may be shown, come out. Pure.

use std::net::{IpAddr, Ipv4Addr};

/// What URLs begin with, in small letters.
const SCHEMES: [&str; 2] = ["https://", "http://"];

/// Whether a function is called by its URL.
pub(crate) fn is_url(function: &str) -> bool {
    parts(function).is_some()
}

/// The same URL with its scheme in small letters, which is how programs know it; or another name as it
/// is.
pub(crate) fn plain(function: &str) -> String {
    match parts(function) {
        Some((scheme, rest)) => format!("{scheme}{rest}"),
        None => function.to_owned(),
    }
}

/// What may be shown of a function's name, in words and in reports: of a URL where it leads to. There
/// may be a secret in its query, or before its host.
pub(crate) fn shown(function: &str) -> String {
    let Some((scheme, rest)) = parts(function) else { return function.to_owned() };
    let authority = authority(rest);
    let path = rest[authority.len()..].split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}{}{path}", without_user(authority))
}

/// A URL without the user and the password that some write before the host.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = parts(url) else { return url.to_owned() };
    let authority = authority(rest);
    format!("{scheme}{}{}", without_user(authority), &rest[authority.len()..])
}

/// Whether a user or a password stands before the host.
pub(crate) fn has_user(url: &str) -> bool {
    parts(url).is_some_and(|(_, rest)| authority(rest).contains('@'))
}

/// Whether a call of it goes without TLS.
pub(crate) fn is_unencrypted(url: &str) -> bool {
    parts(url).is_some_and(|(scheme, _)| scheme == "http://")
}

/// The host, which may be empty; an IPv6 address without its brackets.
pub(crate) fn host(url: &str) -> Option<&str> {
    let (_, rest) = parts(url)?;
    let authority = without_user(authority(rest));
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => authority.split(':').next(),
    }
}

/// Whether it leads to this very machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    match host(url) {
        Some(host) if host.eq_ignore_ascii_case("localhost") => true,
        Some(host) => host.parse().is_ok_and(|ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.is_loopback() || ip == Ipv4Addr::UNSPECIFIED,
            IpAddr::V6(ip) => ip.is_loopback(),
        }),
        None => false,
    }
}

/// The scheme in small letters, and what is behind it.
fn parts(url: &str) -> Option<(&'static str, &str)> {
    SCHEMES.into_iter().find_map(|scheme| {
        let (typed, rest) = url.split_at_checked(scheme.len())?;
        typed.eq_ignore_ascii_case(scheme).then_some((scheme, rest))
    })
}

/// What stands before the path, or whatever comes in its place.
fn authority(rest: &str) -> &str {
    // Some take a backslash for a slash.
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_the_rest() {
        for url in [
            "http://127.0.0.1:9000",
            "http://localhost",
            "HTTP://LocalHost",
            "http://[::1]:80/",
            "https://127.9.9.9",
            "http://u:p@127.0.0.1:1",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "https://lambda.eu-west-1.amazonaws.com",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1:x@example.com",
            "127.0.0.1",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        for (url, expected) in [
            ("HTTPS://u:p@host:1/a/b?key=secret#x", "https://host:1/a/b"),
            ("https://host?key=a@b", "https://host"),
            ("https://host/a@b", "https://host/a@b"),
            (
                "arn:aws:lambda:eu-west-1:1:function:f:live",
                "arn:aws:lambda:eu-west-1:1:function:f:live",
            ),
        ] {
            assert_eq!(shown(url), expected);
        }
        assert_eq!(without_password("http://u:p@host:1/?x=a@b"), "http://host:1/?x=a@b");
        assert_eq!(without_password("http://host"), "http://host");
        assert!(has_user("https://u@host/") && has_user("https://u:p@host"));
        assert!(!has_user("https://host/u@") && !has_user("u@host"));
    }

    #[test]
    fn a_scheme_may_be_in_capitals() {
        assert!(is_url("HTTPS://host") && is_url("Http://host") && is_unencrypted("HTTP://host"));
        assert_eq!(plain("HTTPS://Host/A"), "https://Host/A");
        assert!(!is_url("https") && !is_url("Ü://") && !is_url("local:https://"));
        assert_eq!(plain("local:Dir"), "local:Dir");
    }
}
