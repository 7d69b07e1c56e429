//! A question goes in; how fast its answer comes as one stream and by segments, where the rate breaks
//! and what both cost come out: in words, as JSON and as a plot.

mod curve;
mod knee;

mod measure;

mod comparison;

mod json;
mod plot;
mod summary;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::args::Bench;
use crate::aws::without_user;
use crate::cost::Tariff;
use crate::question::payload;
use crate::report::{Failure, say};
use crate::signals;
use crate::target::{LOCAL, Target};
use crate::time_limits::{MaxTime, timeouts};
use crate::url::shown;
use comparison::Measured;

/// Measures, and tells.
pub(crate) async fn bench(arguments: Bench) -> Result<(), Failure> {
    let tariff = Tariff::of(&arguments.pricing)?;
    let payload = payload(&arguments.question)?;
    without_user(&arguments.question.function)?;
    let outputs = Outputs::create(&arguments)?;
    let max_time = MaxTime::of(&arguments.limits);
    let Bench { question, connection, .. } = &arguments;
    let target = Target::find(&question.function, connection, arguments.quiet);
    let target = max_time.prepare(target).await?;
    let measured = max_time.download(async {
        tokio::select! {
            measured = measure(&arguments, &target, payload, max_time) => measured,
            failure = signals::interrupted() => Err(failure),
        }
    });
    let measured = measured.await?;
    target.close().await;

    let (function, object) = (&*shown(&question.function), question.object.as_deref());
    let what = object.unwrap_or("the result of the payload");
    outputs.write(
        &summary::text(function, what, &measured, &tariff),
        || json::document(function, object, &measured, &tariff, function.starts_with(LOCAL)),
        || plot::svg(&format!("{what} from {function}"), &measured),
        arguments.quiet,
    )
}

async fn measure(
    arguments: &Bench,
    target: &Target,
    payload: Option<Vec<u8>>,
    max_time: MaxTime,
) -> Result<Measured, Failure> {
    let Bench { question, limits, runs, time, quiet, .. } = arguments;
    let download = || {
        let download = target.download(question, payload.clone(), timeouts(limits, max_time))?;
        Ok::<_, Failure>(arguments.segments.apply(download))
    };
    let announce = |what: &str, run: usize| {
        if !quiet {
            say(&summary::announce(what, run, *runs, *time));
        }
    };
    let mut measured = Measured::default();
    for run in 1..=*runs {
        if !arguments.no_single {
            announce("one stream", run);
            measured.one_stream.push(measure::one_stream(download()?, *time).await?);
        }
        if !arguments.no_segments {
            announce("segments", run);
            measured.segments.push(measure::segments(download()?, *time).await?);
        }
    }
    Ok(measured)
}

/// Where the results go, opened before anything is called: a file that cannot be written must not be
/// found out when the work is done.
struct Outputs {
    json: Option<Output>,
    svg: Option<Output>,
}

/// `None` is stdout.
struct Output {
    file: Option<File>,
    path: PathBuf,
}

impl Outputs {
    fn create(arguments: &Bench) -> Result<Self, Failure> {
        let Bench { json, svg, .. } = arguments;
        if json.is_some() && json == svg {
            let message = "--json and --svg need a place each";
            return Err(Failure::Usage(message.into()));
        }
        let json = json.as_deref().map(Output::create).transpose()?;
        let svg = svg.as_deref().map(Output::create).transpose()?;
        Ok(Self { json, svg })
    }

    fn write(
        self,
        words: &str,
        json: impl FnOnce() -> serde_json::Value,
        svg: impl FnOnce() -> String,
        quiet: bool,
    ) -> Result<(), Failure> {
        let Self { json: json_output, svg: svg_output } = self;
        let data_on_stdout =
            [&json_output, &svg_output].into_iter().flatten().any(|output| output.file.is_none());
        if let Some(output) = json_output {
            output.write(&format!("{:#}\n", json()))?;
        }
        if let Some(output) = svg_output {
            output.write(&svg())?;
        }
        match data_on_stdout {
            true if quiet => Ok(()),
            true => {
                say(words.trim_end());
                Ok(())
            }
            false => Output { file: None, path: PathBuf::from("stdout") }.write(words),
        }
    }
}

impl Output {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = match path == Path::new("-") {
            true => None,
            false => Some(File::create(path).map_err(|error| {
                Failure::file(format!("cannot write {}", path.display()), error)
            })?),
        };
        Ok(Self { file, path: path.to_owned() })
    }

    fn write(self, text: &str) -> Result<(), Failure> {
        let written = match self.file {
            Some(mut file) => file.write_all(text.as_bytes()),
            None => std::io::stdout().lock().write_all(text.as_bytes()),
        };
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::file(format!("cannot write {}", self.path.display()), error),
        })
    }
}
