//! One line of words into a program and its arguments, as a shell would split it, without a shell:
//! no variables, no globs, no pipes.

/// Splits `line` at blanks; quotes and backslashes work as POSIX describes them (Shell Command
/// Language, section 2.2).
pub(super) fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => single_quoted(&mut chars, word.get_or_insert_default())?,
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("ends with a backslash"),
            },
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    if words.is_empty() { Err("is empty") } else { Ok(words) }
}

fn single_quoted(
    chars: &mut impl Iterator<Item = char>,
    word: &mut String,
) -> Result<(), &'static str> {
    for c in chars {
        match c {
            '\'' => return Ok(()),
            other => word.push(other),
        }
    }
    Err("has an open single quote")
}

fn double_quoted(
    chars: &mut impl Iterator<Item = char>,
    word: &mut String,
) -> Result<(), &'static str> {
    const OPEN: &str = "has an open double quote";
    loop {
        match chars.next().ok_or(OPEN)? {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or(OPEN)? {
                '\n' => {}
                escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn splits_as_a_shell_would() {
        for (line, words) in [
            ("a b", &["a", "b"][..]),
            ("  a\t b\n", &["a", "b"]),
            ("node 'my file.js'", &["node", "my file.js"]),
            (r#"a "b c"d e"#, &["a", "b cd", "e"]),
            (r#"a '' """#, &["a", "", ""]),
            (r"a\ b \'c", &["a b", "'c"]),
            (r#""\$x \n \"y\"""#, &[r#"$x \n "y""#]),
            (r"'\n'", &[r"\n"]),
            ("a \\\nb", &["a", "b"]),
            ("$HOME *.js | cat", &["$HOME", "*.js", "|", "cat"]),
            ("größe", &["größe"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line:?}");
        }
    }

    #[test]
    fn refuses_what_has_no_end() {
        for line in ["", "  ", "'a", "\"a", "\"a\\", "a\\"] {
            assert!(split(line).is_err(), "{line:?}");
        }
    }
}
