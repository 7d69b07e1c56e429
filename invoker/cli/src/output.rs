//! Bytes in order go in; they come out of stdout, a pipe or a device, written by a thread that
//! may wait for its reader without holding anyone else up.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::report::Failure;

/// How many pieces may wait for the reader beyond the memory limit: with the usual frames of up to
/// 64 KiB, half a MiB.
const WAITING_PIECES: usize = 8;

/// Where a result goes.
pub(crate) enum Destination {
    /// A file that is there only when the result is whole.
    File(PathBuf),
    /// Stdout, a pipe or a device: bytes in order, and no way back.
    Sink { name: String, path: Option<PathBuf> },
}

impl Destination {
    /// `-` is stdout. What exists and is no plain file cannot be replaced, only written.
    pub(crate) fn of(path: &Path) -> Self {
        if path == Path::new("-") {
            return Self::Sink { name: "stdout".to_owned(), path: None };
        }
        match std::fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                Self::Sink { name: path.display().to_string(), path: Some(path.to_owned()) }
            }
            _ => Self::File(path.to_owned()),
        }
    }
}

/// A sink that is being written.
pub(crate) struct Sink {
    pieces: mpsc::Sender<Bytes>,
    written: oneshot::Receiver<std::io::Result<()>>,
    name: String,
}

impl Sink {
    pub(crate) fn open(name: String, path: Option<&Path>) -> Result<Self, Failure> {
        let opened = match path {
            Some(path) => File::options().write(true).open(path),
            None => stdout(),
        };
        let mut file =
            opened.map_err(|error| Failure::file(format!("cannot open {name}"), error))?;
        let (pieces, mut waiting) = mpsc::channel::<Bytes>(WAITING_PIECES);
        let (done, written) = oneshot::channel();
        // Not a task of the runtime: a reader that never reads must not keep the program from
        // ending.
        std::thread::spawn(move || {
            let mut write_all = || -> std::io::Result<()> {
                while let Some(bytes) = waiting.blocking_recv() {
                    file.write_all(&bytes)?;
                }
                file.flush()
            };
            let _ = done.send(write_all());
        });
        Ok(Self { pieces, written, name })
    }

    /// Hands bytes over; waits while too many wait already.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        match self.pieces.send(bytes).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// Returns when all bytes are written.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        // The thread ends when nobody can send it any more.
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.pieces, closed));
        match (&mut self.written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.failed(error)),
            Err(_) => Err(self.failed(std::io::Error::other("its thread ended early"))),
        }
    }

    async fn failure(&mut self) -> Failure {
        match (&mut self.written).await {
            Ok(Err(error)) => self.failed(error),
            _ => self.failed(std::io::Error::other("its thread ended early")),
        }
    }

    fn failed(&self, error: std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::file(format!("cannot write {}", self.name), error),
        }
    }
}

/// Stdout without the line buffer that the standard library puts in front of it.
#[cfg(unix)]
fn stdout() -> std::io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(std::io::stdout().as_fd().try_clone_to_owned()?))
}

/// Stdout without the line buffer that the standard library puts in front of it.
#[cfg(windows)]
fn stdout() -> std::io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(std::io::stdout().as_handle().try_clone_to_owned()?))
}
