//! One request comes in; its route is found, its body read up to the limit, its upstream asked; the response
//! goes out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, request,
};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::answer::{self, Sent};
use crate::aws::Access;
use crate::config::{Complaints, Config, Route};
use crate::ending::Ending;
use crate::event::Shown;
use crate::exchange::{Exchange, Records};
use crate::passage::too_late;
use crate::problem::Problem;
use crate::request_id::{self, REQUEST_ID};
use crate::retries::{self, Tried};
use crate::routes::{Found, Parameters, Routes};
use crate::upstream::{Answer, Failure, Lasting, Maker, Upstream};

/// How much of a body is read that nobody wants, in bytes, and for how long: a client that is still sending
/// when it is answered may see a broken connection in place of the answer.
const DISCARDED_MAX: u64 = 1024 * 1024;
const DISCARDED_WITHIN: Duration = Duration::from_secs(1);

/// What one configuration serves. Requests hold on to theirs, so that a newer one ends none of them.
pub(crate) struct Front {
    routes: Routes,
    served: Vec<Served>,
    /// Names and values of a request, in bytes.
    headers_max: usize,
    accept_request_id: bool,
    records: Arc<Records>,
}

struct Served {
    route: Route,
    /// The route's path, as records name it.
    label: Arc<str>,
    upstream: Upstream,
    /// One for each exchange that there may be at once.
    places: Arc<Semaphore>,
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
        records: Arc<Records>,
    ) -> Result<Self, Complaints> {
        let maker = Maker::new(config, access, lasting);
        let mut wrong = Vec::new();
        let mut served = Vec::with_capacity(config.routes.len());
        for route in &config.routes {
            match maker.upstream(route).await {
                Ok(upstream) => {
                    let label = route.path.get_ref().as_str().into();
                    let places = Arc::new(Semaphore::new(route.endings.in_flight.get() as usize));
                    served.push(Served { route: route.clone(), label, upstream, places });
                }
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
        Ok(Self {
            routes,
            served,
            headers_max: config.limits.headers(),
            accept_request_id: config.accept_request_id,
            records,
        })
    }

    /// Answers one request.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<Sent> {
        let request_id = request_id::of(request.headers(), self.accept_request_id);
        let id = HeaderValue::from_str(&request_id);
        let exchange = Exchange::begin(&self.records, &request, peer, request_id);
        let mut response = match self.passed(request, Box::new(exchange)).await {
            Ok(response) => response,
            Err((problem, mut exchange)) => {
                exchange.ended(Ending::Rejected);
                exchange.answered(problem.status);
                let response = problem.into_response(&exchange.request_id);
                answer::own(response, exchange)
            }
        };
        if let Ok(id) = id {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }

    async fn passed(
        &self,
        request: Request<Incoming>,
        mut exchange: Box<Exchange>,
    ) -> Result<Response<Sent>, (Problem, Box<Exchange>)> {
        let (head, mut body) = request.into_parts();
        let asked = self.asked(&head, &mut body, &mut exchange).await;
        let (answer, served, deadline) = match asked {
            Ok(asked) => asked,
            Err(problem) => {
                discard(&head, body).await;
                return Err((problem, exchange));
            }
        };
        let endings = &served.route.endings;
        let begun = answer::response(answer, deadline, endings.sse_errors, exchange);
        begun.await.map_err(|(failure, mut exchange)| {
            exchange.failed(&failure);
            (Problem::of(failure, endings), exchange)
        })
    }

    /// An answer that has begun, and when it must be whole.
    async fn asked(
        &self,
        head: &request::Parts,
        body: &mut Incoming,
        exchange: &mut Exchange,
    ) -> Result<(Answer, &Served, Option<Instant>), Problem> {
        if size(&head.headers) > self.headers_max {
            return Err(Problem::headers_too_large(self.headers_max));
        }
        let (served, parameters) = self.find(&head.method, head.uri.path())?;
        exchange.on_route(&served.label);
        let place = Arc::clone(&served.places).try_acquire_owned();
        exchange.takes(place.map_err(|_| Problem::busy())?);
        let body = read(body, served.route.body_max).await?;
        let deadline = served.route.timeouts.total.map(|total| exchange.started + total);
        let request_id = exchange.request_id.clone();
        let shown = Shown {
            request: head,
            body: &body,
            path: served.route.path.get_ref(),
            parameters: &parameters,
            peer: exchange.peer,
            request_id: &request_id,
            authorizer: None,
            now: exchange.received,
        };
        match served.ask(&shown, deadline, exchange).await {
            Ok(answer) => Ok((answer, served, deadline)),
            Err(failure) => {
                exchange.failed(&failure);
                Err(Problem::of(failure, &served.route.endings))
            }
        }
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

impl Served {
    /// Asks until an answer has begun, as often and as long as the route allows.
    async fn ask(
        &self,
        shown: &Shown<'_>,
        deadline: Option<Instant>,
        exchange: &mut Exchange,
    ) -> Result<Answer, Failure> {
        loop {
            let asked = self.upstream.ask(shown);
            let asked = match deadline {
                Some(deadline) => match tokio::time::timeout_at(deadline, asked).await {
                    Ok(asked) => asked,
                    Err(_) => return Err(too_late()),
                },
                None => asked.await,
            };
            let failure = match asked {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let tried = Tried {
                method: &shown.request.method,
                retries: exchange.retries,
                retries_max: self.route.endings.retries,
                left: deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
                chance: retries::chance(),
            };
            let Some(rest) = retries::rest(&failure, tried) else { return Err(failure) };
            tokio::time::sleep(rest).await;
            exchange.retried();
        }
    }
}

/// Names and values, in bytes.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// The body of a request, which an event has as a whole. One that says it is too large is not read.
async fn read(body: &mut Incoming, limit: u64) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > limit {
        return Err(Problem::too_large(limit));
    }
    let limited = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
    match limited.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(limit)),
        Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body did not come to its end")),
    }
}

/// Reads what is left of the body of a request that is not acted upon.
async fn discard(head: &request::Parts, mut body: Incoming) {
    // Who asks first sends nothing, and reading would be a yes. In HTTP/2 nobody is told one.
    let asks_first = head.headers.contains_key(header::EXPECT) && head.version < Version::HTTP_2;
    if asks_first || body.is_end_stream() || body.size_hint().lower() > DISCARDED_MAX {
        return;
    }
    let discarded = async {
        let mut left = DISCARDED_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            let Some(still) = left.checked_sub(bytes) else { return };
            left = still;
        }
    };
    // However it ends: it was a courtesy.
    let _ = tokio::time::timeout(DISCARDED_WITHIN, discarded).await;
}
