//! The time limits that were typed go in; the library's come out, and an end for what the library
//! does not see: looking for credentials, and a reader who does not read.

use std::time::Duration;

use invoker::{TimeLimit, Timeouts};
use tokio::time::Instant;

use crate::args::TimeLimits;
use crate::report::Failure;

/// How long what has ended late may take to hand over what there is.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// When a command must have done all of its work, if it must.
#[derive(Clone, Copy)]
pub(crate) struct MaxTime {
    /// As it was typed, and when it is over.
    end: Option<(Duration, Instant)>,
}

impl MaxTime {
    /// From now on.
    pub(crate) fn of(limits: &TimeLimits) -> Self {
        let end =
            limits.max_time.and_then(|limit| Some((limit, Instant::now().checked_add(limit)?)));
        Self { end }
    }

    /// Prepares: there is nothing to hand over yet.
    pub(crate) async fn prepare<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.until(Duration::ZERO, work).await
    }

    /// Downloads to a reader: the library ends at the limit, and leaves what is there as it should be; this
    /// ends what then still waits for a reader.
    pub(crate) async fn download<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.until(LAST_BYTES, work).await.map_err(|failure| self.as_typed(failure))
    }

    /// The library was told what was left of the limit when it began.
    pub(crate) fn as_typed(&self, failure: Failure) -> Failure {
        match (failure, self.end) {
            (Failure::Invoker(error), Some((limit, _)))
                if error.time_limit() == Some(TimeLimit::Total) =>
            {
                Failure::MaxTime { limit }
            }
            (Failure::Resumable { failure, command }, _) => {
                Failure::Resumable { failure: Box::new(self.as_typed(*failure)), command }
            }
            (failure, _) => failure,
        }
    }

    async fn until<T>(
        &self,
        more: Duration,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let Some((limit, end)) = self.end else { return work.await };
        let done = tokio::time::timeout_at(end + more, work).await;
        done.unwrap_or(Err(Failure::MaxTime { limit }))
    }
}

/// The limits of a download that begins now.
pub(crate) fn timeouts(limits: &TimeLimits, max_time: MaxTime) -> Timeouts {
    let timeouts = Timeouts::default()
        .connect(limits.connect_timeout)
        .first_byte(limits.first_byte_timeout)
        .idle(limits.idle_timeout)
        .invocation(limits.invocation_timeout)
        .minimum_rate(limits.speed_limit.unwrap_or_default(), limits.speed_time);
    match max_time.end {
        Some((_, end)) => timeouts.total(end.saturating_duration_since(Instant::now())),
        None => timeouts,
    }
}
