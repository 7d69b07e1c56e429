//! How long a route waits for what, as TOML has it.

use std::time::Duration;

use serde::Deserialize;

use super::quantity;

/// How long to wait for what; what is not said is the library's default.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, expecting = "timeouts = { idle = \"30s\" }")]
pub(crate) struct Timeouts {
    #[serde(default, deserialize_with = "quantity::duration")]
    pub(crate) connect: Option<Duration>,
    #[serde(default, deserialize_with = "quantity::duration")]
    pub(crate) first_byte: Option<Duration>,
    #[serde(default, deserialize_with = "quantity::duration")]
    pub(crate) idle: Option<Duration>,
    #[serde(default, deserialize_with = "quantity::duration")]
    pub(crate) total: Option<Duration>,
}

impl Timeouts {
    /// With those of `others` where this says nothing.
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            connect: self.connect.or(others.connect),
            first_byte: self.first_byte.or(others.first_byte),
            idle: self.idle.or(others.idle),
            total: self.total.or(others.total),
        }
    }
}
