//! One `[[routes]]` table comes in; a route with one upstream goes out, or what is wrong with it and where.

use std::num::NonZeroU32;
use std::path::Path;

use http::Method;
use serde::Deserialize;
use toml::Spanned;

use super::endings::{self, Endings};
use super::limits::Limits;
use super::timeouts::Timeouts;
use super::upstream::{self, Lambda, Upstream};
use super::{Wrong, quantity};

/// Which requests go where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// `/objects/{name}`, and `{rest+}` for what is left of the path, as API Gateway writes it.
    pub(crate) path: Spanned<String>,
    /// None is any.
    pub(crate) methods: Vec<Method>,
    pub(crate) upstream: Upstream,
    /// Who says who may come here, by name. None is nobody: everybody may.
    pub(crate) authorizer: Option<Spanned<String>>,
    /// Whether objects are fetched by segments.
    pub(crate) segments: bool,
    pub(crate) timeouts: Timeouts,
    /// The largest body of a request, in bytes.
    pub(crate) body_max: u64,
    pub(crate) endings: Endings,
}

/// As TOML has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table: [[routes]]")]
pub(super) struct Table {
    path: Spanned<String>,
    #[serde(default)]
    methods: Vec<Spanned<String>>,
    lambda: Option<Spanned<Lambda>>,
    http: Option<Spanned<upstream::HttpTable>>,
    local: Option<Spanned<upstream::LocalTable>>,
    segments: Option<Spanned<bool>>,
    authorizer: Option<Spanned<String>>,
    #[serde(default)]
    timeouts: Timeouts,
    #[serde(default, deserialize_with = "quantity::size")]
    body_max: Option<u64>,
    in_flight: Option<NonZeroU32>,
    retries: Option<u32>,
    not_found: Option<Spanned<u16>>,
    #[serde(default)]
    expose_errors: bool,
    #[serde(default)]
    sse_errors: bool,
}

impl Table {
    /// `folder` is that of the file: paths in it are meant from there.
    pub(super) fn into_route(
        self,
        limits: &Limits,
        timeouts: Timeouts,
        folder: &Path,
    ) -> Result<Route, Wrong> {
        let path = self.path;
        let upstream = upstream::one_of(&path, self.lambda, self.http, self.local, folder)?;
        let segments = upstream::segments(&upstream, self.segments)?;
        let authorizer = match self.authorizer {
            Some(name) if name.get_ref() == "none" => None,
            Some(name) => Some(name),
            None => {
                let reason =
                    "who may come here? name an authorizer, or write authorizer = \"none\"";
                return Err((Some(path.span()), reason.into()));
            }
        };
        let mut methods = Vec::with_capacity(self.methods.len());
        for method in self.methods {
            let text = method.get_ref();
            match Method::from_bytes(text.as_bytes()) {
                Ok(Method::CONNECT) => {
                    let reason = "CONNECT asks for a tunnel, and this is no proxy: leave it out";
                    return Err((Some(method.span()), reason.into()));
                }
                Ok(known) if *text == text.to_ascii_uppercase() => methods.push(known),
                _ => {
                    let reason = format!("{text:?} is no method: write GET, POST, ...");
                    return Err((Some(method.span()), reason));
                }
            }
        }
        let body_max = self.body_max.unwrap_or(limits.body());
        let usual = Endings::default();
        let endings = Endings {
            in_flight: self.in_flight.or(limits.in_flight).unwrap_or(usual.in_flight),
            retries: self.retries.unwrap_or(usual.retries),
            not_found: self.not_found.map_or(Ok(usual.not_found), endings::not_found)?,
            expose_errors: self.expose_errors,
            sse_errors: self.sse_errors,
        };
        let timeouts = self.timeouts.or(timeouts);
        Ok(Route { path, methods, upstream, authorizer, segments, timeouts, body_max, endings })
    }
}
