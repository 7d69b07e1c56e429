//! Downloads that end early and go on: what is left, what is asked again, and what is refused.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use invoker::{Checksum, Download, Error, ErrorKind, Integrity, Report, Unfinished, Wanted};
use support::{Answer, Asked, Service, Step, chunk, complete, pattern, range_answer};
use tokio::sync::Notify;

const ETAG: &str = "\"v1\"";
const SIZE: usize = 1_000_000;
const SEGMENT: u64 = 100_000;

/// How long a test waits for what must happen. Never reached unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

fn download(service: &Service) -> Download {
    service.invoker().object("files", "the object").segment_size(SEGMENT).in_flight(4).retries(0)
}

/// The object, but the segments from `number` on are cut in their middle.
fn cut_from(number: usize) -> impl Fn(&Asked) -> Answer + Send + Sync + 'static {
    let bytes = pattern(SIZE);
    move |asked| {
        let mut answer = range_answer(&bytes, ETAG, asked);
        if asked.number >= number {
            answer.steps.truncate(2);
            answer.steps.push(Step::Cut);
        }
        answer
    }
}

async fn whole() -> Service {
    let bytes = pattern(SIZE);
    Service::start(move |asked| range_answer(&bytes, ETAG, asked)).await
}

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join("out.part")
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("out.part.journal")
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A download that was cut after `segments` segments.
    async fn begun(segments: usize) -> Self {
        let folder = Self::new();
        let service = Service::start(cut_from(segments)).await;
        let error = download(&service).to_file(folder.out()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Truncated);
        assert_eq!(error.unfinished(), Some(folder.out().canonicalized().as_path()));
        assert_eq!(folder.names(), ["out.part", "out.part.journal"]);
        folder
    }
}

trait Canonicalized {
    fn canonicalized(&self) -> PathBuf;
}

impl Canonicalized for PathBuf {
    /// The folder's links resolved; the file need not be there.
    fn canonicalized(&self) -> PathBuf {
        self.parent().unwrap().canonicalize().unwrap().join(self.file_name().unwrap())
    }
}

/// Finishes a download that `folder` has begun, and looks at what that took.
async fn finish(folder: &Folder) -> (Report, Vec<Asked>) {
    let service = whole().await;
    let report = download(&service).to_file(folder.out()).await.unwrap();
    assert!(std::fs::read(folder.out()).unwrap() == pattern(SIZE));
    assert_eq!(folder.names(), ["out"]);
    let snapshot = &report.snapshot;
    assert_eq!(snapshot.bytes + snapshot.resumed_bytes, SIZE as u64);
    (report, service.asked())
}

#[tokio::test]
async fn a_cut_download_goes_on_without_asking_for_what_is_there() {
    let folder = Folder::begun(5).await;
    let (report, asked) = finish(&folder).await;
    assert!(report.snapshot.resumed_bytes >= 5 * SEGMENT, "{report:?}");
    for asked in asked {
        assert_eq!(asked.custom["if-match"], ETAG, "the version is pinned from the first call on");
        assert!(asked.target.contains("Qualifier=7"), "and so is the function's");
    }
    let Integrity::NotVerified { .. } = report.integrity else { panic!("there is no checksum") };
}

#[tokio::test]
async fn a_download_may_be_cut_again_and_again() {
    let folder = Folder::new();
    let mut received = 0;
    for _ in 0..3 {
        let service = Service::start(cut_from(1)).await;
        let download = download(&service).in_flight(1);
        let progress = download.progress();
        let error = download.to_file(folder.out()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Truncated);
        received += progress.snapshot().bytes;
    }
    let (report, _) = finish(&folder).await;
    received += report.snapshot.bytes;
    assert_eq!(received, SIZE as u64, "no byte was fetched twice");
}

#[tokio::test]
async fn what_is_whole_but_was_not_named_needs_no_call() {
    let folder = Folder::new();
    let bytes = pattern(SIZE);
    // The last step of a download fails: something stands in the place of the file.
    std::fs::create_dir(folder.out()).unwrap();
    let service = whole().await;
    let error = download(&service).to_file(folder.out()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::LocalFile, "said before anything is called");
    assert!(service.asked().is_empty());
    std::fs::remove_dir(folder.out()).unwrap();

    let answer_all = Service::start(move |asked| {
        let mut answer = range_answer(&bytes, ETAG, asked);
        if asked.number == 9 {
            answer.steps.pop();
            answer.steps.push(Step::Cut);
        }
        answer
    })
    .await;
    download(&answer_all).in_flight(1).to_file(folder.out()).await.unwrap_err();
    // All bytes had come, but the end of the last segment was not proven: it is asked again.
    let (report, asked) = finish(&folder).await;
    assert_eq!((report.snapshot.bytes, asked.len()), (SEGMENT, 1));
}

#[tokio::test]
async fn stopping_records_what_there_is() {
    let gate = Arc::new(Notify::new());
    let bytes = pattern(SIZE);
    let service = Service::start(move |asked| {
        let mut answer = range_answer(&bytes, ETAG, asked);
        if asked.number > 0 {
            answer.steps.insert(2, Step::Wait(Arc::clone(&gate)));
        }
        answer
    })
    .await;
    let folder = Folder::new();
    let download = download(&service);
    let progress = download.progress();
    let some_came = async move {
        while progress.snapshot().bytes < 200_000 {
            tokio::task::yield_now().await;
        }
    };
    let ended = download.to_file_until(folder.out(), some_came);
    let error = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Stopped);
    assert!(error.unfinished().is_some());
    let unfinished = Unfinished::open(folder.out()).await.unwrap();
    // The beginnings of segments are recorded as well.
    assert!(unfinished.recorded_bytes() >= 200_000, "{unfinished:?}");
    assert_eq!(unfinished.verify().await.unwrap().intact, unfinished.recorded_bytes());
    finish(&folder).await;
}

/// Before a byte is asked for there may be much to read again; even then the file is free, and what
/// is left of it is told, when the download says that it was stopped.
#[tokio::test]
async fn stopping_while_the_file_is_opened_leaves_what_there_was() {
    let service = Service::start(cut_from(0)).await;
    let stopped = async |folder: &Folder, start_over: bool| {
        let download = download(&service).start_over(start_over);
        // Once it has begun.
        let stop = tokio::task::yield_now();
        let error = download.to_file_until(folder.out(), stop).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Stopped);
        error.unfinished().is_some()
    };
    for _ in 0..20 {
        let folder = Folder::new();
        assert!(!stopped(&folder, false).await);
        assert_eq!(folder.names(), [""; 0]);
    }
    let folder = Folder::begun(5).await;
    assert!(stopped(&folder, false).await);
    assert_eq!(folder.names(), ["out.part", "out.part.journal"]);
    assert!(service.asked().is_empty());
    let (report, _) = finish(&folder).await;
    assert!(report.snapshot.resumed_bytes >= 5 * SEGMENT, "{report:?}");

    let folder = Folder::begun(5).await;
    assert!(!stopped(&folder, true).await);
    assert!(!folder.journal().exists() || folder.part().exists(), "half of it is left");
}

#[tokio::test]
async fn a_download_that_is_dropped_leaves_a_journal_and_no_task() {
    let gate = Arc::new(Notify::new());
    let bytes = pattern(SIZE);
    let service = Service::start(move |asked| {
        let mut answer = range_answer(&bytes, ETAG, asked);
        if asked.number > 0 {
            answer.steps.insert(1, Step::Wait(Arc::clone(&gate)));
        }
        answer
    })
    .await;
    let folder = Folder::new();
    let download = download(&service);
    let progress = download.progress();
    let task = tokio::spawn(download.to_file(folder.out()));
    while progress.snapshot().bytes < SEGMENT || progress.snapshot().in_flight < 4 {
        tokio::task::yield_now().await;
    }
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    // The thread that owns the file still has the lock for a moment.
    let free = async {
        while std::fs::File::open(folder.part()).unwrap().try_lock().is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.unwrap();
    assert_eq!(progress.snapshot().in_flight, 0);
    finish(&folder).await;
}

#[tokio::test]
async fn unfinished_downloads_are_known_by_their_file_alone() {
    let folder = Folder::new();
    let service = Service::start(cut_from(5)).await;
    let begun = download(&service).note("how I call it").wanted(Wanted::From(150_000));
    begun.to_file(folder.out()).await.unwrap_err();

    let unfinished = Unfinished::open(folder.out()).await.unwrap();
    assert_eq!(unfinished.note(), "how I call it");
    assert_eq!(unfinished.description().etag.as_deref(), Some(ETAG));
    assert_eq!(unfinished.wanted_bytes(), SIZE as u64 - 150_000);
    let intact = unfinished.verify().await.unwrap().intact;
    assert!(intact >= 5 * SEGMENT && intact == unfinished.recorded_bytes());

    let service = whole().await;
    let report = service.invoker().resume(&unfinished).to_file(folder.out()).await.unwrap();
    assert_eq!(report.snapshot.resumed_bytes, intact);
    assert!(std::fs::read(folder.out()).unwrap() == pattern(SIZE)[150_000..]);
    let asked = service.asked();
    assert!(asked.iter().all(|asked| asked.target.contains("/functions/files/")));

    let error = Unfinished::open(folder.out()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::CannotResume);
}

#[tokio::test]
async fn damaged_bytes_are_fetched_again() {
    let folder = Folder::begun(5).await;
    let mut part = std::fs::read(folder.part()).unwrap();
    part[250_000] ^= 1;
    std::fs::write(folder.part(), part).unwrap();
    let verified = Unfinished::open(folder.out()).await.unwrap().verify().await.unwrap();
    assert_eq!(verified.broken.len(), 1);
    assert!(verified.broken[0].contains(&250_000));
    let (report, _) = finish(&folder).await;
    assert_eq!(report.snapshot.resumed_bytes, verified.intact);
}

#[tokio::test]
async fn a_lost_part_file_or_journal_costs_its_bytes_and_nothing_else() {
    let folder = Folder::begun(5).await;
    std::fs::remove_file(folder.part()).unwrap();
    let error = Unfinished::open(folder.out()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::CannotResume);
    assert_eq!(finish(&folder).await.0.snapshot.resumed_bytes, 0);

    let folder = Folder::begun(5).await;
    std::fs::remove_file(folder.journal()).unwrap();
    assert_eq!(finish(&folder).await.0.snapshot.resumed_bytes, 0);
}

/// What a download says to which something else is left, and that it leaves it so.
async fn refused(folder: &Folder, other: impl FnOnce(Download) -> Download) -> ErrorKind {
    let before = (std::fs::read(folder.part()).unwrap(), std::fs::read(folder.journal()).unwrap());
    let service = whole().await;
    let error = other(download(&service)).to_file(folder.out()).await.unwrap_err();
    assert!(service.asked().is_empty(), "nothing was called");
    let after = (std::fs::read(folder.part()).unwrap(), std::fs::read(folder.journal()).unwrap());
    assert!(before == after, "it was left as it is");
    error.kind().clone()
}

#[tokio::test]
async fn another_question_does_not_continue_this_one() {
    let folder = Folder::begun(5).await;
    assert_eq!(refused(&folder, |other| other.note("x")).await, ErrorKind::CannotResume);
    let range = |other: Download| other.wanted(Wanted::From(1));
    assert_eq!(refused(&folder, range).await, ErrorKind::CannotResume);
    for (function, object) in [("files", "another object"), ("other", "the object")] {
        let service = whole().await;
        let other = service.invoker().object(function, object);
        let error = other.to_file(folder.out()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::CannotResume, "{function}/{object}");
    }
    // It can be forgotten.
    let service = whole().await;
    let report = download(&service).note("x").start_over(true).to_file(folder.out()).await.unwrap();
    assert_eq!(report.snapshot.resumed_bytes, 0);
    assert_eq!(folder.names(), ["out"]);
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_not_written_over() {
    let folder = Folder::new();
    std::fs::write(folder.part(), "something").unwrap();
    std::fs::write(folder.journal(), "dear diary, today").unwrap();
    assert_eq!(refused(&folder, |download| download).await, ErrorKind::CannotResume);
}

#[tokio::test]
async fn another_version_of_the_object_or_the_function_is_never_spliced() {
    let other_bytes: Vec<u8> = pattern(SIZE).iter().map(|byte| !byte).collect();
    // One that refuses (412), and one that does not know preconditions.
    let refuses = |_: &Asked| {
        let head = support::head(412, &[("etag", "\"v2\"")]);
        Answer::stream([chunk(&head), complete("{}")])
    };
    let bytes = other_bytes.clone();
    let ignores = move |asked: &Asked| range_answer(&bytes, "\"v2\"", asked);
    let bytes = other_bytes.clone();
    let deployed = move |asked: &Asked| range_answer(&bytes, ETAG, asked).executed_version("8");
    type Script = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;
    let scripts: [Script; 3] = [Box::new(refuses), Box::new(ignores), Box::new(deployed)];
    for script in scripts {
        let folder = Folder::begun(5).await;
        let service = Service::start(script).await;
        let error = download(&service).to_file(folder.out()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Changed);
        // The old version may come back; nothing of the new one was kept.
        assert!(error.unfinished().is_some());
        finish(&folder).await;
    }
}

#[tokio::test]
async fn what_a_failing_function_gave_is_taken_back() {
    let bytes = pattern(SIZE);
    let service = Service::start(move |asked| {
        let mut answer = range_answer(&bytes, ETAG, asked);
        if asked.number == 5 {
            // Wrong bytes, and the function finds out at their end.
            let wrong = [chunk(&[0; 64 * 1024]), complete(r#"{"ErrorCode":"Function.Broken"}"#)];
            answer.steps.splice(1.., wrong.map(Step::Bytes));
        }
        answer
    })
    .await;
    let folder = Folder::new();
    let error = download(&service).in_flight(1).to_file(folder.out()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Function { .. }), "{error:?}");
    let (report, asked) = finish(&folder).await;
    assert_eq!(report.snapshot.resumed_bytes, 5 * SEGMENT);
    assert_eq!(asked.iter().map(|asked| asked.range().unwrap().start).min(), Some(5 * SEGMENT));
}

#[tokio::test]
async fn a_second_writer_is_refused_and_the_first_goes_on() {
    let gate = Arc::new(Notify::new());
    let (bytes, wait) = (pattern(SIZE), Arc::clone(&gate));
    let service = Service::start(move |asked| {
        let mut answer = range_answer(&bytes, ETAG, asked);
        if asked.number == 1 {
            answer.steps.insert(1, Step::Wait(Arc::clone(&wait)));
        }
        answer
    })
    .await;
    let folder = Folder::new();
    let first = tokio::spawn(download(&service).to_file(folder.out()));
    while service.asked().len() < 2 {
        tokio::task::yield_now().await;
    }
    let error = download(&service).to_file(folder.out()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::LocalFile);
    assert!(error.to_string().contains("another process is writing"), "{error}");
    gate.notify_one();
    tokio::time::timeout(PATIENCE, first).await.unwrap().unwrap().unwrap();
    assert!(std::fs::read(folder.out()).unwrap() == pattern(SIZE));
}

#[tokio::test]
async fn wrong_bytes_behind_right_frames_are_found_by_the_sum_of_the_whole() {
    let bytes = pattern(SIZE);
    let folder = Folder::new();
    let path = folder.folder.path().join("sums");
    std::fs::write(&path, &bytes).unwrap();
    let sums = invoker::file_checksums(&path).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    for expected in [sums.crc64nvme, sums.sha256] {
        let service = Service::start({
            let mut bytes = bytes.clone();
            bytes[777_777] ^= 1;
            move |asked| range_answer(&bytes, ETAG, asked)
        })
        .await;
        let error = download(&service).expect(expected).to_file(folder.out()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Corrupt);
        assert!(error.unfinished().is_none(), "no one can tell which bytes are wrong");
        assert!(folder.names().is_empty());
        let error = read(download(&service).expect(expected)).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Corrupt);

        let service = whole().await;
        let report = download(&service).expect(expected).to_file(folder.out()).await.unwrap();
        let algorithm = match expected {
            Checksum::Sha256(_) => "SHA-256",
            _ => "CRC-64/NVME",
        };
        assert_eq!(report.integrity, Integrity::Verified { algorithm });
        assert!(invoker::file_checksums(folder.out()).await.unwrap().has(&expected));
        std::fs::remove_file(folder.out()).unwrap();
        read(download(&service).expect(expected)).await.unwrap();
    }
}

async fn read(download: Download) -> Result<(), Error> {
    let mut bytes = download.in_order().await?;
    while let Some(next) = bytes.next_bytes().await {
        next?;
    }
    Ok(())
}
