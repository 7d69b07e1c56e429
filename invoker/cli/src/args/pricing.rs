//! What was typed about the function and its prices goes in; what is meant comes out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Megabytes of memory that a function may have (AWS documentation, "Lambda quotas").
const MEMORY_MB: std::ops::RangeInclusive<u32> = 128..=10_240;

/// What the cost is reckoned with.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cost")]
pub(crate) struct Pricing {
    /// The memory that the function is configured with, such as 1769MB, for what its time costs
    #[arg(long, value_name = "SIZE", value_parser = memory_mb, hide_short_help = true)]
    pub(crate) function_memory: Option<u32>,
    /// The processor that the function runs on
    #[arg(long, value_enum, default_value_t = Architecture::X86, hide_short_help = true)]
    pub(crate) architecture: Architecture,
    /// Prices in place of the built-in ones, as JSON; docs/cost.md has the form
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) prices: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    X86,
    Arm,
}

/// The service's megabytes are those of which 1,024 make a gigabyte, however they are written.
fn memory_mb(text: &str) -> Result<u32, String> {
    const MB_PER_GB: u32 = 1024;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "m" | "mb" | "mib" => Some(1),
        "g" | "gb" | "gib" => Some(MB_PER_GB),
        _ => None,
    };
    let number = digits.trim_end().parse::<u32>().ok();
    let memory = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    memory.filter(|memory| MEMORY_MB.contains(memory)).ok_or_else(|| {
        format!(
            "a function has {} to {} MB, such as 512MB or 2GB",
            MEMORY_MB.start(),
            MEMORY_MB.end()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_the_megabytes_of_the_service() {
        for (text, mb) in [("1769MB", 1769), ("128", 128), ("2GB", 2048), ("10 GiB", 10_240)] {
            assert_eq!(memory_mb(text), Ok(mb), "{text}");
        }
        for wrong in ["", "MB", "127", "10241MB", "1.5GB", "-512", "512KB", "9999999GB"] {
            assert!(memory_mb(wrong).is_err(), "{wrong}");
        }
    }
}
