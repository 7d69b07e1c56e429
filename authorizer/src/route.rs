//! Words like `GET /objects/*` come in; a route goes out that knows which requests it is for, in terms that
//! a policy can say as well: neither wider nor narrower.

use percent_encoding::percent_decode_str;
use std::fmt;

/// What `*` stands for in place of a method: those that a method of API Gateway can have. A policy has to
/// name each one, because its own `*` runs over slashes.
pub(crate) const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The method of a request that opens a WebSocket, and the route's word for it, as API Gateway has it.
pub(crate) const CONNECT: &str = "$connect";

/// Of a pattern, in characters. A resource in a policy has 512, of which the ARN of a stage takes up to 220.
const LONGEST_PATTERN: usize = 256;

/// What may be in a pattern beside letters, digits and slashes: what stands in a path as itself (RFC 3986,
/// "pchar") and is no wildcard and no variable of a policy.
const MARKS: &[u8] = b"-._~!&'()+,;=:@";

/// Requests by method and path: `GET /objects/*`, `GET,HEAD /status`, `* /admin/*`, `$connect`.
///
/// A `*` at the end, behind a slash, stands for whatever follows, further slashes and nothing at all
/// included: `/objects/*` has `/objects/` and `/objects/a/b`, not `/objects`. A `*` in place of the method
/// stands for DELETE, GET, HEAD, OPTIONS, PATCH, POST and PUT. `$connect` opens a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route(Requests);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requests {
    Connect,
    Http { methods: Vec<&'static str>, path: Pattern },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// With the slash before the `*`, without the `*`.
    literal: String,
    open: bool,
}

/// Why words are no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// There is no path behind the method.
    #[error("say a method and a path, such as \"GET /objects/*\"")]
    Form,
    /// There is no such method.
    #[error("\"{0}\" is no method: say DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT or *")]
    Method(String),
    /// A character that a policy would take for something else, or that a path has encoded.
    #[error(
        "{0:?} cannot be in a path here: a policy would mean something else by it, or a path has it encoded"
    )]
    Character(char),
    /// A wildcard that is not the whole last part.
    #[error("a * stands at the end alone, behind a slash: in a policy it runs over slashes")]
    Wildcard,
    /// An empty part, `.` or `..`.
    #[error("the path has an empty part, . or ..")]
    Part,
    /// Longer than a policy has room for.
    #[error("the path has {0} characters, at most {LONGEST_PATTERN}")]
    Long(usize),
}

impl Route {
    /// Reads a route.
    ///
    /// # Errors
    ///
    /// If the words are none, or if a policy could not say exactly that.
    pub fn parse(words: &str) -> Result<Self, RouteError> {
        if words == CONNECT {
            return Ok(Self(Requests::Connect));
        }
        let (methods, path) = words.split_once(' ').ok_or(RouteError::Form)?;
        let methods = match methods {
            "*" => METHODS.to_vec(),
            listed => {
                let mut methods = Vec::new();
                for name in listed.split(',') {
                    let known = METHODS.into_iter().find(|method| *method == name);
                    let known = known.ok_or_else(|| RouteError::Method(name.to_owned()))?;
                    if !methods.contains(&known) {
                        methods.push(known);
                    }
                }
                methods
            }
        };
        Ok(Self(Requests::Http { methods, path: Pattern::parse(path)? }))
    }

    /// Whether this route has a request of this method for this path, as the client sent it.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        match &self.0 {
            Requests::Connect => method == CONNECT,
            Requests::Http { methods, path: pattern } => {
                methods.contains(&method) && plain_path(path).is_some_and(|path| pattern.has(&path))
            }
        }
    }

    /// What stands behind the stage in the resources of a policy that allows this route and nothing else.
    pub(crate) fn resources(&self) -> impl Iterator<Item = String> {
        let (connect, methods, path) = match &self.0 {
            Requests::Connect => (Some(CONNECT.to_owned()), &[][..], String::new()),
            Requests::Http { methods, path } => (None, &methods[..], path.to_string()),
        };
        connect.into_iter().chain(methods.iter().map(move |method| format!("{method}{path}")))
    }
}

impl Pattern {
    fn parse(path: &str) -> Result<Self, RouteError> {
        if path.len() > LONGEST_PATTERN {
            return Err(RouteError::Long(path.len()));
        }
        let (literal, open) = match path.strip_suffix('*') {
            Some(literal) => (literal, true),
            None => (path, false),
        };
        let parts = literal.strip_prefix('/').ok_or(RouteError::Form)?;
        if parts.contains('*') || (open && !literal.ends_with('/')) {
            return Err(RouteError::Wildcard);
        }
        let plain = |character: char| {
            let known = |byte| u8::is_ascii_alphanumeric(&byte) || MARKS.contains(&byte);
            character == '/' || u8::try_from(character).is_ok_and(known)
        };
        if let Some(strange) = parts.chars().find(|character| !plain(*character)) {
            return Err(RouteError::Character(strange));
        }
        // The last part may be empty: a slash at the end.
        let mut between = parts.strip_suffix('/').unwrap_or(parts).split('/');
        if !parts.is_empty() && between.any(|part| matches!(part, "" | "." | "..")) {
            return Err(RouteError::Part);
        }
        Ok(Self { literal: literal.to_owned(), open })
    }

    fn has(&self, path: &str) -> bool {
        match self.open {
            true => path.starts_with(&self.literal),
            false => path == self.literal,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.literal)?;
        f.write_str(if self.open { "*" } else { "" })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Requests::Connect => f.write_str(CONNECT),
            Requests::Http { methods, path } if methods[..] == METHODS => write!(f, "* {path}"),
            Requests::Http { methods, path } => write!(f, "{} {path}", methods.join(",")),
        }
    }
}

/// The path percent-decoded once. `None` for one that a server behind could read in another way than it is
/// read here: no text, with control characters or backslashes, or with `.` or `..` as a part, even encoded
/// twice. Such a path is nobody's.
fn plain_path(path: &str) -> Option<String> {
    let once = percent_decode_str(path).decode_utf8().ok()?.into_owned();
    let twice = percent_decode_str(&once).decode_utf8_lossy();
    let strange = |character: char| character.is_control() || character == '\\';
    let dots = |part: &str| part == "." || part == "..";
    (!once.contains(strange) && !twice.split(['/', '\\']).any(dots)).then_some(once)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(words: &str) -> Route {
        Route::parse(words).unwrap()
    }

    #[test]
    fn what_a_route_has() {
        for (words, method, path, has) in [
            ("GET /objects/*", "GET", "/objects/a", true),
            ("GET /objects/*", "GET", "/objects/a/b", true),
            ("GET /objects/*", "GET", "/objects/", true),
            ("GET /objects/*", "GET", "/objects", false),
            ("GET /objects/*", "GET", "/objectsx", false),
            ("GET /objects/*", "HEAD", "/objects/a", false),
            ("GET /objects/*", "get", "/objects/a", false),
            ("GET /objects/*", "GET", "/x/objects/a", false),
            ("GET /objects/*", "GET", "/OBJECTS/a", false),
            ("GET,HEAD /a", "HEAD", "/a", true),
            ("GET /a", "GET", "/a/", false),
            ("GET /a/", "GET", "/a/", true),
            ("GET /", "GET", "/", true),
            ("GET /", "GET", "/a", false),
            ("* /*", "PATCH", "/", true),
            ("* /*", "PATCH", "/a/b", true),
            ("* /*", "TRACE", "/a", false),
            ("* /*", "$connect", "/", false),
            ("$connect", "$connect", "", true),
            ("$connect", "GET", "/", false),
        ] {
            assert_eq!(route(words).matches(method, path), has, "{words}: {method} {path}");
        }
    }

    #[test]
    fn encoded_paths_are_decoded_once_and_tricks_are_nobodys() {
        for (path, has) in [
            ("/objects/a%20b", true),
            ("/%6fbjects/a", true),
            ("/objects/a%2Fb", true),
            ("/objects/100%", true),
            ("/objects%2fa", true),
            ("/objects/..", false),
            ("/objects/../admin", false),
            ("/objects/%2e%2e/admin", false),
            ("/objects/%2E./admin", false),
            ("/objects/..%2fadmin", false),
            ("/objects/%252e%252e/admin", false),
            ("/objects/..%5cadmin", false),
            ("/objects/a\\b", false),
            ("/objects/%00", false),
            ("/objects/%0a", false),
            ("/objects/%ff", false),
            ("/objects/...", true),
            ("//objects/a", false),
        ] {
            assert_eq!(route("GET /objects/*").matches("GET", path), has, "{path}");
        }
    }

    #[test]
    fn what_a_policy_could_not_say_is_refused() {
        use RouteError::*;
        for (words, error) in [
            ("", Form),
            ("GET", Form),
            ("GET objects", Form),
            ("GET ", Form),
            ("FETCH /a", Method("FETCH".into())),
            ("get /a", Method("get".into())),
            ("GET,,HEAD /a", Method("".into())),
            ("GET /a?b", Character('?')),
            ("GET /a%20b", Character('%')),
            ("GET /a b", Character(' ')),
            ("GET /${aws:username}", Character('$')),
            ("GET /{name}", Character('{')),
            ("GET /ä", Character('ä')),
            ("GET /a*", Wildcard),
            ("GET /*/b", Wildcard),
            ("GET /a/**", Wildcard),
            ("GET /a//b", Part),
            ("GET //", Part),
            ("GET /a/../b", Part),
            ("GET /./*", Part),
            ("GET /..", Part),
        ] {
            assert_eq!(Route::parse(words), Err(error), "{words}");
        }
        let long = format!("GET /{}", "a".repeat(LONGEST_PATTERN));
        assert_eq!(Route::parse(&long), Err(Long(LONGEST_PATTERN + 1)));
    }

    #[test]
    fn each_method_is_named_in_a_policy() {
        let all: Vec<String> = route("* /a/*").resources().collect();
        assert_eq!(all.len(), METHODS.len());
        assert_eq!(all[1], "GET/a/*");
        assert_eq!(route("GET /").resources().collect::<Vec<_>>(), ["GET/"]);
        assert_eq!(route("$connect").resources().collect::<Vec<_>>(), ["$connect"]);
        for words in ["* /a/*", "GET,HEAD /", "$connect"] {
            assert_eq!(route(words).to_string(), words);
        }
    }
}
