//! The system's signals come in; what they ask of the gateway goes out.

use std::io;

/// What a shell gives to whom SIGINT and SIGTERM kill: 128 and the signal's number.
const INTERRUPTED: u8 = 130;
#[cfg(unix)]
const TERMINATED: u8 = 143;

/// What somebody outside wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Read the configuration again.
    Reload,
    /// Come to an end. The code is what a shell gives to whom the signal kills.
    End { code: u8 },
}

/// Those that have come and were not yet taken.
#[cfg(unix)]
pub(super) struct Signals {
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From now on they do not kill.
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next one. Cancel safe: none is lost.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.hangup.recv() => Signal::Reload,
            Some(()) = self.interrupt.recv() => Signal::End { code: INTERRUPTED },
            Some(()) = self.terminate.recv() => Signal::End { code: TERMINATED },
            else => std::future::pending().await,
        }
    }

    /// The next one that ends the gateway, by its code; others stay for later. Cancel safe.
    pub(super) async fn end(&mut self) -> u8 {
        tokio::select! {
            Some(()) = self.interrupt.recv() => INTERRUPTED,
            Some(()) = self.terminate.recv() => TERMINATED,
            else => std::future::pending().await,
        }
    }
}

/// Ctrl-C alone.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::End { code: INTERRUPTED },
            // Without a handler it keeps its default, and the process ends.
            Err(_) => std::future::pending().await,
        }
    }

    pub(super) async fn end(&mut self) -> u8 {
        loop {
            if let Signal::End { code } = self.next().await {
                return code;
            }
        }
    }
}
