//! How objects are fetched by segments, as the `[segments]` table has it.

use std::num::NonZeroUsize;

use serde::Deserialize;

use super::quantity;

/// The smallest segment that may be asked for, in bytes: each is an invocation, with its own price and its
/// own time to begin.
const SEGMENT_SIZE_LEAST: u64 = 64 * 1024;

/// The most of either, in bytes: what the library counts with.
const MOST: u64 = 4 * 1024 * 1024 * 1024;

/// For all routes with `segments = true` together; what is not said is the library's default.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, expecting = "a table: [segments]")]
pub(crate) struct Segments {
    /// Bytes held for clients, of all requests together.
    #[serde(default, deserialize_with = "quantity::size")]
    pub(crate) memory_limit: Option<u64>,
    /// Segments in flight at most, of one request.
    pub(crate) in_flight: Option<NonZeroUsize>,
    /// Bytes of one segment.
    #[serde(default, deserialize_with = "quantity::size")]
    pub(crate) segment_size: Option<u64>,
}

impl Segments {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        let least = SEGMENT_SIZE_LEAST;
        for (name, size) in
            [("memory_limit", self.memory_limit), ("segment_size", self.segment_size)]
        {
            if size.is_some_and(|size| size < least || size > MOST) {
                return Err(format!("`{name}` of [segments] is from {least} bytes to 4 GiB"));
            }
        }
        let limit = self.memory_limit.unwrap_or(invoker::DEFAULT_MEMORY_LIMIT as u64);
        if self.segment_size.is_some_and(|size| size > limit) {
            return Err("a segment is no larger than the `memory_limit` of [segments]".into());
        }
        Ok(())
    }
}
