//! How much clients may ask for, as TOML has it.

use std::num::NonZero;
use std::time::Duration;

use serde::Deserialize;

use super::quantity;

/// The largest headers of a request, in bytes: what nginx takes (`large_client_header_buffers`, four of
/// 8 KiB), and more than a function is ever told.
const HEADERS_DEFAULT: u64 = 32 * 1024;

/// The most that can be asked for, in bytes: so much is kept for each connection that sends it.
const HEADERS_MOST: u64 = 1024 * 1024;

/// The least, in bytes: what hyper reads at once.
const HEADERS_LEAST: u64 = 8 * 1024;

/// The most connections at once: with 64 KiB for each, 256 MiB.
const CONNECTIONS_DEFAULT: NonZero<usize> = NonZero::new(4096).expect("it is more than nothing");

/// How long a request's head may take, and a connection may be unused: hyper's and Go's habit is 30 s.
const HEADER_READ_DEFAULT: Duration = Duration::from_secs(30);

/// How long a client may take nothing of what waits for it: nginx's habit (`send_timeout`), and the function
/// that it holds back is billed meanwhile.
const WRITE_DEFAULT: Duration = Duration::from_secs(60);

/// The most streams at once on one HTTP/2 connection: the least that RFC 9113 recommends (section 6.5.2).
const STREAMS_DEFAULT: NonZero<u32> = NonZero::new(100).expect("it is more than nothing");

/// The largest payload of an invocation, in bytes (AWS Lambda developer guide, "Quotas").
const BODY_DEFAULT: u64 = 6 * 1_000_000;

/// What is not said is a default.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, expecting = "a table: [limits]")]
pub(crate) struct Limits {
    #[serde(default, deserialize_with = "headers")]
    headers: Option<u64>,
    connections: Option<NonZero<usize>>,
    #[serde(default, deserialize_with = "quantity::duration")]
    header_read_timeout: Option<Duration>,
    #[serde(default, deserialize_with = "quantity::duration")]
    write_timeout: Option<Duration>,
    streams_per_connection: Option<NonZero<u32>>,
    #[serde(default, deserialize_with = "quantity::size")]
    body: Option<u64>,
    /// Exchanges at once, of each route that says nothing itself.
    pub(super) in_flight: Option<NonZero<u32>>,
}

impl Limits {
    /// Of a request, in bytes: its names and values.
    pub(crate) fn headers(&self) -> usize {
        usize::try_from(self.headers.unwrap_or(HEADERS_DEFAULT)).unwrap_or(usize::MAX)
    }

    /// At once.
    pub(crate) fn connections(&self) -> usize {
        self.connections.unwrap_or(CONNECTIONS_DEFAULT).get()
    }

    /// From a connection, or the end of its last answer, to the end of the next request's head.
    pub(crate) fn header_read(&self) -> Duration {
        self.header_read_timeout.unwrap_or(HEADER_READ_DEFAULT)
    }

    /// While something waits for a client that takes nothing.
    pub(crate) fn write(&self) -> Duration {
        self.write_timeout.unwrap_or(WRITE_DEFAULT)
    }

    /// At once, on one HTTP/2 connection.
    pub(crate) fn streams_per_connection(&self) -> u32 {
        self.streams_per_connection.unwrap_or(STREAMS_DEFAULT).get()
    }

    /// Of a request, in bytes, where its route says nothing.
    pub(crate) fn body(&self) -> u64 {
        self.body.unwrap_or(BODY_DEFAULT)
    }
}

fn headers<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let size = quantity::size(from)?;
    match size {
        Some(size) if !(HEADERS_LEAST..=HEADERS_MOST).contains(&size) => {
            Err(serde::de::Error::custom("headers are limited to 8KiB at least, 1MiB at most"))
        }
        _ => Ok(size),
    }
}
