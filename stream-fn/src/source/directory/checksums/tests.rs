//! Files that change, age and multiply come in; a sum is that of the bytes of its version, or there is
//! none.

use super::*;
use crate::source::{Directory, Source, pattern};
use crate::version::Version;
use std::fs::{self, File};
use std::time::UNIX_EPOCH;
use tempfile::TempDir;

/// Far from the time of any file here.
const AGES: Duration = Duration::from_secs(100_000);

/// The limit of these tests, in bytes: larger files are large.
const LARGE: u64 = 100_000;

/// Nothing here takes a second, but what goes on for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// By this clock every file has been changed long ago.
fn later() -> SystemTime {
    SystemTime::now() + AGES
}

/// By this one they are changed just now.
fn earlier() -> SystemTime {
    UNIX_EPOCH + AGES
}

fn folders() -> (TempDir, PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(outer.path()).unwrap().join("root");
    fs::create_dir(&root).unwrap();
    fs::create_dir(outer.path().join("sums")).unwrap();
    (outer, root)
}

fn directory(root: &Path, kept: Option<&Path>, now: fn() -> SystemTime) -> Directory {
    let checksums = Checksums::new(root.into(), kept.map(Path::to_owned), now);
    let checksums = Some(Arc::new(checksums.at_once_up_to(LARGE)));
    Directory { checksums, ..Directory::new(root).unwrap() }
}

/// Writes bytes that differ with the seed; says their sum.
fn write(path: &Path, length: u64, seed: u64) -> u64 {
    let mut bytes = vec![0; length as usize];
    pattern::fill(seed << 32, &mut bytes);
    fs::write(path, &bytes).unwrap();
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes)
}

/// The version and the sum that an answer would have which begins at this offset.
async fn asked(source: &Directory, name: &str, start: u64) -> (Version, Option<u64>) {
    let mut object = source.open(name).await.unwrap();
    let range = start..object.metadata().size;
    let sum = object.checksum(&range).await;
    (object.metadata().version.clone(), sum)
}

async fn caught_up(source: &Directory) {
    source.checksums.as_ref().unwrap().caught_up().await;
}

#[tokio::test]
async fn a_small_file_has_its_sum_at_once() {
    let (_outer, root) = folders();
    let source = directory(&root, None, later);
    for length in [0, 1, 65_536, LARGE] {
        let sum = write(&root.join("a"), length, length);
        // Not for a later range: every process would have to read all of it.
        assert_eq!(asked(&source, "a", length.min(1)).await.1, (length == 0).then_some(sum));
        assert_eq!(asked(&source, "a", 0).await.1, Some(sum));
        assert_eq!(asked(&source, "a", length).await.1, Some(sum), "known from then on");
    }
}

#[tokio::test]
async fn a_large_file_has_its_sum_later() {
    let (_outer, root) = folders();
    let source = directory(&root, None, later);
    let sum = write(&root.join("a"), LARGE + 1, 1);
    assert_eq!(asked(&source, "a", 1).await.1, None);
    caught_up(&source).await;
    assert_eq!(asked(&source, "a", 1).await.1, None, "a range from the middle starts nothing");
    assert_eq!(asked(&source, "a", 0).await.1, None);
    caught_up(&source).await;
    assert_eq!(asked(&source, "a", 0).await.1, Some(sum));
    assert_eq!(asked(&source, "a", 77).await.1, Some(sum));
    // Another version is another object.
    let sum = write(&root.join("a"), LARGE + 2, 2);
    assert_eq!(asked(&source, "a", 0).await.1, None);
    caught_up(&source).await;
    assert_eq!(asked(&source, "a", 1).await.1, Some(sum));
}

#[tokio::test]
async fn one_large_file_at_a_time() {
    let (_outer, root) = folders();
    let source = directory(&root, None, later);
    for name in ["a", "b"] {
        write(&root.join(name), 20 * LARGE, 1);
        assert_eq!(asked(&source, name, 0).await.1, None);
    }
    caught_up(&source).await;
    let known = [asked(&source, "a", 1).await.1, asked(&source, "b", 1).await.1];
    assert!(known[0].is_some(), "what was begun is not given up for another");
    if known[1].is_none() {
        asked(&source, "b", 0).await;
        caught_up(&source).await;
    }
    assert_eq!(
        asked(&source, "b", 1).await.1,
        known[0],
        "its turn comes when it is asked for again"
    );
}

#[tokio::test]
async fn a_change_leaves_no_sum_of_other_bytes() {
    let (_outer, root) = folders();
    let path = root.join("a");
    for length in [LARGE, LARGE + 1] {
        let source = directory(&root, None, later);
        write(&path, length, 1);
        let mut opened = source.open("a").await.unwrap();
        // Of the same length; does not rely on the resolution of the file system's clock.
        let sum = write(&path, length, 2);
        File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
        assert_eq!(opened.checksum(&(0..length)).await, None, "of a version that is gone");
        caught_up(&source).await;
        let (version, _) = asked(&source, "a", 0).await;
        assert_ne!(version, opened.metadata().version);
        caught_up(&source).await;
        assert_eq!(asked(&source, "a", 1).await, (version, Some(sum)));
    }
}

/// Two contents, one size and one time: what happens within one tick of a clock.
#[tokio::test]
async fn the_sum_of_a_file_just_changed_is_not_remembered() {
    let (outer, root) = folders();
    let path = root.join("a");
    let kept = outer.path().join("sums");
    let source = directory(&root, Some(&kept), earlier);
    let mut sums = Vec::new();
    for seed in [1, 2] {
        sums.push(write(&path, LARGE, seed));
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(earlier()).unwrap();
        assert_eq!(asked(&source, "a", 0).await.1, Some(sums[seed as usize - 1]));
        assert_eq!(asked(&source, "a", 1).await.1, None);
    }
    assert_ne!(sums[0], sums[1]);
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 0);
}

#[test]
fn a_time_settles() {
    fn now() -> SystemTime {
        UNIX_EPOCH + AGES
    }
    let known = Known { root: Path::new("/").into(), now, sums: Mutex::default(), kept: None };
    let nanos = Duration::from_nanos;
    let second = Duration::from_secs(1);
    for (modified, wait) in [
        (Some(now() - 10 * second), Duration::ZERO),
        (Some(now() - SETTLED - nanos(1)), Duration::ZERO),
        (Some(now() - nanos(1)), SETTLED - nanos(1)),
        // Whole seconds.
        (Some(now() - second), SETTLED_COARSE - second),
        (Some(now()), SETTLED_COARSE),
        // The future.
        (Some(now() + second + nanos(1)), SETTLED + second + nanos(1)),
        (None, Duration::MAX),
    ] {
        assert_eq!(known.unsettled_for(State { size: 1, modified }), wait, "{modified:?}");
    }
}

#[tokio::test]
async fn a_file_of_the_future_keeps_nobody_out() {
    let (_outer, root) = folders();
    let source = directory(&root, None, earlier);
    write(&root.join("future"), LARGE + 1, 1);
    let sum = write(&root.join("a"), LARGE + 1, 2);
    let file = File::options().write(true).open(root.join("a")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    assert_eq!(asked(&source, "future", 0).await.1, None);
    assert_eq!(asked(&source, "a", 0).await.1, None);
    caught_up(&source).await;
    assert_eq!(asked(&source, "a", 1).await.1, Some(sum));
    assert_eq!(asked(&source, "future", 1).await.1, None);
}

#[tokio::test]
async fn what_is_kept_is_there_for_the_next_process() {
    let (outer, root) = folders();
    let kept = outer.path().join("sums");
    fs::create_dir(root.join("dir")).unwrap();
    let first = directory(&root, Some(&kept), later);
    let mut sums = Vec::new();
    for (name, length) in [("a", 10), ("dir/b c", LARGE + 1)] {
        sums.push((name, write(&root.join(name), length, length)));
        asked(&first, name, 0).await;
        caught_up(&first).await;
    }
    drop(first);
    let next = directory(&root, Some(&kept), later);
    for (name, sum) in &sums {
        let object = next.open(name).await.unwrap();
        assert_eq!(object.metadata().crc64nvme, Some(*sum), "{name}");
        let version = object.metadata().version.to_string();
        let record = kept.join(format!("{name}.{}.crc64nvme", version.trim_matches('"')));
        assert!(record.is_file(), "{}", record.display());
        // What was read once is remembered.
        fs::remove_file(record).unwrap();
        assert_eq!(asked(&next, name, 5).await.1, Some(*sum), "{name}");
    }
    let last = directory(&root, Some(&kept), later);
    assert_eq!(asked(&last, "a", 5).await.1, None);
}

/// Neither is a file of such a name taken for a sum, nor is it hidden.
#[tokio::test]
async fn files_that_are_named_like_sums_are_objects() {
    let (_outer, root) = folders();
    let source = directory(&root, None, later);
    let sum = write(&root.join("a"), 10, 1);
    let (version, _) = asked(&source, "a", 0).await;
    let names =
        [format!("a.{}.crc64nvme", version.as_etag().trim_matches('"')), "a.crc64nvme".into()];
    for name in names {
        fs::write(root.join(&name), "AAAAAAAAAAA=\n").unwrap();
        let object = source.open(&name).await.unwrap();
        assert_eq!(object.metadata().size, 13, "{name}");
    }
    let source = directory(&root, None, later);
    assert_eq!(asked(&source, "a", 0).await.1, Some(sum));
}

#[tokio::test]
async fn without_checksums_there_are_none() {
    let (_outer, root) = folders();
    write(&root.join("a"), 10, 1);
    let source = Directory::new(&root).unwrap().without_checksums();
    assert_eq!(asked(&source, "a", 0).await.1, None);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_no_answer() {
    let (outer, root) = folders();
    let kept = outer.path().join("sums");
    let source = directory(&root, Some(&kept), later);
    let sum = write(&root.join("a"), 10, 1);
    fs::remove_dir(&kept).unwrap();
    fs::write(&kept, "no folder any more").unwrap();
    assert_eq!(asked(&source, "a", 0).await.1, Some(sum));
    assert_eq!(asked(&source, "a", 1).await.1, Some(sum));
}

#[test]
fn there_is_an_end_to_what_is_remembered() {
    let known =
        Known { root: Path::new("/").into(), now: later, sums: Mutex::default(), kept: None };
    let state = State { size: 1, modified: Some(UNIX_EPOCH) };
    for n in 0..KNOWN_MAX as u64 + 10 {
        let path = PathBuf::from(n.to_string());
        known.remember(&path, state, n);
        assert_eq!(known.remembered(&path, state), Some(n));
    }
    assert_eq!(unpoisoned(&known.sums).len(), KNOWN_MAX);
}

/// Nobody waits for it any more: it ends within the read that it is at.
#[tokio::test]
async fn a_computation_ends_with_its_owner() {
    let (_outer, root) = folders();
    let source = directory(&root, None, later);
    // Holes: nothing is written, and reading all of it would take minutes.
    File::create(root.join("a")).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(asked(&source, "a", 0).await.1, None);
    let known = Arc::clone(&source.checksums.as_ref().unwrap().known);
    drop(source);
    // The computation has a share in what is known until its end.
    let ended = async {
        while Arc::strong_count(&known) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("it reads on");
}
