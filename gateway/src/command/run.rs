//! A configuration file comes in; it is served, and served anew when it changes, until a signal ends it; the
//! exit code goes out.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use stream_gateway::{Complaints, Config, Error, Gateway};

use super::signals::{Signal, Signals};
use super::watch::Watch;
use super::{Failure, print, read, say};

pub(super) async fn run(file: &Path, listen: &[SocketAddr]) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()
        .map_err(|error| Failure::System(format!("cannot listen to signals: {error}")))?;
    let mut watch = None;
    let config = read_watched(file, listen, &mut watch)?;
    let mut grace = config.shutdown_grace();
    note(&config);
    let started = tokio::select! {
        started = Gateway::start(config) => started,
        code = signals.end() => {
            say("stream-gateway: ended by a signal before it had started");
            return Ok(ExitCode::from(code));
        }
    };
    let gateway = started.map_err(|error| match error {
        Error::Configuration(complaints) => complaints.into(),
        error => Failure::System(error.to_string()),
    })?;
    tell(&gateway);
    let code = loop {
        let signal = tokio::select! {
            signal = signals.next() => signal,
            () = changed(&mut watch) => Signal::Reload,
        };
        match signal {
            Signal::End { code } => break code,
            Signal::Reload => {
                let reloaded = tokio::select! {
                    reloaded = reload(&gateway, file, listen, &mut watch) => reloaded,
                    code = signals.end() => break code,
                };
                match reloaded {
                    Ok(newer) => grace = newer,
                    Err(complaints) => {
                        say(&complaints);
                        say("stream-gateway: goes on with what it had");
                    }
                }
            }
        }
    };
    say(&format!("stream-gateway: ends; answers have {} s to come to theirs", grace.as_secs()));
    let cut = tokio::select! {
        cut = gateway.shutdown(grace) => cut.exchanges,
        code = signals.end() => {
            say("stream-gateway: cut off by a second signal");
            return Ok(ExitCode::from(code));
        }
    };
    if cut == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("stream-gateway: cut {cut} answers that were not at their end"));
    Ok(ExitCode::from(code))
}

/// The grace of the configuration that is served now, or why it is still the one before.
async fn reload(
    gateway: &Gateway,
    file: &Path,
    listen: &[SocketAddr],
    watch: &mut Option<Watch>,
) -> Result<Duration, String> {
    let config = read_watched(file, listen, watch).map_err(|complaints| {
        gateway.reload_refused();
        complaints.to_string()
    })?;
    let (grace, notes) = (config.shutdown_grace(), config.notes().to_vec());
    let reloaded = gateway.reload(config).await.map_err(|error| error.to_string())?;
    for note in notes {
        say(&note.to_string());
    }
    for line in reloaded.needs_restart {
        say(&format!("{}: {line}", file.display()));
    }
    say(&format!("stream-gateway: serves {} anew", file.display()));
    Ok(grace)
}

/// Reads the file, and watches it and those that it names.
fn read_watched(
    file: &Path,
    listen: &[SocketAddr],
    watch: &mut Option<Watch>,
) -> Result<Config, Complaints> {
    let config = read_for(file, listen)?;
    let files: Vec<PathBuf> = [file.to_owned()].into_iter().chain(config.files()).collect();
    if watch.as_ref().is_some_and(|watch| watch.is_of(&files)) {
        return Ok(config);
    }
    match Watch::new(files) {
        Ok(new) => *watch = Some(new),
        Err(error) => {
            say(&format!("stream-gateway: files cannot be watched, send SIGHUP instead: {error}"));
        }
    }
    // With what was written before the watch began.
    read_for(file, listen)
}

fn read_for(file: &Path, listen: &[SocketAddr]) -> Result<Config, Complaints> {
    let config = read(file)?;
    Ok(if listen.is_empty() { config } else { config.listen_on(listen.to_vec()) })
}

fn note(config: &Config) {
    for note in config.notes() {
        say(&note.to_string());
    }
}

/// In one write, so that whoever waits for the first line has the others as well.
fn tell(gateway: &Gateway) {
    let scheme = if gateway.is_tls() { "https" } else { "http" };
    let addresses = gateway.addrs().iter();
    let mut lines: Vec<String> =
        addresses.map(|address| format!("listening on {scheme}://{address}")).collect();
    lines.extend(gateway.admin_addr().map(|admin| format!("metrics and health on http://{admin}")));
    print(&lines.join("\n"));
}

async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}
