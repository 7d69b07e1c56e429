//! What a frame may claim about itself before anything is buffered for it.

/// The largest sizes a frame may declare. A frame that declares more is refused on its first twelve
/// bytes, so the limits bound what one stream can make its reader hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Encoded headers of one frame, in bytes.
    pub headers: u32,
    /// Payload of one frame, in bytes.
    pub payload: u32,
}

impl Limits {
    /// The maxima of the event-stream specification: 128 KiB of headers, 24 MiB of payload.
    /// Source: the Smithy specification, "Amazon Event Stream".
    pub const SPECIFICATION: Self = Self { headers: 128 * 1024, payload: 24 * 1024 * 1024 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::SPECIFICATION
    }
}
