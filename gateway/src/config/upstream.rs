//! Who answers a route, as TOML has it.

use serde::Deserialize;

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    Lambda(Lambda),
}

impl Upstream {
    /// How the function sees a request.
    pub(crate) fn event(&self) -> EventFormat {
        match self {
            Self::Lambda(lambda) => lambda.event,
        }
    }
}

/// A function of the service, called by InvokeWithResponseStream.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lambda {
    /// A name, or an ARN.
    pub(crate) function: String,
    pub(crate) qualifier: Option<String>,
    #[serde(default)]
    pub(crate) event: EventFormat,
}

/// How the function sees a request (API Gateway developer guide, "payload format version").
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) enum EventFormat {
    /// Of Function URLs and HTTP APIs.
    #[default]
    #[serde(rename = "2.0")]
    HttpApi,
}
