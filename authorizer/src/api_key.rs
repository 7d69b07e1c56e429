//! The keys of the settings come in, as sums, and what a client presented; the entry goes out whose key it is.
//!
//! The time it takes says nothing of how much of a sum was right, nor which entry it was: all sums are
//! compared, each one whole.

use crate::decision::{Grant, Scope, Unauthenticated};
use crate::error::Error;
use crate::route::Route;
use crate::scope::Scopes;
use crate::settings::{ContextValue, KeySettings};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Of a sum, in bytes.
const SUM: usize = 32;

/// What a client may present, in bytes. Ours have 46; nobody has to hash more than this for a stranger.
const LONGEST: usize = 512;

/// The keys there are.
pub(crate) struct Keys(Vec<Entry>);

struct Entry {
    sum: [u8; SUM],
    name: String,
    scopes: Vec<Scope>,
    context: BTreeMap<String, ContextValue>,
}

impl Keys {
    pub(crate) fn read(settings: &[KeySettings], scopes: &Scopes) -> Result<Self, Error> {
        let mut names = BTreeSet::new();
        let mut entries: Vec<Entry> = Vec::new();
        for (index, key) in settings.iter().enumerate() {
            let place = |field: &str| format!("keys[{index}].{field}");
            if key.name.is_empty() || key.name.chars().any(char::is_control) {
                return Err(Error::setting(place("name"), "is empty, or has control characters"));
            }
            if !names.insert(&key.name) {
                return Err(Error::setting(place("name"), "another key has this name"));
            }
            let sum = sum_of_hex(&key.sha256).ok_or_else(|| {
                let words = "is no SHA-256 of 64 hexadecimal digits: `stream-authorizer key NAME` makes one";
                Error::setting(place("sha256"), words)
            })?;
            if sum[..] == Sha256::digest([])[..] {
                let words = "is that of an empty text, which is no key";
                return Err(Error::setting(place("sha256"), words));
            }
            if entries.iter().any(|entry| entry.sum == sum) {
                return Err(Error::setting(place("sha256"), "another entry has the same key"));
            }
            if let Some(reserved) = key.context.keys().find(|name| is_reserved(name)) {
                return Err(Error::setting(place("context"), format!("{reserved} is set already")));
            }
            entries.push(Entry {
                sum,
                name: key.name.clone(),
                scopes: scopes.all_of(&key.scopes, &place("scopes"))?,
                context: key.context.clone(),
            });
        }
        Ok(Self(entries))
    }

    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// What each key may, and where the settings say so.
    pub(crate) fn routes(&self) -> impl Iterator<Item = (String, impl Iterator<Item = &Route>)> {
        let entries = self.0.iter().enumerate();
        entries.map(|(index, entry)| {
            let routes = entry.scopes.iter().flat_map(|scope| scope.routes.iter());
            (format!("keys[{index}].scopes"), routes)
        })
    }

    pub(crate) fn verify(&self, presented: &str) -> Result<Grant, Unauthenticated> {
        if presented.is_empty() || presented.len() > LONGEST {
            return Err(Unauthenticated::Key);
        }
        let sum: [u8; SUM] = Sha256::digest(presented.as_bytes()).into();
        let mut found = Choice::from(0);
        let mut at = 0_u64;
        for (index, entry) in (0_u64..).zip(&self.0) {
            let equal = entry.sum.ct_eq(&sum);
            at.conditional_assign(&index, equal);
            found |= equal;
        }
        let entry = usize::try_from(at).ok().and_then(|at| self.0.get(at));
        match (bool::from(found), entry) {
            (true, Some(entry)) => Ok(Grant {
                principal: entry.name.clone(),
                scopes: entry.scopes.clone(),
                context: entry.context.clone(),
                expires: None,
            }),
            _ => Err(Unauthenticated::Key),
        }
    }
}

/// Names of the context that the engine sets itself, and those that API Gateway has its own of beside them.
pub(crate) fn is_reserved(name: &str) -> bool {
    matches!(name, "principal" | "scope" | "principalId" | "integrationLatency")
}

fn sum_of_hex(digits: &str) -> Option<[u8; SUM]> {
    let digits = digits.as_bytes();
    let mut sum = [0; SUM];
    if digits.len() != 2 * SUM {
        return None;
    }
    for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// SHA-256 of nothing.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn key(name: &str, sha256: &str) -> KeySettings {
        KeySettings { name: name.into(), sha256: sha256.into(), ..KeySettings::default() }
    }

    fn keys(settings: &[KeySettings]) -> Result<Keys, Error> {
        Keys::read(settings, &Scopes::read(&BTreeMap::new()).unwrap())
    }

    #[test]
    fn a_key_is_known_by_its_sum_wherever_it_stands() {
        let zeros = "0".repeat(64);
        let ones = "1".repeat(64);
        let upper = ABC.to_uppercase();
        for listed in [[ABC, &zeros, &ones], [&zeros, &upper, &ones], [&zeros, &ones, ABC]] {
            let settings: Vec<_> =
                listed.iter().map(|sum| key(&format!("of {}", &sum[..2]), sum)).collect();
            let keys = keys(&settings).unwrap();
            let principal = keys.verify("abc").unwrap().principal;
            assert_eq!(principal.to_lowercase(), "of ba");
            for wrong in ["", "ab", "abc ", "abcd", "ABC", ABC] {
                assert_eq!(keys.verify(wrong).unwrap_err(), Unauthenticated::Key, "{wrong}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_no_key() {
        let long = "a".repeat(LONGEST + 1);
        let sum: String =
            Sha256::digest(long.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let keys = keys(&[key("long", &sum)]).unwrap();
        assert_eq!(keys.verify(&long).unwrap_err(), Unauthenticated::Key);
    }

    #[test]
    fn what_is_no_entry_is_refused_by_its_place() {
        let short = key("a", &ABC[1..]);
        let no_hex = key("a", &ABC.replace('b', "g"));
        let mut reserved = key("b", ABC);
        reserved.context.insert("scope".into(), ContextValue::Bool(true));
        let mut no_scope = key("b", ABC);
        no_scope.scopes = vec!["nothing".into()];
        for (settings, start) in [
            (vec![short], "keys[0].sha256"),
            (vec![no_hex], "keys[0].sha256"),
            (vec![key("", ABC)], "keys[0].name"),
            (vec![key("a", EMPTY)], "keys[0].sha256"),
            (vec![key("a", ABC), key("a", &"0".repeat(64))], "keys[1].name"),
            (vec![key("a", ABC), key("b", ABC)], "keys[1].sha256"),
            (vec![reserved], "keys[0].context"),
            (vec![no_scope], "keys[0].scopes[0]"),
        ] {
            let error = keys(&settings).err().unwrap().to_string();
            assert!(error.starts_with(start), "{error}");
            assert!(!error.contains(&ABC[2..]), "{error}");
        }
    }
}
