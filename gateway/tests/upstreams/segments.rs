//! Objects are fetched by segments behind one HTTP answer, which is the one that a plain call would have given.

use crate::support::{Answer, ask, function, start};

const MIB: usize = 1024 * 1024;

/// Two routes to the same function, of which `/by/...` goes by segments.
async fn both(source: &str, table: &str, more: &str) -> stream_gateway::Gateway {
    let command = function("gateway_serving");
    let local = format!(
        "authorizer = \"none\"\nlocal = {{ command = '{command}', \
         environment = {{ STREAM_FN_SOURCE = '{source}' }}{more} }}\n"
    );
    start(&format!(
        "[segments]\n{table}\n[[routes]]\npath = \"/{{rest+}}\"\n{local}\
         [[routes]]\npath = \"/by/{{rest+}}\"\nsegments = true\n{local}"
    ))
    .await
}

/// The same but for what differs each time.
fn assert_same(one: &Answer, other: &Answer, what: &str) {
    assert_eq!((one.status, one.whole), (other.status, other.whole), "{what}");
    assert!(one.body == other.body, "{what}: {} and {} bytes", one.body.len(), other.body.len());
    let headers = |answer: &Answer| {
        let own = ["date", "x-request-id", "x-amzn-requestid"];
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| !own.contains(&name.as_str()));
        headers.sort();
        headers
    };
    assert_eq!(headers(one), headers(other), "{what}");
}

#[tokio::test]
async fn by_segments_an_object_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = vec![0; 3 * MIB + 17];
    stream_fn::source::pattern::fill(0, &mut bytes);
    for at in ["", "by"] {
        std::fs::create_dir_all(folder.path().join(at)).unwrap();
        std::fs::write(folder.path().join(at).join("large.bin"), &bytes).unwrap();
        std::fs::write(folder.path().join(at).join("empty.bin"), b"").unwrap();
    }
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    for at in ["", "by"] {
        for name in ["large.bin", "empty.bin"] {
            let file = std::fs::File::options().append(true).open(folder.path().join(at).join(name));
            file.unwrap().set_modified(time).unwrap();
        }
    }
    let source = format!("directory:{}", folder.path().display());
    let gateway = both(&source, "segment_size = '256KiB'", "").await;
    let table = [
        "GET /large.bin",
        "GET /large.bin\nrange: bytes=5-",
        "GET /large.bin\nrange: bytes=100-3000000",
        "GET /large.bin\nrange: bytes=0-9999999",
        "GET /large.bin\nrange: bytes=-1000000",
        "GET /large.bin\nrange: bytes=-99999999",
        "GET /large.bin\nrange: bytes=10-19",
        "GET /large.bin\nrange: bytes=9999999-",
        "GET /large.bin\nrange: bytes=0-1,5-6",
        "GET /large.bin\nif-none-match: \"other\"",
        "GET /large.bin\nif-match: \"other\"",
        "GET /large.bin\naccept-encoding: gzip, zstd",
        "HEAD /large.bin",
        "GET /empty.bin",
        "GET /none",
    ];
    for request in table {
        let plain = ask(&gateway, request).await;
        let by_segments = ask(&gateway, &request.replacen(" /", " /by/", 1)).await;
        // The two files have names of their own, and so versions.
        let mut plain = plain;
        let etag = by_segments.header("etag").map(str::to_owned);
        for (name, value) in &mut plain.headers {
            if name == "etag" {
                *value = etag.clone().unwrap();
            }
        }
        if plain.status < 400 {
            assert_same(&plain, &by_segments, request);
        } else {
            assert_eq!((plain.status, plain.whole), (by_segments.status, by_segments.whole));
        }
    }
    let whole = ask(&gateway, "GET /by/large.bin").await;
    assert_eq!((whole.status, whole.header("content-length")), (200, Some("3145745")));
    assert_eq!(whole.header("content-range"), None);
}
