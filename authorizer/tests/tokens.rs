//! Tokens good and bad come in, signed with keys of all kinds; what the engine decides of each goes out.

mod support;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use stream_authorizer::{ContextValue, RequestView, Unauthenticated};
use support::*;

/// A token with its parts as said, whatever is signed.
fn assembled(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |json: &Value| encoded(json.to_string().as_bytes());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[test]
fn good_tokens_of_every_algorithm_are_known() {
    let signers = [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")];
    let engine = engine(&jwks(&signers.iter().collect::<Vec<_>>()));
    for signer in &signers {
        let grant = allowed(bearer(&engine, &signer.sign(&claims())));
        assert_eq!(grant.principal(), "anna");
        assert_eq!(grant.scopes().collect::<Vec<_>>(), ["objects:read"], "openid is none of ours");
        assert_eq!(grant.expires(), Some(at(NOW + 300)));
        let context = serde_json::to_value(grant.context()).unwrap();
        assert_eq!(
            context,
            json!({
                "principal": "anna", "scope": "objects:read",
                "tenant": "t1", "level": 3, "admin": false,
            })
        );
    }
}

#[test]
fn a_signature_that_is_not_of_the_key_is_refused() {
    for (good, forger) in [
        (Signer::rsa("k"), Signer::rsa("forged")),
        (Signer::ec("k"), Signer::ec("k")),
        (Signer::ed("k"), Signer::ed("k")),
    ] {
        let engine = engine(&jwks(&[&good]));
        let mut header = Header::new(good.algorithm);
        header.kid = Some("k".into());
        let forged = forger.sign_with(&header, &claims());
        assert_eq!(refused(bearer(&engine, &forged)), Unauthenticated::TokenSignature);

        let token = good.sign(&claims());
        allowed(bearer(&engine, &token));
        let parts: Vec<&str> = token.split('.').collect();
        let mut more = claims();
        more["scope"] = json!("objects:read objects:write");
        // The claims replaced, and the signature left.
        let replaced =
            format!("{}.{}.{}", parts[0], encoded(more.to_string().as_bytes()), parts[2]);
        assert_eq!(refused(bearer(&engine, &replaced)), Unauthenticated::TokenSignature);
        let cut = format!("{}.{}.{}", parts[0], parts[1], &parts[2][..parts[2].len() - 4]);
        refused(bearer(&engine, &cut));
        let unsigned = format!("{}.{}.", parts[0], parts[1]);
        assert_eq!(refused(bearer(&engine, &unsigned)), Unauthenticated::TokenSignature);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let signer = Signer::ed("d");
    let engine = engine(&jwks(&[&signer]));
    let token = signer.sign(&claims());
    allowed(bearer(&engine, &token));
    for at in 0..token.len() {
        // Another bit of each letter; all of them would take a while without optimizing.
        let mut bytes = token.clone().into_bytes();
        bytes[at] ^= 1 << (at % 7);
        let flipped = String::from_utf8(bytes).unwrap();
        if flipped.bytes().all(|byte| byte.is_ascii_graphic()) {
            refused(bearer(&engine, &flipped));
        }
    }
}

#[test]
fn unsigned_tokens_are_refused() {
    let signer = Signer::rsa("r");
    let engine = engine(&jwks(&[&signer]));
    let signature = signer.sign(&claims()).rsplit('.').next().unwrap().to_owned();
    for name in ["none", "None", "NONE", "nOnE", ""] {
        for header in [json!({"alg": name, "kid": "r"}), json!({"alg": name, "typ": "JWT"})] {
            for signature in ["", signature.as_str()] {
                let token = assembled(&header, &claims(), signature);
                assert_eq!(refused(bearer(&engine, &token)), Unauthenticated::TokenForm);
            }
        }
    }
    let token = assembled(&json!({"kid": "r"}), &claims(), &signature);
    assert_eq!(refused(bearer(&engine, &token)), Unauthenticated::TokenForm);
}

/// The public key as the secret of an HMAC: what a library that trusts the token's `alg` falls for.
#[test]
fn confused_keys_are_refused() {
    for signer in [Signer::rsa("k"), Signer::ec("k"), Signer::ed("k")] {
        let engine = engine(&jwks(&[&signer]));
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            for secret in [signer.public.clone(), signer.jwk.to_string().into_bytes()] {
                let mut header = Header::new(algorithm);
                header.kid = Some("k".into());
                let key = EncodingKey::from_secret(&secret);
                let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
                assert_eq!(refused(bearer(&engine, &token)), Unauthenticated::TokenAlgorithm);
            }
        }
    }
}

#[test]
fn a_key_is_good_for_its_own_algorithm_alone() {
    let (rsa, ec) = (Signer::rsa("r"), Signer::ec("e"));
    let engine = engine(&jwks(&[&rsa, &ec]));
    // Signed by the right key in a way that is not its own.
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let mut header = Header::new(algorithm);
        header.kid = Some("r".into());
        let token = rsa.sign_with(&header, &claims());
        assert_eq!(refused(bearer(&engine, &token)), Unauthenticated::TokenAlgorithm);
    }
    // Naming the key of another kind.
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("r".into());
    let token = ec.sign_with(&header, &claims());
    assert_eq!(refused(bearer(&engine, &token)), Unauthenticated::TokenAlgorithm);
}

#[test]
fn keys_that_a_token_brings_along_are_not_looked_at() {
    let (good, forger) = (Signer::ed("d"), Signer::ed("x"));
    let engine = engine(&jwks(&[&good]));
    let own = serde_json::from_value(forger.jwk.clone()).unwrap();
    for kid in [Some("d"), Some("x"), None] {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = kid.map(str::to_owned);
        header.jwk = Some(Clone::clone(&own));
        header.jku = Some("https://forger.example/jwks.json".into());
        refused(bearer(&engine, &forger.sign_with(&header, &claims())));
    }
}

#[test]
fn headers_that_have_to_be_understood_are_refused() {
    let signer = Signer::ed("d");
    let engine = engine(&jwks(&[&signer]));
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("d".into());
    header.crit = Some(vec!["exp".into()]);
    let token = signer.sign_with(&header, &claims());
    assert_eq!(refused(bearer(&engine, &token)), Unauthenticated::TokenForm);
}

#[test]
fn a_kid_that_is_not_there() {
    let (one, other) = (Signer::ed("one"), Signer::ed("other"));
    let without = |signer: &Signer| signer.sign_with(&Header::new(Algorithm::EdDSA), &claims());
    let only = engine(&jwks(&[&one]));
    allowed(bearer(&only, &without(&one)));
    assert_eq!(refused(bearer(&only, &without(&other))), Unauthenticated::TokenSignature);
    assert_eq!(refused(bearer(&only, &other.sign(&claims()))), Unauthenticated::TokenKey);
    let both = engine(&jwks(&[&one, &other]));
    assert_eq!(refused(bearer(&both, &without(&one))), Unauthenticated::TokenKey);
}

#[test]
fn claims_are_checked() {
    use Unauthenticated::*;
    let signer = Signer::ed("d");
    let engine = engine(&jwks(&[&signer]));
    let removed = json!("(removed)");
    for (claim, value, why) in [
        ("exp", json!(NOW - 61), Some(TokenExpired)),
        ("exp", json!(NOW - 60), Some(TokenExpired)),
        ("exp", json!(NOW - 59), None),
        ("exp", json!(0), Some(TokenExpired)),
        ("exp", json!(-1), Some(TokenClaim)),
        ("exp", json!(1e300), Some(TokenClaim)),
        ("exp", json!(NOW as f64 + 0.5), None),
        ("exp", json!((NOW + 300).to_string()), Some(TokenClaim)),
        ("exp", json!(null), Some(TokenClaim)),
        ("exp", removed.clone(), Some(TokenExpired)),
        ("nbf", json!(NOW + 61), Some(TokenEarly)),
        ("nbf", json!(NOW + 60), None),
        ("nbf", json!(u64::MAX), Some(TokenClaim)),
        ("nbf", json!("soon"), Some(TokenClaim)),
        ("nbf", removed.clone(), None),
        ("iss", json!("https://issuer.example/"), Some(TokenIssuer)),
        ("iss", json!("https://ISSUER.example"), Some(TokenIssuer)),
        ("iss", json!([ISSUER]), Some(TokenIssuer)),
        ("iss", json!(null), Some(TokenIssuer)),
        ("iss", removed.clone(), Some(TokenIssuer)),
        ("aud", json!("else"), Some(TokenAudience)),
        ("aud", json!("api other"), Some(TokenAudience)),
        ("aud", json!(["else", "other"]), None),
        ("aud", json!(["else"]), Some(TokenAudience)),
        ("aud", json!(["api", 7]), Some(TokenAudience)),
        ("aud", json!([]), Some(TokenAudience)),
        ("aud", json!({"api": "api"}), Some(TokenAudience)),
        ("aud", removed.clone(), Some(TokenAudience)),
        ("sub", json!(""), Some(TokenClaim)),
        ("sub", json!(7), Some(TokenClaim)),
        ("sub", removed.clone(), Some(TokenClaim)),
        ("scope", json!(["objects:read"]), None),
        ("scope", json!(7), Some(TokenClaim)),
        ("scope", json!([7]), Some(TokenClaim)),
    ] {
        let mut claims = claims();
        match value == removed {
            true => drop(claims.as_object_mut().unwrap().remove(claim)),
            false => claims[claim] = value.clone(),
        }
        let decision = bearer(&engine, &signer.sign(&claims));
        match why {
            Some(why) => assert_eq!(refused(decision), why, "{claim} {value}"),
            None => drop(allowed(decision)),
        }
    }
}

#[test]
fn malformed_tokens_are_refused() {
    let signer = Signer::ed("d");
    let engine = engine(&jwks(&[&signer]));
    let good = signer.sign(&claims());
    for token in ["", ".", "..", "...", "a.b.c", "a", "{}", &good[1..], &good[..good.len() / 2]] {
        assert_eq!(refused(bearer(&engine, token)), Unauthenticated::TokenForm, "{token}");
    }
    assert_eq!(refused(bearer(&engine, &format!("{good}.x"))), Unauthenticated::TokenForm);
    let mut long = claims();
    long["padding"] = json!("x".repeat(8192));
    assert_eq!(refused(bearer(&engine, &signer.sign(&long))), Unauthenticated::TokenLength);
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("d".into());
    let no_object = signer.sign_with(&header, &json!("claims"));
    assert_eq!(refused(bearer(&engine, &no_object)), Unauthenticated::TokenForm);
}

#[test]
fn rotated_keys_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let (old, new) = (Signer::ec("old"), Signer::ed("new"));
    std::fs::write(&path, jwks(&[&old])).unwrap();
    let engine = engine_of_file(&path);
    allowed(bearer(&engine, &old.sign(&claims())));
    assert_eq!(refused(bearer(&engine, &new.sign(&claims()))), Unauthenticated::TokenKey);

    std::fs::write(&path, jwks(&[&old, &new])).unwrap();
    let later = at(NOW + 5);
    allowed(bearer_at(&engine, &new.sign(&claims()), later));
    allowed(bearer_at(&engine, &old.sign(&claims()), later));

    std::fs::write(&path, jwks(&[&new])).unwrap();
    let later = at(NOW + 20);
    let gone = refused(bearer_at(&engine, &old.sign(&claims()), later));
    assert_eq!(gone, Unauthenticated::TokenKey);
    allowed(bearer_at(&engine, &new.sign(&claims()), later));
}

#[test]
fn settings_of_claims_and_places_count() {
    let signer = Signer::ed("d");
    let settings = settings(json!({
        "jwks_env": "JWKS", "principal_claim": "email", "scope_claim": "scp", "leeway_seconds": 0,
        "scopes": ["stream"], "query_parameter": "access token", "max_token_bytes": 1000,
    }));
    let engine = with(&settings, &jwks(&[&signer]));
    let mut claims = claims();
    claims["email"] = json!("anna@example.com");
    claims["scp"] = json!(["objects:write", "objects:read", "objects:read"]);
    claims["exp"] = json!(NOW + 1);
    let token = signer.sign(&claims);
    let grant = allowed(bearer(&engine, &token));
    assert_eq!(grant.principal(), "anna@example.com");
    assert_eq!(grant.scopes().collect::<Vec<_>>(), ["objects:read", "objects:write", "stream"]);
    let scope = ContextValue::String("objects:read objects:write stream".into());
    assert_eq!(grant.context()["scope"], scope);
    assert!(grant.allows("PUT", "/objects/x") && !grant.allows("DELETE", "/objects/x"));
    let late = refused(bearer_at(&engine, &token, at(NOW + 1)));
    assert_eq!(late, Unauthenticated::TokenExpired);

    let none = headers(&[]);
    let query = format!("a=b&access%20token={token}");
    let socket = RequestView::new("$connect", "", &none).query(&query);
    allowed(engine.authorize(&socket, now()));
    let twice = format!("{query}&access%20token={token}");
    let socket = RequestView::new("$connect", "", &none).query(&twice);
    assert_eq!(refused(engine.authorize(&socket, now())), Unauthenticated::Repeated);
    let both = headers(&[("authorization", &format!("bearer {token}"))]);
    let socket = RequestView::new("$connect", "", &both).query(&query);
    assert_eq!(refused(engine.authorize(&socket, now())), Unauthenticated::Repeated);
}
