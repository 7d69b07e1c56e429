//! The values of `STREAM_FN_SOURCE` and `STREAM_FN_CHECKSUM` come in; the source they describe goes out.

use super::{Directory, Pattern, Source};
use crate::error::{Error, ErrorKind};

/// What is accepted, for whoever wrote something else.
const ACCEPTED: &str = match cfg!(feature = "s3") {
    true => "\"directory:PATH\", \"pattern\" or \"s3://BUCKET/PREFIX\"",
    false => "\"directory:PATH\" or \"pattern\"",
};

/// The same of the checksum.
const CHECKSUM_ACCEPTED: &str = "\"off\" or \"keep:PATH\"";

/// Reads a setting: `directory:PATH`, or `pattern`.
///
/// # Errors
///
/// [`ErrorKind::Setting`], if it is neither, or if the directory cannot be used.
pub fn parse(setting: &str) -> Result<Box<dyn Source>, Error> {
    Ok(match read(setting)? {
        Setting::Pattern => Box::new(Pattern),
        Setting::Directory(directory) => Box::new(directory),
    })
}

/// Reads a setting, and another one of the checksums of a directory's files: `off`, or `keep:PATH`
/// with the folder they are kept in. See [`Directory`] for what is done without it.
///
/// # Errors
///
/// [`ErrorKind::Setting`], as [`parse`], or if the second is neither, cannot be used, or is there for
/// another source than a directory.
pub fn parse_with_checksum(setting: &str, checksum: &str) -> Result<Box<dyn Source>, Error> {
    let Setting::Directory(directory) = read(setting)? else {
        return refused(
            "only the checksums of a directory can be set: leave it out for another source",
        );
    };
    Ok(match checksum.split_once(':') {
        None if checksum == "off" => Box::new(directory.without_checksums()),
        Some(("keep", "")) => return refused("the checksum setting \"keep:\" names no path"),
        Some(("keep", path)) => Box::new(directory.keep_checksums_in(path)?),
        _ => {
            return refused(format!(
                "the checksum setting {checksum:?} is not {CHECKSUM_ACCEPTED}"
            ));
        }
    })
}

enum Setting {
    Pattern,
    Directory(Directory),
}

fn read(setting: &str) -> Result<Setting, Error> {
    match setting.split_once(':') {
        None if setting == "pattern" => Ok(Setting::Pattern),
        Some(("directory", "")) => refused("the source \"directory:\" names no path"),
        Some(("directory", path)) => Ok(Setting::Directory(Directory::new(path)?)),
        #[cfg(feature = "s3")]
        Some(("s3", _)) => refused("a source in S3 is made by S3::from_environment"),
        #[cfg(not(feature = "s3"))]
        Some(("s3", _)) => refused(format!(
            "this build of stream-fn cannot read from S3, which takes its feature \"s3\": the source is \
             {ACCEPTED}"
        )),
        _ if setting.is_empty() => refused(format!("the source is empty, not {ACCEPTED}")),
        _ => refused(format!("the source {setting:?} is not {ACCEPTED}")),
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::new(ErrorKind::Setting, why))
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

    #[test]
    fn so_does_a_setting_of_checksums() {
        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name).display().to_string();
        for folder in ["files", "files/below", "sums", "files and more"] {
            std::fs::create_dir(path(folder)).unwrap();
        }
        std::fs::write(path("file"), "").unwrap();
        let source = format!("directory:{}", path("files"));
        for good in [
            "off".to_owned(),
            "keep:".to_owned() + &path("sums"),
            "keep:".to_owned() + &path("files and more"),
        ] {
            assert!(parse_with_checksum(&source, &good).is_ok(), "{good}");
        }
        for (setting, checksum, word) in [
            (source.as_str(), String::new(), "not \"off\""),
            (&source, "on".to_owned(), "not \"off\""),
            (&source, "off:".to_owned(), "not \"off\""),
            (&source, "keep".to_owned(), "\"keep:PATH\""),
            (&source, "keep:".to_owned(), "names no path"),
            (&source, "keep:".to_owned() + &path("missing"), "missing"),
            (&source, "keep:".to_owned() + &path("file"), "is not a directory"),
            (&source, "keep:".to_owned() + &path("files"), "nor around it"),
            (&source, "keep:".to_owned() + &path("files/below"), "nor around it"),
            (&source, "keep:".to_owned() + &path("files/../files/below/.."), "nor around it"),
            (&source, "keep:".to_owned() + &path(""), "nor around it"),
            ("pattern", "off".to_owned(), "only the checksums of a directory"),
            ("patern", "off".to_owned(), "\"patern\""),
        ] {
            let error = parse_with_checksum(setting, &checksum).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Setting);
            assert!(error.to_string().contains(word), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
