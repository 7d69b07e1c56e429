//! The reading end of a pipe goes in; what comes through it goes out, to a task that holds up no
//! thread of the runtime.

use std::io::{self, PipeReader};

#[cfg(unix)]
pub(super) use polled::Polled as Incoming;
#[cfg(not(unix))]
pub(super) use threaded::Threaded as Incoming;

/// Unix: the runtime hears of what is there.
#[cfg(unix)]
mod polled {
    use super::{PipeReader, io};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::unix::pipe::Receiver;

    /// What comes through a pipe.
    pub(crate) struct Polled {
        pipe: Receiver,
        read: Vec<u8>,
    }

    impl Polled {
        /// Reads at most `size` bytes at once. Needs the runtime.
        pub(crate) fn open(pipe: PipeReader, size: usize) -> io::Result<Self> {
            Ok(Self { pipe: Receiver::from_owned_fd(pipe.into())?, read: vec![0; size] })
        }

        /// What came next; `None` when nobody has the other end any more.
        pub(crate) async fn next(&mut self) -> Option<&[u8]> {
            match self.pipe.read(&mut self.read).await {
                Ok(0) | Err(_) => None,
                Ok(length) => Some(&self.read[..length]),
            }
        }
    }
}

/// Elsewhere, in particular on Windows, such a pipe can only be waited for by a thread. The tests try it
/// on any system.
#[cfg(any(not(unix), test))]
mod threaded {
    use super::{PipeReader, io};
    use std::io::Read as _;
    use std::thread;
    use tokio::sync::mpsc;

    /// How many reads may wait for the task. The pipe itself holds more.
    const WAITING_READS: usize = 1;

    /// What comes through a pipe.
    pub(crate) struct Threaded {
        reads: mpsc::Receiver<Vec<u8>>,
        read: Vec<u8>,
    }

    impl Threaded {
        /// Reads at most `size` bytes at once.
        pub(crate) fn open(mut pipe: PipeReader, size: usize) -> io::Result<Self> {
            let (each, reads) = mpsc::channel(WAITING_READS);
            // A thread of its own and not one of the runtime's: nothing can wake it but the other end
            // of the pipe, which something that a function left behind may hold for ever, and the end
            // of the runtime would wait for it. This one ends with the pipe, with the first read that
            // nobody takes, or with the process.
            thread::Builder::new().name("function log".into()).spawn(move || {
                let mut read = vec![0; size];
                loop {
                    match pipe.read(&mut read) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Ok(0) | Err(_) => return,
                        Ok(length) => {
                            if each.blocking_send(read[..length].to_vec()).is_err() {
                                return;
                            }
                        }
                    }
                }
            })?;
            Ok(Self { reads, read: Vec::new() })
        }

        /// What came next; `None` when nobody has the other end any more.
        pub(crate) async fn next(&mut self) -> Option<&[u8]> {
            self.read = self.reads.recv().await?;
            Some(&self.read)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::threaded::Threaded;
    use super::*;
    use std::io::Write as _;
    use std::sync::mpsc;
    use std::time::Duration;

    /// No end of a runtime here takes so long.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_thread_hands_on_everything_in_order_and_the_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut incoming = Threaded::open(reader, 7).unwrap();
        // More than a pipe holds, so that the writer has to wait for the reader.
        let sent: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let writing = {
            let sent = sent.clone();
            std::thread::spawn(move || writer.write_all(&sent).unwrap())
        };
        let mut received = Vec::new();
        while let Some(read) = incoming.next().await {
            assert!((1..=7).contains(&read.len()));
            received.extend_from_slice(read);
        }
        writing.join().unwrap();
        assert!(received == sent, "{} bytes of {}", received.len(), sent.len());
    }

    #[test]
    fn who_keeps_the_other_end_does_not_keep_the_runtime_from_ending() {
        let (reader, writer) = io::pipe().unwrap();
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let mut incoming = Threaded::open(reader, 7).unwrap();
            runtime.spawn(async move { incoming.next().await.map(<[u8]>::to_vec) });
            drop(runtime);
            ended.send(()).unwrap();
        });
        end.recv_timeout(PATIENCE).expect("the runtime ends");
        drop(writer);
    }
}
