//! What was measured comes in, work by work and client by client; Markdown tables, a picture and the
//! comparison with the project's own bars go out. Every number stands beside its ratio to that of the
//! bare Rust SDK loop in the same run.

use std::fmt::Write as _;

use crate::chart::{Bar, Panel};
use crate::clients::Client;
use crate::process::{Cost, median};

const MIB: f64 = 1024.0 * 1024.0;
const GIB: f64 = 1024.0 * MIB;

/// Below this, in bytes, the start of the process is most of its CPU time, and a time per GiB would
/// say nothing about bytes.
const PER_GIB_FROM: u64 = 6_000_000;

/// One work that clients do.
pub(crate) struct Work {
    pub(crate) title: String,
    pub(crate) bytes: u64,
    pub(crate) rows: Vec<(Client, Row)>,
}

pub(crate) enum Row {
    Measured(Vec<(Cost, Option<f64>)>),
    /// Why there is nothing.
    Left(&'static str),
}

/// The medians of one client's runs.
#[derive(Clone, Copy)]
pub(crate) struct Medians {
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) peak_bytes: f64,
    pub(crate) ttfb_ms: Option<f64>,
}

impl Work {
    pub(crate) fn medians(&self, client: Client) -> Option<Medians> {
        let (_, row) = self.rows.iter().find(|(row, _)| *row == client)?;
        let Row::Measured(runs) = row else { return None };
        let of =
            |value: fn(&Cost) -> f64| median(runs.iter().map(|(cost, _)| value(cost)).collect());
        let first: Vec<f64> = runs.iter().filter_map(|(_, ttfb)| *ttfb).collect();
        Some(Medians {
            wall_s: of(|cost| cost.wall_s),
            cpu_s: of(|cost| cost.cpu_s),
            peak_bytes: of(|cost| cost.peak_bytes as f64),
            ttfb_ms: (!first.is_empty()).then(|| median(first)),
        })
    }

    fn cpu(&self, cpu_s: f64) -> String {
        if self.bytes < PER_GIB_FROM {
            return format!("{:.0} ms", cpu_s * 1e3);
        }
        format!("{:.2} s/GiB", cpu_s * GIB / self.bytes as f64)
    }

    /// A Markdown table.
    pub(crate) fn table(&self) -> String {
        let mut table = format!(
            "### {}\n\n| client | wall time | CPU | peak memory | first byte |\n|---|---|---|---|---|\n",
            self.title
        );
        let one = self.medians(Client::RustSdk);
        for (client, row) in &self.rows {
            let name = client.name();
            let line = match (row, self.medians(*client)) {
                (Row::Left(why), _) => format!("| {name} | {why} | | | |"),
                (_, None) => continue,
                (_, Some(m)) => {
                    let ratio = |own: f64, other: fn(&Medians) -> Option<f64>| {
                        let other = one.as_ref().and_then(other);
                        other.map_or(String::new(), |other| format!(" ({:.2})", own / other))
                    };
                    format!(
                        "| {name} | {}{} | {}{} | {:.1} MiB{} | {} |",
                        time(m.wall_s),
                        ratio(m.wall_s, |m| Some(m.wall_s)),
                        self.cpu(m.cpu_s),
                        ratio(m.cpu_s, |m| Some(m.cpu_s)),
                        m.peak_bytes / MIB,
                        ratio(m.peak_bytes, |m| Some(m.peak_bytes)),
                        m.ttfb_ms.map_or("?".into(), |ms| {
                            format!("{ms:.1} ms{}", ratio(ms, |m| m.ttfb_ms))
                        }),
                    )
                }
            };
            let _ = writeln!(table, "{line}");
        }
        table
    }

    /// Bars of the CPU time per GiB.
    pub(crate) fn cpu_panel(&self) -> Panel {
        let scale = GIB / self.bytes as f64;
        self.panel("CPU seconds per GiB", |m| m.cpu_s * scale, |value| format!("{value:.2}"))
    }

    /// Bars of the wall time.
    pub(crate) fn wall_panel(&self) -> Panel {
        self.panel("wall time", |m| m.wall_s, time)
    }

    fn panel(
        &self,
        what: &str,
        value: impl Fn(&Medians) -> f64,
        words: impl Fn(f64) -> String,
    ) -> Panel {
        let bars = self.rows.iter().filter_map(|(client, _)| {
            let value = value(&self.medians(*client)?);
            let ours = matches!(client, Client::OurStream | Client::OurSegments | Client::OurFile);
            Some(Bar { name: client.name().into(), value, words: words(value), ours })
        });
        Panel { title: format!("{}: {what}", self.title), bars: bars.collect() }
    }
}

pub(crate) fn time(seconds: f64) -> String {
    if seconds < 0.1 {
        return format!("{:.1} ms", seconds * 1e3);
    }
    format!("{seconds:.2} s")
}

pub(crate) fn mib(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / MIB)
}

/// A number that the project sets itself, and what this run says.
pub(crate) struct Bound {
    pub(crate) what: String,
    pub(crate) bound: String,
    pub(crate) found: Option<f64>,
    pub(crate) holds: fn(f64, f64) -> bool,
    pub(crate) limit: f64,
}

/// Our bars, and whether this run is within them.
pub(crate) fn bounds(bounds: &[Bound]) -> String {
    let mut table = String::from("| what | wanted | this run | |\n|---|---|---|---|\n");
    for Bound { what, bound, found, holds, limit } in bounds {
        let (found, verdict) = match found {
            None => ("not measured".into(), ""),
            Some(found) if holds(*found, *limit) => (format!("{found:.2}"), "yes"),
            Some(found) => (format!("{found:.2}"), "**no**"),
        };
        let _ = writeln!(table, "| {what} | {bound} | {found} | {verdict} |");
    }
    table
}
