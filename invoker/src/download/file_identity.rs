//! An open file and a path go in; whether the one is what the other names comes out.

use std::fs::File;
use std::path::Path;

/// Whether `path` still means this open file, and no link to it.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => identity(open) == identity(named),
        _ => false,
    }
}

/// Whether `path` still means this open file, and no link to it. On Windows too an open file can be
/// renamed and removed, as the standard library opens it.
#[cfg(windows)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use same_file::Handle;
    let plain = std::fs::symlink_metadata(path).is_ok_and(|named| named.is_file());
    match (file.try_clone().and_then(Handle::from_file), Handle::from_path(path)) {
        (Ok(open), Ok(named)) => plain && open == named,
        _ => false,
    }
}

/// Elsewhere nobody tells: one writer by the care of its user.
#[cfg(not(any(unix, windows)))]
pub(super) fn is_at(_: &File, _: &Path) -> bool {
    true
}
