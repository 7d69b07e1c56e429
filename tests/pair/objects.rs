//! Files of a folder, served by the ready function, come in; the same bytes come out of segments, of one
//! version, in order and in a file, and nothing that is not below the folder does.

use crate::support::{Pair, in_time, read};
use invoker::{Error, ErrorKind, Integrity, Invocation, Wanted};
use local_lambda::{Function, Limits, Pace};
use serde_json::json;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// Bytes of which no two segments are the same.
fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream_fn::source::pattern::fill(seed << 32, &mut bytes);
    bytes
}

async fn folder() -> (TempDir, Pair) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("files")).unwrap();
    let pair = Pair::of_source(format!("directory:{}/files", folder.path().display())).await;
    (folder, pair)
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_join_to_the_source() {
    const SEGMENT: usize = 1_000;
    let (folder, pair) = folder().await;
    fs::create_dir(folder.path().join("files/ein Ordner")).unwrap();
    let target = folder.path().join("out");
    for (name, len, segment_size, segments) in [
        ("empty", 0, SEGMENT, 1),
        ("one byte", 1, SEGMENT, 1),
        ("one less", SEGMENT - 1, SEGMENT, 1),
        ("exactly one", SEGMENT, SEGMENT, 1),
        ("one more", SEGMENT + 1, SEGMENT, 2),
        ("exactly three", 3 * SEGMENT, SEGMENT, 3),
        ("ein Ordner/ä ö 🦀 %20?#&+;'\".bin", 12_345, SEGMENT, 13),
        ("ein Ordner/7", 7, 1, 7),
        ("frames", 1 << 20, 100_001, 11),
        ("one stream", 1 << 20, usize::MAX, 1),
    ] {
        let source = bytes(len, 1);
        fs::write(folder.path().join("files").join(name), &source).unwrap();
        let download = || pair.object(name).segment_size(segment_size as u64).in_flight(8);

        let report = in_time(download().to_file(&target)).await.unwrap();
        assert!(fs::read(&target).unwrap() == source, "{name} in a file");
        assert_eq!(report.snapshot.segments, segments, "{name}");
        assert_eq!(report.snapshot.bytes, len as u64, "{name}");
        assert_eq!(report.description.size, Some(len as u64), "{name}");

        let (ordered, ended) = in_time(read(download())).await;
        ended.unwrap();
        assert!(ordered == source, "{name} in order");

        // As little memory as can be: three bytes are the longest segment then.
        if len < 20 {
            let (ordered, ended) = in_time(read(download().memory_limit(3))).await;
            ended.unwrap();
            assert!(ordered == source, "{name} in order, a few bytes at a time");
        }
    }
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "a part file is left: {left:?}");
}

/// The function sums the object, the invoker its segments, and neither knows how the other does it.
#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_is_checked_against_the_functions_sum() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("files")).unwrap();
    fs::write(folder.path().join("files/333333"), bytes(333_333, 1)).unwrap();
    let directory = format!("directory:{}/files", folder.path().display());
    let target = folder.path().join("out");
    for (source, checksum, verified) in [
        ("pattern", None, true),
        (directory.as_str(), None, true),
        (&directory, Some("off"), false),
    ] {
        let mut function = Function::new("f", crate::support::ready_function());
        function = function.env("STREAM_FN_SOURCE", source);
        if let Some(checksum) = checksum {
            function = function.env("STREAM_FN_CHECKSUM", checksum);
        }
        let pair = Pair::of(function, Limits::aws().with_pace(None)).await;
        for segment_size in [70_001, u64::MAX] {
            let download = || pair.object("333333").segment_size(segment_size).in_flight(4);
            let in_file = in_time(download().to_file(&target)).await.unwrap();
            let mut ordered = in_time(download().in_order()).await.unwrap();
            while let Some(bytes) = in_time(ordered.next_bytes()).await {
                bytes.unwrap();
            }
            for report in [&in_file, ordered.report().unwrap()] {
                let is = matches!(report.integrity, Integrity::Verified { .. });
                assert_eq!(is, verified, "{source} {checksum:?} by {segment_size}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_cut_from_the_source() {
    let (folder, pair) = folder().await;
    let source = bytes(10_000, 2);
    fs::write(folder.path().join("files/source"), &source).unwrap();
    for (wanted, range) in [
        (Wanted::All, 0..10_000),
        (Wanted::From(9_999), 9_999..10_000),
        (Wanted::Range(17..6_017), 17..6_017),
        (Wanted::Range(9_000..99_000), 9_000..10_000),
        (Wanted::Last(2_500), 7_500..10_000),
        (Wanted::Last(99_000), 0..10_000),
    ] {
        for segment_size in [999, 1_000, 20_000] {
            let download =
                || pair.object("source").segment_size(segment_size).wanted(wanted.clone());
            let (ordered, ended) = in_time(read(download())).await;
            ended.unwrap();
            assert!(ordered == source[range.clone()], "{wanted:?} by {segment_size}");
            let target = folder.path().join("out");
            in_time(download().to_file(&target)).await.unwrap();
            assert!(fs::read(&target).unwrap() == source[range.clone()], "{wanted:?}");
        }
    }
    for wanted in [Wanted::From(10_000), Wanted::Range(10_000..10_001)] {
        let (_, ended) = in_time(read(pair.object("source").wanted(wanted))).await;
        assert_eq!(*ended.unwrap_err().kind(), ErrorKind::Answer { status: 416 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_leads_out_of_the_folder() {
    const SECRET: &[u8] = b"nobody's business";
    let (folder, pair) = folder().await;
    fs::write(folder.path().join("secret"), SECRET).unwrap();
    fs::create_dir(folder.path().join("files/sub")).unwrap();
    fs::write(folder.path().join("files/sub/file"), "fine").unwrap();
    let absolute = folder.path().join("secret").display().to_string();
    let mut names: Vec<String> = [
        "../secret",
        "sub/../../secret",
        "./../secret",
        "sub/../sub/file",
        "./sub/file",
        "sub//file",
        "sub/file/",
        "sub",
        "",
        "%2e%2e/secret",
        "..%2fsecret",
        "..\\secret",
        "\0",
        "sub/file\0",
        "files/../../secret",
        "....//secret",
        "secret",
    ]
    .map(str::to_owned)
    .into();
    names.extend([absolute.clone(), format!("/{absolute}"), format!("sub/{absolute}")]);
    names.push("x".repeat(5_000));
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("../secret", folder.path().join("files/link")).unwrap();
        symlink("..", folder.path().join("files/up")).unwrap();
        symlink("ring", folder.path().join("files/ring")).unwrap();
        names.extend(["link", "up/secret", "up/files/sub", "ring"].map(str::to_owned));
    }
    let target = folder.path().join("out");
    for name in &names {
        let error = in_time(pair.object(name).to_file(&target)).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Answer { status: 404 }, "{name:?}: {error}");
        assert!(!error.to_string().contains(&absolute), "{name:?}: a path in {error}");
    }
    // The same with paths as a stranger would write them into the event.
    for path in [
        "/../secret",
        "/..%2Fsecret",
        "/%2e%2e/secret",
        "/%2E%2E%2Fsecret",
        "/sub/%2e%2e/%2e%2e/secret",
        "/%252e%252e/secret",
        "/%00",
        "/sub%2Ffile%00",
        "//secret",
        "/%FF",
        "secret",
        "",
    ] {
        let payload = json!({
            "version": "2.0", "rawPath": path, "headers": {},
            "requestContext": {"stage": "$default", "http": {"method": "GET", "path": path}},
        });
        let invocation = Invocation::new("f").payload(payload.to_string());
        let (got, ended) = in_time(read(pair.invoker.download(invocation))).await;
        assert!(got.is_empty(), "{path}");
        let error = ended.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Answer { status: 404 }, "{path}: {error}");
    }
    assert!(!target.exists() && !folder.path().join("out.part").exists());
    let (fine, ended) = in_time(read(pair.object("sub/file"))).await;
    ended.unwrap();
    assert_eq!(fine, b"fine");
}

/// Something that happens to a file: what it is called, and how it is done.
type Change = (&'static str, fn(&Path));

/// What may happen to a file while it is downloaded.
const CHANGES: [Change; 5] = [
    ("overwritten", |file| write_newer(file, &bytes(OBJECT, 4))),
    ("grown", |file| write_newer(file, &[bytes(OBJECT, 3), vec![0]].concat())),
    ("cut", |file| write_newer(file, &bytes(OBJECT / 2, 3))),
    ("replaced", |file| {
        let other = file.with_file_name("other");
        write_newer(&other, &bytes(OBJECT, 4));
        fs::rename(other, file).unwrap();
    }),
    ("removed", |file| fs::remove_file(file).unwrap()),
];

const OBJECT: usize = 1 << 20;

/// Writes a file and gives it a time that no tick of a clock hides.
fn write_newer(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    let newer = SystemTime::now() + Duration::from_secs(2);
    File::options().write(true).open(path).unwrap().set_modified(newer).unwrap();
}

fn is_change(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Changed => true,
        ErrorKind::Function { error_type, .. } => error_type == "Function.ObjectChanged",
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_order_a_change_in_mid_download_is_an_error() {
    const SEGMENT: usize = 16 * 1024;
    for (how, change) in CHANGES {
        let (folder, pair) = folder().await;
        let file = folder.path().join("files/object");
        let before = bytes(OBJECT, 3);
        fs::write(&file, &before).unwrap();
        // Room for one segment: the second is asked for only when the first is taken.
        let download = pair.object("object").segment_size(SEGMENT as u64).memory_limit(SEGMENT);
        let mut ordered = in_time(download.in_order()).await.unwrap();
        let mut got = in_time(ordered.next_bytes()).await.unwrap().unwrap().to_vec();
        change(&file);
        let error = loop {
            match in_time(ordered.next_bytes()).await {
                Some(Ok(more)) => got.extend_from_slice(&more),
                Some(Err(error)) => break error,
                None => panic!("{how}: {} bytes and a clean end", got.len()),
            }
        };
        assert!(is_change(&error), "{how}: {error}");
        assert!(before.starts_with(&got), "{how}: bytes of another version");
        assert!(ordered.report().is_none() && in_time(ordered.next_bytes()).await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_file_a_change_in_mid_download_is_an_error() {
    for (how, change) in CHANGES {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        let file = folder.path().join("files/object");
        let before = bytes(OBJECT, 3);
        fs::write(&file, &before).unwrap();
        // Slow enough to be met in the middle.
        let pace = Pace {
            burst_bytes: 16 * 1024,
            refill_bytes: 16 * 1024,
            refill_every: Duration::from_millis(10),
        };
        let function = Function::new("f", crate::support::ready_function())
            .env("STREAM_FN_SOURCE", format!("directory:{}/files", folder.path().display()));
        let pair = Pair::of(function, Limits::aws().with_pace(Some(pace))).await;
        let target = folder.path().join("out");
        let download = pair.object("object").segment_size(128 * 1024).in_flight(2);
        let progress = download.progress();
        let download = tokio::spawn(download.to_file(target.clone()));
        in_time(async {
            while progress.snapshot().bytes == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        change(&file);
        match in_time(download).await.unwrap() {
            Err(error) => {
                assert!(is_change(&error), "{how}: {error}");
                assert!(!target.exists(), "{how}");
                // What came of the version before may be kept, and the error says so.
                let kept = folder.path().join("out.part").exists();
                assert_eq!(kept, error.unfinished().is_some(), "{how}");
            }
            // The machine was so busy that the change came too late.
            Ok(_) => assert!(fs::read(&target).unwrap() == before, "{how}: bytes of two versions"),
        }
    }
}

/// Here the function itself has to notice: there is no second question that it could refuse.
#[tokio::test(flavor = "multi_thread")]
async fn one_stream_of_a_file_that_changes_is_an_error() {
    /// More than the sockets on the way can hold for a reader who does not read.
    const LONG: u64 = 64 << 20;
    for (how, len) in [("overwritten", LONG), ("grown", LONG + 1), ("cut", LONG / 2)] {
        let (folder, pair) = folder().await;
        let file = folder.path().join("files/object");
        File::create(&file).unwrap().set_len(LONG).unwrap();
        let download = pair.object("object").segments(false).memory_limit(1);
        let mut ordered = in_time(download.in_order()).await.unwrap();
        let mut got = in_time(ordered.next_bytes()).await.unwrap().unwrap().len() as u64;
        let changed = File::options().write(true).open(&file).unwrap();
        changed.set_len(len).unwrap();
        changed.set_modified(SystemTime::now() + Duration::from_secs(2)).unwrap();
        let error = loop {
            match in_time(ordered.next_bytes()).await {
                Some(Ok(more)) => got += more.len() as u64,
                Some(Err(error)) => break error,
                None => panic!("{how}: {got} bytes and a clean end"),
            }
        };
        assert!(is_change(&error), "{how}: {error}");
        assert!(ordered.report().is_none(), "{how}");
    }
}
