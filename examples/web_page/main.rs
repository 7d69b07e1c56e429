//! The function behind a web page: HTTP requests come in; rows as NDJSON and tokens as Server-Sent Events go
//! out while they are made, each with a last word that says how many there were and what their sum is.
//!
//! README.md beside this file says how to see the page. Without it, once the gateway runs:
//!
//! ```sh
//! curl -N 'http://127.0.0.1:8080/rows?count=5&delay_ms=300'
//! curl -N 'http://127.0.0.1:8080/tokens?count=20&delay_ms=100&fail_at=10'
//! ```

mod gate;

mod course;

mod reading;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use course::{Course, Parameters};
use futures_util::stream;
use reading::Reading;
use serde_json::json;
use stream_fn::{BoxError, Event, Failure, Request, Response};
use tokio::io::{AsyncWriteExt, BufWriter};

/// The longest table: more than anybody reads, and still memory that a browser has.
const ROWS_MAX: u32 = 1_000_000;

const TOKENS_MAX: u32 = 100_000;

/// How much the page can expect, before it has it all.
const TOTAL: &str = "x-total-count";

/// Rows that need no waiting leave together, in bytes.
const BATCH_BYTES: usize = 32 * 1024;

const ANSWER: &str = "A function may answer with more than it can hold, if it says each word when it \
                      has it. Whoever reads on has the first word long before the last is found, and \
                      an answer that breaks off is never taken for a whole one. ";

#[tokio::main]
async fn main() -> Result<(), stream_fn::Error> {
    let router = Router::new()
        .route("/", get(|| async { Redirect::temporary("/index.html") }))
        .route("/rows", get(rows))
        .route("/tokens", get(tokens));
    stream_fn::run_http(router).await
}

async fn rows(
    Query(parameters): Query<Parameters>,
    Extension(request): Extension<Arc<Request>>,
) -> Result<impl IntoResponse, Refusal> {
    let count = parameters.count(ROWS_MAX)?;
    let mut course = Course::new(parameters);
    let response = Response::writer(move |writer| async move {
        let mut writer = BufWriter::with_capacity(BATCH_BYTES, writer);
        let mut sum = crc32fast::Hasher::new();
        let mut line = Vec::new();
        for number in 0..count {
            line.clear();
            serde_json::to_writer(&mut line, &Reading::of(number))?;
            line.push(b'\n');
            // The sum is that of all rows, those too that the page already has.
            sum.update(&line);
            if !course.is_asked(number) {
                continue;
            }
            if course.pauses(number) {
                writer.flush().await?;
            }
            course.pass(number).await?;
            writer.write_all(&line).await?;
        }
        let end = json!({"end": {"count": count, "crc32": hexadecimal(sum)}});
        writer.write_all(format!("{end}\n").as_bytes()).await?;
        writer.flush().await?;
        Ok::<(), BoxError>(())
    });
    let response = response.content_type("application/x-ndjson").header(TOTAL, &count.to_string());
    Ok(request.answer(response).await?)
}

async fn tokens(
    Query(mut parameters): Query<Parameters>,
    headers: HeaderMap,
    Extension(request): Extension<Arc<Request>>,
) -> Result<impl IntoResponse, Refusal> {
    let count = parameters.count(TOKENS_MAX)?;
    // What a reader of events says that it saw last (HTML standard, "Server-sent events").
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u32>().ok());
    parameters.from = last.map_or(0, |last| last.saturating_add(1)).min(count);
    let words: Vec<&str> = ANSWER.split_inclusive(' ').collect();
    let word = move |number: u32| words[number as usize % words.len()];
    let mut sum = crc32fast::Hasher::new();
    for number in 0..parameters.from {
        sum.update(word(number).as_bytes());
    }
    let begin = (parameters.from, Course::new(parameters), sum);
    let events = stream::try_unfold(begin, move |(number, mut course, mut sum)| {
        let word = (number < count).then(|| word(number));
        async move {
            let event = match word {
                Some(word) => {
                    course.pass(number).await?;
                    sum.update(word.as_bytes());
                    Event::data(word).event("token").id(number.to_string())
                }
                None if number == count => {
                    let end = json!({"count": count, "crc32": hexadecimal(sum.clone())});
                    Event::data(end.to_string()).event("end")
                }
                None => return Ok::<_, BoxError>(None),
            };
            Ok(Some((event, (number + 1, course, sum))))
        }
    });
    let response = Response::events(events).header(TOTAL, &count.to_string());
    Ok(request.answer(response).await?)
}

fn hexadecimal(sum: crc32fast::Hasher) -> String {
    format!("{:08x}", sum.finalize())
}

/// Why there is no answer: what was asked is too much, or the answer cannot be begun.
struct Refusal(StatusCode, String);

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, failure.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        (self.0, axum::Json(json!({"message": self.1}))).into_response()
    }
}
