//! The arguments of the commands that fetch nothing: `verify`, `inspect` and `check`.

use std::path::PathBuf;

use clap::Args;
use invoker::Checksum;

use super::question::checksum;
use super::{Connection, Pricing, Question, Segments, TimeLimits};

pub(super) const VERIFY_EXAMPLES: &str = "\
Examples:
  invoker verify data.parquet                         an unfinished one, by its journal
  invoker verify data.parquet --report report.json    by the report of the `get` that fetched it
  invoker verify data.parquet --checksum crc64nvme:rosUhgp5mIg=";

pub(super) const INSPECT_EXAMPLES: &str = "\
Examples:
  invoker inspect local: 256MiB                       no account needed
  invoker inspect files 2026/data.parquet --function-memory 1769MB
  invoker inspect files 2026/data.parquet --json | jq .size_bytes";

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  invoker check local: 6MiB                           no account needed
  invoker check files 2026/data.parquet
  invoker check files data.parquet --failing broken   an object whose stream fails midway
  invoker check files data.parquet --json | jq '.cases[] | select(.verdict == \"broken\")'

It ends with 0 if all is kept, and with 10 if something is broken.";

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The file, by the name it has or was to have
    pub(crate) file: PathBuf,
    /// The sum it should have: sha256:… or crc64nvme:…, in hexadecimal digits or base64
    #[arg(long, value_name = "SUM", value_parser = checksum, conflicts_with = "report")]
    pub(crate) checksum: Option<Checksum>,
    /// The JSON report of the download that fetched it
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) question: Question,
    /// Tell it as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) segments: Segments,
    #[command(flatten)]
    pub(crate) limits: TimeLimits,
    #[command(flatten)]
    pub(crate) pricing: Pricing,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) question: Question,
    /// An object, or a payload, whose stream fails midway
    #[arg(long, value_name = "OBJECT|JSON|@FILE")]
    pub(crate) failing: Option<String>,
    /// Tell it as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell only what is broken
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) limits: TimeLimits,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
