//! A configuration and its routes come in; the upstream of each goes out, ready to be asked.

use invoker::{DEFAULT_MEMORY_LIMIT, MemoryBudget};

use super::http::Http;
use super::lambda::Lambda;
use super::plain::Plain;
use super::segments::BySegments;
use super::{Lasting, Upstream};
use crate::aws::Access;
use crate::config::{self, AuthorizerFunction, Config, Environment, Route, Segments, Wrong};

/// Makes the upstreams of one configuration.
pub(crate) struct Maker<'a> {
    environment: &'a Environment,
    access: &'a Access,
    #[cfg(feature = "local")]
    lasting: &'a Lasting,
    segments: Segments,
    /// Of all routes.
    budget: MemoryBudget,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(config: &'a Config, access: &'a Access, lasting: &'a Lasting) -> Self {
        let limit = config.segments.memory_limit.and_then(|limit| usize::try_from(limit).ok());
        Self {
            environment: &config.environment,
            access,
            #[cfg(feature = "local")]
            lasting,
            segments: config.segments,
            budget: lasting.budget(limit.unwrap_or(DEFAULT_MEMORY_LIMIT)),
        }
    }

    /// # Errors
    ///
    /// Where in the configuration and why it cannot be made ready.
    pub(crate) async fn upstream(&self, route: &Route) -> Result<Upstream, Wrong> {
        let by_segments = |prelude| BySegments::new(self.segments, &self.budget, prelude);
        match &route.upstream {
            config::Upstream::Lambda(lambda) => {
                let segments = route.segments.then(|| by_segments(lambda.prelude));
                let config = self.access.loaded().await?.lambda()?;
                Ok(Upstream::Lambda(Lambda::new(lambda, route.timeouts, config, segments)))
            }
            config::Upstream::Http(http) => {
                let loaded = match http.sign {
                    Some(_) => Some(&self.access.loaded().await?.sdk),
                    None => None,
                };
                let client = self.access.http_client().await?.clone();
                let upstream = Http::new(http, route, client, loaded, self.environment);
                upstream.map(Upstream::Http).map_err(whole)
            }
            #[cfg(feature = "local")]
            config::Upstream::Local(local) => {
                let segments = route.segments.then(|| by_segments(local.prelude));
                let service = self.lasting.services.of(&local.process).await.map_err(whole)?;
                let function = Lambda::of_local(local, route.timeouts, service, segments);
                let function = function.map_err(whole)?;
                Ok(Upstream::Lambda(function))
            }
            #[cfg(not(feature = "local"))]
            config::Upstream::Local(_) => {
                Err(whole("this gateway runs no functions of its own".into()))
            }
        }
    }

    /// A function that answers at once: an authorizer's.
    ///
    /// # Errors
    ///
    /// Where in the configuration and why it cannot be made ready.
    pub(crate) async fn plain(&self, function: &AuthorizerFunction) -> Result<Plain, Wrong> {
        match function {
            AuthorizerFunction::Service { function, qualifier } => {
                let config = self.access.loaded().await?.lambda()?;
                Ok(Plain::new(config, function, qualifier.as_deref()))
            }
            #[cfg(feature = "local")]
            AuthorizerFunction::Local(process) => {
                let service = self.lasting.services.of(process).await.map_err(whole)?;
                Plain::of_local(service).map_err(whole)
            }
            #[cfg(not(feature = "local"))]
            AuthorizerFunction::Local(_) => {
                Err(whole("this gateway runs no functions of its own".into()))
            }
        }
    }
}

/// About the route as a whole.
fn whole(reason: String) -> Wrong {
    (None, reason)
}
