//! Routes of another gateway come in, in our words; they go out as the text of our TOML, beside what will be
//! otherwise. Pure.

use serde_json::{Map, Value};

/// Our routes, and what will be otherwise.
#[derive(Debug, Default)]
pub(super) struct Imported {
    pub(super) toml: String,
    pub(super) warnings: Vec<String>,
}

impl Imported {
    /// `of` is the other gateway and its route's name, `methods` are quoted, and `upstream` is whole lines.
    pub(super) fn route(&mut self, of: &str, path: &str, methods: &[String], upstream: &str) {
        let toml = &mut self.toml;
        toml.push_str(&format!("# From {of}\n[[routes]]\npath = {}\n", quoted(path)));
        if !methods.is_empty() {
            toml.push_str(&format!("methods = [{}]\n", methods.join(", ")));
        }
        toml.push_str("# authorizer = ... : who may come here? To be written, or \"none\".\n");
        toml.push_str(upstream);
        toml.push('\n');
    }

    /// Of a route, if it has a name.
    pub(super) fn warn(&mut self, route: Option<&str>, warnings: Vec<String>) {
        let of = route.map(|name| format!("route {name}: ")).unwrap_or_default();
        self.warnings.extend(warnings.into_iter().map(|warning| format!("{of}{warning}")));
    }
}

/// What a route is called, in one line of letters that a comment may have; else its place.
pub(super) fn name(route: &Map<String, Value>, place: usize) -> String {
    let said = ["name", "id"].iter().find_map(|key| match route.get(*key) {
        Some(Value::String(name)) => Some(name.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    });
    let name: String =
        said.unwrap_or_default().chars().filter(|letter| !letter.is_control()).collect();
    if name.trim().is_empty() { place.to_string() } else { name.trim().to_owned() }
}

/// Quoted, and in capitals.
pub(super) fn methods(written: &Value) -> Vec<String> {
    let written = written.as_array().into_iter().flatten().filter_map(Value::as_str);
    written.map(|method| quoted(&method.to_ascii_uppercase())).collect()
}

/// Warns of plugins that are not carried over; those of `authorizing` decide who may come.
pub(super) fn other_plugins<'a>(
    names: impl IntoIterator<Item = &'a str>,
    authorizing: &[&str],
    warnings: &mut Vec<String>,
) {
    for name in names {
        warnings.push(if authorizing.contains(&name) {
            format!("the plugin {name} decided who may come: write an authorizer for it")
        } else {
            format!("the plugin {name} is not carried over")
        });
    }
}

/// As TOML writes a text.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
