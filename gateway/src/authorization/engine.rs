//! Settings of stream-authorizer come in once, then requests; what its engine decides goes out, without a call.

use http::HeaderValue;
use serde_json::{Map, Value};
use stream_authorizer::{ContextValue, Decision, Engine, RequestView, Settings};

use super::{Caller, Refusal};
use crate::config::Environment;
use crate::event::Shown;

/// The engine, in this process.
pub(super) struct InProcess {
    engine: Engine,
    challenge: Option<HeaderValue>,
}

impl InProcess {
    /// # Errors
    ///
    /// A setting that is wrong, or keys that cannot be read.
    pub(super) fn new(
        settings: &Settings,
        challenge: Option<HeaderValue>,
        environment: &Environment,
    ) -> Result<Self, String> {
        // Only for what `jwt.jwks_env` names, which is written in the configuration.
        let engine = Engine::new(settings, |name| environment.variable(name));
        Ok(Self { engine: engine.map_err(|error| error.to_string())?, challenge })
    }

    pub(super) fn authorize(&self, shown: &Shown<'_>) -> Result<Caller, Refusal> {
        let head = shown.request;
        let mut view = RequestView::new(head.method.as_str(), head.uri.path(), &head.headers)
            .source_ip(shown.peer.ip());
        if let Some(query) = head.uri.query() {
            view = view.query(query);
        }
        match self.engine.authorize(&view, shown.now) {
            Decision::Allow(grant) => {
                let context: Map<String, Value> = grant
                    .context()
                    .iter()
                    .map(|(name, value)| (name.clone(), json(value)))
                    .collect();
                let principal = Some(grant.principal().to_owned());
                Ok(Caller { principal, context: context.into(), usage_key: None })
            }
            Decision::Unauthenticated(_) => Err(Refusal::Unauthenticated(self.challenge.clone())),
            // A decision of a kind that is not known here lets nobody in.
            _ => Err(Refusal::Denied { explicitly: true }),
        }
    }
}

fn json(value: &ContextValue) -> Value {
    match value {
        ContextValue::String(text) => Value::String(text.clone()),
        ContextValue::Number(number) => Value::Number(number.clone()),
        ContextValue::Bool(yes) => Value::Bool(*yes),
    }
}
