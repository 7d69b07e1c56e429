//! One `[authorizers.NAME]` table comes in; an authorizer that can be asked goes out, or what is wrong with
//! it and where.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use http::{HeaderValue, header};
use regex_lite::Regex;
use serde::Deserialize;
use stream_authorizer::{HttpApiAnswer, Settings};
use toml::Spanned;

use super::api_arn::ApiArn;
use super::identity_source::IdentitySource;
use super::quantity;
use super::upstream::{LocalTable, NO_FUNCTION, Process, is_function};

/// How long an answer is kept when nothing is said, and the longest time (API Gateway developer guide, "Use
/// API Gateway Lambda authorizers": 300 seconds, at most one hour).
const TTL_DEFAULT: Duration = Duration::from_secs(300);
pub(crate) const TTL_MAX: Duration = Duration::from_secs(3600);

/// How long an authorizer may take (API Gateway, "Quotas for HTTP APIs": the timeout of a Lambda authorizer).
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// How many answers are kept: of at most 8 KB each, and of a few hundred bytes as a rule.
const CACHE_DEFAULT: usize = 4096;

/// The default ends here: a name that no API of the service has.
const API_DEFAULT: &str = "arn:aws:execute-api:us-east-1:000000000000:gateway/$default";

/// The scope of keys that are not told which routes they are for.
const WHOLE: &str = "all";

/// Who says who may come in.
#[derive(Clone, Debug)]
pub(crate) enum Authorizer {
    /// A function that API Gateway could ask as well.
    Lambda(Box<LambdaAuthorizer>),
    /// In process.
    Engine {
        settings: Box<Settings>,
        challenge: Option<HeaderValue>,
        /// Where its settings are in the file.
        at: Range<usize>,
    },
}

/// A Lambda authorizer, and what API Gateway would have to be told about it.
#[derive(Clone, Debug)]
pub(crate) struct LambdaAuthorizer {
    pub(crate) function: AuthorizerFunction,
    pub(crate) asks: Asks,
    pub(crate) answer: AnswerKind,
    /// What says who asks: without all of these nobody is asked.
    pub(crate) identity: Vec<IdentitySource>,
    /// What a token must look like before somebody is asked.
    pub(crate) validation: Option<Regex>,
    /// How long an answer is kept. Zero is not at all.
    pub(crate) ttl: Duration,
    pub(crate) timeout: Duration,
    pub(crate) cache_max: usize,
    /// The API that the gateway says it is.
    pub(crate) api: ApiArn,
    /// What a 401 says in `www-authenticate`.
    pub(crate) challenge: Option<HeaderValue>,
}

/// Where the function is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuthorizerFunction {
    /// At the service.
    Service { function: String, qualifier: Option<String> },
    /// A command, under a service of its own.
    Local(Box<Process>),
}

/// What the function is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A token and the ARN of the request.
    Token,
    /// The request, in payload format 1.0.
    Request,
    /// The request, in payload format 2.0.
    HttpApiRequest,
}

/// What the function answers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AnswerKind {
    /// An IAM policy.
    #[default]
    Policy,
    /// `{"isAuthorized": true}`, of payload format 2.0.
    Simple,
}

/// As TOML has it: the keys of all kinds, since only so a wrong one has its line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table: [authorizers.NAME]")]
pub(super) struct Table {
    kind: Spanned<Kind>,
    /// Of every kind.
    challenge: Option<Spanned<String>>,

    lambda: Option<Service>,
    local: Option<Spanned<LocalTable>>,
    #[serde(rename = "type")]
    asks: Option<Spanned<Type>>,
    payload: Option<Spanned<Payload>>,
    answer: Option<Spanned<AnswerKind>>,
    identity: Option<Vec<Spanned<String>>>,
    validation: Option<Spanned<String>>,
    ttl: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "quantity::duration")]
    timeout: Option<Duration>,
    cache_max: Option<Spanned<usize>>,
    api: Option<Spanned<String>>,

    settings: Option<Spanned<Settings>>,

    keys: Option<Spanned<Vec<Key>>>,
    headers: Option<Vec<String>>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Lambda,
    Engine,
    ApiKeys,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum Type {
    Token,
    Request,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
enum Payload {
    #[serde(rename = "1.0")]
    Rest,
    #[serde(rename = "2.0")]
    HttpApi,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "lambda = { function = \"f\" }")]
struct Service {
    function: Spanned<String>,
    qualifier: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "{ name = \"...\", sha256 = \"...\" }")]
struct Key {
    name: String,
    sha256: String,
}

/// Where, and what.
type Wrong = (Option<Range<usize>>, String);

impl Table {
    /// `name` is the table's, at `at`; `folder` is that of the file.
    pub(super) fn into_authorizer(
        self,
        name: &str,
        at: Range<usize>,
        folder: &Path,
    ) -> Result<Authorizer, Wrong> {
        if name == "none" {
            let reason = "an authorizer called \"none\" would look like no authorizer: rename it";
            return Err((Some(at), reason.into()));
        }
        let kind = *self.kind.get_ref();
        self.only_keys_of(kind)?;
        let challenge = match &self.challenge {
            Some(text) => Some(HeaderValue::from_str(text.get_ref()).map_err(|_| {
                (Some(text.span()), "challenge is no value that a header can have".to_owned())
            })?),
            None => None,
        };
        match kind {
            Kind::Lambda => self.lambda(challenge, folder),
            Kind::Engine => {
                let Some(settings) = self.settings else {
                    let reason = "an engine needs settings = { ... }: scopes, keys, jwt";
                    return Err((Some(self.kind.span()), reason.into()));
                };
                engine(settings.span(), settings.into_inner(), challenge)
            }
            Kind::ApiKeys => {
                let Some(keys) = self.keys else {
                    let reason = "api-keys need keys = [{ name = \"...\", sha256 = \"...\" }]";
                    return Err((Some(self.kind.span()), reason.into()));
                };
                let span = keys.span();
                engine(span, settings_of_keys(keys.into_inner(), self.headers), challenge)
            }
        }
    }

    fn lambda(self, challenge: Option<HeaderValue>, folder: &Path) -> Result<Authorizer, Wrong> {
        let at = self.kind.span();
        let function = match (self.lambda, self.local) {
            (Some(Service { function, qualifier }), None) => {
                if !is_function(function.get_ref()) {
                    return Err((Some(function.span()), NO_FUNCTION.into()));
                }
                AuthorizerFunction::Service { function: function.into_inner(), qualifier }
            }
            (None, Some(local)) => {
                let span = local.span();
                let local = local.into_inner().read(folder);
                let local = local.map_err(|reason| (Some(span), reason))?;
                AuthorizerFunction::Local(Box::new(local.process))
            }
            _ => {
                let reason = "say where it is: lambda = { function = \"NAME\" } or local = { command = \"...\" }";
                return Err((Some(at), reason.into()));
            }
        };
        let Some(asks) = self.asks else {
            return Err((Some(at), "say type = \"TOKEN\" or type = \"REQUEST\"".into()));
        };
        let is_token = *asks.get_ref() == Type::Token;
        let payload = self.payload.as_ref().map_or(Payload::Rest, |payload| *payload.get_ref());
        let asks = match (is_token, payload) {
            (true, Payload::Rest) => Asks::Token,
            (false, Payload::Rest) => Asks::Request,
            (false, Payload::HttpApi) => Asks::HttpApiRequest,
            (true, Payload::HttpApi) => {
                let reason = "a TOKEN authorizer has payload 1.0; only REQUEST has 2.0";
                return Err((self.payload.map(|payload| payload.span()), reason.into()));
            }
        };
        let answer = self.answer.as_ref().map_or(AnswerKind::Policy, |answer| *answer.get_ref());
        if answer == AnswerKind::Simple && asks != Asks::HttpApiRequest {
            let reason =
                "a simple answer needs payload = \"2.0\"; payload 1.0 answers with a policy";
            return Err((self.answer.map(|answer| answer.span()), reason.into()));
        }
        let ttl = match &self.ttl {
            Some(text) => ttl(text)?,
            None => TTL_DEFAULT,
        };
        let mut identity = Vec::new();
        for text in self.identity.into_iter().flatten() {
            let source = IdentitySource::parse(text.get_ref());
            identity.push(source.map_err(|reason| (Some(text.span()), reason))?);
        }
        let one_header = matches!(identity[..], [IdentitySource::Header(_)]);
        if is_token && !one_header {
            let reason = "a TOKEN authorizer has one identity: identity = [\"$request.header.Authorization\"]";
            return Err((Some(at), reason.into()));
        }
        if identity.is_empty() && !ttl.is_zero() {
            let reason = "answers are kept by who asks: say identity = [...], or ttl = \"0s\"";
            return Err((Some(at), reason.into()));
        }
        let validation = match self.validation {
            Some(text) if !is_token => {
                let reason = "validation is for TOKEN authorizers: there is no token here";
                return Err((Some(text.span()), reason.into()));
            }
            Some(text) => Some(whole_match(text.get_ref()).map_err(|reason| {
                (Some(text.span()), format!("validation is no expression: {reason}"))
            })?),
            None => None,
        };
        let cache_max = match self.cache_max {
            Some(max) if *max.get_ref() == 0 => {
                let reason = "no room for any answer: write ttl = \"0s\" to keep none";
                return Err((Some(max.span()), reason.into()));
            }
            max => max.map_or(CACHE_DEFAULT, Spanned::into_inner),
        };
        let api = match self.api {
            Some(text) => ApiArn::parse(text.get_ref()).ok_or_else(|| {
                let reason = "is no API: write arn:aws:execute-api:REGION:ACCOUNT:API/STAGE";
                (Some(text.span()), format!("{:?} {reason}", text.get_ref()))
            })?,
            None => ApiArn::parse(API_DEFAULT)
                .ok_or_else(|| (None, "the default API is none".to_owned()))?,
        };
        let challenge = challenge.or_else(|| {
            let bearer = IdentitySource::Header(header::AUTHORIZATION);
            identity.contains(&bearer).then(|| HeaderValue::from_static("Bearer"))
        });
        Ok(Authorizer::Lambda(Box::new(LambdaAuthorizer {
            function,
            asks,
            answer,
            identity,
            validation,
            ttl,
            timeout: self.timeout.unwrap_or(TIMEOUT_DEFAULT),
            cache_max,
            api,
            challenge,
        })))
    }

    /// Each kind has keys of its own. One of another would be passed over in silence, and it is about who
    /// may come in.
    fn only_keys_of(&self, kind: Kind) -> Result<(), Wrong> {
        let lambda = [
            ("lambda", self.lambda.is_some()),
            ("local", self.local.is_some()),
            ("type", self.asks.is_some()),
            ("payload", self.payload.is_some()),
            ("answer", self.answer.is_some()),
            ("identity", self.identity.is_some()),
            ("validation", self.validation.is_some()),
            ("ttl", self.ttl.is_some()),
            ("timeout", self.timeout.is_some()),
            ("cache_max", self.cache_max.is_some()),
            ("api", self.api.is_some()),
        ];
        let engine = [("settings", self.settings.is_some())];
        let keys = [("keys", self.keys.is_some()), ("headers", self.headers.is_some())];
        let foreign: &[&[(&str, bool)]] = match kind {
            Kind::Lambda => &[&engine, &keys],
            Kind::Engine => &[&lambda, &keys],
            Kind::ApiKeys => &[&lambda, &engine],
        };
        let said = foreign.iter().flat_map(|keys| keys.iter()).find(|(_, said)| *said);
        match said {
            Some((key, _)) => {
                Err((Some(self.kind.span()), format!("this kind of authorizer has no {key}")))
            }
            None => Ok(()),
        }
    }
}

/// The engine is made here once, to hear what it has to say about its settings. Keys of tokens are read
/// when the gateway starts.
fn engine(
    at: Range<usize>,
    settings: Settings,
    challenge: Option<HeaderValue>,
) -> Result<Authorizer, Wrong> {
    // Both would be taken for what they are with an API Gateway in front.
    if settings.vpc_endpoints.is_some() {
        let reason = "vpc_endpoints: no request here says which endpoint it came through, so that nobody could \
                      come in: listen on an address that only those reach who may";
        return Err((Some(at), reason.into()));
    }
    if settings.http_api_answer != HttpApiAnswer::default() {
        let reason =
            "http_api_answer: nobody is answered, the engine decides for the gateway: take it out";
        return Err((Some(at), reason.into()));
    }
    if settings.jwt.is_none()
        && let Err(error) = stream_authorizer::Engine::new(&settings, |_| None)
    {
        return Err((Some(at), error.to_string()));
    }
    let has_tokens = settings.jwt.is_some();
    let challenge = challenge.or_else(|| has_tokens.then(|| HeaderValue::from_static("Bearer")));
    Ok(Authorizer::Engine { settings: Box::new(settings), challenge, at })
}

/// Keys that are for every route that names their authorizer.
fn settings_of_keys(keys: Vec<Key>, headers: Option<Vec<String>>) -> Settings {
    let mut settings = Settings::default();
    settings.scopes.insert(WHOLE.into(), vec!["* /*".into()]);
    settings.key_headers = headers;
    for Key { name, sha256 } in keys {
        let mut key = stream_authorizer::KeySettings::default();
        key.name = name;
        key.sha256 = sha256;
        key.scopes = vec![WHOLE.into()];
        settings.keys.push(key);
    }
    settings
}

fn ttl(text: &Spanned<String>) -> Result<Duration, Wrong> {
    let wrong = |reason: &str| (Some(text.span()), format!("{:?} {reason}", text.get_ref()));
    let ttl = humantime::parse_duration(text.get_ref())
        .map_err(|_| wrong("is no time: write 0s, 30s or 5m"))?;
    if ttl > TTL_MAX {
        return Err(wrong("is too long: an answer is kept for an hour at most"));
    }
    Ok(ttl)
}

/// The whole token must match, as at the service, so that `abc` is not found in the middle of anything.
fn whole_match(expression: &str) -> Result<Regex, String> {
    Regex::new(expression).map_err(|error| error.to_string())?;
    Regex::new(&format!("^(?:{expression})$")).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const ROUTE: &str =
        "[[routes]]\npath = \"/a\"\nauthorizer = \"door\"\nlambda = { function = \"f\" }\n";

    /// SHA-256 of nothing.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// With the table of an authorizer `door` from line 5 on.
    fn complaint(table: &str) -> String {
        Config::parse(&format!("{ROUTE}{table}"), "gateway.toml").unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_authorizer_is_refused_with_its_line() {
        let lambda = "[authorizers.door]\nkind = \"lambda\"\nlambda = { function = \"a\" }\n";
        let token = "type = \"TOKEN\"\n";
        let who = "identity = [\"$request.header.Authorization\"]\n";
        for (table, line, reason) in [
            ("".to_owned(), 3, "there is no authorizer \"door\""),
            (lambda.to_owned(), 6, "say type"),
            (format!("{}{token}{who}", lambda.replace("\"a\"", "\"\"")), 7, "no name of a function"),
            (format!("{lambda}{token}"), 6, "one identity"),
            (format!("{lambda}type = \"REQUEST\"\n"), 6, "kept by who asks"),
            (format!("{lambda}{token}{who}ttl = \"2h\"\n"), 10, "an hour at most"),
            (format!("{lambda}{token}{who}payload = \"2.0\"\n"), 10, "payload 1.0"),
            (format!("{lambda}{token}{who}answer = \"simple\"\n"), 10, "payload = \"2.0\""),
            (format!("{lambda}{token}{who}validation = \"(\"\n"), 10, "no expression"),
            (format!("{lambda}{token}{who}api = \"api\"\n"), 10, "is no API"),
            (format!("{lambda}{token}{who}cache_max = 0\n"), 10, "no room"),
            (format!("{lambda}{token}identity = [\"Authorization\"]\n"), 9, "says nothing"),
            (format!("{lambda}type = \"REQUEST\"\n{who}validation = \"a\"\n"), 10, "no token here"),
            (format!("{lambda}{token}{who}keys = []\n"), 6, "has no keys"),
            ("[authorizers.door]\nkind = \"lambda\"\ntype = \"TOKEN\"\n".into(), 6, "where it is"),
            ("[authorizers.door]\nkind = \"engine\"\n".into(), 6, "needs settings"),
            ("[authorizers.door]\nkind = \"engine\"\nsettings = {}\n".into(), 7, "nobody could be known"),
            (
                "[authorizers.door]\nkind = \"api-keys\"\nkeys = [{ name = \"a\", sha256 = \"hush\" }]\n".into(),
                7,
                "keys[0].sha256",
            ),
            (
                "[authorizers.door]\nkind = \"engine\"\nsettings = { vpc_endpoints = [\"vpce-1\"] }\n".into(),
                7,
                "vpc_endpoints: no request",
            ),
            (
                "[authorizers.door]\nkind = \"engine\"\nsettings = { http_api_answer = \"simple\" }\n".into(),
                7,
                "http_api_answer: nobody",
            ),
            (
                format!(
                    "[authorizers.door]\nkind = \"api-keys\"\nkeys = [{{ name = \"a\", sha256 = \"{EMPTY}\" }}]\n"
                ),
                7,
                "empty text",
            ),
            ("[authorizers.none]\nkind = \"engine\"\n".into(), 5, "rename it"),
        ] {
            let said = complaint(&table);
            let place = format!("gateway.toml:{line}: ");
            assert!(
                said.lines().any(|told| told.starts_with(&place) && told.contains(reason)),
                "{place}{reason}: {said}"
            );
            assert!(!said.contains("hush"), "{said}");
        }
    }
}
