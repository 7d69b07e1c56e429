//! A file goes in; whether it is what it should be comes out, in a line on stdout and an exit code.
//! Nothing is called.

use std::io::Write;
use std::path::Path;

use indicatif::BinaryBytes;
use invoker::{Checksum, ErrorKind, Unfinished, file_checksums};
use serde::Deserialize;

use crate::args::Verify;
use crate::continuing::none_left;
use crate::report::Failure;

/// Checks one file.
pub(crate) async fn verify(arguments: Verify) -> Result<(), Failure> {
    let Verify { file, checksum, report } = arguments;
    let expected = match (checksum, report) {
        (Some(checksum), _) => Some(Expected { checksum, size: None }),
        (None, Some(report)) => Some(Expected::of_report(&report)?),
        (None, None) => None,
    };
    match Unfinished::open(&file).await {
        Ok(unfinished) => match expected {
            None => verify_unfinished(&file, &unfinished).await,
            // It may be fetched anew, with the old one still there.
            Some(expected) if file.exists() => verify_finished(&file, Some(&expected)).await,
            Some(_) => Err(not_whole(&file, &unfinished)),
        },
        Err(error) if *error.kind() == ErrorKind::CannotResume && file.exists() => {
            verify_finished(&file, expected.as_ref()).await
        }
        Err(error) => Err(none_left(&file, error)),
    }
}

/// What a file should be.
struct Expected {
    checksum: Checksum,
    size: Option<u64>,
}

impl Expected {
    fn of_report(path: &Path) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Report {
            bytes: u64,
            resumed_bytes: u64,
            crc64nvme: Option<String>,
        }
        let named = path.display();
        let text = std::fs::read(path)
            .map_err(|error| Failure::file(format!("cannot read {named}"), error))?;
        let report: Report = serde_json::from_slice(&text).map_err(|_| {
            Failure::Usage(format!("{named} is no report of `invoker get --report`"))
        })?;
        let checksum = report.crc64nvme.as_deref().map(str::parse);
        let Some(Ok(checksum)) = checksum else {
            let message = format!("{named} is the report of a download that did not come whole");
            return Err(Failure::Usage(message));
        };
        Ok(Self { checksum, size: Some(report.bytes + report.resumed_bytes) })
    }
}

async fn verify_finished(file: &Path, expected: Option<&Expected>) -> Result<(), Failure> {
    let found = file_checksums(file).await?;
    let named = file.display();
    let Some(expected) = expected else {
        print(&format!("{named}: {} bytes, {}, {}", found.size, found.crc64nvme, found.sha256))?;
        let message = format!(
            "nothing to compare {named} with: give --checksum, or --report of its download"
        );
        return Err(Failure::Usage(message));
    };
    if expected.size.is_some_and(|size| size != found.size) {
        let size = expected.size.unwrap_or_default();
        let message = format!("{named} has {} bytes, the download had {size}", found.size);
        return Err(Failure::Corrupt(message));
    }
    if !found.has(&expected.checksum) {
        let sum = match expected.checksum {
            Checksum::Sha256(_) => found.sha256,
            _ => found.crc64nvme,
        };
        let message = format!("{named} has {sum}, expected was {}", expected.checksum);
        return Err(Failure::Corrupt(message));
    }
    print(&format!("{named}: {} bytes, verified by {}", found.size, expected.checksum))
}

async fn verify_unfinished(file: &Path, unfinished: &Unfinished) -> Result<(), Failure> {
    let verified = unfinished.verify().await?;
    let named = file.display();
    let wanted = unfinished.wanted_bytes();
    if verified.broken.is_empty() {
        print(&format!(
            "{named}: unfinished, {} of {wanted} bytes are there, intact",
            verified.intact
        ))?;
        return Err(not_whole(file, unfinished));
    }
    for range in &verified.broken {
        print(&format!("{named}: bytes {}-{} are not what came", range.start, range.end - 1))?;
    }
    let lost: u64 = verified.broken.iter().map(|range| range.end - range.start).sum();
    Err(Failure::Corrupt(format!(
        "{} of the unfinished {named} are not what came; they will be fetched again when it is \
         continued",
        BinaryBytes(lost)
    )))
}

fn not_whole(file: &Path, unfinished: &Unfinished) -> Failure {
    let missing = unfinished.wanted_bytes() - unfinished.recorded_bytes();
    Failure::NotWhole(format!(
        "{} is not finished, {} are missing: continue with `invoker resume`",
        file.display(),
        BinaryBytes(missing)
    ))
}

fn print(line: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::BrokenPipe),
        Err(error) => Err(Failure::file("cannot write stdout", error)),
    }
}
