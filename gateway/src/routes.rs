//! A method and a path come in; the route they belong to goes out, with what its path's names stand for.

mod template;

use std::collections::HashMap;

use http::Method;

use crate::config::Route;
use template::Template;

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
    /// Of its path, in their order.
    names: Vec<String>,
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
    /// The places of all routes that cannot be, and why.
    pub(crate) fn new(routes: &[Route]) -> Result<Self, Vec<(usize, String)>> {
        let mut wrong = Vec::new();
        // Paths that only name their parts otherwise are the same: one entry each, in their order.
        let mut choices: Vec<(String, Vec<Choice>)> = Vec::new();
        let mut places = HashMap::new();
        for (route, Route { path, methods, .. }) in routes.iter().enumerate() {
            let Template { pattern, names } = match Template::parse(path.get_ref()) {
                Ok(template) => template,
                Err(reason) => {
                    wrong.push((route, reason));
                    continue;
                }
            };
            let place = *places.entry(pattern.clone()).or_insert_with(|| {
                choices.push((pattern, Vec::new()));
                choices.len() - 1
            });
            let same = &mut choices[place].1;
            let taken = |choice: &&Choice| {
                choice.methods.is_empty() && methods.is_empty()
                    || choice.methods.iter().any(|method| methods.contains(method))
            };
            if let Some(choice) = same.iter().find(taken) {
                let other = routes[choice.route].path.get_ref();
                let reason = format!(
                    "a route before this one has the same path and method ({other}): take one of them out"
                );
                wrong.push((route, reason));
                continue;
            }
            same.push(Choice { methods: methods.clone(), route, names });
        }
        let mut paths = matchit::Router::new();
        for (pattern, same) in choices {
            let Some(first) = same.first().map(|choice| choice.route) else { continue };
            if let Err(error) = paths.insert(pattern, same) {
                let path = routes[first].path.get_ref();
                wrong.push((
                    first,
                    format!("{path:?} cannot stand beside the other routes: {error}"),
                ));
            }
        }
        if wrong.is_empty() { Ok(Self { paths }) } else { Err(wrong) }
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
        let values = found.params.iter().map(|(_, value)| value.to_owned());
        let parameters = choice.names.iter().cloned().zip(values).collect();
        Found::Route { route: choice.route, parameters }
    }
}
