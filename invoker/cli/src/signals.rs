//! The signals that end a program go in; the exit code that a shell gives them comes out.

use crate::report::Failure;

/// Which signals to listen to: what this program was started to ignore, as `nohup` does, it ignores.
#[cfg(unix)]
mod heeded {
    use std::sync::OnceLock;

    /// As the system writes it: one bit for each signal that is ignored.
    static IGNORED: OnceLock<u64> = OnceLock::new();

    /// Whether a signal, by its number, is not ignored. Elsewhere than on Linux all are heeded.
    pub(super) fn is_heeded(number: i32) -> bool {
        // Asked before the first handler is there, for handlers change the answer.
        let ignored = *IGNORED.get_or_init(|| ignored().unwrap_or_default());
        ignored >> (number - 1) & 1 == 0
    }

    fn ignored() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    }
}

/// Waits for the first of them.
#[cfg(unix)]
pub(crate) async fn interrupted() -> Failure {
    use tokio::signal::unix::SignalKind;
    tokio::select! {
        () = one(SignalKind::hangup()) => Failure::Signal { code: 129 },
        () = one(SignalKind::interrupt()) => Failure::Signal { code: 130 },
        () = one(SignalKind::terminate()) => Failure::Signal { code: 143 },
    }
}

#[cfg(unix)]
async fn one(kind: tokio::signal::unix::SignalKind) {
    if heeded::is_heeded(kind.as_raw_value())
        && let Ok(mut signals) = tokio::signal::unix::signal(kind)
    {
        signals.recv().await;
        return;
    }
    // Ignored; or without a handler it keeps its default, and the process ends.
    std::future::pending().await
}

/// Waits for the first of what a console tells: the keys Ctrl-C and Ctrl-Break, its window closing, the
/// system's end. Each counts as the signal that is its like.
#[cfg(windows)]
pub(crate) async fn interrupted() -> Failure {
    use tokio::signal::windows;
    macro_rules! one {
        ($listen:ident) => {
            async {
                match windows::$listen() {
                    Ok(mut told) => drop(told.recv().await),
                    // Without a handler it keeps its default, and the process ends.
                    Err(_) => std::future::pending().await,
                }
            }
        };
    }
    tokio::select! {
        () = one!(ctrl_close) => Failure::Signal { code: 129 },
        () = one!(ctrl_c) => Failure::Signal { code: 130 },
        () = one!(ctrl_break) => Failure::Signal { code: 130 },
        () = one!(ctrl_shutdown) => Failure::Signal { code: 143 },
    }
}

/// Waits for Ctrl-C.
#[cfg(not(any(unix, windows)))]
pub(crate) async fn interrupted() -> Failure {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Failure::Signal { code: 130 },
        Err(_) => std::future::pending().await,
    }
}

/// Whoever sends a second signal does not want to wait for what is written down after the first.
pub(crate) fn exit_at_the_next() {
    tokio::spawn(async {
        if let Failure::Signal { code } = interrupted().await {
            std::process::exit(i32::from(code));
        }
    });
}
