//! What came of one invocation, to be judged.

use bytes::Bytes;

/// An answer, read to its end or as far as its case wants to see.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// `None` if there was no head.
    pub(super) status: Option<u16>,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// What was kept of the body.
    pub(super) body: Bytes,
    /// Bytes of the body that came.
    pub(super) bytes: u64,
    pub(super) end: End,
    pub(super) executed_version: Option<String>,
}

/// How a body ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// As the head promised, and proven.
    #[default]
    Whole,
    /// It was left while it still came: what was wanted of it was seen.
    Left,
    /// With a typed error of the function: its type, and what was said.
    Failed {
        error_type: String,
        message: String,
        /// Whether the runtime wrote it into the body, which then ended as a whole one does.
        in_body: bool,
    },
    /// In another way: which, and what is known of it.
    Broken { kind: &'static str, message: String },
}

impl Answer {
    /// The value of the first header called `name`.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}
