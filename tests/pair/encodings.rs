//! Texts of functions that stand on `stream_fn` go over the wire in every encoding; they are there when
//! they are written, whole only at their end, and the same as without one.

use crate::support::{Gate, Pair, call, function_error, in_time, read};
use invoker::{Download, ErrorKind, Invocation, Invoker};
use serde_json::{Value, json};

const ALL: [&str; 3] = ["zstd", "br", "gzip"];

fn say(wish: Value, encoding: &str) -> Invocation {
    call(wish).custom("accept-encoding", encoding)
}

/// What a download asks if it is left to itself.
fn by_itself(invoker: &Invoker, wish: Value) -> Download {
    invoker.download(call(wish))
}

#[tokio::test(flavor = "multi_thread")]
async fn small_writes_arrive_one_by_one() {
    let pair = Pair::of_example("pair_function").await;
    let gate = Gate::new().await;
    let texts = ["first", "second", "third", "last"];
    let wish = json!({"do": "say", "texts": texts, "wait_for": gate.address()});
    for encoding in ALL {
        let download = pair.invoker.download(say(wish.clone(), encoding));
        let mut ordered = in_time(download.in_order()).await.unwrap();
        assert_eq!(ordered.description().encoding.as_deref(), Some(encoding));
        for (number, text) in texts.into_iter().enumerate() {
            // The function cannot write the next one before it is let go.
            if number > 0 {
                drop(gate.somebody().await);
            }
            let bytes = in_time(ordered.next_bytes()).await.unwrap().unwrap();
            assert_eq!(bytes, text, "{encoding}");
        }
        assert!(in_time(ordered.next_bytes()).await.is_none());
        let report = ordered.report().unwrap();
        assert_eq!(report.snapshot.bytes, texts.concat().len() as u64);
        assert_ne!(report.snapshot.encoded_bytes, report.snapshot.bytes, "{encoding}");
        assert_eq!(report.description.size, None, "{encoding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_the_same_in_every_encoding_and_smaller() {
    const ROWS: usize = 20_000;
    let pair = Pair::of_example("sqlite_rows").await;
    let rows = || call(json!({"rows": ROWS}));
    let (plain, ended) = in_time(read(pair.invoker.download(rows()).compression(false))).await;
    ended.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("rows");
    let asked = ALL.map(|encoding| rows().custom("accept-encoding", encoding));
    // The last one says nothing of it: then it is the function's first choice.
    for (invocation, encoding) in asked.into_iter().zip(ALL).chain([(rows(), "zstd")]) {
        let download = || pair.invoker.download(invocation.clone());
        let (ordered, ended) = in_time(read(download())).await;
        ended.unwrap();
        assert!(ordered == plain, "{encoding} in order");
        let report = in_time(download().to_file(&target)).await.unwrap();
        assert!(std::fs::read(&target).unwrap() == plain, "{encoding} in a file");
        assert_eq!(report.description.encoding.as_deref(), Some(encoding));
        assert_eq!(report.snapshot.bytes, plain.len() as u64);
        assert!(report.snapshot.encoded_bytes * 3 < report.snapshot.bytes, "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_mid_stream_is_no_end() {
    let pair = Pair::of_example("pair_function").await;
    let wish = json!({"do": "say", "texts": ["some ", "words"], "fail": true});
    for encoding in ALL {
        let download = || pair.invoker.download(say(wish.clone(), encoding));
        let (words, ended) = in_time(read(download())).await;
        assert_eq!(function_error(ended).0, "Function.OutOfWords", "{encoding}");
        assert_eq!(words, b"some words", "{encoding}: what came before it");

        let folder = tempfile::tempdir().unwrap();
        let ended = in_time(download().to_file(folder.path().join("words"))).await;
        assert_eq!(function_error(ended.map(drop)).0, "Function.OutOfWords", "{encoding}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{encoding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_invocation_is_as_it_came_until_it_is_decoded() {
    let pair = Pair::of_example("pair_function").await;
    let wish = json!({"do": "say", "texts": ["words"]});
    for encoding in ALL {
        let asked = || pair.invoker.invoke(say(wish.clone(), encoding));
        let mut raw = in_time(asked()).await.unwrap();
        let head = raw.head().unwrap();
        assert_eq!(head.header("content-encoding"), Some(encoding));
        assert_eq!(head.header("vary"), Some("accept-encoding"));
        let mut encoded = Vec::new();
        while let Some(bytes) = in_time(raw.next_bytes()).await {
            encoded.extend_from_slice(&bytes.unwrap());
        }
        assert!(!encoded.is_empty() && encoded != b"words", "{encoding}");

        let mut decoded = in_time(asked()).await.unwrap().decoded().unwrap();
        assert_eq!(in_time(decoded.next_bytes()).await.unwrap().unwrap(), "words", "{encoding}");
        assert!(in_time(decoded.next_bytes()).await.is_none());
        assert_eq!(decoded.received_bytes(), encoded.len() as u64, "{encoding}");
    }
    // The command line of old asks for nothing.
    let mut plain = in_time(pair.invoker.invoke(call(wish))).await.unwrap();
    assert_eq!(plain.head().unwrap().header("content-encoding"), None);
    assert_eq!(in_time(plain.next_bytes()).await.unwrap().unwrap(), "words");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_it_has_it_plain() {
    let pair = Pair::of_example("pair_function").await;
    let texts = ["words ".repeat(1_000)];
    for (wish, asked) in [
        (json!({"do": "say", "texts": texts, "compression": false}), "zstd, br, gzip"),
        (json!({"do": "say", "texts": texts}), "identity"),
        (json!({"do": "say", "texts": texts}), "zstd;q=0, deflate"),
    ] {
        let (words, ended) = in_time(read(pair.invoker.download(say(wish, asked)))).await;
        ended.unwrap();
        assert_eq!(words, texts[0].as_bytes());
    }
    // An object is what its ranges are of.
    let object = by_itself(&pair.invoker, json!({"do": "object"}));
    let mut ordered = in_time(object.in_order()).await.unwrap();
    assert!(ordered.description().ranges && ordered.description().encoding.is_none());
    assert_eq!(in_time(ordered.next_bytes()).await.unwrap().unwrap(), "123456789");
}

/// A caller may also insist on encodings and then leave them alone.
#[tokio::test(flavor = "multi_thread")]
async fn without_decoding_the_file_is_what_came() {
    let pair = Pair::of_example("pair_function").await;
    let wish = json!({"do": "say", "texts": ["words"]});
    let download = || pair.invoker.download(say(wish.clone(), "gzip"));
    let (encoded, ended) = in_time(read(download().compression(false))).await;
    ended.unwrap();
    assert_eq!(encoded[..2], [0x1f, 0x8b], "gzip");
    let (words, ended) = in_time(read(download())).await;
    ended.unwrap();
    assert_eq!(words, b"words");
    let part = download().wanted(invoker::Wanted::Range(0..2));
    let error = in_time(part.in_order()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Answer { status: 200 });
}
