//! The name of an object below a prefix of an S3 bucket comes in; the object goes out, one version of it,
//! read by ranges.

mod read;
mod refused;

use super::{Metadata, Object, OpenError, Opening, Source, content_type};
use crate::error::{Error, ErrorKind};
use crate::failure::Failure;
use crate::version::Version;
use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::time::SystemTime;

const NO_SUCH: &str =
    "no such object: ask for one by its key below the prefix; nothing is listed here";

/// The longest key, in bytes ("Naming Amazon S3 objects" in its user guide).
const KEY_MAX_BYTES: usize = 1024;

/// Where AWS tools find the endpoint of another store ("Service-specific endpoints").
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/// What an upload in signed pieces is called ("Signature calculations: transferring payload in multiple
/// chunks" in S3's API reference).
const UPLOADED: &str = "aws-chunked";

/// What S3 calls the version of an object in a bucket without versions.
const NO_VERSION: &str = "null";

/// A source of the objects below one prefix of an S3 bucket.
///
/// The name of an object is its key below the prefix: with the prefix `a/b`, the object `c.bin` has the key
/// `a/b/c.bin`. An empty name, a name that ends with a slash (what consoles make as folders), and one with
/// an empty, a `.` or a `..` segment has no object; nothing is ever listed.
///
/// The **version** is S3's own ETag. Each answer asks S3 twice: `HeadObject`, then `GetObject` for the
/// range, `If-Match` that ETag and, in a bucket with versions, with that `versionId`: an object that is
/// written anew between the two is still read as it was. So is one that is asked for by the parameter
/// `versionId` of an HTTP event. The answer says which one it was in `x-amz-version-id`.
///
/// The **checksum** is the CRC-64/NVME that S3 keeps, if it keeps one: those of other algorithms, and none,
/// are not said. No object is read to compute one.
///
/// A body that **breaks** is taken up again from the byte it came to, in the same version. Only if that
/// fails as well does the answer end, with `Function.SourceUnavailable`, or with `Function.ObjectChanged` if
/// the object is gone or another one by then.
///
/// The function's role needs `s3:GetObject` (and `s3:GetObjectVersion` for `versionId`) below the prefix;
/// without `s3:ListBucket` S3 does not tell a missing object from a forbidden one, and neither is found.
#[derive(Clone)]
pub struct S3 {
    client: Client,
    bucket: String,
    prefix: String,
}

impl S3 {
    /// The objects of this bucket whose keys begin with the prefix and a slash; all of them, if the prefix
    /// is empty.
    pub fn new(client: Client, bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        let prefix = match prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Self { client, bucket: bucket.into(), prefix }
    }

    /// From `s3://BUCKET/PREFIX`, with a client of what AWS tools read of the environment: region,
    /// credentials, `AWS_ENDPOINT_URL_S3`. An endpoint that is set there is asked with the bucket in the
    /// path, not in the name of the host, as other stores that speak S3 want it. `variable` looks a variable
    /// of the environment up.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`], if it is no such place, or if the environment names no region.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn from_environment(
        setting: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let refused = |words: String| Error::new(ErrorKind::Setting, words);
        let (bucket, prefix) = place(setting).ok_or_else(|| {
            refused(format!(
                "the source {setting:?} is not \"s3://BUCKET\" or \"s3://BUCKET/PREFIX\""
            ))
        })?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        if config.region().is_none_or(|region| region.as_ref().is_empty()) {
            return Err(refused(format!(
                "the source {setting:?} has no region: set AWS_REGION to that of the bucket"
            )));
        }
        let elsewhere =
            ENDPOINTS.iter().any(|name| variable(name).is_some_and(|url| !url.is_empty()));
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(elsewhere);
        Ok(Self::new(Client::from_conf(config.build()), bucket, prefix))
    }

    /// The key of a name that has nothing in it but plain segments.
    fn key(&self, name: &str) -> Option<String> {
        let plain = |segment: &str| !matches!(segment, "" | "." | "..");
        let key = format!("{}{name}", self.prefix);
        let allowed = name.split('/').all(plain) && !name.contains('\0');
        (allowed && key.len() <= KEY_MAX_BYTES).then_some(key)
    }

    async fn find(&self, name: &str, version_id: Option<&str>) -> Result<Object, OpenError> {
        let key = self.key(name).ok_or_else(|| OpenError::NotFound(NO_SUCH.to_owned()))?;
        let found = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(&key)
            .set_version_id(version_id.map(str::to_owned))
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| refused::to_open(&error, version_id.is_some()))?;
        let metadata = metadata(name, &found)?;
        let pinned = read::Pinned {
            client: self.client.clone(),
            bucket: self.bucket.clone(),
            key,
            version_id: metadata.version_id.clone(),
            etag: metadata.version.as_etag().to_owned(),
            size: metadata.size,
        };
        Ok(Object::new(metadata, move |range| read::range(pinned, range)))
    }
}

impl Source for S3 {
    fn open<'a>(&'a self, name: &'a str) -> Opening<'a> {
        Box::pin(self.find(name, None))
    }

    fn open_version<'a>(&'a self, name: &'a str, version_id: &'a str) -> Opening<'a> {
        Box::pin(self.find(name, Some(version_id)))
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Bucket and prefix.
fn place(setting: &str) -> Option<(&str, &str)> {
    let place = setting.strip_prefix("s3://")?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    (!bucket.is_empty()).then_some((bucket, prefix))
}

fn metadata(name: &str, found: &HeadObjectOutput) -> Result<Metadata, OpenError> {
    let lacking = |what: &str| {
        let words = format!("S3 did not say the {what} of an object");
        OpenError::Failed(Failure::new("SourceUnavailable", words))
    };
    let size = found.content_length().and_then(|length| u64::try_from(length).ok());
    let tag = found.e_tag().and_then(|etag| etag.strip_prefix('"')?.strip_suffix('"'));
    let version = tag.and_then(Version::new).ok_or_else(|| lacking("etag"))?;
    let media_type = found.content_type().filter(|media_type| *media_type != UNTYPED);
    // That of all its bytes is the only kind there is of this algorithm; what says otherwise is not it.
    let whole = found.checksum_type() != Some(&ChecksumType::Composite);
    Ok(Metadata {
        content_type: media_type.unwrap_or(content_type::of_name(name)).to_owned(),
        content_encoding: found.content_encoding().and_then(stored_encoding),
        last_modified: found.last_modified().and_then(|time| SystemTime::try_from(*time).ok()),
        crc64nvme: found.checksum_crc64_nvme().filter(|_| whole).and_then(sum),
        version_id: found.version_id().filter(|id| *id != NO_VERSION).map(str::to_owned),
        ..Metadata::new(size.ok_or_else(|| lacking("size"))?, version)
    })
}

/// The media type that S3 gives to what was put without one.
const UNTYPED: &str = "binary/octet-stream";

/// What is left of a `Content-Encoding` without the framing of an upload, which is not stored and some
/// stores name all the same.
fn stored_encoding(named: &str) -> Option<String> {
    let encodings = named.split(',').map(str::trim);
    let stored = encodings.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(UPLOADED));
    let stored = stored.collect::<Vec<_>>().join(", ");
    (!stored.is_empty()).then_some(stored)
}

/// From the form that the header has too.
fn sum(text: &str) -> Option<u64> {
    Some(u64::from_be_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(prefix: &str) -> S3 {
        let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest());
        S3::new(Client::from_conf(config.build()), "bucket", prefix)
    }

    #[test]
    fn keys_are_below_the_prefix() {
        for (prefix, name, key) in [
            ("", "a", Some("a")),
            ("p", "a/b c", Some("p/a/b c")),
            ("p/q/", "ä", Some("p/q/ä")),
            ("p", "", None),
            ("", "", None),
            ("p", "a/", None),
            ("p", "/a", None),
            ("p", "a//b", None),
            ("p", "../secret", None),
            ("p", "a/./b", None),
            ("p", "a\0", None),
        ] {
            assert_eq!(source(prefix).key(name).as_deref(), key, "{prefix:?} {name:?}");
        }
        let longest = "x".repeat(KEY_MAX_BYTES - 2);
        assert!(source("p").key(&longest).is_some());
        assert!(source("p").key(&(longest + "x")).is_none());
    }

    #[test]
    fn places_are_read() {
        assert_eq!(place("s3://b"), Some(("b", "")));
        assert_eq!(place("s3://b/"), Some(("b", "")));
        assert_eq!(place("s3://b/p/q"), Some(("b", "p/q")));
        assert_eq!(place("s3:///p"), None);
        assert_eq!(place("s3:b"), None);
    }

    #[test]
    fn the_framing_of_an_upload_is_no_encoding() {
        for (named, stored) in [
            ("gzip", Some("gzip")),
            ("gzip,aws-chunked", Some("gzip")),
            ("AWS-chunked", None),
            ("", None),
            ("gzip, br", Some("gzip, br")),
        ] {
            assert_eq!(stored_encoding(named).as_deref(), stored, "{named:?}");
        }
    }

    #[test]
    fn only_a_sum_of_all_bytes_counts() {
        let found = |kind: ChecksumType| {
            let found = HeadObjectOutput::builder()
                .content_length(9)
                .e_tag("\"e-2\"")
                .version_id("null")
                .content_type("binary/octet-stream")
                .checksum_crc64_nvme("rosUhgp5mIg=")
                .checksum_type(kind);
            metadata("digits.txt", &found.build()).unwrap()
        };
        let metadata = found(ChecksumType::FullObject);
        assert_eq!(metadata.crc64nvme, Some(0xAE8B_1486_0A79_9888));
        assert_eq!((metadata.size, metadata.version.as_etag()), (9, "\"e-2\""));
        assert_eq!(
            (metadata.version_id, metadata.content_type),
            (None, "text/plain; charset=utf-8".into())
        );
        assert_eq!(found(ChecksumType::Composite).crc64nvme, None);
    }
}
