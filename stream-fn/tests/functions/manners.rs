//! An order for good or bad manners comes in; an answer of that kind goes out.

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use std::io;
use std::task::Poll;
use stream_fn::{BoxError, Event, Failure, Metadata, Object, Request, Response, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Deserialize)]
struct Order {
    case: String,
    /// Where to ask whether to go on.
    gate: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    stream_fn::run(handle).await
}

async fn handle(request: Request) -> Result<Response, BoxError> {
    let order: Order = request.payload()?;
    let one = || stream::iter([Ok::<_, BoxError>("one")]);
    let gate = order.gate.unwrap_or_default();
    Ok(match order.case.as_str() {
        "stream" => Response::stream(stream::iter([Ok::<_, BoxError>("one"), Ok("two")])),
        "stream-error" => {
            let failed = Err(Failure::new("Boom", "in\r\nmid stream").into());
            Response::stream(one().chain(stream::iter([failed, Ok("after")])))
        }
        "stream-panic" => {
            let panic = stream::poll_fn(|_| -> Poll<Option<Result<&str, BoxError>>> {
                panic!("on purpose")
            });
            Response::stream(one().chain(panic))
        }
        "writer" => Response::writer(|mut writer| async move {
            for _ in 0..3 {
                writer.write_all(b"row\n").await?;
                tokio::task::yield_now().await;
            }
            io::Result::Ok(())
        }),
        "blocking-writer" => Response::blocking_writer(|writer| {
            use std::io::Write as _;
            (0..3).try_for_each(|_| writer.write_all(b"row\n"))
        }),
        "blocking-writer-error" => Response::blocking_writer(|writer| {
            std::io::Write::write_all(writer, b"one")?;
            Err::<(), io::Error>(io::Error::other(Failure::new("Quota", "no more")))
        }),
        "lost-writer" => Response::writer(|mut writer| async move {
            writer.write_all(b"one").await?;
            tokio::spawn(async move { drop(writer) }).await.map_err(io::Error::other)
        }),
        "events" => {
            let beat = std::time::Duration::from_millis(1);
            let last = stream::once(async move { pass(&gate).await.map(|()| Event::data("last")) });
            let first = stream::iter([Ok(Event::data("first").id("1"))]);
            Response::events_with_heartbeat(first.chain(last), beat)
        }
        "writer-error" => Response::writer(|mut writer| async move {
            writer.write_all(b"one").await?;
            Err::<(), io::Error>(io::Error::other(Failure::new("Quota", "no more")))
        }),
        "writer-panic" => Response::writer(|mut writer| async move {
            writer.write_all(b"one").await?;
            tokio::task::yield_now().await;
            fall()
        }),
        "short" => Response::stream(one()).content_length(4),
        "long" => Response::stream(one()).content_length(2),
        "short-object" => {
            let metadata = Metadata::new(10, Version::new("v").ok_or("no version")?);
            Response::object(Object::new(metadata, |_| stream::iter([Ok("one".into())]).boxed()))
        }
        "error" => return Err(io::Error::other("handler failed").into()),
        "typed-error" => return Err(Failure::new("Function.NoSuchTable", "gone").into()),
        "panic" => panic!("on purpose"),
        "value" => Response::value(&json!({"id": request.request_id()})),

        "too-large-head" => Response::stream(one()).header("x", &"y".repeat(16_000)),
        "gated" => Response::stream(one().chain(stream::once(async move {
            pass(&gate).await?;
            Ok("two")
        }))),
        "gated-first" => Response::stream(stream::once(async move {
            pass(&gate).await?;
            Ok::<_, BoxError>("late")
        })),
        "endless" => Response::stream(stream::repeat_with(|| Ok::<_, BoxError>(vec![1; 65_536]))),
        "stuck" => Response::stream(one().chain(stream::pending())),
        "stuck-handler" => std::future::pending().await,
        other => return Err(format!("no case {other}").into()),
    })
}

fn fall() -> io::Result<()> {
    panic!("on purpose")
}

/// Waits for a word from the test.
async fn pass(gate: &str) -> io::Result<()> {
    TcpStream::connect(gate).await?.read_u8().await.map(|_| ())
}
