//! What TOML says of addresses comes in; sockets to listen on go out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use super::Wrong;

/// Nobody but this machine, until the configuration says otherwise.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// One address, or several.
pub(super) enum Written {
    One(String),
    Several(Vec<Spanned<String>>),
}

/// Not derived, because an untagged enum forgets where things stand.
impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Addresses;
        impl<'de> Visitor<'de> for Addresses {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"127.0.0.1:8080\", or several in brackets")
            }

            fn visit_str<E>(self, one: &str) -> Result<Written, E> {
                Ok(Written::One(one.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Written, A::Error> {
                let mut several = Vec::new();
                while let Some(one) = seq.next_element()? {
                    several.push(one);
                }
                Ok(Written::Several(several))
            }
        }
        from.deserialize_any(Addresses)
    }
}

/// Where to listen, and where to tell of metrics and health.
pub(super) fn addresses(
    listen: Option<Spanned<Written>>,
    admin: Option<Spanned<String>>,
    wrong: &mut Vec<Wrong>,
) -> (Vec<Spanned<SocketAddr>>, Option<Spanned<SocketAddr>>) {
    let listen = match listen {
        None => return (vec![Spanned::new(0..0, DEFAULT)], admin.and_then(|a| address(a, wrong))),
        Some(written) => {
            let span = written.span();
            match written.into_inner() {
                Written::One(one) => vec![Spanned::new(span, one)],
                Written::Several(several) => {
                    if several.is_empty() {
                        let reason = "nowhere to listen: write listen = \"127.0.0.1:8080\"";
                        wrong.push((Some(span), reason.into()));
                    }
                    several
                }
            }
        }
    };
    let mut taken: Vec<Spanned<SocketAddr>> = Vec::new();
    let mut take = |written: Spanned<String>| {
        let address = address(written, wrong)?;
        // Port 0 is any free one, and each time another.
        if address.get_ref().port() != 0 && taken.contains(&address) {
            let reason = format!("{} is there already: leave it out", address.get_ref());
            wrong.push((Some(address.span()), reason));
        }
        taken.push(address.clone());
        Some(address)
    };
    let listen = listen.into_iter().filter_map(&mut take).collect();
    (listen, admin.and_then(take))
}

fn address(written: Spanned<String>, wrong: &mut Vec<Wrong>) -> Option<Spanned<SocketAddr>> {
    match written.get_ref().parse() {
        Ok(address) => Some(Spanned::new(written.span(), address)),
        Err(_) => {
            let reason = format!(
                "{:?} is no address with a port: write 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080",
                written.get_ref()
            );
            wrong.push((Some(written.span()), reason));
            None
        }
    }
}

/// What others reach who perhaps should not, each with its place in the file if it has one.
pub(super) fn notes(
    listen: impl Iterator<Item = (Option<Range<usize>>, SocketAddr)>,
    admin: Option<(Option<Range<usize>>, SocketAddr)>,
    tls: bool,
) -> Vec<Wrong> {
    let open = |(_, address): &(_, SocketAddr)| !address.ip().is_loopback();
    let listen = listen.filter(open).filter(|_| !tls).map(|(span, address)| {
        let reason = "others reach this without TLS, so everybody between may read and change what is sent: \
                      add tls = { certificate, key }, or have a proxy with TLS before it";
        (span, format!("{address}: {reason}"))
    });
    let admin = admin.into_iter().filter(open).map(|(span, address)| {
        let reason = "others reach the metrics, which nothing protects";
        (span, format!("{address}: {reason}"))
    });
    listen.chain(admin).collect()
}
