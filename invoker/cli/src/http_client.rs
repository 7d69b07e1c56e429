//! The proxies and certificates of the environment go in; an HTTP client comes out.

use std::path::PathBuf;

use aws_config::profile;
use aws_types::os_shim_internal::{Env, Fs};
use invoker::{HttpClient, HttpClientBuilder, Proxies};

use crate::args::Connection;
use crate::report::{Failure, in_one_line};

/// A file of certificates, for all AWS tools.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// For the AWS services, or what stands for them.
pub(crate) async fn http_client(connection: &Connection) -> Result<HttpClient, Failure> {
    let client = HttpClient::builder().proxies(proxies()?);
    let client = match ca_bundle(connection).await {
        Some((setting, file)) => {
            let unusable = |why: String| {
                Failure::Configuration(format!("{setting} {}: {why}", file.display()))
            };
            let pem = std::fs::read(&file).map_err(|error| unusable(error.to_string()))?;
            client.ca_bundle(&pem).map_err(|error| unusable(in_one_line(&error)))?
        }
        None => client,
    };
    built(client)
}

/// For a service of this process, which has no certificate.
pub(crate) fn loopback() -> Result<HttpClient, Failure> {
    built(HttpClient::builder().no_roots())
}

fn built(client: HttpClientBuilder) -> Result<HttpClient, Failure> {
    client.build().map_err(|error| Failure::Configuration(in_one_line(&error)))
}

/// The file of certificates to trust, and where that is said.
async fn ca_bundle(connection: &Connection) -> Option<(&'static str, PathBuf)> {
    if let Some(file) = &connection.access.ca_bundle {
        return Some(("--ca-bundle", file.clone()));
    }
    if let Some(file) = variable(&[CA_BUNDLE]) {
        return Some((CA_BUNDLE, file.into()));
    }
    let chosen = connection.profile.clone().map(Into::into);
    // What is wrong with the files is said by those who look for credentials in them.
    let profiles = profile::load(&Fs::real(), &Env::real(), &Default::default(), chosen).await;
    let file = profiles.ok()?.get("ca_bundle").map(str::to_owned)?;
    Some(("the profile's ca_bundle", file.into()))
}

/// The proxies of the usual variables.
fn proxies() -> Result<Proxies, Failure> {
    let mut proxies = Proxies::none();
    let unusable = |name: &str, error: invoker::Error| {
        Failure::Configuration(format!("{name}: {}", in_one_line(&error)))
    };
    const HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    if let Some(proxy) = variable(&HTTPS) {
        proxies = proxies.https(&proxy).map_err(|error| unusable("HTTPS_PROXY", error))?;
    }
    // For a program behind a web server, HTTP_PROXY is a header that a visitor sent.
    let visited = std::env::var_os("REQUEST_METHOD").is_some();
    const HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    if let Some(proxy) = variable(&HTTP).filter(|_| !visited) {
        proxies = proxies.http(&proxy).map_err(|error| unusable("HTTP_PROXY", error))?;
    }
    Ok(proxies.except(&variable(&["NO_PROXY", "no_proxy"]).unwrap_or_default()))
}

/// The first of these that has a value.
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}
