//! A request comes in; the URL that it is sent to goes out, made of the route's own and of what the client wrote.
//! Pure.

use http::{StatusCode, Uri};
use percent_encoding::percent_decode_str;

use crate::config::names_in_braces;
use crate::event::Shown;
use crate::upstream::{Ending, Failure};

/// Where the requests of a route go.
pub(super) struct Target {
    /// Up to the path.
    origin: String,
    path: String,
    query: Option<String>,
    /// The name of the route's last part, whose value is appended to the path: `rest` of `{rest+}`.
    rest: Option<String>,
}

impl Target {
    /// `url` was checked with the configuration, `route` is the path of the route.
    pub(super) fn new(url: &str, route: &str) -> Self {
        let (before_query, query) = match url.split_once('?') {
            Some((before, query)) => (before, Some(query.to_owned())),
            None => (url, None),
        };
        let authority = before_query.find("://").map_or(0, |at| at + "://".len());
        let path =
            before_query[authority..].find('/').map_or(before_query.len(), |at| authority + at);
        let (origin, path) = before_query.split_at(path);
        let rest = route.rsplit('{').next().and_then(|last| last.strip_suffix("+}"));
        let rest = rest.filter(|name| !names_in_braces(path).any(|used| used == *name));
        Self {
            origin: origin.to_owned(),
            path: path.to_owned(),
            query: query.filter(|query| !query.is_empty()),
            rest: rest.map(str::to_owned),
        }
    }

    /// # Errors
    ///
    /// The client's part of the path would lead out of the route's, or makes no URL.
    pub(super) fn of(&self, shown: &Shown<'_>) -> Result<Uri, Failure> {
        let of_dots = |(_, value): &(String, String)| value.split('/').any(is_dots);
        if shown.parameters.iter().any(of_dots) {
            return Err(refused("the path has parts of dots, which would lead elsewhere"));
        }
        let value = |name: &str| {
            let known = shown.parameters.iter().find(|(known, _)| known == name);
            known.map(|(_, value)| value.as_str())
        };
        let mut path = filled(&self.path, value);
        if let Some(rest) = self.rest.as_deref().and_then(value) {
            path = format!("{}/{rest}", path.trim_end_matches('/'));
        }
        if path.is_empty() {
            path.push('/');
        }
        let of_client = shown.request.uri.query().filter(|query| !query.is_empty());
        let query: Vec<&str> = self.query.as_deref().into_iter().chain(of_client).collect();
        let query = match query.is_empty() {
            true => String::new(),
            false => format!("?{}", query.join("&")),
        };
        let url = format!("{}{path}{query}", self.origin);
        url.parse().map_err(|_| refused("the path and the query make no URL"))
    }
}

/// `path` with values in place of the names in braces. What a value has in it stands for itself.
fn filled<'a>(path: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::with_capacity(path.len());
    let mut left = path;
    while let Some((before, from_name)) = left.split_once('{') {
        filled.push_str(before);
        let named = from_name.split_once('}');
        let Some((value, behind)) = named.and_then(|(name, behind)| Some((value(name)?, behind)))
        else {
            filled.push('{');
            left = from_name;
            continue;
        };
        filled.push_str(value);
        left = behind;
    }
    filled.push_str(left);
    filled
}

/// `.` or `..`, however it is written.
fn is_dots(part: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(part).collect();
    // An encoded slash is one to some servers.
    decoded.split(|byte| [b'/', b'\\'].contains(byte)).any(|part| part == b"." || part == b"..")
}

fn refused(detail: &str) -> Failure {
    Failure::new(Ending::Rejected, StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::SystemTime;

    use http::Request;

    use super::*;

    fn target(url: &str, route: &str, parameters: &[(&str, &str)], query: &str) -> Option<String> {
        let (request, ()) = Request::get(format!("/{query}")).body(()).unwrap().into_parts();
        let parameters: Vec<(String, String)> =
            parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let shown = Shown {
            request: &request,
            body: b"",
            path: route,
            parameters: &parameters,
            peer: SocketAddr::from(([127, 0, 0, 1], 9)),
            api: None,
            request_id: "id",
            authorizer: None,
            now: SystemTime::UNIX_EPOCH,
        };
        Target::new(url, route).of(&shown).ok().map(|uri| uri.to_string())
    }

    #[test]
    fn the_clients_part_is_put_where_the_route_says() {
        let table = [
            ("http://h", "/a", vec![], "", "http://h/"),
            ("http://h/b?key=1", "/a", vec![], "?x=1&x=2&y", "http://h/b?key=1&x=1&x=2&y"),
            ("http://h/b?", "/a", vec![], "?", "http://h/b"),
            ("http://h/b", "/a/{rest+}", vec![("rest", "c%20d/e")], "", "http://h/b/c%20d/e"),
            ("http://h/b/", "/a/{rest+}", vec![("rest", "c/")], "", "http://h/b/c/"),
            ("http://h/b/{rest}/end", "/a/{rest+}", vec![("rest", "c")], "", "http://h/b/c/end"),
            ("http://h/{y}/{x}", "/{x}/{y}", vec![("x", "1"), ("y", "2")], "", "http://h/2/1"),
            // What a client writes is no template.
            ("http://h/{x}/{y}", "/{x}/{y}", vec![("x", "{y}"), ("y", "z")], "", "http://h/{y}/z"),
            ("http://h/{y}/{x}", "/{x}/{y}", vec![("x", "1"), ("y", "{x}")], "", "http://h/{x}/1"),
            ("http://h/{x}", "/{x}/{r+}", vec![("x", "{r}"), ("r", "{x}")], "", "http://h/{r}/{x}"),
        ];
        for (url, route, parameters, query, expected) in table {
            assert_eq!(target(url, route, &parameters, query).as_deref(), Some(expected));
        }
    }

    #[test]
    fn no_path_leads_out_of_its_route() {
        for rest in ["..", "a/../b", "%2e%2E", "a/.%2e/b", ".", "..%2fb", "a%5C..%5cb", "a/..;"] {
            let sent = target("http://h/b", "/a/{rest+}", &[("rest", rest)], "");
            assert_eq!(sent.is_none(), rest != "a/..;", "{rest}");
        }
    }
}
