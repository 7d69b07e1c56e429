//! The signals that end a program go in; the exit code that a shell gives them comes out.

use crate::report::Failure;

/// Waits for the first of them. Later ones say nothing new: the program is ending by then.
#[cfg(unix)]
pub(crate) async fn interrupted() -> Failure {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut hangup), Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::hangup()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // Without handlers the signals keep their default: the process ends.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = hangup.recv() => Failure::Signal { code: 129 },
        _ = interrupt.recv() => Failure::Signal { code: 130 },
        _ = terminate.recv() => Failure::Signal { code: 143 },
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn interrupted() -> Failure {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Failure::Signal { code: 130 },
        Err(_) => std::future::pending().await,
    }
}
