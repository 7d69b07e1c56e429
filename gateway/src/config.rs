//! The text of a configuration file comes in; routes and limits that can be served go out, or a complaint
//! that says where and why not. Pure: no file but the given text is read, no name looked up.

mod complaint;
mod quantity;
mod route;
mod segments;
mod timeouts;
mod upstream;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde::Deserialize;

pub use complaint::Complaint;
pub(crate) use route::Route;
pub(crate) use segments::Segments;
pub(crate) use timeouts::Timeouts;
pub(crate) use upstream::{
    EventFormat, Http, Lambda, Mode, Prelude, Sign, Upstream, names_in_braces,
};
#[cfg(feature = "local")]
pub(crate) use upstream::{Limits, Local, Process};

/// Nobody but this machine, until the configuration says otherwise.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// What a gateway serves, and how.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) aws: Aws,
    pub(crate) segments: Segments,
    pub(crate) routes: Vec<Route>,
}

/// Where functions are called, and as whom: what is not said is looked for as every AWS SDK does.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aws {
    pub(crate) region: Option<String>,
    pub(crate) endpoint_url: Option<String>,
    pub(crate) profile: Option<String>,
}

/// The file as TOML has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "listen_default")]
    listen: SocketAddr,
    #[serde(default)]
    aws: Aws,
    segments: Option<toml::Spanned<Segments>>,
    #[serde(default)]
    routes: Vec<route::Table>,
}

fn listen_default() -> SocketAddr {
    LISTEN_DEFAULT
}

impl Config {
    /// Reads a configuration; `name` is what complaints call the file, and paths in it are meant from
    /// that file's folder.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, by line.
    pub fn parse(text: &str, name: &str) -> Result<Self, Complaint> {
        let at = |span, reason| Complaint::new(name, text, span, reason);
        let file: File =
            toml::from_str(text).map_err(|error| at(error.span(), error.message().to_owned()))?;
        let segments = match file.segments {
            Some(segments) => {
                segments.get_ref().check().map_err(|reason| at(Some(segments.span()), reason))?;
                segments.into_inner()
            }
            None => Segments::default(),
        };
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        let mut routes = Vec::with_capacity(file.routes.len());
        for table in file.routes {
            routes.push(table.into_route(folder).map_err(|(span, reason)| at(span, reason))?);
        }
        crate::routes::Routes::new(&routes).map_err(|(route, reason)| {
            at(routes.get(route).map(|route| route.path.span()), reason)
        })?;
        Ok(Self { listen: file.listen, aws: file.aws, segments, routes })
    }

    /// Where the gateway listens.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }
}
