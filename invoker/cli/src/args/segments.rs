//! What was typed about segments goes in; a download that is fetched so comes out.

use clap::Args;
use invoker::{DEFAULT_IN_FLIGHT, Download, MemoryBudget};

use super::units::{count, size};

/// How large segments are, how many there are at once, and what they may hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Transfer")]
pub(crate) struct Segments {
    /// The most segments at once; it begins with fewer
    #[arg(long, value_name = "N", default_value_t = DEFAULT_IN_FLIGHT, value_parser = count)]
    pub(crate) max_in_flight: usize,
    /// So many segments at once, from the beginning on
    #[arg(
        long,
        value_name = "N",
        value_parser = count,
        conflicts_with = "max_in_flight",
        hide_short_help = true
    )]
    pub(crate) in_flight: Option<usize>,
    /// Bytes of one segment; auto is 5MiB, or for stdout what fits into the memory limit
    #[arg(
        long,
        value_name = "SIZE|auto",
        default_value = "auto",
        value_parser = segment_size,
        hide_short_help = true
    )]
    pub(crate) segment_size: SegmentSize,
    /// Bytes held for a slow reader of stdout [default: 64MiB, or a quarter of a container's memory]
    #[arg(long, value_name = "SIZE", value_parser = size, hide_short_help = true)]
    pub(crate) memory_limit: Option<u64>,
}

/// Bytes of one segment, or as fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentSize {
    Auto,
    Bytes(u64),
}

impl Segments {
    /// The same download, fetched so.
    pub(crate) fn apply(&self, download: Download) -> Download {
        let download = match self.segment_size {
            SegmentSize::Auto => download,
            SegmentSize::Bytes(bytes) => download.segment_size(bytes),
        };
        let download = match self.in_flight {
            Some(segments) => download.in_flight(segments),
            None => download.max_in_flight(self.max_in_flight),
        };
        let budget = match self.memory_limit {
            Some(bytes) => MemoryBudget::of(usize::try_from(bytes).unwrap_or(usize::MAX)),
            None => MemoryBudget::of_this_process(),
        };
        download.memory_budget(&budget)
    }
}

fn segment_size(text: &str) -> Result<SegmentSize, String> {
    match text {
        "auto" => Ok(SegmentSize::Auto),
        text => size(text).map(SegmentSize::Bytes),
    }
}
