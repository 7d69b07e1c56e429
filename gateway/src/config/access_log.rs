//! Where the access log goes, as TOML has it: `"stderr"`, `"stdout"`, `"off"` or a path.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

/// Where a line for each exchange goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum AccessLog {
    Off,
    #[default]
    Stderr,
    Stdout,
    File(PathBuf),
}

impl AccessLog {
    /// As meant from `folder`, that of the configuration.
    pub(super) fn beside(self, folder: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(folder.join(path)),
            other => other,
        }
    }
}

impl<'de> Deserialize<'de> for AccessLog {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        match text.as_str() {
            "off" => Ok(Self::Off),
            "stderr" => Ok(Self::Stderr),
            "stdout" => Ok(Self::Stdout),
            // A slip in one of the words is no name of a file.
            path if path.contains('/') || cfg!(windows) && path.contains('\\') => {
                Ok(Self::File(path.into()))
            }
            _ => Err(de::Error::custom(format!(
                "{text:?} is no place for a log: write \"stderr\", \"stdout\", \"off\" or a path with a \
                 slash, such as \"./access.log\""
            ))),
        }
    }
}
