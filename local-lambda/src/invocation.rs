//! What passes between the caller's side and the function's side of one invocation: in one direction
//! the invocation, in the other its answer, as it comes.

mod exit_status;

use bytes::Bytes;
use http::HeaderValue;
use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Answers that wait between the function's connection and its caller. One, so that a caller who
/// does not read soon stops the function; `Taken` and `Begin` need no room of their own.
pub(crate) const ANSWERS_AHEAD: usize = 1;

/// One call of a function, as the Runtime API hands it out.
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) arn: HeaderValue,
    pub(crate) payload: Bytes,
    pub(crate) client_context: Option<HeaderValue>,
    pub(crate) tenant_id: Option<HeaderValue>,
    pub(crate) trace_id: HeaderValue,
    pub(crate) timeout: Duration,
    pub(crate) answers: mpsc::Sender<Answer>,
}

/// What the function does with an invocation. The channel closing without an [`Answer::End`] means
/// that the function's connection was cut, or that its process is gone.
pub(crate) enum Answer {
    /// The runtime took it: its time runs.
    Taken(Instant),
    /// The response begins; of which type its body is, if the function says so.
    Begin { content_type: Option<HeaderValue> },
    /// Bytes of the response.
    Data(Bytes),
    /// The function is done.
    End { ending: Ending, verdict: oneshot::Sender<Verdict> },
}

/// What the runtime is told about the response it posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    TooLarge { limit: u64 },
}

/// Every way an invocation can end.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The whole response came.
    Complete,
    /// The function posted an error instead of a response.
    Unhandled(Bytes),
    /// The function named an error after its response began, or while it started.
    Reported { error_type: String, details: Bytes },
    /// The process ended.
    Exited(ExitStatus),
    /// The program could not be started.
    NotStarted { program: std::ffi::OsString, error: std::io::ErrorKind },
    /// The function took longer than it may.
    TimedOut(Duration),
    /// The environment never asked for an invocation.
    InitTimedOut(Duration),
    /// The function's connection was cut inside the response; its process lives.
    Truncated,
    /// The response is longer than it may be.
    TooLarge { limit: u64 },
}

/// How a failed invocation is told to callers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// `InvokeComplete.ErrorCode`.
    pub(crate) code: String,
    /// `InvokeComplete.ErrorDetails`; the payload of `Invoke`.
    pub(crate) details: Bytes,
}

impl Ending {
    /// The failure, unless it is none.
    pub(crate) fn failure(&self, request_id: &str) -> Option<Failure> {
        let told = |code: &str, message: fmt::Arguments<'_>| {
            let details = serde_json::json!({
                "errorType": code,
                "errorMessage": format!("RequestId: {request_id} Error: {message}"),
            });
            Some(Failure { code: code.into(), details: details.to_string().into() })
        };
        match self {
            Self::Complete => None,
            Self::Unhandled(details) => {
                Some(Failure { code: "Unhandled".into(), details: details.clone() })
            }
            Self::Reported { error_type, details } => {
                Some(Failure { code: error_type.clone(), details: details.clone() })
            }
            Self::Exited(status) if status.success() => {
                told("Runtime.ExitError", format_args!("Runtime exited without providing a reason"))
            }
            Self::Exited(status) => told(
                "Runtime.ExitError",
                format_args!("Runtime exited with error: {}", exit_status::words(*status)),
            ),
            Self::NotStarted { program, error } => told(
                "Runtime.InvalidEntrypoint",
                format_args!("the program {} cannot be started: {error}", program.display()),
            ),
            Self::TimedOut(after) => told(
                "Sandbox.Timedout",
                format_args!("Task timed out after {:.2} seconds", after.as_secs_f64()),
            ),
            Self::InitTimedOut(after) => told(
                "Sandbox.Timedout",
                format_args!("Init phase timed out after {:.2} seconds", after.as_secs_f64()),
            ),
            Self::Truncated => {
                told("Runtime.TruncatedResponse", format_args!("Response was cut before its end"))
            }
            // The service's words for this one, which carry no request id.
            Self::TooLarge { limit } => {
                const CODE: &str = "Function.ResponseSizeTooLarge";
                let details = serde_json::json!({
                    "errorType": CODE,
                    "errorMessage": format!(
                        "Response payload size exceeded maximum allowed payload size ({limit} bytes)."
                    ),
                });
                Some(Failure { code: CODE.into(), details: details.to_string().into() })
            }
        }
    }

    /// The service's word for it in the REPORT line.
    pub(crate) fn status(&self) -> Option<&'static str> {
        match self {
            Self::Complete => None,
            Self::TimedOut(_) | Self::InitTimedOut(_) => Some("timeout"),
            _ => Some("error"),
        }
    }

    /// Whether the environment may serve on. One that broke its own connection may never ask again.
    pub(crate) fn spares_environment(&self) -> bool {
        matches!(
            self,
            Self::Complete | Self::Unhandled(_) | Self::Reported { .. } | Self::TooLarge { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_but_one_has_a_code_and_details() {
        let details = Bytes::from_static(b"{}");
        for (ending, code, part) in [
            (Ending::Unhandled(details.clone()), "Unhandled", "{}"),
            (
                Ending::Reported { error_type: "Function.Boom".into(), details },
                "Function.Boom",
                "{}",
            ),
            (Ending::Exited(exit_status::of_code(3)), "Runtime.ExitError", "exit status 3"),
            (Ending::Exited(exit_status::of_code(0)), "Runtime.ExitError", "without"),
            (
                Ending::TimedOut(Duration::from_millis(1500)),
                "Sandbox.Timedout",
                "RequestId: id Error: Task timed out after 1.50 seconds",
            ),
            (Ending::Truncated, "Runtime.TruncatedResponse", "cut"),
            (
                Ending::TooLarge { limit: 6291556 },
                "Function.ResponseSizeTooLarge",
                "(6291556 bytes)",
            ),
        ] {
            let failure = ending.failure("id").unwrap();
            assert_eq!(failure.code, code);
            let text = std::str::from_utf8(&failure.details).unwrap();
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(Ending::Complete.failure("id"), None);
    }
}
