//! Settings come in once, then requests and the time; decisions go out.
//!
//! How the parts combine: a token counts before a key, and the first that is presented decides: behind a bad
//! token nobody looks for a good key. VPC endpoints are a condition on top.

use crate::api_key::Keys;
use crate::decision::{Decision, Denial, DenialReason, Grant, Unauthenticated};
use crate::error::Error;
use crate::policy;
use crate::request::RequestView;
use crate::scope::Scopes;
use crate::settings::{ContextValue, Settings};
use crate::token::Tokens;
use http::HeaderName;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::time::SystemTime;

const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// Of the header `Authorization` (RFC 6750); any case of letters will do.
const SCHEME: &str = "bearer";

/// Decides who may.
pub struct Engine {
    scopes: Scopes,
    keys: Keys,
    key_headers: Vec<HeaderName>,
    tokens: Option<Tokens>,
    query_parameter: Option<String>,
    vpc_endpoints: Option<Vec<String>>,
}

impl Engine {
    /// An engine with these settings. `variable` looks up the environment, and is asked only for what
    /// `jwt.jwks_env` names: `|name| std::env::var(name).ok()`. A file of keys is read now, and again while
    /// the engine is used; nothing else is.
    ///
    /// # Errors
    ///
    /// If a setting is missing or wrong ([`ErrorKind::Setting`](crate::ErrorKind::Setting), with its name), or
    /// the keys of `jwt` are ([`ErrorKind::Keys`](crate::ErrorKind::Keys)).
    pub fn new(
        settings: &Settings,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let scopes = Scopes::read(&settings.scopes)?;
        let keys = Keys::read(&settings.keys, &scopes)?;
        let tokens = match &settings.jwt {
            Some(jwt) => Some(Tokens::read(jwt, &scopes, variable)?),
            None => None,
        };
        if keys.are_none() && tokens.is_none() {
            return Err(Error::setting("keys, jwt", "nobody could be known: say one of them"));
        }
        let query_parameter = settings.jwt.as_ref().and_then(|jwt| jwt.query_parameter.clone());
        if query_parameter.as_deref() == Some("") {
            return Err(Error::setting("jwt.query_parameter", "is empty"));
        }
        let vpc_endpoints = settings.vpc_endpoints.clone();
        if let Some(listed) = &vpc_endpoints
            && (listed.is_empty() || listed.iter().any(|id| !id.starts_with("vpce-")))
        {
            let words = "is empty, or has one that does not begin with \"vpce-\"";
            return Err(Error::setting("vpc_endpoints", words));
        }
        let key_headers = key_headers(settings.key_headers.as_deref())?;
        Ok(Self { scopes, keys, key_headers, tokens, query_parameter, vpc_endpoints })
    }

    /// Decides about one request. `now` is the time that tokens are measured by.
    ///
    /// It does not wait, but may read the file of keys, at most twice every 5 s.
    pub fn authorize(&self, request: &RequestView<'_>, now: SystemTime) -> Decision {
        let mut grant = match self.identify(request, now) {
            Ok(grant) => grant,
            Err(why) => return Decision::Unauthenticated(why),
        };
        let scope = grant.scopes().collect::<Vec<_>>().join(" ");
        grant.context.insert("scope".into(), ContextValue::String(scope));
        let principal = ContextValue::String(grant.principal.clone());
        grant.context.insert("principal".into(), principal);
        let through = |id: &str| request.vpc_endpoint == Some(id);
        if self.vpc_endpoints.as_ref().is_some_and(|good| !good.iter().any(|id| through(id))) {
            return Decision::Deny(Denial { grant, reason: DenialReason::VpcEndpoint });
        }
        match grant.allows(request.method, request.path) {
            true => Decision::Allow(grant),
            false => Decision::Deny(Denial { grant, reason: DenialReason::Scope }),
        }
    }

    /// Whether what each API key may fits into a policy of API Gateway, for whoever answers with policies
    /// ([`answer`](crate::answer())). Of tokens nobody knows beforehand which scopes they have: one whose
    /// scopes do not fit is denied everything.
    ///
    /// # Errors
    ///
    /// With the name of the setting ([`ErrorKind::Setting`](crate::ErrorKind::Setting)).
    pub fn policies_fit(&self) -> Result<(), Error> {
        self.keys.routes().try_for_each(|(place, routes)| policy::fits(&place, routes))
    }

    fn identify(
        &self,
        request: &RequestView<'_>,
        now: SystemTime,
    ) -> Result<Grant, Unauthenticated> {
        if let Some(presented) = request.token {
            return self.presented(presented, now);
        }
        if let Some(tokens) = &self.tokens
            && let Some(token) = self.token(request)?
        {
            return tokens.verify(&token, &self.scopes, now);
        }
        match self.key(request)? {
            Some(key) => self.keys.verify(key),
            None => Err(Unauthenticated::Missing),
        }
    }

    /// What a TOKEN authorizer has: the value of a header that the API names, whatever is in it.
    fn presented(&self, presented: &str, now: SystemTime) -> Result<Grant, Unauthenticated> {
        match (bearer(presented), &self.tokens) {
            (Some(token), Some(tokens)) => tokens.verify(token, &self.scopes, now),
            (Some(_), None) => Err(Unauthenticated::Missing),
            (None, tokens) => match (self.keys.verify(presented), tokens) {
                // A key is known by its sum, so what is none may still be a token without its scheme.
                (Err(_), Some(tokens)) if presented.split('.').count() == 3 => {
                    tokens.verify(presented, &self.scopes, now)
                }
                (verified, _) => verified,
            },
        }
    }

    fn token(&self, request: &RequestView<'_>) -> Result<Option<String>, Unauthenticated> {
        let mut values = request.headers.get_all(AUTHORIZATION).iter();
        let header = match (values.next(), values.next()) {
            (Some(_), Some(_)) => return Err(Unauthenticated::Repeated),
            (Some(value), None) => value.to_str().ok().and_then(bearer).map(str::to_owned),
            (None, _) => None,
        };
        let parameter = match (&self.query_parameter, request.query) {
            (Some(name), Some(query)) => parameter(query, name)?,
            _ => None,
        };
        match (header, parameter) {
            (Some(_), Some(_)) => Err(Unauthenticated::Repeated),
            (header, parameter) => Ok(header.or(parameter)),
        }
    }

    fn key<'a>(&self, request: &RequestView<'a>) -> Result<Option<&'a str>, Unauthenticated> {
        if self.keys.are_none() {
            return Ok(None);
        }
        let headers = request.headers;
        let mut values = self.key_headers.iter().flat_map(|name| headers.get_all(name));
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => Err(Unauthenticated::Repeated),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| Unauthenticated::Key),
            (None, _) => Ok(None),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("vpc_endpoints", &self.vpc_endpoints).finish_non_exhaustive()
    }
}

fn key_headers(names: Option<&[String]>) -> Result<Vec<HeaderName>, Error> {
    let Some(names) = names else { return Ok(vec![KEY_HEADER]) };
    let mut headers = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let place = format!("key_headers[{index}]");
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Error::setting(&place, "is no name of a header"))?;
        if header == AUTHORIZATION {
            return Err(Error::setting(&place, "is for tokens"));
        }
        if !headers.contains(&header) {
            headers.push(header);
        }
    }
    match headers.is_empty() {
        true => Err(Error::setting("key_headers", "is empty: leave it out for x-api-key")),
        false => Ok(headers),
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_matches(' '))
}

fn parameter(query: &str, name: &str) -> Result<Option<String>, Unauthenticated> {
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if percent_decode_str(key).decode_utf8().is_ok_and(|key| key == name) {
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| Unauthenticated::TokenForm)?;
            if found.replace(value.into_owned()).is_some() {
                return Err(Unauthenticated::Repeated);
            }
        }
    }
    Ok(found)
}
