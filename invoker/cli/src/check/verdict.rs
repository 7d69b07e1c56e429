//! The verdicts on all cases go in; lines for people, or a JSON object for programs, come out.

use serde_json::{Value, json};

use super::case::Case;

/// What is said of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Kept,
    /// What must be, and is not: what was expected and what came, one for each fault.
    Broken(Vec<String>),
    /// What should be, and is not.
    Lacking(String),
    NotTried(String),
}

impl Verdict {
    /// Kept where there is no fault.
    pub(super) fn of(faults: Vec<String>) -> Self {
        if faults.is_empty() { Self::Kept } else { Self::Broken(faults) }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken(_) => "broken",
            Self::Lacking(_) => "lacking",
            Self::NotTried(_) => "not tried",
        }
    }

    fn why(&self) -> Option<String> {
        match self {
            Self::Kept => None,
            Self::Broken(faults) => Some(faults.join("; ")),
            Self::Lacking(why) | Self::NotTried(why) => Some(why.clone()),
        }
    }
}

/// All that was found out.
#[derive(Debug, Default)]
pub(super) struct Told {
    cases: Vec<Found>,
    /// Invocations that were made.
    pub(super) invocations: u64,
}

#[derive(Debug)]
struct Found {
    rule: &'static str,
    range: Option<String>,
    verdict: Verdict,
}

impl Told {
    /// A case that one question answers.
    pub(super) fn add(&mut self, case: &Case, verdict: Verdict) {
        self.cases.push(Found { rule: case.rule, range: case.range.clone(), verdict });
    }

    /// Any other.
    pub(super) fn note(&mut self, rule: &'static str, verdict: Verdict) {
        self.cases.push(Found { rule, range: None, verdict });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    pub(super) fn broken(&self) -> usize {
        self.count("broken")
    }

    fn count(&self, word: &str) -> usize {
        self.cases.iter().filter(|found| found.verdict.word() == word).count()
    }

    /// A line for each case, or for each that is not kept, and one for all of them.
    pub(super) fn words(&self, only_faults: bool) -> String {
        let mut text = String::new();
        for Found { rule, range, verdict } in &self.cases {
            if only_faults && !matches!(verdict, Verdict::Broken(_)) {
                continue;
            }
            let asked = range.as_deref().map(|range| format!(" ({range})")).unwrap_or_default();
            let why = verdict.why().map(|why| format!(": {why}")).unwrap_or_default();
            text.push_str(&format!("{:<9}  {rule}{asked}{why}\n", verdict.word()));
        }
        let mut counts = Vec::new();
        for word in ["kept", "broken", "lacking", "not tried"] {
            match self.count(word) {
                0 if word != "broken" => {}
                n => counts.push(format!("{n} {word}")),
            }
        }
        text.push_str(&format!("{}; {} invocations\n", counts.join(", "), self.invocations));
        text
    }

    pub(super) fn json(&self, function: &str, object: Option<&str>) -> Value {
        let cases: Vec<Value> = self
            .cases
            .iter()
            .map(|Found { rule, range, verdict }| {
                json!({
                    "case": rule,
                    "range": range,
                    "verdict": verdict.word(),
                    "why": verdict.why(),
                })
            })
            .collect();
        json!({
            "function": function,
            "object": object,
            "kept": self.count("kept"),
            "broken": self.count("broken"),
            "lacking": self.count("lacking"),
            "not_tried": self.count("not tried"),
            "invocations": self.invocations,
            "cases": cases,
        })
    }
}
