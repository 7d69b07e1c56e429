//! The payload of a call: in, the body of a request; out, all of its bytes, or the refusal of one that
//! is too large. No more than the limit is ever held.

use crate::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::timeout;

/// How much of a payload above the limit is read and thrown away, so that its sender gets to read the
/// refusal: closing on a sender who still writes can destroy it on the way.
const DISCARD_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long that may take.
const DISCARD_PATIENCE: Duration = Duration::from_secs(10);

/// The payload, or the refusal. Never holds more than the limit.
pub(crate) async fn read(mut body: Incoming, limit: Option<u64>) -> Result<Bytes, Refusal> {
    let limit = limit.unwrap_or(u64::MAX);
    if body.size_hint().lower() > limit {
        return discard(body, limit).await;
    }
    let mut payload = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The caller left, so nobody will read this.
        let frame = frame.map_err(|_| Refusal::BadPayload("The request body was cut.".into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if (payload.len() + data.len()) as u64 > limit {
            drop(payload);
            return discard(body, limit).await;
        }
        payload.extend_from_slice(&data);
    }
    Ok(payload.freeze())
}

async fn discard(mut body: Incoming, limit: u64) -> Result<Bytes, Refusal> {
    let read_on = async {
        let mut discarded = 0;
        while let Some(Ok(frame)) = body.frame().await {
            discarded += frame.data_ref().map_or(0, |data| data.len() as u64);
            if discarded > DISCARD_BYTES_MAX {
                break;
            }
        }
    };
    // Whether it came to its end or not, the answer is the same.
    let _ = timeout(DISCARD_PATIENCE, read_on).await;
    Err(Refusal::TooLarge { limit })
}
