//! The paths of a route of Kong come in, which are beginnings of paths; paths of ours for the same requests go
//! out, with a warning where there are none. Pure.

use serde_json::{Map, Value};

/// What no path has that is meant as it stands: before Kong 3.0 a path with one of these was a regular expression.
const OF_EXPRESSIONS: [char; 8] = ['(', ')', '[', ']', '\\', '^', '|', '*'];

/// `sees_upstream_path` is whether the function saw the path as Kong would have sent it to the service.
pub(super) fn of(
    route: &Map<String, Value>,
    sees_upstream_path: bool,
    warnings: &mut Vec<String>,
) -> Vec<String> {
    let said = route.get("paths").and_then(Value::as_array).into_iter().flatten();
    let said: Vec<&str> = said.filter_map(Value::as_str).collect();
    if said.is_empty() {
        warnings.push("the route says no paths, so it took any: so it does here".into());
        return ours("/").unwrap_or_default();
    }
    let mut paths: Vec<String> = Vec::new();
    for prefix in &said {
        match ours(prefix) {
            Ok(ours) => {
                for path in ours {
                    if !paths.contains(&path) {
                        paths.push(path);
                    }
                }
                if !prefix.ends_with('/') {
                    warnings.push(format!(
                        "{prefix} was every path that begins so, {prefix}-more as well; here it ends with its part"
                    ));
                }
            }
            Err(reason) => warnings.push(format!("{prefix} is left out: {reason}")),
        }
    }
    let strips = route.get("strip_path").and_then(Value::as_bool) != Some(false);
    if strips && sees_upstream_path && said.iter().any(|prefix| *prefix != "/") {
        let reason = "strip_path: the function saw its path without the route's, and with that of the service \
                      before it; here it sees the client's, and in pathParameters.rest what was left";
        warnings.push(reason.into());
    }
    paths
}

/// What begins with it, part by part.
fn ours(prefix: &str) -> Result<Vec<String>, &'static str> {
    if prefix.starts_with('~') || prefix.contains(OF_EXPRESSIONS) {
        return Err(
            "it is a regular expression, which paths are not here: write it with {name} and {rest+}",
        );
    }
    if !prefix.starts_with('/') || prefix.contains(['{', '}', '?', '#']) {
        return Err("it is no path");
    }
    // Our rest of a path is one part at least.
    Ok(match prefix.strip_suffix('/') {
        Some(before) => vec![prefix.to_owned(), format!("{before}/{{rest+}}")],
        None => vec![prefix.to_owned(), format!("{prefix}/"), format!("{prefix}/{{rest+}}")],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_parts() {
        assert_eq!(ours("/").unwrap(), ["/", "/{rest+}"]);
        assert_eq!(ours("/a/").unwrap(), ["/a/", "/a/{rest+}"]);
        assert_eq!(ours("/a/b").unwrap(), ["/a/b", "/a/b/", "/a/b/{rest+}"]);
        for prefix in ["~/a", "/a/(?<b>.*)", "/a/\\d+", "/a*", "a", "", "/{a}"] {
            assert!(ours(prefix).is_err(), "{prefix}");
        }
    }
}
