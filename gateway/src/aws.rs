//! What `[aws]` says, the environment and the AWS configuration files come in; how functions are called, and
//! as whom, goes out. Made once for a configuration, and when the first route asks for it.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_types::service_config::ServiceConfigKey;
use http::Uri;
use invoker::{HttpClient, Proxies};
use tokio::sync::OnceCell;

use crate::config::{self, CA_BUNDLE, Config, Environment, Wrong};

/// The region of a service on loopback, where any will do.
const LOOPBACK_REGION: &str = "us-east-1";

/// How long credentials are looked for before the gateway starts without. Networks among the places that
/// are looked through have shorter limits of their own.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(15);

/// The name under which a role is assumed, as its owner sees it in the logs.
const ROLE_SESSION: &str = "stream-gateway";

/// How upstreams of AWS are reached. Routes of one configuration share it.
pub(crate) struct Access {
    settings: config::Aws,
    environment: Environment,
    /// What is trusted in place of the system's certificates, as it was read.
    trusted: Option<Trusted>,
    http_client: OnceCell<HttpClient>,
    loaded: OnceCell<Loaded>,
}

/// A file of certificates.
struct Trusted {
    /// Where it is named, if it is in the configuration.
    span: Option<Range<usize>>,
    file: PathBuf,
    /// Or why there is none.
    pem: Result<Vec<u8>, String>,
}

/// What every AWS SDK finds.
pub(crate) struct Loaded {
    /// With region, credentials and the HTTP client, and no endpoint of one service.
    pub(crate) sdk: SdkConfig,
    /// Of Lambda, if it is not the usual one.
    endpoint: Option<String>,
}

impl Loaded {
    /// What leads to functions. Only they need a region that is said here: an URL may name its own.
    pub(crate) fn lambda(&self) -> Result<aws_sdk_lambda::Config, Wrong> {
        let mut lambda = aws_sdk_lambda::config::Builder::from(&self.sdk);
        if self.sdk.region().is_none() {
            if !self.endpoint.as_deref().is_some_and(is_loopback) {
                let reason = "no region: write region in [aws], or set AWS_REGION";
                return Err(whole(reason.into()));
            }
            lambda = lambda.region(Region::from_static(LOOPBACK_REGION));
        }
        if let Some(url) = &self.endpoint {
            lambda = lambda.endpoint_url(url);
        }
        Ok(lambda.build())
    }
}

impl Access {
    /// Nothing is looked for yet but the file of certificates.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            settings: config.aws.clone(),
            environment: config.environment.clone(),
            trusted: Trusted::read(config),
            http_client: OnceCell::new(),
            loaded: OnceCell::new(),
        }
    }

    /// Whether it is what `config` says too, and what is in the file that it names.
    pub(crate) fn is_of(&self, config: &Config) -> bool {
        let pem = |trusted: &Option<Trusted>| trusted.as_ref().map(|trusted| trusted.pem.clone());
        self.settings == config.aws && pem(&self.trusted) == pem(&Trusted::read(config))
    }

    /// What the configuration says of files and variables, without asking anybody.
    pub(crate) async fn check(&self) -> Result<(), Wrong> {
        self.http_client().await.map(drop)
    }

    /// With the proxies of the environment and the certificates that are trusted.
    pub(crate) async fn http_client(&self) -> Result<&HttpClient, Wrong> {
        self.http_client.get_or_try_init(async || self.new_http_client()).await
    }

    /// Looks for region and credentials once.
    pub(crate) async fn loaded(&self) -> Result<&Loaded, Wrong> {
        self.loaded.get_or_try_init(|| self.load()).await
    }

    fn new_http_client(&self) -> Result<HttpClient, Wrong> {
        let mut client = HttpClient::builder().proxies(proxies(&self.environment).map_err(whole)?);
        if let Some(Trusted { span, file, pem }) = &self.trusted {
            let unusable = |why| {
                let setting = if span.is_some() { "ca_bundle" } else { CA_BUNDLE };
                (span.clone(), format!("{setting} {}: {why}", file.display()))
            };
            let pem = pem.as_ref().map_err(|why| unusable(why.clone()))?;
            client = client.ca_bundle(pem).map_err(|error| unusable(told(&error)))?;
        }
        client.build().map_err(|error| whole(told(&error)))
    }

    async fn load(&self) -> Result<Loaded, Wrong> {
        let settings = &self.settings;
        let http_client = self.http_client().await?.clone();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client);
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if settings.placeholder {
            let credentials = Credentials::new("local", "local", None, None, "a service of ours");
            loader = loader.credentials_provider(credentials);
        }
        let mut sdk = loader.load().await;
        let endpoint = self.endpoint(&sdk)?;
        let loopback = endpoint.as_deref().is_some_and(is_loopback);
        if let Some(credentials) = self.credentials(&sdk, loopback).await {
            sdk = sdk.into_builder().credentials_provider(credentials).build();
        }
        Ok(Loaded { sdk, endpoint })
    }

    /// In place of what the chain of the SDK gives, if there is anything. A chain that gives none is said
    /// and kept: the next request may find that somebody has signed in.
    async fn credentials(
        &self,
        sdk: &SdkConfig,
        loopback: bool,
    ) -> Option<SharedCredentialsProvider> {
        let chain = sdk.credentials_provider();
        let (provider, needed) = match &self.settings.role_arn {
            Some(role) => {
                let role = AssumeRoleProvider::builder(role.get_ref()).session_name(ROLE_SESSION);
                let assumed = role.configure(sdk).build().await;
                (Some(SharedCredentialsProvider::new(assumed)), true)
            }
            None => (chain, self.settings.profile.is_some()),
        };
        let gap = match &provider {
            Some(provider) => look(provider).await,
            None => Some("nothing was configured".into()),
        };
        match gap {
            None => provider,
            Some(_) if loopback && !needed => {
                tracing::info!("no credentials found; the endpoint is on loopback, so any will do");
                let local =
                    Credentials::new("local", "local", None, None, "placeholder for loopback");
                Some(SharedCredentialsProvider::new(local))
            }
            Some(why) => {
                let role = self.settings.role_arn.as_ref().map(|role| role.get_ref().as_str());
                tracing::warn!(
                    role,
                    "no credentials ({why}): calls fail until there are: set AWS_ACCESS_KEY_ID and \
                     AWS_SECRET_ACCESS_KEY, or profile in [aws], or sign in"
                );
                provider
            }
        }
    }

    /// The endpoint that is set, wherever it is; as the SDK does, the service's own setting first.
    fn endpoint(&self, sdk: &SdkConfig) -> Result<Option<String>, Wrong> {
        if let Some(url) = &self.settings.endpoint_url {
            return Ok(Some(url.get_ref().clone()));
        }
        // The variable's name and the name of the service's section in a profile are made of these.
        let key = ServiceConfigKey::builder()
            .service_id("Lambda")
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let own = match (sdk.service_config(), key) {
            (Some(settings), Ok(key)) => settings.load_config(key),
            _ => None,
        };
        match own.or_else(|| sdk.endpoint_url().map(str::to_owned)) {
            Some(url) if !config::is_url(&url) => {
                let reason = "AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL or a profile's endpoint_url is no URL \
                              such as http://127.0.0.1:9000";
                Err(whole(reason.into()))
            }
            found => Ok(found),
        }
    }
}

/// Looks for credentials; why there are none, if so.
async fn look(provider: &SharedCredentialsProvider) -> Option<String> {
    match tokio::time::timeout(CREDENTIALS_WITHIN, provider.provide_credentials()).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(told(&error)),
        Err(_) => Some(format!("not within {} s", CREDENTIALS_WITHIN.as_secs())),
    }
}

/// The proxies of the usual variables.
fn proxies(environment: &Environment) -> Result<Proxies, String> {
    let variable = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| Some((name, environment.variable(name)?)))
    };
    type Set = fn(Proxies, &str) -> Result<Proxies, invoker::Error>;
    let kinds: [([&str; 2], Set); 2] = [
        (["HTTPS_PROXY", "https_proxy"], Proxies::https),
        (["HTTP_PROXY", "http_proxy"], Proxies::http),
    ];
    let mut proxies = Proxies::none();
    for (names, set) in kinds {
        if let Some((name, proxy)) = variable(names) {
            proxies = set(proxies, &proxy).map_err(|error| format!("{name}: {}", told(&error)))?;
        } else if let Some((name, proxy)) = variable(["ALL_PROXY", "all_proxy"]) {
            match set(proxies.clone(), &proxy) {
                Ok(with) => proxies = with,
                // It may be meant for other programs, which know SOCKS.
                Err(error) => tracing::debug!("{name} is ignored: {}", told(&error)),
            }
        }
    }
    let except = variable(["NO_PROXY", "no_proxy"]).map(|(_, hosts)| hosts);
    Ok(proxies.except(&except.unwrap_or_default()))
}

impl Trusted {
    fn read(config: &Config) -> Option<Self> {
        let (span, file) = config.ca_bundle()?;
        let pem = std::fs::read(&file).map_err(|error| error.to_string());
        Some(Self { span, file, pem })
    }
}

/// About the configuration as a whole.
fn whole(reason: String) -> Wrong {
    (None, reason)
}

/// An error and the innermost reason for it.
fn told(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let (outer, inner) = (error.to_string(), innermost.to_string());
    if outer.contains(&inner) { outer } else { format!("{outer}: {inner}") }
}

/// Whether an URL leads to this very machine.
fn is_loopback(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    let host = url.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
