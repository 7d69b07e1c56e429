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
    if let Some((name, file)) = variable(&[CA_BUNDLE]) {
        return Some((name, file.into()));
    }
    let chosen = connection.profile.clone().map(Into::into);
    // What is wrong with the files is said by those who look for credentials in them.
    let profiles = profile::load(&Fs::real(), &Env::real(), &Default::default(), chosen).await;
    let file = profiles.ok()?.get("ca_bundle").map(str::to_owned)?;
    Some(("the profile's ca_bundle", file.into()))
}

/// The proxies of the usual variables.
fn proxies() -> Result<Proxies, Failure> {
    let https = variable(&["HTTPS_PROXY", "https_proxy"]);
    let proxies = asked(Proxies::none(), https, Proxies::https)?;
    // For a program behind a web server, HTTP_PROXY is a header that a visitor sent.
    let proxies = match std::env::var_os("REQUEST_METHOD") {
        Some(_) => proxies,
        None => asked(proxies, variable(&["HTTP_PROXY", "http_proxy"]), Proxies::http)?,
    };
    let except = variable(&["NO_PROXY", "no_proxy"]).map(|(_, hosts)| hosts);
    Ok(proxies.except(&except.unwrap_or_default()))
}

/// With the proxy that `own` names, or else the one for all protocols.
fn asked(
    proxies: Proxies,
    own: Option<(&'static str, String)>,
    set: impl Fn(Proxies, &str) -> Result<Proxies, invoker::Error>,
) -> Result<Proxies, Failure> {
    if let Some((name, proxy)) = own {
        return set(proxies, &proxy)
            .map_err(|error| Failure::Configuration(format!("{name}: {}", in_one_line(&error))));
    }
    let Some((name, proxy)) = variable(&["ALL_PROXY", "all_proxy"]) else { return Ok(proxies) };
    match set(proxies.clone(), &proxy) {
        Ok(proxies) => Ok(proxies),
        // It may be meant for other programs, which know SOCKS.
        Err(error) => {
            tracing::debug!("{name} is ignored: {}", in_one_line(&error));
            Ok(proxies)
        }
    }
}

/// The first of these that has a value, and that.
fn variable(names: &[&'static str]) -> Option<(&'static str, String)> {
    names.iter().find_map(|&name| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
        Some((name, value))
    })
}
