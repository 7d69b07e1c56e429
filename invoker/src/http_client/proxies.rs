//! The settings of proxies, as the usual variables have them, and an address go in; the proxy that
//! leads to it comes out, if there is one. Pure.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::error::{Error, ErrorKind};

/// Which proxies lead to which addresses.
///
/// A proxy is `http://HOST:PORT` or `https://HOST:PORT`, with `USER:PASSWORD@` before the host where
/// it asks for them (percent-encoded). What goes to an `https` address goes through a tunnel
/// (CONNECT); the proxy sees the name of the host and nothing else.
///
/// Addresses on loopback, and those of this very machine's network that hand out credentials
/// (169.254.0.0/16, fe80::/10), are never asked of a proxy, unless
/// [`local_addresses`](Self::local_addresses) says so.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    except: String,
    local: bool,
    /// Of all that.
    matcher: Arc<OnceLock<Matcher>>,
}

impl Proxies {
    /// No proxy.
    pub fn none() -> Self {
        Self::default()
    }

    /// The proxy for `https` addresses, as `HTTPS_PROXY` has it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is no such URL.
    pub fn https(mut self, proxy: &str) -> Result<Self, Error> {
        self.https = Some(checked(proxy)?);
        Ok(self.changed())
    }

    /// The proxy for `http` addresses, as `HTTP_PROXY` has it.
    ///
    /// # Errors
    ///
    /// As [`https`](Self::https).
    pub fn http(mut self, proxy: &str) -> Result<Self, Error> {
        self.http = Some(checked(proxy)?);
        Ok(self.changed())
    }

    /// Hosts that no proxy is asked for, as `NO_PROXY` has them: names, which stand for all names
    /// that end with them, addresses and networks, between commas; `*` is every host.
    pub fn except(mut self, hosts: &str) -> Self {
        self.except = hosts.to_owned();
        self.changed()
    }

    /// Whether a proxy is asked for local addresses too; no, if this is not called.
    pub fn local_addresses(mut self, wanted: bool) -> Self {
        self.local = wanted;
        self
    }

    fn changed(mut self) -> Self {
        self.matcher = Arc::default();
        self
    }

    /// The proxy for `address`.
    pub(super) fn of(&self, address: &Uri) -> Option<Intercept> {
        if self.http.is_none() && self.https.is_none() {
            return None;
        }
        if !self.local && is_local(address.host()?) {
            return None;
        }
        let matcher = self.matcher.get_or_init(|| {
            Matcher::builder()
                .http(self.http.clone().unwrap_or_default())
                .https(self.https.clone().unwrap_or_default())
                .no(self.except.clone())
                .build()
        });
        matcher.intercept(address)
    }

    /// What a proxy that forwards the request itself, without a tunnel, wants to see in it.
    pub(super) fn authorization(&self, address: &Uri) -> Option<HeaderValue> {
        if address.scheme_str() != Some("http") {
            return None;
        }
        self.of(address)?.basic_auth().cloned()
    }
}

impl std::fmt::Debug for Proxies {
    /// Users and passwords are left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |proxy: &Option<String>| {
            let proxy = proxy.as_deref()?;
            Some(proxy.rsplit_once('@').map_or(proxy, |(_, host)| host).to_owned())
        };
        f.debug_struct("Proxies")
            .field("http", &shown(&self.http))
            .field("https", &shown(&self.https))
            .field("except", &self.except)
            .finish_non_exhaustive()
    }
}

/// A proxy that can be asked. The matcher would leave out any other without a word.
fn checked(proxy: &str) -> Result<String, Error> {
    let no_url = || {
        // Not quoted: there may be a password in it.
        let message = "the proxy is no URL such as http://proxy.example.com:3128";
        Error::new(ErrorKind::Configuration, message)
    };
    let uri: Uri = proxy.trim().parse().map_err(|_| no_url())?;
    let scheme = uri.scheme_str().unwrap_or("http").to_owned();
    if uri.host().is_none_or(str::is_empty) {
        return Err(no_url());
    }
    if !matches!(scheme.as_str(), "http" | "https") {
        let message = format!("a proxy is reached by http or https, not by {scheme}");
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    Ok(proxy.trim().to_owned())
}

fn is_local(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match address.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_unspecified() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(proxies: &Proxies, address: &str) -> Option<String> {
        let found = proxies.of(&address.parse().unwrap());
        found.and_then(|found| found.uri().host().map(str::to_owned))
    }

    #[test]
    fn each_address_has_its_proxy() {
        let proxies = Proxies::none()
            .https("http://user:secret@tunnel:3128")
            .unwrap()
            .http("plain:8080")
            .unwrap()
            .except("internal.example, 10.0.0.0/8");
        let table = [
            ("https://lambda.eu-west-1.amazonaws.com", Some("tunnel")),
            ("http://example.com", Some("plain")),
            ("https://a.internal.example", None),
            ("https://10.1.2.3", None),
            ("https://localhost:9000", None),
            ("http://127.0.0.1:9000", None),
            ("http://[::1]:9000", None),
            ("http://169.254.169.254/latest", None),
        ];
        for (address, expected) in table {
            assert_eq!(asked(&proxies, address).as_deref(), expected, "{address}");
        }
        let told = proxies.clone().local_addresses(true);
        assert_eq!(asked(&told, "http://127.0.0.1:9000").as_deref(), Some("plain"));
        assert_eq!(asked(&proxies.clone().except("*"), "https://example.com"), None);
        assert!(!format!("{proxies:?}").contains("secret"), "{proxies:?}");
        let plain = "http://example.com".parse().unwrap();
        assert!(proxies.authorization(&plain).is_none());
    }

    #[test]
    fn a_proxy_that_cannot_be_asked_is_named_without_its_password() {
        for proxy in ["socks5://user:secret@host:1080", "http://", "http://us er:secret@host", ""] {
            let error = Proxies::none().https(proxy).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }
}
