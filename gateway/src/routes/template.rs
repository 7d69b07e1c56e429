//! A route's path comes in, as API Gateway writes it: `/objects/{name}`, `/files/{rest+}`. Its shape, as the
//! router knows it, and the names in it go out; or what is wrong with it. Pure.

use crate::path::plain_part;

/// A path with names in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// As `matchit` writes it, with `p0`, `p1` for the names: `/files/{*p0}`. The other parts are written in
    /// the one way in which those of requests are.
    pub(super) pattern: String,
    /// In their order.
    pub(super) names: Vec<String>,
    /// How many parts there are before the rest, if it has one.
    pub(super) before_rest: Option<usize>,
}

impl Template {
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let Some(parts) = path.strip_prefix('/') else {
            return Err(format!("{path:?} is no path: it begins with a slash"));
        };
        let odd = |letter: &char| {
            letter.is_whitespace() || letter.is_control() || matches!(letter, '?' | '#')
        };
        if let Some(odd) = path.chars().find(odd) {
            return Err(format!("{path:?} is no path: it has {odd:?} in it"));
        }
        let mut pattern = String::with_capacity(path.len());
        let mut names: Vec<String> = Vec::new();
        let mut before_rest = None;
        let mut parts = parts.split('/').enumerate().peekable();
        while let Some((place, part)) = parts.next() {
            pattern.push('/');
            let inside = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            let Some(inside) = inside else {
                if part.contains(['{', '}']) {
                    return Err(format!(
                        "{path:?}: braces stand around a whole part of a path, as in /a/{{name}}/b, and are closed"
                    ));
                }
                if part.is_empty() && parts.peek().is_some() {
                    return Err(format!("{path:?}: an empty part: requests with one are refused"));
                }
                let plain = plain_part(part).map_err(|why| {
                    format!("{path:?} has {why}: requests for such a path are refused")
                })?;
                pattern.push_str(&plain);
                continue;
            };
            let (name, rest) = match inside.strip_suffix('+') {
                Some(name) => (name, true),
                None => (inside, false),
            };
            if name.is_empty() {
                return Err(format!("{path:?}: a name is missing between braces, as in {{name}}"));
            }
            let of_a_name =
                |letter: char| letter.is_ascii_alphanumeric() || "._-:".contains(letter);
            if !name.chars().all(of_a_name) {
                return Err(format!(
                    "{path:?}: {name:?} is no name: letters, digits, . _ - : make one"
                ));
            }
            if names.iter().any(|known| known == name) {
                return Err(format!("{path:?}: the name {name} is there twice: choose another"));
            }
            if rest && parts.peek().is_some() {
                return Err(format!(
                    "{path:?}: {{{name}+}} takes all that is left, so it comes last"
                ));
            }
            let all = if rest { "*" } else { "" };
            before_rest = rest.then_some(place);
            pattern.push_str(&format!("{{{all}p{}}}", names.len()));
            names.push(name.to_owned());
        }
        Ok(Self { pattern, names, before_rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_names() {
        for (path, pattern, names) in [
            ("/", "/", &[][..]),
            ("/a/b", "/a/b", &[]),
            ("/a/", "/a/", &[]),
            ("/{a}", "/{p0}", &["a"]),
            ("/x/{a}/y/{b+}", "/x/{p0}/y/{*p1}", &["a", "b"]),
            ("/*", "/*", &[]),
            ("/%61/\u{e4}/%c3%A4", "/a/%C3%A4/%C3%A4", &[]),
        ] {
            let template = Template::parse(path).unwrap();
            assert_eq!(template.pattern, pattern);
            assert_eq!(template.names, names);
        }
    }

    #[test]
    fn what_is_no_path_is_told() {
        for (path, reason) in [
            ("", "begins with a slash"),
            ("a", "begins with a slash"),
            ("/a b", "' ' in it"),
            ("/a?b=c", "'?' in it"),
            ("/{a", "and are closed"),
            ("/a}", "and are closed"),
            ("/x{a}", "around a whole part"),
            ("/{a}{b}", "is no name"),
            ("/{}", "a name is missing"),
            ("/{+}", "a name is missing"),
            ("/{a b}", "' ' in it"),
            ("/{a}/{a}", "there twice"),
            ("/{a+}/b", "comes last"),
            ("/{a+}/", "comes last"),
            ("/a//b", "an empty part"),
            ("/a%2Fb", "an encoded slash"),
            ("/a/../b", ". or .."),
            ("/100%", "a percent sign"),
        ] {
            let told = Template::parse(path).unwrap_err();
            assert!(told.contains(reason), "{path}: {told}");
        }
    }
}
