//! Counters of a download go in; a bar on a terminal, or plain lines, come out on stderr.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{BinaryBytes, HumanDuration, ProgressBar, ProgressStyle};
use invoker::{Integrity, Report, Snapshot};

use crate::report::say;

/// How often the bar is drawn.
pub(crate) const REDRAW: Duration = Duration::from_millis(100);

/// How often a line is written where there is no terminal: a log should not fill with it.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how a download goes.
pub(crate) enum Display {
    Bar(ProgressBar),
    Lines { next: Duration },
    Quiet,
}

impl Display {
    /// A bar if stderr is a terminal and the data goes elsewhere.
    pub(crate) fn new(quiet: bool, data_on_terminal: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if std::io::stderr().is_terminal() && !data_on_terminal {
            Self::Bar(ProgressBar::new_spinner())
        } else {
            Self::Lines { next: LINE_EVERY }
        }
    }

    pub(crate) fn show(&mut self, now: &Snapshot) {
        match self {
            Self::Bar(bar) => {
                if let Some(wanted) = now.wanted_bytes
                    && bar.length() != Some(wanted)
                {
                    bar.set_length(wanted);
                    bar.set_position(now.resumed_bytes);
                    bar.reset_eta();
                    bar.set_style(style(
                        "{bar:30} {percent:>3}%  {binary_bytes}/{binary_total_bytes}  \
                         {binary_bytes_per_sec}  {eta} left{msg}",
                    ));
                } else if now.wanted_bytes.is_none() {
                    bar.set_style(style("{spinner} {binary_bytes}  {binary_bytes_per_sec}{msg}"));
                }
                bar.set_position(now.bytes + now.resumed_bytes);
                bar.set_message(remarks(now));
            }
            Self::Lines { next } if now.elapsed >= *next => {
                *next = now.elapsed + LINE_EVERY;
                let bytes = BinaryBytes(now.bytes + now.resumed_bytes);
                let wanted = now.wanted_bytes.map(|n| format!(" of {}", BinaryBytes(n)));
                let wanted = wanted.unwrap_or_default();
                let seconds = now.elapsed.as_secs();
                say(&format!("{bytes}{wanted} after {seconds} s{}", remarks(now)));
            }
            _ => {}
        }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }

    /// The last line of a whole result.
    pub(crate) fn finish(&self, what: &str, report: &Report) {
        self.clear();
        if matches!(self, Self::Quiet) {
            return;
        }
        let now = &report.snapshot;
        let seconds = now.elapsed.as_secs_f64();
        let rate = BinaryBytes((now.bytes as f64 / seconds.max(1e-9)) as u64);
        let how = match now.segments {
            0 | 1 => "one stream".to_owned(),
            n => format!("{n} segments, {} at once", now.in_flight_max),
        };
        let checked = match &report.integrity {
            Integrity::Verified { algorithm } => format!("verified by {algorithm}"),
            Integrity::NotVerified { reason } => format!("not verified: {reason}"),
            _ => "not verified".to_owned(),
        };
        say(&format!(
            "{what}: {} in {seconds:.2} s, {rate}/s, {how}{}{}; {checked}",
            BinaryBytes(now.bytes + now.resumed_bytes),
            encoded(report),
            remarks(now)
        ));
    }
}

/// How it came, if it did not come as it is now.
fn encoded(report: &Report) -> String {
    match &report.description.encoding {
        Some(encoding) if report.snapshot.encoded_bytes != report.snapshot.bytes => {
            format!(" of {} as {encoding}", BinaryBytes(report.snapshot.encoded_bytes))
        }
        _ => String::new(),
    }
}

/// What is worth a word only when it happens.
fn remarks(now: &Snapshot) -> String {
    let mut remarks = String::new();
    for (count, name) in [(now.retries, "retried"), (now.throttles, "throttled")] {
        if count > 0 {
            remarks.push_str(&format!(", {count} {name}"));
        }
    }
    if now.resumed_bytes > 0 {
        let there = BinaryBytes(now.resumed_bytes);
        remarks.push_str(&format!(", {there} were there"));
    }
    remarks
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// A duration as a person says it.
pub(crate) fn roughly(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return "less than a second".to_owned();
    }
    HumanDuration(duration).to_string()
}
