//! An event comes in; the same event goes out, as the body of a streamed answer.

use stream_fn::{BoxError, Request, Response};

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    stream_fn::run(|request: Request| async move {
        let event: serde_json::Value = serde_json::from_slice(request.raw_payload())?;
        Ok::<_, BoxError>(Response::json(&event))
    })
    .await
}
