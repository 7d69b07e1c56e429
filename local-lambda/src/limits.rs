//! The limits the service holds invocations to: in, nothing; out, numbers with their sources. Each
//! one can be switched off by itself.

use std::time::Duration;

/// Bytes a response may send at once before the pace holds it (AWS documentation, "Response
/// streaming for Lambda functions": the first 6 MB; `ResponseBandwidthBurstSize` of AWS's Runtime
/// Interface Emulator).
pub const BURST_BYTES: u64 = 6 * 1024 * 1024;
/// Bytes the allowance grows by at every refill: 2 MiB a second in eight parts (the same source,
/// `ResponseBandwidthRate`).
pub const REFILL_BYTES: u64 = 262_144;
/// Time between two refills (the same source).
pub const REFILL_EVERY: Duration = Duration::from_millis(125);
/// Bytes of a streamed response (AWS documentation: 200 MB; read as MiB, as the service's other
/// sizes are).
pub const STREAMED_RESPONSE_BYTES: u64 = 200 * 1024 * 1024;
/// Bytes of a buffered response (the number in the service's own message about it).
pub const BUFFERED_RESPONSE_BYTES: u64 = 6 * 1024 * 1024 + 100;
/// Bytes of a payload (the number in the service's own message about it).
pub const PAYLOAD_BYTES: u64 = 6 * 1024 * 1024;
/// Bytes of a client context in base64 (the service model of Invoke).
pub const CLIENT_CONTEXT_BYTES: usize = 3_583;
/// Invocations of an account that run at once (AWS documentation, "Lambda quotas").
pub const ACCOUNT_CONCURRENCY: usize = 1_000;
/// How long an environment may take until it first asks for an invocation (AWS documentation,
/// "Lambda runtime environment lifecycle": 10 seconds).
pub const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which limits hold. `None` and `false` switch one off.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How fast a streamed response may flow.
    pub pace: Option<Pace>,
    /// How long a streamed response may be, in bytes.
    pub streamed_response_bytes: Option<u64>,
    /// How long the response of `Invoke` may be, in bytes.
    pub buffered_response_bytes: Option<u64>,
    /// How long a payload may be, in bytes.
    pub payload_bytes: Option<u64>,
    /// How long a client context may be, in bytes of base64.
    pub client_context_bytes: Option<usize>,
    /// How many invocations of all functions may run at once.
    pub account_concurrency: Option<usize>,
    /// Whether the concurrency a function reserves is also the most it gets.
    pub function_concurrency: bool,
    /// Whether an invocation is ended at its function's timeout.
    pub timeout: bool,
    /// How long an environment may take to ask for its first invocation.
    pub init_timeout: Option<Duration>,
}

/// A token bucket: full at the start, refilled in equal parts at equal times, idle or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes the bucket holds.
    pub burst_bytes: u64,
    /// Bytes of one refill.
    pub refill_bytes: u64,
    /// Time between refills.
    pub refill_every: Duration,
}

impl Pace {
    /// The service's pace: 6 MiB at once, then 2 MiB a second.
    pub const fn aws() -> Self {
        Self { burst_bytes: BURST_BYTES, refill_bytes: REFILL_BYTES, refill_every: REFILL_EVERY }
    }
}

impl Limits {
    /// Every limit, as the service has it.
    pub const fn aws() -> Self {
        Self {
            pace: Some(Pace::aws()),
            streamed_response_bytes: Some(STREAMED_RESPONSE_BYTES),
            buffered_response_bytes: Some(BUFFERED_RESPONSE_BYTES),
            payload_bytes: Some(PAYLOAD_BYTES),
            client_context_bytes: Some(CLIENT_CONTEXT_BYTES),
            account_concurrency: Some(ACCOUNT_CONCURRENCY),
            function_concurrency: true,
            timeout: true,
            init_timeout: Some(INIT_TIMEOUT),
        }
    }

    /// None of the service's limits. A function that never starts is still given up after
    /// [`INIT_TIMEOUT`]: waiting for it for ever would serve nobody.
    pub const fn off() -> Self {
        Self {
            pace: None,
            streamed_response_bytes: None,
            buffered_response_bytes: None,
            payload_bytes: None,
            client_context_bytes: None,
            account_concurrency: None,
            function_concurrency: false,
            timeout: false,
            init_timeout: Some(INIT_TIMEOUT),
        }
    }

    /// These limits with another pace.
    pub const fn with_pace(mut self, pace: Option<Pace>) -> Self {
        self.pace = pace;
        self
    }

    /// These limits with another longest streamed response.
    pub const fn with_streamed_response_bytes(mut self, bytes: Option<u64>) -> Self {
        self.streamed_response_bytes = bytes;
        self
    }

    /// These limits with another longest buffered response.
    pub const fn with_buffered_response_bytes(mut self, bytes: Option<u64>) -> Self {
        self.buffered_response_bytes = bytes;
        self
    }

    /// These limits with another longest payload.
    pub const fn with_payload_bytes(mut self, bytes: Option<u64>) -> Self {
        self.payload_bytes = bytes;
        self
    }

    /// These limits with another number of invocations at once.
    pub const fn with_account_concurrency(mut self, invocations: Option<usize>) -> Self {
        self.account_concurrency = invocations;
        self
    }

    /// These limits with another time for an environment to start.
    pub const fn with_init_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.init_timeout = timeout;
        self
    }

    /// These limits, ending invocations at the function's timeout or not.
    pub const fn with_timeout(mut self, on: bool) -> Self {
        self.timeout = on;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::aws()
    }
}
