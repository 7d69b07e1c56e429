//! A declarative configuration of Kong comes in; its routes, and the plugins that Kong would run for each, go
//! out. Pure.
//!
//! Of one plugin Kong runs the one that is nearest to the request: the route's, else its service's, else the one
//! for all (Kong Gateway's documents, "Plugin precedence"). Those of consumers are not looked at.

use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// What is read, and what says nothing of routes.
const KNOWN: [&str; 9] = [
    "_format_version",
    "_transform",
    "_comment",
    "_info",
    "_workspace",
    "_konnect",
    "services",
    "routes",
    "plugins",
];

/// Whom a plugin may be for, beside all.
const SCOPES: [&str; 4] = ["route", "service", "consumer", "consumer_group"];

/// What is in it.
#[derive(Default)]
pub(super) struct File<'a> {
    services: Vec<&'a Object>,
    routes: Vec<&'a Object>,
    plugins: Vec<&'a Object>,
}

/// A route of it, with the service that it stands in or names.
pub(super) struct Of<'a> {
    pub(super) route: &'a Object,
    service: Option<&'a Object>,
}

impl<'a> File<'a> {
    /// Of a whole one; of a list of plugins, as the Admin API has it or without anything around; of one plugin.
    pub(super) fn new(json: &'a Value, warnings: &mut Vec<String>) -> Self {
        let object = match json {
            Value::Array(_) => return Self { plugins: objects(Some(json)), ..Self::default() },
            Value::Object(object) => object,
            _ => return Self::default(),
        };
        if object.contains_key("config") {
            return Self { plugins: vec![object], ..Self::default() };
        }
        if let Some(data @ Value::Array(_)) = object.get("data") {
            return Self { plugins: objects(Some(data)), ..Self::default() };
        }
        let file = Self {
            services: list(object, "services"),
            routes: list(object, "routes"),
            plugins: list(object, "plugins"),
        };
        let has_routes = !file.routes.is_empty() || !file.services.is_empty();
        for key in object.keys().filter(|key| has_routes && !KNOWN.contains(&key.as_str())) {
            warnings.push(format!("{key} at the top is not carried over"));
        }
        file
    }

    pub(super) fn routes(&self) -> Vec<Of<'a>> {
        let of_services = self.services.iter().flat_map(|service| {
            let routes = list(service, "routes").into_iter();
            routes.map(|route| Of { route, service: Some(service) })
        });
        let of_file = self.routes.iter().map(|route| {
            let named = |service: &&&Object| refers(route.get("service"), service);
            Of { route, service: self.services.iter().find(named).copied() }
        });
        of_services.chain(of_file).collect()
    }

    /// The nearest first. Those that are switched off are not among them.
    pub(super) fn plugins(&self, of: &Of<'a>) -> Vec<&'a Object> {
        let at_top = |key: &'static str, to: &'a Object| {
            self.plugins.iter().filter(move |plugin| refers(plugin.get(key), to)).copied()
        };
        let mut plugins = list(of.route, "plugins");
        plugins.extend(at_top("route", of.route));
        if let Some(service) = of.service {
            plugins.extend(list(service, "plugins"));
            let elsewhere = |plugin: &&Object| !said(plugin, "route");
            plugins.extend(at_top("service", service).filter(elsewhere));
        }
        let for_all = |plugin: &&&Object| !SCOPES.iter().any(|scope| said(plugin, scope));
        plugins.extend(self.plugins.iter().filter(for_all));
        plugins.retain(|plugin| {
            let is_on = plugin.get("enabled").and_then(Value::as_bool) != Some(false);
            is_on && !said(plugin, "consumer") && !said(plugin, "consumer_group")
        });
        plugins
    }

    /// Plugins with this name of a file that has no routes.
    pub(super) fn lone(&self, name: &str) -> Vec<&'a Object> {
        let has_routes = !self.routes().is_empty();
        let plugins = self.plugins.iter().filter(|plugin| !has_routes && is(plugin, name));
        plugins.copied().collect()
    }
}

/// Whether it is the plugin with this name.
pub(super) fn is(plugin: &Object, name: &str) -> bool {
    plugin.get("name").and_then(Value::as_str) == Some(name)
}

/// Each once, in their order.
pub(super) fn names<'a>(plugins: &[&'a Object]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in plugins.iter().filter_map(|plugin| plugin.get("name").and_then(Value::as_str)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn list<'a>(object: &'a Object, key: &str) -> Vec<&'a Object> {
    objects(object.get(key))
}

fn objects(list: Option<&Value>) -> Vec<&Object> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect()
}

fn said(object: &Object, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}

/// By name or id: as a text, or as an object with either.
fn refers(reference: Option<&Value>, to: &Object) -> bool {
    let is = |key: &str, value: Option<&Value>| {
        value.is_some_and(Value::is_string) && to.get(key) == value
    };
    match reference {
        Some(text @ Value::String(_)) => is("name", Some(text)) || is("id", Some(text)),
        Some(Value::Object(object)) => is("name", object.get("name")) || is("id", object.get("id")),
        _ => false,
    }
}
