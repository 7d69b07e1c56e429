//! Part files and their journals, on a real file system.

use super::*;
use crate::download::journal::tests::header;

static WANTED: AtomicBool = AtomicBool::new(true);

fn sum(bytes: &[u8]) -> u64 {
    let mut sum = Sum::default();
    sum.update(bytes);
    sum.value()
}

/// A part file whose segments of `len` bytes at the offsets `there` are written and proven.
fn begun(target: &Path, bytes: &[u8], len: usize, there: &[usize]) -> PartFile {
    let mut part = PartFile::open(target).unwrap();
    part.begin(&header(bytes.len() as u64)).unwrap();
    for &start in there {
        write(&mut part, bytes, start..start + len);
    }
    part
}

fn write(part: &mut PartFile, bytes: &[u8], place: Range<usize>) {
    let range = place.start as u64..place.end as u64;
    let piece = &bytes[place];
    part.write_at(range.start, &Bytes::copy_from_slice(piece)).unwrap();
    part.wrote(&range, range.end, sum(piece)).unwrap();
    part.proven(range.start).unwrap();
}

fn left(target: &Path) -> Result<Option<Journal>, Error> {
    let mut part = PartFile::open(target).unwrap();
    let mut left = part.left(&header(0).question)?;
    if let Some(journal) = &mut left {
        part.go_on(journal, &WANTED)?;
    }
    Ok(left)
}

/// Which bytes a new download would find.
fn there(target: &Path) -> Vec<Range<u64>> {
    left(target)
        .unwrap()
        .map_or(Vec::new(), |journal| journal.runs.iter().map(|run| run.range).collect())
}

/// As a process has one that is started at the wrong moment.
#[test]
fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let part = begun(&target, b"0123456789", 5, &[0]);
    let copy = part.file.try_clone().unwrap();
    assert!(PartFile::open(&target).is_err(), "two writers");
    drop(part);
    assert_eq!(there(&target).first(), Some(&(0..5)));
    drop(copy);
}

#[test]
fn a_file_has_its_name_only_when_finished() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    std::fs::write(&target, "before").unwrap();
    let write = |bytes: &'static [u8]| {
        let mut part = PartFile::open(&target).unwrap();
        part.write_at(2, &Bytes::from_static(&bytes[2..])).unwrap();
        part.write_at(0, &Bytes::from_static(&bytes[..2])).unwrap();
        part
    };
    drop(write(b"after"));
    assert_eq!(std::fs::read(&target).unwrap(), b"before");
    let error = write(b"after").finish(&AtomicBool::new(false)).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Stopped);
    assert_eq!(std::fs::read(&target).unwrap(), b"before");
    write(b"after").finish(&WANTED).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"after");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part file is left");
}

#[test]
fn what_is_recorded_is_found_again_and_a_finished_file_leaves_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let bytes: Vec<u8> = (0..100).collect();
    drop(begun(&target, &bytes, 10, &[0, 50, 90]));
    assert_eq!(there(&target), [0..10, 50..60, 90..100]);

    let mut part = PartFile::open(&target).unwrap();
    let mut journal = part.left(&header(0).question).unwrap().unwrap();
    part.go_on(&mut journal, &WANTED).unwrap();
    write(&mut part, &bytes, 10..50);
    write(&mut part, &bytes, 60..90);
    part.finish(&WANTED).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn nothing_is_left_of_a_download_that_recorded_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    drop(begun(&target, &[0; 10], 10, &[]));
    begun(&target, &[0; 10], 10, &[0]).discard();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn only_bytes_with_their_recorded_sums_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let part = path_beside(&target);
    let bytes = [7; 100];
    let damage = |damage: &dyn Fn(&mut Vec<u8>)| {
        drop(begun(&target, &bytes, 10, &[0, 20, 40, 80]));
        let mut damaged = std::fs::read(&part).unwrap();
        damage(&mut damaged);
        std::fs::write(&part, damaged).unwrap();
        there(&target)
    };
    assert_eq!(damage(&|_| {}), [0..10, 20..30, 40..50, 80..90]);
    assert_eq!(damage(&|part| part[25] = 8), [0..10, 40..50, 80..90], "a changed byte");
    assert_eq!(damage(&|part| part.truncate(45)), [0..10, 20..30], "a file cut short");
    assert_eq!(damage(&|part| part.clear()), [], "an empty file");
    assert_eq!(damage(&|part| part.resize(1000, 7)).len(), 4, "a file too long");
    assert!(std::fs::metadata(&part).unwrap().len() <= 100);
    // What was not believed once stays so, although the bytes be there again.
    damage(&|part| part[25] = 8);
    let mut mended = std::fs::read(&part).unwrap();
    mended[25] = 7;
    std::fs::write(&part, mended).unwrap();
    assert_eq!(there(&target), [0..10, 40..50, 80..90]);
    std::fs::remove_file(&part).unwrap();
    assert!(left(&target).unwrap().is_none(), "no part file");
}

#[test]
fn a_torn_journal_goes_on_behind_its_last_whole_record() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let journal = journal_file::path_beside(&path_beside(&target));
    let bytes = [7; 100];
    drop(begun(&target, &bytes, 10, &[0, 20]));
    let whole = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &whole[..whole.len() - 5]).unwrap();
    let mut part = PartFile::open(&target).unwrap();
    let mut read = part.left(&header(0).question).unwrap().unwrap();
    part.go_on(&mut read, &WANTED).unwrap();
    write(&mut part, &bytes, 40..50);
    drop(part);
    assert_eq!(there(&target), [0..10, 40..50]);

    std::fs::write(&journal, &whole[..20]).unwrap();
    assert!(left(&target).unwrap().is_none(), "a torn header is no journal");
}

#[test]
fn what_is_somebody_elses_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let journal = journal_file::path_beside(&path_beside(&target));
    drop(begun(&target, &[7; 100], 10, &[0]));
    let mut question = header(0).question;
    question.note = "another".to_owned();
    let mut part = PartFile::open(&target).unwrap();
    let error = part.left(&question).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::CannotResume);
    drop(part);
    assert_eq!(there(&target), vec![0..10]);

    std::fs::write(&journal, "a shopping list").unwrap();
    assert_eq!(*left(&target).unwrap_err().kind(), ErrorKind::CannotResume);
    assert_eq!(std::fs::read(&journal).unwrap(), b"a shopping list");
}

#[test]
fn two_writers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let mut first = PartFile::open(&target).unwrap();
    let error = PartFile::open(&target).err().unwrap();
    assert_eq!(*error.kind(), ErrorKind::LocalFile);
    first.finish(&WANTED).unwrap();
}

#[test]
fn what_was_there_before_stays_until_there_is_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    std::fs::write(path_beside(&target), "my own").unwrap();
    drop(PartFile::open(&target).unwrap());
    assert_eq!(std::fs::read(path_beside(&target)).unwrap(), b"my own");
    PartFile::open(&target).unwrap().write_at(0, &Bytes::from_static(b"x")).unwrap();
    assert!(!path_beside(&target).exists(), "a stream leaves nothing to continue from");
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_a_part_file_or_journal_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (target, precious) = (folder.path().join("out"), folder.path().join("precious"));
    std::fs::write(&precious, "precious").unwrap();
    let part = path_beside(&target);
    std::os::unix::fs::symlink(&precious, &part).unwrap();
    assert_eq!(*PartFile::open(&target).err().unwrap().kind(), ErrorKind::LocalFile);
    std::fs::remove_file(&part).unwrap();
    std::os::unix::fs::symlink(&precious, journal_file::path_beside(&part)).unwrap();
    drop(begun(&target, &[7; 100], 10, &[0]));
    assert_eq!(there(&target), vec![0..10]);
    assert_eq!(std::fs::read(&precious).unwrap(), b"precious");
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(248); // with `.part` it fits, with `.part.journal` it does not
    for name in ["", "no/such/folder", "new/", &long] {
        let target = folder.path().join(name);
        assert_eq!(*PartFile::open(&target).err().unwrap().kind(), ErrorKind::LocalFile);
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_journal_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("real"), folder.path().join("link"));
    std::fs::write(&target, "before").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut part = begun(&link, &[1; 10], 10, &[0]);
    let journal = journal_file::path_beside(&path_beside(&target));
    assert_eq!(std::fs::metadata(journal).unwrap().permissions().mode() & 0o777, 0o600);
    part.finish(&WANTED).unwrap();
    assert!(link.is_symlink());
    assert_eq!(std::fs::read(&target).unwrap(), [1; 10]);
}
