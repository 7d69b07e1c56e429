//! What was typed for a download goes in; what its journal should keep of it, and the command line
//! that continues it, come out. And the other way round.

use std::path::Path;

use invoker::{Checksum, DEFAULT_IN_FLIGHT, Unfinished};
use serde::{Deserialize, Serialize};

use crate::args::{Connection, Question, SegmentSize, Segments, Transfer};
use crate::report::Failure;
use crate::shell_word::quoted;
use crate::target::LOCAL;

/// What the command keeps in a journal: how the function and the object were called.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) function: String,
    pub(crate) object: Option<String>,
}

impl Note {
    pub(crate) fn of(question: &Question) -> Self {
        // A download may be continued from another folder.
        let folder = question.function.strip_prefix(LOCAL).filter(|folder| !folder.is_empty());
        let function = match folder.map(std::fs::canonicalize) {
            Some(Ok(folder)) => format!("{LOCAL}{}", folder.display()),
            _ => question.function.clone(),
        };
        Self { function, object: question.object.clone() }
    }

    /// The text for the journal.
    pub(crate) fn text(&self) -> Result<String, Failure> {
        serde_json::to_string(self)
            .map_err(|error| Failure::file("cannot write a journal", error.into()))
    }

    /// What a journal kept.
    pub(crate) fn read(unfinished: &Unfinished, file: &Path) -> Result<Self, Failure> {
        serde_json::from_str(unfinished.note()).map_err(|_| {
            let message = format!(
                "the download of {} was begun by another program, which has to continue it",
                file.display()
            );
            Failure::Usage(message)
        })
    }
}

/// The command line that continues the download of `file` as it was begun.
pub(crate) fn command(
    file: &Path,
    checksum: Option<&Checksum>,
    transfer: &Transfer,
    connection: &Connection,
) -> String {
    let mut command = format!("invoker resume {}", quoted(file.as_os_str()));
    let mut flag = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            command.push_str(&format!(" {name} {}", quoted(value.as_ref())));
        }
    };
    flag("--checksum", checksum.map(ToString::to_string));
    let Segments { max_in_flight, in_flight, segment_size, .. } = &transfer.segments;
    flag("--in-flight", in_flight.map(|segments| segments.to_string()));
    let most = Some(max_in_flight).filter(|&&most| most != DEFAULT_IN_FLIGHT);
    flag("--max-in-flight", most.map(|segments| segments.to_string()));
    if let SegmentSize::Bytes(bytes) = segment_size {
        flag("--segment-size", Some(bytes.to_string()));
    }
    let Connection { endpoint_url, region, profile, access } = connection;
    flag("--endpoint-url", endpoint_url.as_deref().map(without_password));
    flag("--region", region.clone());
    flag("--profile", profile.clone());
    flag("--role-arn", access.role_arn.clone());
    flag("--role-session-name", access.role_session_name.clone());
    let ca_bundle = access.ca_bundle.as_ref();
    flag("--ca-bundle", ca_bundle.map(|file| file.display().to_string()));
    let switches = [
        (access.fips, " --fips"),
        (access.dual_stack, " --dual-stack"),
        (access.no_sign, " --no-sign"),
    ];
    for (wanted, name) in switches {
        command.push_str(if wanted { name } else { "" });
    }
    if transfer.no_segments {
        command.push_str(" --no-segments");
    }
    command
}

/// An URL without the user and the password that some write before the host.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_printed() {
        assert_eq!(without_password("http://u:p@host:1"), "http://host:1");
        assert_eq!(without_password("http://host"), "http://host");
    }
}
