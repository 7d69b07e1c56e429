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
/// Addresses on loopback, and those of this very machine's network, where credentials are handed out
/// (169.254.0.0/16, fe80::/10, AWS's own fd00:ec2::/32), are never asked of a proxy, unless
/// [`local_addresses`](Self::local_addresses) says so.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    except: String,
    local: bool,
    /// Of all that.
    matchers: Arc<OnceLock<Matchers>>,
}

/// What is asked for each address.
struct Matchers {
    any_port: Matcher,
    /// One for each exception of a single port.
    of_ports: Vec<(u16, Matcher)>,
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
    /// below them too, with or without `.` or `*.` before them, addresses and networks, IPv6 with or
    /// without brackets, between commas or spaces. `HOST:PORT` is one port of a host alone; `*` is
    /// every host.
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
        self.matchers = Arc::default();
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
        let matchers = self.matchers.get_or_init(|| self.matchers());
        let port = address.port_u16().or(match address.scheme_str() {
            Some("http") => Some(80),
            Some("https") => Some(443),
            _ => None,
        });
        let of_port = matchers.of_ports.iter().filter(|(other, _)| Some(*other) == port);
        let mut asked = of_port.map(|(_, matcher)| matcher).chain([&matchers.any_port]);
        let mut found = None;
        // One that excepts the address is enough.
        asked.all(|matcher| {
            found = matcher.intercept(address);
            found.is_some()
        });
        found
    }

    fn matchers(&self) -> Matchers {
        let without = |except: String| {
            Matcher::builder()
                .http(self.http.clone().unwrap_or_default())
                .https(self.https.clone().unwrap_or_default())
                .no(except)
                .build()
        };
        let entries = self.except.split(|c: char| c == ',' || c.is_whitespace()).map(exception);
        let (of_ports, any_port): (Vec<_>, Vec<_>) = entries.partition(|(_, port)| port.is_some());
        let hosts: Vec<_> = any_port.into_iter().map(|(host, _)| host).collect();
        let of_ports =
            of_ports.into_iter().filter_map(|(host, port)| Some((port?, without(host)))).collect();
        Matchers { any_port: without(hosts.join(",")), of_ports }
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
    let proxy = proxy.trim();
    // Never quoted: there may be a password in it.
    let refused = |message: String| Error::new(ErrorKind::Configuration, message);
    let no_url = || refused("the proxy is no URL such as http://proxy.example.com:3128".into());
    let uri: Uri = proxy.parse().map_err(|_| no_url())?;
    let scheme = uri.scheme_str().unwrap_or("http").to_owned();
    let authority = uri.authority().filter(|a| !a.host().is_empty()).ok_or_else(no_url)?;
    // In a password that is not encoded, what stands behind these would be taken for the host.
    let of_user = authority.as_str().matches('@').count();
    if of_user > 1 || of_user != proxy.matches('@').count() {
        let message = "the proxy has an @ behind its host, or two: in its user and password, \
            @ / ? # are written %40 %2F %3F %23";
        return Err(refused(message.into()));
    }
    let host = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
    if host != authority.host() && authority.port_u16().is_none() {
        return Err(refused("the proxy has a port that is no number up to 65535".into()));
    }
    if !matches!(scheme.as_str(), "http" | "https") {
        return Err(refused(format!("a proxy is reached by http or https, not by {scheme}")));
    }
    Ok(proxy.to_owned())
}

/// An entry of `NO_PROXY` as the matcher has it, and its port. curl knows neither ports nor `*.` nor
/// brackets there; Go and others do, and whoever writes them means them.
fn exception(entry: &str) -> (String, Option<u16>) {
    // Of an address without brackets the last part is no port.
    let with_port =
        entry.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let parsed = with_port.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parsed.map_or((entry, None), |(host, port)| (host, Some(port)));
    let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
    (host.trim_end_matches('.').replace(['[', ']'], ""), port)
}

/// Where AWS hands out credentials over IPv6: the instance's (fd00:ec2::254) and a pod's (fd00:ec2::23).
/// Source: "Use the Instance Metadata Service" of the EC2 user guide, "EKS Pod Identity" of that of EKS.
const OF_AWS: [u16; 2] = [0xfd00, 0x0ec2];

fn is_local(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address = address.strip_suffix('.').unwrap_or(address);
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_unspecified() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            let of_aws = ip.segments().starts_with(&OF_AWS);
            ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() || of_aws
        }
        Err(_) => address.eq_ignore_ascii_case("localhost"),
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
            ("http://[fd00:ec2::254]/latest", None),
            ("http://[fd00:ec2::23]/v1/credentials", None),
            ("http://[fd00:ec3::23]/v1/credentials", Some("plain")),
            ("http://[::ffff:169.254.170.2]", None),
            ("http://[::ffff:127.0.0.1]:9000", None),
            ("http://localhost.:9000", None),
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
    fn exceptions_are_meant_however_they_are_written() {
        let table = [
            ("[2001:db8::1]", "http://[2001:db8::1]:9000", true),
            ("2001:db8:0::1", "http://[2001:db8::1]", true),
            ("[2001:db8::1]:9000", "http://[2001:db8::1]:9000", true),
            ("[2001:db8::1]:9000", "http://[2001:db8::1]", false),
            ("[2001:db8::]/32", "http://[2001:db8::1]", true),
            ("*.example.test", "http://a.example.test", true),
            ("*.example.test", "http://another-example.test", false),
            ("example.test.", "http://a.example.test", true),
            ("other.test example.test", "http://example.test", true),
            ("example.test:80", "http://example.test", true),
            ("example.test:80", "http://example.test:81", false),
            ("example.test:80", "https://example.test", false),
            ("example.test:443, other.test:80", "https://a.example.test", true),
            ("example.test:x", "http://example.test", false),
            ("*:80", "http://example.test", true),
            ("", "http://example.test", false),
        ];
        for (entries, address, excepted) in table {
            let proxies = Proxies::none().http("plain").unwrap().https("plain").unwrap();
            let asked = asked(&proxies.except(entries), address);
            assert_eq!(asked.is_none(), excepted, "{entries:?} {address}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_asked_is_named_without_its_password() {
        let refused = [
            "socks5://user:secret@host:1080",
            "http://",
            "http://us er:secret@host",
            "",
            "http://user:sec/secret@host:3128",
            "http://user:1/secret@host:3128",
            "http://user:1?secret@host:3128",
            "http://user:1#secret@host:3128",
            "http://user:sec@secret@host:3128",
            "user:sec/secret@host:3128",
            "http://host:secret",
            "http://host:65536",
            "http://user:secret@host:",
            "http://[::1]:secret",
        ];
        for proxy in refused {
            let error = Proxies::none().https(proxy).expect_err(proxy);
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
        for proxy in ["host", "host:3128", "user:a%2Fb@host", "http://[::1]:3128/", "https://host/"]
        {
            assert!(Proxies::none().https(proxy).is_ok(), "{proxy}");
        }
    }
}
