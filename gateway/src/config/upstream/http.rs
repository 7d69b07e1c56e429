//! An HTTP server that answers, such as a Function URL or an API, as TOML has it.

use http::Uri;
use serde::Deserialize;

use super::Unshown;
use super::local::is_variable;

/// Where requests go, and who they are said to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Http {
    /// Checked: an absolute URL without a user; names in braces stand for those of the route.
    pub(crate) url: Unshown<String>,
    /// The name of the environment variable that has the key.
    pub(crate) api_key_env: Option<String>,
    pub(crate) sign: Option<Sign>,
    /// To sign for; that of the URL, or the SDK's, if there is none.
    pub(crate) region: Option<String>,
}

/// For which service a request is signed (SigV4).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Function URLs.
    #[serde(rename = "lambda")]
    Lambda,
    /// APIs.
    #[serde(rename = "execute-api")]
    ExecuteApi,
}

/// As TOML has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "http = { url = \"https://...\" }")]
pub(in crate::config) struct Table {
    url: String,
    api_key_env: Option<String>,
    sign: Option<Sign>,
    region: Option<String>,
}

impl Table {
    /// `path` is that of the route.
    pub(super) fn read(self, path: &str) -> Result<Http, String> {
        let Self { url, api_key_env, sign, region } = self;
        check(&url, path)?;
        if sign.is_some() && url.starts_with("http://") && !is_loopback(&url) {
            let reason = "a signed request over http:// shows its session token to the network: use https://";
            return Err(reason.into());
        }
        if sign.is_none() && region.is_some() {
            return Err("a region is for signing: add sign = \"lambda\" or \"execute-api\"".into());
        }
        if api_key_env.as_deref().is_some_and(|name| !is_variable(name)) {
            return Err("`api_key_env` is the name of an environment variable, not a key".into());
        }
        Ok(Http { url: Unshown(url), api_key_env, sign, region })
    }
}

/// The names in braces of a path or of an URL, without a `+`.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// No message quotes the URL, which may have a key in its query.
fn check(url: &str, path: &str) -> Result<(), String> {
    let route: Vec<&str> = names(path).map(|name| name.trim_end_matches('+')).collect();
    let mut filled = url.to_owned();
    for name in names(url) {
        if !route.contains(&name) {
            return Err(format!("the URL has {{{name}}}, which the route's path {path} has not"));
        }
        filled = filled.replace(&format!("{{{name}}}"), "x");
    }
    let uri: Uri = filled.parse().map_err(|_| no_url())?;
    let Some(authority) = uri.authority() else { return Err(no_url()) };
    if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.host().is_empty() {
        return Err(no_url());
    }
    if authority.as_str().contains('@') {
        return Err(
            "the URL has a user and a password, which nobody asks for: leave them out".into()
        );
    }
    if authority.as_str().len() > authority.host().len() && authority.port().is_none() {
        return Err("the URL has a port that is none: write 1 to 65535, or leave it out".into());
    }
    let before_path = url.find("://").map_or(0, |at| at + "://".len());
    if url[before_path..].split(['/', '?']).next().is_some_and(|host| host.contains('{')) {
        return Err(
            "the host of the URL is not the client's to choose: no name in braces there".into()
        );
    }
    if url.contains('#') {
        return Err("the URL has a fragment, which is never sent: leave it out".into());
    }
    // What the client wrote and nobody passes on would make different requests the same one.
    let rest = path.rsplit('{').next().and_then(|last| last.strip_suffix("+}"));
    let lost =
        route.iter().find(|name| !names(url).any(|used| used == **name) && rest != Some(**name));
    match lost {
        Some(name) => {
            Err(format!("the route's {{{name}}} goes nowhere: put {{{name}}} into the URL"))
        }
        None => Ok(()),
    }
}

fn no_url() -> String {
    "`url` has to be http:// or https:// with a host, such as https://abc.lambda-url.eu-west-1.on.aws/".into()
}

/// Whether nobody else hears what is sent there.
fn is_loopback(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    let Some(host) = host else { return false };
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
