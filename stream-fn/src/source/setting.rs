//! The value of `STREAM_FN_SOURCE` comes in; the source it names goes out.

use super::{Directory, Pattern, Source};
use crate::error::{Error, ErrorKind};

/// What is accepted, for whoever wrote something else.
const ACCEPTED: &str = "\"directory:PATH\" or \"pattern\"";

/// Reads a setting: `directory:PATH`, or `pattern`.
///
/// # Errors
///
/// [`ErrorKind::Setting`], if it is neither, or if the directory cannot be used.
pub fn parse(setting: &str) -> Result<Box<dyn Source>, Error> {
    let refused = |why: String| Err(Error::new(ErrorKind::Setting, why));
    match setting.split_once(':') {
        None if setting == "pattern" => Ok(Box::new(Pattern)),
        Some(("directory", "")) => refused("the source \"directory:\" names no path".to_owned()),
        Some(("directory", path)) => Ok(Box::new(Directory::new(path)?)),
        Some(("s3", _)) => refused(format!(
            "this build of stream-fn cannot read from S3: the source is {ACCEPTED}"
        )),
        _ if setting.is_empty() => refused(format!("the source is empty, not {ACCEPTED}")),
        _ => refused(format!("the source {setting:?} is not {ACCEPTED}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_names_a_source_or_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(parse(&format!("directory:{}", folder.path().display())).is_ok());
        assert!(parse("pattern").is_ok());
        for (setting, word) in [
            ("", "empty"),
            ("directory", "not \"directory:PATH\""),
            ("directory:", "names no path"),
            ("directory:/nowhere/at/all", "/nowhere/at/all"),
            ("pattern:5", "not \"directory:PATH\""),
            ("s3://bucket/prefix", "S3"),
        ] {
            let error = parse(setting).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Setting);
            assert!(error.to_string().contains(word), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
