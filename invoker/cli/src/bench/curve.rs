//! Arrivals go in, each with its moment and its bytes; the curve of all bytes over time, its rates and
//! the gaps between arrivals come out.

use std::time::Duration;

/// Points of a curve at most. When there are as many, every second one goes: what is kept is a
/// drawing's worth and more, and does not grow with the stream.
const POINTS: usize = 16_384;

/// How much has arrived, over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    /// Seconds, and the bytes there were then; both grow.
    points: Vec<(f64, u64)>,
    /// Seconds between two points at least.
    resolution: f64,
}

impl Curve {
    /// `bytes` are there in all after `seconds`.
    pub(super) fn reach(&mut self, seconds: f64, bytes: u64) {
        // The newest point moves until it is far enough from the one before it.
        if let [.., (before, _), last] = &mut self.points[..]
            && last.0 - *before < self.resolution
        {
            *last = (seconds, bytes);
            return;
        }
        if self.points.len() == POINTS {
            self.thin();
        }
        self.points.push((seconds, bytes));
    }

    fn thin(&mut self) {
        let span = self.end().0 - self.points.first().map_or(0.0, |first| first.0);
        self.resolution = (2.0 * self.resolution).max(2.0 * span / POINTS as f64);
        let mut index = 0;
        let last = self.points.len() - 1;
        self.points.retain(|_| {
            index += 1;
            (index - 1) % 2 == 0 || index - 1 == last
        });
    }

    pub(super) fn points(&self) -> &[(f64, u64)] {
        &self.points
    }

    /// The last moment, and the bytes there were then.
    pub(super) fn end(&self) -> (f64, u64) {
        self.points.last().copied().unwrap_or_default()
    }

    /// Bytes per second in each of `windows` equal times from the beginning to the end: where the
    /// window begins, and its rate.
    pub(super) fn rates(&self, windows: usize) -> Vec<(f64, f64)> {
        let (end, _) = self.end();
        let width = end / windows as f64;
        if width <= 0.0 {
            return Vec::new();
        }
        let mut bytes = vec![0; windows];
        let mut before = 0;
        for &(seconds, reached) in &self.points {
            let window = ((seconds / width) as usize).min(windows - 1);
            bytes[window] += reached - before;
            before = reached;
        }
        let rate = |(window, bytes): (usize, u64)| (window as f64 * width, bytes as f64 / width);
        bytes.into_iter().enumerate().map(rate).collect()
    }
}

/// Classes of gaps: sixteen for each doubling, from a microsecond on, so that any gap is known to
/// within 5 percent, up to twelve days.
const CLASSES: usize = 16 * 40;
const CLASSES_PER_DOUBLING: f64 = 16.0;
const SHORTEST: f64 = 1e-6;

/// The gaps between arrivals, counted by their length.
#[derive(Clone, Debug)]
pub(super) struct Gaps {
    counts: Vec<u64>,
    longest: f64,
}

impl Default for Gaps {
    fn default() -> Self {
        Self { counts: vec![0; CLASSES], longest: 0.0 }
    }
}

impl Gaps {
    pub(super) fn add(&mut self, gap: Duration) {
        let seconds = gap.as_secs_f64();
        let class = (seconds / SHORTEST).max(1.0).log2() * CLASSES_PER_DOUBLING;
        self.counts[(class as usize).min(CLASSES - 1)] += 1;
        self.longest = self.longest.max(seconds);
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// In seconds.
    pub(super) fn longest(&self) -> f64 {
        self.longest
    }

    /// The seconds that `share` of all gaps do not exceed, rounded up by 5 percent at most.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let rank = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (class, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let above = SHORTEST * ((class + 1) as f64 / CLASSES_PER_DOUBLING).exp2();
                return above.min(self.longest);
            }
        }
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_keeps_its_ends_and_its_shape_however_long() {
        for arrivals in [1, 2, 1000, POINTS, POINTS + 1, 20 * POINTS + 7] {
            let mut curve = Curve::default();
            for n in 1..=arrivals {
                curve.reach(n as f64, 10 * n as u64);
            }
            assert_eq!(curve.end(), (arrivals as f64, 10 * arrivals as u64));
            assert!(curve.points().len() <= POINTS, "{}", curve.points().len());
            assert!(curve.points().len() > arrivals.min(POINTS) / 4);
            let sorted = curve.points().windows(2).all(|two| two[0].0 < two[1].0);
            assert!(sorted && curve.points().iter().all(|p| p.0 * 10.0 == p.1 as f64));
        }
    }

    #[test]
    fn rates_add_up_to_the_bytes() {
        let mut curve = Curve::default();
        assert!(curve.rates(4).is_empty());
        for (seconds, bytes) in [(0.5, 100), (1.5, 100), (2.0, 400), (4.0, 500)] {
            curve.reach(seconds, bytes);
        }
        assert_eq!(curve.rates(4), [(0.0, 100.0), (1.0, 0.0), (2.0, 300.0), (3.0, 100.0)]);
        assert_eq!(curve.rates(1), [(0.0, 125.0)]);
    }

    #[test]
    fn gaps_are_known_to_five_percent() {
        let mut gaps = Gaps::default();
        assert_eq!((gaps.count(), gaps.quantile(0.5), gaps.longest()), (0, 0.0, 0.0));
        for millis in 1..=1000 {
            gaps.add(Duration::from_millis(millis));
        }
        gaps.add(Duration::ZERO);
        for (share, exact) in [(0.5, 0.5), (0.99, 0.99), (1.0, 1.0), (0.001, 0.001)] {
            let found = gaps.quantile(share);
            assert!((exact * 0.99..=exact * 1.06).contains(&found), "{share}: {found}");
        }
        assert_eq!((gaps.count(), gaps.longest()), (1001, 1.0));
        gaps.add(Duration::from_secs(1 << 40));
        assert_eq!(gaps.count(), 1002);
    }
}
