//! A function of the service is a route's upstream: which version is called, with what beside the event, and what
//! the service says if it does not call it.

use local_lambda::FaultRule;

use crate::support::{ask, in_front};

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
