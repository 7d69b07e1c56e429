//! The name of a function and connection settings go in; a client that can call it comes out. For
//! `local:` the service and the function are started as well.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_lambda::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use invoker::{Download, Invocation, Invoker, Timeouts};
use local_lambda::{Function, Limits, LocalLambda, Logs};
use tempfile::TempDir;

use crate::args::{Connection, FUNCTION_COMMAND, Question};
use crate::http_client::{self, Roots};
use crate::question::invocation;
use crate::report::{Failure, say};

/// What a name begins with that means a function here.
pub(crate) const LOCAL: &str = "local:";

/// The name under which the function of `local:` runs.
const LOCAL_FUNCTION: &str = "local";

/// The region of a service on loopback, where any will do.
const LOOPBACK_REGION: &str = "us-east-1";

/// How long credentials are looked for: time for somebody whom a credential process asks for a
/// code. Networks among the places that are looked through have shorter limits of their own.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(60);

/// A function that can be called.
pub(crate) struct Target {
    client: aws_sdk_lambda::Client,
    function: String,
    /// What is behind `local:`; it ends when it is dropped.
    local: Option<Local>,
}

struct Local {
    service: LocalLambda,
    /// Where the function's processes tell each other the checksums that they found.
    _checksums: Option<TempDir>,
}

impl Target {
    /// Finds out how to call `function`; calls nothing.
    pub(crate) async fn find(
        function: &str,
        connection: &Connection,
        quiet: bool,
    ) -> Result<Self, Failure> {
        if let Some(folder) = function.strip_prefix(LOCAL) {
            return Self::start_local(folder, connection).await;
        }
        let config = configuration(connection, quiet).await?;
        let client = aws_sdk_lambda::Client::new(&config);
        Ok(Self { client, function: function.to_owned(), local: None })
    }

    /// What calls it.
    pub(crate) fn invoker(&self, timeouts: Timeouts) -> Invoker {
        Invoker::new(self.client.clone()).timeouts(timeouts)
    }

    /// The download that `question` asks for.
    pub(crate) fn download(
        &self,
        question: &Question,
        payload: Option<Vec<u8>>,
        timeouts: Timeouts,
    ) -> Result<Download, Failure> {
        Ok(self.invoker(timeouts).download(self.invocation(question, payload)?))
    }

    /// The call that `question` asks for.
    pub(crate) fn invocation(
        &self,
        question: &Question,
        payload: Option<Vec<u8>>,
    ) -> Result<Invocation, Failure> {
        invocation(question, &self.function, payload)
    }

    /// Ends the function and the service of `local:`.
    pub(crate) async fn close(self) {
        if let Some(local) = self.local {
            local.service.shutdown().await;
        }
    }

    async fn start_local(folder: &str, connection: &Connection) -> Result<Self, Failure> {
        if connection.endpoint_url.is_some() {
            let message = "local: brings its own endpoint: leave --endpoint-url out";
            return Err(Failure::Usage(message.into()));
        }
        let source = match folder {
            "" => "pattern".to_owned(),
            folder if Path::new(folder).is_dir() => format!("directory:{folder}"),
            folder => return Err(Failure::Usage(format!("{LOCAL}{folder}: no such folder"))),
        };
        let program = std::env::current_exe()
            .map_err(|error| Failure::file("cannot find this program's own file", error))?;
        let mut function = Function::new(LOCAL_FUNCTION, program)
            .arg(FUNCTION_COMMAND)
            .env("STREAM_FN_SOURCE", source);
        // Without a folder for it, a large file is fetched without its checksum; the pattern needs
        // none.
        let checksums = if folder.is_empty() { None } else { TempDir::new().ok() };
        if let Some(checksums) = &checksums {
            let keep = format!("keep:{}", checksums.path().display());
            function = function.env("STREAM_FN_CHECKSUM", keep);
        }
        let service = LocalLambda::builder()
            .function(function)
            .limits(Limits::aws())
            // What goes wrong there reaches the caller as an error; once is enough.
            .logs(Logs::Discard)
            .start()
            .await
            .map_err(|error| {
                Failure::file("cannot start the local service", std::io::Error::other(error))
            })?;
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client(Roots::None)?)
            .region(Region::from_static(LOOPBACK_REGION))
            .credentials_provider(SharedCredentialsProvider::new(placeholder()))
            .endpoint_url(service.endpoint_url())
            .build();
        let client = aws_sdk_lambda::Client::new(&config);
        let local = Some(Local { service, _checksums: checksums });
        Ok(Self { client, function: LOCAL_FUNCTION.to_owned(), local })
    }
}

/// The SDK's usual chains for region and credentials, looked through before anything is called, so
/// that a gap in them is named as such.
async fn configuration(connection: &Connection, quiet: bool) -> Result<SdkConfig, Failure> {
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http_client(Roots::System)?);
    if let Some(profile) = &connection.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &connection.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &connection.endpoint_url {
        checked("--endpoint-url", url)?;
        loader = loader.endpoint_url(url);
    }
    let loaded = loader.load().await;
    let endpoint = endpoint(connection, &loaded)?;
    let loopback = endpoint.as_deref().is_some_and(is_loopback);

    let mut config = loaded.clone().into_builder();
    if loaded.region().is_none() {
        if !loopback {
            let message = "no region: set --region, AWS_REGION, or a profile that has one";
            return Err(Failure::Configuration(message.into()));
        }
        config = config.region(Region::from_static(LOOPBACK_REGION));
    }
    let found = match loaded.credentials_provider() {
        Some(provider) => {
            let found = tokio::time::timeout(CREDENTIALS_WITHIN, provider.provide_credentials());
            let Ok(found) = found.await else {
                let message = format!(
                    "no credentials within {} s: the place they should come from does not answer",
                    CREDENTIALS_WITHIN.as_secs()
                );
                return Err(Failure::Configuration(message));
            };
            found.map(drop).map_err(|error| why_none(&error))
        }
        None => Err(String::new()),
    };
    if let Err(why) = found {
        // A profile that was asked for is meant.
        if let Some(profile) = &connection.profile {
            let message = format!(
                "no credentials in the profile {profile}{why}: is it in the AWS configuration files?"
            );
            return Err(Failure::Configuration(message));
        }
        if !loopback {
            let message = format!(
                "no credentials{why}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                 AWS_PROFILE or --profile, or sign in with the AWS CLI"
            );
            return Err(Failure::Configuration(message));
        }
        if !quiet {
            say("invoker: no credentials found; the endpoint is on loopback, so any will do");
        }
        config.set_credentials_provider(Some(SharedCredentialsProvider::new(placeholder())));
    }
    Ok(config.build())
}

fn http_client(roots: Roots) -> Result<SharedHttpClient, Failure> {
    http_client::http_client(roots).map_err(|error| {
        Failure::Configuration(format!("no root certificates of this system can be used: {error}"))
    })
}

/// For a service on loopback that checks no signatures.
fn placeholder() -> Credentials {
    Credentials::new("local", "local", None, None, "placeholder for a service on loopback")
}

/// The endpoint that is set, wherever it is; as the SDK does, the service's own setting first.
fn endpoint(connection: &Connection, loaded: &SdkConfig) -> Result<Option<String>, Failure> {
    if connection.endpoint_url.is_some() {
        return Ok(connection.endpoint_url.clone());
    }
    const VARIABLE: &str = "AWS_ENDPOINT_URL_LAMBDA";
    if let Ok(url) = std::env::var(VARIABLE)
        && !url.is_empty()
    {
        checked(VARIABLE, &url)?;
        return Ok(Some(url));
    }
    if let Some(url) = loaded.endpoint_url() {
        checked("the configured endpoint URL", url)?;
    }
    Ok(loaded.endpoint_url().map(str::to_owned))
}

fn checked(setting: &str, url: &str) -> Result<(), Failure> {
    if host(url).is_some_and(|host| !host.is_empty()) {
        return Ok(());
    }
    Err(Failure::Usage(format!("{setting}: {url:?} is no URL such as http://127.0.0.1:9000")))
}

fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => authority.split(':').next(),
    }
}

fn is_loopback(url: &str) -> bool {
    match host(url) {
        Some("localhost") => true,
        Some(host) => host.parse().is_ok_and(|ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.is_loopback() || ip == Ipv4Addr::UNSPECIFIED,
            IpAddr::V6(ip) => ip.is_loopback(),
        }),
        None => false,
    }
}

/// The innermost reason, in parentheses and in one line; nothing where the reason is only that no
/// provider had any.
fn why_none(error: &CredentialsError) -> String {
    if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        return String::new();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let words = innermost.to_string();
    format!(" ({})", words.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_the_rest() {
        for url in
            ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:80/", "https://127.9.9.9"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in
            ["https://lambda.eu-west-1.amazonaws.com", "http://127.0.0.1.example.com", "127.0.0.1"]
        {
            assert!(!is_loopback(url), "{url}");
        }
        assert!(checked("flag", "ftp://x").is_err() && checked("flag", "http://").is_err());
    }
}
