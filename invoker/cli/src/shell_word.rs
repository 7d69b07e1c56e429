//! Any word goes in; the same word as a user can type it into this system's shell comes out.

use std::ffi::OsStr;

/// A word for a shell.
pub(crate) fn quoted(word: &OsStr) -> String {
    match cfg!(windows) {
        true => for_windows(&word.to_string_lossy()),
        false => for_posix(word),
    }
}

/// As the shells of Unix want it.
fn for_posix(word: &OsStr) -> String {
    let bytes = word.as_encoded_bytes();
    let Some(text) = word.to_str().filter(|text| !text.contains(char::is_control)) else {
        let escaped: String = bytes
            .iter()
            .map(|&byte| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(byte)),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            })
            .collect();
        return format!("$'{escaped}'");
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// In double quotes, as both `cmd` and PowerShell understand them, where that is enough; else as only
/// PowerShell does.
fn for_windows(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || r"-_./\:+=".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false if word.contains(['"', '$', '`', '%', '!']) => {
            format!("'{}'", word.replace('\'', "''"))
        }
        false => format!("\"{word}\""),
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
            ("$x", "'$x'"),
        ];
        for (word, expected) in table {
            assert_eq!(for_posix(word.as_ref()), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_is_quoted_all_the_same() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(for_posix(OsStr::from_bytes(b"a\xff'b")), r"$'a\xff\'b'");
    }

    #[test]
    fn windows_has_quotes_of_its_own() {
        let table = [
            (r"C:\x\out.bin", r"C:\x\out.bin"),
            (r"C:\my folder\out", r#""C:\my folder\out""#),
            ("it's", r#""it's""#),
            ("50% it's", "'50% it''s'"),
            ("$x", "'$x'"),
            ("a,b", r#""a,b""#),
            ("", r#""""#),
        ];
        for (word, expected) in table {
            assert_eq!(for_windows(word), expected);
        }
    }
}
