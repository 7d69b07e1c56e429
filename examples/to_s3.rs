//! A function's result goes in, and into a bucket while it arrives, in parts of 8 MiB. The object is
//! there when the result is proven to be whole, or not at all.
//!
//! ```sh
//! pip install 'moto[server]' && moto_server -p 5000 &       # S3 on loopback
//! cargo run --release --features s3 --example to_s3 -- http://127.0.0.1:5000 BUCKET KEY 64MiB
//! ```

mod support;

#[path = "support/local.rs"]
mod local;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use invoker::{Invoker, OrderedBytes};

/// The bytes of a part: S3 takes none below 5 MiB but the last, and 10,000 of them.
const PART: usize = 8 * 1024 * 1024;

type BoxError = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    if local::function().is_some() {
        return Ok(stream_fn::serve(stream_fn::source::Pattern).await?);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, bucket, key, object] = &arguments[..] else {
        return Err("usage: to_s3 ENDPOINT BUCKET KEY SIZE".into());
    };
    let service = local::serve(&["files"]).await?;
    let invoker = Invoker::new(support::client(&service.endpoint_url()));
    let s3 = s3(endpoint);
    // It may be there already, which is as good.
    let _ = s3.create_bucket().bucket(bucket).send().await;

    let bytes = invoker.object("files", object).in_order().await?;
    let begun = s3.create_multipart_upload().bucket(bucket).key(key).send().await?;
    let upload = Upload { s3: &s3, bucket, key, id: begun.upload_id().ok_or("no upload id")? };
    match upload.all(bytes).await {
        Ok(parts) => println!("s3://{bucket}/{key}: {parts} parts"),
        Err(error) => {
            // What came of it is paid for until it is gone.
            upload.abort().await?;
            return Err(error);
        }
    }
    service.shutdown().await;
    Ok(())
}

struct Upload<'a> {
    s3: &'a Client,
    bucket: &'a str,
    key: &'a str,
    id: &'a str,
}

impl Upload<'_> {
    /// Returns how many parts there were.
    async fn all(&self, mut bytes: OrderedBytes) -> Result<usize, BoxError> {
        let mut parts = Vec::new();
        let mut part = BytesMut::with_capacity(PART);
        while let Some(next) = bytes.next_bytes().await {
            let mut next = next?;
            while !next.is_empty() {
                let room = (PART - part.len()).min(next.len());
                part.extend_from_slice(&next.split_to(room));
                if part.len() == PART {
                    parts.push(self.part(parts.len(), part.split().freeze()).await?);
                    part.reserve(PART);
                }
            }
        }
        // Only now is the result known to be whole.
        if !part.is_empty() || parts.is_empty() {
            parts.push(self.part(parts.len(), part.freeze()).await?);
        }
        let count = parts.len();
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.s3.complete_multipart_upload().bucket(self.bucket).key(self.key);
        complete.upload_id(self.id).multipart_upload(whole).send().await?;
        Ok(count)
    }

    async fn part(&self, before: usize, bytes: Bytes) -> Result<CompletedPart, BoxError> {
        let number = i32::try_from(before + 1)?;
        let part = self.s3.upload_part().bucket(self.bucket).key(self.key).upload_id(self.id);
        let sent = part.part_number(number).body(ByteStream::from(bytes)).send().await?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
    }

    async fn abort(&self) -> Result<(), BoxError> {
        let abort = self.s3.abort_multipart_upload().bucket(self.bucket).key(self.key);
        abort.upload_id(self.id).send().await?;
        Ok(())
    }
}

/// A client for an S3 on loopback. In life, `aws_config::load_defaults` gives what it needs.
fn s3(endpoint: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "example"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build();
    Client::from_conf(config)
}
