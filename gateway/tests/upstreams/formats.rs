//! Requests go in; the events that functions see of them come out, as their formats have them, and what functions
//! say in a head comes out as HTTP.

use aws_lambda_events::alb::AlbTargetGroupRequest;
use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use serde_json::{Value, json};
use stream_gateway::Gateway;

use crate::support::{Answer, ask, ask_with, function, start};

/// A route `/things/{id}/{rest+}` whose function answers with `answer`, a JSON text.
async fn telling(answer: &str, more: &str) -> Gateway {
    telling_so(answer, more, "").await
}

async fn telling_so(answer: &str, more: &str, environment: &str) -> Gateway {
    let command = function("gateway_telling");
    start(&format!(
        "[[routes]]\npath = \"/things/{{id}}/{{rest+}}\"\nauthorizer = \"none\"\n\
         local = {{ command = '{command}', environment = {{ ANSWER = '''{answer}'''{environment} }}{more} }}\n"
    ))
    .await
}

const REQUEST: &str = "POST /things/a%20b/c/d?x=1&x=2&y=a%20b+c&z\n\
    accept: text/csv\nx-own: 1\nx-own: 2\ncookie: a=1; b=2\ncookie: c=3\n\
    content-type: application/json\nuser-agent: test";
const BODY: &[u8] = br#"{"k":"\u00f6"}"#;

async fn event(format: &str) -> Value {
    let gateway = telling("\"EVENT\"", &format!(", event = '{format}'")).await;
    let answer = ask_with(&gateway, REQUEST, BODY).await;
    assert_eq!((answer.status, answer.whole), (200, true));
    answer.json()
}

#[tokio::test]
async fn format_2_0() {
    let event = event("2.0").await;
    let typed: ApiGatewayV2httpRequest = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(typed.raw_path.as_deref(), Some("/things/a%20b/c/d"));
    assert_eq!(typed.raw_query_string.as_deref(), Some("x=1&x=2&y=a%20b+c&z"));
    assert_eq!(typed.route_key.as_deref(), Some("POST /things/{id}/{rest+}"));
    assert_eq!(typed.path_parameters["id"], "a b");
    assert_eq!(typed.path_parameters["rest"], "c/d");
    assert_eq!(typed.cookies.unwrap(), ["a=1", "b=2", "c=3"]);
    assert_eq!(typed.headers["x-own"], "1,2");
    assert_eq!(typed.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(typed.headers["host"], "gateway.test");
    assert!(!typed.headers.contains_key("cookie") && !typed.headers.contains_key("connection"));
    assert_eq!(typed.body.unwrap().as_bytes(), BODY);
    assert!(!typed.is_base64_encoded);
    assert_eq!(typed.request_context.http.source_ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(event["queryStringParameters"], json!({"x": "1,2", "y": "a b c", "z": ""}));
    // All that the event of an object has, this one has as well, and of the same kind.
    let golden = include_str!("../../../tests/golden/event-2.0.json");
    like(&serde_json::from_str(golden).unwrap(), &event, "");
}

/// Whether `event` has all members of `golden`, of the same types.
fn like(golden: &Value, event: &Value, at: &str) {
    assert_eq!(std::mem::discriminant(golden), std::mem::discriminant(event), "{at}");
    for (name, value) in golden.as_object().into_iter().flatten() {
        assert!(event.get(name).is_some(), "{at}/{name} is missing");
        like(value, &event[name], &format!("{at}/{name}"));
    }
}

#[tokio::test]
async fn format_1_0() {
    let event = event("1.0").await;
    let typed: ApiGatewayProxyRequest = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(typed.resource.as_deref(), Some("/things/{id}/{rest+}"));
    assert_eq!(typed.path.as_deref(), Some("/things/a%20b/c/d"));
    assert_eq!(typed.http_method.as_str(), "POST");
    assert_eq!(typed.path_parameters["id"], "a b");
    assert_eq!(typed.headers["x-own"], "2");
    let all: Vec<_> = typed.multi_value_headers.get_all("x-own").iter().collect();
    assert_eq!(all, ["1", "2"]);
    let all: Vec<_> = typed.multi_value_headers.get_all("cookie").iter().collect();
    assert_eq!(all, ["a=1; b=2", "c=3"]);
    let all = typed.multi_value_query_string_parameters.all("x").unwrap();
    assert_eq!(all, ["1", "2"]);
    assert_eq!(event["queryStringParameters"], json!({"x": "2", "y": "a b c", "z": ""}));
    assert_eq!(typed.request_context.resource_path.as_deref(), Some("/things/{id}/{rest+}"));
    assert_eq!(typed.request_context.stage.as_deref(), Some("$default"));
    assert_eq!(typed.request_context.identity.source_ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(typed.request_context.identity.user_agent.as_deref(), Some("test"));
    assert!(typed.request_context.request_time_epoch > 1_700_000_000_000);
    assert_eq!(typed.body.unwrap().as_bytes(), BODY);
}

#[tokio::test]
async fn format_alb() {
    let single = event("alb").await;
    let typed: AlbTargetGroupRequest = serde_json::from_value(single.clone()).unwrap();
    assert_eq!(typed.http_method.as_str(), "POST");
    assert_eq!(typed.path.as_deref(), Some("/things/a%20b/c/d"));
    assert!(typed.request_context.elb.target_group_arn.is_some());
    assert_eq!(typed.headers["x-own"], "2");
    assert_eq!(typed.body.unwrap().as_bytes(), BODY);
    let parameters = json!({"x": "2", "y": "a%20b+c", "z": ""});
    assert_eq!(single["queryStringParameters"], parameters, "they are not decoded");
    assert!(single.get("multiValueHeaders").is_none());

    let multiple = event("alb-multi-value").await;
    let typed: AlbTargetGroupRequest = serde_json::from_value(multiple.clone()).unwrap();
    let all: Vec<_> = typed.multi_value_headers.get_all("x-own").iter().collect();
    assert_eq!(all, ["1", "2"]);
    assert_eq!(multiple["multiValueQueryStringParameters"]["x"], json!(["1", "2"]));
    assert!(multiple.get("headers").is_none() && multiple.get("queryStringParameters").is_none());
}

#[tokio::test]
async fn bodies_that_are_no_text_travel_as_base64() {
    for format in ["2.0", "1.0", "alb"] {
        let gateway = telling("\"EVENT\"", &format!(", event = '{format}'")).await;
        for (content_type, body, told, encoded) in [
            ("application/octet-stream", &b"a"[..], "YQ==", true),
            ("text/plain", b"\xff", "/w==", true),
            ("text/plain", b"a", "a", false),
            ("application/vnd.own+json", b"1", "1", false),
        ] {
            let request = format!("POST /things/1/2\ncontent-type: {content_type}");
            let event = ask_with(&gateway, &request, body).await.json();
            assert_eq!(
                (&event["body"], &event["isBase64Encoded"]),
                (&json!(told), &json!(encoded))
            );
        }
    }
}

#[tokio::test]
async fn a_raw_body_is_the_payload() {
    let gateway = telling("\"EVENT\"", ", event = 'raw'").await;
    for (body, payload) in
        [(&b"[1, \"\xc3\xb6\"]"[..], "[1, \"ö\"]"), (b"", "{}"), (b" {\"a\" : 1}", " {\"a\" : 1}")]
    {
        let answer = ask_with(&gateway, "POST /things/1/2?x=1", body).await;
        assert_eq!((answer.status, answer.text()), (200, payload));
    }
    let answer = ask_with(&gateway, "POST /things/1/2", b"{\"hush\": ").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("JSON") && !answer.text().contains("hush"), "{}", answer.text());
}

const NULS: &str = "\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000";

/// An answer with this head, as the runtime sends it, and the body `body`.
async fn with_head(head: &Value, more: &str) -> Answer {
    let head = serde_json::to_string(&head.to_string()).unwrap();
    let gateway = telling(&format!("{}{NULS}body\"", &head[..head.len() - 1]), more).await;
    ask(&gateway, "GET /things/1/2").await
}

#[tokio::test]
async fn heads_become_headers_one_by_one() {
    let head = json!({
        "statusCode": 201,
        "headers": {"X-One": "1", "x-list": ["a", "b"], "set-cookie": "h=1", "x-number": 7, "connection": "close"},
        "multiValueHeaders": {"x-many": ["c", "d"], "vary": ["accept", "origin"]},
        "cookies": ["k=1; Path=/", "l=2"],
    });
    let answer = with_head(&head, "").await;
    assert_eq!((answer.status, answer.text(), answer.whole), (201, "body", true));
    for (name, values) in [
        ("x-one", vec!["1"]),
        ("x-list", vec!["a", "b"]),
        ("x-many", vec!["c", "d"]),
        ("vary", vec!["accept", "origin"]),
        ("set-cookie", vec!["h=1", "k=1; Path=/", "l=2"]),
        ("x-number", vec!["7"]),
        ("content-type", vec!["application/octet-stream"]),
    ] {
        assert_eq!(answer.all(name).collect::<Vec<_>>(), values, "{name}");
    }
}

#[tokio::test]
async fn the_prelude_is_looked_for_as_the_route_says() {
    let head = json!({"statusCode": 404});
    assert_eq!(with_head(&head, "").await.status, 404);
    assert_eq!(with_head(&head, ", prelude = 'always'").await.status, 404);
    let never = with_head(&head, ", prelude = 'never'").await;
    assert_eq!((never.status, never.whole), (200, true));
    assert_eq!(never.text(), "{\"statusCode\":404}\0\0\0\0\0\0\0\0body");

    for (more, status) in [("", 200), (", prelude = 'never'", 200), (", prelude = 'always'", 502)] {
        let gateway = telling("\"no head\"", more).await;
        let answer = ask(&gateway, "GET /things/1/2").await;
        assert_eq!((answer.status, answer.whole), (status, true), "{more}");
        assert_eq!(answer.text() == "no head", status == 200, "{more}");
    }
    // What HTTP does not know.
    for head in [
        json!({"statusCode": 99}),
        json!({"statusCode": 101}),
        json!({"statusCode": 600}),
        json!({"statusCode": 999}),
        json!({"headers": {"a b": "1"}}),
        json!({"headers": {"content-length": ["4", "5"]}}),
        json!({"headers": {"content-length": "+4"}}),
    ] {
        let answer = with_head(&head, "").await;
        assert_eq!((answer.status, answer.whole), (502, true), "{head}");
    }
    for lengths in [json!("4"), json!(["4", "4"])] {
        let answer = with_head(&json!({"headers": {"content-length": lengths}}), "").await;
        assert_eq!((answer.status, answer.text(), answer.whole), (200, "body", true), "{lengths}");
        assert_eq!(answer.all("content-length").collect::<Vec<_>>(), ["4"]);
    }
    let reset = with_head(&json!({"statusCode": 205}), "").await;
    assert_eq!((reset.status, reset.body.len(), reset.whole), (205, 0, true));
}

/// Functions that do not stream answer with the JSON of a proxy integration.
#[tokio::test]
async fn buffered_answers_are_taken_apart() {
    let buffered = async |answer: Value, more: &str| {
        let answer = serde_json::to_string(&answer.to_string()).unwrap();
        let gateway =
            telling_so(&answer, &format!(", mode = 'buffered'{more}"), ", WAY = 'buffered'").await;
        ask(&gateway, "GET /things/1/2").await
    };
    let said = json!({
        "statusCode": 201, "body": "aMO2", "isBase64Encoded": true, "cookies": ["k=1", "l=2"],
        "headers": {"content-type": "text/plain"}, "multiValueHeaders": {"x-many": ["a", "b"]},
    });
    let answer = buffered(said, "").await;
    assert_eq!((answer.status, answer.text(), answer.whole), (201, "hö", true));
    assert_eq!(answer.all("x-many").collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(answer.all("set-cookie").collect::<Vec<_>>(), ["k=1", "l=2"]);
    assert_eq!(answer.header("content-length"), Some("3"));
    // What a function says of the length of its text is not believed.
    for length in ["2", "99", "many"] {
        let said =
            json!({"statusCode": 200, "body": "four", "headers": {"Content-Length": length}});
        let answer = buffered(said, "").await;
        assert_eq!((answer.status, answer.text(), answer.whole), (200, "four", true));
        assert_eq!(answer.all("content-length").collect::<Vec<_>>(), ["4"], "{length}");
    }
    let said = json!({"statusCode": 200, "headers": {"x-large": "x".repeat(70_000)}});
    assert_eq!(buffered(said, "").await.status, 502);
    let answer = buffered(json!({"any": 1}), "").await;
    assert_eq!((answer.status, answer.json()), (200, json!({"any": 1})));
    let answer = buffered(json!({"any": 1}), ", event = '1.0'").await;
    assert_eq!((answer.status, answer.whole), (502, true));
}
