//! An event of API Gateway comes in; the answer goes out that it takes, for each kind of authorizer it has.
//!
//! | event | somebody known | nobody known |
//! |---|---|---|
//! | REST and WebSocket, TOKEN or REQUEST | the policy of their scopes | the error `Unauthorized` |
//! | HTTP API, 1.0 | the policy of their scopes | the error `Unauthorized` |
//! | HTTP API, 2.0, policies | the policy of their scopes | the error `Unauthorized` |
//! | HTTP API, 2.0, simple | whether they may | `{"isAuthorized": false}` |

use crate::decision::{Decision, Denial, DenialReason, Grant};
use crate::engine::Engine;
use crate::error::Error;
use crate::event::{Event, EventKind};
use crate::policy::{self, Stage};
use crate::settings::{ContextValue, HttpApiAnswer};
use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerPolicy, ApiGatewayCustomAuthorizerResponse,
    ApiGatewayV2CustomAuthorizerIamPolicyResponse, ApiGatewayV2CustomAuthorizerSimpleResponse,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// What is said of a caller. Never null, which API Gateway may not take: it has at least two names.
type Context = BTreeMap<String, ContextValue>;

/// Why an event has no answer but an error. Of its words API Gateway reads the first: exactly `Unauthorized`
/// makes it answer 401, anything else 500.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// Nobody is known.
    #[error("Unauthorized")]
    Unauthorized,
    /// The event is none of an authorizer.
    #[error(transparent)]
    Event(Error),
}

/// Answers an event. `http_api` says which of two answers an HTTP API with payload format 2.0 was told to
/// expect, which the event does not.
///
/// A policy has all that the caller's scopes allow at the stage of the event, and does not depend on what
/// was asked, so API Gateway may keep it. If it does not fit, or the event's ARN is none that a policy could
/// be built on, everything is denied.
///
/// # Errors
///
/// [`NoAnswer`], whose words are what the function has to end with.
pub fn answer(
    engine: &Engine,
    http_api: HttpApiAnswer,
    event: &Value,
    now: SystemTime,
) -> Result<Value, NoAnswer> {
    let event = Event::read(event).map_err(NoAnswer::Event)?;
    let view = event.view();
    let decision = engine.authorize(&view, now);
    match &decision {
        Decision::Allow(_) => tracing::debug!(request = ?view, "allowed"),
        Decision::Deny(denial) => tracing::info!(request = ?view, why = %denial.reason(), "denied"),
        Decision::Unauthenticated(why) => tracing::info!(request = ?view, %why, "nobody known"),
    }
    if event.kind == EventKind::HttpApi2 && http_api == HttpApiAnswer::Simple {
        return Ok(simple(decision));
    }
    let (grant, policy) = match decision {
        Decision::Unauthenticated(_) => return Err(NoAnswer::Unauthorized),
        Decision::Deny(Denial { grant, reason: DenialReason::VpcEndpoint }) => {
            (grant, policy::deny_all(event.stage.as_ref()))
        }
        // That no scope has what is asked is in the policy: it allows the others.
        Decision::Deny(Denial { grant, reason: DenialReason::Scope }) | Decision::Allow(grant) => {
            let policy = of_scopes(&grant, event.stage.as_ref());
            (grant, policy)
        }
    };
    Ok(match event.kind {
        EventKind::Rest => rest(grant, policy),
        EventKind::HttpApi1 | EventKind::HttpApi2 => http_api_policy(grant, policy),
    })
}

fn of_scopes(grant: &Grant, stage: Option<&Stage>) -> ApiGatewayCustomAuthorizerPolicy {
    let Some(at) = stage else {
        tracing::error!("the event's ARN is none of a method at one stage: all is denied");
        return policy::deny_all(None);
    };
    policy::of_grant(grant, at).unwrap_or_else(|why| {
        tracing::error!(%why, "the scopes do not fit into a policy: all is denied");
        policy::deny_all(stage)
    })
}

fn rest(grant: Grant, policy: ApiGatewayCustomAuthorizerPolicy) -> Value {
    let mut response = ApiGatewayCustomAuthorizerResponse::<Context>::default();
    response.principal_id = Some(grant.principal);
    response.policy_document = policy;
    response.context = grant.context;
    let mut json = json(&response);
    // There is none, and a null in its place is not documented.
    if let Some(fields) = json.as_object_mut() {
        fields.remove("usageIdentifierKey");
    }
    json
}

fn http_api_policy(grant: Grant, policy: ApiGatewayCustomAuthorizerPolicy) -> Value {
    let mut response = ApiGatewayV2CustomAuthorizerIamPolicyResponse::<Context>::default();
    response.principal_id = Some(grant.principal);
    response.policy_document = policy;
    response.context = grant.context;
    json(&response)
}

fn simple(decision: Decision) -> Value {
    let mut response = ApiGatewayV2CustomAuthorizerSimpleResponse::<Context>::default();
    if let Decision::Allow(grant) = decision {
        response.is_authorized = true;
        response.context = grant.context;
    }
    json(&response)
}

/// Maps with names of text always are JSON; if not, null is no answer that API Gateway lets anybody in by.
fn json(response: &impl serde::Serialize) -> Value {
    serde_json::to_value(response).unwrap_or(Value::Null)
}
