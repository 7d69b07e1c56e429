//! Connection settings, the environment and the AWS configuration files go in; a configuration of the
//! SDK with a region and credentials comes out.

use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_lambda::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_types::service_config::ServiceConfigKey;
use invoker::{FunctionUrls, HttpClient};

use crate::args::Connection;
use crate::report::{Failure, say};
use crate::url::{has_user, host, is_loopback, is_unencrypted, shown};

/// The region of a service on loopback, where any will do.
pub(crate) const LOOPBACK_REGION: &str = "us-east-1";

/// How long credentials are looked for: time for somebody whom a credential process asks for a
/// code. Networks among the places that are looked through have shorter limits of their own.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(60);

/// The name under which a role is assumed, as its owner sees it in the logs.
const ROLE_SESSION: &str = "invoker";

/// What leads to functions by their names.
pub(crate) async fn configuration(
    connection: &Connection,
    http_client: &HttpClient,
    quiet: bool,
) -> Result<SdkConfig, Failure> {
    let loaded = load(connection, http_client).await;
    let endpoint = endpoint(connection, &loaded)?;
    let loopback = endpoint.as_deref().is_some_and(is_loopback);
    let mut config = loaded.clone().into_builder();
    if loaded.region().is_none() {
        if !loopback {
            return Err(no_region(connection));
        }
        config = config.region(Region::from_static(LOOPBACK_REGION));
    }
    let config = config.build();
    let found = credentials(connection, &config, loopback).await?;
    if found.is_none() && !quiet {
        say("invoker: no credentials found; the endpoint is on loopback, so any will do");
    }
    let credentials = found.unwrap_or_else(|| SharedCredentialsProvider::new(placeholder()));
    Ok(config.into_builder().credentials_provider(credentials).build())
}

/// What leads to functions by their URLs, such as `function`.
pub(crate) async fn function_urls(
    function: &str,
    connection: &Connection,
    http_client: HttpClient,
    quiet: bool,
) -> Result<FunctionUrls, Failure> {
    without_user(function)?;
    checked("FUNCTION", function)?;
    let access = &connection.access;
    for (given, flag) in [
        (connection.endpoint_url.is_some(), "--endpoint-url"),
        (access.fips, "--fips"),
        (access.dual_stack, "--dual-stack"),
    ] {
        if given {
            let message = format!("a Function URL is its own endpoint: leave {flag} out");
            return Err(Failure::Usage(message));
        }
    }
    if connection.access.no_sign {
        return Ok(FunctionUrls::unsigned(http_client));
    }
    let loopback = is_loopback(function);
    if is_unencrypted(function) && !loopback {
        let message = "a signed call over http:// would show its session token to the network: use \
                       https://, or --no-sign";
        return Err(Failure::Usage(message.into()));
    }
    let loaded = load(connection, &http_client).await;
    let Some(credentials) = credentials(connection, &loaded, loopback).await? else {
        if !quiet {
            say("invoker: no credentials found; the function is on loopback, so nothing is signed");
        }
        return Ok(FunctionUrls::unsigned(http_client));
    };
    let urls = FunctionUrls::signed(http_client, credentials);
    let urls = match loaded.region() {
        Some(region) => urls.region(region.as_ref()),
        None if loopback => urls.region(LOOPBACK_REGION),
        None => urls,
    };
    match urls.region_of(function) {
        Some(_) => Ok(urls),
        None => Err(no_region(connection)),
    }
}

fn no_region(connection: &Connection) -> Failure {
    let chosen = profile(connection);
    let none = chosen.map(|name| format!("; the profile {name} has none, or is not there"));
    let message = "no region: set --region, AWS_REGION, or a profile that has one";
    Failure::Configuration(format!("{message}{}", none.unwrap_or_default()))
}

/// The name of the profile that was asked for, wherever that was.
fn profile(connection: &Connection) -> Option<String> {
    let of_variable = || std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
    connection.profile.clone().or_else(of_variable)
}

/// What the environment and the files say, as the SDK understands them.
async fn load(connection: &Connection, http_client: &HttpClient) -> SdkConfig {
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http_client.clone());
    if let Some(profile) = &connection.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &connection.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if connection.access.fips {
        loader = loader.use_fips(true);
    }
    if connection.access.dual_stack {
        loader = loader.use_dual_stack(true);
    }
    loader.load().await
}

/// Whose credentials calls are signed with, looked for before anything is called, so that a gap is
/// named as such; `None` where there are none, and none are needed.
async fn credentials(
    connection: &Connection,
    config: &SdkConfig,
    loopback: bool,
) -> Result<Option<SharedCredentialsProvider>, Failure> {
    let role = connection.access.role_arn.as_ref();
    let Some(provider) = config.credentials_provider() else {
        let gap = Gap::default();
        return no_credentials(connection, gap, loopback && role.is_none()).map(|()| None);
    };
    if let Err(gap) = look(&provider).await? {
        return no_credentials(connection, gap, loopback && role.is_none()).map(|()| None);
    }
    let Some(role) = role else { return Ok(Some(provider)) };
    let session = connection.access.role_session_name.as_deref().unwrap_or(ROLE_SESSION);
    let assumed = AssumeRoleProvider::builder(role).session_name(session).configure(config);
    let assumed = SharedCredentialsProvider::new(assumed.build().await);
    match look(&assumed).await? {
        Ok(()) => Ok(Some(assumed)),
        Err(Gap { why, .. }) => Err(Failure::Configuration(format!(
            "the role {role} cannot be assumed{why}: the caller needs sts:AssumeRole on it, and the \
             role has to trust the caller"
        ))),
    }
}

/// Looks for credentials.
async fn look(provider: &SharedCredentialsProvider) -> Result<Result<(), Gap>, Failure> {
    let found = tokio::time::timeout(CREDENTIALS_WITHIN, provider.provide_credentials());
    let Ok(found) = found.await else {
        let message = format!(
            "no credentials within {} s: the place they should come from does not answer",
            CREDENTIALS_WITHIN.as_secs()
        );
        return Err(Failure::Configuration(message));
    };
    Ok(found.map(drop).map_err(|error| Gap::of(&error)))
}

/// What to tell somebody without credentials; nothing where none are needed.
fn no_credentials(connection: &Connection, gap: Gap, loopback: bool) -> Result<(), Failure> {
    let Gap { why, sign_in } = gap;
    let message = match (sign_in, profile(connection)) {
        (Some(sign_in), chosen) => {
            let of_profile = chosen.map(|name| format!(" --profile {name}")).unwrap_or_default();
            match sign_in {
                SignIn::Sso => {
                    format!("no credentials{why}: sign in with `aws sso login{of_profile}`")
                }
                SignIn::Login => format!(
                    "no credentials: what `aws login` left is not read here; put it into the environment \
                     with `eval \"$(aws configure export-credentials{of_profile} --format env)\"`"
                ),
            }
        }
        // A profile that was typed is meant.
        (None, _) if loopback && connection.profile.is_none() => return Ok(()),
        (None, Some(profile)) => format!(
            "no credentials in the profile {profile}{why}: is it in the AWS configuration files?"
        ),
        (None, None) => format!(
            "no credentials{why}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE \
             or --profile, or sign in with the AWS CLI"
        ),
    };
    Err(Failure::Configuration(message))
}

/// For a service on loopback that checks no signatures.
pub(crate) fn placeholder() -> Credentials {
    Credentials::new("local", "local", None, None, "placeholder for a service on loopback")
}

/// The endpoint that is set, wherever it is; as the SDK does, the service's own setting first.
fn endpoint(connection: &Connection, loaded: &SdkConfig) -> Result<Option<String>, Failure> {
    if let Some(url) = &connection.endpoint_url {
        checked("--endpoint-url", url)?;
        return Ok(Some(url.clone()));
    }
    // The variable's name and the name of the service's section in a profile are made of these.
    let key = ServiceConfigKey::builder()
        .service_id("Lambda")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = match (loaded.service_config(), key) {
        (Some(settings), Ok(key)) => settings.load_config(key),
        _ => None,
    };
    let url = own.or_else(|| loaded.endpoint_url().map(str::to_owned));
    if let Some(url) = &url {
        checked("AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL or endpoint_url", url)?;
    }
    Ok(url)
}

fn checked(setting: &str, url: &str) -> Result<(), Failure> {
    if host(url).is_some_and(|host| !host.is_empty()) {
        return Ok(());
    }
    let shown = shown(url);
    Err(Failure::Usage(format!("{setting}: {shown:?} is no URL such as http://127.0.0.1:9000")))
}

/// Refuses the URL of a function that has a user or a password in it, which would be sent and written
/// down; asked before anything is written.
pub(crate) fn without_user(function: &str) -> Result<(), Failure> {
    if !has_user(function) {
        return Ok(());
    }
    let message = format!(
        "a Function URL knows no user or password: leave them out, as in {}",
        shown(function)
    );
    Err(Failure::Usage(message))
}

/// Why there are no credentials.
#[derive(Default)]
struct Gap {
    /// The innermost reason, in parentheses and in one line; nothing where the reason is only that no
    /// provider had any.
    why: String,
    /// The sign-in that has to be made, if it is one.
    sign_in: Option<SignIn>,
}

/// How somebody has signed in, or is to.
enum SignIn {
    Sso,
    /// `aws login`, whose sessions the SDK reads only with two dozen crates more.
    Login,
}

impl Gap {
    fn of(error: &CredentialsError) -> Self {
        if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
            return Self::default();
        }
        let mut innermost: &dyn std::error::Error = error;
        let mut chain = error.to_string();
        while let Some(source) = innermost.source() {
            innermost = source;
            chain = format!("{chain} {source}");
        }
        // The SDK has no public types for these; its words are the only sign, and the folders in which
        // the AWS CLI keeps what it was given.
        let chain = chain.replace('\\', "/");
        let has = |signs: [&str; 2]| signs.iter().any(|sign| chain.contains(sign));
        let sign_in = match () {
            () if has(["SSO", "/sso/cache/"]) => Some(SignIn::Sso),
            () if has(["credentials-login", "/login/cache/"]) => Some(SignIn::Login),
            () => None,
        };
        let words = innermost.to_string();
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { why: format!(" ({words})"), sign_in }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_is_told_without_its_password() {
        assert!(checked("flag", "http://127.0.0.1:9000").is_ok());
        for wrong in ["ftp://x", "http://", "http://u:secret@", "https://u:secret@:1/"] {
            let told = checked("flag", wrong).unwrap_err().message();
            assert!(told.starts_with("flag: ") && !told.contains("secret"), "{told}");
        }
    }
}
