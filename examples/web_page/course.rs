//! What a visitor asks of a stream comes in; its items wait, or fail, before they are sent.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use stream_fn::{BoxError, Failure};

use crate::Refusal;
use crate::gate::Gate;

/// The longest rest between two items: below every idle timeout on the way.
const DELAY_MAX: Duration = Duration::from_secs(1);

/// Of the query.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Parameters {
    count: u32,
    /// How many the visitor has already.
    #[serde(default)]
    pub(crate) from: u32,
    #[serde(default)]
    delay_ms: u64,
    /// Before this item the stream breaks, as if the function had lost its database.
    fail_at: Option<u32>,
    /// From this item on each waits at the [`Gate`], if there is one.
    gate_at: Option<u32>,
}

impl Parameters {
    pub(crate) fn count(&self, most: u32) -> Result<u32, Refusal> {
        match self.count {
            count if count <= most => Ok(count),
            _ => Err(Refusal(StatusCode::BAD_REQUEST, format!("count is at most {most}"))),
        }
    }
}

/// How one stream goes.
pub(crate) struct Course {
    parameters: Parameters,
    delay: Duration,
    gate: Option<Gate>,
}

impl Course {
    pub(crate) fn new(parameters: Parameters) -> Self {
        let delay = Duration::from_millis(parameters.delay_ms).min(DELAY_MAX);
        Self { parameters, delay, gate: Gate::of_environment() }
    }

    pub(crate) fn is_asked(&self, number: u32) -> bool {
        number >= self.parameters.from
    }

    /// Whether this item is waited for, so that what is there should leave before it.
    pub(crate) fn pauses(&self, number: u32) -> bool {
        !self.delay.is_zero() || self.fails(number) || self.is_gated(number)
    }

    /// Waits until the item is due.
    pub(crate) async fn pass(&mut self, number: u32) -> Result<(), BoxError> {
        if number > self.parameters.from && !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if self.is_gated(number)
            && let Some(gate) = &mut self.gate
        {
            gate.wait().await?;
        }
        if self.fails(number) {
            let words = format!("it was asked to fail before {number}");
            return Err(Failure::new("AskedToFail", words).into());
        }
        Ok(())
    }

    fn fails(&self, number: u32) -> bool {
        self.parameters.fail_at == Some(number)
    }

    fn is_gated(&self, number: u32) -> bool {
        self.gate.is_some() && self.parameters.gate_at.is_some_and(|gate_at| number >= gate_at)
    }
}
