//! The text of a settings file comes in; settings go out, or the line that is wrong.

use crate::error::{Error, ErrorKind};
use crate::settings::Settings;

impl Settings {
    /// Reads settings that are written as TOML.
    ///
    /// # Errors
    ///
    /// If it is no TOML, or has a field that settings do not have, lacks one, or has one of another type
    /// ([`ErrorKind::Setting`]). The message has the line and the name, not the value.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            let words = format!("line {line}: {}", without_values(error.message()));
            Error::new(ErrorKind::Setting, words)
        })
    }
}

/// serde says what it found in place of what it wanted, and that may be a key somebody put there by mistake.
fn without_values(message: &str) -> String {
    let first_line = message.lines().next().unwrap_or("");
    for mistake in ["invalid type", "invalid value", "unknown variant"] {
        if let Some(found) = first_line.strip_prefix(mistake) {
            let wanted = found.rfind(", expected").map_or("", |at| &found[at..]);
            return format!("{mistake}{wanted}");
        }
    }
    first_line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_has_a_line_and_a_name_and_no_value() {
        for (text, words) in [
            ("\nkeys = \"hunter2\"", "line 2: invalid type, expected a sequence"),
            ("[scopes]\na = [\"hunter2\", 7]", "line 2: invalid type, expected a string"),
            (
                "http_api_answer = \"hunter2\"",
                "line 1: unknown variant, expected `iam` or `simple`",
            ),
            ("[[keys]]\nname = \"a\"\nsha265 = \"hunter2\"", "line 3: unknown field `sha265`"),
            ("[[keys]]\nname = \"a\"", "line 1: missing field `sha256`"),
            (
                "[[keys]]\nname = \"a\"\nsha256 = \"\"\ncontext = {a = [\"hunter2\"]}",
                "line 4: data did",
            ),
            ("[jwt]\nissuer = \"i\"", "line 1: missing field `audience`"),
            ("a = \"hunter2", "line 1: "),
            ("[keys]\nb = 1", "line 1: invalid type"),
        ] {
            let error = Settings::from_toml(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Setting);
            assert!(error.to_string().starts_with(words), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}
