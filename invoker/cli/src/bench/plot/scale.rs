//! Values go in; places on an axis come out, and the ticks that make it readable.

use std::ops::Range;

/// An axis from 0 on.
pub(super) struct Linear {
    most: f64,
    place: Range<f64>,
}

impl Linear {
    /// From 0 to `most`, over these pixels.
    pub(super) fn to(most: f64, place: Range<f64>) -> Self {
        Self { most: if most > 0.0 { most } else { 1.0 }, place }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let Range { start, end } = self.place;
        start + (end - start) * (value / self.most).clamp(0.0, 1.0)
    }

    /// Places and labels of round numbers: 1, 2 or 5 times a power of ten apart.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let rough = self.most / super::TICKS;
        let magnitude = 10f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
        let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let digits = (-step.log10().floor()).max(0.0) as usize;
        let count = (self.most / step + 1e-9) as u32;
        let ticks = (0..=count).map(|n| f64::from(n) * step);
        ticks.map(|value| (self.place(value), format!("{value:.digits$}"))).collect()
    }
}

/// An axis of powers of ten.
pub(super) struct Log {
    exponents: Range<f64>,
    place: Range<f64>,
}

impl Log {
    /// Over the powers around these values; those that are not above 0 are left out.
    pub(super) fn around(values: impl Iterator<Item = f64>, place: Range<f64>) -> Self {
        let logs = values.filter(|value| *value > 0.0).map(f64::log10);
        let (least, most) =
            logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), log| (a.min(log), b.max(log)));
        let exponents = match least <= most {
            true => least.floor()..most.ceil().max(least.floor() + 1.0),
            false => 0.0..1.0,
        };
        Self { exponents, place }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let Range { start, end } = self.place;
        let share =
            (value.log10() - self.exponents.start) / (self.exponents.end - self.exponents.start);
        start + (end - start) * share.clamp(0.0, 1.0)
    }

    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let exponents = self.exponents.start as i32..=self.exponents.end as i32;
        exponents
            .map(|exponent| {
                let value = 10f64.powi(exponent);
                let digits = usize::try_from(-exponent).unwrap_or(0);
                (self.place(value), format!("{value:.digits$}"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let labels = |most| -> Vec<String> {
            Linear::to(most, 0.0..100.0).ticks().into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(60.0), ["0", "10", "20", "30", "40", "50", "60"]);
        assert_eq!(labels(27.3), ["0", "5", "10", "15", "20", "25"]);
        assert_eq!(labels(0.3), ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]);
        assert_eq!(labels(0.0).len(), 6);
        let axis = Linear::to(10.0, 100.0..0.0);
        assert_eq!((axis.place(0.0), axis.place(5.0), axis.place(99.0)), (100.0, 50.0, 0.0));
    }

    #[test]
    fn powers_of_ten_have_equal_distances() {
        let axis = Log::around([2.0, 0.0, 300.0].into_iter(), 0.0..300.0);
        let ticks: Vec<_> = axis.ticks();
        let expected = [(0.0, "1"), (100.0, "10"), (200.0, "100"), (300.0, "1000")];
        for ((place, label), (at, words)) in ticks.iter().zip(expected) {
            assert!((place - at).abs() < 1e-9 && label == words, "{ticks:?}");
        }
        assert_eq!(ticks.len(), 4);
        let small = Log::around([0.02].into_iter(), 0.0..1.0).ticks();
        assert_eq!((small[0].1.as_str(), small[1].1.as_str()), ("0.01", "0.1"));
        assert_eq!(Log::around([].into_iter(), 0.0..1.0).ticks().len(), 2);
    }
}
