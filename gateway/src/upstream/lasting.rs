//! What upstreams of one configuration and of the next one have in common: functions that run here, and the memory
//! of segments.

use std::sync::{Mutex, PoisonError};

use invoker::MemoryBudget;

#[cfg(feature = "local")]
use super::local::Services;

/// What a reload does not end. Made once for a gateway.
#[derive(Default)]
pub(crate) struct Lasting {
    budget: Mutex<Option<MemoryBudget>>,
    #[cfg(feature = "local")]
    pub(super) services: Services,
}

impl Lasting {
    /// The one budget of so many bytes. Another limit makes another one, beside which what is left of the
    /// one before is held until its requests have ended.
    pub(super) fn budget(&self, limit: usize) -> MemoryBudget {
        let mut last = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let new = MemoryBudget::of(limit); // which knows the most that there may be
        let same = last.take().filter(|budget| budget.limit() == new.limit());
        last.insert(same.unwrap_or(new)).clone()
    }
}
