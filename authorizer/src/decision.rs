//! Who it is and what they may come in; the decision goes out, with all that a gateway passes on.

use crate::route::Route;
use crate::settings::ContextValue;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// What is decided of one request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Decision {
    /// Somebody known, and one of their scopes has this request. Of HTTP: go on.
    Allow(Grant),
    /// Somebody known, who may not. Of HTTP: 403.
    Deny(Denial),
    /// Nobody known. Of HTTP: 401.
    Unauthenticated(Unauthenticated),
}

/// Somebody, and what they may.
#[derive(Clone)]
pub struct Grant {
    pub(crate) principal: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) context: BTreeMap<String, ContextValue>,
    pub(crate) expires: Option<SystemTime>,
}

/// A scope: its name and its routes, shared by all who have it.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) name: Arc<str>,
    pub(crate) routes: Arc<[Route]>,
}

/// Somebody who may not do this.
#[derive(Debug, Clone)]
pub struct Denial {
    pub(crate) grant: Grant,
    pub(crate) reason: DenialReason,
}

/// Why somebody known may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DenialReason {
    /// None of their scopes has this method and path.
    #[error("no scope of theirs has this method and path")]
    Scope,
    /// The request did not come through one of the VPC endpoints that it may come through.
    #[error("it came through no VPC endpoint that is good")]
    VpcEndpoint,
}

/// Why nobody is known. For the log: a client is told only that it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unauthenticated {
    /// There is no credential of a kind that the settings have.
    #[error("there is no credential")]
    Missing,
    /// A header, or the parameter of the query, that has a credential is there more than once.
    #[error("there are several credentials in one place")]
    Repeated,
    /// It is no API key that the settings have.
    #[error("the API key is not known")]
    Key,
    /// The token is longer than may be.
    #[error("the token is too long")]
    TokenLength,
    /// It is no token, or one that wants what is not understood here.
    #[error("the token is malformed")]
    TokenForm,
    /// It is signed in a way that is not taken, or not with this key.
    #[error("the token's algorithm is not one of its key")]
    TokenAlgorithm,
    /// It names a key that the issuer does not have, or none where there are several.
    #[error("the token's key is not known")]
    TokenKey,
    /// The signature is not of this token by this key.
    #[error("the token's signature is wrong")]
    TokenSignature,
    /// It is not good any more, or does not say until when.
    #[error("the token has expired")]
    TokenExpired,
    /// It is not good yet.
    #[error("the token is not good yet")]
    TokenEarly,
    /// It is of another issuer.
    #[error("the token is of another issuer")]
    TokenIssuer,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    TokenAudience,
    /// It does not say who it is, or has a claim that is not of its type.
    #[error("a claim of the token is missing or not of its type")]
    TokenClaim,
}

impl Grant {
    /// Who it is: the name of the API key, or a claim of the token.
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The names of the scopes, in order, each one once.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(|scope| &*scope.name)
    }

    /// What the function behind is told: values of the settings or claims of the token; `principal`; and
    /// `scope`, the names of the scopes with a space between.
    pub fn context(&self) -> &BTreeMap<String, ContextValue> {
        &self.context
    }

    /// Until when it is good: a token's `exp`, without leeway. A key has no end. Whoever keeps a grant must
    /// not keep it longer.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// Whether a scope has this request: what is asked of a grant that was kept. VPC endpoints are not part
    /// of it.
    pub fn allows(&self, method: &str, path: &str) -> bool {
        self.routes().any(|route| route.matches(method, path))
    }

    /// All routes of all scopes.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.scopes.iter().flat_map(|scope| scope.routes.iter())
    }
}

/// Without who it is and what is said of them.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("scopes", &self.scopes().collect::<Vec<_>>())
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Denial {
    /// Why.
    pub fn reason(&self) -> DenialReason {
        self.reason
    }

    /// Who it is, and what they may otherwise.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }
}
