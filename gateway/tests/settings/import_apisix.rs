//! What `import apisix` makes of a route with the plugin `aws-lambda`, and what it warns of.

use std::process::{Output, Stdio};

use toml::{Table, Value};

use crate::support::{Folder, text};

/// All fields of the plugin (APISIX 3.18), in a route.
const WHOLE: &str = r#"{
    "id": "7", "name": "my objects", "uri": "/objects/*", "methods": ["get", "HEAD"], "hosts": ["a.example"],
    "plugins": {
        "key-auth": {}, "prometheus": {},
        "aws-lambda": {
            "function_uri": "https://abc.lambda-url.eu-west-1.on.aws/base",
            "authorization": { "iam": {
                "accesskey": "AKIDHUSH", "secretkey": "hush-hush", "aws_region": "eu-west-1", "service": "lambda"
            } },
            "timeout": 5000, "ssl_verify": false, "keepalive": true, "keepalive_timeout": 60000,
            "keepalive_pool": 5, "max_req_body_size": 67108864
        }
    }
}"#;

fn import(json: &str) -> Output {
    let folder = Folder::new();
    folder.write("route.json", json);
    let output = folder.output("import apisix route.json");
    for said in [&output.stdout, &output.stderr] {
        assert!(!text(said).to_lowercase().contains("hush"), "{}", text(said));
    }
    output
}

fn routes(output: &Output) -> Vec<Table> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table: Table = text(&output.stdout).parse().unwrap();
    let routes = table["routes"].as_array().unwrap().iter();
    routes.map(|route| route.as_table().unwrap().clone()).collect()
}

#[test]
fn every_field_is_carried_over_or_warned_of() {
    let output = import(WHOLE);
    let routes = routes(&output);
    let paths: Vec<_> = routes.iter().map(|route| route["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/objects/{rest+}", "/objects/"]);
    for route in routes {
        let expected: Table = r#"
            methods = ["GET", "HEAD"]
            http = { url = "https://abc.lambda-url.eu-west-1.on.aws/base", sign = "lambda", region = "eu-west-1" }
            timeouts = { connect = "5000ms", first_byte = "5000ms", idle = "5000ms" }
            body_max = 67108864
        "#
        .parse()
        .unwrap();
        for (key, value) in &expected {
            assert_eq!(route.get(key), Some(value), "{key}");
        }
        assert_eq!(route.len(), expected.len() + 1, "{route:?}");
    }
    let told = text(&output.stderr);
    for words in [
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "a client's authorization header is now replaced",
        "timeout 5000 ms was for connecting, sending and reading",
        "ssl_verify = false is not carried over",
        "keepalive, keepalive_timeout, keepalive_pool: not carried over",
        "a function takes 6000000 bytes at most",
        "hosts: not carried over",
        "the plugin key-auth decided who may come",
        "the plugin prometheus is not carried over",
        "answers now stream",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(told.lines().all(|line| line.starts_with("route.json: ")), "{told}");
}

#[test]
fn defaults_are_those_of_apisix_or_warned_of() {
    let output =
        import(r#"{ "function_uri": "https://api.example/prod", "authorization": { "iam": {} } }"#);
    let [route] = &routes(&output)[..] else { panic!("one route") };
    let http = route["http"].as_table().unwrap();
    assert_eq!(http["sign"], Value::from("execute-api"));
    assert_eq!(http["region"], Value::from("us-east-1"));
    assert!(!route.contains_key("timeouts") && !route.contains_key("body_max"), "{route:?}");
    let told = text(&output.stderr);
    for words in ["APISIX waited 3 s", "64 MiB", "says no path"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_key_goes_into_a_variable_and_wins_over_signing() {
    let plugin = |key: &str| {
        format!(
            r#"{{ "value": {{ "name": "my-route", "uris": ["/a", "/b/:id"], "plugins": {{ "aws-lambda": {{
                "function_uri": "https://api.example/prod",
                "authorization": {{ "apikey": "{key}", "iam": {{ "accesskey": "hush", "secretkey": "hush" }} }}
            }} }} }} }}"#
        )
    };
    let output = import(&plugin("hush"));
    let routes_made = routes(&output);
    let paths: Vec<_> = routes_made.iter().map(|route| route["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/a", "/b/{id}"]);
    let http = routes_made[0]["http"].as_table().unwrap();
    assert_eq!(http["api_key_env"], Value::from("APISIX_MY_ROUTE_API_KEY"));
    assert!(!http.contains_key("sign"));
    let told = text(&output.stderr);
    for words in [
        "route my-route: set the variable APISIX_MY_ROUTE_API_KEY",
        "iam was never used beside apikey",
        "/b/:id: its names are matched",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let http = &routes(&import(&plugin("$ENV://THE_KEY")))[0]["http"];
    assert_eq!(http["api_key_env"], Value::from("THE_KEY"));
}

#[test]
fn check_asks_who_may_come_and_then_takes_it() {
    let folder = Folder::new();
    let output = import(WHOLE);
    folder.write("gateway.toml", &output.stdout);
    let checked = folder.output("check gateway.toml");
    assert_eq!(checked.status.code(), Some(2));
    let told = text(&checked.stderr);
    let asked = told.lines().filter(|line| line.contains("who may come here?")).count();
    assert_eq!((asked, told.lines().count()), (2, 2), "{told}");

    let line = |line: &str| match line.starts_with("# authorizer") {
        true => "authorizer = \"none\"\n".to_owned(),
        false => format!("{line}\n"),
    };
    folder.write("gateway.toml", text(&output.stdout).lines().map(line).collect::<String>());
    let checked = folder.output("check gateway.toml");
    assert_eq!(text(&checked.stderr), "");
    assert_eq!(text(&checked.stdout), "gateway.toml: nothing wrong, 2 routes\n");
}

#[test]
fn several_routes_and_stdin() {
    let folder = Folder::new();
    let route = |uri: &str| {
        format!(
            r#"{{ "uri": "{uri}", "plugins": {{ "aws-lambda": {{ "function_uri": "http://h/" }} }} }}"#
        )
    };
    let list = format!(
        r#"{{ "total": 3, "list": [{{ "value": {} }}, {{ "value": {{ "uri": "/other" }} }}, {{ "value": {} }}] }}"#,
        route("/a"),
        route("/b")
    );
    let mut child = folder.command("import apisix -");
    let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), list.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let routes = routes(&output);
    let paths: Vec<_> = routes.iter().map(|route| route["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/a", "/b"]);
}

#[test]
fn what_cannot_be_carried_over_is_refused_in_one_line() {
    let plugin = |rest: &str| format!(r#"{{ "function_uri": "https://h/", {rest} }}"#);
    let route = |rest: &str| {
        format!(
            r#"{{ {rest}, "plugins": {{ "aws-lambda": {{ "function_uri": "https://h/" }} }} }}"#
        )
    };
    for (json, reason) in [
        ("{".into(), "line 1: this is no JSON"),
        ("{}".into(), "there is no aws-lambda plugin here"),
        (r#"{ "plugins": { "limit-req": {} } }"#.into(), "there is no aws-lambda plugin here"),
        (r#"{ "aws-lambda": {} }"#.into(), "function_uri is missing"),
        (r#"{ "aws-lambda": 3 }"#.into(), "aws-lambda is no object"),
        (r#"{ "function_uri": "https://u:hush@h/" }"#.into(), "a user, a password or a query"),
        (r#"{ "function_uri": "https://h/?key=hush" }"#.into(), "a user, a password or a query"),
        (r#"{ "function_uri": "ftp://h/" }"#.into(), "no http:// or https:// URL"),
        (plugin(r#""timeout": "3s""#), "no number of milliseconds"),
        (plugin(r#""timeout": 999999999999999999"#), "longer than a year"),
        (plugin(r#""max_req_body_size": "1MB""#), "max_req_body_size is no number"),
        (plugin(r#""authorization": { "apikey": 123 }"#), "authorization.apikey is no text"),
        (plugin(r#""authorization": { "iam": "hush" }"#), "authorization.iam is no object"),
        (plugin(r#""authorization": ["hush"]"#), "authorization is no object"),
        (r#"{ "function_uri": "https://h:99999/" }"#.into(), "a port that is none"),
        (route(r#""uri": "/a", "methods": ["G T"]"#), "methods: \"G T\" is no method"),
        (route(r#""uri": "/a", "methods": "GET""#), "methods is no list"),
        (route(r#""uri": "/a", "methods": [1]"#), "methods has something that is no text"),
        (route(r#""uri": 5"#), "uri is no text"),
        (route(r#""uris": "/a""#), "uris is no list"),
        (
            plugin(r#""authorization": { "iam": { "service": "s3" } }"#),
            "neither lambda nor execute-api",
        ),
        (
            plugin(r#""authorization": { "iam": { "aws_region": "a b" } }"#),
            "aws_region is no region",
        ),
    ] {
        let output = import(&json);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{json}: {told}");
        assert!(told.starts_with("route.json: ") && told.contains(reason), "{json}: {told}");
        assert!(output.stdout.is_empty() && told.lines().count() == 1, "{json}: {told}");
    }
}

#[test]
fn paths_match_what_they_matched_or_are_warned_of() {
    let cases: [(&str, &[&str], &str); 11] = [
        ("/a/*", &["/a/{rest+}", "/a/"], ""),
        ("/*", &["/{rest+}", "/"], ""),
        ("/a/:id", &["/a/{id}"], "its names are matched"),
        ("/a/:id/*", &["/a/{id}/{rest+}", "/a/{id}/"], "its names are matched"),
        ("/a/:rest/*", &["/a/{rest}/{rest_+}", "/a/{rest}/"], "its names are matched"),
        ("/a/*path", &["/a/{path+}", "/a/"], "its names are matched"),
        ("/api/v1*", &["/api/v1", "/api/v1/{rest+}"], "every path that begins so"),
        ("/a/*/b", &[], "/a/*/b is left out"),
        ("/a/b*c", &[], "/a/b*c is left out"),
        ("/a b", &[], "it has ' ' in it"),
        ("a", &[], "it begins with a slash"),
    ];
    for (uri, expected, told) in cases {
        let route = format!(
            r#"{{ "uris": ["/kept", "{uri}"], "plugins": {{ "aws-lambda": {{ "function_uri": "http://h/" }} }} }}"#
        );
        let output = import(&route);
        let routes = routes(&output);
        let paths: Vec<_> = routes.iter().map(|route| route["path"].as_str().unwrap()).collect();
        assert_eq!(paths[0], "/kept");
        assert_eq!(&paths[1..], expected, "{uri}");
        let said = text(&output.stderr);
        assert!(said.contains(told), "{uri}: {said}");
    }
}

#[test]
fn keys_of_different_routes_go_into_different_variables() {
    let route = |name: &str, key: &str| {
        format!(
            r#"{{ "name": "{name}", "uri": "/{key}", "plugins": {{ "aws-lambda": {{
                "function_uri": "https://h/", "authorization": {{ "apikey": "{key}" }} }} }} }}"#
        )
    };
    let all = [
        route("my-route", "hush-1"),
        route("my-route", "hush-2"),
        route("my.route", "$env://APISIX_MY_ROUTE_3_API_KEY"),
        route("My route", "hush-4"),
    ];
    let list =
        format!("[{}]", all.join(", ").replace("\"/$env://", "\"/").replace("\"/hush", "\"/h"));
    let folder = Folder::new();
    folder.write("route.json", list);
    let output = folder.output("import apisix route.json");
    let routes = routes(&output);
    let variables: Vec<_> =
        routes.iter().map(|route| route["http"]["api_key_env"].as_str().unwrap()).collect();
    let numbered = ["", "_2", "_3", "_4"].map(|number| format!("APISIX_MY_ROUTE{number}_API_KEY"));
    assert_eq!(variables, numbered);
    let told = text(&output.stderr);
    assert!(numbered.iter().all(|name| variables.contains(&name.as_str())), "{told}");
    assert!(!told.contains("hush") && !text(&output.stdout).contains("hush"), "{told}");
}
