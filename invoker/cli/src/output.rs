//! Bytes in order go in; they come out of stdout, a pipe or a device, written by a thread that
//! may wait for its reader without holding anyone else up.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::device_name;
use crate::report::Failure;

/// How many batches may wait for the reader beyond the memory limit: half a MiB.
const WAITING_BATCHES: usize = 2;

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
        // By these names it is this process's own stdout as well, with what a shell has put there.
        const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
        if STDOUT.iter().any(|name| path == Path::new(name)) {
            return Self::Sink { name: "stdout".to_owned(), path: None };
        }
        let kept =
            path.file_name().is_some_and(|name| device_name::is_kept(&name.to_string_lossy()));
        match std::fs::metadata(path) {
            // Asked about a device, Windows may know nothing of it.
            _ if cfg!(windows) && kept => {
                Self::Sink { name: path.display().to_string(), path: Some(path.to_owned()) }
            }
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                Self::Sink { name: path.display().to_string(), path: Some(path.to_owned()) }
            }
            _ => Self::File(path.to_owned()),
        }
    }
}

/// A sink that is being written.
pub(crate) struct Sink {
    batches: mpsc::Sender<Vec<Bytes>>,
    written: oneshot::Receiver<std::io::Result<()>>,
    name: String,
}

impl Sink {
    pub(crate) fn open(name: String, path: Option<&Path>) -> Result<Self, Failure> {
        let opened = match path {
            // Opening a pipe waits for its reader, who may never come.
            Some(path) if is_pipe(path) => Opened::Later(path.to_owned()),
            Some(path) => Opened::Now(File::options().write(true).open(path)),
            None => Opened::Now(stdout()),
        };
        let opened = match opened {
            Opened::Now(Err(error)) => {
                return Err(Failure::file(format!("cannot open {name}"), error));
            }
            opened => opened,
        };
        let (batches, mut waiting) = mpsc::channel::<Vec<Bytes>>(WAITING_BATCHES);
        let (done, written) = oneshot::channel();
        // Not a task of the runtime: a reader that never reads must not keep the program from
        // ending.
        std::thread::spawn(move || {
            let write_all = || -> std::io::Result<()> {
                let mut file = match opened {
                    Opened::Now(file) => file?,
                    Opened::Later(path) => File::options().write(true).open(path)?,
                };
                while let Some(batch) = waiting.blocking_recv() {
                    for bytes in batch {
                        file.write_all(&bytes)?;
                    }
                }
                file.flush()
            };
            let _ = done.send(write_all());
        });
        Ok(Self { batches, written, name })
    }

    /// Hands bytes over; waits while too many wait already.
    pub(crate) async fn write(&mut self, batch: Vec<Bytes>) -> Result<(), Failure> {
        match self.batches.send(batch).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// Returns when all bytes are written.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        // The thread ends when nobody can send it any more.
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.batches, closed));
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

enum Opened {
    Now(std::io::Result<File>),
    Later(PathBuf),
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_: &Path) -> bool {
    false
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
