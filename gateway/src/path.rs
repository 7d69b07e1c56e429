//! A path comes in, as a client or a configuration writes it; the one way to write it, by which routes are found,
//! goes out, or why servers could read it in more ways than one. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What is encoded in the one way to write a part: all but letters, digits and what stands for itself in a part
/// (RFC 3986, "pchar"). An encoded sub-delimiter is another URI there, and the same text for a function.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Why nobody can say which path a path is: a function or a server behind could read another one, which may be
/// that of a route with another authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ambiguous {
    #[error("a percent sign that no two hexadecimal digits follow")]
    Percent,
    #[error("an encoded slash")]
    Slash,
    #[error("a backslash")]
    Backslash,
    #[error("a control character")]
    Control,
    #[error("a part that is . or ..")]
    Dots,
    #[error("an empty part")]
    Empty,
}

/// The path by which routes are found: each part decoded, and encoded again in one way, so that `/%61dmin` is
/// `/admin`. What is looked for is looked for in a part that is decoded once, as functions do it, and in one
/// that is decoded twice, as some servers do it.
pub(crate) fn plain(path: &str) -> Result<String, Ambiguous> {
    let Some(parts) = path.strip_prefix('/') else { return Ok(path.to_owned()) };
    let mut plain = String::with_capacity(path.len());
    let mut parts = parts.split('/').peekable();
    while let Some(part) = parts.next() {
        // A slash at the end stays one.
        if part.is_empty() && parts.peek().is_some() {
            return Err(Ambiguous::Empty);
        }
        plain.push('/');
        plain.push_str(&plain_part(part)?);
    }
    Ok(plain)
}

/// The same of one part, which has no slash.
pub(crate) fn plain_part(part: &str) -> Result<String, Ambiguous> {
    let behind = |at: usize| part.as_bytes().get(at + 1..at + 3);
    let encodes = |at: usize| behind(at).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if !part.match_indices('%').all(|(at, _)| encodes(at)) {
        return Err(Ambiguous::Percent);
    }
    let once: Vec<u8> = percent_decode_str(part).collect();
    let twice: Vec<u8> = percent_encoding::percent_decode(&once).collect();
    for decoded in [&once, &twice] {
        // Some servers cut off what follows a semicolon before they look for dots.
        let name = decoded.split(|byte| *byte == b';').next().unwrap_or_default();
        if matches!(name, b"." | b"..") {
            return Err(Ambiguous::Dots);
        }
        for byte in decoded {
            match byte {
                b'/' => return Err(Ambiguous::Slash),
                b'\\' => return Err(Ambiguous::Backslash),
                control if control.is_ascii_control() => return Err(Ambiguous::Control),
                _ => {}
            }
        }
    }
    Ok(percent_encode(&once, ENCODED).to_string())
}

/// What the names of a route's path stand for, in their order and as the client wrote it. `path` is one of the
/// route's, so it has the same slashes.
pub(crate) fn written<'a>(template: &'a str, path: &'a str) -> impl Iterator<Item = &'a str> {
    template.split('/').enumerate().filter_map(move |(place, part)| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        match name.ends_with('+') {
            true => path.splitn(place + 1, '/').nth(place),
            false => path.split('/').nth(place),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_is_written_in_one_way() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/", "/a/"),
            ("/%61dmin/s", "/admin/s"),
            ("/%41%2d%2E%5f%7e", "/A-._~"),
            ("/a%21%2ab", "/a!*b"),
            ("/a%20b%c3%a4", "/a%20b%C3%A4"),
            ("/\u{e4}", "/%C3%A4"),
            ("/%ff", "/%FF"),
            ("/{x}", "/%7Bx%7D"),
            ("/%2541", "/%2541"),
            ("/100%25", "/100%25"),
            ("/a..b/...", "/a..b/..."),
            ("*", "*"),
        ] {
            assert_eq!(plain(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_no_path() {
        for (why, paths) in [
            (Ambiguous::Slash, &["/a%2fb", "/a%2Fb", "/%2F", "/a%252fb"][..]),
            (Ambiguous::Backslash, &["/a\\b", "/a%5cb", "/a%5Cb", "/a%255cb"]),
            (Ambiguous::Control, &["/%00", "/a%0ab", "/%7f", "/%2500"]),
            (Ambiguous::Dots, &["/.", "/a/../b", "/%2e%2E/b", "/%252e.", "/a/..;x/b"]),
            (Ambiguous::Empty, &["//", "//a", "/a//b", "/a//"]),
            (Ambiguous::Percent, &["/%", "/a%2", "/%zz", "/100%/a", "/%2\u{e4}"]),
        ] {
            for path in paths {
                assert_eq!(plain(path), Err(why), "{path}");
            }
        }
    }

    #[test]
    fn names_stand_for_what_the_client_wrote() {
        let of = |template, path| written(template, path).collect::<Vec<_>>();
        assert_eq!(of("/a/{x}/{y+}", "/%61/b%2Bc/d/%65/"), ["b%2Bc", "d/%65/"]);
        assert_eq!(of("/a/b", "/a/b"), [""; 0]);
        assert_eq!(of("/{x}", "/"), [""]);
    }
}
