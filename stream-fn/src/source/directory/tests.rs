//! Folders made for the moment come in; no name may lead out of them, no change may go unseen.

use super::*;
use bytes::Bytes;
use futures_util::StreamExt;
use proptest::prelude::*;
use std::io::Write;
use std::path::Component;
use tempfile::TempDir;

/// Nothing here may be found by any name.
const SECRET: &[u8] = b"outside";

/// `outer/secret`, and `outer/root` with some files.
fn folders() -> (TempDir, Directory) {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    fs::create_dir_all(root.join("dir")).unwrap();
    fs::write(outer.path().join("secret"), SECRET).unwrap();
    fs::write(root.join("a.csv"), b"a,b\n").unwrap();
    fs::write(root.join("dir/b c.bin"), b"inside").unwrap();
    fs::write(root.join("%2e%2e"), b"literal").unwrap();
    let directory = Directory::new(&root).unwrap();
    (outer, directory)
}

async fn read(source: &Directory, name: &str) -> Result<Vec<u8>, OpenError> {
    let object = source.open(name).await?;
    let range = 0..object.metadata().size;
    let frames: Vec<_> = object.read(range).collect().await;
    Ok(frames.into_iter().flat_map(|frame| frame.unwrap()).collect())
}

#[tokio::test]
async fn files_are_objects() {
    let (_outer, source) = folders();
    assert_eq!(read(&source, "a.csv").await.unwrap(), b"a,b\n");
    assert_eq!(read(&source, "dir/b c.bin").await.unwrap(), b"inside");
    // Decoded once before it came here: a file may be called so.
    assert_eq!(read(&source, "%2e%2e").await.unwrap(), b"literal");
    let object = source.open("a.csv").await.unwrap();
    assert_eq!(object.metadata().content_type, "text/csv; charset=utf-8");
    assert!(object.metadata().last_modified.is_some());
}

#[tokio::test]
async fn no_name_leads_out() {
    let (outer, source) = folders();
    let absolute = outer.path().join("secret").display().to_string();
    for name in [
        "",
        ".",
        "..",
        "/",
        "../secret",
        "dir/../a.csv",
        "dir/../../secret",
        "./a.csv",
        "dir/./b c.bin",
        "dir//b c.bin",
        "/a.csv",
        "a.csv/",
        "dir",
        "dir/",
        "a.csv/x",
        "missing",
        "a.csv\0",
        "\0",
        "..\0/secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "..\\secret",
        absolute.as_str(),
        absolute.trim_start_matches('/'),
        &"x".repeat(5_000),
        &"x/".repeat(5_000),
    ] {
        match read(&source, name).await {
            Err(OpenError::NotFound(message)) => assert_eq!(message, NO_SUCH),
            other => panic!("{name:?} gave {other:?}"),
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_inside_and_nowhere_else() {
    use std::os::unix::fs::symlink;
    let (outer, source) = folders();
    let root = outer.path().join("root");
    symlink("a.csv", root.join("inside")).unwrap();
    symlink(root.join("dir"), root.join("inside-dir")).unwrap();
    symlink("../secret", root.join("out")).unwrap();
    symlink(outer.path(), root.join("out-dir")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink("ring", root.join("ring")).unwrap();
    fs::create_dir(outer.path().join("root-twin")).unwrap();
    fs::write(outer.path().join("root-twin/x"), SECRET).unwrap();
    symlink("../root-twin/x", root.join("twin")).unwrap();
    assert_eq!(read(&source, "inside").await.unwrap(), b"a,b\n");
    assert_eq!(read(&source, "inside-dir/b c.bin").await.unwrap(), b"inside");
    for name in ["out", "out-dir/secret", "dangling", "ring", "twin", "out-dir/root/a.csv/"] {
        let got = read(&source, name).await;
        assert!(matches!(got, Err(OpenError::NotFound(_))), "{name} gave {got:?}");
    }
    // Out and in again is inside: what counts is where the file is.
    assert_eq!(read(&source, "out-dir/root/a.csv").await.unwrap(), b"a,b\n");
}

#[cfg(unix)]
#[tokio::test]
async fn special_files_are_no_objects() {
    let (outer, source) = folders();
    let socket = outer.path().join("root/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let made = std::process::Command::new("mkfifo").arg(outer.path().join("root/pipe")).status();
    assert!(made.unwrap().success());
    // Opening the pipe would wait for ever.
    for name in ["socket", "pipe"] {
        assert!(matches!(read(&source, name).await, Err(OpenError::NotFound(_))), "{name}");
    }
}

#[tokio::test]
async fn ranges_are_exact_and_in_frames() {
    let (outer, source) = folders();
    let bytes: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(outer.path().join("root/big"), &bytes).unwrap();
    for range in [0..0, 0..1, 199_999..200_000, 0..200_000, 65_535..131_073] {
        let object = source.open("big").await.unwrap();
        let frames: Vec<_> = object.read(range.start as u64..range.end as u64).collect().await;
        let frames: Vec<Bytes> = frames.into_iter().map(Result::unwrap).collect();
        assert!(frames.iter().all(|frame| frame.len() <= crate::source::READ_BYTES));
        assert_eq!(frames.concat(), bytes[range]);
    }
}

#[tokio::test]
async fn a_change_while_reading_is_an_error() {
    type Change = fn(&Path);
    let shorten: Change =
        |path| File::options().write(true).open(path).unwrap().set_len(1).unwrap();
    let lengthen: Change =
        |path| File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
    let rewrite: Change = |path| {
        let length = fs::metadata(path).unwrap().len() as usize;
        let mut file = File::options().write(true).open(path).unwrap();
        file.write_all(&vec![9; length]).unwrap();
        // Does not rely on the resolution of the file system's clock.
        file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
    };
    for change in [shorten, lengthen, rewrite] {
        let (outer, source) = folders();
        let path = outer.path().join("root/big");
        fs::write(&path, vec![1; 400_000]).unwrap();
        let object = source.open("big").await.unwrap();
        let version = object.metadata().version.clone();
        let mut body = object.read(0..400_000);
        assert!(body.next().await.unwrap().is_ok());
        change(&path);
        let rest: Vec<_> = body.collect().await;
        let error = rest.into_iter().find_map(Result::err).expect("the change must be told");
        assert_eq!(Failure::from(error).error_type(), "Function.ObjectChanged");
        assert_ne!(source.open("big").await.unwrap().metadata().version, version);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_replaced_by_rename_is_read_as_it_was() {
    let (outer, source) = folders();
    let path = outer.path().join("root/big");
    fs::write(&path, vec![1; 400_000]).unwrap();
    let mut body = source.open("big").await.unwrap().read(0..400_000);
    assert!(body.next().await.unwrap().is_ok());
    fs::write(outer.path().join("new"), vec![2; 400_000]).unwrap();
    fs::rename(outer.path().join("new"), &path).unwrap();
    while let Some(frame) = body.next().await {
        assert!(frame.unwrap().iter().all(|byte| *byte == 1));
    }
}

#[test]
fn a_root_must_be_a_directory() {
    let (outer, _source) = folders();
    for path in ["missing", "secret"] {
        let error = Directory::new(outer.path().join(path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setting);
    }
}

proptest! {
    /// Whatever is asked for, its path is the root and plain segments, or there is none.
    #[test]
    fn a_path_only_goes_down(name in "[./\\\\a%2eE:~\\x00 ]{0,12}|(\\.\\./|a/|/|\\./|\\PC/){0,6}\\PC{0,4}") {
        let root = Path::new("/root");
        if let Some(path) = below(root, &name) {
            let mut down = path.strip_prefix(root).unwrap().components().peekable();
            prop_assert!(down.peek().is_some());
            prop_assert!(down.all(|component| matches!(component, Component::Normal(_))));
        }
    }
}
