//! A request without its body comes in; a Lambda authorizer is asked about it, or what it said before is; what
//! it decides goes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;

use super::answer::Verdict;
use super::cache::Cache;
use super::client;
use super::identity::Identity;
use super::{Decided, Failed, Refusal, Source, question};
use crate::config::{AnswerKind, Asks, AuthorizerFunction, Aws, LambdaAuthorizer, NoArn};
use crate::event::Shown;

/// The longest word about why a function cannot be called, in bytes: codes of the service are shorter.
const REASON_MAX: usize = 200;

/// One Lambda authorizer.
pub(super) struct Lambda {
    config: LambdaAuthorizer,
    function: Arc<Function>,
    /// None keeps nothing, so that everybody is asked about.
    cache: Option<Cache<Verdict>>,
}

/// The function itself, for calls that outlive the request that began them.
struct Function {
    client: Client,
    name: String,
    qualifier: Option<String>,
    timeout: Duration,
    asks: Asks,
    answer: AnswerKind,
    /// A command's own service ends with it.
    #[cfg(feature = "local")]
    _service: Option<local_lambda::LocalLambda>,
}

impl Lambda {
    pub(super) async fn new(config: &LambdaAuthorizer, aws: &Aws) -> Result<Self, String> {
        let function = Function::new(config, aws).await?;
        let cache = (!config.ttl.is_zero()).then(|| Cache::new(config.ttl, config.cache_max));
        Ok(Self { config: config.clone(), function: Arc::new(function), cache })
    }

    pub(super) async fn authorize(&self, shown: &Shown<'_>, now: Instant) -> Decided {
        let known = |refusal| Decided { answer: Err(refusal), source: Source::Known };
        let config = &self.config;
        let arn = match config.api.of_request(&shown.request.method, shown.request.uri.path()) {
            Ok(arn) => arn,
            // What the policy would be asked is not what the function behind could read.
            Err(NoArn::Ambiguous) => return known(Refusal::Denied { explicitly: true }),
            Err(NoArn::TooLong) => return known(Refusal::TooLong),
        };
        let nobody = || Refusal::Unauthenticated(config.challenge.clone());
        let Some(identity) = Identity::of(shown, &config.identity) else { return known(nobody()) };
        if let (Some(expression), [token]) = (&config.validation, identity.values())
            && !expression.is_match(token)
        {
            return known(nobody());
        }
        let call = || {
            let event = question::event(shown, config.asks, &config.api, &identity, &arn);
            Arc::clone(&self.function).ask(event)
        };
        let (verdict, source) = match &self.cache {
            Some(cache) => {
                // A policy says itself which requests it is for. A bare yes is for the one that was asked
                // about: the service would take it for every route of this caller.
                let also = (config.answer == AnswerKind::Simple).then_some(arn.as_str());
                cache.get(identity.sum(also), now, call, Verdict::may_be_kept).await
            }
            None => (call().await.map(Arc::new), Source::Asked),
        };
        let answer = match verdict {
            Ok(verdict) => verdict.of_request(&arn).map_err(|refusal| match refusal {
                Refusal::Unauthenticated(_) => nobody(),
                other => other,
            }),
            Err(failed) => Err(Refusal::Failed(failed)),
        };
        Decided { answer, source }
    }
}

impl Function {
    async fn new(config: &LambdaAuthorizer, aws: &Aws) -> Result<Self, String> {
        let LambdaAuthorizer { timeout, asks, answer, .. } = *config;
        match &config.function {
            AuthorizerFunction::Service { function, qualifier } => Ok(Self {
                client: client::of_service(aws).await?,
                name: function.clone(),
                qualifier: qualifier.clone(),
                timeout,
                asks,
                answer,
                #[cfg(feature = "local")]
                _service: None,
            }),
            #[cfg(feature = "local")]
            AuthorizerFunction::Local { command, environment } => {
                let mut function = local_lambda::Function::from_command_line(LOCAL_NAME, command)
                    .map_err(|error| error.to_string())?;
                for (name, value) in environment {
                    function = function.env(name, value);
                }
                let service = local_lambda::LocalLambda::builder().function(function).start();
                let service = service.await.map_err(|error| error.to_string())?;
                Ok(Self {
                    client: client::of_loopback(service.endpoint_url())?,
                    name: LOCAL_NAME.into(),
                    qualifier: None,
                    timeout,
                    asks,
                    answer,
                    _service: Some(service),
                })
            }
            #[cfg(not(feature = "local"))]
            AuthorizerFunction::Local { .. } => {
                Err("this gateway was built without the feature `local`: it runs no commands"
                    .into())
            }
        }
    }

    /// Asks, buffered: an authorizer does not stream.
    async fn ask(self: Arc<Self>, event: Vec<u8>) -> Result<Verdict, Failed> {
        let call = self
            .client
            .invoke()
            .function_name(&self.name)
            .set_qualifier(self.qualifier.clone())
            .payload(Blob::new(event))
            .send();
        let output = match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => {
                // The service's words have the name of the function in them, and no payload.
                let mut reason = DisplayErrorContext(&error).to_string();
                reason.truncate(reason.floor_char_boundary(REASON_MAX));
                return Err(Failed::Unreachable(reason));
            }
            Err(_) => return Err(Failed::TimedOut),
        };
        let payload = output.payload().map(Blob::as_ref).unwrap_or_default();
        match output.function_error() {
            Some(_) => Verdict::of_error(payload),
            None => Verdict::read(payload, self.answer, self.asks),
        }
    }
}

/// What a command is called at the service that it has to itself.
#[cfg(feature = "local")]
const LOCAL_NAME: &str = "authorizer";
