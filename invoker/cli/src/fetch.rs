//! `get`, `cat` and `resume`: a question and a place go in; the whole result is in that place, or a
//! failure comes out.

use std::io::IsTerminal;
use std::path::Path;
use std::pin::pin;
use std::sync::OnceLock;

use futures_util::stream;
use invoker::{Download, Error, ErrorKind, OrderedBytes, Progress, Report};

use crate::args::{Get, Question, Resume, ShowProgress, Transfer, Words};
use crate::aws::without_user;
use crate::batches::{self, Batch, Then};
use crate::continuing::{self, Note};
use crate::cost::Tariff;
use crate::display::{Display, REDRAW};
use crate::output::{Destination, Sink};
use crate::place;
use crate::question::payload;
use crate::record::{self, ReportFile};
use crate::report::{Failure, say};
use crate::signals;
use crate::target::Target;
use crate::time_limits::{MaxTime, timeouts};
use crate::url::shown;

/// Fetches one result, and reports on it if that is asked for. `told` says that others write to
/// stderr meanwhile.
pub(crate) async fn get(arguments: Get, told: bool) -> Result<(), Failure> {
    if arguments.dry_run {
        return dry_run(arguments).await;
    }
    let Get { question, output, no_clobber, restart, bytes, transfer, connection, .. } = arguments;
    without_user(&question.function)?;
    let output = place::of(output.as_deref(), question.object.as_deref())?;
    if no_clobber && output.is_file() && matches!(Destination::of(&output), Destination::File(_)) {
        return there_already(&question, &output, &transfer.words);
    }
    let note = Note::of(&question);
    let progress = OnceLock::new();
    let work = async {
        let payload = payload(&question)?;
        let max_time = MaxTime::of(&transfer.limits);
        let target = Target::find(&question.function, &connection, transfer.words.quiet);
        let target = max_time.prepare(target).await?;
        let mut download = target
            .download(&question, payload, timeouts(&transfer.limits, max_time))?
            .wanted(bytes.range.clone().unwrap_or_default())
            .note(note.text()?)
            .start_over(restart);
        if let Some(checksum) = bytes.checksum {
            download = download.expect(checksum);
        }
        let what = note.what();
        let command = continuing::command(&output, bytes.checksum.as_ref(), &transfer, &connection);
        let task =
            Task { download, output: &output, what: &what, transfer: &transfer, command, told };
        fetch(task, target, max_time, &progress).await
    };
    reported(&note, &output, &transfer, &progress, work).await
}

/// Says that nothing is done, wherever the end was to be told.
fn there_already(question: &Question, output: &Path, words: &Words) -> Result<(), Failure> {
    let why = format!("{} is there already: nothing is fetched", output.display());
    let mut document = record::skipped(&question.function, question.object.as_deref(), &why);
    if let Some(path) = &words.report {
        ReportFile::create(path, output)?.write(&document)?;
    }
    if words.json || words.progress == ShowProgress::Json {
        document["event"] = "result".into();
        say(&document.to_string());
    } else if !words.quiet {
        say(&why);
    }
    Ok(())
}

/// Asks the service whether it would let the function be called.
async fn dry_run(arguments: Get) -> Result<(), Failure> {
    let Get { question, transfer, connection, .. } = arguments;
    let payload = payload(&question)?;
    let max_time = MaxTime::of(&transfer.limits);
    let target = Target::find(&question.function, &connection, transfer.words.quiet);
    let target = max_time.prepare(target).await?;
    let invocation = target.invocation(&question, payload)?;
    let invoker = target.invoker(timeouts(&transfer.limits, max_time));
    max_time.download(async { Ok(invoker.dry_run(&invocation).await?) }).await?;
    target.close().await;
    if !transfer.words.quiet {
        let qualifier = question.qualifier.as_deref().map(|name| format!(" ({name})"));
        say(&format!(
            "{}{} is there, and these credentials may call it; nothing was run",
            shown(&question.function),
            qualifier.unwrap_or_default()
        ));
    }
    Ok(())
}

/// Continues a download that was begun. `told` is as for [`get`].
pub(crate) async fn resume(arguments: Resume, told: bool) -> Result<(), Failure> {
    let Resume { file, checksum, transfer, connection } = arguments;
    let unfinished = continuing::begun(&file).await?;
    let note = Note::read(&unfinished, &file)?;
    let progress = OnceLock::new();
    let work = async {
        let max_time = MaxTime::of(&transfer.limits);
        let target = Target::find(&note.function, &connection, transfer.words.quiet);
        let target = max_time.prepare(target).await?;
        let timeouts = timeouts(&transfer.limits, max_time);
        let mut download = target.invoker(timeouts).resume(&unfinished);
        if let Some(checksum) = checksum {
            download = download.expect(checksum);
        }
        let what = note.what();
        let command = continuing::command(&file, checksum.as_ref(), &transfer, &connection);
        let task =
            Task { download, output: &file, what: &what, transfer: &transfer, command, told };
        fetch(task, target, max_time, &progress).await
    };
    reported(&note, &file, &transfer, &progress, work).await
}

/// Runs a download, which sets the progress as soon as there is one.
async fn reported(
    note: &Note,
    output: &Path,
    transfer: &Transfer,
    progress: &OnceLock<Progress>,
    work: impl Future<Output = Result<Report, Failure>>,
) -> Result<(), Failure> {
    let tariff = Tariff::of(&transfer.pricing)?;
    let report = match &transfer.words.report {
        Some(path) => Some(ReportFile::create(path, output)?),
        None => None,
    };
    let outcome = work.await;
    let progress = progress.get_or_init(Progress::default);
    let document = || {
        let (function, object) = (&note.function, note.object.as_deref());
        record::document(function, object, progress, &tariff, outcome.as_ref())
    };
    if let Some(report) = report {
        let written = report.write(&document());
        // What was wrong with the download counts for more.
        if outcome.is_ok() {
            written?;
        }
    }
    let json = transfer.words.json || transfer.words.progress == ShowProgress::Json;
    if json && !matches!(outcome, Err(Failure::BrokenPipe)) {
        let mut document = document();
        document["event"] = "result".into();
        say(&document.to_string());
        return outcome.map(drop).map_err(|failure| Failure::Told(Box::new(failure)));
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
    /// What continues it.
    command: String,
    /// Whether others write to stderr meanwhile.
    told: bool,
}

async fn fetch(
    task: Task<'_>,
    target: Target,
    max_time: MaxTime,
    progress: &OnceLock<Progress>,
) -> Result<Report, Failure> {
    let Task { download, output, what, transfer, command, told } = task;
    let destination = Destination::of(output);
    let download = transfer.apply(download);
    let progress = progress.get_or_init(|| download.progress());

    let data_on_terminal = matches!(&destination, Destination::Sink { path: None, .. })
        && std::io::stdout().is_terminal();
    let mut display = Display::new(&transfer.words, told || data_on_terminal);
    let delivered = deliver(download, destination, command, max_time);
    let outcome = watched(delivered, progress, &mut display).await;
    display.clear();
    tell_log_tails(progress, &display);
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
            _ = redraw.tick() => {
                display.show(&progress.snapshot());
                tell_log_tails(progress, display);
            }
        }
    }
}

fn tell_log_tails(progress: &Progress, display: &Display) {
    for tail in progress.take_log_tails() {
        display.log_tail(&tail);
    }
}

/// Brings the result to its place, until a signal or the time limit ends it.
async fn deliver(
    download: Download,
    destination: Destination,
    command: String,
    max_time: MaxTime,
) -> Result<Report, Failure> {
    match destination {
        // The library ends at the limit, and what it writes down then is not cut short.
        Destination::File(path) => {
            let done = to_file(download, &path, command).await;
            done.map_err(|failure| max_time.as_typed(failure))
        }
        Destination::Sink { name, path } => {
            let sink = Sink::open(name, path.as_deref())?;
            max_time
                .download(async {
                    tokio::select! {
                        done = to_sink(download, sink) => done,
                        failure = signals::interrupted() => Err(failure),
                    }
                })
                .await
        }
    }
}

async fn to_file(download: Download, path: &Path, command: String) -> Result<Report, Failure> {
    let mut signal = None;
    let interrupted = async {
        signal = Some(signals::interrupted().await);
        signals::exit_at_the_next();
    };
    let error = match download.to_file_until(path, interrupted).await {
        Ok(report) => return Ok(report),
        Err(error) => error,
    };
    let resumable = error.unfinished().is_some();
    // What went wrong by itself counts for more than a signal that came later.
    let failure = match signal {
        Some(signal) if *error.kind() == ErrorKind::Stopped => signal,
        _ => Failure::Invoker(error),
    };
    Err(match resumable {
        true => Failure::Resumable { failure: Box::new(failure), command },
        false => failure,
    })
}

async fn to_sink(download: Download, mut sink: Sink) -> Result<Report, Failure> {
    let mut bytes = download.in_order().await?;
    let failed = write(&mut bytes, &mut sink).await?;
    // What came before a failure is right, and its reader may want it.
    sink.finish().await?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let lost = || Failure::file("cannot tell what was done", std::io::Error::other("bug"));
    bytes.report().cloned().ok_or_else(lost)
}

/// Writes all bytes, or those before what made the download fail, which it returns.
async fn write(bytes: &mut OrderedBytes, sink: &mut Sink) -> Result<Option<Error>, Failure> {
    let read =
        stream::unfold(bytes, async |bytes| bytes.next_bytes().await.map(|item| (item, bytes)));
    let mut read = pin!(read);
    loop {
        let Batch { pieces, then } = batches::next(read.as_mut()).await;
        sink.write(pieces).await?;
        match then {
            Then::More => {}
            Then::End => return Ok(None),
            Then::Failure(error) => return Ok(Some(error)),
        }
    }
}
