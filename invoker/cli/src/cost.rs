//! Invocations, their time and their bytes go in; what the service asks for them comes out, and what
//! had to be assumed for it.

mod estimate;
mod prices;

use invoker::Snapshot;
use serde_json::json;

use crate::args::{Architecture, Pricing};
use crate::report::Failure;

pub(crate) use estimate::Plan;
use prices::Prices;

/// Megabytes in one of the gigabytes that memory is billed in (AWS Lambda's price page: 1,024 MB).
const MB_PER_GB: f64 = 1024.0;
/// Bytes in one of the gigabytes that streamed bytes are billed in. The price page does not say
/// which; the decimal one makes rather too much of it than too little.
const STREAMED_GB: f64 = 1e9;

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) invocations: u64,
    /// Seconds of all invocations together.
    pub(crate) seconds: f64,
    /// Streamed bytes beyond what is free in each invocation.
    pub(crate) charged_bytes: u64,
    /// Invocations whose end nobody saw.
    pub(crate) abandoned: u64,
}

impl From<&Snapshot> for Usage {
    fn from(counted: &Snapshot) -> Self {
        Self {
            invocations: counted.invocations,
            seconds: counted.invocation_time.as_secs_f64(),
            charged_bytes: counted.charged_bytes,
            // Those still in flight are being dropped, if this is the end.
            abandoned: counted.abandoned + counted.in_flight,
        }
    }
}

/// What a cost is reckoned with.
pub(crate) struct Tariff {
    prices: Prices,
    memory_mb: Option<u32>,
    architecture: Architecture,
}

/// What it costs, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    pub(crate) requests: f64,
    pub(crate) streamed: f64,
    /// Of the time, for each GB of the function's memory.
    pub(crate) per_memory_gb: f64,
    /// Of the time, where the memory is known.
    pub(crate) duration: Option<f64>,
    pub(crate) gb_seconds: Option<f64>,
}

impl Cost {
    /// All of it, where the memory is known.
    pub(crate) fn total(&self) -> Option<f64> {
        Some(self.requests + self.streamed + self.duration?)
    }

    /// For a person.
    pub(crate) fn words(&self) -> String {
        match self.total() {
            Some(total) => usd(total),
            None => format!(
                "{}, and {} for each GB of the function's memory",
                usd(self.requests + self.streamed),
                usd(self.per_memory_gb)
            ),
        }
    }
}

impl Tariff {
    /// Reads what was typed; calls nothing.
    pub(crate) fn of(pricing: &Pricing) -> Result<Self, Failure> {
        let prices = match &pricing.prices {
            Some(path) => Prices::read(path)?,
            None => Prices::default(),
        };
        let Pricing { function_memory: memory_mb, architecture, .. } = *pricing;
        Ok(Self { prices, memory_mb, architecture })
    }

    pub(crate) fn cost(&self, usage: &Usage) -> Cost {
        let per_gb_second = match self.architecture {
            Architecture::X86 => self.prices.usd_per_gb_second_x86,
            Architecture::Arm => self.prices.usd_per_gb_second_arm,
        };
        let gb_seconds = self.memory_mb.map(|mb| f64::from(mb) / MB_PER_GB * usage.seconds);
        Cost {
            requests: usage.invocations as f64 * self.prices.usd_per_request,
            streamed: usage.charged_bytes as f64 / STREAMED_GB * self.prices.usd_per_streamed_gb,
            per_memory_gb: usage.seconds * per_gb_second,
            duration: gb_seconds.map(|gb_seconds| gb_seconds * per_gb_second),
            gb_seconds,
        }
    }

    /// Of which day the prices are, and whose.
    pub(crate) fn prices(&self) -> String {
        format!("{}, {}", self.prices.date, self.prices.source)
    }

    /// `local` says that nobody was billed at all.
    pub(crate) fn json(&self, usage: &Usage, local: bool) -> serde_json::Value {
        let cost = self.cost(usage);
        json!({
            "invocations": usage.invocations,
            "invocation_seconds": usage.seconds,
            "abandoned_invocations": usage.abandoned,
            "streamed_bytes_beyond_free": usage.charged_bytes,
            "function_memory_mb": self.memory_mb,
            "architecture": match self.architecture {
                Architecture::X86 => "x86",
                Architecture::Arm => "arm",
            },
            "gb_seconds": cost.gb_seconds,
            "usd": cost.total(),
            "usd_requests": cost.requests,
            "usd_streamed": cost.streamed,
            "usd_duration": cost.duration,
            "usd_duration_per_gb_of_memory": cost.per_memory_gb,
            "prices_date": self.prices.date,
            "prices_source": self.prices.source,
            "assumptions": self.assumptions(usage, local),
        })
    }

    /// What is not measured.
    fn assumptions(&self, usage: &Usage, local: bool) -> Vec<String> {
        let mut assumptions = vec![
            "the time of an invocation is from its call to the end of its answer, as the caller saw \
             it: with the network's share, which is not billed"
                .to_owned(),
            "no free tier, no discount, the first tier of prices; calls that the service throttled \
             or refused are free"
                .to_owned(),
        ];
        if local {
            assumptions.push("nothing was billed: `local:` is no account".into());
        }
        if self.memory_mb.is_none() {
            assumptions.push(
                "the function's memory is not known, so usd and gb_seconds are not either: \
                 --function-memory tells it"
                    .into(),
            );
        }
        if usage.abandoned > 0 {
            assumptions.push(format!(
                "{} invocations were left before their end: they run on and are billed, beyond what \
                 is counted here",
                usage.abandoned
            ));
        }
        assumptions.extend(self.prices.doubt.clone());
        assumptions
    }
}

/// Dollars with three digits that count.
fn usd(amount: f64) -> String {
    const DIGITS: i32 = 3;
    if amount <= 0.0 {
        return "0 USD".into();
    }
    let places = DIGITS - 1 - amount.log10().floor() as i32;
    format!("{amount:.places$} USD", places = usize::try_from(places).unwrap_or(2).max(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tariff(memory_mb: Option<u32>, architecture: Architecture) -> Tariff {
        Tariff { prices: Prices::default(), memory_mb, architecture }
    }

    #[test]
    fn a_cost_is_its_parts() {
        let usage =
            Usage { invocations: 40, seconds: 100.0, charged_bytes: 500_000_000, abandoned: 0 };
        // Memory, processor; requests, streamed, for each GB, for the memory.
        let table = [
            (None, Architecture::X86, 0.000_008, 0.004, 0.001_666_67, None),
            (Some(2048), Architecture::X86, 0.000_008, 0.004, 0.001_666_67, Some(0.003_333_34)),
            (Some(512), Architecture::Arm, 0.000_008, 0.004, 0.001_333_34, Some(0.000_666_67)),
        ];
        for (memory, architecture, requests, streamed, per_gb, duration) in table {
            let cost = tariff(memory, architecture).cost(&usage);
            let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
            assert!(near(cost.requests, requests) && near(cost.streamed, streamed), "{cost:?}");
            assert!(near(cost.per_memory_gb, per_gb), "{cost:?}");
            assert_eq!(cost.duration.is_some(), duration.is_some());
            assert!(near(cost.duration.unwrap_or(0.0), duration.unwrap_or(0.0)), "{cost:?}");
            let total = duration.map(|duration| duration + requests + streamed);
            assert!(near(cost.total().unwrap_or(0.0), total.unwrap_or(0.0)), "{cost:?}");
        }
    }

    #[test]
    fn what_is_assumed_is_said() {
        let usage = Usage { abandoned: 2, ..Usage::default() };
        let said = |memory, usage: &Usage, local| {
            tariff(memory, Architecture::X86).assumptions(usage, local).join("\n")
        };
        let all = said(None, &usage, true);
        for word in ["--function-memory", "2 invocations were left", "no account", "not verified"] {
            assert!(all.contains(word), "no {word:?} in {all}");
        }
        let few = said(Some(128), &Usage::default(), false);
        assert_eq!(few.lines().count(), 3, "{few}");
    }

    #[test]
    fn dollars_keep_their_first_digits() {
        let table = [(0.0, "0 USD"), (0.000_000_2, "0.000000200 USD"), (0.012_345, "0.0123 USD")];
        for (amount, words) in table {
            assert_eq!(usd(amount), words);
        }
        assert_eq!((usd(1.239), usd(1234.5)), ("1.24 USD".into(), "1234.50 USD".into()));
    }
}
