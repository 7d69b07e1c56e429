//! An opaque tag comes in; a version, which is a strong ETag, goes out, and whether the entity tags of
//! a precondition name it.

use std::fmt;

/// The version of an object: a strong ETag. Two answers with the same one have the same bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// With its quotes.
    etag: String,
}

impl Version {
    /// A version from an opaque tag, without quotes.
    ///
    /// `None` if the tag has a character that RFC 9110 section 8.8.3 does not allow in one: a quote,
    /// a blank, a control character. Beyond that only ASCII is allowed here, because the head carries
    /// it in JSON through intermediaries that disagree about the rest.
    pub fn new(tag: &str) -> Option<Self> {
        let allowed = tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        allowed.then(|| Self { etag: format!("\"{tag}\"") })
    }

    /// From numbers, which are always allowed.
    pub(crate) fn from_numbers(prefix: &'static str, numbers: &[u128]) -> Self {
        let mut etag = format!("\"{prefix}");
        for number in numbers {
            etag.push_str(&format!("-{number:x}"));
        }
        etag.push('"');
        Self { etag }
    }

    /// The value of the `ETag` header, quotes included.
    pub fn as_etag(&self) -> &str {
        &self.etag
    }

    /// `If-Match`, and the entity tag of `If-Range`: strong comparison, a weak tag names nothing.
    pub(crate) fn is_named_by(&self, tags: &str) -> bool {
        tags.trim() == "*" || entity_tags(tags).any(|tag| tag == self.etag)
    }

    /// `If-None-Match`: weak comparison, `W/` makes no difference.
    pub(crate) fn is_weakly_named_by(&self, tags: &str) -> bool {
        tags.trim() == "*"
            || entity_tags(tags).any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.etag)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.etag)
    }
}

/// The tags of a list. A comma may stand inside a tag, so the quotes decide; what is no entity tag
/// ends the list.
fn entity_tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let open = if rest.starts_with("W/\"") { 3 } else { 1 };
        if !rest.starts_with("W/\"") && !rest.starts_with('"') {
            return None;
        }
        let close = open + rest[open..].find('"')?;
        let (tag, after) = rest.split_at(close + 1);
        rest = after;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preconditions_compare_as_rfc_9110_says() {
        let version = Version::new("a,b").unwrap();
        // tags, strong (If-Match), weak (If-None-Match)
        for (tags, strong, weak) in [
            (r#""a,b""#, true, true),
            (r#"W/"a,b""#, false, true),
            (r#""x", "a,b""#, true, true),
            (r#""x" ,W/"a,b" , "y""#, false, true),
            ("*", true, true),
            (" * ", true, true),
            (r#""a""#, false, false),
            ("a,b", false, false),
            (r#""a,b"#, false, false),
            ("", false, false),
            ("W/", false, false),
            (r#"junk, "a,b""#, false, false),
        ] {
            assert_eq!(version.is_named_by(tags), strong, "strong {tags}");
            assert_eq!(version.is_weakly_named_by(tags), weak, "weak {tags}");
        }
    }

    #[test]
    fn tags_that_could_break_a_header_are_refused() {
        for bad in ["a\"b", "a b", "a\nb", "é", "\u{7f}"] {
            assert!(Version::new(bad).is_none(), "{bad:?}");
        }
        assert_eq!(Version::from_numbers("p", &[255, 1]).as_etag(), "\"p-ff-1\"");
    }
}
