//! The head of a first answer goes in; what it tells of the result comes out.

use serde::{Deserialize, Serialize};

use crate::checksum;
use crate::content_encoding;
use crate::head::Head;

/// What the first answer told of the result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Description {
    /// Whether it can be fetched by segments.
    pub ranges: bool,
    /// The size of the object, or the promised length of a plain stream that is not decoded, in bytes.
    pub size: Option<u64>,
    /// The version of the object: its strong ETag, with the quotes.
    pub etag: Option<String>,
    /// The version of the function that answered: `$LATEST` or a number.
    pub executed_version: Option<String>,
    /// The media type.
    pub content_type: Option<String>,
    /// The encoding that the result came in, such as `zstd`; `None` if it has none. A plain stream is
    /// decoded unless [compression](crate::Download::compression) is off. An object is not: its ranges
    /// are of the bytes as they are stored.
    pub encoding: Option<String>,
    /// When the object was last modified, as an HTTP date.
    pub last_modified: Option<String>,
    /// CRC-64/NVME of the object, base64 as S3 writes it.
    pub checksum: Option<String>,
}

impl Description {
    pub(crate) fn of(
        head: Option<&Head>,
        executed_version: Option<&str>,
        size: Option<u64>,
        ranges: bool,
    ) -> Self {
        let header = |name| head.and_then(|head| head.header(name)).map(str::to_owned);
        Self {
            ranges,
            size,
            etag: header("etag"),
            executed_version: executed_version.map(str::to_owned),
            content_type: header("content-type"),
            encoding: head.and_then(content_encoding::name),
            last_modified: header("last-modified"),
            checksum: header(checksum::HEADER),
        }
    }
}
