//! What the callers' door and the owner of the service share: in, the functions offered; out, who
//! offers a name, and a home for the tasks of invocations.

use crate::environment::{Environment, Surroundings};
use crate::error::{Error, ErrorKind};
use crate::fault::FaultRule;
use crate::fault::book::Book;
use crate::function::Function;
use crate::limits::Limits;
use crate::name::FunctionName;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::stats::Counters;
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

/// The account functions belong to here: the one of AWS' own examples.
const ACCOUNT: &str = "123456789012";

/// A running service.
pub(crate) struct Service {
    pub(crate) limits: Arc<Limits>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) faults: Book,
    region: String,
    offers: HashMap<String, Offer>,
    /// The invocations under way. `None` once the service has stopped: none starts after that.
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// A function and its environments.
pub(crate) struct Offer {
    pub(crate) function: Arc<Function>,
    pub(crate) pool: Arc<Pool>,
}

impl Service {
    pub(crate) fn new(
        functions: Vec<Function>,
        limits: Limits,
        surroundings: Surroundings,
    ) -> Result<Self, Error> {
        let surroundings = Arc::new(surroundings);
        let mut offers = HashMap::new();
        for function in functions {
            function.validate()?;
            let function = Arc::new(function);
            let limit = function.concurrency.filter(|_| limits.function_concurrency);
            let pool = Pool::new(Arc::clone(&function), Arc::clone(&surroundings), limit);
            let offer = Offer { function: Arc::clone(&function), pool: Arc::new(pool) };
            if offers.insert(function.name.clone(), offer).is_some() {
                return Err(Error::new(ErrorKind::Function {
                    function: function.name.clone(),
                    fault: "is there twice",
                }));
            }
        }
        Ok(Self {
            limits: Arc::new(limits),
            counters: Arc::clone(&surroundings.counters),
            faults: Book::default(),
            region: surroundings.region.clone(),
            offers,
            tasks: Mutex::new(Some(JoinSet::new())),
        })
    }

    pub(crate) fn offer(&self, name: &str) -> Option<&Offer> {
        self.offers.get(name)
    }

    /// Sets a fault for invocations to come.
    pub(crate) fn add_fault(&self, rule: FaultRule) -> Result<(), Error> {
        match rule.function() {
            Some(name) if self.offer(name).is_none() => Err(Error::new(ErrorKind::Fault(format!(
                "the fault {rule:?} is for a function that is not there",
                rule = rule.to_string()
            )))),
            _ => {
                self.faults.add(rule);
                Ok(())
            }
        }
    }

    /// The refusal of a function, or of a qualifier, that is not there.
    pub(crate) fn unknown(&self, name: &FunctionName) -> Refusal {
        Refusal::NoSuchFunction { arn: self.arn_text(name) }
    }

    /// The invoked function's ARN, with the qualifier it was invoked by.
    pub(crate) fn arn(&self, name: &FunctionName) -> HeaderValue {
        // Names and qualifiers were checked to be of letters that a header takes.
        HeaderValue::from_str(&self.arn_text(name)).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    fn arn_text(&self, FunctionName { name, qualifier }: &FunctionName) -> String {
        let region = &self.region;
        let base = format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}");
        qualifier.as_ref().map_or(base.clone(), |qualifier| format!("{base}:{qualifier}"))
    }

    /// Gives an invocation a home. After [`Service::stop`] it is dropped, and its caller told so.
    pub(crate) fn spawn(&self, invocation: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.tasks().as_mut() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(invocation);
        }
    }

    /// Ends all invocations, and returns the environments that are left, to be ended.
    pub(crate) fn stop(&self) -> Vec<Arc<Environment>> {
        drop(self.tasks().take());
        self.offers.values().flat_map(|offer| offer.pool.close()).collect()
    }

    fn tasks(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
