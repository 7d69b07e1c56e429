//! A place in a configuration and what is wrong with it go in; one line that says so comes out.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::Wrong;

/// How like what was written a name has to be, from 0 to 1, to be what was meant: the measure of Jaro, at
/// the threshold that clap has for its flags.
const LIKE: f64 = 0.7;

/// Why a configuration is not served: file, line and reason, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    file: String,
    line: Option<usize>,
    reason: String,
}

/// All that is wrong with a configuration: one complaint or more, by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaints {
    all: Vec<Complaint>,
}

/// The text that places are places of.
#[derive(Clone)]
pub(super) struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// `span` is in bytes; none is about the whole of it.
    pub(super) fn complaint(
        &self,
        span: Option<Range<usize>>,
        reason: impl Into<String>,
    ) -> Complaint {
        let before = span.and_then(|span| self.text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        let reason: String = reason.into();
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Complaint { file: self.name.as_ref().into(), line, reason }
    }

    pub(super) fn complaints(&self, wrong: Vec<Wrong>) -> Complaints {
        let all = wrong.into_iter().map(|(span, reason)| self.complaint(span, reason));
        Complaints::new(all.collect())
    }
}

/// Not the text, which may have what nobody should see.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Complaint {
    pub(super) fn of_file(file: &str, reason: String) -> Self {
        Self { file: file.into(), line: None, reason }
    }

    /// The line, from 1 on, if it is about one.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong, and what to do.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl Complaints {
    /// In the order of the file. `all` has one at least.
    pub(crate) fn new(mut all: Vec<Complaint>) -> Self {
        all.sort_by_key(|complaint| complaint.line);
        Self { all }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Complaint> {
        self.all.iter()
    }
}

impl From<Complaint> for Complaints {
    fn from(one: Complaint) -> Self {
        Self { all: vec![one] }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

/// A line for each.
impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, complaint) in self.all.iter().enumerate() {
            let before = if place == 0 { "" } else { "\n" };
            write!(f, "{before}{complaint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Complaint {}
impl std::error::Error for Complaints {}

/// What serde says of a key or a word that nobody knows, with the known one that is most like it.
pub(super) fn in_our_words(message: &str) -> String {
    let kinds = [("unknown field `", "key"), ("unknown variant `", "word")];
    for (beginning, kind) in kinds {
        let Some(rest) = message.strip_prefix(beginning) else { continue };
        let Some((unknown, rest)) = rest.split_once('`') else { continue };
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        return match closest(unknown, &known) {
            Some(meant) => format!("there is no {kind} {unknown} here: did you mean {meant}?"),
            None if known.is_empty() => format!("there is no {kind} {unknown} here"),
            None => format!("there is no {kind} {unknown} here, only {}", known.join(", ")),
        };
    }
    match message.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((name, _)) => format!("{name} is missing here: write {name} = ..."),
        None => of_another_type(message).unwrap_or_else(|| message.to_owned()),
    }
}

/// What serde says of a value that cannot be there, without the value: it may be a secret in the wrong place.
fn of_another_type(message: &str) -> Option<String> {
    let (said, wanted) = message.rsplit_once(", expected ")?;
    let is = if let Some(found) = said.strip_prefix("invalid type: ") {
        let kinds = [
            ("string", "this is a text"),
            ("integer", "this is a number"),
            ("floating point", "this is a number"),
            ("boolean", "this is true or false"),
            ("sequence", "this is a list"),
            ("map", "this is a table"),
        ];
        let kind = kinds.into_iter().find(|(kind, _)| found.starts_with(kind));
        kind.map_or("this is something else", |(_, is)| is)
    } else if said.starts_with("invalid value: ") || said.starts_with("invalid length ") {
        "this cannot be"
    } else {
        return None;
    };
    let integer = |wanted: &str| {
        let bits = wanted.strip_prefix(['u', 'i'])?;
        (bits == "size" || bits.parse::<u8>().is_ok()).then_some("a whole number")
    };
    let wanted = match wanted {
        "a string" | "path string" | "string" => "a text, in quotes",
        "a boolean" => "true or false",
        "a map" => "a table: { NAME = ... }",
        "a sequence" => "a list: [ ... ], or [[NAME]] for one of tables",
        wanted if wanted.starts_with("a nonzero ") => "a whole number, from 1 on",
        wanted => integer(wanted).unwrap_or(wanted),
    };
    Some(format!("{is}: write {wanted}"))
}

/// The one of these that was meant, if one is like it.
pub(super) fn closest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let alike = known.iter().map(|known| (strsim::jaro(written, known), *known));
    let best = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(like, _)| *like > LIKE).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_named() {
        let told = in_our_words("unknown field `pth`, expected one of `path`, `methods`");
        assert_eq!(told, "there is no key pth here: did you mean path?");
        let told = in_our_words("unknown field `x`, expected `path`");
        assert_eq!(told, "there is no key x here, only path");
        let told = in_our_words("unknown variant `3.0`, expected `2.0`");
        assert_eq!(told, "there is no word 3.0 here: did you mean 2.0?");
        assert_eq!(in_our_words("missing field `path`"), "path is missing here: write path = ...");
        assert_eq!(in_our_words("invalid type"), "invalid type");
    }

    #[test]
    fn a_value_that_cannot_be_there_is_not_repeated() {
        for (told, ours) in [
            (
                "type: string \"hush, expected hush\", expected a map",
                "a text: write a table: { NAME = ... }",
            ),
            ("type: integer `12345`, expected a string", "a number: write a text, in quotes"),
            ("type: floating point `1.5`, expected u32", "a number: write a whole number"),
            (
                "type: map, expected a sequence",
                "a table: write a list: [ ... ], or [[NAME]] for one of tables",
            ),
            ("type: unit value, expected a boolean", "something else: write true or false"),
        ] {
            assert_eq!(in_our_words(&format!("invalid {told}")), format!("this is {ours}"));
        }
        let told = in_our_words("invalid value: integer `-5`, expected a nonzero u32");
        assert_eq!(told, "this cannot be: write a whole number, from 1 on");
    }
}
