//! Counting: in, invocations and environments as they come and go, and bytes as they leave; out, their
//! numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What a service has done and is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Invocations that were accepted. Refused ones and dry runs are not among them.
    pub invocations_started: u64,
    /// Invocations that functions are working on.
    pub invocations_running: usize,
    /// Environments that were started.
    pub environments_started: u64,
    /// Environments whose process runs, idle or not.
    pub environments_running: usize,
    /// Faults that were given to invocations. One whose place an answer did not reach is among them.
    pub faults_injected: u64,
    /// Bytes that the kernel took for callers, HTTP and frames included. What a caller did not read
    /// before it left is among them: on each connection at most what the kernel's buffers hold.
    pub bytes_sent: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    invocations_started: AtomicU64,
    invocations_running: AtomicUsize,
    environments_started: AtomicU64,
    environments_running: AtomicUsize,
    faults_injected: AtomicU64,
    /// Shared with the connections of callers.
    pub(crate) bytes_sent: Arc<AtomicU64>,
}

/// One running thing; it stops being counted when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    counters: Arc<Counters>,
    field: fn(&Counters) -> &AtomicUsize,
}

impl Counters {
    /// Counts one more running invocation, unless `limit` are.
    pub(crate) fn invocation_running(self: &Arc<Self>, limit: Option<usize>) -> Option<Running> {
        let limit = limit.unwrap_or(usize::MAX);
        self.invocations_running
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                (now < limit).then_some(now + 1)
            })
            .ok()?;
        Some(Running {
            counters: Arc::clone(self),
            field: |counters| &counters.invocations_running,
        })
    }

    pub(crate) fn environment_running(self: &Arc<Self>) -> Running {
        self.environments_running.fetch_add(1, Ordering::AcqRel);
        Running { counters: Arc::clone(self), field: |counters| &counters.environments_running }
    }

    pub(crate) fn invocation_started(&self) {
        self.invocations_started.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn environment_started(&self) {
        self.environments_started.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn faults_injected(&self, faults: usize) {
        self.faults_injected.fetch_add(faults as u64, Ordering::AcqRel);
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            invocations_started: self.invocations_started.load(Ordering::Acquire),
            invocations_running: self.invocations_running.load(Ordering::Acquire),
            environments_started: self.environments_started.load(Ordering::Acquire),
            environments_running: self.environments_running.load(Ordering::Acquire),
            faults_injected: self.faults_injected.load(Ordering::Acquire),
            bytes_sent: self.bytes_sent.load(Ordering::Acquire),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        (self.field)(&self.counters).fetch_sub(1, Ordering::AcqRel);
    }
}
