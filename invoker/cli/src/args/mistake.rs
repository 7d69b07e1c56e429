//! What the parser says of a mistake goes in, in paragraphs; one line comes out: what, where, what to
//! do.

/// `rendered` is the parser's own text, without colours; `first` is the first word that was typed,
/// and `commands` are those that there are.
pub(super) fn in_one_line(rendered: &str, first: &str, commands: &[String]) -> String {
    let mut line = String::new();
    let mut in_usage = false;
    for text in rendered.lines().map(str::trim).filter(|text| !text.is_empty()) {
        if let Some(usage) = text.strip_prefix("Usage: ") {
            in_usage = true;
            // What needs something else is only named there.
            if line.contains("required") {
                line = format!("{line}; usage: {usage}");
            }
        }
        if in_usage || text.starts_with("For more information") {
            continue;
        }
        let text = text.strip_prefix("error: ").unwrap_or(text);
        let text = text.strip_prefix("tip: ").unwrap_or(text);
        let between = match line.chars().last() {
            None => "",
            // The list that this announces.
            Some(':') => " ",
            Some(_) => "; ",
        };
        line = format!("{line}{between}{text}");
    }
    if commands.iter().any(|command| command == first) {
        return format!("{line}; see `invoker {first} --help`");
    }
    // The parser knows names that look alike, not those that mean the same.
    if line.contains("subcommand") {
        line = format!("{line}; there are {}", commands.join(", "));
    }
    format!("{line}; see `invoker --help`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_one_line() {
        let table = [
            (
                "get",
                "error: unexpected argument '--rang' found\n\n  tip: a similar argument exists: \
                 '--range'\n\nUsage: invoker get --range <RANGE> <FUNCTION> [OBJECT]\n\nFor more \
                 information, try '--help'.\n",
                "unexpected argument '--rang' found; a similar argument exists: '--range'; see \
                 `invoker get --help`",
            ),
            (
                "cat",
                "error: the following required arguments were not provided:\n  <FUNCTION>\n\n\
                 Usage: invoker cat <FUNCTION> [OBJECT]\n\nFor more information, try '--help'.\n",
                "the following required arguments were not provided: <FUNCTION>; usage: invoker cat \
                 <FUNCTION> [OBJECT]; see `invoker cat --help`",
            ),
            (
                "get",
                "error: invalid value 'x' for '--range <RANGE>': no\n\nFor more information, try \
                 '--help'.\n",
                "invalid value 'x' for '--range <RANGE>': no; see `invoker get --help`",
            ),
            (
                "gte",
                "error: unrecognized subcommand 'gte'\n\nUsage: invoker [OPTIONS] <COMMAND>\n\nFor \
                 more information, try '--help'.\n",
                "unrecognized subcommand 'gte'; there are get, cat; see `invoker --help`",
            ),
        ];
        let commands = ["get".to_owned(), "cat".to_owned()];
        for (first, rendered, line) in table {
            assert_eq!(in_one_line(rendered, first, &commands), line);
        }
    }
}
