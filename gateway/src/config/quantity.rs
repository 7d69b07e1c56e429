//! Times and sizes as people write them come in, such as `30s` or `6MB`; numbers go out.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

/// The longest time, in seconds: a year. Clocks have no room for all that can be written.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Of time: `250ms`, `30s`, `15m`. A number without a unit is refused: of what?
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let Written(text) = Written::deserialize(from)?;
    let parsed = humantime::parse_duration(&text);
    let duration = parsed
        .map_err(|_| de::Error::custom(format!("{text:?} is no time: write 250ms, 30s or 15m")))?;
    if duration.is_zero() {
        return Err(de::Error::custom("no time at all: leave the line out for the default"));
    }
    if duration > LONGEST {
        return Err(de::Error::custom(format!("{text:?} is too long: a year (365d) at most")));
    }
    Ok(Some(duration))
}

/// A text, or word of what to write in its place.
struct Written(String);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time with its unit, such as \"30s\"")
            }

            fn visit_str<E>(self, text: &str) -> Result<Written, E> {
                Ok(Written(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Written, E> {
                Err(E::custom(format!("{number} of what? write \"{number}s\" for seconds")))
            }
        }
        from.deserialize_any(Text)
    }
}

/// Of bytes: `64KiB`, `6MB`, or a plain number of bytes.
pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a size: 64KiB, 6MB or 1048576")
        }

        fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<u64, E> {
            u64::try_from(bytes).map_err(|_| E::custom(format!("{bytes} is no size")))
        }

        fn visit_u64<E>(self, bytes: u64) -> Result<u64, E> {
            Ok(bytes)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            let size = text.parse::<ByteSize>().map(|size| size.as_u64());
            size.map_err(|_| E::custom(format!("{text:?} is no size: write 64KiB, 6MB or 1048576")))
        }
    }
    from.deserialize_any(Bytes).map(Some)
}
