//! A declarative configuration of Kong comes in; `[aws]` and routes in our TOML go out, with a warning for each
//! meaning that differs. Pure. Secrets go nowhere: neither into the routes nor into a warning.
//!
//! The plugin's fields are those of Kong Gateway 3.13 (`kong/plugins/aws-lambda/schema.lua`).

mod aws;
mod file;
mod path;
mod plugin;

use serde_json::{Map, Value};

use super::document;
use super::imported::{Imported, methods, name, other_plugins};
use aws::Aws;
use file::File;

/// The plugin's name.
const PLUGIN: &str = "aws-lambda";

/// Plugins of Kong that decide who may come.
const AUTHORIZING: [&str; 18] = [
    "acl",
    "basic-auth",
    "header-cert-auth",
    "hmac-auth",
    "ip-restriction",
    "jwt",
    "jwt-signer",
    "key-auth",
    "key-auth-enc",
    "ldap-auth",
    "ldap-auth-advanced",
    "mtls-auth",
    "oauth2",
    "oauth2-introspection",
    "opa",
    "openid-connect",
    "saml",
    "vault-auth",
];

/// What of a route says which requests are its own, beside paths and methods.
const CONDITIONS: [&str; 9] = [
    "hosts",
    "headers",
    "protocols",
    "snis",
    "sources",
    "destinations",
    "expression",
    "priority",
    "regex_priority",
];

/// # Errors
///
/// What it is not, in one line.
pub(super) fn import(text: &str) -> Result<Imported, String> {
    let json = document::read(text, |_, value| value)?;
    let mut imported = Imported::default();
    let file = File::new(&json, &mut imported.warnings);
    let mut aws = Aws::default();
    let mut found = 0;
    for (place, of) in (1..).zip(file.routes()) {
        let plugins = file.plugins(&of);
        let Some(plugin) = plugins.iter().find(|plugin| file::is(plugin, PLUGIN)) else { continue };
        found += 1;
        let name = name(of.route, place);
        let mut warnings = Vec::new();
        let others = file::names(&plugins).into_iter().filter(|name| *name != PLUGIN);
        other_plugins(others, &AUTHORIZING, &mut warnings);
        one(Some(of.route), plugin, &name, &mut aws, &mut imported, warnings)
            .map_err(|reason| format!("route {name}: {reason}"))?;
    }
    if found == 0 {
        for (place, plugin) in (1..).zip(file.lone(PLUGIN)) {
            found += 1;
            let name = name(plugin, place);
            one(None, plugin, &place.to_string(), &mut aws, &mut imported, Vec::new())
                .map_err(|reason| format!("plugin {name}: {reason}"))?;
        }
    }
    if found == 0 {
        let reason = "there is no aws-lambda plugin here: give a kong.yml whose routes have it, or the plugin \
                      with its name and config";
        return Err(reason.into());
    }
    if imported.toml.is_empty() {
        let why = imported.warnings.join("; ");
        return Err(format!("nothing can be carried over: {why}"));
    }
    imported.toml.insert_str(0, &aws.table(&mut imported.warnings));
    imported.warnings.push(
        "Kong waited for whole answers; here they stream, but for routes with mode = \"buffered\"; nobody is let \
         in before each route has an authorizer: `stream-gateway check` says where"
            .into(),
    );
    Ok(imported)
}

/// A route with its plugin, or a plugin alone.
fn one(
    route: Option<&Map<String, Value>>,
    plugin: &Map<String, Value>,
    name: &str,
    aws: &mut Aws,
    imported: &mut Imported,
    mut warnings: Vec<String>,
) -> Result<(), String> {
    let settings = plugin.get("config").and_then(Value::as_object);
    let settings = settings.ok_or("config of aws-lambda is missing, or is no object")?;
    // As the Admin API shows what nobody has set.
    let settings = settings.iter().filter(|(_, value)| !value.is_null());
    let settings = settings.map(|(key, value)| (key.clone(), value.clone())).collect();
    let function = plugin::function(&settings, &mut warnings)?;
    if let Some(function) = function {
        aws.add(name, &settings, &mut warnings)?;
        let (paths, methods) = match route {
            Some(route) => {
                conditions(route, &mut warnings);
                let methods = route.get("methods").map(methods).unwrap_or_default();
                (path::of(route, function.sees_upstream_path, &mut warnings), methods)
            }
            None => {
                warnings.push("a plugin alone says no path: / was written, change it".into());
                (vec!["/".into()], Vec::new())
            }
        };
        for path in paths {
            imported.route(&format!("Kong: {name}"), &path, &methods, &function.lines);
        }
    }
    imported.warn(route.map(|_| name), warnings);
    Ok(())
}

/// What else the route had, which is not carried over.
fn conditions(route: &Map<String, Value>, warnings: &mut Vec<String>) {
    let said = |key: &&str| route.get(*key).is_some_and(|value| !value.is_null());
    let conditions: Vec<&str> = CONDITIONS.into_iter().filter(said).collect();
    if !conditions.is_empty() {
        let conditions = conditions.join(", ");
        warnings.push(format!(
            "{conditions}: not carried over: here a path and a method alone decide, for all hosts and clients"
        ));
    }
}
