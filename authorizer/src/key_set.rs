//! The text of a JWKS (RFC 7517) comes in; the keys that signatures are checked with go out, each one bound to
//! the one algorithm that its own words allow.
//!
//! An issuer's set may have keys for other purposes and of other kinds: those are passed over. What would
//! be a key of ours and is not as it should be (too short, not on its curve, with its private half) is an
//! error, because somebody believes that it works.

use crate::error::{Error, ErrorKind};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// The longest text of a set, in bytes: of the largest issuers they have some 10 KB.
pub(crate) const LONGEST: u64 = 256 * 1024;

/// Of an RSA modulus, in bytes: NIST SP 800-131A asks for 2048 bits; what checks them takes up to 4096.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=512;

/// Of an RSA exponent, in bytes. In life it is 65537.
const LONGEST_EXPONENT: usize = 4;

/// Of a coordinate on P-256, and of a public key on Ed25519, in bytes (RFC 7518, section 6.2; RFC 8037).
const COORDINATE: usize = 32;

/// The keys of an issuer.
pub(crate) struct KeySet(Vec<Key>);

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// What there is for a token's header.
pub(crate) enum Found<'a> {
    Key(&'a DecodingKey),
    /// The key is there, and for another algorithm.
    OtherAlgorithm,
    Unknown,
}

#[derive(Deserialize)]
struct Wire {
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

impl KeySet {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Error> {
        let wrong = |words: String| Error::new(ErrorKind::Keys, words);
        let wire: Wire = serde_json::from_slice(text).map_err(|error| {
            let place = format!("at line {}, column {}", error.line(), error.column());
            wrong(format!("the keys are no JWKS, an object with an array of keys: {place}"))
        })?;
        let mut keys: Vec<Key> = Vec::new();
        for (index, fields) in wire.keys.iter().enumerate() {
            let key =
                key(fields).map_err(|why| wrong(format!("keys[{index}] of the JWKS: {why}")))?;
            let Some(key) = key else { continue };
            if keys.iter().any(|other| other.id == key.id && other.algorithm == key.algorithm) {
                let words = format!("keys[{index}] of the JWKS: another key has the same kid");
                return Err(wrong(words));
            }
            keys.push(key);
        }
        match keys.is_empty() {
            true => Err(wrong("the JWKS has no key for RS256, ES256 or EdDSA signatures".into())),
            false => Ok(Self(keys)),
        }
    }

    /// A token that names no key is for the only one there is, if there is only one.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Found<'_> {
        let candidates: Vec<&Key> = match (id, &self.0[..]) {
            (None, [only]) => vec![only],
            (None, _) => return Found::Unknown,
            (Some(id), keys) => keys.iter().filter(|key| key.id.as_deref() == Some(id)).collect(),
        };
        match candidates.iter().find(|key| key.algorithm == algorithm) {
            Some(key) => Found::Key(&key.key),
            None if candidates.is_empty() => Found::Unknown,
            None => Found::OtherAlgorithm,
        }
    }
}

/// `None` if it is none that signs what we read.
fn key(fields: &serde_json::Map<String, serde_json::Value>) -> Result<Option<Key>, String> {
    let text = |name: &str| fields.get(name).and_then(|value| value.as_str());
    let bytes = |name: &str| {
        let text = text(name).ok_or_else(|| format!("has no \"{name}\""))?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("\"{name}\" is no base64url"))
    };
    let for_signatures = text("use").is_none_or(|purpose| purpose == "sig")
        && fields
            .get("key_ops")
            .and_then(|listed| listed.as_array())
            .is_none_or(|listed| listed.iter().any(|one| one == "verify"));
    if !for_signatures {
        return Ok(None);
    }
    let (algorithm, name) = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => (Algorithm::RS256, "RS256"),
        (Some("EC"), Some("P-256")) => (Algorithm::ES256, "ES256"),
        (Some("OKP"), Some("Ed25519")) => (Algorithm::EdDSA, "EdDSA"),
        _ => return Ok(None),
    };
    // An RSA key for PS256 or for encryption says so.
    if fields.get("alg").is_some_and(|declared| declared != name) {
        return Ok(None);
    }
    if fields.contains_key("d") {
        return Err("has its private half: whoever can read these settings could sign".into());
    }
    let coordinate = |name: &str| match bytes(name)? {
        bytes if bytes.len() == COORDINATE => Ok(bytes),
        bytes => Err(format!("\"{name}\" has {} bytes, {COORDINATE} are wanted", bytes.len())),
    };
    let key = match algorithm {
        Algorithm::RS256 => {
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            let modulus = without_leading_zeros(&modulus);
            if !MODULUS.contains(&modulus.len()) {
                let bits = 8 * modulus.len();
                return Err(format!("is RSA of {bits} bits: 2048 to 4096 are taken"));
            }
            let exponent = without_leading_zeros(&exponent);
            let odd = exponent.last().is_some_and(|last| last % 2 == 1);
            if !odd || exponent == [1] || exponent.len() > LONGEST_EXPONENT {
                return Err("\"e\" is no exponent of RSA".into());
            }
            DecodingKey::from_rsa_raw_components(modulus, exponent)
        }
        Algorithm::ES256 => {
            // Uncompressed, as SEC 1 section 2.3.3 has it.
            let point = [&[4][..], &coordinate("x")?, &coordinate("y")?].concat();
            DecodingKey::from_ec_der(&point)
        }
        _ => DecodingKey::from_ed_der(&coordinate("x")?),
    };
    (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key)
        .map_err(|_| format!("is no public key for {name}"))?;
    Ok(Some(Key { id: text("kid").map(str::to_owned), algorithm, key }))
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The example of RFC 8037, appendix A.2, and of RFC 7517, appendix A.1.
    const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const EC_X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
    const EC_Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";

    fn parse(keys: Value) -> Result<KeySet, Error> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn rsa(bytes: usize) -> Value {
        let modulus = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        json!({"kty": "RSA", "kid": "r", "n": modulus, "e": "AQAB"})
    }

    #[test]
    fn a_key_is_for_its_own_algorithm_alone() {
        let ec = json!({"kty": "EC", "crv": "P-256", "kid": "e", "x": EC_X, "y": EC_Y});
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": ED_X});
        let set = parse(json!([rsa(256), ec, ed])).unwrap();
        for (id, algorithm) in
            [("r", Algorithm::RS256), ("e", Algorithm::ES256), ("d", Algorithm::EdDSA)]
        {
            assert!(matches!(set.find(Some(id), algorithm), Found::Key(_)), "{id}");
            for other in [Algorithm::HS256, Algorithm::RS512, Algorithm::PS256, Algorithm::ES384] {
                assert!(matches!(set.find(Some(id), other), Found::OtherAlgorithm), "{id}");
            }
        }
        assert!(matches!(set.find(Some("x"), Algorithm::RS256), Found::Unknown));
        assert!(matches!(set.find(None, Algorithm::RS256), Found::Unknown));
        let only = parse(json!([rsa(256)])).unwrap();
        assert!(matches!(only.find(None, Algorithm::RS256), Found::Key(_)));
        assert!(matches!(only.find(None, Algorithm::ES256), Found::OtherAlgorithm));
    }

    #[test]
    fn keys_for_something_else_are_passed_over() {
        for (field, value) in [
            ("use", json!("enc")),
            ("key_ops", json!(["encrypt"])),
            ("alg", json!("RSA-OAEP")),
            ("alg", json!("PS256")),
            ("alg", json!("HS256")),
            ("alg", json!(7)),
        ] {
            let mut other = rsa(256);
            other[field] = value.clone();
            other["kid"] = json!("other");
            let set = parse(json!([other, rsa(256)])).unwrap();
            let found = set.find(Some("other"), Algorithm::RS256);
            assert!(matches!(found, Found::Unknown), "{field} {value}");
        }
        let strange = json!([
            {"kty": "oct", "k": "c2VjcmV0", "kid": "o"},
            {"kty": "EC", "crv": "secp256k1", "x": EC_X, "y": EC_Y},
            {"kty": "OKP", "crv": "X25519", "x": ED_X},
            {}
        ]);
        let error = parse(strange).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Keys);
        assert!(error.to_string().contains("no key for"), "{error}");
    }

    #[test]
    fn keys_that_somebody_believes_in_and_that_are_none_are_errors() {
        let mut private = rsa(256);
        private["d"] = json!("c2VjcmV0");
        let mut even = rsa(256);
        even["e"] = json!("Ag");
        let mut one = rsa(256);
        one["e"] = json!("AQ");
        for (key, words) in [
            (rsa(128), "1024 bits"),
            (rsa(1024), "8192 bits"),
            (private, "private half"),
            (even, "exponent"),
            (one, "exponent"),
            (json!({"kty": "RSA", "e": "AQAB"}), "has no \"n\""),
            (json!({"kty": "RSA", "n": "!", "e": "AQAB"}), "no base64url"),
            (json!({"kty": "EC", "crv": "P-256", "x": EC_X, "y": EC_X}), "no public key"),
            (json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": EC_Y}), "1 bytes"),
            (json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}), "1 bytes"),
        ] {
            let error = parse(json!([key])).err().unwrap().to_string();
            assert!(error.starts_with("keys[0] of the JWKS") && error.contains(words), "{error}");
            assert!(!error.contains("c2VjcmV0"), "{error}");
        }
        let error = parse(json!([rsa(256), rsa(256)])).err().unwrap().to_string();
        assert!(error.contains("same kid"), "{error}");
        for text in ["", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[1]}"] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
