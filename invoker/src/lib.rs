//! Calls Lambda functions that stream their results, and gives back exactly the bytes the function
//! meant, or a typed error.
#![doc = ""]

pub mod event_stream;

mod error;
mod invocation;

pub use error::{Error, ErrorKind};
pub use invocation::{Invocation, Timeouts};
