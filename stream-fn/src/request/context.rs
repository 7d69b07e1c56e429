//! The request context of an HTTP event comes in, of payload format 1.0 or 2.0; what both know of the
//! request goes out under one name each.

use serde::Deserialize;

/// What a front door says of a request beside the request itself.
///
/// What the event does not have is `None`. Who is calling is
/// [`Request::caller`](crate::Request::caller). For more of it read a type of your own, or one of
/// `aws_lambda_events`, with [`Request::request_context`](crate::Request::request_context).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Wire")]
#[non_exhaustive]
pub struct RequestContext {
    /// The id that the front door gave the request; not that of the invocation.
    pub request_id: Option<String>,
    /// The account of the API, or of who called a Function URL with IAM.
    pub account_id: Option<String>,
    /// The id of the API or of the Function URL.
    pub api_id: Option<String>,
    /// The name of the host that was asked.
    pub domain_name: Option<String>,
    /// The stage of the API; `$default` where there is only one.
    pub stage: Option<String>,
    /// The route (2.0) or the resource with its method before it (1.0): `GET /orders/{id}`.
    pub route: Option<String>,
    /// The address of the client.
    pub source_ip: Option<String>,
    /// What the client says it is.
    pub user_agent: Option<String>,
    /// When the front door had the request, in milliseconds since 1970.
    pub time_epoch_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    request_id: Option<String>,
    account_id: Option<String>,
    api_id: Option<String>,
    domain_name: Option<String>,
    stage: Option<String>,
    time_epoch: Option<u64>,
    request_time_epoch: Option<u64>,
    route_key: Option<String>,
    resource_path: Option<String>,
    http_method: Option<String>,
    http: Option<Client>,
    identity: Option<Client>,
}

/// Where 2.0 and 1.0 have the client.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    source_ip: Option<String>,
    user_agent: Option<String>,
}

impl From<Wire> for RequestContext {
    fn from(wire: Wire) -> Self {
        let resource = || Some(format!("{} {}", wire.http_method?, wire.resource_path?));
        let (source_ip, user_agent) = match wire.http.or(wire.identity) {
            Some(client) => (client.source_ip, client.user_agent),
            None => (None, None),
        };
        Self {
            request_id: wire.request_id,
            account_id: wire.account_id,
            api_id: wire.api_id,
            domain_name: wire.domain_name,
            stage: wire.stage,
            route: wire.route_key.or_else(resource),
            source_ip,
            user_agent,
            time_epoch_ms: wire.time_epoch.or(wire.request_time_epoch),
        }
    }
}
