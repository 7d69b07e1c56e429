//! One request comes in; its route is found, its body read up to the limit, its upstream asked; the response
//! goes out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::answer::{self, REQUEST_ID, Sent};
use crate::aws::Access;
use crate::config::{Complaints, Config, Route};
use crate::event::Shown;
use crate::problem::Problem;
use crate::routes::{Found, Parameters, Routes};
use crate::upstream::{Lasting, Maker, Upstream};

/// What one configuration serves. Requests hold on to theirs, so that a newer one ends none of them.
pub(crate) struct Front {
    routes: Routes,
    served: Vec<Served>,
}

struct Served {
    route: Route,
    upstream: Upstream,
}

impl Front {
    /// `lasting` is what upstreams share with those of other configurations.
    ///
    /// # Errors
    ///
    /// All routes that cannot be served, and why.
    pub(crate) async fn new(
        config: &Config,
        access: &Access,
        lasting: &Lasting,
    ) -> Result<Self, Complaints> {
        let maker = Maker::new(config, access, lasting);
        let mut wrong = Vec::new();
        let mut served = Vec::with_capacity(config.routes.len());
        for route in &config.routes {
            match maker.upstream(route).await {
                Ok(upstream) => served.push(Served { route: route.clone(), upstream }),
                Err((span, reason)) => {
                    wrong.push(config.complaint((span.or(Some(route.path.span())), reason)));
                }
            }
        }
        if !wrong.is_empty() {
            // Many routes may want for the same thing.
            wrong.dedup_by(|one, other| one == other);
            return Err(Complaints::new(wrong));
        }
        let routes = Routes::new(&config.routes).map_err(|wrong| {
            let wrong = wrong.into_iter().map(|(_, reason)| config.complaint((None, reason)));
            Complaints::new(wrong.collect())
        })?;
        Ok(Self { routes, served })
    }

    /// Answers one request.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<Sent> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let mut response = match self.passed(request, peer, &request_id).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(&request_id).map(|b| Sent::Own(Full::new(b))),
        };
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }

    async fn passed(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        request_id: &str,
    ) -> Result<Response<Sent>, Problem> {
        let (served, parameters) = self.find(request.method(), request.uri().path())?;
        let (head, body) = request.into_parts();
        let body = read(body, served.route.body_max).await?;
        let shown = Shown {
            request: &head,
            body: &body,
            path: served.route.path.get_ref(),
            parameters: &parameters,
            peer,
            request_id,
            authorizer: None,
            now: SystemTime::now(),
        };
        let answer = served.upstream.ask(&shown).await?;
        Ok(answer::response(answer, head.method != Method::HEAD))
    }

    fn find(&self, method: &Method, path: &str) -> Result<(&Served, Parameters), Problem> {
        match self.routes.find(method, path) {
            Found::Route { route, parameters } => Ok((&self.served[route], parameters)),
            Found::Nothing => Err(Problem::new(StatusCode::NOT_FOUND, "no route has this path")),
            Found::OtherMethods(methods) => {
                let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
                let problem = Problem::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "this path is there, but not for this method",
                );
                Err(match HeaderValue::from_str(&names.join(", ")) {
                    Ok(allowed) => problem.with_header(header::ALLOW, allowed),
                    Err(_) => problem,
                })
            }
        }
    }
}

/// The body of a request, which an event has as a whole.
async fn read(body: Incoming, limit: u64) -> Result<Bytes, Problem> {
    let limited = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
    match limited.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than the {limit} bytes that this route takes"),
        )),
        Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body did not come to its end")),
    }
}
