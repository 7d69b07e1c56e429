//! The arguments of `get`, `cat` and `resume`.

use std::path::PathBuf;

use clap::Args;
use invoker::Checksum;

use super::question::checksum;
use super::{Bytes, Connection, Question, Transfer};

pub(super) const GET_EXAMPLES: &str = "\
Examples:
  invoker get local: 256MiB -o out.bin       a pattern object, no account needed
  invoker get files 2026/data.parquet        an object of the function `files`
  invoker get report:live -p '{\"year\": 2026}' -o report.csv";

pub(super) const CAT_EXAMPLES: &str = "\
Examples:
  invoker cat rows -p '{\"rows\": 1000}' | jq .
  invoker cat files logs.zst | zstd -d | grep ERROR";

pub(super) const RESUME_EXAMPLES: &str = "\
Examples:
  invoker get files 2026/data.parquet        ended early: data.parquet.part is left
  invoker resume data.parquet                the rest of it; `get` again would do the same";

#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) question: Question,
    /// Where the result goes; `-` is stdout [default: the object's name]
    #[arg(short, long, value_name = "FILE|DIR/|-")]
    pub(crate) output: Option<PathBuf>,
    /// Do nothing if there is such a file already
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// Forget what an earlier download has left, and begin again
    #[arg(long)]
    pub(crate) restart: bool,
    /// Ask whether the function may be called; nothing is run
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) bytes: Bytes,
    #[command(flatten)]
    pub(crate) transfer: Transfer,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Cat {
    #[command(flatten)]
    question: Question,
    /// Ask whether the function may be called; nothing is run
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    bytes: Bytes,
    #[command(flatten)]
    transfer: Transfer,
    #[command(flatten)]
    connection: Connection,
}

impl Cat {
    pub(crate) fn into_get(self) -> Get {
        let Self { question, dry_run, bytes, transfer, connection } = self;
        let output = Some(PathBuf::from("-"));
        let (no_clobber, restart) = (false, false);
        Get { question, output, no_clobber, restart, dry_run, bytes, transfer, connection }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The file whose download was begun, by the name it was to have
    pub(crate) file: PathBuf,
    /// Check the whole result against this sum: sha256:… or crc64nvme:…
    #[arg(long, value_name = "SUM", value_parser = checksum)]
    pub(crate) checksum: Option<Checksum>,
    #[command(flatten)]
    pub(crate) transfer: Transfer,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
