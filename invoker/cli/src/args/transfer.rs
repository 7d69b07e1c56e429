//! What was typed about a transfer goes in; a download that is fetched so comes out.

use std::time::Duration;

use clap::Args;
use invoker::Download;

use super::units::duration;
use super::{Pricing, Segments, TimeLimits, Words};

/// How the result is fetched, and what is said of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Transfer")]
pub(crate) struct Transfer {
    #[command(flatten)]
    pub(crate) segments: Segments,
    /// One stream, as the service sends it: 2 MB/s after the first 6 MB
    #[arg(long, help_heading = "Transfer")]
    pub(crate) no_segments: bool,
    /// Ask for no compression, and write the result as it comes, whatever its encoding
    #[arg(long, help_heading = "Transfer", hide_short_help = true)]
    pub(crate) no_compression: bool,
    /// How many failures of one segment are followed by another try
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        help_heading = "Transfer",
        hide_short_help = true
    )]
    pub(crate) retries: u32,
    /// Go on this long asking a service that has no capacity, while nothing at all arrives
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        value_parser = duration,
        help_heading = "Transfer",
        hide_short_help = true
    )]
    pub(crate) throttle_patience: Duration,
    /// Print the end of the function's log: of a plain stream, and of each segment that failed
    #[arg(long, help_heading = "Words, all on stderr", hide_short_help = true)]
    pub(crate) log_tail: bool,
    #[command(flatten)]
    pub(crate) limits: TimeLimits,
    #[command(flatten)]
    pub(crate) words: Words,
    #[command(flatten)]
    pub(crate) pricing: Pricing,
}

impl Transfer {
    /// The same download, fetched so.
    pub(crate) fn apply(&self, download: Download) -> Download {
        self.segments
            .apply(download)
            .segments(!self.no_segments)
            .compression(!self.no_compression)
            .retries(self.retries)
            .log_tail(self.log_tail)
            .throttle_patience(self.throttle_patience)
    }
}
