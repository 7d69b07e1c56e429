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
    paths: Vec<Paths>,
}

/// Paths of one place in that order. Each method has all paths that take it, so that a path that does not take it
/// hides none that does.
#[derive(Debug, Default)]
struct Paths {
    /// The methods that some route names, in their order.
    named: BTreeMap<String, (Method, matchit::Router<Choice>)>,
    /// Of all other methods.
    any: matchit::Router<Choice>,
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
        let mut groups: BTreeMap<_, Vec<(Template, Vec<Choice>)>> = BTreeMap::new();
        for (template, same) in choices {
            let order = template.before_rest.map_or((0, Reverse(0)), |parts| (1, Reverse(parts)));
            groups.entry(order).or_default().push((template, same));
        }
        let mut paths = Vec::with_capacity(groups.len());
        for group in groups.into_values() {
            match Paths::new(&group) {
                Ok(group) => paths.push(group),
                Err((route, error)) => {
                    let path = routes[route].path.get_ref();
                    let reason = format!("{path:?} cannot stand beside the other routes: {error}");
                    wrong.push((route, reason));
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self { paths })
    }

    /// Of the routes that take the method the one with the longest literal path, and of those one that names the
    /// method. The path is written as [`crate::path::plain`] has it.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        for paths in &self.paths {
            let named = paths.named.get(method.as_str()).map(|(_, named)| named);
            let Ok(found) = named.unwrap_or(&paths.any).at(path) else { continue };
            let values = found.params.iter().map(|(_, value)| value.to_owned());
            let parameters = found.value.names.iter().cloned().zip(values).collect();
            return Found::Route { route: found.value.route, parameters };
        }
        let mut others: BTreeMap<&str, &Method> = BTreeMap::new();
        for (name, (other, named)) in self.paths.iter().flat_map(|paths| &paths.named) {
            if named.at(path).is_ok() {
                others.insert(name, other);
            }
        }
        match others.is_empty() {
            true => Found::Nothing,
            false => Found::OtherMethods(others.into_values().cloned().collect()),
        }
    }
}

impl Paths {
    /// Or the route whose path cannot be beside the others, and why.
    fn new(group: &[(Template, Vec<Choice>)]) -> Result<Self, (usize, matchit::InsertError)> {
        let mut paths = Self::default();
        for method in group.iter().flat_map(|(_, same)| same).flat_map(|choice| &choice.methods) {
            let of_method = || (method.clone(), matchit::Router::new());
            paths.named.entry(method.as_str().to_owned()).or_insert_with(of_method);
        }
        for (template, same) in group {
            let any = same.iter().find(|choice| choice.methods.is_empty());
            for (method, named) in paths.named.values_mut() {
                let choice = same.iter().find(|choice| choice.methods.contains(method)).or(any);
                insert(named, template, choice)?;
            }
            insert(&mut paths.any, template, any)?;
        }
        Ok(paths)
    }
}

fn insert(
    router: &mut matchit::Router<Choice>,
    template: &Template,
    choice: Option<&Choice>,
) -> Result<(), (usize, matchit::InsertError)> {
    let Some(choice) = choice else { return Ok(()) };
    let inserted = router.insert(template.pattern.clone(), choice.clone());
    inserted.map_err(|error| (choice.route, error))
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
            // A path that says more but does not take the method hides none that does.
            ("PUT", "/a/b", "/a/{y}", &[("y", "b")]),
            ("POST", "/a/b", "/a/{rest+}", &[("rest", "b")]),
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

    #[test]
    fn all_methods_of_a_path_are_told() {
        let file =
            [("/a/b", "GET"), ("/a/{x}", "PUT"), ("/{rest+}", "PATCH")].map(|(path, method)| {
                format!(
                    "[[routes]]\npath = {path:?}\nmethods = [{method:?}]\nauthorizer = \"none\"\n\
                     lambda = {{ function = \"f\" }}\n"
                )
            });
        let routes = Routes::new(&Config::parse(&file.concat(), "g.toml").unwrap().routes).unwrap();
        let found = |method, path| routes.find(&method, path);
        for (method, expected) in [(Method::GET, 0), (Method::PUT, 1), (Method::PATCH, 2)] {
            let Found::Route { route, .. } = found(method, "/a/b") else { panic!("{expected}") };
            assert_eq!(route, expected);
        }
        let all = vec![Method::GET, Method::PATCH, Method::PUT];
        assert_eq!(found(Method::POST, "/a/b"), Found::OtherMethods(all));
        let patch = Found::OtherMethods(vec![Method::PATCH]);
        assert_eq!(found(Method::GET, "/c"), patch);
    }
}
