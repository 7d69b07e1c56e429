//! The header bytes of one frame go in; names and values come out, without an allocation.

use bytes::Bytes;

/// The headers of one frame, checked once when the frame was decoded.
///
/// They stay encoded; looking one up walks the three or four there are.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers {
    encoded: Bytes,
}

/// The value of a header. Numbers are what the sender wrote; a timestamp is in milliseconds since
/// the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // the names are the types of the specification
pub enum HeaderValue<'a> {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Bytes(&'a [u8]),
    String(&'a str),
    Timestamp(i64),
    Uuid([u8; 16]),
}

/// Why header bytes are not headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// A name or value reaches beyond the headers of its frame.
    #[error("a header reaches beyond the headers of its frame")]
    Overrun,
    /// A name of no bytes.
    #[error("a header has no name")]
    NoName,
    /// A name or a string value that is not UTF-8.
    #[error("a header is not UTF-8")]
    NotUtf8,
    /// A value type that the specification does not have.
    #[error("a header has the unknown value type {0}")]
    UnknownType(u8),
}

impl Headers {
    /// Takes encoded headers after walking through all of them.
    pub(super) fn parse(encoded: Bytes) -> Result<Self, HeaderError> {
        let mut rest: &[u8] = &encoded;
        while !rest.is_empty() {
            read_header(&mut rest)?;
        }
        Ok(Self { encoded })
    }

    /// How long they are, in bytes.
    pub(super) fn len(&self) -> usize {
        self.encoded.len()
    }

    /// As they were sent.
    pub(super) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// The same in memory of their own: these keep the memory of the read that brought them.
    pub(super) fn copied(&self) -> Self {
        Self { encoded: Bytes::copy_from_slice(&self.encoded) }
    }

    /// Names and values in the order they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, HeaderValue<'_>)> {
        let mut rest: &[u8] = &self.encoded;
        std::iter::from_fn(move || {
            // `parse` has walked these bytes before: an error cannot come.
            if rest.is_empty() { None } else { read_header(&mut rest).ok() }
        })
    }

    /// The string value of the header called `name`, if it is there and is a string.
    pub fn string(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(other, value)| match value {
            HeaderValue::String(value) if other == name => Some(value),
            _ => None,
        })
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

fn read_header<'a>(rest: &mut &'a [u8]) -> Result<(&'a str, HeaderValue<'a>), HeaderError> {
    let [name_len] = read_array(rest)?;
    if name_len == 0 {
        return Err(HeaderError::NoName);
    }
    let name = utf8(read_slice(rest, usize::from(name_len))?)?;
    let [kind] = read_array(rest)?;
    let value = match kind {
        0 => HeaderValue::Bool(true),
        1 => HeaderValue::Bool(false),
        2 => HeaderValue::Byte(i8::from_be_bytes(read_array(rest)?)),
        3 => HeaderValue::Short(i16::from_be_bytes(read_array(rest)?)),
        4 => HeaderValue::Int(i32::from_be_bytes(read_array(rest)?)),
        5 => HeaderValue::Long(i64::from_be_bytes(read_array(rest)?)),
        6 => HeaderValue::Bytes(read_counted(rest)?),
        7 => HeaderValue::String(utf8(read_counted(rest)?)?),
        8 => HeaderValue::Timestamp(i64::from_be_bytes(read_array(rest)?)),
        9 => HeaderValue::Uuid(read_array(rest)?),
        other => return Err(HeaderError::UnknownType(other)),
    };
    Ok((name, value))
}

fn read_counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], HeaderError> {
    let len = u16::from_be_bytes(read_array(rest)?);
    read_slice(rest, usize::from(len))
}

fn read_slice<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], HeaderError> {
    let (slice, after) = rest.split_at_checked(len).ok_or(HeaderError::Overrun)?;
    *rest = after;
    Ok(slice)
}

fn read_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], HeaderError> {
    let (array, after) = rest.split_first_chunk::<N>().ok_or(HeaderError::Overrun)?;
    *rest = after;
    Ok(*array)
}

fn utf8(bytes: &[u8]) -> Result<&str, HeaderError> {
    std::str::from_utf8(bytes).map_err(|_| HeaderError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_type_is_read() {
        let table: &[(&[u8], HeaderValue<'_>)] = &[
            (&[0], HeaderValue::Bool(true)),
            (&[1], HeaderValue::Bool(false)),
            (&[2, 0xfe], HeaderValue::Byte(-2)),
            (&[3, 1, 0], HeaderValue::Short(256)),
            (&[4, 0, 1, 0, 0], HeaderValue::Int(65_536)),
            (&[5, 0, 0, 0, 0, 0, 0, 0, 7], HeaderValue::Long(7)),
            (&[6, 0, 2, 9, 8], HeaderValue::Bytes(&[9, 8])),
            (&[7, 0, 2, b'o', b'k'], HeaderValue::String("ok")),
            (&[8, 0, 0, 0, 0, 0, 0, 0, 9], HeaderValue::Timestamp(9)),
            (&[9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], {
                HeaderValue::Uuid([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
            }),
        ];
        for (value, expected) in table {
            let encoded = [&[1, b'n'], *value].concat();
            let headers = Headers::parse(encoded.clone().into()).unwrap();
            assert_eq!(headers.iter().collect::<Vec<_>>(), [("n", *expected)]);
            // Cut anywhere, it is an overrun: never a panic, never a shorter value.
            for len in 1..encoded.len() {
                let cut = Bytes::copy_from_slice(&encoded[..len]);
                assert_eq!(Headers::parse(cut), Err(HeaderError::Overrun), "cut at {len}");
            }
        }
    }

    #[test]
    fn nonsense_is_named() {
        let parse = |bytes: &'static [u8]| Headers::parse(Bytes::from_static(bytes)).unwrap_err();
        assert_eq!(parse(&[0, 0]), HeaderError::NoName);
        assert_eq!(parse(&[1, 0xff, 0]), HeaderError::NotUtf8);
        assert_eq!(parse(&[1, b'n', 7, 0, 1, 0xff]), HeaderError::NotUtf8);
        assert_eq!(parse(&[1, b'n', 10]), HeaderError::UnknownType(10));
    }
}
