//! A method and a path come in; the route they belong to goes out, with what its path's names stand for.

mod template;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use http::Method;

use crate::config::Route;
use template::Template;

/// All routes, ready to be asked for paths that are written as [`crate::path::plain`] has them.
#[derive(Debug)]
pub(crate) struct Routes {
    /// Paths without a rest, then those with one, the longest before it first: the order of API Gateway's
    /// HTTP APIs (developer guide, "Create routes"), and `matchit` has no `/{a}` beside `/{a+}`.
    paths: Vec<matchit::Router<Vec<Choice>>>,
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
        /// What the names in its path stand for.
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
        let mut choices: Vec<(Template, Vec<Choice>)> = Vec::new();
        let mut places = HashMap::new();
        for (route, Route { path, methods, .. }) in routes.iter().enumerate() {
            let template = match Template::parse(path.get_ref()) {
                Ok(template) => template,
                Err(reason) => {
                    wrong.push((route, reason));
                    continue;
                }
            };
            let names = template.names.clone();
            let place = *places.entry(template.pattern.clone()).or_insert_with(|| {
                choices.push((template, Vec::new()));
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
        let mut paths: BTreeMap<_, matchit::Router<_>> = BTreeMap::new();
        for (template, same) in choices {
            let Some(first) = same.first().map(|choice| choice.route) else { continue };
            let order = template.before_rest.map_or((0, Reverse(0)), |parts| (1, Reverse(parts)));
            if let Err(error) = paths.entry(order).or_default().insert(template.pattern, same) {
                let path = routes[first].path.get_ref();
                let reason = format!("{path:?} cannot stand beside the other routes: {error}");
                wrong.push((first, reason));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self { paths: paths.into_values().collect() })
    }

    /// The route with the longest literal path, and of those one that names the method.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let mut others = Vec::new();
        for found in self.paths.iter().filter_map(|paths| paths.at(path).ok()) {
            let named = found.value.iter().find(|choice| choice.methods.contains(method));
            let any = || found.value.iter().find(|choice| choice.methods.is_empty());
            if let Some(choice) = named.or_else(any) {
                let values = found.params.iter().map(|(_, value)| value.to_owned());
                let parameters = choice.names.iter().cloned().zip(values).collect();
                return Found::Route { route: choice.route, parameters };
            }
            others.extend(found.value.iter().flat_map(|choice| choice.methods.iter().cloned()));
        }
        if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_path_that_says_most_is_taken() {
        let paths = [
            ("/{rest+}", ""),
            ("/a/{rest+}", ""),
            ("/{x}/{rest+}", ""),
            ("/a/{x}", "GET"),
            ("/a/{y}", "PUT"),
            ("/a/b", "GET"),
            ("/", "GET"),
        ];
        let file: String = paths
            .iter()
            .map(|(path, method)| {
                let methods = match *method {
                    "" => String::new(),
                    method => format!("methods = [{method:?}]\n"),
                };
                format!(
                    "[[routes]]\npath = {path:?}\n{methods}authorizer = \"none\"\n\
                     lambda = {{ function = \"f\" }}\n"
                )
            })
            .collect();
        let routes = Routes::new(&Config::parse(&file, "g.toml").unwrap().routes).unwrap();
        for (method, path, expected, parameters) in [
            ("GET", "/a/b", "/a/b", &[][..]),
            ("PUT", "/a/b", "/a/{rest+}", &[("rest", "b")]),
            ("GET", "/a/c", "/a/{x}", &[("x", "c")]),
            ("PUT", "/a/c", "/a/{y}", &[("y", "c")]),
            ("POST", "/a/c", "/a/{rest+}", &[("rest", "c")]),
            ("GET", "/a/c/d", "/a/{rest+}", &[("rest", "c/d")]),
            ("GET", "/c/d/e", "/{x}/{rest+}", &[("x", "c"), ("rest", "d/e")]),
            ("GET", "/c", "/{rest+}", &[("rest", "c")]),
            ("GET", "/", "/", &[]),
        ] {
            let Found::Route { route, parameters: found } =
                routes.find(&method.parse().unwrap(), path)
            else {
                panic!("{method} {path}");
            };
            assert_eq!(paths[route].0, expected, "{method} {path}");
            let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(found, parameters, "{method} {path}");
        }
        let others = routes.find(&Method::PUT, "/");
        assert_eq!(others, Found::OtherMethods(vec![Method::GET]));
    }
}
