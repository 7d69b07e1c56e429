//! An `Accept-Encoding` comes in; which encoding is the best for it goes out (RFC 9110 section 12.5.3).

use super::{Encoding, PREFERRED};

/// A weight in thousandths: three digits are all that one may have (section 12.4.2).
type Weight = u16;

const FULL: Weight = 1_000;

/// What a caller accepts; without a word of it, nothing but plain bytes.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    listed: Vec<(String, Weight)>,
}

impl Accepted {
    /// An element that is malformed is passed over.
    pub(super) fn parse(accept_encoding: &str) -> Self {
        Self { listed: accept_encoding.split(',').filter_map(element).collect() }
    }

    /// The encoding with the greatest weight, of equal ones the preferred; `None` if plain bytes are
    /// wanted more, or no encoding at all.
    pub(super) fn best(&self) -> Option<Encoding> {
        let weight = |encoding: &Encoding| {
            let named = self.weight(encoding.name());
            // Its old name (section 8.4.1.3).
            let named =
                named.or_else(|| (*encoding == Encoding::Gzip).then(|| self.weight("x-gzip"))?);
            named.or_else(|| self.weight("*")).unwrap_or(0)
        };
        let best = PREFERRED.iter().map(weight).max().filter(|&weight| weight > 0)?;
        match self.weight("identity") {
            Some(plain) if plain > best => None,
            _ => PREFERRED.into_iter().find(|encoding| weight(encoding) == best),
        }
    }

    /// Whether plain bytes are not acceptable.
    pub(super) fn refuses_plain(&self) -> bool {
        self.weight("identity").or_else(|| self.weight("*")) == Some(0)
    }

    fn weight(&self, name: &str) -> Option<Weight> {
        self.listed.iter().find(|(listed, _)| listed == name).map(|&(_, weight)| weight)
    }
}

/// `NAME`, or `NAME;q=WEIGHT`.
fn element(text: &str) -> Option<(String, Weight)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = match parts.next() {
        None => FULL,
        Some(parameter) => weight(parameter)?,
    };
    Some((name.to_ascii_lowercase(), weight))
}

fn weight(parameter: &str) -> Option<Weight> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim_end().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, thousandths) = value.trim_start().split_once('.').unwrap_or((value.trim(), ""));
    let digits = thousandths.len() <= 3 && thousandths.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths: Weight = format!("{thousandths:0<3}").parse().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_is_accepted() {
        let (zstd, brotli, gzip) =
            (Some(Encoding::Zstd), Some(Encoding::Brotli), Some(Encoding::Gzip));
        for (accept, best) in [
            ("", None),
            ("identity", None),
            ("deflate, compress", None),
            ("gzip", gzip),
            ("GZip", gzip),
            ("x-gzip", gzip),
            ("br", brotli),
            ("zstd", zstd),
            ("gzip, deflate, br", brotli),
            ("gzip, deflate, br, zstd", zstd),
            ("gzip;q=1.0, br;q=0.9, zstd;q=0.8", gzip),
            ("gzip;q=0.5, br;q=0.501", brotli),
            ("zstd;q=0, gzip;q=0.001", gzip),
            ("zstd;q=0.000", None),
            ("*", zstd),
            ("*;q=0", None),
            ("*;q=0, gzip", gzip),
            ("zstd;q=0, *", brotli),
            ("gzip, *;q=0.1", gzip),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=0.5, identity;q=0.5", gzip),
            ("gzip, identity;q=0", gzip),
            ("identity;q=0", None),
            (" gzip ; q = 0.5 ,, br;Q=0.4", gzip),
            ("gzip;q=2, br;q=0.1", brotli),
            ("gzip;q=0.1234, br;q=-1, zstd;q=", None),
            ("gzip;level=9", None),
            ("gzip;q=1.001", None),
            ("gzip;q=0.+5", None),
        ] {
            assert_eq!(Accepted::parse(accept).best(), best, "{accept:?}");
        }
    }

    #[test]
    fn plain_bytes_may_be_refused() {
        for (accept, refused) in [
            ("", false),
            ("gzip", false),
            ("*", false),
            ("identity;q=0", true),
            ("*;q=0", true),
            ("*;q=0, identity", false),
            ("gzip, *;q=0", true),
        ] {
            assert_eq!(Accepted::parse(accept).refuses_plain(), refused, "{accept:?}");
        }
        assert!(!Accepted::default().refuses_plain());
    }
}
