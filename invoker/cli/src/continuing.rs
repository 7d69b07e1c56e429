//! What was typed for a download goes in; what its journal should keep of it, and the command line
//! that continues it, come out. And the other way round.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use invoker::{Checksum, DEFAULT_IN_FLIGHT, Error, ErrorKind, Unfinished};
use serde::{Deserialize, Serialize};

use crate::args::{Connection, Question, SegmentSize, Segments, Transfer};
use crate::report::Failure;
use crate::shell_word::quoted;
use crate::target::LOCAL;
use crate::url::{shown, without_password};

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

    /// The name of what is fetched, for people.
    pub(crate) fn what(&self) -> String {
        self.object.clone().unwrap_or_else(|| shown(&self.function))
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

/// What is left of the download of `file`.
pub(crate) async fn begun(file: &Path) -> Result<Unfinished, Failure> {
    Unfinished::open(file).await.map_err(|error| none_left(file, error))
}

/// Why there is nothing to continue, or none that can be.
pub(crate) fn none_left(file: &Path, error: Error) -> Failure {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    match *error.kind() == ErrorKind::CannotResume && !Path::new(&part).exists() {
        true => Failure::NothingLeft(error),
        false => Failure::Invoker(error),
    }
}

/// The command line that continues the download of `file` as it was begun.
pub(crate) fn command(
    file: &Path,
    checksum: Option<&Checksum>,
    transfer: &Transfer,
    connection: &Connection,
) -> String {
    let mut command = format!("invoker resume {}", quoted(&no_flag(file.as_os_str())));
    let mut flag = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            // What begins as a flag does is a value only in one word with its own flag.
            let between = if value.starts_with('-') { '=' } else { ' ' };
            command.push_str(&format!(" {name}{between}{}", quoted(value.as_ref())));
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

/// The name of a file that no parser takes for a flag.
fn no_flag(file: &OsStr) -> OsString {
    match file.as_encoded_bytes().starts_with(b"-") {
        true => Path::new(".").join(file).into_os_string(),
        false => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_as_a_flag_is_none() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            resume: crate::args::Resume,
        }
        let parse = |words: &[&str]| <Line as clap::Parser>::try_parse_from(words).unwrap().resume;
        for (file, expected) in [("-o", "./-o"), ("-a b", "'./-a b'"), ("--", "./--")] {
            let typed = parse(&[
                "invoker",
                "--profile=-own",
                "--role-session-name=-x y",
                "--role-arn=arn:aws:iam::1:role/r",
                "--",
                file,
            ]);
            let command = command(&typed.file, None, &typed.transfer, &typed.connection);
            let wanted = format!(
                "invoker resume {expected} --profile=-own --role-arn arn:aws:iam::1:role/r \
                 --role-session-name='-x y'"
            );
            assert_eq!(command, wanted);
        }
    }
}
