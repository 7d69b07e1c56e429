//! What is known of a request comes in, from an event or from a socket; a view of it goes out, which is all
//! that a decision is made of.

use http::HeaderMap;
use std::fmt;
use std::net::IpAddr;

/// A request, as the engine looks at it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct RequestView<'a> {
    /// The method, in capitals; `$connect` for one that opens a WebSocket.
    pub method: &'a str,
    /// The path as the client sent it, percent-encoded, without the query and without a stage. The engine
    /// decodes it once.
    pub path: &'a str,
    /// The headers. One that comes twice, and would be a credential, makes the request nobody's.
    pub headers: &'a HeaderMap,
    /// The query as the client sent it, percent-encoded, without `?`.
    pub query: Option<&'a str>,
    /// The address of the client. Nothing is decided by it; it is for the log.
    pub source_ip: Option<IpAddr>,
    /// The VPC endpoint that the request came through: `vpce-...`. Only somebody who knows may say it: not
    /// a header.
    pub vpc_endpoint: Option<&'a str>,
    /// The one credential, where the event has only that: of a TOKEN authorizer. Headers and query then do
    /// not count.
    pub token: Option<&'a str>,
}

impl<'a> RequestView<'a> {
    /// A request with a method, a path and headers; the rest is set as it is known.
    pub fn new(method: &'a str, path: &'a str, headers: &'a HeaderMap) -> Self {
        Self {
            method,
            path,
            headers,
            query: None,
            source_ip: None,
            vpc_endpoint: None,
            token: None,
        }
    }

    /// With the query, without `?`.
    #[must_use]
    pub fn query(mut self, query: &'a str) -> Self {
        self.query = Some(query);
        self
    }

    /// With the address of the client.
    #[must_use]
    pub fn source_ip(mut self, address: IpAddr) -> Self {
        self.source_ip = Some(address);
        self
    }

    /// With the VPC endpoint it came through.
    #[must_use]
    pub fn vpc_endpoint(mut self, id: &'a str) -> Self {
        self.vpc_endpoint = Some(id);
        self
    }

    /// With the one credential there is.
    #[must_use]
    pub fn token(mut self, token: &'a str) -> Self {
        self.token = Some(token);
        self
    }
}

/// Without headers, query and token.
impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestView")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("source_ip", &self.source_ip)
            .field("vpc_endpoint", &self.vpc_endpoint)
            .finish_non_exhaustive()
    }
}
