//! A function of the service is a route's upstream: which version is called, with what beside the event, and what
//! the service says if it does not call it.

use local_lambda::FaultRule;

use crate::support::{Binary, Scripted, ask, ask_with, in_front};

#[tokio::test]
async fn the_version_is_the_one_that_is_named() {
    for (settings, version) in [
        ("function = \"f\"", "$LATEST"),
        ("function = \"f:live\"", "7"),
        ("function = \"f\", qualifier = \"7\"", "7"),
        ("function = \"told\", mode = \"buffered\"", "$LATEST"),
        ("function = \"told:7\", mode = \"buffered\"", "7"),
        ("function = \"told\", qualifier = \"7\", mode = \"buffered\"", "7"),
    ] {
        let (_service, gateway, _folder) =
            in_front("", &format!("lambda = {{ {settings} }}")).await;
        let answer = ask(&gateway, "GET /10").await;
        assert_eq!(answer.header("x-amz-executed-version"), Some(version), "{settings}");
    }
}

#[tokio::test]
async fn the_client_context_goes_beside_the_event() {
    for mode in ["", ", mode = \"buffered\""] {
        let route = format!(
            "lambda = {{ function = \"told\", client_context = {{ custom = {{ a = \"1\" }} }}{mode} }}"
        );
        let (_service, gateway, _folder) = in_front("", &route).await;
        let told = ask(&gateway, "GET /x").await.json();
        assert_eq!(told, serde_json::json!({"context": {"custom": {"a": "1"}}}), "{mode}");
    }
}

#[tokio::test]
async fn what_the_service_says_is_passed_on_as_http_has_it() {
    for mode in ["", ", mode = \"buffered\""] {
        let (_service, gateway, _folder) =
            in_front("", &format!("lambda = {{ function = \"none\"{mode} }}")).await;
        let answer = ask(&gateway, "GET /x").await;
        assert_eq!((answer.status, answer.whole), (404, true));

        let (service, gateway, _folder) =
            in_front("", &format!("lambda = {{ function = \"f\"{mode} }}")).await;
        for (fault, status) in [
            ("throttle=ConcurrentInvocationLimitExceeded:retry-after=1", 429),
            ("refuse=403:AccessDeniedException", 502),
            ("refuse=413:RequestTooLargeException", 413),
            ("crash", 502),
        ] {
            service.clear_faults();
            service.add_fault(fault.parse::<FaultRule>().unwrap()).unwrap();
            let answer = ask(&gateway, "GET /x").await;
            assert_eq!((answer.status, answer.whole), (status, true), "{fault}{mode}");
            assert_eq!(answer.json()["status"], status);
            assert_eq!(answer.header("retry-after").is_some(), status == 429, "{fault}{mode}");
        }
    }
}

/// What was not sent is sent again for every method, what may have been run is not; of answers that come at once as of
/// streams.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_told_alike_in_both_modes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refusal = |status: &str, name: &str| {
        format!(
            "HTTP/1.1 {status}\r\nx-amzn-errortype: {name}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
        )
    };
    for mode in ["", ", mode = \"buffered\""] {
        // Its answer, the calls for GET and for POST, and what the client is told.
        for (answer, get, post, status) in [
            (None, 3, 3, 503),
            (Some("HTTP/1.1".to_owned()), 3, 1, 502),
            (Some(refusal("500 Error", "ServiceException")), 3, 1, 503),
            (Some(refusal("502 Error", "InvalidRuntimeException")), 1, 1, 502),
            (Some(refusal("429 Error", "TooManyRequestsException")), 3, 3, 429),
        ] {
            let server = match &answer {
                Some(answer) => Some(Scripted::start(answer.clone()).await),
                None => None,
            };
            let nobody = format!("http://{free}");
            let url = server.as_ref().map_or(nobody.as_str(), |server| &server.url);
            let text = format!(
                "listen = \"127.0.0.1:0\"\naccess_log = '{}'\n[aws]\nendpoint_url = '{url}'\n[[routes]]\n\
                 path = \"/{{rest+}}\"\nauthorizer = \"none\"\nlambda = {{ function = \"f\"{mode} }}\n",
                folder.path().join("log").display()
            );
            std::fs::write(&file, text).unwrap();
            let gateway = Binary::start(&file, &[]).unwrap();
            for (method, calls) in [("GET", get), ("POST", post)] {
                let before = server.as_ref().map_or(0, |server| server.asked.lock().unwrap().len());
                let told = ask_with(&gateway, &format!("{method} /x"), b"").await;
                assert_eq!((told.status, told.whole), (status, true), "{method} {answer:?}{mode}");
                if let Some(server) = &server {
                    let asked = server.asked.lock().unwrap().len() - before;
                    assert_eq!(asked, calls, "{method} {answer:?}{mode}");
                }
            }
        }
    }
}

/// Its question changes nothing, so it is asked again in its time.
#[tokio::test(flavor = "multi_thread")]
async fn an_authorizer_that_cannot_be_called_is_asked_three_times() {
    let refusal = "HTTP/1.1 500 Error\r\nx-amzn-errortype: ServiceException\r\ncontent-length: 2\r\n\
        connection: close\r\n\r\n{}";
    let server = Scripted::start(refusal).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[aws]\nendpoint_url = '{}'\n[authorizers.who]\nkind = \"lambda\"\n\
         type = \"REQUEST\"\nidentity = [\"$request.header.Authorization\"]\nlambda = {{ function = \"a\" }}\n\
         [[routes]]\npath = \"/{{rest+}}\"\nauthorizer = \"who\"\nlambda = {{ function = \"f\" }}\n",
        server.url
    );
    std::fs::write(&file, text).unwrap();
    let gateway = Binary::start(&file, &[]).unwrap();
    let told = ask(&gateway, "GET /x\nauthorization: me").await;
    assert_eq!((told.status, told.whole), (500, true));
    assert_eq!(server.asked.lock().unwrap().len(), 3);
}
