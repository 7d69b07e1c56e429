//! A request without its body comes in; who sends it and what their function is told go out, or why they may
//! not come in.

mod answer;
mod cache;
mod engine;
mod identity;
mod lambda;
mod question;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderValue;
use serde_json::{Map, Value, json};

use crate::config::{self, Complaint, Config, EventFormat};
use crate::event::Shown;
use crate::upstream::Maker;

/// All authorizers of a configuration, by name.
pub(crate) struct Authorizers(BTreeMap<String, Arc<Authorizer>>);

/// Says who may come in.
pub(crate) struct Authorizer {
    name: String,
    kind: Kind,
}

enum Kind {
    Lambda(Box<lambda::Lambda>),
    Engine(Box<engine::InProcess>),
}

/// Somebody who may come in.
#[derive(Clone, PartialEq)]
pub(crate) struct Caller {
    pub(crate) principal: Option<String>,
    /// What the function behind is told of them.
    pub(crate) context: Arc<Map<String, Value>>,
    /// The API key that counts for them, of REST APIs that take it from the authorizer.
    pub(crate) usage_key: Option<String>,
}

/// Why somebody may not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody known. What a 401 says in `www-authenticate`.
    Unauthenticated(Option<HeaderValue>),
    /// Somebody known who may not: told so, or just not told that they may.
    Denied { explicitly: bool },
    /// The ARN of the request is longer than there can be a policy for.
    TooLong,
    /// Nobody could say.
    Failed(Failed),
}

/// Why nobody could say. For the log: a client is told only that it is so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failed {
    #[error("it took longer than it may")]
    TimedOut,
    #[error("it cannot be called: {0}")]
    Unreachable(String),
    #[error("it failed with {0}")]
    Function(String),
    #[error("its answer has {0} bytes")]
    Oversized(usize),
    #[error("its answer is none: {0}")]
    Malformed(&'static str),
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// It was asked for.
    Asked,
    /// It was kept, or asked for by somebody at the same time.
    Kept,
    /// Nobody had to be asked.
    Known,
}

/// What was decided, for who counts it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decided {
    pub(crate) answer: Result<Caller, Refusal>,
    pub(crate) source: Source,
}

impl Authorizers {
    /// Those that are ready, and what keeps the others from it.
    pub(crate) async fn new(config: &Config, maker: &Maker<'_>) -> (Self, Vec<Complaint>) {
        let mut ready = BTreeMap::new();
        let mut wrong = Vec::new();
        for (name, (at, authorizer)) in &config.authorizers {
            let kind = match authorizer {
                config::Authorizer::Lambda(lambda) => lambda::Lambda::new(lambda, maker)
                    .await
                    .map(|lambda| Kind::Lambda(lambda.into())),
                config::Authorizer::Engine { settings, challenge, at } => {
                    engine::InProcess::new(settings, challenge.clone(), &config.environment)
                        .map(|engine| Kind::Engine(engine.into()))
                        .map_err(|reason| (Some(at.clone()), reason))
                }
            };
            match kind {
                Ok(kind) => {
                    ready.insert(name.clone(), Arc::new(Authorizer { name: name.clone(), kind }));
                }
                Err((span, reason)) => {
                    wrong.push(config.complaint((span.or(Some(at.clone())), reason)));
                }
            }
        }
        (Self(ready), wrong)
    }

    /// What can be seen of those that would not be ready, without asking or starting anything.
    pub(crate) fn check(config: &Config) -> Vec<Complaint> {
        let unready = config.authorizers.values().filter_map(|(at, authorizer)| {
            let (at, checked) = match authorizer {
                config::Authorizer::Lambda(lambda) => (at, lambda::check(lambda)),
                config::Authorizer::Engine { settings, challenge, at } => {
                    let challenge = challenge.clone();
                    let made = engine::InProcess::new(settings, challenge, &config.environment);
                    (at, made.map(drop))
                }
            };
            checked.err().map(|reason| config.complaint((Some(at.clone()), reason)))
        });
        unready.collect()
    }

    /// The one of this name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Authorizer>> {
        self.0.get(name).cloned()
    }
}

impl Authorizer {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether policies say who may, in which a method is one of seven words.
    pub(crate) fn reads_policies(&self) -> bool {
        matches!(self.kind, Kind::Lambda(_))
    }

    /// Decides. `now` is the time that answers are kept by; tokens are measured by the time of the request.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up waiting. A function that was asked runs to its end; its answer is kept
    /// if somebody else waits for it.
    pub(crate) async fn authorize(&self, shown: &Shown<'_>, now: Instant) -> Decided {
        let decided = match &self.kind {
            Kind::Lambda(lambda) => lambda.authorize(shown, now).await,
            Kind::Engine(engine) => {
                Decided { answer: engine.authorize(shown), source: Source::Known }
            }
        };
        let request_id = shown.request_id;
        match &decided.answer {
            Ok(_) => tracing::debug!(authorizer = %self.name, request_id, "allowed"),
            Err(Refusal::Failed(why)) => {
                tracing::error!(authorizer = %self.name, request_id, %why, "an authorizer failed");
            }
            Err(refusal) => {
                tracing::debug!(authorizer = %self.name, request_id, outcome = refusal.name(), "refused");
            }
        }
        decided
    }
}

impl Caller {
    /// As the event of the function behind has it (API Gateway developer guide, "Output from an API Gateway
    /// Lambda authorizer" and "Control access to HTTP APIs with AWS Lambda authorizers").
    pub(crate) fn said(&self, format: EventFormat) -> Value {
        match format {
            EventFormat::HttpApi => {
                let mut said = Map::clone(&self.context);
                if let Some(principal) = &self.principal {
                    said.insert("principalId".into(), principal.as_str().into());
                }
                json!({ "lambda": said })
            }
            // Only texts.
            _ => {
                let text = |value: &Value| match value {
                    Value::String(text) => text.as_str().into(),
                    other => Value::String(other.to_string()),
                };
                let said = self.context.iter().map(|(name, value)| (name.clone(), text(value)));
                let mut said: Map<String, Value> = said.collect();
                if let Some(principal) = &self.principal {
                    said.insert("principalId".into(), principal.as_str().into());
                }
                Value::Object(said)
            }
        }
    }
}

impl Source {
    /// As metrics name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Kept => "kept",
            Self::Known => "known",
        }
    }
}

impl Refusal {
    /// As metrics and the log name it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) => "unauthenticated",
            Self::Denied { .. } => "deny",
            Self::TooLong => "too-long",
            Self::Failed(_) => "failed",
        }
    }
}

/// Without what is said of them.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").finish_non_exhaustive()
    }
}
