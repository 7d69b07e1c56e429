//! How a download went goes in; its report comes out as JSON, in a file or on a line.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use invoker::{Integrity, Progress, Report};
use serde_json::{Value, json};

use crate::cost::{Tariff, Usage};
use crate::report::Failure;
use crate::target::LOCAL;
use crate::url::shown;

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

    pub(crate) fn write(mut self, document: &Value) -> Result<(), Failure> {
        self.file
            .write_all(format!("{document:#}\n").as_bytes())
            .map_err(|error| Failure::file(format!("cannot write {}", self.path.display()), error))
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

/// The report of a download, whole or not.
pub(crate) fn document(
    function: &str,
    object: Option<&str>,
    progress: &Progress,
    tariff: &Tariff,
    outcome: Result<&Report, &Failure>,
) -> Value {
    let counted = outcome.map_or_else(|_| progress.snapshot(), |report| report.snapshot);
    let description = progress.description();
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    let integrity = match outcome {
        Ok(report) => match &report.integrity {
            Integrity::Verified { algorithm } => {
                json!({"status": "verified", "algorithm": algorithm, "reason": null})
            }
            Integrity::NotVerified { reason } => {
                json!({"status": "not-verified", "algorithm": null, "reason": reason})
            }
            _ => json!({"status": "not-verified", "algorithm": null, "reason": null}),
        },
        Err(_) => json!({
            "status": "not-verified", "algorithm": null, "reason": "the result is not whole"
        }),
    };
    let error = outcome.err().map(|failure| {
        json!({
            "kind": failure.kind_name(),
            "message": failure.message(),
            "hint": failure.hint(),
            "exit_code": failure.exit_code(),
        })
    });
    let resume_command = match outcome {
        Err(Failure::Resumable { command, .. }) => Some(command.as_str()),
        _ => None,
    };
    let seconds = counted.elapsed.as_secs_f64();
    json!({
        "function": shown(function),
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
        "resumable": resume_command.is_some(),
        "resume_command": resume_command,
        "crc64nvme": outcome.ok().map(|report| report.crc64nvme.to_string()),
        "peak_rss_bytes": peak_rss_bytes(),
        "integrity": integrity,
        "cost": tariff.json(&Usage::from(&counted), function.starts_with(LOCAL)),
        "error": error,
    })
}

/// The report of a download that was not begun, and why.
pub(crate) fn skipped(function: &str, object: Option<&str>, why: &str) -> Value {
    json!({
        "function": shown(function),
        "object": object,
        "bytes": 0,
        "resumed_bytes": 0,
        "crc64nvme": null,
        "skipped": why,
        "error": null,
    })
}

/// The most memory this process has had resident, where the system tells it as Linux does.
fn peak_rss_bytes() -> Option<u64> {
    const KIB: u64 = 1024;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * KIB)
}
