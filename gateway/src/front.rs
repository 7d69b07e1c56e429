//! One request comes in; its route is found, its body read up to the limit, its upstream asked; the response
//! goes out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::answer::{self, REQUEST_ID, Sent};
use crate::authorization::{Authorizer, Authorizers, Caller, Refusal};
use crate::aws::Access;
use crate::config::{Complaints, Config, Rest, Route, Rules};
use crate::event::Shown;
use crate::problem::{Cause, Problem};
#[cfg(feature = "local")]
use crate::rest::manner;
use crate::routes::{Found, Parameters, Routes};
use crate::upstream::{Lasting, Maker, Upstream};

/// What one configuration serves. Requests hold on to theirs, so that a newer one ends none of them.
pub(crate) struct Front {
    routes: Routes,
    served: Vec<Served>,
    /// The REST API that this is the part of.
    rest: Option<Rest>,
}

struct Served {
    route: Route,
    authorizer: Option<Arc<Authorizer>>,
    /// Of a method of a REST API.
    rules: Option<Rules>,
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
        let (authorizers, mut unready) = Authorizers::new(config, &maker).await;
        wrong.append(&mut unready);
        let mut served = Vec::with_capacity(config.routes.len());
        for (index, route) in config.routes.iter().enumerate() {
            let authorizer =
                route.authorizer.as_ref().map(|name| authorizers.named(name.get_ref()));
            // One that is missing was complained of.
            let Some(authorizer) = authorizer.map_or(Some(None), |named| named.map(Some)) else {
                continue;
            };
            let rules = config.rest.as_ref().and_then(|rest| rest.rules.get(index).copied());
            match maker.upstream(route).await {
                Ok(upstream) => {
                    served.push(Served { route: route.clone(), authorizer, rules, upstream });
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
        Ok(Self { routes, served, rest: config.rest.clone() })
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
            Err(problem) => self.refusal(problem, &request_id).map(|b| Sent::Own(Full::new(b))),
        };
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        #[cfg(feature = "local")]
        if self.rest.is_some() {
            manner::name(response.headers_mut(), &request_id);
        }
        response
    }

    async fn passed(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        request_id: &str,
    ) -> Result<Response<Sent>, Problem> {
        let (mut head, body) = request.into_parts();
        #[cfg(feature = "local")]
        if let Some(rest) = &self.rest {
            head.uri = manner::without_stage(rest, &head.uri)?;
        }
        let (served, parameters) = self.find(&head.method, head.uri.path())?;
        let mut shown = Shown {
            request: &head,
            body: &[],
            path: served.route.path.get_ref(),
            parameters: &parameters,
            peer,
            api: self.rest.as_ref().map(|rest| &rest.api),
            request_id,
            authorizer: None,
            now: SystemTime::now(),
        };
        let caller = served.admit(&shown, Instant::now()).await?;
        #[cfg(feature = "local")]
        if let (Some(rest), Some(rules)) = (&self.rest, served.rules) {
            manner::admit(rest, rules, &head, caller.as_ref())?;
        }
        let said = caller.as_ref().map(|caller| caller.said(served.route.upstream.event()));
        shown.authorizer = said.as_ref();
        let body = read(body, served.route.body_max).await?;
        shown.body = &body;
        let answer = served.upstream.ask(&shown).await?;
        let response = answer::response(answer, head.method != Method::HEAD);
        Ok(self.in_manner(response))
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
    fn in_manner(&self, response: Response<Sent>) -> Response<Sent> {
        #[cfg(feature = "local")]
        if self.rest.is_some() {
            let (mut head, body) = response.into_parts();
            manner::remap(&mut head.headers);
            return Response::from_parts(head, body);
        }
        response
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
    /// Who sends the request, if the route wants to know. Nothing of its body was read by then.
    async fn admit(&self, shown: &Shown<'_>, now: Instant) -> Result<Option<Caller>, Problem> {
        let Some(authorizer) = &self.authorizer else { return Ok(None) };
        authorizer.authorize(shown, now).await.answer.map(Some).map_err(Problem::from)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated(challenge) => {
                let detail = "it is not known who you are: the credentials are missing or not good";
                let problem = Self::new(StatusCode::UNAUTHORIZED, detail);
                match challenge {
                    Some(challenge) => problem.with_header(header::WWW_AUTHENTICATE, challenge),
                    None => problem,
                }
            }
            Refusal::Denied { explicitly } => {
                Self::new(StatusCode::FORBIDDEN, "you may not do this")
                    .because(Cause::Denied { explicitly })
            }
            Refusal::TooLong => Self::new(StatusCode::URI_TOO_LONG, "the path is too long"),
            Refusal::Failed(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "it could not be found out whether you may do this",
            )
            .because(Cause::AuthorizerFailed),
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
