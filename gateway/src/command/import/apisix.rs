//! JSON of Apache APISIX comes in; routes in our TOML go out, with a warning for each meaning that differs.
//! Pure. Secrets go nowhere: neither into the routes nor into a warning.
//!
//! The fields are those of APISIX 3.18 (`apisix/plugins/aws-lambda.lua`,
//! `apisix/plugins/serverless/generic-upstream.lua`).

mod plugin;

use serde_json::{Map, Value};

use super::document;
use super::imported::{Imported, methods, name, other_plugins};

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

/// # Errors
///
/// What it is not, in one line.
pub(super) fn import(text: &str) -> Result<Imported, String> {
    let json = document::json(text)
        .map_err(|reason| format!("{reason}: give a route as APISIX's Admin API shows it"))?;
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
        imported.route(&format!("APISIX: {name}"), &path, &methods, &upstream);
    }
    imported.warn(route.map(|_| name.as_str()), warnings);
    Ok(true)
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
    let plugins = route.get("plugins").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let others = plugins.map(String::as_str).filter(|name| *name != PLUGIN);
    other_plugins(others, &AUTHORIZING, warnings);
}
