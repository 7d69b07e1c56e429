//! JSON of Apache APISIX comes in; routes in our TOML go out, with a warning for each meaning that differs.
//! Pure. Secrets go nowhere: neither into the routes nor into a warning.
//!
//! The fields are those of APISIX 3.18 (`apisix/plugins/aws-lambda.lua`,
//! `apisix/plugins/serverless/generic-upstream.lua`).

mod path;
mod plugin;

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use stream_gateway::Config;

use super::document;
use super::imported::{Imported, methods, name, other_plugins, quoted};

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
    let mut variables = BTreeSet::new();
    let mut found = 0;
    for object in objects(&json) {
        found += usize::from(one(object, found, &mut variables, &mut imported)?);
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

/// Whether there was one. `variables` are those that keys were put into by now.
fn one(
    object: &Map<String, Value>,
    place: usize,
    variables: &mut BTreeSet<String>,
    imported: &mut Imported,
) -> Result<bool, String> {
    let plugins = object.get("plugins").and_then(Value::as_object);
    let (route, settings) = match plugins.unwrap_or(object).get(PLUGIN) {
        Some(settings) => (plugins.map(|_| object), settings.as_object()),
        None if object.contains_key("function_uri") => (None, Some(object)),
        None => return Ok(false),
    };
    let settings = settings.ok_or("aws-lambda is no object here")?;
    let name = route.map_or_else(|| place.to_string(), |route| name(route, place));
    let mut warnings = Vec::new();
    let of = |reason: String| {
        let of = route.map(|_| format!("route {name}: ")).unwrap_or_default();
        format!("{of}{reason}")
    };
    let upstream = plugin::upstream(settings, &name, variables, &mut warnings).map_err(&of)?;
    if let Some(reason) = refused("/{rest+}", "", &upstream) {
        return Err(of(reason));
    }
    let paths = match route {
        Some(route) => {
            conditions(route, &mut warnings);
            paths(route, &mut warnings).map_err(&of)?
        }
        None => {
            warnings.push("a plugin's object says no path: / was written, change it".into());
            vec!["/".into()]
        }
    };
    let methods = route.map_or(Ok(Vec::new()), methods_of).map_err(&of)?;
    for path in paths {
        imported.route(&format!("APISIX: {name}"), &path, &methods, &upstream);
    }
    imported.warn(route.map(|_| name.as_str()), warnings);
    Ok(true)
}

/// Those that our configuration takes.
fn paths(route: &Map<String, Value>, warnings: &mut Vec<String>) -> Result<Vec<String>, String> {
    let several = match route.get("uris") {
        None => [].iter(),
        Some(uris) => uris.as_array().ok_or("uris is no list")?.iter(),
    };
    let mut paths = Vec::new();
    let mut said = false;
    for uri in route.get("uri").into_iter().chain(several) {
        said = true;
        let uri = uri.as_str().ok_or("uri is no text")?;
        for path in path::paths(uri, warnings) {
            match refused(&path, "", LIKE_ANY) {
                None if paths.contains(&path) => {}
                None => paths.push(path),
                Some(reason) => warnings.push(format!("{uri} is left out: {reason}")),
            }
        }
    }
    if !said {
        warnings.push("the route says no uri: / was written, change it".into());
        paths.push("/".into());
    } else if paths.is_empty() {
        warnings.push("no path of it is left: no route was written".into());
    }
    Ok(paths)
}

/// An upstream that any path may have.
const LIKE_ANY: &str = "lambda = { function = \"f\" }";

/// What our configuration has against a route of these lines.
fn refused(path: &str, methods: &str, upstream: &str) -> Option<String> {
    let route = format!(
        "[[routes]]\npath = {}\nauthorizer = \"none\"\n{methods}\n{upstream}\n",
        quoted(path)
    );
    let complaints = Config::parse(&route, "").err()?;
    complaints.iter().next().map(|complaint| complaint.reason().to_owned())
}

/// Quoted. Without any of those that are written, a route would take all.
fn methods_of(route: &Map<String, Value>) -> Result<Vec<String>, String> {
    let Some(written) = route.get("methods") else { return Ok(Vec::new()) };
    let all = written.as_array().ok_or("methods is no list")?;
    let methods = methods(written);
    if methods.len() != all.len() {
        return Err("methods has something that is no text".into());
    }
    match refused("/", &format!("methods = [{}]", methods.join(", ")), LIKE_ANY) {
        Some(reason) => Err(format!("methods: {reason}")),
        None => Ok(methods),
    }
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
