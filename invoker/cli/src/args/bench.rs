//! The arguments of `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::units::{count, duration};
use super::{Connection, Pricing, Question, Segments, TimeLimits};

pub(super) const BENCH_EXAMPLES: &str = "\
Examples:
  invoker bench local: 60MiB                             no account needed
  invoker bench files 2026/data.parquet --svg plot.svg   a plot to look at
  invoker bench files 2026/data.parquet --json - | jq .one_stream.runs[0].knee
  invoker bench rows -p '{\"rows\": 100000}' --no-segments --time 1m";

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) question: Question,
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count)]
    pub(crate) runs: usize,
    /// Stop a run after this time, with what has come by then
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) time: Duration,
    /// Leave out the one stream
    #[arg(long, conflicts_with = "no_segments")]
    pub(crate) no_single: bool,
    /// Leave out the segments
    #[arg(long)]
    pub(crate) no_segments: bool,
    /// Write all that was measured as JSON; `-` is stdout, and the words then go to stderr
    #[arg(long, value_name = "FILE|-")]
    pub(crate) json: Option<PathBuf>,
    /// Draw both as they went over time
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) segments: Segments,
    #[command(flatten)]
    pub(crate) limits: TimeLimits,
    #[command(flatten)]
    pub(crate) pricing: Pricing,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
