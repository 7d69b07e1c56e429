//! What was measured goes in; an SVG comes out that a person would rather look at: bytes over time,
//! and the rate over time, of both ways.

mod scale;

use std::fmt::Write;

use super::comparison::{Measured, typical};
use super::measure::Run;
use super::summary;
use scale::{Linear, Log};

/// Of the drawing and of each panel, in pixels.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 640.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 928.0;
const BYTES_PANEL: Panel = Panel { top: 124.0, bottom: 360.0 };
const RATE_PANEL: Panel = Panel { top: 410.0, bottom: 576.0 };
/// Two points of a line are drawn apart if they are this far apart, in pixels.
const APART: f64 = 0.5;
/// Rates are averaged over as many parts of a run.
const RATE_WINDOWS: usize = 40;
/// Ticks of an axis, about.
const TICKS: f64 = 6.0;
const MIB: f64 = 1024.0 * 1024.0;

/// Colours for light and for dark grounds; the two lines have the same on both, and differ in
/// lightness too, for those who do not tell the colours apart.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}
.title{font-size:19px;font-weight:600}
.soft{fill:#59636e}
.ground{fill:#ffffff}
.grid{stroke:#d1d9e0;stroke-width:1;fill:none}
.axis{stroke:#59636e;stroke-width:1;fill:none}
.line{fill:none;stroke-width:2.25;stroke-linejoin:round}
.other{stroke-width:1;stroke-opacity:.4}
.one{stroke:#e8590c}
.many{stroke:#1c7ed6}
.one-mark{fill:#e8590c}
.many-mark{fill:#1c7ed6}
.ring{fill:none;stroke:#e8590c;stroke-width:2}
.over{paint-order:stroke;stroke:#ffffff;stroke-width:5;stroke-linejoin:round}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
.soft{fill:#9198a1}
.ground{fill:#0d1117}
.over{stroke:#0d1117}
.grid{stroke:#2b323b}
.axis{stroke:#9198a1}
}";

/// A part of the drawing with axes of its own.
#[derive(Clone, Copy)]
struct Panel {
    top: f64,
    bottom: f64,
}

/// The drawing, whole and on its own.
pub(super) fn svg(title: &str, measured: &Measured) -> String {
    let runs = || measured.one_stream.iter().chain(&measured.segments);
    let longest = runs().map(|run| run.seconds).fold(0.0, f64::max);
    let largest = runs().map(|run| run.bytes() as f64).fold(0.0, f64::max) / MIB;
    let time = Linear::to(longest, LEFT..RIGHT);
    let bytes = Linear::to(largest, BYTES_PANEL.bottom..BYTES_PANEL.top);
    let rates = runs().flat_map(|run| run.curve.rates(RATE_WINDOWS)).map(|(_, rate)| rate / MIB);
    let rate = Log::around(rates, RATE_PANEL.bottom..RATE_PANEL.top);

    let mut drawing = Drawing::default();
    drawing.begin(title);
    drawing.text("title", 24.0, 38.0, "start", title);
    drawing.legend(measured);
    drawing.panel(BYTES_PANEL, "MiB received", &time, &bytes.ticks());
    drawing.panel(RATE_PANEL, "MiB/s, logarithmic", &time, &rate.ticks());
    drawing.text("soft", (LEFT + RIGHT) / 2.0, HEIGHT - 16.0, "middle", "seconds since the call");

    for (class, runs) in [("one", &measured.one_stream), ("many", &measured.segments)] {
        let shown = typical(runs);
        // The one that stands for the others is drawn last, above them.
        let is_shown = |run: &&Run| shown.is_some_and(|shown| std::ptr::eq(*run, shown));
        let others = runs.iter().filter(|run| !is_shown(run)).map(|run| (run, " other"));
        for (run, other) in others.chain(shown.map(|run| (run, ""))) {
            let class = format!("line {class}{other}");
            drawing.line(&class, bytes_points(run, &time, &bytes));
            drawing.line(&class, rate_points(run, &time, &rate));
        }
    }
    drawing.knee(measured, &time, &bytes);
    drawing.out.push_str("</svg>\n");
    drawing.out
}

fn bytes_points(run: &Run, time: &Linear, bytes: &Linear) -> Vec<(f64, f64)> {
    let mut points = vec![(time.place(0.0), bytes.place(0.0))];
    for &(seconds, reached) in run.curve.points() {
        let (x, y) = (time.place(seconds), bytes.place(reached as f64 / MIB));
        // Nothing arrived in between.
        let level = points.last().map_or(y, |last| last.1);
        points.push((x, level));
        points.push((x, y));
    }
    points
}

/// A step for each part of the run in which anything arrived.
fn rate_points(run: &Run, time: &Linear, rate: &Log) -> Vec<(f64, f64)> {
    let width = run.curve.end().0 / RATE_WINDOWS as f64;
    let rates = run.curve.rates(RATE_WINDOWS).into_iter().filter(|(_, rate)| *rate > 0.0);
    rates
        .flat_map(|(begin, of)| {
            let y = rate.place(of / MIB);
            [(time.place(begin), y), (time.place(begin + width), y)]
        })
        .collect()
}

#[derive(Default)]
struct Drawing {
    out: String,
}

/// Writing into a `String` cannot fail.
macro_rules! draw {
    ($drawing:expr, $($form:tt)*) => {
        let _ = writeln!($drawing.out, $($form)*);
    };
}

impl Drawing {
    fn begin(&mut self, title: &str) {
        draw!(
            self,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">"
        );
        draw!(self, "<title>{}</title>", escaped(title));
        draw!(self, "<style>{STYLE}</style>");
        draw!(self, "<rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>");
    }

    fn text(&mut self, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
        let text = escaped(text);
        draw!(
            self,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    /// What the two lines are, in the numbers that count.
    fn legend(&mut self, measured: &Measured) {
        let mut y = 66.0;
        for (class, runs) in [("one", &measured.one_stream), ("many", &measured.segments)] {
            let Some(run) = typical(runs) else { continue };
            let name = match (class, run.snapshot.segments) {
                ("one", _) | (_, 0 | 1) => "One stream".to_owned(),
                (_, segments) => {
                    format!("{segments} segments, {} at once", run.snapshot.in_flight_max)
                }
            };
            let mut words = format!("{name}: {}", summary::transfer(run, runs.len()));
            if let ("many", Some((times, projected))) = (class, measured.times_faster()) {
                let about = if projected { "about " } else { "" };
                words.push_str(&format!(" ({about}{times:.0} times faster)"));
            }
            draw!(
                self,
                "<rect class=\"{class}-mark\" x=\"24\" y=\"{:.1}\" width=\"22\" height=\"5\" \
                 rx=\"2\"/>",
                y - 7.0
            );
            self.text("", 56.0, y, "start", &words);
            y += 22.0;
        }
    }

    fn panel(&mut self, panel: Panel, name: &str, time: &Linear, ticks: &[(f64, String)]) {
        let Panel { top, bottom } = panel;
        for (y, label) in ticks {
            draw!(self, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
            self.text("soft", LEFT - 10.0, y + 4.5, "end", label);
        }
        for (x, label) in time.ticks() {
            draw!(self, "<path class=\"axis\" d=\"M{x:.1} {bottom}v5\"/>");
            self.text("soft", x, bottom + 20.0, "middle", &label);
        }
        draw!(self, "<path class=\"axis\" d=\"M{LEFT} {top}V{bottom}H{RIGHT}\"/>");
        self.text("soft", 24.0, top - 10.0, "start", name);
    }

    fn line(&mut self, class: &str, points: Vec<(f64, f64)>) {
        let Some((&(first_x, first_y), rest)) = points.split_first() else { return };
        let mut path = format!("M{first_x:.1} {first_y:.1}");
        let (mut x, mut y) = (first_x, first_y);
        for (index, &(next_x, next_y)) in rest.iter().enumerate() {
            let far = (next_x - x).abs() >= APART || (next_y - y).abs() >= APART;
            if far || index + 1 == rest.len() {
                let _ = write!(path, "L{next_x:.1} {next_y:.1}");
                (x, y) = (next_x, next_y);
            }
        }
        draw!(self, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    fn knee(&mut self, measured: &Measured, time: &Linear, bytes: &Linear) {
        const RADIUS: f64 = 6.0;
        let Some(knee) = typical(&measured.one_stream).and_then(|run| run.knee) else { return };
        let (x, y) = (time.place(knee.at), bytes.place(knee.burst_bytes / MIB));
        draw!(self, "<circle class=\"ring\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{RADIUS}\"/>");
        // Below the line, which rises to the right, above the axis, and beside the steep line of the
        // segments.
        let below = (y + 3.0 * RADIUS).min(BYTES_PANEL.bottom - RADIUS);
        let beside = typical(&measured.segments).map_or(x, |run| time.place(run.seconds));
        let beside = if beside < (LEFT + RIGHT) / 2.0 { beside.max(x) } else { x };
        let words = format!("knee: {}", summary::knee(&knee));
        self.text("over", beside + 3.0 * RADIUS, below, "start", &words);
    }
}

/// Text as XML wants it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // No XML document may have them, in any spelling.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_drawing() {
        assert_eq!(escaped("a<b>&\"c\"\u{1}\n"), "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}\u{fffd}");
        let drawing = svg("<script>&", &Measured::default());
        assert!(drawing.contains("<title>&lt;script&gt;&amp;</title>"), "{drawing}");
        assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{drawing}");
    }
}
