//! The arguments of `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Connection, Pricing, Question, SegmentSize, TimeLimits};
use super::{count, seconds, segment_size, size};

pub(crate) const BENCH_EXAMPLES: &str = "\
Examples:
  invoker bench local: 60MiB                             no account needed
  invoker bench files 2026/data.parquet --svg plot.svg   a plot to look at
  invoker bench files 2026/data.parquet --json - | jq .one_stream.runs[0].knee
  invoker bench rows -p '{\"rows\": 100000}' --no-segments --time 60";

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) question: Question,
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count)]
    pub(crate) runs: usize,
    /// Stop a run after this many seconds, with what has come by then
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
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
    /// Bytes of one segment; auto is what fits into the memory limit, 5MiB at most
    #[arg(long, value_name = "SIZE|auto", default_value = "auto", value_parser = segment_size)]
    pub(crate) segment_size: SegmentSize,
    /// The most segments at once; it begins with fewer, and takes more while that brings more
    #[arg(long, value_name = "N", default_value_t = invoker::DEFAULT_IN_FLIGHT, value_parser = count)]
    pub(crate) max_in_flight: usize,
    /// So many segments at once, from the beginning on
    #[arg(long, value_name = "N", value_parser = count, conflicts_with = "max_in_flight")]
    pub(crate) in_flight: Option<usize>,
    /// Bytes of segments held until their turn [default: 64MiB, or a quarter of a container's memory]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory_limit: Option<u64>,
    #[command(flatten)]
    pub(crate) limits: TimeLimits,
    #[command(flatten)]
    pub(crate) pricing: Pricing,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
