//! A method and a path come in; the route they belong to goes out, with what its path's names stand for.

use std::collections::HashMap;

use http::Method;

use crate::config::Route;

/// All routes, ready to be asked.
#[derive(Debug)]
pub(crate) struct Routes {
    paths: matchit::Router<Vec<Choice>>,
}

/// One route of a path.
#[derive(Clone, Debug)]
struct Choice {
    /// None is any.
    methods: Vec<Method>,
    route: usize,
}

/// What the names in a route's path stand for.
pub(crate) type Parameters = Vec<(String, String)>;

/// Whose a request is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Route {
        /// Its place in the configuration, from 0.
        route: usize,
        /// What the names in its path stand for, as the client wrote it.
        parameters: Parameters,
    },
    /// The path is there, for these methods.
    OtherMethods(Vec<Method>),
    Nothing,
}

impl Routes {
    /// # Errors
    ///
    /// The place of the first route that cannot be, and why.
    pub(crate) fn new(routes: &[Route]) -> Result<Self, (usize, String)> {
        let mut choices: Vec<(String, Vec<Choice>)> = Vec::new();
        let mut places = HashMap::new();
        for (route, Route { path, methods, .. }) in routes.iter().enumerate() {
            let pattern = pattern(path.get_ref()).map_err(|reason| (route, reason))?;
            let place = *places.entry(pattern.clone()).or_insert_with(|| {
                choices.push((pattern, Vec::new()));
                choices.len() - 1
            });
            let same = &mut choices[place].1;
            let taken = |choice: &Choice| {
                choice.methods.is_empty() && methods.is_empty()
                    || choice.methods.iter().any(|method| methods.contains(method))
            };
            if same.iter().any(taken) {
                return Err((route, format!("{} has a route for this already", path.get_ref())));
            }
            same.push(Choice { methods: methods.clone(), route });
        }
        let mut paths = matchit::Router::new();
        for (pattern, same) in choices {
            let first = same[0].route;
            paths.insert(pattern, same).map_err(|error| (first, error.to_string()))?;
        }
        Ok(Self { paths })
    }

    /// The route with the longest literal path, and of those one that names the method.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let Ok(found) = self.paths.at(path) else { return Found::Nothing };
        let named = found.value.iter().find(|choice| choice.methods.contains(method));
        let choice = named.or_else(|| found.value.iter().find(|choice| choice.methods.is_empty()));
        let Some(choice) = choice else {
            let others = found.value.iter().flat_map(|choice| choice.methods.iter().cloned());
            return Found::OtherMethods(others.collect());
        };
        let parameters = found.params.iter();
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Found::Route { route: choice.route, parameters: parameters.collect() }
    }
}

/// As `matchit` writes it: `{*rest}` for `{rest+}`.
fn pattern(path: &str) -> Result<String, String> {
    if !path.starts_with('/') {
        return Err(format!("{path:?} is no path: it begins with a slash"));
    }
    let parts = path.split('/').map(|part| {
        let inside = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        match inside.and_then(|name| name.strip_suffix('+')) {
            Some(name) => format!("{{*{name}}}"),
            None => part.to_owned(),
        }
    });
    Ok(parts.collect::<Vec<_>>().join("/"))
}
