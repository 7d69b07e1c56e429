//! Objects in S3, in moto's server and in one that misbehaves, come in; what the ready function answers
//! with them is told. `cargo test -p stream-fn --features s3 --test s3`

// clippy.toml allows it to functions marked as tests; what they call is theirs too.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod moto;

mod misbehaving;

use serde_json::{Value, json};
use std::process::Stdio;
use support::{Answer, Invocation, RuntimeApi};
use tokio::process::{Child, Command};

const CRC64NVME: &str = "x-amz-checksum-crc64nvme";

/// The ready function, which finds S3 at this endpoint.
fn start(api: &RuntimeApi, endpoint: &str, source: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stream-fn"));
    command.env("STREAM_FN_SOURCE", source).env_remove("STREAM_FN_CHECKSUM");
    environment(&mut command, endpoint);
    api.environment(&mut command).stderr(Stdio::null()).spawn().unwrap()
}

/// Nothing of the machine's own settings.
fn environment(command: &mut Command, endpoint: &str) {
    command
        .env("AWS_ENDPOINT_URL_S3", endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
}

fn event(method: &str, path: &str, headers: Value) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "headers": headers,
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path}},
    })
}

async fn ask(api: &RuntimeApi, payload: Value) -> Answer {
    api.invoke(Invocation::new("id", payload)).await.whole().await
}

#[tokio::test]
async fn a_bad_place_is_one_clear_line() {
    for (source, region, checksum, word) in [
        ("s3://", "us-east-1", None, "is not \"s3://BUCKET\""),
        ("s3:bucket", "us-east-1", None, "is not \"s3://BUCKET\""),
        ("s3://bucket/p", "", None, "set AWS_REGION"),
        ("s3://bucket/p", "us-east-1", Some("off"), "STREAM_FN_CHECKSUM"),
        ("s3://bucket/p", "us-east-1", None, "AWS_LAMBDA_RUNTIME_API"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stream-fn"));
        environment(&mut command, "http://127.0.0.1:9");
        command.env("STREAM_FN_SOURCE", source).env_remove("STREAM_FN_CHECKSUM");
        command.env_remove("AWS_LAMBDA_RUNTIME_API").env_remove("AWS_DEFAULT_REGION");
        // Nor that of a machine in the cloud.
        command.env("AWS_REGION", region).env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(checksum) = checksum {
            command.env("STREAM_FN_CHECKSUM", checksum);
        }
        let output = support::soon(command.kill_on_drop(true).output()).await.unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), words.lines().count()), (Some(1), 1), "{words}");
        assert!(words.contains(word), "{words}");
    }
}
