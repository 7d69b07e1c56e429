//! Calls Lambda functions that stream their results, and gives back exactly the bytes the function
//! meant, or a typed error.
//!
//! The floors, from the socket up: [`event_stream`] makes intact frames of bytes; an invocation
//! makes payload and a certain outcome of frames; the head is read off the payload; what is left
//! is the body, a [`ResponseStream`]. A segment holds such bodies to one range of one version, and
//! a [`Download`] joins segments, into a file or in order.
#![doc = ""]
#![doc = include_str!("../README.md")]

pub mod event_stream;

mod byte_range;
mod checksum;
mod deadline;
mod error;
#[cfg(feature = "http-client")]
mod http_client;
mod invocation;
mod meter;
pub mod trace;

mod head;

mod content_encoding;

mod body;

mod client;

mod description;
mod memory_budget;
mod piece;
mod progress;
mod segment;

mod download;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;

pub use body::ResponseStream;
pub use checksum::Checksum;
pub use client::Invoker;
pub use description::Description;
pub use download::{
    DEFAULT_IN_FLIGHT, DEFAULT_SEGMENT_SIZE, Download, FileChecksums, Integrity, OrderedBody,
    OrderedBytes, Report, Unfinished, Verified, Wanted, file_checksums,
};
pub use error::{Error, ErrorKind, TimeLimit};
pub use head::Head;
#[cfg(feature = "http-client")]
pub use http_client::{HttpClient, HttpClientBuilder, Proxies};
#[cfg(feature = "function-url")]
pub use invocation::FunctionUrls;
pub use invocation::{Invocation, Timeouts};
pub use memory_budget::{DEFAULT_MEMORY_LIMIT, MemoryBudget};
pub use meter::FREE_STREAMED_BYTES;
pub use progress::{DownloadEvent, DownloadEvents, LogTail, Progress, Snapshot};
