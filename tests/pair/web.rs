//! An `axum::Router` as a function comes in; it is fetched by the invoker, and through its Function URL
//! by an HTTP client.

use crate::support::{PATIENCE, Pair, call, example, function_error, in_time, read};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use invoker::Wanted;
use local_lambda::{Function, Limits};
use serde_json::json;

async fn web() -> Pair {
    let function = Function::new("f", example("axum_function")).url(true);
    Pair::of(function, Limits::aws().with_pace(None)).await
}

fn digits(range: std::ops::Range<usize>) -> Vec<u8> {
    range.map(|at| b'0' + (at % 10) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invoker_fetches_a_route_by_segments() {
    let pair = web().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits");
    let download = pair.object("files/digits").segment_size(100_000);
    let report = in_time(download.to_file(&path)).await.unwrap();
    assert!(std::fs::read(&path).unwrap() == digits(0..1_000_000));
    assert!(report.snapshot.segments > 1, "{report:?}");
    let part = pair.object("files/digits").wanted(Wanted::Range(10..25));
    let (bytes, ended) = in_time(read(part)).await;
    ended.unwrap();
    assert_eq!(bytes, digits(10..25));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_a_route_is_a_function_error() {
    let pair = web().await;
    let (bytes, ended) = in_time(read(pair.invoker.download(call(json!({"rows": 10_001}))))).await;
    assert!(bytes.ends_with(b"{\"row\":9999}\n"), "what was sent before it");
    let (error_type, message) = function_error(ended);
    assert_eq!(
        (error_type.as_str(), message.as_str()),
        ("Function.NoMoreRows", "the table has 10000 rows")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_url_has_all_routes() {
    let pair = web().await;
    let url = pair.local.function_url("f").unwrap();
    let base = url.trim_end_matches('/');
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let get = |path: &str, range: Option<&str>| {
        let mut request = Request::get(format!("{base}{path}"));
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let sending = client.request(request.body(Empty::<Bytes>::new()).unwrap());
        async move { tokio::time::timeout(PATIENCE, sending).await.unwrap().unwrap() }
    };
    let text = |response: http::Response<hyper::body::Incoming>| async move {
        let body = in_time(response.into_body().collect()).await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };

    let page = get("/", None).await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(text(page).await.contains("127.0.0.1"));

    let part = get("/files/digits", Some("bytes=999998-")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 999998-999999/1000000");
    assert_eq!(text(part).await, "89");
    assert_eq!(get("/files/others", None).await.status(), StatusCode::NOT_FOUND);

    // Each event is a frame of its own: the first is here before the last is made.
    let mut ticks = get("/ticks", None).await;
    assert_eq!(ticks.headers()["content-type"], "text/event-stream");
    let first = in_time(ticks.body_mut().frame()).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "id: 0\nevent: tick\ndata: 0\n\n");
    assert!(text(ticks).await.ends_with("id: 4\nevent: tick\ndata: 4\n\n"));

    // An HTTP client is told of a failure by a body that does not end.
    let cut = get("/rows/10001", None).await;
    assert!(in_time(cut.into_body().collect()).await.is_err());
    let rows = get("/rows/2", None).await;
    assert_eq!(text(rows).await, "{\"row\":0}\n{\"row\":1}\n");
}
