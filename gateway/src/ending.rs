//! The ways in which an exchange ends come in as one word each; what a client, a metric and the access log
//! call them goes out. Pure.

use std::fmt;

/// How an exchange ended, as metrics and the access log name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// All of the answer was proven to be there, and handed to the client's connection.
    Whole,
    /// The client left before that.
    ClientGone,
    /// The gateway said no by itself: no such route, too large, too many, not allowed.
    Rejected,
    /// The function failed: its own error, its exit, its time limit.
    Function,
    /// The answer ended before its proven end, or the connection broke before it began.
    Truncated,
    /// What came is not what was sent.
    Corrupt,
    TimedOut,
    /// There was no connection: nothing was run.
    Unreachable,
    /// There was no capacity: nothing was run.
    Throttled,
    Refused,
}

impl Ending {
    /// For a client who is not to know more.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Whole => "the answer is whole",
            Self::ClientGone => "the client is gone",
            Self::Rejected => "the gateway rejects this request",
            Self::Function => "the function failed",
            Self::Truncated => "the connection to the upstream broke",
            Self::Corrupt => "the upstream's answer is not as it was sent",
            Self::TimedOut => "the upstream did not answer in time",
            Self::Unreachable => "the upstream cannot be reached",
            Self::Throttled => "the upstream has no capacity now",
            Self::Refused => "the upstream refused the request",
        }
    }

    /// As a type of an error.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Whole => "Whole",
            Self::ClientGone => "ClientGone",
            Self::Rejected => "Rejected",
            Self::Function => "Function",
            Self::Truncated => "Truncated",
            Self::Corrupt => "Corrupt",
            Self::TimedOut => "TimedOut",
            Self::Unreachable => "Unreachable",
            Self::Throttled => "Throttled",
            Self::Refused => "Refused",
        }
    }

    /// Whether it is certain that the request was not acted upon.
    pub(crate) fn is_unheard(self) -> bool {
        matches!(self, Self::Unreachable | Self::Throttled)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "whole",
            Self::ClientGone => "client-gone",
            Self::Rejected => "rejected",
            Self::Function => "function",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::TimedOut => "timed-out",
            Self::Unreachable => "unreachable",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
        })
    }
}
