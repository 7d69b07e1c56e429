//! Objects in moto's S3 server, which this starts, come in.
//!
//! `tests/other_clients/install.sh` installs moto. Where it is missing the test says so and skips, but
//! fails if `CI` or `REQUIRE_OTHER_CLIENTS` is set.

use crate::support::{RuntimeApi, soon};
use crate::{CRC64NVME, ask, event, start};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, ChecksumAlgorithm, VersioningConfiguration};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const BUCKET: &str = "objects";

/// The bytes of the largest object here.
const SIZE: usize = 3 << 20;

struct Moto {
    endpoint: String,
    s3: Client,
    _server: Child,
}

impl Moto {
    /// `None` if it is not installed.
    async fn start() -> Option<Self> {
        let program = installed()?;
        let mut server = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // It says its address, among other words, and then one line for each request.
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let endpoint = loop {
            let line = soon(lines.next_line()).await.unwrap().expect("moto has ended");
            if let Some((_, address)) = line.split_once("Running on ") {
                break address.trim().to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .build();
        let s3 = Client::from_conf(config);
        s3.create_bucket().bucket(BUCKET).send().await.unwrap();
        Some(Self { endpoint, s3, _server: server })
    }

    /// Returns the id of the version, if the bucket has versions.
    async fn put(&self, key: &str, bytes: &[u8], media_type: Option<&str>) -> Option<String> {
        let put = self
            .s3
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme) // moto wants to be told
            .checksum_crc64_nvme(sum_of(bytes))
            .set_content_type(media_type.map(str::to_owned))
            .body(ByteStream::from(bytes.to_vec()));
        put.send().await.unwrap().version_id
    }
}

fn installed() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let place = std::env::var_os("OTHER_CLIENTS_MOTO")
        .map(PathBuf::from)
        .unwrap_or_else(|| root.join("target/other-clients/python/bin/moto_server"));
    if place.is_file() {
        return Some(place);
    }
    let missing = "moto is not installed; run tests/other_clients/install.sh";
    let required =
        ["CI", "REQUIRE_OTHER_CLIENTS"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!required, "{missing}");
    // Not by a macro, whose words the test harness keeps to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}");
    None
}

/// As S3 writes it.
fn sum_of(bytes: &[u8]) -> String {
    STANDARD.encode(crc_fast::checksum(Crc64Nvme, bytes).to_be_bytes())
}

fn some_bytes() -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    stream_fn::source::pattern::fill(0, &mut bytes);
    bytes
}

#[tokio::test]
async fn objects_by_ranges_with_their_checksum() {
    let Some(moto) = Moto::start().await else { return };
    let bytes = some_bytes();
    moto.put("data/2026/big one.bin", &bytes, None).await;
    moto.put("data/page.html", "<p>ä</p>".as_bytes(), Some("text/html; charset=utf-8")).await;
    moto.put("data/empty", b"", None).await;
    moto.put("secret", b"not below the prefix", None).await;
    let api = RuntimeApi::start().await;
    let _function = start(&api, &moto.endpoint, &format!("s3://{BUCKET}/data"));
    let path = "/2026/big%20one.bin";
    let mut etag = None;
    for (range, wanted) in [
        (json!(null), 0..SIZE),
        (json!("bytes=0-99"), 0..100),
        (json!("bytes=1000001-2500000"), 1_000_001..2_500_001),
        (json!("bytes=-7"), SIZE - 7..SIZE),
    ] {
        let headers = json!({"range": range, "if-match": etag});
        let answer = ask(&api, event("GET", path, headers)).await;
        let (head, body) = answer.split();
        assert!(body == bytes[wanted.clone()], "{range}");
        assert_eq!(answer.trailers, Some(vec![]));
        assert_eq!(head["statusCode"], if range.is_null() { 200 } else { 206 });
        let headers = &head["headers"];
        assert_eq!(headers["content-length"], wanted.len().to_string());
        assert_eq!(headers[CRC64NVME], sum_of(&bytes), "of the whole object");
        assert_eq!(headers["content-type"], "application/octet-stream");
        assert_eq!(headers["accept-ranges"], "bytes");
        assert!(headers["last-modified"].as_str().unwrap().ends_with(" GMT"));
        assert!(headers.get("x-amz-version-id").is_none(), "a bucket without versions");
        etag = Some(headers["etag"].as_str().unwrap().to_owned());
    }
    let (head, body) = ask(&api, event("GET", "/page.html", json!({}))).await.split();
    assert_eq!(head["headers"]["content-type"], "text/html; charset=utf-8");
    assert_eq!(body, "<p>ä</p>".as_bytes());
    let other = moto.s3.put_object().bucket(BUCKET).key("data/other sum");
    let other = other.checksum_algorithm(ChecksumAlgorithm::Sha256);
    other.body(ByteStream::from_static(b"other")).send().await.unwrap();
    let (head, body) = ask(&api, event("GET", "/other%20sum", json!({}))).await.split();
    assert_eq!((head["headers"].get(CRC64NVME), body), (None, b"other".to_vec()));
    let stored = moto.s3.put_object().bucket(BUCKET).key("data/stored.gz").content_encoding("gzip");
    stored.body(ByteStream::from_static(b"as it is stored")).send().await.unwrap();
    let ranged = event("GET", "/stored.gz", json!({"range": "bytes=0-1"}));
    let (head, body) = ask(&api, ranged).await.split();
    assert_eq!(head["headers"]["content-encoding"], "gzip");
    assert_eq!((&head["statusCode"], body), (&json!(206), b"as".to_vec()));
    let (head, body) = ask(&api, event("GET", "/empty", json!({}))).await.split();
    assert_eq!((&head["statusCode"], body.len()), (&json!(200), 0));
    for (method, path, headers, status) in [
        ("HEAD", path, json!({}), 200),
        ("GET", path, json!({"if-match": "\"other\""}), 412),
        ("GET", path, json!({"if-none-match": etag}), 304),
        ("GET", path, json!({"range": format!("bytes={SIZE}-")}), 416),
        ("GET", "/empty", json!({"range": "bytes=0-9"}), 416),
        ("GET", "/missing", json!({}), 404),
        ("GET", "/", json!({}), 404),
        ("GET", "/2026/", json!({}), 404),
        ("GET", "/%2e%2e/secret", json!({}), 404),
        ("GET", "/../secret", json!({}), 404),
        ("PUT", path, json!({}), 405),
    ] {
        let (head, _) = ask(&api, event(method, path, headers)).await.split();
        assert_eq!(head["statusCode"], status, "{method} {path}");
    }
}

#[tokio::test]
async fn a_version_is_the_one_that_is_asked_for() {
    let Some(moto) = Moto::start().await else { return };
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let versioned = moto.s3.put_bucket_versioning().bucket(BUCKET);
    versioned.versioning_configuration(versions.build()).send().await.unwrap();
    let old = moto.put("a.csv", b"old,1\n", None).await.unwrap();
    let new = moto.put("a.csv", b"new,2\n", None).await.unwrap();
    let api = RuntimeApi::start().await;
    // By the name of the host, in front of which a bucket would find nobody.
    let endpoint = moto.endpoint.replace("127.0.0.1", "localhost");
    let _function = start(&api, &endpoint, &format!("s3://{BUCKET}"));
    for (asked, wanted, bytes) in
        [(None, &new, "new,2\n"), (Some(&old), &old, "old,1\n"), (Some(&new), &new, "new,2\n")]
    {
        let mut event = event("GET", "/a.csv", json!({}));
        event["queryStringParameters"] = json!({"versionId": asked});
        let (head, body) = ask(&api, event).await.split();
        assert_eq!(head["headers"]["x-amz-version-id"], **wanted);
        assert_eq!(body, bytes.as_bytes());
    }
    let mut unknown = event("GET", "/a.csv", json!({}));
    unknown["queryStringParameters"] = json!({"versionId": "00000000-0000-0000-0000-000000000000"});
    assert_eq!(ask(&api, unknown).await.split().0["statusCode"], 404);
    moto.s3.delete_object().bucket(BUCKET).key("a.csv").send().await.unwrap();
    assert_eq!(ask(&api, event("GET", "/a.csv", json!({}))).await.split().0["statusCode"], 404);
}
