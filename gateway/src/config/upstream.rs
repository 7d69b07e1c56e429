//! Who answers a route, as TOML has it.

mod http;
mod local;

use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

pub(super) use http::Table as HttpTable;
pub(crate) use http::{Http, Sign, names as names_in_braces};
#[cfg(feature = "local")]
pub(crate) use local::ServiceLimits;
pub(super) use local::Table as LocalTable;
pub(crate) use local::{Local, Process};

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    Lambda(Lambda),
    Http(Http),
    Local(Local),
}

impl Upstream {
    /// How the function sees a request.
    pub(crate) fn event(&self) -> EventFormat {
        match self {
            Self::Lambda(lambda) => lambda.event,
            Self::Local(local) => local.event,
            // It sees the request itself.
            Self::Http(_) => EventFormat::HttpApi,
        }
    }
}

/// A function of the service, called by InvokeWithResponseStream.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, expecting = "lambda = { function = \"f\" }")]
pub(crate) struct Lambda {
    /// A name, or an ARN.
    pub(crate) function: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) tenant_id: Option<String>,
    /// What functions see as their client context, beside the event.
    pub(crate) client_context: Option<Unshown<serde_json::Map<String, serde_json::Value>>>,
    #[serde(default)]
    pub(crate) event: EventFormat,
    #[serde(default)]
    pub(crate) prelude: Prelude,
    #[serde(default)]
    pub(crate) mode: Mode,
}

/// How the function sees a request (API Gateway developer guide, "payload format version"; Elastic Load
/// Balancing, "Lambda functions as targets").
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) enum EventFormat {
    /// Of Function URLs and HTTP APIs.
    #[default]
    #[serde(rename = "2.0")]
    HttpApi,
    /// Of REST APIs, and of HTTP APIs that are set so.
    #[serde(rename = "1.0")]
    Rest,
    /// Of a load balancer; of repeated headers and parameters the last one.
    #[serde(rename = "alb")]
    Alb,
    /// The same with all of them, which is an option of the target group.
    #[serde(rename = "alb-multi-value")]
    AlbMultiValue,
    /// No event: the body is the payload.
    #[serde(rename = "raw")]
    Raw,
}

/// What of a payload is the head.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Prelude {
    /// What looks like one, with its eight NULs; without one all is body.
    #[default]
    Auto,
    /// There has to be one.
    Always,
    /// Nothing: all is body.
    Never,
}

/// How the function answers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// While it works.
    #[default]
    Stream,
    /// All at once, with the JSON of a proxy integration: for functions that cannot stream.
    Buffered,
}

/// What may be a secret, or have one in it: `Debug` does not show it.
#[derive(Clone, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(transparent)]
pub(crate) struct Unshown<T>(pub(crate) T);

impl<T> fmt::Debug for Unshown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// Where, and what.
type Wrong = (Option<Range<usize>>, String);

/// What is told of a function that is none. Without what was written, which may be meant for another key.
pub(super) const NO_FUNCTION: &str = "`function` is no name of a function: write NAME, NAME:ALIAS or arn:aws:lambda:REGION:ACCOUNT:function:NAME";

/// The longest name, in bytes (API reference of Invoke, "FunctionName").
const NAME_MAX: usize = 64;

/// Whether a function can be called so: by its name, a part of its ARN or all of it, each with a version or an
/// alias (API reference of Invoke, "FunctionName").
pub(super) fn is_function(text: &str) -> bool {
    let word = |text: &str, more: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !text.is_empty() && text.chars().all(known)
    };
    let name = |text: &str| text.len() <= NAME_MAX && word(text, "-_");
    let qualifier = |text: &str| word(text, "-_.$");
    let account = |text: &str| word(text, "") && text.chars().all(|c| c.is_ascii_digit());
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [one] => name(one),
        [one, version] => name(one) && qualifier(version),
        [owner, "function", one] => account(owner) && name(one),
        [owner, "function", one, version] => account(owner) && name(one) && qualifier(version),
        ["arn", partition, "lambda", region, owner, "function", one, ref rest @ ..] => {
            let whole = word(partition, "-") && word(region, "-") && account(owner) && name(one);
            whole && rest.len() <= 1 && rest.iter().all(|version| qualifier(version))
        }
        _ => false,
    }
}

/// The upstream of a route, of the tables that it has. `folder` is that of the configuration file.
pub(super) fn one_of(
    path: &Spanned<String>,
    lambda: Option<Spanned<Lambda>>,
    http: Option<Spanned<HttpTable>>,
    local: Option<Spanned<LocalTable>>,
    folder: &Path,
) -> Result<Upstream, Wrong> {
    match (lambda, http, local) {
        (Some(lambda), None, None) => {
            let span = lambda.span();
            let lambda = lambda.into_inner();
            if !is_function(&lambda.function) {
                return Err((Some(span), NO_FUNCTION.into()));
            }
            if lambda.mode == Mode::Buffered && lambda.prelude != Prelude::Auto {
                let reason = "a buffered answer has no head of its own: leave `prelude` out";
                return Err((Some(span), reason.into()));
            }
            Ok(Upstream::Lambda(lambda))
        }
        (None, Some(http), None) => {
            let span = http.span();
            let read = http.into_inner().read(path.get_ref());
            read.map(Upstream::Http).map_err(|reason| (Some(span), reason))
        }
        (None, None, Some(local)) => {
            let span = local.span();
            let read = local.into_inner().read(folder);
            read.map(Upstream::Local).map_err(|reason| (Some(span), reason))
        }
        (None, None, None) => {
            let reason = "a route needs one upstream: lambda = { function = \"NAME\" }, http = { url = \
                          \"https://...\" } or local = { command = \"PROGRAM\" }";
            Err((Some(path.span()), reason.into()))
        }
        _ => {
            let reason =
                "a route has one upstream: lambda, http or local, and this one has several";
            Err((Some(path.span()), reason.into()))
        }
    }
}

/// Whether a route that asks for segments can have them: ranges are asked of functions.
pub(super) fn segments(upstream: &Upstream, wanted: Option<Spanned<bool>>) -> Result<bool, Wrong> {
    let Some(wanted) = wanted.filter(|wanted| *wanted.get_ref()) else { return Ok(false) };
    let (event, mode, prelude) = match upstream {
        Upstream::Lambda(lambda) => (lambda.event, lambda.mode, lambda.prelude),
        Upstream::Local(local) => (local.event, local.mode, local.prelude),
        Upstream::Http(_) => {
            let reason =
                "segments are invocations of a function: they need a lambda or a local upstream";
            return Err((Some(wanted.span()), reason.into()));
        }
    };
    if event == EventFormat::Raw || mode == Mode::Buffered {
        let reason =
            "segments need an event that tells of the request, and a function that streams";
        return Err((Some(wanted.span()), reason.into()));
    }
    if prelude == Prelude::Never {
        let reason = "segments need the head of an answer: leave `prelude` out";
        return Err((Some(wanted.span()), reason.into()));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn refused(upstream: &str) -> (Option<usize>, String) {
        let text =
            format!("[[routes]]\npath = \"/{{rest+}}\"\nauthorizer = \"none\"\n{upstream}\n");
        let complaints = Config::parse(&text, "gateway.toml").unwrap_err();
        let complaint = complaints.iter().next().unwrap();
        (complaint.line(), complaint.reason().to_owned())
    }

    #[test]
    fn what_cannot_answer_is_refused_with_its_line() {
        let table = [
            ("", 2, "a route needs one upstream"),
            ("lambda = { function = \"f\" }\nhttp = { url = \"http://h/\" }", 2, "has several"),
            ("lambda = { function = \"f\", event = \"3.0\" }", 4, "no word 3.0"),
            ("lambda = { function = \"\" }", 4, "no name of a function"),
            ("lambda = { function = \"hush hush\" }", 4, "no name of a function"),
            ("lambda = { function = \"arn:aws:s3:::bucket\" }", 4, "no name of a function"),
            ("lambda = { function = \"f\", prelude = \"maybe\" }", 4, "no word maybe"),
            (
                "lambda = { function = \"f\", mode = \"buffered\", prelude = \"never\" }",
                4,
                "no head",
            ),
            ("http = { url = \"http://host:99999/\" }", 4, "a port that is none"),
            ("http = { url = \"ftp://host/\" }", 4, "http:// or https://"),
            ("http = { url = \"https://user:hush@host/\" }", 4, "user and a password"),
            ("http = { url = \"http://example.com/\", sign = \"lambda\" }", 4, "https://"),
            ("http = { url = \"http://h/\", api_key_env = \"A=B\" }", 4, "environment variable"),
            ("http = { url = \"http://h/{name}\" }", 4, "{name}"),
            ("http = { url = \"http://h/\", region = \"eu-west-1\" }", 4, "sign"),
            ("http = { url = \"http://h/\" }\nsegments = true", 5, "segments are invocations"),
            ("segments = true\nlambda = { function = \"f\", event = \"raw\" }", 4, "segments need"),
            ("segments = true\nlambda = { function = \"f\", prelude = \"never\" }", 4, "head"),
            ("local = { command = \"a 'b\" }", 4, "quote"),
            ("local = { command = \"a\", limits = \"some\" }", 4, "no word some"),
            ("local = { command = \"a\", concurrency = 0 }", 4, "from 1 on"),
            ("lambda = \"hush\"", 4, "this is a text: write lambda = { function = \"f\" }"),
            ("http = \"https://hush/\"", 4, "write http = { url = \"https://...\" }"),
            ("local = \"hush\"", 4, "write local = { command = \"PROGRAM\" }"),
            (
                "lambda = { function = \"f\", client_context = \"hush\" }",
                4,
                "this is a text: write a table",
            ),
            (
                "local = { command = \"a\", environment = { KEY = 12345 } }",
                4,
                "this is a number: write a text, in quotes",
            ),
            (
                "local = { command = \"a\", environment = { \"KEY=hush\" = \"\" } }",
                4,
                "none of an environment variable",
            ),
            ("http = { url = \"http://h/\", api_key_env = 12345 }", 4, "write a text, in quotes"),
        ];
        for (upstream, line, reason) in table {
            let (at, told) = refused(upstream);
            assert!(
                told.contains(reason) && !told.contains("hush") && !told.contains("12345"),
                "{upstream}: {told}"
            );
            assert_eq!(at, Some(line), "{upstream}: {told}");
        }
    }

    #[test]
    fn functions_have_names_and_arns() {
        let arn = "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:my-function_1";
        for function in [
            "f",
            "f:live",
            "f:$LATEST",
            "f:$LATEST.PUBLISHED",
            "111122223333:function:f:7",
            arn,
            &format!("{arn}:live"),
        ] {
            assert!(super::is_function(function), "{function}");
        }
        for function in ["a/b", "f:", ":f", "f:a:b", &format!("{arn}:a:b"), &"f".repeat(65)] {
            assert!(!super::is_function(function), "{function}");
        }
    }

    #[test]
    fn what_may_be_secret_is_not_printed() {
        let text = "[[routes]]\npath = \"/a\"\nauthorizer = \"none\"\n\
            lambda = { function = \"f\", client_context = { custom = { key = \"hush\" } } }\n\
            [[routes]]\npath = \"/b\"\nauthorizer = \"none\"\n\
            local = { command = \"f --password hush\", environment = { KEY = \"hush\" } }\n\
            [[routes]]\npath = \"/c\"\nauthorizer = \"none\"\n\
            http = { url = \"http://h/?key=hush\" }\n";
        let config = Config::parse(text, "gateway.toml").unwrap();
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
    }
}
