//! A file's name goes in; whether Windows keeps it for a device, in every folder, comes out.

/// Those that are kept, but for the numbered ones ("Naming Files, Paths, and Namespaces" of
/// Microsoft's documentation).
const NAMES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// Those with a digit behind, which may be a raised 1, 2 or 3.
const NUMBERED: [&str; 2] = ["com", "lpt"];

/// Whether what is written to a file of this name goes to a device. An ending changes nothing, nor do
/// blanks before it.
pub(crate) fn is_kept(name: &str) -> bool {
    let stem = name.split(['.', ':']).next().unwrap_or_default().trim_end_matches(' ');
    let stem = stem.to_ascii_lowercase();
    let numbered = |device: &str| {
        let mut digits = stem.strip_prefix(device).unwrap_or_default().chars();
        let digit = |c: char| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³');
        digits.next().is_some_and(digit) && digits.next().is_none()
    };
    NAMES.contains(&&*stem) || NUMBERED.into_iter().any(numbered)
}

#[cfg(test)]
mod tests {
    use super::is_kept;

    #[test]
    fn devices_are_known_in_any_spelling() {
        let kept =
            ["NUL", "nul", "Nul.txt", "con", "AUX .tar.gz", "com1", "LPT9.b", "COM¹", "nul:x"];
        let free = ["", "null", "nu", "a.nul", "com", "com10", "compare", "lptx", "icon", "größe"];
        assert_eq!(kept.into_iter().find(|name| !is_kept(name)), None);
        assert_eq!(free.into_iter().find(|name| is_kept(name)), None);
    }
}
