//! A client of the AWS SDK for a service on loopback. In life, `aws_config::load_defaults` gives
//! one for the service itself.

use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};

/// Calls `endpoint`, without TLS, with credentials that it does not check.
pub(crate) fn client(endpoint: &str) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "example"))
        .endpoint_url(endpoint)
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}
