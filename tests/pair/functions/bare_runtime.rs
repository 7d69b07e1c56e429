//! A function on an unmodified `lambda_runtime` whose stream fails: in, any event; out, a few rows, and
//! then an error, in the way that runtime has for it.

use futures_util::stream;
use lambda_runtime::streaming::Response;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: LambdaEvent<serde_json::Value>| {
        let rows = [Ok("row 1\n"), Ok("row 2\n"), Err(Error::from("the disk is gone"))];
        Ok::<_, Error>(Response::from(stream::iter(rows)))
    }))
    .await
}
