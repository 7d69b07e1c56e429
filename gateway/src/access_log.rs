//! Exchanges that are over come in; one line of JSON for each goes out, to stderr, stdout or a file. A
//! thread of its own writes: whoever reads slowly holds up no client, and what does not fit is counted.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config;
use crate::exchange::Exchange;

/// Lines that wait for the writer: some hundred bytes each, so a few hundred KiB at most.
const LINES_AHEAD: usize = 1_024;

/// How long the last lines may take once the gateway ends: a pipe that nobody reads must not keep it.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Writes lines until it is dropped.
pub(crate) struct AccessLog {
    /// `None` if there is no log.
    lines: Option<SyncSender<String>>,
    /// Disconnected when the writer has written its last.
    written: Mutex<Receiver<()>>,
}

impl AccessLog {
    /// # Errors
    ///
    /// The file cannot be opened.
    pub(crate) fn open(wanted: &config::AccessLog) -> io::Result<Self> {
        let to: Box<dyn Write + Send> = match wanted {
            config::AccessLog::Off => {
                return Ok(Self { lines: None, written: mpsc::channel().1.into() });
            }
            config::AccessLog::Stderr => Box::new(io::stderr()),
            config::AccessLog::Stdout => Box::new(io::stdout()),
            config::AccessLog::File(path) => Box::new(appended(path)?),
        };
        let (lines, queued) = mpsc::sync_channel(LINES_AHEAD);
        let (done, written) = mpsc::channel();
        std::thread::Builder::new().name("access-log".into()).spawn(move || {
            write_all(to, &queued);
            drop(done);
        })?;
        Ok(Self { lines: Some(lines), written: written.into() })
    }

    /// Looks whether it could be opened, and makes no file.
    ///
    /// # Errors
    ///
    /// It could not.
    pub(crate) fn check(wanted: &config::AccessLog) -> io::Result<()> {
        let config::AccessLog::File(path) = wanted else { return Ok(()) };
        match OpenOptions::new().append(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                match folder.is_none_or(Path::is_dir) {
                    true => Ok(()),
                    false => Err(error),
                }
            }
            opened => opened.map(drop),
        }
    }

    /// Says whether there was room.
    pub(crate) fn write(&self, exchange: &Exchange, took: Duration) -> bool {
        let Some(lines) = &self.lines else { return true };
        lines.try_send(line(exchange, took)).is_ok()
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        if self.lines.take().is_none() {
            return;
        }
        let written = self.written.get_mut().unwrap_or_else(PoisonError::into_inner);
        if written.recv_timeout(LAST_LINES) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the last lines of the access log were not taken in time");
        }
    }
}

fn appended(path: &Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Paths and addresses are nobody else's business.
        options.mode(0o640);
    }
    options.open(path)
}

fn write_all(mut to: impl Write, lines: &Receiver<String>) {
    let mut told = false;
    while let Ok(mut line) = lines.recv() {
        line.push('\n');
        let written = to.write_all(line.as_bytes()).and_then(|()| to.flush());
        match written {
            Ok(()) => told = false,
            // Once, until it works again.
            Err(err) if !told => {
                tracing::warn!(%err, "cannot write the access log");
                told = true;
            }
            Err(_) => {}
        }
    }
}

fn line(exchange: &Exchange, took: Duration) -> String {
    let milliseconds = |time: Duration| Value::from(time.as_micros() as f64 / 1_000.0);
    let text = |text: &str| Some(Value::from(text));
    let fields = [
        ("time", text(&humantime::format_rfc3339_millis(exchange.received).to_string())),
        ("request_id", text(&exchange.request_id)),
        ("invocation_id", exchange.invocation_id.as_deref().and_then(text)),
        ("client", text(&exchange.peer.to_string())),
        ("principal", exchange.principal.as_deref().and_then(text)),
        ("protocol", text(&format!("{:?}", exchange.protocol))),
        ("method", text(exchange.method.as_str())),
        ("path", text(&exchange.path)),
        ("route", exchange.route.as_deref().and_then(text)),
        ("status", exchange.status.map(|status| status.as_u16().into())),
        ("bytes", Some(exchange.bytes.into())),
        ("time_to_all_headers_ms", exchange.head_after.map(milliseconds)),
        ("time_to_first_content_ms", exchange.first_byte_after.map(milliseconds)),
        ("duration_ms", Some(milliseconds(took))),
        ("longest_gap_ms", exchange.first_byte_after.map(|_| milliseconds(exchange.longest_gap))),
        ("retries", Some(exchange.retries.into())),
        ("ending", text(&exchange.ending().to_string())),
        ("error_type", exchange.error_type.as_deref().and_then(text)),
        ("error", exchange.error.as_deref().and_then(text)),
    ];
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.collect::<Map<_, _>>()).to_string()
}
