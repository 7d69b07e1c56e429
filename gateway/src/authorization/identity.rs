//! A request and the places that say who asks come in; what is said there goes out, and the sum by which an
//! answer is kept. Pure.

use http::header;
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

use crate::config::{ContextName, IdentitySource};
use crate::event::Shown;

/// What says who asks, in the order of the configuration. Secrets: it is shown to nobody but the authorizer.
pub(super) struct Identity(Vec<String>);

/// Stands for an identity, and does not tell it.
pub(super) type Sum = [u8; 32];

impl Identity {
    /// None if a source says nothing, or two things: of two headers the function behind could believe the
    /// other one.
    pub(super) fn of(shown: &Shown<'_>, sources: &[IdentitySource]) -> Option<Self> {
        let values = sources.iter().map(|source| value(shown, source));
        let values: Option<Vec<String>> = values.collect();
        values.filter(|values| values.iter().all(|value| !value.is_empty())).map(Self)
    }

    pub(super) fn values(&self) -> &[String] {
        &self.0
    }

    /// Of all values, each with its length, so that no two lists have one text. `also` is what an answer
    /// depends on besides.
    pub(super) fn sum(&self, also: &[&str]) -> Sum {
        let mut sum = Sha256::new();
        for value in self.0.iter().map(String::as_str).chain(also.iter().copied()) {
            sum.update((value.len() as u64).to_be_bytes());
            sum.update(value);
        }
        sum.finalize().into()
    }
}

fn value(shown: &Shown<'_>, source: &IdentitySource) -> Option<String> {
    match source {
        IdentitySource::Header(name) => {
            let mut values = shown.request.headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().ok().map(str::to_owned),
                _ => None,
            }
        }
        IdentitySource::Query(name) => {
            let query = shown.request.uri.query().unwrap_or_default();
            let decoded = |text: &str| {
                let spaced = text.replace('+', " ");
                percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
            };
            let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let mut named = pairs.filter(|(key, _)| decoded(key).as_ref() == Some(name));
            match (named.next(), named.next()) {
                (Some((_, value)), None) => decoded(value),
                _ => None,
            }
        }
        IdentitySource::Context(name) => Some(match name {
            ContextName::HttpMethod => shown.request.method.to_string(),
            ContextName::Path => shown.request.uri.path().to_owned(),
            ContextName::RouteKey => format!("{} {}", shown.request.method, shown.path),
            ContextName::SourceIp => shown.peer.ip().to_string(),
            ContextName::UserAgent => {
                let agent = shown.request.headers.get(header::USER_AGENT)?;
                agent.to_str().ok()?.to_owned()
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_of_the_list_and_not_of_its_letters() {
        let of = |values: &[&str], also| {
            Identity(values.iter().map(|&value| value.to_owned()).collect()).sum(also)
        };
        let sums = [
            of(&["ab", "c"], &[]),
            of(&["a", "bc"], &[]),
            of(&["abc"], &[]),
            of(&["abc"], &[""]),
            of(&["abc"], &["d"]),
        ];
        for (index, sum) in sums.iter().enumerate() {
            assert!(!sums[index + 1..].contains(sum), "{index}");
        }
        assert_eq!(of(&["abc"], &[]), sums[2]);
    }
}
