//! The log of one environment: in, what its process prints and the service's own lines; out, the
//! function's lines to where the user wants them, and the last 4 KB of an invocation's log.
//!
//! Everything goes through one pipe: the process has its writing end as stdout and stderr, and the
//! service writes its START, END and REPORT lines into the same pipe. A pipe keeps its order, so the
//! REPORT line coming out proves that everything printed before it has been read.

mod pipe;

use bytes::Bytes;
use pipe::Incoming;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, PipeWriter, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, spawn_blocking};

/// The log an invocation may ask for (the service model: "the last 4 KB of the execution log").
const TAIL_BYTES: usize = 4 * 1024;
/// The longest line kept together; longer ones are handed on in parts.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// Stands before each of the service's own lines in the pipe, so that a function's half line does not
/// swallow them: ASCII's record separator.
const MARK: u8 = 0x1e;
/// Begins a line that is in no log: only its coming out of the pipe counts.
const FLUSH: &str = "FLUSH ";
/// How long the end of an invocation waits for its log to be read. Reached only if the place the
/// lines go to does not take them.
const TAIL_PATIENCE: Duration = Duration::from_secs(1);

/// Where the functions' own lines go, besides the log tail.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Logs {
    /// To this process' stderr, as they are.
    #[default]
    Stderr,
    /// Nowhere.
    Discard,
    /// To a function that gets the name of the Lambda function and one line with its line feed. It is
    /// called on the runtime's threads and must not block.
    Each(Arc<EachLine>),
}

/// Takes the name of a Lambda function and one line of its log.
pub type EachLine = dyn Fn(&str, &[u8]) + Send + Sync;

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stderr => "Stderr",
            Self::Discard => "Discard",
            Self::Each(_) => "Each(..)",
        })
    }
}

/// One environment's log. Dropping it ends the reading.
pub(crate) struct LogTail {
    writer: Arc<PipeWriter>,
    waiting: Waiting,
    reader: AbortHandle,
}

/// Who waits for which request id's REPORT line.
type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Bytes>>>>;

impl LogTail {
    /// Opens a log. `shared` says that invocations overlap in it, so none may clear it.
    pub(crate) fn open(function: &str, logs: Logs, shared: bool) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let pipe = Incoming::open(reader, TAIL_BYTES)?;
        let waiting = Waiting::default();
        let reading = Reading {
            function: function.into(),
            logs,
            shared,
            tail: VecDeque::with_capacity(TAIL_BYTES),
            waiting: waiting.clone(),
        };
        let reader = tokio::spawn(reading.run(pipe)).abort_handle();
        Ok(Self { writer: Arc::new(writer), waiting, reader })
    }

    /// A writing end for the process.
    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        Ok(self.writer.try_clone()?.into())
    }

    /// Notes that an invocation begins.
    pub(crate) async fn start(&self, request_id: &str, version: &str) {
        self.write(format!("START RequestId: {request_id} Version: {version}")).await;
    }

    /// Notes that an invocation ended, and returns the last 4 KB of its log.
    pub(crate) async fn end(&self, request_id: &str, report: &Report) -> Bytes {
        let (tail, read) = oneshot::channel();
        lock(&self.waiting).insert(request_id.into(), tail);
        let write = async {
            if let Some(after) = report.timed_out {
                let seconds = after.as_secs_f64();
                self.write(format!("{request_id} Task timed out after {seconds:.2} seconds")).await;
            }
            self.write(format!("END RequestId: {request_id}")).await;
            self.write(report.line(request_id)).await;
            read.await
        };
        let read = tokio::time::timeout(TAIL_PATIENCE, write).await;
        lock(&self.waiting).remove(request_id);
        read.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Returns when everything printed so far has been read.
    pub(crate) async fn flush(&self) {
        let id = uuid::Uuid::new_v4().to_string();
        let (tail, read) = oneshot::channel();
        lock(&self.waiting).insert(id.clone(), tail);
        let flush = async {
            self.write(format!("{FLUSH}{id}")).await;
            read.await
        };
        let _ = tokio::time::timeout(TAIL_PATIENCE, flush).await;
        lock(&self.waiting).remove(&id);
    }

    /// Writes one of the service's lines. The pipe may be full until the reader took some of it, so
    /// this must not hold up the runtime's thread that the reader needs.
    async fn write(&self, line: String) {
        let writer = Arc::clone(&self.writer);
        let record = [&[MARK], line.as_bytes(), b"\n"].concat();
        // An error means that the reader is gone, and with it whoever wanted the line.
        let _ = spawn_blocking(move || (&*writer).write_all(&record)).await;
    }
}

impl Drop for LogTail {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// What the REPORT line says.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) duration: Duration,
    pub(crate) init: Option<Duration>,
    pub(crate) memory_mb: u32,
    pub(crate) status: Option<&'static str>,
    pub(crate) timed_out: Option<Duration>,
}

impl Report {
    fn line(&self, request_id: &str) -> String {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let billed = ms(self.duration).ceil();
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: {} MB",
            ms(self.duration),
            self.memory_mb,
        );
        if let Some(init) = self.init {
            line.push_str(&format!("\tInit Duration: {:.2} ms", ms(init)));
        }
        if let Some(status) = self.status {
            line.push_str(&format!("\tStatus: {status}"));
        }
        line
    }
}

struct Reading {
    function: String,
    logs: Logs,
    shared: bool,
    tail: VecDeque<u8>,
    waiting: Waiting,
}

impl Reading {
    async fn run(mut self, mut pipe: Incoming) {
        let mut lines = Lines::default();
        let mut stderr = tokio::io::stderr();
        while let Some(read) = pipe.next().await {
            for line in lines.feed(read) {
                if line.of_service {
                    self.note(&line.bytes);
                    continue;
                }
                self.keep(&line.bytes);
                match &self.logs {
                    // A closed stderr must not end the log.
                    Logs::Stderr => drop(stderr.write_all(&line.bytes).await),
                    Logs::Discard => {}
                    Logs::Each(each) => each(&self.function, &line.bytes),
                }
            }
            if matches!(self.logs, Logs::Stderr) {
                let _ = stderr.flush().await;
            }
        }
    }

    /// Takes in one of the service's own lines.
    fn note(&mut self, line: &[u8]) {
        if line.starts_with(b"START ") && !self.shared {
            self.tail.clear();
        }
        if !line.starts_with(FLUSH.as_bytes()) {
            self.keep(line);
        }
        let id = line
            .strip_prefix(b"REPORT RequestId: ")
            .or_else(|| line.strip_prefix(FLUSH.as_bytes()))
            .and_then(|rest| rest.split(|b| b"\t\n".contains(b)).next());
        let id = id.and_then(|id| std::str::from_utf8(id).ok());
        if let Some(waiting) = id.and_then(|id| lock(&self.waiting).remove(id)) {
            // Whoever no longer waits does not want it.
            let _ = waiting.send(Bytes::copy_from_slice(self.tail.make_contiguous()));
        }
    }

    fn keep(&mut self, line: &[u8]) {
        let line = &line[line.len().saturating_sub(TAIL_BYTES)..];
        let surplus = (self.tail.len() + line.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
        self.tail.extend(line);
    }
}

/// Bytes into lines, the service's told from the function's.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
    of_service: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Line {
    bytes: Vec<u8>,
    of_service: bool,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if byte == MARK {
                if !self.partial.is_empty() {
                    self.partial.push(b'\n');
                    lines.push(self.finish());
                }
                self.of_service = true;
                continue;
            }
            self.partial.push(byte);
            if byte == b'\n' || self.partial.len() == LINE_BYTES_MAX {
                lines.push(self.finish());
            }
        }
        lines
    }

    fn finish(&mut self) -> Line {
        Line {
            bytes: std::mem::take(&mut self.partial),
            of_service: std::mem::take(&mut self.of_service),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The map is whole between any two of its operations, whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(feeds: &[&[u8]]) -> Vec<(String, bool)> {
        let mut lines = Lines::default();
        let lines: Vec<Line> = feeds.iter().flat_map(|feed| lines.feed(feed)).collect();
        lines
            .into_iter()
            .map(|line| (String::from_utf8(line.bytes).unwrap(), line.of_service))
            .collect()
    }

    #[test]
    fn half_lines_do_not_swallow_the_services_own() {
        let want =
            [("a\n".to_owned(), false), ("END\n".to_owned(), true), ("b\n".to_owned(), false)];
        assert_eq!(split(&[b"a\n\x1eEND\nb\n"]), want);
        assert_eq!(split(&[b"a\x1eEND\nb\n"]), want);
        assert_eq!(split(&[b"a", b"\x1e", b"EN", b"D\nb", b"\n"]), want);
    }

    #[test]
    fn endless_lines_are_handed_on_in_parts() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(&vec![b'x'; LINE_BYTES_MAX * 2]).len(), 2);
    }

    #[tokio::test]
    async fn the_tail_is_the_last_4_kb_of_this_invocation() {
        let log = LogTail::open("f", Logs::Discard, false).unwrap();
        let report = Report {
            duration: Duration::from_micros(1_500),
            init: None,
            memory_mb: 128,
            status: None,
            timed_out: None,
        };
        log.start("one", "$LATEST").await;
        (&*log.writer).write_all(b"of the first\n").unwrap();
        let first = log.end("one", &report).await;
        assert_eq!(
            std::str::from_utf8(&first).unwrap(),
            "START RequestId: one Version: $LATEST\nof the first\nEND RequestId: one\n\
             REPORT RequestId: one\tDuration: 1.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\n"
        );
        log.start("two", "$LATEST").await;
        // Beside the reader, because a pipe may hold less: 4 KiB on Windows.
        let writer = Arc::clone(&log.writer);
        let lines = (0..2_000).map(|line| format!("line {line}\n")).collect::<String>();
        spawn_blocking(move || (&*writer).write_all(lines.as_bytes())).await.unwrap().unwrap();
        let second = log.end("two", &report).await;
        assert_eq!(second.len(), TAIL_BYTES);
        let second = std::str::from_utf8(&second).unwrap();
        assert!(second.contains("line 1999\nEND RequestId: two\n"));
        assert!(!second.contains("of the first"));
    }
}
