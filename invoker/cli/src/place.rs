//! Where the result should go, as it was typed, and the object's name go in; the path of a file, or `-`
//! for stdout, comes out.

use std::path::{Path, PathBuf, is_separator};

use crate::device_name;
use crate::report::Failure;

/// The place that is meant. Calls nothing, and makes no folder.
pub(crate) fn of(output: Option<&Path>, object: Option<&str>) -> Result<PathBuf, Failure> {
    let Some(output) = output else {
        let Some(object) = object else {
            let message = "say where the result goes: -o FILE, or -o - for stdout";
            return Err(Failure::Usage(message.into()));
        };
        return own_name(object);
    };
    // Stdout, whatever there is of that name.
    if output == Path::new("-") {
        return Ok(output.to_owned());
    }
    if !output.is_dir() {
        if output.to_string_lossy().ends_with(is_separator) {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            let what = format!("cannot write into the folder {}", output.display());
            return Err(Failure::file(what, missing));
        }
        return Ok(output.to_owned());
    }
    let Some(object) = object else {
        let folder = output.display();
        let message = format!("{folder} is a folder, and a payload has no name: -o FILE names one");
        return Err(Failure::Usage(message));
    };
    Ok(output.join(own_name(object)?))
}

/// The last part of the object's name, which must be a plain file name: the name of an object may
/// come from anywhere, and must not choose a folder, nor stdout, nor a device.
fn own_name(object: &str) -> Result<PathBuf, Failure> {
    let name = object.rsplit('/').next().unwrap_or_default();
    let plain = Path::new(name).file_name().is_some_and(|file| file == name);
    // What is a separator, a drive or a stream on some systems is none of a name on any.
    let odd = |c: char| c.is_control() || c == '\\' || c == ':' && cfg!(windows);
    let device = cfg!(windows) && device_name::is_kept(name);
    if !plain || name == "-" || device || name.contains(odd) {
        let message =
            format!("{object:?} is not a name for a file: say where it goes with -o FILE");
        return Err(Failure::Usage(message));
    }
    Ok(PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_the_objects_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let of = |output: &Path, object| of(Some(output), object).unwrap();
        assert_eq!(of(path, Some("a/b.txt")), path.join("b.txt"));
        assert_eq!(of(&path.join(""), Some("b.txt")), path.join("b.txt"));
        assert_eq!(of(&path.join("x"), Some("b.txt")), path.join("x"));
        assert_eq!(of(Path::new("-"), Some("b.txt")), Path::new("-"));
    }

    #[test]
    fn no_name_leads_out_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["..", "a/..", "a/", "", "/", ".", "-", "a/-", "a\\b", "x\0", "x\n", "\u{1b}[2J"]
        {
            for output in [None, Some(folder.path())] {
                assert!(of(output, Some(name)).is_err(), "{name:?}");
            }
        }
        assert!(of(None, None).is_err() && of(Some(folder.path()), None).is_err());
        assert!(of(Some(&folder.path().join("none/")), Some("x")).is_err());
        assert_eq!(of(None, Some("/etc/passwd")).unwrap(), Path::new("passwd"));
    }
}
