//! The Lambda service on loopback: in, calls of any AWS SDK; out, what functions in child processes
//! answer, streamed while they write it. No account is needed and no SDK or runtime is changed.
//!
//! The modules stand in the order an invocation passes them.

mod invoke_api;

mod function_url;

mod payload;

mod name;

mod refusal;

mod admission;

mod service;

mod fault;

mod pool;

mod relay;

mod frames;

mod pace;

mod answer;

mod environment;

mod runtime_api;

mod log_tail;

mod invocation;

mod connection;

mod function;

mod limits;

mod stats;

mod error;

mod local_lambda;

pub use error::{Error, ErrorKind};
pub use fault::{
    Asked, Closing, FAULT_FORMS, Fault, FaultRule, FrameNumber, Place, SELECTION_FORMS,
};
pub use function::{Function, MEMORY_DEFAULT_MB, TIMEOUT_DEFAULT};
pub use limits::{
    ACCOUNT_CONCURRENCY, BUFFERED_RESPONSE_BYTES, BURST_BYTES, CLIENT_CONTEXT_BYTES, INIT_TIMEOUT,
    Limits, PAYLOAD_BYTES, Pace, REFILL_BYTES, REFILL_EVERY, STREAMED_RESPONSE_BYTES,
};
pub use local_lambda::{Builder, LocalLambda, REGION_DEFAULT};
pub use log_tail::{EachLine, Logs};
pub use refusal::ThrottleReason;
pub use stats::Stats;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
