//! The variables that Lambda starts a function with come in; what we need of them goes out, or one
//! clear error. `lambda_runtime` reads them too, and panics where this one explains.

use crate::error::{Error, ErrorKind};
use http::uri::Authority;

const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
const MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
/// What the path of cargo-lambda's Runtime API begins with. Its `watch` (1.9.2) takes the first HTTP chunk
/// of an answer for the head and the second for the delimiter, wherever they end.
const CARGO_LAMBDA: &str = "/.rt";

const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// What `lambda_runtime` 1.5 does not start without, besides the memory, which must be a number.
const NEEDED: [&str; 3] = [RUNTIME_API, "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"];

/// Where and how to answer.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) runtime_api: Authority,
    /// Before the paths of the Runtime API; empty, or with a slash before it and none behind.
    pub(crate) base_path: String,
    /// Whether head and delimiter have to be HTTP chunks of their own.
    pub(crate) head_apart: bool,
    /// How many invocations this process may have at once; above one on Lambda Managed Instances.
    pub(crate) concurrency: usize,
}

impl Environment {
    /// `variable` looks one up.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let missing = |name: &str| {
            let words = format!(
                "{name} is not set: a function is started by Lambda, or by an emulator of it"
            );
            Error::new(ErrorKind::Environment, words)
        };
        for name in NEEDED {
            variable(name).ok_or_else(|| missing(name))?;
        }
        let memory = variable(MEMORY).ok_or_else(|| missing(MEMORY))?;
        if memory.parse::<i32>().is_err() {
            return Err(Error::new(ErrorKind::Environment, format!("{MEMORY} is not a number")));
        }
        let runtime_api = variable(RUNTIME_API).ok_or_else(|| missing(RUNTIME_API))?;
        // Lambda gives HOST:PORT; some emulators give a URL, that of cargo-lambda with a path.
        let place = runtime_api.strip_prefix("http://").unwrap_or(&runtime_api);
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let base_path = match path.trim_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        };
        let runtime_api = authority.parse().map_err(|error| {
            let words = format!("{RUNTIME_API} is not HOST:PORT");
            Error::new(ErrorKind::Environment, words).because(error)
        })?;
        // Read as lambda_runtime reads it: what is no number means one at a time.
        let concurrency = variable(MAX_CONCURRENCY).and_then(|number| number.parse().ok());
        let head_apart = base_path.starts_with(CARGO_LAMBDA);
        Ok(Self {
            runtime_api,
            base_path,
            head_apart,
            concurrency: concurrency.unwrap_or(1).max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[(&str, Option<&str>)]) -> Result<Environment, Error> {
        Environment::read(|name| {
            if let Some((_, value)) = changes.iter().find(|(changed, _)| *changed == name) {
                return value.map(str::to_owned);
            }
            match name {
                RUNTIME_API => Some("127.0.0.1:9001".to_owned()),
                MEMORY => Some("128".to_owned()),
                MAX_CONCURRENCY => None,
                _ => Some("f".to_owned()),
            }
        })
    }

    #[test]
    fn what_is_there_is_read() {
        let environment = read(&[]).unwrap();
        assert_eq!(environment.runtime_api, "127.0.0.1:9001");
        assert_eq!(environment.concurrency, 1);
        for (value, wanted) in [("4", 4), ("0", 1), ("-1", 1), ("many", 1), ("", 1)] {
            assert_eq!(read(&[(MAX_CONCURRENCY, Some(value))]).unwrap().concurrency, wanted);
        }
        let url = read(&[(RUNTIME_API, Some("http://localhost:1/"))]).unwrap();
        assert_eq!((url.runtime_api.as_str(), url.base_path.as_str()), ("localhost:1", ""));
        let cargo_lambda = read(&[(RUNTIME_API, Some("http://[::1]:9000/.rt/name"))]).unwrap();
        assert_eq!(cargo_lambda.runtime_api, "[::1]:9000");
        assert_eq!(cargo_lambda.base_path, "/.rt/name");
        assert!(cargo_lambda.head_apart && !url.head_apart);
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in [RUNTIME_API, MEMORY, "AWS_LAMBDA_FUNCTION_NAME"] {
            let error = read(&[(name, None)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Environment);
            assert!(error.to_string().contains(name), "{error}");
        }
        assert!(read(&[(MEMORY, Some("lots"))]).is_err());
        assert!(read(&[(RUNTIME_API, Some("no host"))]).is_err());
    }
}
