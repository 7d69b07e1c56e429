//! Objects are fetched by segments behind one HTTP answer, which is the one that a plain call would have given.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Answer, Listens as _, ask, function, in_front, start};

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
        // A function may come to know the checksum only later.
        let own = ["date", "x-request-id", "x-amzn-requestid", "x-amz-checksum-crc64nvme"];
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
            let file =
                std::fs::File::options().append(true).open(folder.path().join(at).join(name));
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

const FUNCTION: &str = "segments = true\nlambda = { function = \"f\" }";

#[tokio::test]
async fn what_breaks_is_asked_for_again_and_what_stays_broken_is_cut() {
    let (service, gateway, _folder) =
        in_front("[segments]\nsegment_size = '128KiB'\nin_flight = 4", FUNCTION).await;
    let mut expected = vec![0; MIB];
    stream_fn::source::pattern::fill(0, &mut expected);
    // Each is mended: by the bytes that are missing, from another invocation.
    for fault in ["cut=60000,on=3", "cut=frame.2+12,on=2", "crc=2,on=4", "no-complete,on=5"] {
        service.clear_faults();
        service.add_fault(fault.parse::<local_lambda::FaultRule>().unwrap()).unwrap();
        let answer = ask(&gateway, &format!("GET /{MIB}")).await;
        assert_eq!((answer.status, answer.whole), (200, true), "{fault}");
        assert!(answer.body == expected, "{fault}");
    }
    assert!(service.stats().faults_injected >= 4);
    // And from some place on nothing comes any more: the client has a beginning, and no end.
    service.clear_faults();
    service.add_fault("cut=60000,on=4-".parse::<local_lambda::FaultRule>().unwrap()).unwrap();
    let answer = ask(&gateway, &format!("GET /{MIB}")).await;
    assert_eq!((answer.status, answer.whole), (200, false));
    assert!(answer.body.len() < MIB && expected.starts_with(&answer.body));
    // What a function says of itself is not asked for again.
    service.clear_faults();
    service.add_fault("crash=70000,on=3".parse::<local_lambda::FaultRule>().unwrap()).unwrap();
    let answer = ask(&gateway, &format!("GET /{MIB}")).await;
    assert_eq!((answer.status, answer.whole), (200, false));
    // Another version in the middle is never spliced.
    service.clear_faults();
    let changed = "header=etag:\"other\",on=3-".parse::<local_lambda::FaultRule>().unwrap();
    service.add_fault(changed).unwrap();
    let answer = ask(&gateway, &format!("GET /{MIB}")).await;
    assert_eq!((answer.status, answer.whole), (200, false));
    assert!(expected.starts_with(&answer.body));
}

#[tokio::test]
async fn a_function_without_ranges_is_asked_once() {
    let route = "segments = true\nlambda = { function = \"told\" }";
    let (service, gateway, _folder) = in_front("[segments]\nsegment_size = '100KB'", route).await;
    let answer = ask(&gateway, "GET /x").await;
    assert_eq!((answer.status, answer.whole), (200, true));
    // It was told of a range, as the contract has it.
    assert_eq!(answer.text(), r#"{"context": {"custom":{"range":"bytes=0-99999"}}}"#);
    assert_eq!(service.stats().invocations_started, 1);
    // A client's range costs one more, to learn that there are none.
    let answer = ask(&gateway, "GET /x\nrange: bytes=1-").await;
    assert_eq!((answer.status, answer.text(), answer.whole), (200, r#"{"context": null}"#, true));
    assert_eq!(service.stats().invocations_started, 3);
}

#[tokio::test]
async fn a_route_that_wants_a_head_wants_it_of_segments_too() {
    let route = "segments = true\nlambda = { function = \"told\", prelude = \"always\" }";
    let (_service, gateway, _folder) = in_front("", route).await;
    assert_eq!(ask(&gateway, "GET /x").await.status, 502);
}

/// One range of an object that fits into a segment is asked for as it is.
#[tokio::test]
async fn a_small_range_is_one_invocation() {
    let (service, gateway, _folder) = in_front("", FUNCTION).await;
    let answer = ask(&gateway, "GET /10MiB\nrange: bytes=0-99").await;
    assert_eq!((answer.status, answer.body.len(), answer.whole), (206, 100, true));
    assert_eq!(service.stats().invocations_started, 1);
}

/// A client that stops reading stops what is asked, and one that is gone ends it. All clients together hold no more
/// than the limit, and each gets on all the same.
#[tokio::test]
async fn memory_is_shared_and_bounded() {
    const SEGMENT: usize = 256 * 1024;
    const CLIENTS: usize = 4;
    let (service, gateway, _folder) =
        in_front("[segments]\nsegment_size = '256KiB'\nmemory_limit = '1MiB'", FUNCTION).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = tokio::net::TcpStream::connect(gateway.addr()).await.unwrap();
        client.write_all(b"GET /1GiB HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        client.read_exact(&mut [0; 1024]).await.unwrap();
        clients.push(client);
    }
    let mut last = u64::MAX;
    loop {
        let now = service.stats();
        if now.invocations_started == last && now.invocations_running == 0 {
            break;
        }
        last = now.invocations_started;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    // The limit, the segment that each one waits for, and what the kernel's buffers took (a few MiB each).
    const SOCKETS: usize = 16 * MIB;
    let most = MIB / SEGMENT + CLIENTS * (1 + SOCKETS / SEGMENT);
    assert!(last <= most as u64, "{last} invocations for clients that do not read");
    // Another one is served meanwhile.
    assert!(ask(&gateway, "GET /3MiB").await.whole);
    let served = service.stats().invocations_started;
    drop(clients);
    assert!(ask(&gateway, "GET /3MiB").await.whole);
    let after = service.stats().invocations_started - served;
    assert!(after <= (3 * MIB / SEGMENT) as u64 + most as u64, "{after} more");
}
