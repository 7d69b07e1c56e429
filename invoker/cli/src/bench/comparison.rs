//! The runs of both ways go in; the one of each that stands for the others, and how many times faster
//! segments are, comes out.

use super::measure::{Run, Told};

/// All that was measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) one_stream: Vec<Run>,
    pub(super) segments: Vec<Run>,
}

/// How long all of the result takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Takes {
    pub(super) seconds: f64,
    /// The run was stopped, and this is what it had come to at its last rate.
    pub(super) projected: bool,
}

impl Measured {
    pub(super) fn told(&self) -> Told {
        let runs = self.segments.iter().chain(&self.one_stream);
        runs.map(|run| run.told.clone()).next().unwrap_or_default()
    }

    /// What segments take against one stream, if both were measured, and differ.
    pub(super) fn times_faster(&self) -> Option<(f64, bool)> {
        let (one, many) = (typical(&self.one_stream)?, typical(&self.segments)?);
        // One segment is one stream, asked for in other words.
        if !many.told.ranges || many.snapshot.segments < 2 {
            return None;
        }
        let size = self.told().size;
        let (one, many) = (takes(one, size)?, takes(many, size)?);
        Some((one.seconds / many.seconds, one.projected || many.projected))
    }
}

/// The run in the middle, by its rate.
pub(super) fn typical(runs: &[Run]) -> Option<&Run> {
    let mut sorted: Vec<&Run> = runs.iter().collect();
    sorted.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
    sorted.get(sorted.len() / 2).copied()
}

/// How long the result of `size` bytes takes as `run` went.
pub(super) fn takes(run: &Run, size: Option<u64>) -> Option<Takes> {
    if run.whole {
        return Some(Takes { seconds: run.seconds, projected: false });
    }
    let rest = size?.saturating_sub(run.bytes()) as f64;
    let rate = run.knee.map_or(run.rate(), |knee| knee.rate_after);
    (rate > 0.0).then(|| Takes { seconds: run.seconds + rest / rate, projected: true })
}
