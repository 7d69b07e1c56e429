//! A token (JWT, RFC 7519) and the time come in; what its issuer says of its bearer goes out, once all of it has been
//! checked: form, algorithm, key, signature, times, issuer, audience.
//!
//! Signatures are checked by `jsonwebtoken`; the claims are checked here, because it would ask the clock itself,
//! and takes a claim that is not there, or not of its type, for a good one unless told otherwise.

use crate::api_key::is_reserved;
use crate::decision::{Grant, Scope, Unauthenticated};
use crate::error::Error;
use crate::key_set::{Found, KeySet};
use crate::key_source::KeySource;
use crate::scope::Scopes;
use crate::settings::{ContextValue, JwtSettings};
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::errors::ErrorKind as JwtErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// What clocks in the field are off by; also what `jsonwebtoken` allows.
const LEEWAY: Duration = Duration::from_secs(60);

/// Beyond this it would be no leeway any more.
const LONGEST_LEEWAY: Duration = Duration::from_secs(600);

/// API Gateway takes 10,240 bytes of headers in all ("Amazon API Gateway quotas").
const LONGEST_TOKEN: usize = 8192;

const PRINCIPAL_CLAIM: &str = "sub";

/// RFC 8693, section 4.2.
const SCOPE_CLAIM: &str = "scope";

pub(crate) struct Tokens {
    keys: KeySource,
    issuer: String,
    audience: Vec<String>,
    leeway: Duration,
    longest: usize,
    principal_claim: String,
    scope_claim: String,
    scopes: Vec<Scope>,
    context_claims: Vec<String>,
}

impl Tokens {
    /// `variable` looks up the environment.
    pub(crate) fn read(
        settings: &JwtSettings,
        scopes: &Scopes,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let keys = match (&settings.jwks_file, &settings.jwks_env) {
            (Some(path), None) => KeySource::file(path)?,
            (None, Some(name)) => match variable(name) {
                Some(text) => KeySource::fixed(&text)?,
                None => return Err(Error::setting("jwt.jwks_env", format!("{name} is not set"))),
            },
            _ => {
                let words = "say where the keys are: either jwks_file or jwks_env";
                return Err(Error::setting("jwt", words));
            }
        };
        if settings.issuer.is_empty() {
            return Err(Error::setting("jwt.issuer", "is empty"));
        }
        if settings.audience.is_empty() || settings.audience.iter().any(String::is_empty) {
            return Err(Error::setting("jwt.audience", "is empty, or has an empty one"));
        }
        let leeway = settings.leeway_seconds.map_or(LEEWAY, Duration::from_secs);
        if leeway > LONGEST_LEEWAY {
            let words = format!("at most {} s", LONGEST_LEEWAY.as_secs());
            return Err(Error::setting("jwt.leeway_seconds", words));
        }
        if let Some(reserved) = settings.context_claims.iter().find(|name| is_reserved(name)) {
            return Err(Error::setting("jwt.context_claims", format!("{reserved} is set already")));
        }
        // For the whole process; another choice, if somebody made one, is as good. Without it a second
        // provider among the features of a build would make the first token a panic.
        let _chosen_already = DEFAULT_PROVIDER.install_default();
        let or =
            |name: &Option<String>, default: &str| name.as_deref().unwrap_or(default).to_owned();
        Ok(Self {
            keys,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            leeway,
            longest: settings.max_token_bytes.unwrap_or(LONGEST_TOKEN),
            principal_claim: or(&settings.principal_claim, PRINCIPAL_CLAIM),
            scope_claim: or(&settings.scope_claim, SCOPE_CLAIM),
            scopes: scopes.all_of(&settings.scopes, "jwt.scopes")?,
            context_claims: settings.context_claims.clone(),
        })
    }

    pub(crate) fn verify(
        &self,
        token: &str,
        scopes: &Scopes,
        now: SystemTime,
    ) -> Result<Grant, Unauthenticated> {
        if token.len() > self.longest {
            return Err(Unauthenticated::TokenLength);
        }
        // Also what names an algorithm that is none, such as `none`.
        let header = decode_header(token).map_err(|_| Unauthenticated::TokenForm)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Unauthenticated::TokenAlgorithm);
        }
        // What has to be understood (RFC 7515, section 4.1.11), and what makes it another kind of token.
        // Keys that a header brings along are not looked at.
        if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(Unauthenticated::TokenForm);
        }
        let claims = match claims(&self.keys.keys(now), token, &header) {
            Err(Unauthenticated::TokenKey) => {
                claims(&self.keys.keys_after_a_miss(now), token, &header)?
            }
            claims => claims?,
        };
        self.grant(&claims, scopes, now)
    }

    fn grant(
        &self,
        claims: &Map<String, Value>,
        scopes: &Scopes,
        now: SystemTime,
    ) -> Result<Grant, Unauthenticated> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(Unauthenticated::TokenIssuer);
        }
        let ours = |audience: &str| self.audience.iter().any(|ours| ours == audience);
        if !texts(claims.get("aud"), false).is_some_and(|listed| listed.into_iter().any(ours)) {
            return Err(Unauthenticated::TokenAudience);
        }
        let expires = match claims.get("exp") {
            None => return Err(Unauthenticated::TokenExpired),
            Some(exp) => moment(exp).ok_or(Unauthenticated::TokenClaim)?,
        };
        if now.checked_sub(self.leeway).is_none_or(|now| now >= expires) {
            return Err(Unauthenticated::TokenExpired);
        }
        if let Some(nbf) = claims.get("nbf") {
            let begins = moment(nbf).ok_or(Unauthenticated::TokenClaim)?;
            if now.checked_add(self.leeway).is_none_or(|now| now < begins) {
                return Err(Unauthenticated::TokenEarly);
            }
        }
        let principal = claims.get(&self.principal_claim).and_then(Value::as_str);
        let principal = principal.filter(|name| !name.is_empty());
        let principal = principal.ok_or(Unauthenticated::TokenClaim)?;
        let claimed = match claims.get(&self.scope_claim) {
            None | Some(Value::Null) => Vec::new(),
            there => texts(there, true).ok_or(Unauthenticated::TokenClaim)?,
        };
        let own = self.scopes.iter().map(|scope| &*scope.name);
        Ok(Grant {
            principal: principal.to_owned(),
            scopes: scopes.named(claimed.into_iter().chain(own)),
            context: self.context(claims),
            expires: Some(expires),
        })
    }

    fn context(&self, claims: &Map<String, Value>) -> BTreeMap<String, ContextValue> {
        let named = self.context_claims.iter();
        let values = named.filter_map(|name| {
            let value = match claims.get(name)? {
                Value::String(text) => ContextValue::String(text.clone()),
                Value::Number(number) => ContextValue::Number(number.clone()),
                Value::Bool(whether) => ContextValue::Bool(*whether),
                _ => return None,
            };
            Some((name.clone(), value))
        });
        values.collect()
    }
}

/// What is signed, if the signature is good; nothing of it is checked yet.
fn claims(
    keys: &KeySet,
    token: &str,
    header: &Header,
) -> Result<Map<String, Value>, Unauthenticated> {
    let key = match keys.find(header.kid.as_deref(), header.alg) {
        Found::Key(key) => key,
        Found::OtherAlgorithm => return Err(Unauthenticated::TokenAlgorithm),
        Found::Unknown => return Err(Unauthenticated::TokenKey),
    };
    let mut signature_alone = Validation::new(header.alg);
    signature_alone.required_spec_claims.clear();
    signature_alone.validate_exp = false;
    signature_alone.validate_aud = false;
    match decode::<Map<String, Value>>(token, key, &signature_alone) {
        Ok(token) => Ok(token.claims),
        Err(error) if matches!(error.kind(), JwtErrorKind::InvalidSignature) => {
            Err(Unauthenticated::TokenSignature)
        }
        Err(_) => Err(Unauthenticated::TokenForm),
    }
}

/// One text or an array of texts; `None` if it is neither. One text may have several words.
fn texts(value: Option<&Value>, words: bool) -> Option<Vec<&str>> {
    match value? {
        Value::String(text) if words => {
            Some(text.split(' ').filter(|name| !name.is_empty()).collect())
        }
        Value::String(text) => Some(vec![text]),
        Value::Array(listed) => listed.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Seconds since 1970, which may have a fraction (RFC 7519, section 2, "NumericDate").
fn moment(value: &Value) -> Option<SystemTime> {
    let since = match value.as_u64() {
        Some(seconds) => Duration::from_secs(seconds),
        None => Duration::try_from_secs_f64(value.as_f64()?).ok()?,
    };
    SystemTime::UNIX_EPOCH.checked_add(since)
}
