//! What `import kong` makes of a declarative configuration with the plugin `aws-lambda`, and what it warns of.

use std::process::{Output, Stdio};

use toml::Table;

use crate::support::{Folder, text};

/// All fields of the plugin (Kong Gateway 3.13), in a route.
const WHOLE: &str = r#"
_format_version: "3.0"
consumers:
- username: somebody
services:
- name: objects
  url: http://unused.example
  plugins:
  - name: rate-limiting
    config: { minute: 5 }
  routes:
  - name: my objects
    paths: ["/objects", "~/v\\d+"]
    methods: [get, HEAD]
    hosts: [a.example]
    protocols: [https]
    strip_path: true
    plugins:
    - name: key-auth
      config: {}
    - name: aws-lambda
      config:
        function_name: objects
        qualifier: live
        invocation_type: RequestResponse
        log_type: Tail
        timeout: 5000
        keepalive: 60000
        aws_region: eu-west-1
        aws_key: AKIDHUSH
        aws_secret: hush-hush
        aws_assume_role_arn: arn:aws:iam::111122223333:role/gateway
        aws_role_session_name: kong
        aws_sts_endpoint_url: https://sts.hush.example
        aws_imds_protocol_version: v2
        host: lambda.internal.example
        port: 8443
        disable_https: true
        proxy_url: http://user:hush@proxy.example:3128
        unhandled_status: 500
        forward_request_method: true
        forward_request_uri: true
        forward_request_headers: true
        forward_request_body: true
        is_proxy_integration: true
        awsgateway_compatible: true
        awsgateway_compatible_payload_version: "1.0"
        base64_encode_body: true
        skip_large_bodies: true
        empty_arrays_mode: legacy
plugins:
- name: jwt
- name: prometheus
- name: aws-lambda
  enabled: false
  config: { function_name: off }
"#;

fn import(configuration: &str) -> Output {
    let folder = Folder::new();
    folder.write("kong.yml", configuration);
    let output = folder.output("import kong kong.yml");
    for said in [&output.stdout, &output.stderr] {
        assert!(!text(said).to_lowercase().contains("hush"), "{}", text(said));
    }
    output
}

fn table(output: &Output) -> Table {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).parse().unwrap()
}

fn paths(table: &Table) -> Vec<&str> {
    let routes = table["routes"].as_array().unwrap().iter();
    routes.map(|route| route["path"].as_str().unwrap()).collect()
}

/// The only route there is with this path.
fn route<'a>(table: &'a Table, path: &str) -> &'a Table {
    let routes = table["routes"].as_array().unwrap().iter();
    let mut routes = routes.filter(|route| route["path"].as_str() == Some(path));
    let (Some(route), None) = (routes.next(), routes.next()) else { panic!("one {path}") };
    route.as_table().unwrap()
}

fn tells(output: &Output, words: &[&str]) {
    let told = text(&output.stderr);
    for words in words {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(told.lines().all(|line| line.starts_with("kong.yml: ")), "{told}");
}

/// One route `/a/` with this configuration of the plugin, of a function `f`.
fn plugin(config: &str) -> String {
    format!(
        r#"{{ "routes": [{{ "name": "r", "paths": ["/a/"], "plugins": [
            {{ "name": "aws-lambda", "config": {{ "function_name": "f" {config} }} }} ] }}] }}"#
    )
}

#[test]
fn every_field_of_kong_is_carried_over_or_warned_of() {
    let output = import(WHOLE);
    let table = table(&output);
    assert_eq!(paths(&table), ["/objects", "/objects/", "/objects/{rest+}"]);
    let aws: Table = r#"
        region = "eu-west-1"
        role_arn = "arn:aws:iam::111122223333:role/gateway"
        endpoint_url = "http://lambda.internal.example:8443"
    "#
    .parse()
    .unwrap();
    assert_eq!(table["aws"].as_table(), Some(&aws));
    let expected: Table = r#"
        methods = ["GET", "HEAD"]
        lambda = { function = "objects", qualifier = "live", event = "1.0", mode = "buffered" }
        timeouts = { connect = "5000ms", first_byte = "5000ms", idle = "5000ms" }
    "#
    .parse()
    .unwrap();
    for path in paths(&table) {
        let route = route(&table, path);
        for (key, value) in &expected {
            assert_eq!(route.get(key), Some(value), "{key}");
        }
        assert_eq!(route.len(), expected.len() + 1, "{route:?}");
    }
    tells(
        &output,
        &[
            "consumers at the top is not carried over",
            "route my objects: ~/v\\d+ is left out: it is a regular expression",
            "/objects was every path that begins so",
            "strip_path: the function saw its path without the route's",
            "hosts, protocols: not carried over",
            "the plugin key-auth decided who may come",
            "the plugin jwt decided who may come",
            "the plugin rate-limiting is not carried over",
            "the plugin prometheus is not carried over",
            "is_proxy_integration: written as mode = \"buffered\"",
            "base64_encode_body: Kong encoded every body",
            "timeout 5000 ms was for connecting, sending and reading",
            "unhandled_status 500: not carried over",
            "log_type = Tail: not carried over",
            "keepalive: not carried over",
            "skip_large_bodies: bodies that Kong did not keep",
            "empty_arrays_mode = legacy: not carried over",
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            "aws_role_session_name: not carried over",
            "aws_sts_endpoint_url: not carried over: AWS SDKs take AWS_ENDPOINT_URL_STS",
            "aws_imds_protocol_version: not carried over",
            "proxy_url: not carried over: set HTTPS_PROXY",
            "Kong waited for whole answers; here they stream",
        ],
    );
}

/// Which event, and how it answers, by what Kong sent.
#[test]
fn the_event_is_what_comes_nearest() {
    let proxy = r#", "is_proxy_integration": true"#;
    let compatible = r#", "awsgateway_compatible": true"#;
    let second = r#", "awsgateway_compatible_payload_version": "2.0""#;
    let body = r#", "forward_request_body": true"#;
    for (config, event, is_buffered, words) in [
        (String::new(), "raw", false, "the body alone is the payload"),
        (proxy.into(), "2.0", true, "has to be changed"),
        (compatible.into(), "1.0", false, "application/octet-stream"),
        (format!("{compatible}{second}{proxy}"), "2.0", true, "base64_encode_body"),
        (format!("{compatible}{body}"), "1.0", false, "base64_encode_body"),
        (body.into(), "2.0", false, "request_body is body"),
        (r#", "forward_request_uri": true"#.into(), "2.0", false, "request_uri is rawPath"),
    ] {
        let output = import(&plugin(&config));
        let table = table(&output);
        let lambda = route(&table, "/a/")["lambda"].as_table().unwrap();
        assert_eq!(lambda["event"].as_str(), Some(event), "{config}");
        assert_eq!(lambda.contains_key("mode"), is_buffered, "{config}");
        tells(&output, &[words]);
        let told = text(&output.stderr);
        let own = !config.contains("compatible") && event == "2.0" && config.contains("forward");
        assert_eq!(told.contains("Kong's own event is not made here"), own, "{config}: {told}");
    }
}

/// The nearest plugin answers, wherever it stands.
#[test]
fn plugins_of_routes_of_services_and_of_all() {
    let lambda = |function: &str, of: &str| {
        format!("- {{ name: aws-lambda, config: {{ function_name: {function} }} {of} }}")
    };
    let configuration = format!(
        "_format_version: \"3.0\"
services:
- name: s
  id: the-id
  url: http://unused.example
  plugins: [ {{ name: aws-lambda, config: {{ function_name: of-service }} }} ]
  routes:
  - {{ name: in-service, paths: [/service] }}
  - name: own
    paths: [/own]
    plugins: [ {{ name: aws-lambda, config: {{ function_name: of-route }} }} ]
  - {{ name: named, paths: [/named] }}
routes:
- {{ name: of-s, paths: [/of-s], service: {{ id: the-id }} }}
- {{ name: alone, paths: [/alone], methods: [POST] }}
plugins:
{}
{}
{}
",
        lambda("for-all", ""),
        lambda("of-name", ", route: named"),
        lambda("of-consumer", ", route: own, consumer: somebody"),
    );
    let output = import(&configuration);
    let table = table(&output);
    for (path, function) in [
        ("/service", "of-service"),
        ("/own", "of-route"),
        ("/named", "of-name"),
        ("/of-s", "of-service"),
        ("/alone", "for-all"),
    ] {
        assert_eq!(route(&table, path)["lambda"]["function"].as_str(), Some(function), "{path}");
    }
    assert!(!table.contains_key("aws"), "{table:?}");
}

#[test]
fn a_plugin_alone_and_a_list_and_stdin() {
    let one = r#"{ "name": "aws-lambda", "config": { "function_name": "f", "qualifier": null } }"#;
    let list = format!(r#"[{{ "name": "cors" }}, {one}]"#);
    for given in [one.to_owned(), list, format!(r#"{{ "data": [{one}], "next": null }}"#)] {
        let folder = Folder::new();
        let mut child = folder.command("import kong -");
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), given.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let table = table(&output);
        assert_eq!(paths(&table), ["/"]);
        assert_eq!(route(&table, "/")["lambda"]["function"].as_str(), Some("f"));
        assert!(text(&output.stderr).contains("says no path"), "{}", text(&output.stderr));
    }
}

#[test]
fn one_gateway_has_one_region_one_role_and_one_pair_of_keys() {
    let route = |name: &str, config: &str| {
        format!(
            r#"{{ "name": "{name}", "paths": ["/{name}"], "plugins": [ {{ "name": "aws-lambda", "config": {{
                "function_name": "f", {config} }} }} ] }}"#
        )
    };
    let configuration = format!(
        r#"{{ "routes": [{}, {}, {}] }}"#,
        route("a", r#""aws_region": "eu-west-1", "aws_key": "hush", "aws_secret": "hush""#),
        route("b", r#""host": "lambda.us-east-1.amazonaws.com""#),
        route("c", r#""aws_assume_role_arn": "arn:aws:iam::1:role/r", "aws_region": "eu-west-1""#),
    );
    let output = import(&configuration);
    let table = table(&output);
    let aws = table["aws"].as_table().unwrap();
    assert_eq!(aws["region"].as_str(), Some("eu-west-1"));
    assert_eq!(aws["role_arn"].as_str(), Some("arn:aws:iam::1:role/r"));
    assert!(!aws.contains_key("endpoint_url"), "{aws:?}");
    tells(
        &output,
        &[
            "region = \"eu-west-1\" now counts for all routes, and was not that of: b;",
            "role_arn = \"arn:aws:iam::1:role/r\" now counts for all routes, and was not that of: a, b;",
            "not all the same aws_key",
        ],
    );
}

#[test]
fn what_is_not_waited_for_is_left_out() {
    let configuration = "routes:
- name: waits
  paths: [/]
  plugins: [ { name: aws-lambda, config: { function_name: f } } ]
- name: does-not
  paths: [/later]
  plugins: [ { name: aws-lambda, config: { function_name: f, invocation_type: Event } } ]
";
    let output = import(configuration);
    assert_eq!(paths(&table(&output)), ["/", "/{rest+}"]);
    tells(&output, &["route does-not: invocation_type = Event: left out"]);
}

#[test]
fn check_asks_who_may_come_to_routes_of_kong_and_then_takes_them() {
    let folder = Folder::new();
    let output = import(WHOLE);
    folder.write("gateway.toml", &output.stdout);
    let checked = folder.output("check gateway.toml");
    assert_eq!(checked.status.code(), Some(2));
    let told = text(&checked.stderr);
    let asked = told.lines().filter(|line| line.contains("who may come here?")).count();
    assert_eq!((asked, told.lines().count()), (3, 3), "{told}");

    let line = |line: &str| match line.starts_with("# authorizer") {
        true => "authorizer = \"none\"\n".to_owned(),
        false => format!("{line}\n"),
    };
    folder.write("gateway.toml", text(&output.stdout).lines().map(line).collect::<String>());
    let checked = folder.output("check gateway.toml");
    assert_eq!(text(&checked.stderr), "");
    assert_eq!(text(&checked.stdout), "gateway.toml: nothing wrong, 3 routes\n");
}

#[test]
fn what_cannot_be_carried_over_from_kong_is_refused_in_one_line() {
    let lone = |config: &str| format!(r#"{{ "name": "aws-lambda", "config": {config} }}"#);
    for (configuration, reason) in [
        ("{ hush".into(), "line 1: this is no JSON"),
        ("a: [hush".into(), "this is neither YAML nor JSON"),
        ("a: 1\n---\nb: 2\n".into(), "here are 2"),
        ("".into(), "kong.yml: "),
        ("{}".into(), "there is no aws-lambda plugin here"),
        ("routes: [ { name: r, paths: [/] } ]".into(), "there is no aws-lambda plugin here"),
        (lone("3"), "config of aws-lambda is missing"),
        (lone("{}"), "function_name is missing"),
        (plugin(r#", "timeout": "3s""#), "route r: timeout is no number of milliseconds"),
        (plugin(r#", "qualifier": 3"#), "qualifier is no text"),
        (plugin(r#", "qualifier": "{vault://env/hush}""#), "stands for something else"),
        (plugin(r#", "is_proxy_integration": "yes""#), "neither true nor false"),
        (plugin(r#", "aws_region": "a b""#), "aws_region is no region"),
        (plugin(r#", "aws_assume_role_arn": "hush""#), "aws_assume_role_arn is no role"),
        (plugin(r#", "host": "user:hush@h""#), "host is no host"),
        (plugin(r#", "port": 0"#), "port is no port"),
        (plugin(r#", "disable_https": true"#), "write aws_region or host"),
        (plugin(r#", "invocation_type": "DryRun""#), "nothing can be carried over"),
        (
            plugin(
                r#", "awsgateway_compatible": true, "awsgateway_compatible_payload_version": "3""#,
            ),
            "neither 1.0 nor 2.0",
        ),
    ] {
        let output = import(&configuration);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{configuration}: {told}");
        assert!(told.starts_with("kong.yml: ") && told.contains(reason), "{configuration}: {told}");
        assert!(output.stdout.is_empty() && told.lines().count() == 1, "{configuration}: {told}");
    }
}
