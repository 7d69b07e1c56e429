//! How it ended goes in; the exit code, the line on stderr and the JSON report come out.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use invoker::{Error, ErrorKind, Integrity, Progress, Report, TimeLimit};

use crate::cost::{Tariff, Usage};
use crate::target::LOCAL;

/// A mistake in what was typed.
pub(crate) const USAGE: u8 = 2;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked cannot be done as it was typed.
    Usage(String),
    /// The configuration lacks something.
    Configuration(String),
    /// A local file or process.
    File { what: String, error: std::io::Error },
    /// A call or a download.
    Invoker(Error),
    /// The reader of stdout has gone.
    BrokenPipe,
    /// It took longer than it may in all.
    MaxTime { limit: Duration },
    /// A signal: the code that a shell gives it.
    Signal { code: u8 },
    /// A file that is not whole, as far as its journal tells.
    NotWhole(String),
    /// A file whose bytes are not what they should be.
    Corrupt(String),
    /// Another failure, after which this command line continues.
    Resumable { failure: Box<Failure>, command: String },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Invoker(error)
    }
}

impl Failure {
    pub(crate) fn file(what: impl Into<String>, error: std::io::Error) -> Self {
        Self::File { what: what.into(), error }
    }

    /// The one place that says what a failure is for a shell. The table stands in the README.
    fn exit_code(&self) -> u8 {
        let kind = match self {
            Self::Usage(_) => return USAGE,
            Self::Configuration(_) => return 253,
            Self::File { .. } => return 9,
            Self::BrokenPipe => return 141,
            Self::MaxTime { .. } => return 7,
            Self::Signal { code } => return *code,
            Self::NotWhole(_) => return 1,
            Self::Corrupt(_) => return 5,
            Self::Resumable { failure, .. } => return failure.exit_code(),
            Self::Invoker(error) => error.kind(),
        };
        match kind {
            ErrorKind::InvalidInput => USAGE,
            ErrorKind::Function { .. } | ErrorKind::Answer { .. } => 3,
            ErrorKind::Truncated => 4,
            ErrorKind::Corrupt | ErrorKind::Inconsistent => 5,
            ErrorKind::Changed => 6,
            ErrorKind::TimedOut => 7,
            ErrorKind::CannotResume => 8,
            ErrorKind::LocalFile => 9,
            ErrorKind::Configuration => 253,
            ErrorKind::Refused { .. } | ErrorKind::Throttled { .. } | ErrorKind::NotEventStream => {
                254
            }
            // The endpoint is not there, or a kind that this program does not know yet.
            _ => 1,
        }
    }

    fn kind_name(&self) -> String {
        match self {
            Self::Usage(_) => "Usage".into(),
            Self::Configuration(_) => "Configuration".into(),
            Self::File { .. } => "LocalFile".into(),
            Self::BrokenPipe => "BrokenPipe".into(),
            Self::MaxTime { .. } => "TimedOut".into(),
            Self::Signal { .. } => "Signal".into(),
            Self::NotWhole(_) => "NotWhole".into(),
            Self::Corrupt(_) => "Corrupt".into(),
            Self::Resumable { failure, .. } => failure.kind_name(),
            Self::Invoker(error) => error.kind().name().into(),
        }
    }

    /// What happened and why, in one line.
    fn message(&self) -> String {
        match self {
            Self::Usage(message)
            | Self::Configuration(message)
            | Self::NotWhole(message)
            | Self::Corrupt(message) => message.clone(),
            Self::File { what, error } => format!("{what}: {error}"),
            Self::BrokenPipe => "the reader of stdout has gone".into(),
            Self::MaxTime { limit } => {
                format!("it was not done within {} s in all", limit.as_secs_f32())
            }
            Self::Signal { code } => format!("interrupted by signal {}", code - 128),
            Self::Resumable { failure, .. } => failure.message(),
            Self::Invoker(error) => {
                let message = in_one_line(error);
                match error.request_id() {
                    Some(id) => format!("{message} (request {id})"),
                    None => message,
                }
            }
        }
    }

    /// What the user can do, where that is not in the message.
    fn hint(&self) -> Option<&'static str> {
        let error = match self {
            Self::Invoker(error) => error,
            Self::Resumable { failure, .. } => return failure.hint(),
            Self::MaxTime { .. } => return Some("--max-time allows more"),
            _ => return None,
        };
        Some(match error.kind() {
            ErrorKind::Unreachable => "check --endpoint-url, --region and the network",
            ErrorKind::NotEventStream => "check --endpoint-url",
            ErrorKind::Configuration => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            }
            ErrorKind::TimedOut => match error.time_limit()? {
                TimeLimit::Connect => {
                    "--connect-timeout allows more; check --endpoint-url, --region and the network"
                }
                TimeLimit::FirstByte => "--first-byte-timeout allows more",
                TimeLimit::Idle => "--idle-timeout allows more",
                TimeLimit::MinimumRate => "a lower --speed-limit allows less",
                TimeLimit::Invocation => "--invocation-timeout allows more",
                _ => return None,
            },
            ErrorKind::Throttled { .. } => {
                "try a smaller --max-in-flight, a longer --throttle-patience, or later"
            }
            ErrorKind::Changed => "--restart begins again, with the new version",
            ErrorKind::CannotResume => "`invoker get --restart` begins again",
            ErrorKind::Refused { code, .. } => match code.as_str() {
                "ResourceNotFoundException" => {
                    "check the function's name, --qualifier and --region"
                }
                "ExpiredTokenException" | "ExpiredToken" => {
                    "get new credentials, such as with `aws sso login`, then try again"
                }
                "UnrecognizedClientException" | "InvalidSignatureException" => {
                    "the credentials are not known there: check --profile, --region and the clock"
                }
                "AccessDeniedException" => {
                    "the caller needs lambda:InvokeFunction on it (by URL: lambda:InvokeFunctionUrl)"
                }
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// An error and its causes.
pub(crate) fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}

/// One line on stderr. Whoever closed it does not want to know, and that is no failure.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says on stderr what failed; the exit code for it.
pub(crate) fn failed(failure: &Failure) -> ExitCode {
    // A reader who has gone, as `head` does, has all it wanted.
    if !matches!(failure, Failure::BrokenPipe) {
        let hint = failure.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        say(&format!("invoker: {}{hint}", failure.message()));
    }
    if let Failure::Resumable { command, .. } = failure {
        say(&format!("invoker: what came is kept; to continue: {command}"));
    }
    ExitCode::from(failure.exit_code())
}

/// A file for the JSON report, opened before anything is called: a report that cannot be written
/// must not be found out when the work is done, and one of an earlier run must not stay.
pub(crate) struct ReportFile {
    file: File,
    path: PathBuf,
}

impl ReportFile {
    /// `output` is where the result goes, which must be another place.
    pub(crate) fn create(path: &Path, output: &Path) -> Result<Self, Failure> {
        // Through a link, as the result goes.
        let output = place(output);
        let beside = |suffix: &str| {
            let mut name = output.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let taken = [output.clone(), beside(".part"), beside(".part.journal")];
        let dangling = path.is_symlink() && !path.exists();
        if dangling || taken.contains(&place(path)) {
            let message = format!("{} cannot take both the result and its report", path.display());
            return Err(Failure::Usage(message));
        }
        match File::create(path) {
            Ok(file) => Ok(Self { file, path: path.to_owned() }),
            Err(error) => Err(Failure::file(format!("cannot write {}", path.display()), error)),
        }
    }
}

/// Where a path leads, whether or not there is a file yet.
fn place(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match (std::fs::canonicalize(path), std::fs::canonicalize(folder), path.file_name()) {
        (Ok(path), _, _) => path,
        (Err(_), Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Writes the JSON report of a download, whole or not.
pub(crate) fn write(
    report_file: ReportFile,
    function: &str,
    object: Option<&str>,
    progress: &Progress,
    tariff: &Tariff,
    outcome: Result<&Report, &Failure>,
) -> Result<(), Failure> {
    let counted = outcome.map_or_else(|_| progress.snapshot(), |report| report.snapshot);
    let description = progress.description();
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    let integrity = match outcome {
        Ok(report) => match &report.integrity {
            Integrity::Verified { algorithm } => {
                serde_json::json!({"status": "verified", "algorithm": algorithm, "reason": null})
            }
            Integrity::NotVerified { reason } => {
                serde_json::json!({"status": "not-verified", "algorithm": null, "reason": reason})
            }
            _ => serde_json::json!({"status": "not-verified", "algorithm": null, "reason": null}),
        },
        Err(_) => serde_json::json!({
            "status": "not-verified", "algorithm": null, "reason": "the result is not whole"
        }),
    };
    let error = outcome.err().map(
        |failure| serde_json::json!({"kind": failure.kind_name(), "message": failure.message()}),
    );
    let seconds = counted.elapsed.as_secs_f64();
    let report = serde_json::json!({
        "function": function,
        "object": object,
        "etag": description.and_then(|description| description.etag.as_deref()),
        "executed_version": description.and_then(|description| description.executed_version.as_deref()),
        "encoding": description.and_then(|description| description.encoding.as_deref()),
        "bytes": counted.bytes,
        "received_bytes": counted.encoded_bytes,
        "elapsed_ms": millis(counted.elapsed),
        "ttfb_ms": counted.first_byte.map(millis),
        "bytes_per_second": if seconds > 0.0 { counted.bytes as f64 / seconds } else { 0.0 },
        "segments": counted.segments,
        "in_flight_max": counted.in_flight_max,
        "retries": counted.retries,
        "throttles": counted.throttles,
        "hedges": counted.hedges,
        "splits": counted.splits,
        "refetched_bytes": counted.refetched_bytes,
        "resumed_bytes": counted.resumed_bytes,
        "resumable": matches!(outcome, Err(Failure::Resumable { .. })),
        "crc64nvme": outcome.ok().map(|report| report.crc64nvme.to_string()),
        "peak_rss_bytes": peak_rss_bytes(),
        "integrity": integrity,
        "cost": tariff.json(&Usage::from(&counted), function.starts_with(LOCAL)),
        "error": error,
    });
    let ReportFile { mut file, path } = report_file;
    file.write_all(format!("{report:#}\n").as_bytes())
        .map_err(|error| Failure::file(format!("cannot write {}", path.display()), error))
}

/// The most memory this process has had resident, where the system tells it as Linux does.
fn peak_rss_bytes() -> Option<u64> {
    const KIB: u64 = 1024;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * KIB)
}
