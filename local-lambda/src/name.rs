//! How callers say which function they mean: in, the path's label and the query's qualifier; out, a
//! name and a qualifier. Region and account of an ARN are checked for form and otherwise ignored, so
//! that the name of a deployed function works here as it is.

/// The longest name, partial ARN or ARN (the service model of Invoke).
const LABEL_BYTES_MAX: usize = 256;
/// The longest qualifier (the service model of Invoke).
const QUALIFIER_BYTES_MAX: usize = 128;
/// Digits of an account's number.
const ACCOUNT_DIGITS: usize = 12;

/// A function as a caller named it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FunctionName {
    pub(crate) name: String,
    pub(crate) qualifier: Option<String>,
}

/// Why a caller's words name no function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadName {
    #[error("1 validation error detected: Value at 'functionName' failed to satisfy constraint")]
    Label,
    #[error("1 validation error detected: Value at 'qualifier' failed to satisfy constraint")]
    Qualifier,
    #[error("The derived qualifier from the function name does not match the specified qualifier.")]
    TwoQualifiers,
}

impl FunctionName {
    /// Reads `name`, `name:qualifier`, `account:function:name`, an ARN, and what lies between them.
    pub(crate) fn parse(label: &str, qualifier: Option<&str>) -> Result<Self, BadName> {
        if label.len() > LABEL_BYTES_MAX {
            return Err(BadName::Label);
        }
        let mut rest = label;
        if let Some(arn) = rest.strip_prefix("arn:") {
            let (partition, after) = arn.split_once(":lambda:").ok_or(BadName::Label)?;
            if !is_partition(partition) {
                return Err(BadName::Label);
            }
            rest = after;
        }
        rest = skip(rest, is_region);
        rest = skip(rest, is_account);
        rest = skip(rest, |field| field == "function");
        let (name, derived) = match rest.split_once(':') {
            Some((name, derived)) => (name, Some(derived)),
            None => (rest, None),
        };
        if !is_function_name(name) {
            return Err(BadName::Label);
        }
        if derived.or(qualifier).is_some_and(|q| !is_qualifier(q)) {
            return Err(BadName::Qualifier);
        }
        match (derived, qualifier) {
            (Some(derived), Some(asked)) if derived != asked => Err(BadName::TwoQualifiers),
            _ => Ok(Self { name: name.into(), qualifier: derived.or(qualifier).map(Into::into) }),
        }
    }
}

/// Drops the first field of `text` if it is of that kind and something follows.
fn skip(text: &str, kind: impl Fn(&str) -> bool) -> &str {
    match text.split_once(':') {
        Some((field, rest)) if kind(field) => rest,
        _ => text,
    }
}

/// Letters, digits, hyphens, underscores and dots (the model's pattern).
pub(crate) fn is_function_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LABEL_BYTES_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_qualifier(text: &str) -> bool {
    matches!(text, "$LATEST" | "$LATEST.PUBLISHED")
        || (!text.is_empty()
            && text.len() <= QUALIFIER_BYTES_MAX
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_$".contains(&b)))
}

fn is_partition(field: &str) -> bool {
    field.starts_with("aws") && field.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
}

/// `eu-central-1`, `us-gov-west-1`, `eusc-de-east-1`: words joined by hyphens, then a digit.
fn is_region(field: &str) -> bool {
    let mut words = field.rsplit('-');
    let digit = words.next().is_some_and(|d| d.len() == 1 && d.bytes().all(|b| b.is_ascii_digit()));
    let mut count = 0;
    digit
        && words.all(|word| {
            count += 1;
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())
        })
        && count >= 2
}

fn is_account(field: &str) -> bool {
    field.len() == ACCOUNT_DIGITS && field.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_name_is_understood() {
        for (label, name, qualifier) in [
            ("f", "f", None),
            ("my-fn_1.x", "my-fn_1.x", None),
            ("f:7", "f", Some("7")),
            ("f:live", "f", Some("live")),
            ("f:$LATEST", "f", Some("$LATEST")),
            ("function:f", "f", None),
            ("123456789012:function:f", "f", None),
            ("123456789012:f", "f", None),
            ("123456789012:function:f:live", "f", Some("live")),
            ("eu-central-1:123456789012:function:f", "f", None),
            ("arn:aws:lambda:eu-central-1:123456789012:function:f", "f", None),
            ("arn:aws:lambda:eu-central-1:123456789012:function:f:7", "f", Some("7")),
            ("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f", "f", None),
            ("function", "function", None),
        ] {
            let want = FunctionName { name: name.into(), qualifier: qualifier.map(Into::into) };
            assert_eq!(FunctionName::parse(label, None), Ok(want), "{label}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "f".repeat(257);
        for label in
            ["", "a b", "f:", ":f", "f:a:b", "arn:aws:s3:::f", "arn:aws:lambda:", "f/g", &long]
        {
            assert!(FunctionName::parse(label, None).is_err(), "{label}");
        }
    }

    #[test]
    fn two_qualifiers_have_to_agree() {
        let qualifier = |label, asked| Ok(FunctionName::parse(label, Some(asked))?.qualifier);
        assert_eq!(qualifier("f", "7"), Ok(Some("7".into())));
        assert_eq!(qualifier("f:7", "7"), Ok(Some("7".into())));
        assert_eq!(qualifier("f:7", "8"), Err(BadName::TwoQualifiers));
        assert_eq!(qualifier("f", "a b"), Err(BadName::Qualifier));
    }
}
