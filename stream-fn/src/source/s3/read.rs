//! An object that was found and a range of it come in; its bytes go out, over as many `GetObject` as it
//! takes, or an error if they are not to be had any more.

use super::refused;
use crate::error::BoxError;
use crate::failure::Failure;
use crate::range::content_range;
use crate::source::ByteStream;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream as Incoming;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use std::ops::Range;

/// How many bodies in a row may break without a single byte before the answer is given up. The SDK
/// repeats what fails before the body by rules of its own.
const FRUITLESS_MAX: u32 = 3;

/// One version of an object.
pub(super) struct Pinned {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) version_id: Option<String>,
    /// With its quotes.
    pub(super) etag: String,
    pub(super) size: u64,
}

/// What is left to read.
struct Rest {
    pinned: Pinned,
    range: Range<u64>,
    body: Option<Incoming>,
    /// Bodies without a byte since the last one.
    fruitless: u32,
}

pub(super) fn range(pinned: Pinned, range: Range<u64>) -> ByteStream {
    let rest = Rest { pinned, range, body: None, fruitless: 0 };
    stream::unfold(Some(rest), |rest| async move {
        let mut rest = rest?;
        if rest.range.is_empty() {
            return None;
        }
        match rest.next().await {
            Ok(bytes) => Some((Ok(bytes), Some(rest))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl Rest {
    /// The next bytes; there are some left.
    async fn next(&mut self) -> Result<Bytes, BoxError> {
        loop {
            let mut body = match self.body.take() {
                Some(body) => body,
                None => self.pinned.get(&self.range).await?,
            };
            let cause = match body.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => {
                    self.body = Some(body);
                    continue;
                }
                Some(Ok(bytes)) => return self.take(bytes, body).map_err(Into::into),
                Some(Err(error)) => Some(error),
                None => None,
            };
            self.fruitless += 1;
            let at = self.range.start;
            tracing::warn!(at, "a body from S3 broke, and is taken up again");
            if self.fruitless >= FRUITLESS_MAX {
                let words =
                    format!("the body of an object from S3 broke at byte {at}, again and again");
                let failure = Failure::new("SourceUnavailable", words);
                return Err(match cause {
                    Some(cause) => failure.because(cause),
                    None => failure,
                }
                .into());
            }
        }
    }

    fn take(&mut self, bytes: Bytes, body: Incoming) -> Result<Bytes, Failure> {
        let left = self.range.end - self.range.start;
        if bytes.len() as u64 > left {
            let words = format!("S3 sent more than the {left} bytes that were left of a range");
            return Err(Failure::new("SourceUnavailable", words));
        }
        self.range.start += bytes.len() as u64;
        self.fruitless = 0;
        self.body = Some(body);
        Ok(bytes)
    }
}

impl Pinned {
    async fn get(&self, range: &Range<u64>) -> Result<Incoming, Failure> {
        let asked = content_range(range, self.size);
        let found = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&self.key)
            .set_version_id(self.version_id.clone())
            .if_match(&self.etag)
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .send()
            .await
            .map_err(|error| refused::to_read(&error))?;
        // Not believed because it was asked: what stands in front of S3 may know neither of the two.
        if found.content_range() != Some(asked.as_str()) {
            let words = format!("S3 did not answer with the range that was asked, {asked}");
            return Err(Failure::new("SourceUnavailable", words));
        }
        match found.e_tag() == Some(self.etag.as_str()) {
            true => Ok(found.body),
            false => Err(refused::changed()),
        }
    }
}
