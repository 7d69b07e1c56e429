//! `get` and `cat`: a question and a place go in; the whole result is in that place, or a failure
//! comes out.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::pin::pin;

use invoker::{Download, Progress, Report};

use crate::args::{Get, Question, Transfer};
use crate::display::{Display, REDRAW};
use crate::output::{Destination, Sink};
use crate::question::payload;
use crate::report::{self, Failure, ReportFile};
use crate::signals;
use crate::target::Target;
use crate::time_limits::{MaxTime, timeouts};

/// Fetches one result, and reports on it if that is asked for.
pub(crate) async fn get(arguments: Get) -> Result<(), Failure> {
    let output = match &arguments.output {
        Some(output) => output.clone(),
        None => own_name(arguments.question.object.as_deref())?,
    };
    let report = match &arguments.transfer.report {
        Some(path) => Some(ReportFile::create(path, &output)?),
        None => None,
    };
    let mut progress = Progress::default();
    let outcome = fetch(&arguments, &output, &mut progress).await;
    if let Some(report) = report {
        let Question { function, object, .. } = &arguments.question;
        let outcome = outcome.as_ref();
        let written = report::write(report, function, object.as_deref(), &progress, outcome);
        // What was wrong with the download counts for more.
        if outcome.is_ok() {
            written?;
        }
    }
    outcome.map(drop)
}

/// `progress` becomes that of the download as soon as there is one.
async fn fetch(arguments: &Get, output: &Path, progress: &mut Progress) -> Result<Report, Failure> {
    let Get { question, transfer, connection, .. } = arguments;
    let destination = Destination::of(output);
    let payload = payload(question)?;
    let max_time = MaxTime::of(&transfer.limits);
    let target = Target::find(&question.function, connection, transfer.quiet);
    let target = max_time.prepare(target).await?;
    let timeouts = timeouts(&transfer.limits, max_time);
    let download = configure(target.download(question, payload, timeouts), transfer);
    *progress = download.progress();

    let data_on_terminal = matches!(&destination, Destination::Sink { path: None, .. })
        && std::io::stdout().is_terminal();
    let mut display = Display::new(transfer.quiet, data_on_terminal);
    let delivered = max_time.download(deliver(download, destination));
    let outcome = watched(delivered, progress, &mut display).await;
    display.clear();
    let report = outcome?;
    let what = question.object.as_deref().unwrap_or(&question.function);
    display.finish(what, &report);
    target.close().await;
    Ok(report)
}

/// Runs `work` to its end or to a signal, while the display follows its counters.
async fn watched(
    work: impl Future<Output = Result<Report, Failure>>,
    progress: &Progress,
    display: &mut Display,
) -> Result<Report, Failure> {
    let mut work = pin!(work);
    let mut interrupted = pin!(signals::interrupted());
    let mut redraw = tokio::time::interval(REDRAW);
    loop {
        tokio::select! {
            done = &mut work => return done,
            failure = &mut interrupted => return Err(failure),
            _ = redraw.tick() => display.show(&progress.snapshot()),
        }
    }
}

async fn deliver(download: Download, destination: Destination) -> Result<Report, Failure> {
    match destination {
        Destination::File(path) => Ok(download.to_file(path).await?),
        Destination::Sink { name, path } => {
            let mut sink = Sink::open(name, path.as_deref())?;
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
    }
}

fn configure(download: Download, transfer: &Transfer) -> Download {
    download
        .wanted(transfer.range.clone().unwrap_or_default())
        .segment_size(transfer.segment_size)
        .in_flight(transfer.in_flight)
        .segments(!transfer.no_segments)
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
