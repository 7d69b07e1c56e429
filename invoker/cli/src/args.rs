//! What was typed goes in; what is meant comes out.

mod access;
mod bench;
mod pricing;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use invoker::{Checksum, Wanted};
use local_lambda::{FAULT_FORMS, FaultRule, SELECTION_FORMS};

pub(crate) use access::Access;
pub(crate) use bench::{BENCH_EXAMPLES, Bench};
pub(crate) use pricing::{Architecture, Pricing};

/// Fetches streamed results of AWS Lambda functions: whole, in bounded memory, past the 6 MB and
/// the 2 MB/s of a single answer.
#[derive(Debug, Parser)]
#[command(name = "invoker", version, propagate_version = true, max_term_width = 100)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch one result into a file.
    #[command(after_help = GET_EXAMPLES)]
    Get(Get),
    /// Fetch one result to stdout, in order.
    #[command(after_help = CAT_EXAMPLES)]
    Cat(Cat),
    /// Continue a download from the journal beside FILE.
    #[command(after_help = RESUME_EXAMPLES)]
    Resume(Resume),
    /// Check a file, finished or not, without calling anything.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Tell what a function has to give, with one invocation that gives one byte.
    Inspect(Inspect),
    /// Measure one stream and many segments: throughput, first byte, gaps, where the rate breaks.
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(Bench),
    /// Run the Lambda service on loopback, in the foreground.
    #[command(after_help = LOCAL_EXAMPLES, after_long_help = local_faults())]
    Local(Local),
    /// The function behind `local:`; its environment says what it serves.
    #[command(name = FUNCTION_COMMAND, hide = true)]
    Function,
}

/// How this program starts itself as the function behind `local:`.
pub(crate) const FUNCTION_COMMAND: &str = "serve-function";

const GET_EXAMPLES: &str = "\
Examples:
  invoker get local: 256MiB -o out.bin       a pattern object, no account needed
  invoker get local:DIR FILE -o copy         a real file, through the whole wire protocol
  invoker get files 2026/data.parquet        an object of the function `files`
  invoker get https://ID.lambda-url.REGION.on.aws 2026/data.parquet
  invoker get report:live -p '{\"year\": 2026}' -o report.csv";

const CAT_EXAMPLES: &str = "\
Examples:
  invoker cat rows -p '{\"rows\": 1000}' | jq .
  invoker cat files logs.zst | zstd -d | grep ERROR";

const RESUME_EXAMPLES: &str = "\
Examples:
  invoker get files 2026/data.parquet        ended early: data.parquet.part is left
  invoker resume data.parquet                the rest of it; `get` again would do the same";

const VERIFY_EXAMPLES: &str = "\
Examples:
  invoker verify data.parquet                         an unfinished one, by its journal
  invoker verify data.parquet --report report.json    by the report of the `get` that fetched it
  invoker verify data.parquet --checksum crc64nvme:rosUhgp5mIg=";

const LOCAL_EXAMPLES: &str = "\
Examples:
  invoker local --function 'rows=target/release/examples/sqlite_rows'
  invoker get --endpoint-url http://127.0.0.1:PORT rows -o rows.ndjson
  invoker local --function 'rows=...' --function-url rows
  invoker local --function 'rows=...' --fault cut=100000:reset,every=5 --fault throttle,times=3

`invoker help local` lists the faults.";

/// The examples, and what `--fault` takes.
fn local_faults() -> String {
    let list = |forms: &[(&str, &str)]| -> String {
        forms.iter().map(|(form, words)| format!("  {form:<42}{words}\n")).collect()
    };
    let (faults, conditions) = (list(&FAULT_FORMS), list(&SELECTION_FORMS));
    let examples = LOCAL_EXAMPLES.split("\n\n").next().unwrap_or_default();
    format!(
        "{examples}\n\nFaults:\n{faults}\nConditions:\n{conditions}\n\
         A PLACE is head, N (bytes of the body), frame.FRAME or frame.FRAME+N; a FRAME is a number \
         from 1, or last.\ndocs/local-faults.md has the rest."
    )
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) question: Question,
    /// Where the result goes; `-` is stdout [default: the object's own name, in this folder]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Forget what an earlier download has left, instead of continuing it
    #[arg(long)]
    pub(crate) restart: bool,
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
    #[command(flatten)]
    bytes: Bytes,
    #[command(flatten)]
    transfer: Transfer,
    #[command(flatten)]
    connection: Connection,
}

impl Cat {
    pub(crate) fn into_get(self) -> Get {
        let Self { question, bytes, transfer, connection } = self;
        let output = Some(PathBuf::from("-"));
        Get { question, output, restart: false, bytes, transfer, connection }
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
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) limits: TimeLimits,
    /// Plan with segments of this size
    #[arg(long, value_name = "SIZE", default_value = "5MiB", value_parser = size)]
    pub(crate) segment_size: u64,
    /// Plan with this many segments in flight
    #[arg(long, value_name = "N", default_value_t = invoker::DEFAULT_IN_FLIGHT, value_parser = count)]
    pub(crate) in_flight: usize,
    #[command(flatten)]
    pub(crate) pricing: Pricing,
}

/// Who is asked, and for what.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// A name, `name:qualifier`, an ARN, a Function URL; or `local:DIR` and `local:`, a function of our
    /// own here
    #[arg(value_parser = function)]
    pub(crate) function: String,
    /// The name of an object that the function has
    #[arg(conflicts_with = "payload")]
    pub(crate) object: Option<String>,
    /// The event for the function, in place of an object's name: JSON, `@FILE`, or `-` for stdin
    #[arg(short, long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) payload: Option<String>,
    /// The version or alias of the function
    #[arg(long, value_name = "NAME")]
    pub(crate) qualifier: Option<String>,
    /// The tenant, for functions with tenant isolation
    #[arg(long, value_name = "ID")]
    pub(crate) tenant_id: Option<String>,
}

/// Which bytes, and what they should be.
#[derive(Debug, Args)]
pub(crate) struct Bytes {
    /// Only these bytes: FIRST-LAST, FIRST- or -LENGTH, as in HTTP
    #[arg(long, value_parser = range, allow_hyphen_values = true)]
    pub(crate) range: Option<Wanted>,
    /// Check the bytes against this sum: sha256:… or crc64nvme:…
    #[arg(long, value_name = "SUM", value_parser = checksum)]
    pub(crate) checksum: Option<Checksum>,
}

/// How the result is fetched.
#[derive(Debug, Args)]
#[command(next_help_heading = "Transfer")]
pub(crate) struct Transfer {
    /// Bytes of one segment; auto is 5MiB, or for stdout what fits into the memory limit
    #[arg(long, value_name = "SIZE|auto", default_value = "auto", value_parser = segment_size)]
    pub(crate) segment_size: SegmentSize,
    /// The most segments at once; it begins with fewer, and takes more while that brings more
    #[arg(long, value_name = "N", default_value_t = invoker::DEFAULT_IN_FLIGHT, value_parser = count)]
    pub(crate) max_in_flight: usize,
    /// So many segments at once, from the beginning on
    #[arg(long, value_name = "N", value_parser = count, conflicts_with = "max_in_flight")]
    pub(crate) in_flight: Option<usize>,
    /// One stream, as the service sends it: 2 MB/s after the first 6 MB
    #[arg(long)]
    pub(crate) no_segments: bool,
    /// Ask for no compression, and write the result as it comes, whatever its encoding
    #[arg(long)]
    pub(crate) no_compression: bool,
    /// Bytes held for a slow reader of stdout [default: 64MiB, or a quarter of a container's memory]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory_limit: Option<u64>,
    /// How many failures of one segment are followed by another try
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) retries: u32,
    /// Go on this long asking a service that has no capacity, while nothing at all arrives
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) throttle_patience: Duration,
    #[command(flatten)]
    pub(crate) limits: TimeLimits,
    #[command(flatten)]
    pub(crate) pricing: Pricing,
    /// Write what was done, or why it failed, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// How long to wait for what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Time limits")]
pub(crate) struct TimeLimits {
    /// Give up when a connection takes longer than this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) connect_timeout: Duration,
    /// Give up when the first byte takes longer than this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) first_byte_timeout: Duration,
    /// Give up when nothing arrives for this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) idle_timeout: Duration,
    /// Give up on an invocation whose answer was awaited this many seconds in all
    #[arg(long, value_name = "SECONDS", default_value = "1200", value_parser = seconds)]
    pub(crate) invocation_timeout: Duration,
    /// Give up on a stream that brings fewer bytes per second than this
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) speed_limit: Option<u64>,
    /// The seconds over which the speed is averaged
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "30",
        value_parser = seconds,
        requires = "speed_limit"
    )]
    pub(crate) speed_time: Duration,
    /// Give up when all of it takes longer than this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) max_time: Option<Duration>,
}

/// How the service is reached. What is not given here comes from the AWS environment variables and
/// configuration files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Another endpoint than that of the region, such as one of `invoker local`
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// The AWS region
    #[arg(long, value_name = "NAME", value_parser = region)]
    pub(crate) region: Option<String>,
    /// The profile of the AWS configuration files
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    #[command(flatten)]
    pub(crate) access: Access,
}

#[derive(Debug, Args)]
pub(crate) struct Local {
    /// A function: its name and the command line of its process (repeat for more)
    #[arg(long = "function", value_name = "NAME=COMMAND", required = true, value_parser = named_command)]
    pub(crate) functions: Vec<(String, String)>,
    /// Give this function a Function URL as well, which streams and asks nobody who they are (repeat
    /// for more); a line `NAME at URL` on stdout says where
    #[arg(long = "function-url", value_name = "NAME")]
    pub(crate) function_urls: Vec<String>,
    /// The address to listen on; port 0 is any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The limits of the service, as it documents them: bandwidth, sizes, concurrency
    #[arg(long, value_enum, default_value_t = Limits::Aws)]
    pub(crate) limits: Limits,
    /// End an invocation after this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "900", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// The most environments of one function at once
    #[arg(long, value_name = "N", default_value = "1000", value_parser = count)]
    pub(crate) concurrency: usize,
    /// What goes wrong, and with which invocations: FAULT[,CONDITION...] (repeat for more)
    #[arg(long = "fault", value_name = "SPEC", value_parser = fault)]
    pub(crate) faults: Vec<FaultRule>,
    /// Leave out what the functions write to stdout and stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Limits {
    Aws,
    Off,
}

/// Why there is no command to run.
pub(crate) enum Parsed {
    /// Help, the version or a mistake was printed.
    Printed(ExitCode),
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Command, Parsed> {
    match Line::try_parse() {
        Ok(line) => Ok(line.command),
        Err(error) => {
            // Help goes to stdout, mistakes to stderr; nothing can be done if neither works.
            let _ = error.print();
            let code = if error.use_stderr() { crate::report::USAGE } else { 0 };
            Err(Parsed::Printed(ExitCode::from(code)))
        }
    }
}

fn size(text: &str) -> Result<u64, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Ok(size.as_u64()),
        _ => Err("a size is a number above 0 and a unit, such as 5MiB, 64KiB or 5000000".into()),
    }
}

/// Bytes of one segment, or as fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentSize {
    Auto,
    Bytes(u64),
}

fn segment_size(text: &str) -> Result<SegmentSize, String> {
    match text {
        "auto" => Ok(SegmentSize::Auto),
        text => size(text).map(SegmentSize::Bytes),
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("a whole number above 0 is needed".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    number
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds above 0 is needed, such as 30 or 0.5".into())
}

fn range(text: &str) -> Result<Wanted, String> {
    let digits =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
    let parsed = text.split_once('-').and_then(|(first, last)| {
        Some(match (first, last) {
            ("", length) => Wanted::Last(digits(length)?),
            (first, "") => Wanted::From(digits(first)?),
            (first, last) => Wanted::Range(digits(first)?..digits(last)?.checked_add(1)?),
        })
    });
    match parsed {
        Some(Wanted::Range(range)) if range.is_empty() => {
            Err("the last byte of a range cannot be before its first".into())
        }
        Some(Wanted::Last(0)) => Err("a range of the last 0 bytes is none".into()),
        Some(wanted) => Ok(wanted),
        None => Err("a range is FIRST-LAST, FIRST- or -LENGTH, counted from 0".into()),
    }
}

fn checksum(text: &str) -> Result<Checksum, String> {
    text.parse().map_err(|error: invoker::Error| error.to_string())
}

fn function(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("the name of a function is needed".into()),
        false => Ok(text.to_owned()),
    }
}

fn region(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    match !text.is_empty() && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("a region is letters, digits and hyphens, such as eu-west-1".into()),
    }
}

fn named_command(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, command)) if !name.is_empty() && !command.trim().is_empty() => {
            Ok((name.to_owned(), command.to_owned()))
        }
        _ => Err("a function is NAME=COMMAND, such as rows=target/release/rows".into()),
    }
}

fn fault(text: &str) -> Result<FaultRule, String> {
    text.parse().map_err(|error: local_lambda::Error| error.to_string())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let with_port = if text.contains(':') { text.to_owned() } else { format!("{text}:0") };
    with_port.parse().map_err(|_| "an address is IP:PORT, such as 127.0.0.1:9000".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_hold_together() {
        Line::command().debug_assert();
    }

    #[test]
    fn values_are_read_or_refused() {
        assert_eq!(size("5MiB"), Ok(5 << 20));
        assert_eq!(size("5MB"), Ok(5_000_000));
        assert_eq!(size("17"), Ok(17));
        assert!(size("0").is_err() && size("five").is_err() && size("-1").is_err());
        assert_eq!(range("0-4"), Ok(Wanted::Range(0..5)));
        assert_eq!(range("7-"), Ok(Wanted::From(7)));
        assert_eq!(range("-7"), Ok(Wanted::Last(7)));
        for wrong in ["", "-", "5", "4-3", "a-b", "-0", "+1-2", "0-18446744073709551615"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("0").is_err() && seconds("-1").is_err() && seconds("inf").is_err());
        assert!(named_command("f=cmd --a=b").is_ok_and(|(name, _)| name == "f"));
        assert!(named_command("=cmd").is_err() && named_command("f").is_err());
        assert!(address("127.0.0.1").is_ok_and(|a| a.port() == 0) && address("x:1").is_err());
    }
}
