//! `get`, `cat` and `resume`: a question and a place go in; the whole result is in that place, or a
//! failure comes out.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::pin::pin;

use invoker::{Download, Progress, Report, Unfinished};

use crate::args::{Connection, Get, Resume, Transfer};
use crate::continuing::{self, Note};
use crate::display::{Display, REDRAW};
use crate::output::{Destination, Sink};
use crate::question::payload;
use crate::report::{self, Failure, ReportFile};
use crate::signals;
use crate::target::Target;
use crate::time_limits::{MaxTime, timeouts};

/// Fetches one result, and reports on it if that is asked for.
pub(crate) async fn get(arguments: Get) -> Result<(), Failure> {
    let Get { question, output, restart, bytes, transfer, connection } = arguments;
    let output = match output {
        Some(output) => output,
        None => own_name(question.object.as_deref())?,
    };
    let note = Note::of(&question);
    reported(&note, &output, &transfer, async |progress| {
        let payload = payload(&question)?;
        let max_time = MaxTime::of(&transfer.limits);
        let target = Target::find(&question.function, &connection, transfer.quiet);
        let target = max_time.prepare(target).await?;
        let mut download = target
            .download(&question, payload, timeouts(&transfer.limits, max_time))
            .wanted(bytes.range.clone().unwrap_or_default())
            .note(note.text()?)
            .start_over(restart);
        if let Some(checksum) = bytes.checksum {
            download = download.expect(checksum);
        }
        let what = question.object.as_deref().unwrap_or(&question.function);
        let task =
            Task { download, output: &output, what, transfer: &transfer, connection: &connection };
        fetch(task, target, max_time, progress).await
    })
    .await
}

/// Continues a download that was begun.
pub(crate) async fn resume(arguments: Resume) -> Result<(), Failure> {
    let Resume { file, checksum, transfer, connection } = arguments;
    let unfinished = Unfinished::open(&file).await?;
    let note = Note::read(&unfinished, &file)?;
    reported(&note, &file, &transfer, async |progress| {
        let max_time = MaxTime::of(&transfer.limits);
        let target = Target::find(&note.function, &connection, transfer.quiet);
        let target = max_time.prepare(target).await?;
        let timeouts = timeouts(&transfer.limits, max_time);
        let mut download = target.invoker(timeouts).resume(&unfinished);
        if let Some(checksum) = checksum {
            download = download.expect(checksum);
        }
        let what = note.object.as_deref().unwrap_or(&note.function);
        let task =
            Task { download, output: &file, what, transfer: &transfer, connection: &connection };
        fetch(task, target, max_time, progress).await
    })
    .await
}

/// Runs a download; `run` sets the progress as soon as there is one.
async fn reported(
    note: &Note,
    output: &Path,
    transfer: &Transfer,
    run: impl AsyncFnOnce(&mut Progress) -> Result<Report, Failure>,
) -> Result<(), Failure> {
    let report = match &transfer.report {
        Some(path) => Some(ReportFile::create(path, output)?),
        None => None,
    };
    let mut progress = Progress::default();
    let outcome = run(&mut progress).await;
    if let Some(report) = report {
        let outcome = outcome.as_ref();
        let (function, object) = (&note.function, note.object.as_deref());
        let written = report::write(report, function, object, &progress, outcome);
        // What was wrong with the download counts for more.
        if outcome.is_ok() {
            written?;
        }
    }
    outcome.map(drop)
}

/// What is to be fetched, and to where.
struct Task<'a> {
    download: Download,
    output: &'a Path,
    /// Its name, for people.
    what: &'a str,
    transfer: &'a Transfer,
    connection: &'a Connection,
}

async fn fetch(
    task: Task<'_>,
    target: Target,
    max_time: MaxTime,
    progress: &mut Progress,
) -> Result<Report, Failure> {
    let Task { download, output, what, transfer, connection } = task;
    let destination = Destination::of(output);
    let download = configure(download, transfer);
    *progress = download.progress();

    let data_on_terminal = matches!(&destination, Destination::Sink { path: None, .. })
        && std::io::stdout().is_terminal();
    let mut display = Display::new(transfer.quiet, data_on_terminal);
    let delivered = max_time.download(deliver(download, destination, connection));
    let outcome = watched(delivered, progress, &mut display).await;
    display.clear();
    let report = outcome?;
    display.finish(what, &report);
    target.close().await;
    Ok(report)
}

/// Runs `work` to its end, while the display follows its counters.
async fn watched(
    work: impl Future<Output = Result<Report, Failure>>,
    progress: &Progress,
    display: &mut Display,
) -> Result<Report, Failure> {
    let mut work = pin!(work);
    let mut redraw = tokio::time::interval(REDRAW);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = redraw.tick() => display.show(&progress.snapshot()),
        }
    }
}

/// Brings the result to its place, until a signal ends it.
async fn deliver(
    download: Download,
    destination: Destination,
    connection: &Connection,
) -> Result<Report, Failure> {
    match destination {
        Destination::File(path) => to_file(download, &path, connection).await,
        Destination::Sink { name, path } => {
            let sink = Sink::open(name, path.as_deref())?;
            tokio::select! {
                done = to_sink(download, sink) => done,
                failure = signals::interrupted() => Err(failure),
            }
        }
    }
}

async fn to_file(
    download: Download,
    path: &Path,
    connection: &Connection,
) -> Result<Report, Failure> {
    let mut signal = None;
    let interrupted = async { signal = Some(signals::interrupted().await) };
    let error = match download.to_file_until(path, interrupted).await {
        Ok(report) => return Ok(report),
        Err(error) => error,
    };
    let resumable = error.unfinished().is_some();
    let failure = signal.unwrap_or(Failure::Invoker(error));
    Err(match resumable {
        true => {
            let command = continuing::command(path, connection);
            Failure::Resumable { failure: Box::new(failure), command }
        }
        false => failure,
    })
}

async fn to_sink(download: Download, mut sink: Sink) -> Result<Report, Failure> {
    let mut bytes = download.in_order().await?;
    while let Some(next) = bytes.next_bytes().await {
        match next {
            Ok(next) => sink.write(next).await?,
            Err(error) => {
                // What came before the failure is right, and its reader may want it.
                sink.finish().await?;
                return Err(error.into());
            }
        }
    }
    sink.finish().await?;
    let lost = || Failure::file("cannot tell what was done", std::io::Error::other("bug"));
    bytes.report().cloned().ok_or_else(lost)
}

fn configure(download: Download, transfer: &Transfer) -> Download {
    download
        .segment_size(transfer.segment_size)
        .in_flight(transfer.in_flight)
        .segments(!transfer.no_segments)
        .compression(!transfer.no_compression)
        .memory_limit(usize::try_from(transfer.memory_limit).unwrap_or(usize::MAX))
        .retries(transfer.retries)
        .throttle_patience(transfer.throttle_patience)
}

/// Without `-o`, the last part of the object's name, which must be a plain file name: the name of
/// an object may come from anywhere, and must not choose a folder.
fn own_name(object: Option<&str>) -> Result<PathBuf, Failure> {
    let Some(object) = object else {
        return Err(Failure::Usage(
            "say where the result goes: -o FILE, or -o - for stdout".into(),
        ));
    };
    let name = object.rsplit('/').next().unwrap_or_default();
    let plain = Path::new(name).file_name().is_some_and(|file| file == name);
    if !plain || name.contains(['\\', '\0']) {
        let message = format!("{object:?} is not a name for a file: say where it goes with -o");
        return Err(Failure::Usage(message));
    }
    Ok(PathBuf::from(name))
}
