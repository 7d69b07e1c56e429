//! What happens goes in as it happens; a table of it comes out.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::resources::resident_bytes;

const KIB: u64 = 1024;

/// The counts of one run.
#[derive(Default)]
pub(crate) struct Tally {
    invocations: AtomicU64,
    bytes: AtomicU64,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    faults: BTreeMap<String, u64>,
    endings: BTreeMap<String, u64>,
    /// Sum of the samples below, and their number.
    in_flight: (u64, u64),
    /// How many invocations there had been, and what was resident then.
    memory: Vec<(u64, u64)>,
}

impl Tally {
    pub(crate) fn invocation(&self, faults: impl Iterator<Item = String>) {
        self.invocations.fetch_add(1, Ordering::Relaxed);
        let mut counts = self.counts();
        for fault in faults {
            *counts.faults.entry(fault).or_default() += 1;
        }
    }

    pub(crate) fn invocations(&self) -> u64 {
        self.invocations.load(Ordering::Relaxed)
    }

    /// How many invocations may be in flight now.
    pub(crate) fn in_flight(&self, now: u64) {
        let mut counts = self.counts();
        counts.in_flight.0 += now;
        counts.in_flight.1 += 1;
    }

    /// Bytes that were delivered and compared.
    pub(crate) fn delivered(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, ending: String) {
        let sample = (self.invocations(), resident_bytes());
        let mut counts = self.counts();
        *counts.endings.entry(ending).or_default() += 1;
        counts.memory.push(sample);
    }

    /// Whether there was any such ending.
    pub(crate) fn has(&self, ending: &str) -> bool {
        self.counts().endings.keys().any(|key| key.contains(ending))
    }

    /// What was resident in each of as many equal shares of the run: medians, in bytes.
    pub(crate) fn memory(&self, shares: u64) -> Vec<u64> {
        let counts = self.counts();
        let all = self.invocations();
        let median = |share: u64| {
            let share = all * share / shares..all * (share + 1) / shares + 1;
            let of_it = counts.memory.iter().filter(|(at, _)| share.contains(at));
            let mut resident: Vec<u64> = of_it.map(|(_, bytes)| *bytes).collect();
            resident.sort_unstable();
            resident.get(resident.len() / 2).copied().unwrap_or(0)
        };
        (0..shares).map(median).collect()
    }

    /// The harness keeps what `eprint` prints of a test that passes; this is to be seen.
    pub(crate) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let counts = self.counts();
        let faults: u64 = counts.faults.values().sum();
        let downloads: u64 = counts.endings.values().sum();
        let mib = self.bytes.load(Ordering::Relaxed) / KIB / KIB;
        writeln!(out, "{} invocations, {faults} faults:", self.invocations())?;
        for (fault, count) in &counts.faults {
            writeln!(out, "  {count:6} {fault}")?;
        }
        let (sum, samples) = counts.in_flight;
        let in_flight = sum as f64 / samples.max(1) as f64;
        writeln!(out, "{downloads} downloads, {in_flight:.1} in flight, {mib} MiB compared:")?;
        for (ending, count) in &counts.endings {
            writeln!(out, "  {count:6} {ending}")?;
        }
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap()
    }
}
