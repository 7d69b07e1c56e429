//! What was typed for a download goes in; what its journal should keep of it, and the command line
//! that continues it, come out. And the other way round.

use std::path::Path;

use invoker::Unfinished;
use serde::{Deserialize, Serialize};

use crate::args::{Connection, Question};
use crate::report::Failure;
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

/// The command line that continues the download of `file`.
pub(crate) fn command(file: &Path, connection: &Connection) -> String {
    let mut command = format!("invoker resume {}", quoted(&file.to_string_lossy()));
    let Connection { endpoint_url, region, profile } = connection;
    for (flag, value) in
        [("--endpoint-url", endpoint_url), ("--region", region), ("--profile", profile)]
    {
        if let Some(value) = value {
            command.push_str(&format!(" {flag} {}", quoted(value)));
        }
    }
    command
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        true => word.to_owned(),
        false if word.starts_with('-') => quoted(&format!("./{word}")),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        let table = [
            ("out.bin", "out.bin"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("my file", "'my file'"),
            ("it's", r"'it'\''s'"),
            ("-o", "./-o"),
            ("$x", "'$x'"),
        ];
        for (word, expected) in table {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn a_command_has_the_flags_of_the_connection() {
        let connection = Connection {
            endpoint_url: Some("http://127.0.0.1:9000".into()),
            region: None,
            profile: Some("my own".into()),
        };
        assert_eq!(
            command(Path::new("a b"), &connection),
            "invoker resume 'a b' --endpoint-url http://127.0.0.1:9000 --profile 'my own'"
        );
    }
}
