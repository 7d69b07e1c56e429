//! A `uri` of a route comes in, as APISIX's router reads it (`lua-resty-radixtree`); the paths that are the same
//! here go out, with a warning for what differs. Pure.

/// What the rest of a path is called that has no name.
const REST: &str = "rest";

/// None if there is nothing like it here, which is warned of.
pub(super) fn paths(uri: &str, warnings: &mut Vec<String>) -> Vec<String> {
    let names = |part: &&str| part.strip_prefix([':', '*']).is_some_and(|name| !name.is_empty());
    if uri.split('/').any(|part| names(&part)) {
        warnings.push(format!(
            "{uri}: its names are matched but were not in the function's URL; put them into url, such as \
             url = \"https://.../{{NAME}}\""
        ));
    }
    let (before, last) = uri.rsplit_once('/').unwrap_or((uri, ""));
    let before: Vec<String> = before.split('/').map(named).collect();
    let before = before.join("/");
    let (paths, literal) = match last.split_once('*') {
        None => (vec![format!("{before}/{}", named(last))], before.as_str()),
        Some(("", name)) => {
            let name = if name.is_empty() { free(&before) } else { name.to_owned() };
            // Our rest of a path is one part at least.
            (vec![format!("{before}/{{{name}+}}"), format!("{before}/")], before.as_str())
        }
        Some((begun, "")) => {
            let begun = format!("{before}/{begun}");
            warnings.push(format!(
                "{uri} is every path that begins so; here a * begins after a slash: {begun} and {begun}/{{rest+}}"
            ));
            (vec![begun.clone(), format!("{begun}/{{{}+}}", free(&before))], before.as_str())
        }
        Some(_) => (Vec::new(), "*"),
    };
    if literal.contains('*') {
        warnings
            .push(format!("{uri} is left out: here a * takes all that is left, so it comes last"));
        return Vec::new();
    }
    paths
}

/// `:name` is one whole part.
fn named(part: &str) -> String {
    match part.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => part.to_owned(),
    }
}

/// A name that this path has not.
fn free(path: &str) -> String {
    let mut name = REST.to_owned();
    while path.contains(&format!("{{{name}}}")) {
        name.push('_');
    }
    name
}
