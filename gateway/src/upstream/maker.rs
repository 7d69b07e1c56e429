//! A configuration and its routes come in; the upstream of each goes out, ready to be asked.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use invoker::{DEFAULT_MEMORY_LIMIT, MemoryBudget};
use tokio::sync::OnceCell;

use super::http::Http;
use super::lambda::Lambda;
use super::segments::BySegments;
use super::{Lasting, Upstream};
use crate::config::{self, Aws, Config, Route, Segments};

/// Makes the upstreams of one configuration.
pub(crate) struct Maker<'a> {
    aws: &'a Aws,
    lasting: &'a Lasting,
    /// Looked for once, and only if somebody needs it.
    loaded: OnceCell<SdkConfig>,
    segments: Segments,
    /// Of all routes.
    budget: MemoryBudget,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(config: &'a Config, lasting: &'a Lasting) -> Self {
        let limit = config.segments.memory_limit.and_then(|limit| usize::try_from(limit).ok());
        Self {
            aws: &config.aws,
            lasting,
            loaded: OnceCell::new(),
            segments: config.segments,
            budget: lasting.budget(limit.unwrap_or(DEFAULT_MEMORY_LIMIT)),
        }
    }

    /// # Errors
    ///
    /// Why it cannot be made ready, in one line.
    pub(crate) async fn upstream(&self, route: &Route) -> Result<Upstream, String> {
        let by_segments = |prelude| BySegments::new(self.segments, &self.budget, prelude);
        match &route.upstream {
            config::Upstream::Lambda(lambda) => {
                let segments = route.segments.then(|| by_segments(lambda.prelude));
                let loaded = self.loaded().await?;
                Ok(Upstream::Lambda(Lambda::new(lambda, route.timeouts, loaded, segments)))
            }
            config::Upstream::Http(http) => {
                let loaded = match http.sign {
                    Some(_) => Some(self.loaded().await?),
                    None => None,
                };
                let client = self.lasting.http_client()?;
                Http::new(http, route, client, loaded).map(Upstream::Http)
            }
            #[cfg(feature = "local")]
            config::Upstream::Local(local) => {
                let segments = route.segments.then(|| by_segments(local.prelude));
                let service = self.lasting.services.of(&local.process).await?;
                let function = Lambda::of_local(local, route.timeouts, service, segments)?;
                Ok(Upstream::Lambda(function))
            }
            #[cfg(not(feature = "local"))]
            config::Upstream::Local(_) => Err("this gateway runs no functions of its own".into()),
        }
    }

    /// As every AWS SDK finds it, but for what the configuration says.
    async fn loaded(&self) -> Result<&SdkConfig, String> {
        let load = async || {
            let http_client = self.lasting.http_client()?;
            let mut loader =
                aws_config::defaults(BehaviorVersion::latest()).http_client(http_client);
            if let Some(profile) = &self.aws.profile {
                loader = loader.profile_name(profile);
            }
            if let Some(region) = &self.aws.region {
                loader = loader.region(Region::new(region.clone()));
            }
            if let Some(url) = &self.aws.endpoint_url {
                loader = loader.endpoint_url(url);
            }
            Ok(loader.load().await)
        };
        self.loaded.get_or_try_init(load).await
    }
}
