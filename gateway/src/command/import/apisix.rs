//! JSON of Apache APISIX comes in; routes in our TOML go out, with a warning for each meaning that differs.
//! Pure. Secrets go nowhere: neither into the routes nor into a warning.
//!
//! The fields are those of APISIX 3.18 (`apisix/plugins/aws-lambda.lua`,
//! `apisix/plugins/serverless/generic-upstream.lua`).

mod plugin;

use serde_json::{Map, Value};

/// The plugin's name.
const PLUGIN: &str = "aws-lambda";

/// Plugins of APISIX that decide who may come.
const AUTHORIZING: [&str; 13] = [
    "key-auth",
    "jwt-auth",
    "basic-auth",
    "hmac-auth",
    "jwe-decrypt",
    "authz-casbin",
    "authz-casdoor",
    "authz-keycloak",
    "forward-auth",
    "ldap-auth",
    "opa",
    "openid-connect",
    "multi-auth",
];

/// What of a route says which requests are its own, beside path and method.
const CONDITIONS: [&str; 8] = [
    "host",
    "hosts",
    "remote_addr",
    "remote_addrs",
    "vars",
    "filter_func",
    "priority",
    "plugin_config_id",
];

/// Our routes, and what will be otherwise.
#[derive(Debug, Default)]
pub(super) struct Imported {
    pub(super) toml: String,
    pub(super) warnings: Vec<String>,
}

/// # Errors
///
/// What it is not, in one line.
pub(super) fn import(text: &str) -> Result<Imported, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| {
        format!(
            "line {}: this is no JSON: give a route as APISIX's Admin API shows it",
            error.line()
        )
    })?;
    let mut imported = Imported::default();
    let mut found = 0;
    for object in objects(&json) {
        found += usize::from(one(object, found, &mut imported)?);
    }
    if found == 0 {
        let reason = "there is no aws-lambda plugin here: give its object, or a route that has it";
        return Err(reason.into());
    }
    imported.warnings.push(
        "answers now stream, which APISIX did not let them; nobody is let in before each route has an \
         authorizer: `stream-gateway check` says where"
            .into(),
    );
    Ok(imported)
}

/// What may be routes: of a list, of an answer of the Admin API, or the thing itself.
fn objects(json: &Value) -> Vec<&Map<String, Value>> {
    match json {
        Value::Array(several) => several.iter().flat_map(objects).collect(),
        Value::Object(object) => {
            match ["value", "list", "routes"].iter().find_map(|key| object.get(*key)) {
                Some(inner) if !object.contains_key("plugins") => objects(inner),
                _ => vec![object],
            }
        }
        _ => Vec::new(),
    }
}

/// Whether there was one.
fn one(object: &Map<String, Value>, place: usize, imported: &mut Imported) -> Result<bool, String> {
    let plugins = object.get("plugins").and_then(Value::as_object);
    let (route, settings) = match plugins.unwrap_or(object).get(PLUGIN) {
        Some(settings) => (plugins.map(|_| object), settings.as_object()),
        None if object.contains_key("function_uri") => (None, Some(object)),
        None => return Ok(false),
    };
    let settings = settings.ok_or("aws-lambda is no object here")?;
    let name = route.map_or_else(|| place.to_string(), |route| name(route, place));
    let mut warnings = Vec::new();
    let upstream = plugin::upstream(settings, &name, &mut warnings).map_err(|reason| {
        let of = route.map(|_| format!("route {name}: ")).unwrap_or_default();
        format!("{of}{reason}")
    })?;
    let paths = match route {
        Some(route) => {
            conditions(route, &mut warnings);
            paths(route, &mut warnings)
        }
        None => {
            warnings.push("a plugin's object says no path: / was written, change it".into());
            vec!["/".into()]
        }
    };
    let methods = route.and_then(|route| route.get("methods")).map(methods).unwrap_or_default();
    for path in paths {
        let toml = &mut imported.toml;
        toml.push_str(&format!("# From APISIX: {name}\n[[routes]]\npath = {}\n", quoted(&path)));
        if !methods.is_empty() {
            toml.push_str(&format!("methods = [{}]\n", methods.join(", ")));
        }
        toml.push_str("# authorizer = ... : who may come here? To be written, or \"none\".\n");
        toml.push_str(&upstream);
        toml.push('\n');
    }
    let of = if route.is_some() { format!("route {name}: ") } else { String::new() };
    imported.warnings.extend(warnings.into_iter().map(|warning| format!("{of}{warning}")));
    Ok(true)
}

/// In one line of letters that a comment may have.
fn name(route: &Map<String, Value>, place: usize) -> String {
    let said = ["name", "id"].iter().find_map(|key| match route.get(*key) {
        Some(Value::String(name)) => Some(name.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    });
    let name: String =
        said.unwrap_or_default().chars().filter(|letter| !letter.is_control()).collect();
    if name.trim().is_empty() { place.to_string() } else { name.trim().to_owned() }
}

fn paths(route: &Map<String, Value>, warnings: &mut Vec<String>) -> Vec<String> {
    let several = route.get("uris").and_then(Value::as_array).into_iter().flatten();
    let said = route.get("uri").into_iter().chain(several).filter_map(Value::as_str);
    let mut paths = Vec::new();
    for uri in said {
        if let Some(before) = uri.strip_suffix('*') {
            match before.strip_suffix('/') {
                // Our rest of a path is one part at least.
                Some(before) => {
                    paths.push(format!("{before}/{{rest+}}"));
                    paths.push(format!("{before}/"));
                }
                None => {
                    warnings.push(format!(
                        "{uri} is every path that begins so; here a * begins after a slash: {before}/{{rest+}}"
                    ));
                    paths.push(format!("{before}/{{rest+}}"));
                }
            }
            continue;
        }
        let parts = uri.split('/').map(|part| match part.strip_prefix(':') {
            Some(name) => format!("{{{name}}}"),
            None => part.to_owned(),
        });
        let path = parts.collect::<Vec<_>>().join("/");
        if path != uri {
            warnings.push(format!(
                "{uri}: its names are matched but were not in the function's URL; put them into url, such as \
                 url = \"https://.../{{NAME}}\""
            ));
        }
        paths.push(path);
    }
    if paths.is_empty() {
        warnings.push("the route says no uri: / was written, change it".into());
        paths.push("/".into());
    }
    paths
}

fn methods(written: &Value) -> Vec<String> {
    let written = written.as_array().into_iter().flatten().filter_map(Value::as_str);
    written.map(|method| quoted(&method.to_ascii_uppercase())).collect()
}

/// What else the route had, which is not carried over.
fn conditions(route: &Map<String, Value>, warnings: &mut Vec<String>) {
    let conditions: Vec<&str> =
        CONDITIONS.into_iter().filter(|key| route.contains_key(*key)).collect();
    if !conditions.is_empty() {
        let conditions = conditions.join(", ");
        warnings.push(format!(
            "{conditions}: not carried over: here a path and a method alone decide, for all hosts and clients"
        ));
    }
    if route.get("status").and_then(Value::as_i64) == Some(0) {
        warnings.push("it was switched off (status 0): take it out if it is to stay so".into());
    }
    if route.contains_key("timeout") {
        warnings.push("its own timeout was of an upstream that the plugin does not use".into());
    }
    for name in route.get("plugins").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        if AUTHORIZING.contains(&name.as_str()) {
            warnings.push(format!(
                "the plugin {name} decided who may come: write an authorizer for it"
            ));
        } else if name != PLUGIN {
            warnings.push(format!("the plugin {name} is not carried over"));
        }
    }
}

/// As TOML writes a text.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
