//! One request comes in; its route is found, its body read up to the limit, its upstream asked; the response
//! goes out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, request,
};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::answer::{self, Sent};
use crate::authorization::{Authorizer, Authorizers, Caller, Decided};
use crate::aws::Access;
use crate::config::{Complaints, Config, METHODS, Rest, Route, Rules};
use crate::ending::Ending;
use crate::event::Shown;
use crate::exchange::{Exchange, Records};
use crate::passage::in_time;
use crate::path;
use crate::problem::Problem;
use crate::request_id::{self, REQUEST_ID};
#[cfg(feature = "local")]
use crate::rest::manner;
use crate::retries::{self, Tried};
use crate::routes::{Found, Parameters, Routes};
use crate::upstream::{Answer, Failure, Lasting, Maker, Upstream};

/// How much of a body is read that nobody wants, in bytes, and for how long: a client that is still sending
/// when it is answered may see a broken connection in place of the answer.
const DISCARDED_MAX: u64 = 1024 * 1024;
const DISCARDED_WITHIN: Duration = Duration::from_secs(1);

/// The least that a client has to send of a body, in bytes each second: what Apache asks for
/// (`RequestReadTimeout`, `MinRate=500`).
const BODY_RATE_LEAST: u64 = 500;

/// What one configuration serves. Requests hold on to theirs, so that a newer one ends none of them.
pub(crate) struct Front {
    routes: Routes,
    served: Vec<Served>,
    /// The REST API that this is the part of.
    rest: Option<Rest>,
    /// Names and values of a request, in bytes.
    headers_max: usize,
    /// How long the body of a request may have nothing new.
    body_quiet: Duration,
    accept_request_id: bool,
    records: Arc<Records>,
}

struct Served {
    route: Route,
    authorizer: Option<Arc<Authorizer>>,
    /// Of a method of a REST API.
    rules: Option<Rules>,
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
        let (authorizers, mut unready) = Authorizers::new(config, &maker).await;
        wrong.append(&mut unready);
        let mut served = Vec::with_capacity(config.routes.len());
        for (index, route) in config.routes.iter().enumerate() {
            let authorizer =
                route.authorizer.as_ref().map(|name| authorizers.named(name.get_ref()));
            // One that is not ready was complained of.
            let Some(authorizer) = authorizer.map_or(Some(None), |named| named.map(Some)) else {
                continue;
            };
            let rules = config.rest.as_ref().and_then(|rest| rest.rules.get(index).copied());
            match maker.upstream(route).await {
                Ok(upstream) => {
                    let label = route.path.get_ref().as_str().into();
                    let places = Arc::new(Semaphore::new(route.endings.in_flight.get() as usize));
                    let route = route.clone();
                    served.push(Served { route, label, authorizer, rules, upstream, places });
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
            body_quiet: config.limits.header_read(),
            accept_request_id: config.accept_request_id,
            records,
            rest: config.rest.clone(),
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
                let response = self.refusal(problem, &exchange.request_id);
                answer::own(response, exchange)
            }
        };
        if let Ok(id) = id {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        #[cfg(feature = "local")]
        if self.rest.is_some() {
            manner::name(response.headers_mut());
        }
        response
    }

    async fn passed(
        &self,
        request: Request<Incoming>,
        mut exchange: Box<Exchange>,
    ) -> Result<Response<Sent>, (Problem, Box<Exchange>)> {
        let (mut head, mut body) = request.into_parts();
        let asked = self.asked(&mut head, &mut body, &mut exchange).await;
        let (answer, served, deadline) = match asked {
            Ok(asked) => asked,
            Err(problem) => {
                // Of one who is too slow there is nothing to wait for.
                if problem.status != StatusCode::REQUEST_TIMEOUT {
                    discard(&head, body).await;
                }
                return Err((problem, exchange));
            }
        };
        let endings = &served.route.endings;
        let begun = answer::response(answer, deadline, endings.sse_errors, exchange);
        begun.await.map(|begun| self.in_manner(begun, served.rules)).map_err(
            |(failure, mut exchange)| {
                exchange.failed(&failure);
                (Problem::of(failure, endings), exchange)
            },
        )
    }

    /// An answer that has begun, and when it must be whole.
    async fn asked(
        &self,
        head: &mut request::Parts,
        body: &mut Incoming,
        exchange: &mut Exchange,
    ) -> Result<(Answer, &Served, Option<Instant>), Problem> {
        if size(&head.headers) > self.headers_max {
            return Err(Problem::headers_too_large(self.headers_max));
        }
        #[cfg(feature = "local")]
        if let Some(rest) = &self.rest {
            head.uri = manner::without_stage(rest, &head.uri)?;
        }
        let head = &*head;
        if head.method == Method::CONNECT {
            // A yes would be one to a tunnel, and there is none.
            let reason = "this is no proxy: it has no tunnels";
            return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, reason));
        }
        let (served, parameters) = self.find(&head.method, head.uri.path())?;
        exchange.on_route(&served.label);
        let of_api = self.rest.is_some()
            || served.authorizer.as_ref().is_some_and(|authorizer| authorizer.reads_policies());
        if of_api && !METHODS.contains(&head.method.as_str()) {
            return Err(Problem::no_method_of_an_api());
        }
        let place = Arc::clone(&served.places).try_acquire_owned();
        exchange.takes(place.map_err(|_| Problem::busy())?);
        let deadline = served.route.timeouts.total.map(|total| exchange.started + total);
        let request_id = exchange.request_id.clone();
        let mut shown = Shown {
            request: head,
            body: &[],
            path: served.route.path.get_ref(),
            parameters: &parameters,
            peer: exchange.peer,
            api: self.rest.as_ref().map(|rest| &rest.api),
            request_id: &request_id,
            authorizer: None,
            now: exchange.received,
        };
        let caller = in_time(deadline, async { Ok(self.caller(served, &shown).await) }).await;
        let caller = caller.map_err(|failure| {
            exchange.failed(&failure);
            Problem::of(failure, &served.route.endings)
        })??;
        let said = caller.as_ref().map(|caller| caller.said(served.route.upstream.event()));
        shown.authorizer = said.as_ref();
        exchange.principal = caller.and_then(|caller| caller.principal);
        // Only of somebody who may: nobody else has their bytes read.
        let patience = Patience { quiet: self.body_quiet, deadline };
        let body = read(body, served.route.body_max, patience).await?;
        shown.body = &body;
        match served.ask(&shown, deadline, exchange).await {
            Ok(answer) => {
                #[cfg(feature = "local")]
                if served.rules.is_some_and(|rules| rules.streams) {
                    manner::check_head(answer.status, &answer.headers)?;
                }
                Ok((answer, served, deadline))
            }
            Err(failure) => {
                exchange.failed(&failure);
                Err(Problem::of(failure, &served.route.endings))
            }
        }
    }

    /// Who sends the request, if the route wants to know. Nothing of its body was read by then.
    async fn caller(&self, served: &Served, shown: &Shown<'_>) -> Result<Option<Caller>, Problem> {
        let caller = match &served.authorizer {
            Some(authorizer) => {
                let Decided { answer, source } =
                    authorizer.authorize(shown, Instant::now().into_std()).await;
                let decision = match &answer {
                    Ok(_) => "allow",
                    Err(refusal) => refusal.name(),
                };
                self.records.metrics.authorized(authorizer.name(), decision, source.name());
                Some(answer?)
            }
            None => None,
        };
        #[cfg(feature = "local")]
        if let (Some(rest), Some(rules)) = (&self.rest, served.rules) {
            manner::admit(rest, rules, shown.request, caller.as_ref())?;
        }
        Ok(caller)
    }

    /// As whatever this is the part of says it.
    fn refusal(&self, problem: Problem, request_id: &str) -> Response<Bytes> {
        #[cfg(feature = "local")]
        if self.rest.is_some() {
            return manner::refusal(&problem);
        }
        problem.into_response(request_id)
    }

    /// The answer of a function, as whatever this is the part of passes it on.
    fn in_manner(&self, response: Response<Sent>, rules: Option<Rules>) -> Response<Sent> {
        #[cfg(feature = "local")]
        if let Some(rules) = rules {
            let (mut head, mut body) = response.into_parts();
            manner::remap(&mut head.headers, rules);
            if let Sent::Passed(passage) = &mut body
                && rules.streams
            {
                passage.hide_size();
            }
            return Response::from_parts(head, body);
        }
        #[cfg(not(feature = "local"))]
        let _ = rules;
        response
    }

    /// What names stand for is as the client wrote it; the route is that of the path however it is written.
    fn find(&self, method: &Method, path: &str) -> Result<(&Served, Parameters), Problem> {
        match self.routes.find(method, &path::plain(path).map_err(Problem::ambiguous)?) {
            Found::Route { route, mut parameters } => {
                let served = &self.served[route];
                let written = path::written(served.route.path.get_ref(), path);
                for ((_, value), written) in parameters.iter_mut().zip(written) {
                    written.clone_into(value);
                }
                Ok((served, parameters))
            }
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
            let failure = match in_time(deadline, self.upstream.ask(shown)).await {
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

/// How long a client may take for the body of its request, while it has one of the route's places.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Without a byte; and in all, beside the time that the least of rates takes.
    quiet: Duration,
    deadline: Option<Instant>,
}

impl Patience {
    /// When the next bytes must be there, of a body of which `read` bytes are there.
    fn until(self, begun: Instant, read: usize) -> Instant {
        let by_rate = Duration::from_secs(read as u64 / BODY_RATE_LEAST);
        let next = (Instant::now() + self.quiet).min(begun + self.quiet + by_rate);
        self.deadline.map_or(next, |deadline| next.min(deadline))
    }
}

/// The body of a request, which an event has as a whole. One that says it is too large is not read.
async fn read(body: &mut Incoming, limit: u64, patience: Patience) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > limit {
        return Err(Problem::too_large(limit));
    }
    let begun = Instant::now();
    let mut limited = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
    let mut read = BytesMut::new();
    loop {
        let until = patience.until(begun, read.len());
        match tokio::time::timeout_at(until, limited.frame()).await {
            Ok(None) => return Ok(read.freeze()),
            Ok(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    read.extend_from_slice(bytes);
                }
            }
            Ok(Some(Err(error))) if error.is::<LengthLimitError>() => {
                return Err(Problem::too_large(limit));
            }
            Ok(Some(Err(_))) => {
                let reason = "the body did not come to its end";
                return Err(Problem::new(StatusCode::BAD_REQUEST, reason));
            }
            Err(_) => return Err(Problem::too_slow()),
        }
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
