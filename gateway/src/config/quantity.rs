//! Times and sizes as people write them come in, such as `30s` or `6MB`; numbers go out.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de};

/// Of time: `250ms`, `30s`, `15m`. A number without a unit is refused: of what?
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let parsed = humantime::parse_duration(&text);
    let duration = parsed
        .map_err(|_| de::Error::custom(format!("{text:?} is no time: write 250ms, 30s or 15m")))?;
    if duration.is_zero() {
        return Err(de::Error::custom("no time at all: leave the line out for the default"));
    }
    Ok(Some(duration))
}

/// Of bytes: `64KiB`, `6MB`, or a plain number of bytes.
pub(super) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    match Written::deserialize(from)? {
        Written::Number(bytes) => Ok(Some(bytes)),
        Written::Text(text) => match text.parse::<ByteSize>() {
            Ok(size) => Ok(Some(size.as_u64())),
            Err(_) => {
                Err(de::Error::custom(format!("{text:?} is no size: write 64KiB, 6MB or 1048576")))
            }
        },
    }
}
