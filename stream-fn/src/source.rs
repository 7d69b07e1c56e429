//! The name of an object comes in; what is known about the object and the bytes of any range of it go
//! out. Where the objects come from is a [`Source`].

mod content_type;
mod directory;
pub mod pattern;
#[cfg(feature = "s3")]
mod s3;
mod setting;

use crate::error::BoxError;
use crate::failure::Failure;
use crate::version::Version;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::time::SystemTime;

pub use directory::Directory;
pub use pattern::Pattern;
#[cfg(feature = "s3")]
pub use s3::S3;
pub use setting::{parse, parse_with_checksum};

/// How many bytes the sources here read or make at a time. Large enough that what every piece costs on
/// its way (a frame of some hundred bytes, a system call, a wake-up) is lost in it, small enough that
/// memory does not count; the runtime side of Lambda copies in 32 KiB steps whatever is sent.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// The bytes of an answer. An error ends them.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// What [`Source::open`] gives, sooner or later.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Object, OpenError>> + Send + 'a>>;

/// What [`Object::with_checksum`] gives, sooner or later.
pub type Summing = Pin<Box<dyn Future<Output = Option<u64>> + Send>>;

/// Where objects come from.
pub trait Source: Send + Sync + 'static {
    /// Finds the object of this name. The name is as the caller gave it, percent decoded once: nothing
    /// about it has been checked.
    fn open<'a>(&'a self, name: &'a str) -> Opening<'a>;

    /// Finds one version of the object of this name, by an id that the store of the source has for it: the
    /// parameter `versionId` of an HTTP event. Most sources have no such ids, and none is found.
    fn open_version<'a>(&'a self, name: &'a str, version_id: &'a str) -> Opening<'a> {
        let _ = (name, version_id);
        let words = "no such version: this source keeps none by versionId".to_owned();
        Box::pin(std::future::ready(Err(OpenError::NotFound(words))))
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn open<'a>(&'a self, name: &'a str) -> Opening<'a> {
        (**self).open(name)
    }

    fn open_version<'a>(&'a self, name: &'a str, version_id: &'a str) -> Opening<'a> {
        (**self).open_version(name, version_id)
    }
}

/// What is known about an object before it is read.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// Its size in bytes.
    pub size: u64,
    /// Its version: the bytes of two reads with the same version are the same.
    pub version: Version,
    /// Its media type.
    pub content_type: String,
    /// The encoding in which it is stored, if it is: `content-encoding`. Size, ranges and checksum are
    /// those of its bytes as they are stored.
    pub content_encoding: Option<String>,
    /// When it was changed last.
    pub last_modified: Option<SystemTime>,
    /// The CRC-64/NVME of all its bytes.
    pub crc64nvme: Option<u64>,
    /// What the store it comes from calls this version, if it keeps several: `x-amz-version-id`.
    pub version_id: Option<String>,
}

impl Metadata {
    /// An object of unknown type and age, in no encoding.
    pub fn new(size: u64, version: Version) -> Self {
        Self {
            size,
            version,
            content_type: content_type::UNKNOWN.to_owned(),
            content_encoding: None,
            last_modified: None,
            crc64nvme: None,
            version_id: None,
        }
    }
}

/// One version of an object, ready to be read once.
pub struct Object {
    metadata: Metadata,
    checksum: Option<Box<dyn FnOnce(Range<u64>) -> Summing + Send>>,
    read: Box<dyn FnOnce(Range<u64>) -> ByteStream + Send>,
}

impl Object {
    /// An object of a source of your own.
    ///
    /// `read` is called at most once, with a range inside the size. Its stream must give exactly the
    /// bytes of that range of that version, or an error: more or fewer fail the invocation.
    pub fn new<R>(metadata: Metadata, read: R) -> Self
    where
        R: FnOnce(Range<u64>) -> ByteStream + Send + 'static,
    {
        Self { metadata, checksum: None, read: Box::new(read) }
    }

    /// An object that is in memory already.
    pub fn from_bytes(bytes: impl Into<Bytes>, version: Version) -> Self {
        let bytes = bytes.into();
        Self::new(Metadata::new(bytes.len() as u64, version), move |range| {
            // The range is inside the size, which is a usize here.
            let bytes = bytes.slice(range.start as usize..range.end as usize);
            stream::iter([Ok(bytes)]).boxed()
        })
    }

    /// The same object, of a source that can find out its CRC-64/NVME when it is answered with.
    ///
    /// If [`Metadata::crc64nvme`] says nothing, `find` is called at most once, with the range of the
    /// answer: before `read`, and for a `HEAD` without it. The answer waits for what it gives, which
    /// must be the sum of the whole object in this version. `None` is always right; the sum may be in a
    /// later answer then, for callers take it from any answer of the version.
    pub fn with_checksum<F>(self, find: F) -> Self
    where
        F: FnOnce(Range<u64>) -> Summing + Send + 'static,
    {
        Self { checksum: Some(Box::new(find)), ..self }
    }

    /// The CRC-64/NVME to say in an answer with this range.
    pub(crate) async fn checksum(&mut self, range: &Range<u64>) -> Option<u64> {
        match (self.metadata.crc64nvme, self.checksum.take()) {
            (None, Some(find)) => find(range.clone()).await,
            (known, _) => known,
        }
    }

    /// What is known about it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Its bytes in this range, which must be inside its size.
    pub fn read(self, range: Range<u64>) -> ByteStream {
        (self.read)(range)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

/// Why there is no object.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// There is none of this name: a 404 with this message. The caller reads it, so it must not tell
    /// what else there is.
    NotFound(String),
    /// It could not be found out: the invocation fails.
    Failed(Failure),
}
