//! `get` and `cat`: a question and a place go in; the whole result is in that place, or a failure
//! comes out.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::pin::pin;

use invoker::{Download, Invocation, Progress, Report, Timeouts};

use crate::args::{Get, Question, Transfer};
use crate::display::{Display, REDRAW};
use crate::output::{Destination, Sink};
use crate::report::{self, Failure};
use crate::signals;
use crate::target::Target;

/// Fetches one result.
pub(crate) async fn get(arguments: Get) -> Result<(), Failure> {
    let Get { question, transfer, connection, output } = arguments;
    let output = match output {
        Some(output) => output,
        None => own_name(question.object.as_deref())?,
    };
    let destination = Destination::of(&output);
    let payload = payload(&question)?;
    let target = Target::find(&question.function, &connection, transfer.quiet).await?;
    let timeouts =
        Timeouts { first_byte: transfer.first_byte_timeout, idle: transfer.idle_timeout };
    let download = configure(target.download(&question, payload, timeouts), &transfer);
    let progress = download.progress();

    let data_on_terminal = matches!(&destination, Destination::Sink { path: None, .. })
        && std::io::stdout().is_terminal();
    let mut display = Display::new(transfer.quiet, data_on_terminal);
    let outcome = watched(deliver(download, destination), &progress, &mut display).await;
    display.clear();

    if let Some(path) = &transfer.report {
        let object = question.object.as_deref();
        report::write(path, &question.function, object, &progress, outcome.as_ref())?;
    }
    let report = outcome?;
    let what = question.object.as_deref().unwrap_or(&question.function);
    display.finish(what, &report);
    target.close().await;
    Ok(())
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
                sink.write(next?).await?;
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

/// The event for the function, if one was given; checked, because the service's answer to a
/// malformed one does not say where.
pub(crate) fn payload(question: &Question) -> Result<Option<Vec<u8>>, Failure> {
    let Some(argument) = &question.payload else { return Ok(None) };
    let (place, json) = match (argument.as_str(), argument.strip_prefix('@')) {
        ("-", _) => {
            let mut json = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut json);
            read.map_err(|error| Failure::file("cannot read stdin", error))?;
            ("stdin".to_owned(), json)
        }
        (_, Some(path)) => {
            let read = std::fs::read(path);
            let json = read.map_err(|error| Failure::file(format!("cannot read {path}"), error))?;
            (path.to_owned(), json)
        }
        (json, None) => ("-p".to_owned(), json.as_bytes().to_vec()),
    };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&json) {
        let message = format!(
            "the payload from {place} is not JSON: line {}, column {}",
            error.line(),
            error.column()
        );
        return Err(Failure::Usage(message));
    }
    Ok(Some(json))
}

/// What is asked of the function.
pub(crate) fn invocation(
    question: &Question,
    function: &str,
    payload: Option<Vec<u8>>,
) -> Invocation {
    let mut invocation = Invocation::new(function);
    if let Some(payload) = payload {
        invocation = invocation.payload(payload);
    }
    if let Some(qualifier) = &question.qualifier {
        invocation = invocation.qualifier(qualifier);
    }
    if let Some(tenant_id) = &question.tenant_id {
        invocation = invocation.tenant_id(tenant_id);
    }
    invocation
}
