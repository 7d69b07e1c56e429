//! What a configuration says of AWS comes in, or where a command's own service is; a client of the SDK that
//! calls functions plainly goes out.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Credentials;
use invoker::HttpClient;

use crate::config::Aws;

/// For a service on loopback that asks nobody who they are, nor where.
const LOCAL: &str = "local";

/// Of the service, with whatever every AWS SDK looks for where nothing is said.
pub(super) async fn of_service(aws: &Aws) -> Result<Client, String> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http()?);
    if let Some(profile) = &aws.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &aws.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &aws.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    Ok(Client::new(&loader.load().await))
}

/// Of a command's own service.
#[cfg(feature = "local")]
pub(super) fn of_loopback(url: String) -> Result<Client, String> {
    let nobody = Credentials::new(LOCAL, LOCAL, None, None, LOCAL);
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http()?)
        .region(Region::new(LOCAL))
        .credentials_provider(nobody)
        .endpoint_url(url);
    Ok(Client::from_conf(config.build()))
}

fn http() -> Result<HttpClient, String> {
    HttpClient::builder().build().map_err(|error| error.to_string())
}
