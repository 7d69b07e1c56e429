//! The curve of a stream goes in; where its rate breaks comes out, if it does: the bytes that came at
//! full speed, and the rate they were followed by.
//!
//! The time is looked at as a function of the bytes, not the other way: a burst is a good part of the
//! bytes and next to nothing of the time. A straight line through all of it is compared with two lines,
//! for every place where the second may begin.

/// Places at which the curve is looked at, in equal steps of bytes.
const STEPS: usize = 2_048;
/// Steps that either line needs: two points make a line through anything.
const LEAST_STEPS: usize = 8;
/// Two lines must leave at most this share of the squared deviation that one line leaves. A held rate
/// comes in steps of time, a constant one too; their noise is halved by any second line at best.
const REMAINING: f64 = 0.25;
/// The rate before the break must be at least this many times that after it: the service's is dozens
/// of times, a noisy machine's own less than twice.
const RATIO: f64 = 2.0;
/// How far the points of the second line may be from it, as a share of its time: a rate is held only
/// if it is steady.
const STEADY: f64 = 0.1;
/// How long the rate must have been held, in seconds: eight of the service's refills of 125 ms
/// (`ResponseBandwidthRate` of AWS's Runtime Interface Emulator). A pause is no rate.
const HELD: f64 = 1.0;

/// Where the rate breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Knee {
    /// Bytes that came before.
    pub(super) burst_bytes: f64,
    /// Seconds into the curve.
    pub(super) at: f64,
    /// Bytes per second before it, from the first arrival on; `None` where it took no time that could
    /// be measured.
    pub(super) rate_before: Option<f64>,
    /// Bytes per second after it.
    pub(super) rate_after: f64,
}

/// Finds it among points of seconds and bytes, which both grow.
pub(super) fn find(points: &[(f64, u64)]) -> Option<Knee> {
    let (&(start, _), &(_, total)) = (points.first()?, points.last()?);
    // In a long stream a short burst is lost in the noise, so it is looked for in its beginning too:
    // in the first half, a quarter, and so on. What is found must then hold for all of it.
    let mut part = total;
    while part >= STEPS as u64 {
        if let Some(burst_bytes) = break_within(points, start, part) {
            return held_after(points, burst_bytes);
        }
        part /= 2;
    }
    None
}

/// The bytes before the break in the first `part` bytes.
fn break_within(points: &[(f64, u64)], start: f64, part: u64) -> Option<f64> {
    let samples = sample(points, part);
    let sums = Sums::of(&samples);
    let all = sums.line(0, STEPS)?;
    let two = |split: usize| {
        let (before, after) = (sums.line(0, split)?, sums.line(split, STEPS)?);
        Some((split, before.deviation + after.deviation, after))
    };
    let (split, deviation, after) =
        (LEAST_STEPS..=STEPS - LEAST_STEPS).filter_map(two).min_by(|a, b| a.1.total_cmp(&b.1))?;
    // Sample `n` is the moment of byte `(n + 1) * step`: the first of the second line is late already.
    let took = samples[split - 1] - start;
    let slows_down = split as f64 * after.slope >= RATIO * took;
    let is_break = slows_down
        && deviation <= REMAINING * all.deviation
        && is_held(&after, STEPS - split, samples[STEPS - 1] - samples[split]);
    is_break.then(|| split as f64 * part as f64 / STEPS as f64)
}

/// The break at `burst_bytes`, if the rate is held from there to the end of the curve.
fn held_after(points: &[(f64, u64)], burst_bytes: f64) -> Option<Knee> {
    let (&(start, _), &(end, total)) = (points.first()?, points.last()?);
    let samples = sample(points, total);
    let step = total as f64 / STEPS as f64;
    let split = (burst_bytes / step).ceil() as usize;
    let after = Sums::of(&samples).line(split, STEPS)?;
    let &(at, _) = points.iter().find(|(_, bytes)| *bytes as f64 >= burst_bytes)?;
    let took = at - start;
    let knee = Knee {
        burst_bytes,
        at,
        rate_before: (took > 0.0).then(|| burst_bytes / took),
        rate_after: step / after.slope,
    };
    is_held(&after, STEPS - split, end - at).then_some(knee)
}

/// Whether `steps` in `seconds` are those of one rate.
fn is_held(line: &Line, steps: usize, seconds: f64) -> bool {
    let scatter = (line.deviation / steps as f64).sqrt();
    seconds >= HELD && scatter <= STEADY * seconds && line.slope > 0.0
}

/// The moment at which each step of bytes was there.
fn sample(points: &[(f64, u64)], total: u64) -> Vec<f64> {
    let mut points = points.iter().peekable();
    let mut moments = Vec::with_capacity(STEPS);
    for step in 1..=STEPS as u128 {
        let bytes = (u128::from(total) * step / STEPS as u128) as u64;
        while points.peek().is_some_and(|(_, there)| *there < bytes) {
            points.next();
        }
        moments.extend(points.peek().map(|(seconds, _)| *seconds));
    }
    moments
}

/// A straight line through some of the samples, by least squares.
#[derive(Clone, Copy)]
struct Line {
    /// Seconds for a step.
    slope: f64,
    /// The sum of the squared distances from it.
    deviation: f64,
}

/// Sums over the first samples, so that a line through any run of them takes no time.
struct Sums {
    /// Of `x`, `x²`, `y`, `xy` and `y²`, where `x` is the sample's number and `y` its seconds.
    before: Vec<[f64; 5]>,
}

impl Sums {
    fn of(samples: &[f64]) -> Self {
        let mut sums = [0.0; 5];
        let mut before = vec![sums];
        for (x, y) in samples.iter().enumerate() {
            let x = x as f64;
            for (sum, value) in sums.iter_mut().zip([x, x * x, *y, x * y, y * y]) {
                *sum += value;
            }
            before.push(sums);
        }
        Self { before }
    }

    /// The line through the samples `from..to`; `None` where there are not as many.
    fn line(&self, from: usize, to: usize) -> Option<Line> {
        let (first, last) = (self.before.get(from)?, self.before.get(to)?);
        let [x, xx, y, xy, yy] = std::array::from_fn(|i| last[i] - first[i]);
        let n = (to - from) as f64;
        let (x_spread, y_spread, common) = (xx - x * x / n, yy - y * y / n, xy - x * y / n);
        let slope = common / x_spread;
        // Rounding may bring a perfect fit below nothing.
        Some(Line { slope, deviation: (y_spread - slope * common).max(0.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// A curve made of arrivals of `frame` bytes, each at the moment that `moment` gives for the bytes
    /// there are with it.
    fn curve(total: u64, frame: u64, moment: impl Fn(u64) -> f64) -> Vec<(f64, u64)> {
        (1..=total / frame).map(|n| (moment(n * frame), n * frame)).collect()
    }

    /// A token bucket as the service has it: `burst` at `fast` bytes per second, then `refill` bytes
    /// every eighth of a second.
    fn held(burst: u64, fast: f64, refill: u64) -> impl Fn(u64) -> f64 {
        move |bytes| match bytes.checked_sub(burst) {
            None | Some(0) => 0.05 + bytes as f64 / fast,
            Some(late) => 0.05 + burst as f64 / fast + late.div_ceil(refill) as f64 / 8.0,
        }
    }

    #[test]
    fn a_burst_and_the_rate_after_it_are_found() {
        // Bytes in all, of a frame, of the burst, per second in the burst, of a refill.
        let table = [
            (60 * MIB, 64 * 1024, 6 * MIB, 5e8, MIB / 4),
            (60 * MIB, 1024, 6 * MIB, 2e7, MIB / 4),
            (200 * MIB, 64 * 1024, 6 * MIB, 1e8, MIB / 4),
            (9 * MIB, 64 * 1024, 6 * MIB, 1e9, MIB / 4),
            (60 * MIB, 64 * 1024, 6 * MIB, f64::INFINITY, MIB / 4),
            (40 * MIB, 32 * 1024, 20 * MIB, 5e7, MIB / 2),
            (60 * MIB, 64 * 1024, MIB, 1e8, MIB / 4),
        ];
        for (total, frame, burst, fast, refill) in table {
            let found = find(&curve(total, frame, held(burst, fast, refill)));
            let case = format!("{total} {frame} {burst} {fast}: {found:?}");
            let knee = found.expect(&case);
            let off = knee.burst_bytes - burst as f64;
            assert!(off.abs() <= (refill / 2) as f64, "{case}");
            let rate = 8.0 * refill as f64;
            assert!((0.96 * rate..1.04 * rate).contains(&knee.rate_after), "{case}");
            assert_eq!(knee.rate_before.is_some(), fast.is_finite(), "{case}");
            let at = 0.05 + burst as f64 / fast;
            assert!((knee.at - at).abs() < 0.3, "{case}");
        }
    }

    #[test]
    fn noise_does_not_move_it() {
        // A machine that is late by up to 30 ms, in an order without a pattern.
        let late = |bytes: u64| ((bytes / 4096).wrapping_mul(2_654_435_761) >> 7) % 30;
        let paced = held(6 * MIB, 3e8, MIB / 4);
        let mut points = curve(60 * MIB, 16 * 1024, |b| paced(b) + late(b) as f64 / 1000.0);
        let mut latest = 0.0;
        for (seconds, _) in &mut points {
            latest = f64::max(latest, *seconds);
            *seconds = latest;
        }
        let knee = find(&points).unwrap();
        assert!((knee.burst_bytes / MIB as f64 - 6.0).abs() < 0.5, "{knee:?}");
        assert!((knee.rate_after / MIB as f64 - 2.0).abs() < 0.05, "{knee:?}");
    }

    #[test]
    fn where_nothing_breaks_nothing_is_found() {
        let steady = |rate: f64| move |bytes: u64| 0.01 + bytes as f64 / rate;
        let stepped = |bytes: u64| bytes.div_ceil(MIB / 4) as f64 / 8.0;
        let pause = |bytes: u64| bytes as f64 / 1e7 + if bytes > 20 * MIB { 3.0 } else { 0.0 };
        let faster = |bytes: u64| match bytes.checked_sub(6 * MIB) {
            None => bytes as f64 / 2e6,
            Some(rest) => 6.0 * MIB as f64 / 2e6 + rest as f64 / 1e8,
        };
        let slightly = |bytes: u64| match bytes.checked_sub(20 * MIB) {
            None => bytes as f64 / 6e6,
            Some(rest) => 20.0 * MIB as f64 / 6e6 + rest as f64 / 4e6,
        };
        let fast_then_short = held(6 * MIB, 1e9, 64 * MIB);
        for (name, points) in [
            ("nothing at all", Vec::new()),
            ("one arrival", vec![(0.1, 5 * MIB)]),
            ("nothing but an end", vec![(0.1, 0)]),
            ("a few bytes", vec![(0.1, 3), (3.0, 7)]),
            ("a steady fast one", curve(60 * MIB, 64 * 1024, steady(1e9))),
            ("a steady slow one", curve(60 * MIB, 64 * 1024, steady(2e6))),
            ("steps from the beginning on", curve(60 * MIB, 64 * 1024, stepped)),
            ("one pause", curve(60 * MIB, 64 * 1024, pause)),
            ("slow, then fast", curve(60 * MIB, 64 * 1024, faster)),
            ("a little slower at last", curve(60 * MIB, 64 * 1024, slightly)),
            ("all of it in the burst", curve(6 * MIB, 64 * 1024, held(6 * MIB, 1e8, MIB / 4))),
            ("held too shortly", curve(7 * MIB, 64 * 1024, fast_then_short)),
        ] {
            assert_eq!(find(&points), None, "{name}");
        }
    }
}
