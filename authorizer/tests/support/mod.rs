//! What the tests share: keys made afresh, the JWKS that has their public halves, tokens signed with them.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part, and may unwrap

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use rsa::RsaPrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use stream_authorizer::{Decision, Engine, RequestView, Settings, Unauthenticated};

pub(crate) const ISSUER: &str = "https://issuer.example";

/// The time of the tests, in seconds since 1970.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn now() -> SystemTime {
    at(NOW)
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Somebody who signs: an issuer, or somebody who would like to be one.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) algorithm: Algorithm,
    key: EncodingKey,
    /// The public half, with its `kid`.
    pub(crate) jwk: Value,
    /// The public half as a file may have it, which a forger can get.
    pub(crate) public: Vec<u8>,
}

impl Signer {
    /// The same key in all tests of a program: RSA keys take a while to make.
    pub(crate) fn rsa(kid: &str) -> Self {
        static KEYS: OnceLock<[RsaPrivateKey; 2]> = OnceLock::new();
        let make = || RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        let keys = KEYS.get_or_init(|| [make(), make()]);
        let key = if kid.ends_with("forged") { &keys[1] } else { &keys[0] };
        let (n, e) = (encoded(&key.n().to_bytes_be()), encoded(&key.e().to_bytes_be()));
        Self {
            algorithm: Algorithm::RS256,
            key: EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes()),
            jwk: json!({"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "n": n, "e": e}),
            public: key.to_public_key().to_pkcs1_der().unwrap().as_bytes().to_vec(),
        }
    }

    pub(crate) fn ec(kid: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let public = key.public_key_raw().to_vec();
        let (x, y) = (encoded(&public[1..33]), encoded(&public[33..]));
        Self {
            algorithm: Algorithm::ES256,
            key: EncodingKey::from_ec_der(&key.serialize_der()),
            jwk: json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y}),
            public,
        }
    }

    pub(crate) fn ed(kid: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let public = key.public_key_raw().to_vec();
        Self {
            algorithm: Algorithm::EdDSA,
            key: EncodingKey::from_ed_der(&key.serialize_der()),
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encoded(&public)}),
            public,
        }
    }

    pub(crate) fn kid(&self) -> &str {
        self.jwk["kid"].as_str().unwrap()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid().to_owned());
        self.sign_with(&header, claims)
    }

    pub(crate) fn sign_with(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.key).unwrap()
    }
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn jwks(signers: &[&Signer]) -> String {
    let keys: Vec<&Value> = signers.iter().map(|signer| &signer.jwk).collect();
    json!({ "keys": keys }).to_string()
}

/// Good ones, of somebody who may read.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "api", "sub": "anna", "scope": "objects:read openid",
        "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 300,
        "tenant": "t1", "level": 3, "admin": false, "groups": ["a"],
    })
}

/// An engine with the keys of a JWKS, and the API key "k-reader" with the scope `objects:read`.
pub(crate) fn engine(jwks: &str) -> Engine {
    with(&settings(json!({"jwks_env": "JWKS"})), jwks)
}

pub(crate) fn engine_of_file(path: &Path) -> Engine {
    with(&settings(json!({ "jwks_file": path })), "")
}

pub(crate) fn with(settings: &Settings, jwks: &str) -> Engine {
    Engine::new(settings, |name| (name == "JWKS").then(|| jwks.to_owned())).unwrap()
}

/// Settings with some more in `jwt`.
pub(crate) fn settings(more: Value) -> Settings {
    serde_json::from_value(settings_json(more)).unwrap()
}

pub(crate) fn settings_json(more: Value) -> Value {
    let mut settings = json!({
        "scopes": {
            "objects:read": ["GET,HEAD /objects/*"],
            "objects:write": ["PUT /objects/*"],
            "stream": ["$connect"],
        },
        "keys": [{
            "name": "reader", "sha256": sum("k-reader"), "scopes": ["objects:read"],
            "context": {"team": "data", "tier": 2, "beta": true},
        }, {
            "name": "nobody", "sha256": sum("k-nobody"),
        }],
        "jwt": {
            "issuer": ISSUER, "audience": ["api", "other"],
            "context_claims": ["tenant", "level", "admin", "groups", "missing"],
        },
    });
    for (name, value) in more.as_object().unwrap() {
        settings["jwt"][name] = value.clone();
    }
    settings
}

pub(crate) fn sum(key: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> http::HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).fold(
        http::HeaderMap::new(),
        |mut headers, (name, value): (http::HeaderName, http::HeaderValue)| {
            headers.append(name, value);
            headers
        },
    )
}

/// What an engine decides of a `GET /objects/a` with a token.
pub(crate) fn bearer(engine: &Engine, token: &str) -> Decision {
    bearer_at(engine, token, now())
}

pub(crate) fn bearer_at(engine: &Engine, token: &str, now: SystemTime) -> Decision {
    let headers = headers(&[("authorization", &format!("Bearer {token}"))]);
    engine.authorize(&RequestView::new("GET", "/objects/a", &headers), now)
}

#[track_caller]
pub(crate) fn refused(decision: Decision) -> Unauthenticated {
    match decision {
        Decision::Unauthenticated(why) => why,
        other => panic!("not refused but {other:?}"),
    }
}

#[track_caller]
pub(crate) fn allowed(decision: Decision) -> stream_authorizer::Grant {
    match decision {
        Decision::Allow(grant) => grant,
        other => panic!("not allowed but {other:?}"),
    }
}
