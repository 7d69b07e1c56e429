//! How it ended goes in; the exit code and the line on stderr come out.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use invoker::{Error, ErrorKind, TimeLimit};

/// A mistake in what was typed.
pub(crate) const USAGE: u8 = 2;

/// What the exit codes mean. The README has the same table.
pub(crate) const EXIT_CODES: [(&str, &str); 14] = [
    ("0", "whole, and verified where the function gave a checksum"),
    ("1", "failed after its retries; verify: not whole yet"),
    ("2", "usage: what was typed cannot be done"),
    ("3", "the function failed, or said no (404, 416, ...)"),
    ("4", "truncated"),
    ("5", "integrity: a checksum, the framing, or an answer that does not fit the question"),
    ("6", "the object or the function changed in mid-download"),
    ("7", "timed out"),
    ("8", "what is left of an earlier download is none of this one"),
    ("9", "a local file"),
    ("10", "check: the function breaks the contract"),
    ("129, 130, 143", "ended by a signal"),
    ("141", "the reader of stdout left"),
    ("253, 254", "no region or no credentials; the service refused"),
];

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
    /// No download of that name was begun.
    NothingLeft(Error),
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
    /// A function that does not keep the contract.
    Broken(String),
    /// Another failure, of which all was said.
    Told(Box<Failure>),
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
    pub(crate) fn exit_code(&self) -> u8 {
        let kind = match self {
            Self::Usage(_) => return USAGE,
            Self::Configuration(_) => return 253,
            Self::File { .. } => return 9,
            Self::BrokenPipe => return 141,
            Self::MaxTime { .. } => return 7,
            Self::Signal { code } => return *code,
            Self::NotWhole(_) => return 1,
            Self::Corrupt(_) => return 5,
            Self::Broken(_) => return 10,
            Self::Told(failure) => return failure.exit_code(),
            Self::Resumable { failure, .. } => return failure.exit_code(),
            Self::Invoker(error) | Self::NothingLeft(error) => error.kind(),
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

    /// What kind of failure it is, for programs.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "Usage",
            Self::Configuration(_) => "Configuration",
            Self::File { .. } => "LocalFile",
            Self::BrokenPipe => "BrokenPipe",
            Self::MaxTime { .. } => "TimedOut",
            Self::Signal { .. } => "Signal",
            Self::NotWhole(_) => "NotWhole",
            Self::Corrupt(_) => "Corrupt",
            Self::Broken(_) => "Broken",
            Self::Told(failure) | Self::Resumable { failure, .. } => failure.kind_name(),
            Self::Invoker(error) | Self::NothingLeft(error) => error.kind().name(),
        }
    }

    /// What happened and why, in one line.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Usage(message)
            | Self::Configuration(message)
            | Self::NotWhole(message)
            | Self::Corrupt(message)
            | Self::Broken(message) => message.clone(),
            Self::File { what, error } => format!("{what}: {error}"),
            Self::BrokenPipe => "the reader of stdout has gone".into(),
            Self::MaxTime { limit } => {
                format!("it was not done within {} s in all", limit.as_secs_f32())
            }
            Self::Signal { code } => format!("interrupted by signal {}", code - 128),
            Self::Told(failure) | Self::Resumable { failure, .. } => failure.message(),
            Self::Invoker(error) | Self::NothingLeft(error) => {
                let message = in_one_line(error);
                match error.request_id() {
                    Some(id) => format!("{message} (request {id})"),
                    None => message,
                }
            }
        }
    }

    /// What the user can do, where that is not in the message.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let error = match self {
            Self::Invoker(error) => error,
            Self::Told(failure) | Self::Resumable { failure, .. } => return failure.hint(),
            Self::MaxTime { .. } => return Some("--max-time allows more"),
            Self::NothingLeft(_) => return Some("is that the name that the file was to have?"),
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
                    "the caller needs lambda:InvokeFunction on it (by URL: lambda:InvokeFunctionUrl; \
                     of an API: execute-api:Invoke)"
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
    if !matches!(failure, Failure::BrokenPipe | Failure::Told(_)) {
        let hint = failure.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        say(&format!("invoker: {}{hint}", failure.message()));
    }
    if let Failure::Resumable { command, .. } = failure {
        say(&format!("invoker: what came is kept; to continue: {command}"));
    }
    ExitCode::from(failure.exit_code())
}
