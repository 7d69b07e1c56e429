//! A request without its body comes in; a Lambda authorizer is asked about it, or what it said before is; what
//! it decides goes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Verdict;
use super::cache::Cache;
use super::identity::Identity;
use super::{Decided, Failed, Refusal, Source, question};
#[cfg(feature = "local")]
use crate::config::AuthorizerFunction;
use crate::config::{AnswerKind, Asks, LambdaAuthorizer, NoArn, Wrong};
use crate::event::Shown;
use crate::upstream::{Maker, Plain};

/// One Lambda authorizer.
pub(super) struct Lambda {
    config: LambdaAuthorizer,
    function: Arc<Function>,
    /// None keeps nothing, so that everybody is asked about.
    cache: Option<Cache<Verdict>>,
}

/// The function itself, for calls that outlive the request that began them.
struct Function {
    plain: Plain,
    timeout: Duration,
    asks: Asks,
    answer: AnswerKind,
}

/// What can be seen of it without asking or starting anything.
pub(super) fn check(config: &LambdaAuthorizer) -> Result<(), String> {
    match &config.function {
        #[cfg(feature = "local")]
        AuthorizerFunction::Local(process) => crate::upstream::check_process(process),
        _ => Ok(()),
    }
}

impl Lambda {
    pub(super) async fn new(config: &LambdaAuthorizer, maker: &Maker<'_>) -> Result<Self, Wrong> {
        let LambdaAuthorizer { timeout, asks, answer, .. } = *config;
        let plain = maker.plain(&config.function).await?;
        let function = Arc::new(Function { plain, timeout, asks, answer });
        let cache = (!config.ttl.is_zero()).then(|| Cache::new(config.ttl, config.cache_max));
        Ok(Self { config: config.clone(), function, cache })
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
                // Two paths that have one ARN, or two routes, are two questions.
                let also = [arn.as_str(), shown.path, shown.request.uri.path()];
                let also = if config.answer == AnswerKind::Simple { &also[..] } else { &[] };
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
    /// Asks, buffered: an authorizer does not stream.
    async fn ask(self: Arc<Self>, event: Vec<u8>) -> Result<Verdict, Failed> {
        let answered = match tokio::time::timeout(self.timeout, self.plain.call(event)).await {
            Ok(answered) => answered.map_err(Failed::Unreachable)?,
            Err(_) => return Err(Failed::TimedOut),
        };
        match answered.failed {
            true => Verdict::of_error(&answered.payload),
            false => Verdict::read(&answered.payload, self.answer, self.asks),
        }
    }
}
