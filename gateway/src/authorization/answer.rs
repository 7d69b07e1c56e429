//! What an authorizer's function answered comes in; a verdict goes out that can be kept and asked about each
//! request, or why it is none. Pure.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use stream_authorizer::policy::{Evaluation, INVOKE, evaluate};

use super::{Caller, Failed, Refusal};
use crate::config::{AnswerKind, Asks};

/// The largest answer that is read, in bytes. The service documents 8 KB for the policy of an API ("Amazon API
/// Gateway quotas"), and for an authorizer's answer nothing; this has room for such a policy and a context.
const ANSWER_MAX: usize = 16 * 1024;

/// How much is told of why a process did not run, in characters.
const MESSAGE_MAX: usize = 300;

/// An error with exactly this message is the function's way to say 401 (API Gateway developer guide, "API
/// Gateway Lambda authorizers").
const UNAUTHORIZED: &str = "Unauthorized";

/// What an authorizer says of somebody.
#[derive(PartialEq)]
pub(super) enum Verdict {
    /// What they may is in a policy.
    Policy { document: Value, caller: Caller },
    /// Of the one request it was asked for.
    Simple { allowed: bool, caller: Caller },
    /// Nobody known.
    Unauthorized,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyAnswer {
    principal_id: String,
    policy_document: Value,
    #[serde(default)]
    context: Option<Map<String, Value>>,
    #[serde(default)]
    usage_identifier_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SimpleAnswer {
    is_authorized: bool,
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorAnswer {
    error_message: Option<String>,
    error_type: Option<String>,
}

impl Verdict {
    /// Of a payload that the function sent as its result.
    pub(super) fn read(payload: &[u8], kind: AnswerKind, asks: Asks) -> Result<Self, Failed> {
        if payload.len() > ANSWER_MAX {
            return Err(Failed::Oversized(payload.len()));
        }
        match kind {
            AnswerKind::Policy => {
                let answer: PolicyAnswer = serde_json::from_slice(payload)
                    .map_err(|_| Failed::Malformed("no principalId and policyDocument"))?;
                if answer.principal_id.is_empty() {
                    return Err(Failed::Malformed("an empty principalId"));
                }
                if !answer
                    .policy_document
                    .get("Statement")
                    .is_some_and(|s| s.is_array() || s.is_object())
                {
                    return Err(Failed::Malformed("a policyDocument without a Statement"));
                }
                let context = context(answer.context, asks)?;
                let principal = Some(answer.principal_id);
                let usage_key = answer.usage_identifier_key;
                let caller = Caller { principal, context, usage_key };
                Ok(Self::Policy { document: answer.policy_document, caller })
            }
            AnswerKind::Simple => {
                let answer: SimpleAnswer = serde_json::from_slice(payload)
                    .map_err(|_| Failed::Malformed("no isAuthorized that is true or false"))?;
                let context = context(answer.context, asks)?;
                let caller = Caller { principal: None, context, usage_key: None };
                Ok(Self::Simple { allowed: answer.is_authorized, caller })
            }
        }
    }

    /// Of a payload that the function sent as its error.
    pub(super) fn of_error(payload: &[u8]) -> Result<Self, Failed> {
        let unknown = ErrorAnswer { error_message: None, error_type: None };
        let error = match payload.len() {
            0..=ANSWER_MAX => serde_json::from_slice(payload).unwrap_or(unknown),
            _ => unknown,
        };
        if error.error_message.as_deref() == Some(UNAUTHORIZED) {
            return Ok(Self::Unauthorized);
        }
        // Of a process that did not start or that ended the service says why, in words of its own.
        if let (Some(kind @ ("Runtime.ExitError" | "Runtime.InvalidEntrypoint")), Some(message)) =
            (error.error_type.as_deref(), &error.error_message)
        {
            let message: String =
                message.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect();
            return Err(Failed::Function(format!("{kind}: {message}")));
        }
        // Any other message may have anything in it, the token included; a type is a word.
        let word = |text: &String| text.len() <= 100 && text.chars().all(|c| c.is_ascii_graphic());
        Err(Failed::Function(error.error_type.filter(word).unwrap_or_else(|| "an error".into())))
    }

    /// Whether it may be kept. That somebody is nobody can be otherwise in a moment.
    pub(super) fn may_be_kept(&self) -> bool {
        !matches!(self, Self::Unauthorized)
    }

    /// What it says of one request, by its ARN.
    pub(super) fn of_request(&self, arn: &str) -> Result<Caller, Refusal> {
        match self {
            Self::Policy { document, caller } => match evaluate(document, INVOKE, arn) {
                Evaluation::Allow => Ok(caller.clone()),
                Evaluation::ExplicitDeny => Err(Refusal::Denied { explicitly: true }),
                Evaluation::NoMatch => Err(Refusal::Denied { explicitly: false }),
            },
            Self::Simple { allowed: true, caller } => Ok(caller.clone()),
            Self::Simple { allowed: false, .. } => Err(Refusal::Denied { explicitly: false }),
            Self::Unauthorized => Err(Refusal::Unauthenticated(None)),
        }
    }
}

/// What the function behind is told. In format 1.0 values are texts, numbers, true or false, and nothing that
/// has parts; the service refuses those as well.
fn context(
    context: Option<Map<String, Value>>,
    asks: Asks,
) -> Result<Arc<Map<String, Value>>, Failed> {
    let context = context.unwrap_or_default();
    let plain = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    if asks != Asks::HttpApiRequest && !context.values().all(plain) {
        return Err(Failed::Malformed("a context with a value that is no text, number or boolean"));
    }
    Ok(Arc::new(context))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live/GET/objects/a";

    fn read(answer: &Value, kind: AnswerKind, asks: Asks) -> Result<Verdict, Failed> {
        Verdict::read(answer.to_string().as_bytes(), kind, asks)
    }

    fn policy(effect: &str, resource: &str) -> Value {
        json!({
            "principalId": "ann",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}
                ],
            },
            "context": {"tenant": "blue", "level": 7, "admin": false},
        })
    }

    #[test]
    fn a_policy_is_asked_about_each_request() {
        for (effect, resource, expected) in [
            ("Allow", ARN, Ok(())),
            ("Allow", "arn:aws:execute-api:*:*:a1b2c3/live/GET/*", Ok(())),
            ("Allow", "arn:aws:execute-api:*:*:a1b2c3/live/POST/*", Err(false)),
            ("Deny", ARN, Err(true)),
        ] {
            let verdict = read(&policy(effect, resource), AnswerKind::Policy, Asks::Token).unwrap();
            let said = verdict.of_request(ARN);
            match expected {
                Ok(()) => assert_eq!(said.unwrap().principal.as_deref(), Some("ann")),
                Err(explicitly) => assert_eq!(said, Err(Refusal::Denied { explicitly })),
            }
        }
    }

    #[test]
    fn what_is_no_answer_opens_nothing() {
        let mut nested = policy("Allow", ARN);
        nested["context"]["more"] = json!({"a": 1});
        let mut nobody = policy("Allow", ARN);
        nobody["principalId"] = json!("");
        let mut number = policy("Allow", ARN);
        number["principalId"] = json!(7);
        let mut empty = policy("Allow", ARN);
        empty["policyDocument"] = json!({});
        for answer in [
            json!(null),
            json!("Allow"),
            json!({}),
            json!({"isAuthorized": true}),
            nested,
            nobody,
            number,
            empty,
        ] {
            assert!(
                matches!(
                    read(&answer, AnswerKind::Policy, Asks::Request),
                    Err(Failed::Malformed(_))
                ),
                "{answer}"
            );
        }
        for answer in [
            json!({}),
            json!({"isAuthorized": "true"}),
            json!({"isAuthorized": 1}),
            policy("Allow", ARN),
        ] {
            let simple = read(&answer, AnswerKind::Simple, Asks::HttpApiRequest);
            assert!(matches!(simple, Err(Failed::Malformed(_))), "{answer}");
        }
        let mut long = policy("Allow", ARN);
        long["context"]["long"] = "x".repeat(ANSWER_MAX).into();
        let read = read(&long, AnswerKind::Policy, Asks::Request);
        assert!(matches!(read, Err(Failed::Oversized(_))));
    }

    #[test]
    fn a_context_may_have_parts_in_format_2_only() {
        let answer = json!({"isAuthorized": true, "context": {"groups": ["a", "b"]}});
        let verdict = read(&answer, AnswerKind::Simple, Asks::HttpApiRequest).unwrap();
        let caller = verdict.of_request(ARN).unwrap();
        assert_eq!(caller.context["groups"], json!(["a", "b"]));
        let refused =
            read(&json!({"isAuthorized": false}), AnswerKind::Simple, Asks::HttpApiRequest);
        let said = refused.unwrap().of_request(ARN);
        assert_eq!(said, Err(Refusal::Denied { explicitly: false }));
    }

    #[test]
    fn only_one_error_is_a_401() {
        let unauthorized =
            json!({"errorMessage": "Unauthorized", "errorType": "Error"}).to_string();
        let verdict = Verdict::of_error(unauthorized.as_bytes()).unwrap();
        assert_eq!(verdict.of_request(ARN), Err(Refusal::Unauthenticated(None)));
        assert!(!verdict.may_be_kept());
        for (error, expected) in [
            (json!({"errorMessage": "unauthorized", "errorType": "Error"}), "Error"),
            (json!({"errorMessage": "Unauthorized: token abc"}), "an error"),
            (json!({"errorType": "token abc"}), "an error"),
            (json!(7), "an error"),
            (
                json!({"errorType": "Runtime.InvalidEntrypoint", "errorMessage": "no such file"}),
                "Runtime.InvalidEntrypoint: no such file",
            ),
            (
                json!({"errorType": "Runtime.Unknown", "errorMessage": "token abc"}),
                "Runtime.Unknown",
            ),
        ] {
            let failed = Verdict::of_error(error.to_string().as_bytes()).err().unwrap();
            assert_eq!(failed, Failed::Function(expected.into()), "{error}");
        }
    }
}
