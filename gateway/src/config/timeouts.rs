//! How long a route waits for what, as TOML has it.

use std::time::Duration;

use serde::Deserialize;

use super::quantity;

/// How long to wait for what; what is not said is the library's default.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
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
