//! The number of a row comes in; the row goes out, always the same for one number.

use serde::Serialize;

const STATIONS: [&str; 8] =
    ["Bodø", "Göteborg", "Helsinki", "København", "Reykjavík", "Tórshavn", "Tromsø", "Örebro"];

/// Odd, so that every number has a product of its own: 2^64 over the golden ratio (D. Knuth, "The Art of
/// Computer Programming", volume 3, section 6.4).
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// One row of the table.
#[derive(Serialize)]
pub(crate) struct Reading {
    row: u32,
    station: &'static str,
    /// In tenths from -20.0 to 19.9.
    celsius: f64,
    /// Metres per second, in tenths from 0.0 to 29.9.
    wind: f64,
}

impl Reading {
    pub(crate) fn of(number: u32) -> Self {
        let mixed = u64::from(number).wrapping_add(1).wrapping_mul(FACTOR) >> 16;
        let tenths = |bits: u64, of: u64| f64::from((bits % of) as u32);
        Self {
            row: number,
            station: STATIONS[(mixed % STATIONS.len() as u64) as usize],
            celsius: (tenths(mixed >> 8, 400) - 200.0) / 10.0,
            wind: tenths(mixed >> 24, 300) / 10.0,
        }
    }
}
