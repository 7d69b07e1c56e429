//! An open file and a range come in; the bytes of the range go out, or an error if they are not those
//! of the file as it was opened.

use super::State;
use crate::error::BoxError;
use crate::failure::Failure;
use crate::source::{ByteStream, READ_BYTES};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use tokio::task::{JoinHandle, spawn_blocking};

/// What is left to read. It travels into each blocking read and comes back with the bytes.
struct Rest {
    file: File,
    state: State,
    range: Range<u64>,
    /// Where in the file its cursor stands, once it has been set.
    placed: bool,
}

type Step = Result<(Bytes, Rest), BoxError>;

/// One read is always under way while the bytes of the one before are on their way out, and no more
/// than one: memory is at most two reads. A body that is dropped leaves at most that one read, which
/// ends by itself.
pub(super) fn range(file: File, state: State, range: Range<u64>) -> ByteStream {
    let rest = Rest { file, state, range, placed: false };
    stream::unfold(Some(start(rest)), |reading| async move {
        let step = match reading?.await {
            Ok(step) => step,
            Err(error) => {
                Err(Failure::new("SourceUnavailable", "a read did not end").because(error).into())
            }
        };
        match step {
            Ok((bytes, rest)) if bytes.is_empty() && rest.range.is_empty() => None,
            Ok((bytes, rest)) => {
                let next = (!rest.range.is_empty()).then(|| start(rest));
                Some((Ok(bytes), next))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

fn start(rest: Rest) -> JoinHandle<Step> {
    spawn_blocking(|| read(rest))
}

fn read(mut rest: Rest) -> Step {
    if !rest.placed {
        rest.file.seek(SeekFrom::Start(rest.range.start)).map_err(unreadable)?;
        rest.placed = true;
    }
    let wanted = (rest.range.end - rest.range.start).min(READ_BYTES as u64);
    let mut bytes = Vec::with_capacity(wanted as usize);
    (&rest.file).take(wanted).read_to_end(&mut bytes).map_err(unreadable)?;
    rest.range.start += bytes.len() as u64;
    if (bytes.len() as u64) < wanted {
        return Err(changed(format!(
            "the object ended at {} of {} bytes",
            rest.range.start, rest.state.size
        )));
    }
    // Looked at before the last bytes leave, because after them nothing can be taken back.
    if rest.range.is_empty() && State::of(&rest.file.metadata().map_err(unreadable)?) != rest.state
    {
        return Err(changed("the object was changed while it was read".to_owned()));
    }
    Ok((bytes.into(), rest))
}

fn changed(message: String) -> BoxError {
    Failure::new("ObjectChanged", message).into()
}

fn unreadable(error: std::io::Error) -> BoxError {
    Failure::new("SourceUnavailable", "a file cannot be read").because(error).into()
}
