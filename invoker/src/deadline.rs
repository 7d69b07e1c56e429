//! The time that all of something may take goes in; work that is not done by then ends with an error.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::error::{Error, ErrorKind, TimeLimit};

/// When all must be done, if it must.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    limit: Duration,
    /// `None` where there is no limit, or one beyond the clock.
    at: Option<Instant>,
}

impl Deadline {
    /// From now on.
    pub(crate) fn after(limit: Option<Duration>) -> Self {
        let at = limit.and_then(|limit| Instant::now().checked_add(limit));
        Self { limit: limit.unwrap_or_default(), at }
    }

    /// Does `work`, but not beyond the deadline: then it is dropped.
    pub(crate) async fn hold<T, E: From<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(at) = self.at else { return work.await };
        // Work that never waits would never see the timer.
        if Instant::now() >= at {
            return Err(self.passed().into());
        }
        let done = tokio::time::timeout_at(at, work).await;
        done.unwrap_or_else(|_| Err(self.passed().into()))
    }

    /// Waits for the deadline; what is said when it has passed.
    pub(crate) async fn reached(&self) -> Error {
        match self.at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
        self.passed()
    }

    /// Wakes at the deadline.
    pub(crate) fn timer(&self) -> Option<Pin<Box<Sleep>>> {
        self.at.map(|at| Box::pin(tokio::time::sleep_until(at)))
    }

    /// What is said when it has passed.
    pub(crate) fn passed(&self) -> Error {
        let message = format!("it was not done within {} s in all", self.limit.as_secs_f32());
        Error::new(ErrorKind::TimedOut, message).with_time_limit(TimeLimit::Total)
    }
}
