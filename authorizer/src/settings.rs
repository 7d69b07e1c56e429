//! TOML or JSON comes in, by serde; the settings of an engine go out, as they were written. Whether they make
//! sense is for the parts that use them, which say so with the setting's name.

#[cfg(feature = "function")]
mod from_toml;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Who may call what. See the [crate's page](crate) for an example, and for how the parts combine.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// What a scope allows: its name, and routes such as `GET /objects/*` ([`Route`](crate::Route)).
    #[serde(default)]
    pub scopes: BTreeMap<String, Vec<String>>,
    /// API keys.
    #[serde(default)]
    pub keys: Vec<KeySettings>,
    /// The headers that an API key may come in. If nothing is said: `x-api-key`.
    #[serde(default)]
    pub key_headers: Option<Vec<String>>,
    /// Tokens of an issuer.
    #[serde(default)]
    pub jwt: Option<JwtSettings>,
    /// The VPC endpoints that requests may come through, as a condition on top. If nothing is said, all
    /// ways are good.
    #[serde(default)]
    pub vpc_endpoints: Option<Vec<String>>,
    /// What an HTTP API with payload format 2.0 is answered. The engine has no use for it, the function has.
    #[serde(default)]
    pub http_api_answer: HttpApiAnswer,
}

/// An API key: who has it, and its sum.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeySettings {
    /// Who has the key: the principal of its requests.
    pub name: String,
    /// The SHA-256 of the key, in 64 hexadecimal digits.
    pub sha256: String,
    /// The scopes it has, by name.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What the function behind is told beside principal and scopes.
    #[serde(default)]
    pub context: BTreeMap<String, ContextValue>,
}

/// Without the sum: whoever reads a log should not be able to try keys against it.
impl fmt::Debug for KeySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySettings")
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// The tokens of one issuer: signed with RS256, ES256 or EdDSA, by a key of a JWKS.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct JwtSettings {
    /// What the claim `iss` has to be, letter by letter.
    pub issuer: String,
    /// What the claim `aud` has to be, or to have among its values: one of these.
    pub audience: Vec<String>,
    /// A file with the keys (JWKS). It is looked at again when it has changed, and when a token names a key
    /// that is not in it.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// The variable of the environment that has the keys (JWKS), in place of a file.
    #[serde(default)]
    pub jwks_env: Option<String>,
    /// How far the issuer's clock may be off, in seconds: 60 if nothing is said, at most 600.
    #[serde(default)]
    pub leeway_seconds: Option<u64>,
    /// How long a token may be, in bytes: 8192 if nothing is said, which is also what an API Gateway takes of
    /// all headers.
    #[serde(default)]
    pub max_token_bytes: Option<usize>,
    /// The claim that says who it is: `sub` if nothing is said.
    #[serde(default)]
    pub principal_claim: Option<String>,
    /// The claim with the names of the scopes, one text with spaces or an array: `scope` if nothing is said.
    /// Names that the settings do not have are passed over.
    #[serde(default)]
    pub scope_claim: Option<String>,
    /// Scopes that every good token has.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Claims that the function behind is told, where they are a text, a number or true or false.
    #[serde(default)]
    pub context_claims: Vec<String>,
    /// A parameter of the query that a token may come in, for clients that can send no header (a browser's
    /// WebSocket). Queries end up in logs, so there is none if nothing is said.
    #[serde(default)]
    pub query_parameter: Option<String>,
}

/// A value that API Gateway passes on to the function behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ContextValue {
    /// A text.
    String(String),
    /// A number.
    Number(serde_json::Number),
    /// True or false.
    Bool(bool),
}

/// How an HTTP API with payload format 2.0 was told to read its authorizer's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HttpApiAnswer {
    /// As an IAM policy, which is right for each route while it is cached. API Gateway's own default.
    #[default]
    Iam,
    /// As `{"isAuthorized": true}`. A cached one counts for every route: use no cache, or have
    /// `$context.routeKey` among the identity sources.
    Simple,
}
