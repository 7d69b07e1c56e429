//! Counters of a download go in; a bar on a terminal, lines of text or lines of JSON come out on
//! stderr.

mod terminal;

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{BinaryBytes, HumanDuration, ProgressBar, ProgressStyle};
use invoker::{Integrity, LogTail, Report, Snapshot};
use serde_json::json;

use crate::args::{ShowProgress, Words};
use crate::report::say;

/// How often the bar is drawn.
pub(crate) const REDRAW: Duration = Duration::from_millis(100);

/// What is over before that needs no bar.
const NO_BAR_BEFORE: Duration = Duration::from_millis(300);

/// How often a line of text is written: a log should not fill with it, and a short transfer needs none.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often a line of JSON is written, for programs.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// The columns of a terminal that nobody made wider.
const COLUMNS: usize = 80;

/// Shows how a download goes, and how it ended.
pub(crate) struct Display {
    progress: Shown,
    /// Whether the end is told in words.
    last_line: bool,
    /// Whether all that is told is JSON.
    json: bool,
}

enum Shown {
    Bar(ProgressBar),
    Lines { next: Duration },
    Json { next: Duration },
    Nothing,
}

impl Display {
    /// `lines` says that others write to stderr meanwhile, or that the data goes to the terminal: then
    /// there is no place for a bar.
    pub(crate) fn new(words: &Words, lines: bool) -> Self {
        let on_terminal = std::io::stderr().is_terminal() && !lines;
        let progress = match words.progress {
            _ if words.quiet => Shown::Nothing,
            ShowProgress::None => Shown::Nothing,
            ShowProgress::Json => Shown::Json { next: Duration::ZERO },
            ShowProgress::Auto if words.json => Shown::Nothing,
            ShowProgress::Auto | ShowProgress::Bar if on_terminal => {
                Shown::Bar(ProgressBar::with_draw_target(None, terminal::stderr()))
            }
            ShowProgress::Auto | ShowProgress::Bar | ShowProgress::Plain => {
                Shown::Lines { next: LINE_EVERY }
            }
        };
        let json = words.json || words.progress == ShowProgress::Json;
        Self { progress, last_line: !words.quiet && !json, json }
    }

    pub(crate) fn show(&mut self, now: &Snapshot) {
        match &mut self.progress {
            Shown::Bar(bar) if now.elapsed >= NO_BAR_BEFORE => draw(bar, now),
            Shown::Lines { next } if now.elapsed >= *next => {
                *next = now.elapsed + LINE_EVERY;
                let bytes = BinaryBytes(now.bytes + now.resumed_bytes);
                let wanted = now.wanted_bytes.map(|n| format!(" of {}", BinaryBytes(n)));
                let seconds = now.elapsed.as_secs();
                say(&format!(
                    "{bytes}{} after {seconds} s, {}/s, {} in flight{}{}",
                    wanted.unwrap_or_default(),
                    BinaryBytes(rate(now) as u64),
                    now.in_flight,
                    remarks(now),
                    resumed(now)
                ));
            }
            Shown::Json { next } if now.elapsed >= *next => {
                *next = now.elapsed + JSON_EVERY;
                say(&line(now).to_string());
            }
            _ => {}
        }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn clear(&self) {
        if let Shown::Bar(bar) = &self.progress {
            bar.finish_and_clear();
        }
    }

    /// The end of a function's log, between what else is shown.
    pub(crate) fn log_tail(&self, tail: &LogTail) {
        let text = String::from_utf8_lossy(&tail.bytes);
        let say_it = || match self.json {
            true => {
                let id = tail.request_id.as_deref();
                say(&json!({"event": "log", "request_id": id, "text": text}).to_string());
            }
            false => {
                let id = tail.request_id.as_deref().unwrap_or("without an id");
                say(&format!("the end of the function's log, request {id}:"));
                for line in text.lines() {
                    // A terminal is not the function's to control.
                    let plain = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
                    say(&format!("  {}", line.chars().map(plain).collect::<String>()));
                }
            }
        };
        match &self.progress {
            Shown::Bar(bar) => bar.suspend(say_it),
            _ => say_it(),
        }
    }

    /// The last line of a whole result.
    pub(crate) fn finish(&self, what: &str, report: &Report) {
        self.clear();
        if !self.last_line {
            return;
        }
        say(&last_line(what, &report.snapshot, &encoded(report), &report.integrity));
    }
}

/// How it went. Of a resumed download, of which there is more to say, only as much as fits.
fn last_line(what: &str, now: &Snapshot, encoded: &str, integrity: &Integrity) -> String {
    let (verdict, by) = match integrity {
        Integrity::Verified { algorithm } => ("verified".to_owned(), format!(" by {algorithm}")),
        Integrity::NotVerified { reason } => (format!("not verified: {reason}"), String::new()),
        _ => ("not verified".to_owned(), String::new()),
    };
    let how = match now.segments {
        0 | 1 => ", one stream".to_owned(),
        n => format!(", {n} segments, {} at once", now.in_flight_max),
    };
    let rate = format!(", {}/s", BinaryBytes(rate(now) as u64));
    let whole = format!(
        "{what}: {} in {:.2} s",
        BinaryBytes(now.bytes + now.resumed_bytes),
        now.elapsed.as_secs_f64()
    );
    let remarks = remarks(now);
    let resumed = resumed(now);
    let lines = [
        format!("{whole}{rate}{how}{encoded}{remarks}{resumed}; {verdict}{by}"),
        format!("{whole}{rate}{encoded}{remarks}{resumed}; {verdict}{by}"),
        format!("{whole}{encoded}{remarks}{resumed}; {verdict}{by}"),
        format!("{whole}{remarks}{resumed}; {verdict}{by}"),
        format!("{whole}{resumed}; {verdict}{by}"),
    ];
    let fits = |line: &&String| now.resumed_bytes == 0 || line.chars().count() <= COLUMNS;
    let fitting = lines.iter().find(fits).cloned();
    fitting.unwrap_or_else(|| format!("{whole}{resumed}; {verdict}"))
}

/// All of it fits into 80 columns; what is left of them is the bar's.
fn draw(bar: &ProgressBar, now: &Snapshot) {
    if let Some(wanted) = now.wanted_bytes
        && bar.length() != Some(wanted)
    {
        bar.set_length(wanted);
        bar.set_position(now.resumed_bytes);
        bar.reset_eta();
        bar.set_style(style(
            "{wide_bar} {percent:>3}% {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} \
             {eta} left, {msg}",
        ));
    } else if now.wanted_bytes.is_none() {
        bar.set_style(style("{spinner} {binary_bytes} {binary_bytes_per_sec}, {msg}"));
    }
    bar.set_position(now.bytes + now.resumed_bytes);
    let repeated = match now.retries + now.throttles {
        0 => String::new(),
        n => format!(", {n} repeated"),
    };
    bar.set_message(format!("{} in flight{repeated}", now.in_flight));
}

/// The counters for a program.
fn line(now: &Snapshot) -> serde_json::Value {
    let there = now.bytes + now.resumed_bytes;
    let left = now.wanted_bytes.map(|wanted| wanted.saturating_sub(there) as f64);
    let seconds = left.map(|left| left / rate(now)).filter(|seconds| seconds.is_finite());
    json!({
        "event": "progress",
        "elapsed_ms": now.elapsed.as_secs_f64() * 1e3,
        "bytes": there,
        "wanted_bytes": now.wanted_bytes,
        "bytes_per_second": rate(now),
        "left_ms": seconds.map(|seconds| seconds * 1e3),
        "in_flight": now.in_flight,
        "segments": now.segments,
        "retries": now.retries,
        "throttles": now.throttles,
        "hedges": now.hedges,
    })
}

/// Bytes per second since the beginning.
fn rate(now: &Snapshot) -> f64 {
    now.bytes as f64 / now.elapsed.as_secs_f64().max(1e-9)
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
    remarks
}

/// What an earlier download has left for this one.
fn resumed(now: &Snapshot) -> String {
    match now.resumed_bytes {
        0 => String::new(),
        there => format!(", {} were there", BinaryBytes(there)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{InMemoryTerm, TermLike};
    use invoker::Progress;

    const GIB: u64 = 1 << 30;

    /// A terminal, and a bar on it.
    fn bar(columns: u16) -> (InMemoryTerm, ProgressBar) {
        let terminal = InMemoryTerm::new(5, columns);
        let target = terminal::narrower(terminal.clone());
        (terminal, ProgressBar::with_draw_target(None, target))
    }

    /// A busy moment.
    fn busy() -> Snapshot {
        let mut now = Progress::default().snapshot();
        now.elapsed = Duration::from_secs(100);
        now.wanted_bytes = Some(900 * GIB);
        now.bytes = 123 * GIB;
        (now.in_flight, now.retries, now.throttles) = (100, 99, 99);
        now
    }

    #[test]
    fn the_bar_is_one_line_of_80_columns_and_leaves_nothing() {
        let (terminal, bar) = bar(80);
        let mut now = busy();
        for _ in 0..5 {
            now.bytes += 100 * GIB;
            draw(&bar, &now);
            bar.tick();
            let shown = terminal.contents();
            assert_eq!(shown.lines().count(), 1, "{shown}");
            assert!(shown.trim_end().chars().count() <= 77, "{shown:?}");
            for words in ["% ", "/900.00 GiB", "/s", " left, 100 in flight, 198 repeated"] {
                assert!(shown.contains(words), "no {words} in {shown}");
            }
        }
        // As a terminal does by itself at Ctrl-C.
        terminal.write_str("^C").unwrap();
        bar.finish_and_clear();
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn without_a_size_there_is_a_count() {
        let (terminal, bar) = bar(80);
        let mut now = busy();
        (now.wanted_bytes, now.retries, now.throttles) = (None, 0, 0);
        draw(&bar, &now);
        bar.tick();
        let shown = terminal.contents();
        assert!(shown.contains("123.00 GiB ") && shown.contains("100 in flight"), "{shown}");
        assert!(!shown.contains('%') && !shown.contains("left") && !shown.contains("repeated"));
    }

    #[test]
    fn the_last_line_of_a_resumed_download_fits_80_columns() {
        let verified = Integrity::Verified { algorithm: "CRC-64/NVME" };
        let mut now = busy();
        (now.segments, now.in_flight_max) = (184_320, 100);
        let line = |what: &str, now: &Snapshot, integrity: &Integrity| {
            last_line(what, now, " of 120.00 GiB as zstd", integrity)
        };
        let long = line("data.parquet", &now, &verified);
        assert!(long.contains("184320 segments, 100 at once") && long.contains("by CRC-64/NVME"));
        now.resumed_bytes = 700 * GIB;
        for what in ["x", "60MiB", "data.parquet", "2026/11/21/data.parquet"] {
            let line = line(what, &now, &verified);
            assert!(line.chars().count() <= COLUMNS, "{line}");
            assert!(line.starts_with(&format!("{what}: 823.00 GiB in 100.00 s")), "{line}");
            assert!(
                line.contains(", 700.00 GiB were there") && line.contains("; verified"),
                "{line}"
            );
        }
        (now.segments, now.retries, now.throttles) = (1, 0, 0);
        (now.bytes, now.resumed_bytes, now.elapsed) = (30 << 20, 30 << 20, Duration::from_secs(2));
        let short = last_line("60MiB", &now, "", &verified);
        assert_eq!(
            short,
            "60MiB: 60.00 MiB in 2.00 s, 30.00 MiB were there; verified by CRC-64/NVME"
        );
    }
}
