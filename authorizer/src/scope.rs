//! The scopes of the settings come in; a book of them goes out that gives the scopes of a list of names.

use crate::decision::Scope;
use crate::error::Error;
use crate::route::Route;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The scopes there are, by name.
#[derive(Debug)]
pub(crate) struct Scopes(BTreeMap<String, Scope>);

impl Scopes {
    pub(crate) fn read(settings: &BTreeMap<String, Vec<String>>) -> Result<Self, Error> {
        let mut scopes = BTreeMap::new();
        for (name, routes) in settings {
            let place = format!("scopes.\"{}\"", name.escape_default());
            // Claims have names with spaces between (RFC 6749, section 3.3), and so has the context.
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Error::setting(place, "a name is of visible ASCII characters"));
            }
            if routes.is_empty() {
                return Err(Error::setting(place, "has no route: leave it out, or say one"));
            }
            let mut read = Vec::new();
            for (index, route) in routes.iter().enumerate() {
                let route = Route::parse(route)
                    .map_err(|why| Error::setting(format!("{place}[{index}]"), why))?;
                read.push(route);
            }
            let scope = Scope { name: name.as_str().into(), routes: Arc::from(read) };
            scopes.insert(name.clone(), scope);
        }
        Ok(Self(scopes))
    }

    /// Those of the names that are scopes, in order, each one once.
    pub(crate) fn named<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<Scope> {
        let known: BTreeMap<_, _> = names.filter_map(|name| self.0.get_key_value(name)).collect();
        known.into_values().cloned().collect()
    }

    /// Names in the settings, of which each one has to be a scope.
    pub(crate) fn all_of(&self, names: &[String], place: &str) -> Result<Vec<Scope>, Error> {
        let unknown = names.iter().position(|name| !self.0.contains_key(name));
        if let Some(index) = unknown {
            let words =
                format!("\"{}\" is no scope of these settings", names[index].escape_debug());
            return Err(Error::setting(format!("{place}[{index}]"), words));
        }
        Ok(self.named(names.iter().map(String::as_str)))
    }
}
