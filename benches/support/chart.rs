//! Named numbers come in; a picture of bars goes out, as SVG: panels below one another, each with its
//! own scale from zero, the number beside each bar.

use std::fmt::Write as _;

/// All in pixels.
const WIDTH: u32 = 760;
const NAMES_WIDTH: u32 = 230;
const NUMBERS_WIDTH: u32 = 110;
const BAR: u32 = 16;
const STEP: u32 = 22;
const TITLE: u32 = 34;
const BETWEEN: u32 = 14;

/// One scale.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// The value as it is written.
    pub(crate) words: String,
    /// Whether it is one of ours.
    pub(crate) ours: bool,
}

/// The picture.
pub(crate) fn svg(panels: &[Panel]) -> String {
    let height: u32 =
        panels.iter().map(|p| TITLE + p.bars.len() as u32 * STEP + BETWEEN).sum::<u32>() + BETWEEN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let mut y = BETWEEN;
    for panel in panels {
        let title = escaped(&panel.title);
        let _ = writeln!(
            svg,
            "<text x=\"{BETWEEN}\" y=\"{}\" font-weight=\"bold\">{title}</text>",
            y + 18
        );
        y += TITLE;
        let most = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for bar in &panel.bars {
            let room = f64::from(WIDTH - NAMES_WIDTH - NUMBERS_WIDTH);
            let length = (bar.value / most * room).max(1.0);
            let (text_y, name) = (y + 13, escaped(&bar.name));
            let color = if bar.ours { "#1f6f8b" } else { "#b4b9bd" };
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{text_y}\" text-anchor=\"end\">{name}</text>\
                 <rect x=\"{NAMES_WIDTH}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" \
                 fill=\"{color}\"/><text x=\"{:.1}\" y=\"{text_y}\">{}</text>",
                NAMES_WIDTH - 8,
                f64::from(NAMES_WIDTH) + length + 6.0,
                escaped(&bar.words)
            );
            y += STEP;
        }
        y += BETWEEN;
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('`', "")
}
