//! What was typed about waiting goes in; how long to wait for what comes out.

use std::time::Duration;

use clap::Args;

use super::units::{duration, size};

/// How long to wait for what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Time limits")]
pub(crate) struct TimeLimits {
    /// Give up when all of it takes longer than this
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Transfer")]
    pub(crate) max_time: Option<Duration>,
    /// Give up when a connection takes longer than this
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10s",
        value_parser = duration,
        hide_short_help = true
    )]
    pub(crate) connect_timeout: Duration,
    /// Give up when the first byte takes longer than this
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        value_parser = duration,
        hide_short_help = true
    )]
    pub(crate) first_byte_timeout: Duration,
    /// Give up when nothing arrives for this long
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        value_parser = duration,
        hide_short_help = true
    )]
    pub(crate) idle_timeout: Duration,
    /// Give up on an invocation whose answer was awaited this long in all
    #[arg(
        long,
        value_name = "TIME",
        default_value = "20m",
        value_parser = duration,
        hide_short_help = true
    )]
    pub(crate) invocation_timeout: Duration,
    /// Give up on a stream that brings fewer bytes per second than this
    #[arg(long, value_name = "SIZE", value_parser = size, hide_short_help = true)]
    pub(crate) speed_limit: Option<u64>,
    /// The time over which the speed is averaged
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        value_parser = duration,
        requires = "speed_limit",
        hide_short_help = true
    )]
    pub(crate) speed_time: Duration,
}
