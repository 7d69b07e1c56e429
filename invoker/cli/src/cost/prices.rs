//! A price table goes in, built in or from a file; numbers with their date and source come out.

use std::path::Path;

use serde::Deserialize;

use crate::report::Failure;

/// What the service asks for, in US dollars, on one day.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    pub(super) date: String,
    pub(super) source: String,
    pub(super) usd_per_request: f64,
    pub(super) usd_per_gb_second_x86: f64,
    pub(super) usd_per_gb_second_arm: f64,
    /// For bytes of a streamed response beyond the free ones of its request.
    pub(super) usd_per_streamed_gb: f64,
    /// What is uncertain about them.
    #[serde(default)]
    pub(super) doubt: Option<String>,
}

impl Default for Prices {
    /// us-east-1, first tier. Requests and time: aws.amazon.com/lambda/pricing, where they are 0.20 USD
    /// for a million requests, 0.0000166667 USD for a GB-second on x86 and 0.0000133334 on Arm, and
    /// which cloudchipr.com/blog/aws-lambda-pricing quotes. Streamed bytes: that page fills the number
    /// in with a script and no copy of it was found; 0.008 USD is what is commonly said.
    fn default() -> Self {
        Self {
            date: "2026-11-21".into(),
            source: "aws.amazon.com/lambda/pricing, us-east-1".into(),
            usd_per_request: 0.000_000_2,
            usd_per_gb_second_x86: 0.000_016_666_7,
            usd_per_gb_second_arm: 0.000_013_333_4,
            usd_per_streamed_gb: 0.008,
            doubt: Some(
                "0.008 USD for a streamed GB is the number commonly quoted, not verified; --prices \
                 replaces it"
                    .into(),
            ),
        }
    }
}

impl Prices {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let named = path.display();
        let text = std::fs::read(path)
            .map_err(|error| Failure::file(format!("cannot read {named}"), error))?;
        Self::parse(&text).map_err(|why| {
            Failure::Usage(format!("{named} is no table of prices: {why}; docs/cost.md has one"))
        })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let prices: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        for (name, price) in [
            ("usd_per_request", prices.usd_per_request),
            ("usd_per_gb_second_x86", prices.usd_per_gb_second_x86),
            ("usd_per_gb_second_arm", prices.usd_per_gb_second_arm),
            ("usd_per_streamed_gb", prices.usd_per_streamed_gb),
        ] {
            if price < 0.0 {
                return Err(format!("{name} is below 0"));
            }
        }
        Ok(prices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one in the documentation, which is the built-in one.
    #[test]
    fn the_documented_table_is_the_built_in_one() {
        let page = include_str!("../../../../docs/cost.md");
        let table = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
        assert_eq!(Prices::parse(table.unwrap().as_bytes()), Ok(Prices::default()));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let table = serde_json::json!({
            "date": "2027-01-01", "source": "a contract", "usd_per_request": 0,
            "usd_per_gb_second_x86": 0.5, "usd_per_gb_second_arm": 0.25, "usd_per_streamed_gb": 1
        });
        let parse = |table: &serde_json::Value| Prices::parse(table.to_string().as_bytes());
        let prices = parse(&table).unwrap();
        assert_eq!((prices.usd_per_gb_second_arm, prices.doubt), (0.25, None));
        // What is wrong, and what is said of it.
        for (name, value, word) in [
            ("usd_per_streamed_gb", serde_json::json!(-1), "usd_per_streamed_gb is below 0"),
            ("usd_per_request", serde_json::json!("cheap"), "invalid type"),
            ("usd_per_gb", serde_json::json!(1), "unknown field `usd_per_gb`"),
        ] {
            let mut wrong = table.clone();
            wrong[name] = value;
            let said = parse(&wrong).unwrap_err();
            assert!(said.contains(word), "{said}");
        }
        let said = Prices::parse(b"{}").unwrap_err();
        assert!(said.contains("missing field"), "{said}");
    }
}
