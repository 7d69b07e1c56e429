//! Who calls, and by which way: the AWS settings that users have, against places on loopback that give
//! credentials, and against a proxy that writes down where it should have led to.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use support::scripted::{Call, Endpoint, chunk, complete, http, stream};
use support::{CREDENTIALS, Home, Invoker, Ran};

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";

/// What a service answers that has a word for everybody.
fn word() -> Endpoint {
    Endpoint::start(|_| stream(&[chunk(b"word"), complete("{}")]))
}

/// Credentials as the places that have JSON write them, under this key.
fn json(key: &str) -> Vec<u8> {
    let json = serde_json::json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": key, "SecretAccessKey": "secret", "Token": "session",
        "Expiration": "2100-01-01T00:00:00Z",
    });
    http(200, "application/json", json.to_string().as_bytes())
}

/// The same as the Security Token Service writes them.
fn sts(action: &str, key: &str) -> Vec<u8> {
    let xml = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>session</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>\
         </Credentials><AssumedRoleUser><AssumedRoleId>ID:invoker</AssumedRoleId>\
         <Arn>arn:aws:sts::123456789012:assumed-role/reader/invoker</Arn></AssumedRoleUser>\
         </{action}Result></{action}Response>"
    );
    http(200, "text/xml", xml.as_bytes())
}

/// Calls `service` and gets its word; the call was signed with `key`.
#[track_caller]
fn signed_with(key: &str, service: &Endpoint, caller: Invoker) {
    let ran = caller.run().succeeded();
    assert_eq!(ran.stdout, b"word", "{}", ran.stderr);
    let heard = service.heard();
    let call = heard.last().unwrap();
    assert!(call.head.contains(&format!("Credential={key}/")), "{}", call.head);
}

fn cat(home: &Home, service: &Endpoint, flags: &str) -> Invoker {
    home.invoker(&format!("cat f -q --endpoint-url {} {flags}", service.url))
}

#[test]
fn a_role_is_assumed_with_what_is_there() {
    let (home, service) = (Home::new(), word());
    let tokens = Endpoint::start(|_| sts("AssumeRole", "ASIAROLE"));
    let caller = cat(&home, &service, &format!("--role-arn {ROLE} --role-session-name nightly"))
        .envs(&CREDENTIALS)
        .env("AWS_ENDPOINT_URL_STS", &tokens.url);
    signed_with("ASIAROLE", &service, caller);
    let Call { head, body, .. } = &tokens.heard()[0];
    assert!(head.contains("Credential=AKIDOFATEST/"), "{head}");
    assert!(body.contains("RoleSessionName=nightly") && body.contains("role%2Freader"), "{body}");

    let refusing = Endpoint::start(|_| {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                   <Message>not authorized to perform: sts:AssumeRole</Message></Error>\
                   </ErrorResponse>";
        http(403, "text/xml", xml.as_bytes())
    });
    let refused = cat(&home, &service, &format!("--role-arn {ROLE}"))
        .envs(&CREDENTIALS)
        .env("AWS_ENDPOINT_URL_STS", &refusing.url)
        .run();
    refused.failed(253, &[ROLE, "sts:AssumeRole", "cannot be assumed"]);
    home.run("cat f --role-arn reader").failed_usage("arn:aws:iam::");
}

#[test]
fn instances_and_containers_give_credentials() {
    let (home, service) = (Home::new(), word());
    let instance = Endpoint::answering(|_, call| match call.head.split(' ').nth(1).unwrap() {
        "/latest/api/token" => {
            let token = "HTTP/1.1 200 OK\r\nx-aws-ec2-metadata-token-ttl-seconds: 600\r\n\
                         content-length: 5\r\nconnection: close\r\n\r\ntoken";
            token.as_bytes().to_vec()
        }
        path if path.ends_with("security-credentials/") => http(200, "text/plain", b"reader"),
        path if path.ends_with("security-credentials/reader") => json("ASIAINSTANCE"),
        _ => http(404, "text/plain", b""),
    });
    let caller = cat(&home, &service, "--region eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &instance.url);
    signed_with("ASIAINSTANCE", &service, caller);

    let container = Endpoint::start(|_| json("ASIACONTAINER"));
    let caller = cat(&home, &service, "--region eu-west-1")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/credentials", container.url))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token-of-a-test");
    signed_with("ASIACONTAINER", &service, caller);
    let asked = &container.heard()[0].head;
    assert!(asked.contains("token-of-a-test"), "{asked}");
}

#[test]
fn a_web_identity_and_a_process_give_credentials() {
    let (home, service) = (Home::new(), word());
    let tokens = Endpoint::start(|_| sts("AssumeRoleWithWebIdentity", "ASIAWEB"));
    let file = home.write("token", "web-token-of-a-test");
    let caller = cat(&home, &service, "--region eu-west-1")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap())
        .env("AWS_ROLE_ARN", ROLE)
        .env("AWS_ENDPOINT_URL_STS", &tokens.url);
    signed_with("ASIAWEB", &service, caller);
    assert!(tokens.heard()[0].body.contains("web-token-of-a-test"));

    let process = r#"echo '{"Version": 1, "AccessKeyId": "ASIAPROCESS", "SecretAccessKey": "s"}'"#;
    home.write("give", format!("#!/bin/sh\n{process}\n"));
    let config = "[profile own]\nregion = eu-west-1\ncredential_process = sh give\n";
    home.write(".aws/config", config);
    signed_with("ASIAPROCESS", &service, cat(&home, &service, "--profile own"));
    signed_with("ASIAPROCESS", &service, cat(&home, &service, "").env("AWS_PROFILE", "own"));
}

#[test]
fn an_expired_sign_in_is_named() {
    let home = Home::new();
    let config = "[profile dev]\nregion = eu-west-1\nsso_session = us\nsso_account_id = 1\n\
                  sso_role_name = r\n[sso-session us]\nsso_region = eu-west-1\n\
                  sso_start_url = https://us.awsapps.example/start\n";
    home.write(".aws/config", config);
    let ran = home.run("cat f -q --profile dev");
    ran.failed(253, &["SSO", "`aws sso login --profile dev`"]);
    let ran = home.invoker("cat f -q").env("AWS_PROFILE", "dev").run();
    ran.failed(253, &["`aws sso login --profile dev`"]);

    let session = "[profile me]\nregion = eu-west-1\nlogin_session = arn:aws:iam::1:user/me\n";
    home.write(".aws/config", session);
    let ran = home.run("cat f -q --profile me");
    ran.failed(253, &["`aws login`", "aws configure export-credentials --profile me"]);
}

#[test]
fn endpoints_are_found_where_they_are_set() {
    let (home, service) = (Home::new(), word());
    let config = format!(
        "[profile here]\nregion = eu-west-1\nservices = here\n\
         [services here]\nlambda =\n  endpoint_url = {}\n",
        service.url
    );
    home.write(".aws/config", config);
    let caller = |line: &str| home.invoker(line).envs(&CREDENTIALS);
    signed_with("AKIDOFATEST", &service, caller("cat f -q").env("AWS_PROFILE", "here"));
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA"] {
        signed_with("AKIDOFATEST", &service, caller("cat f -q").env(name, &service.url));
    }
    // With the flag the endpoint is that of the region, which only a proxy could lead to.
    let ran = caller("cat f -q --retries 0")
        .env("AWS_ENDPOINT_URL", &service.url)
        .env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        .env("HTTPS_PROXY", "http://user:secret@127.0.0.1:1")
        .run();
    let ran = ran.failed(1, &["lambda.eu-west-1.amazonaws.com", "http://127.0.0.1:1/"]);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}

#[test]
fn a_proxy_is_asked_for_the_endpoint_that_is_meant() {
    let home = Home::new();
    let table = [
        ("", &[][..], "lambda.eu-west-1.amazonaws.com"),
        ("--fips", &[], "lambda-fips.eu-west-1.amazonaws.com"),
        ("--dual-stack", &[], "lambda.eu-west-1.api.aws"),
        ("", &[("AWS_USE_FIPS_ENDPOINT", "true")], "lambda-fips.eu-west-1.amazonaws.com"),
        ("", &[("AWS_USE_DUALSTACK_ENDPOINT", "true")], "lambda.eu-west-1.api.aws"),
    ];
    for (flags, variables, host) in table {
        let proxy = Endpoint::start(|_| http(403, "text/plain", b""));
        let ran = home
            .invoker(&format!("cat f -q --retries 0 {flags}"))
            .envs(&CREDENTIALS)
            .envs(variables)
            .env("HTTPS_PROXY", &proxy.url)
            .run();
        ran.failed(1, &[host, "the proxy"]);
        let asked = &proxy.heard()[0].head;
        assert!(asked.starts_with(&format!("CONNECT {host}:443 ")), "{asked}");
        let ran = home
            .invoker(&format!("cat f -q --retries 0 {flags}"))
            .envs(&CREDENTIALS)
            .env("HTTPS_PROXY", "socks5://user:secret@host:1080")
            .run();
        let ran = ran.failed(253, &["HTTPS_PROXY", "socks5"]);
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    }
}

#[test]
fn the_proxy_for_all_protocols_may_be_one_that_only_others_can_ask() {
    let (home, service) = (Home::new(), word());
    let socks = [("ALL_PROXY", "socks5://user:secret@127.0.0.1:1")];
    let ran = cat(&home, &service, "-v").envs(&CREDENTIALS).envs(&socks).run().succeeded();
    assert!(ran.stderr.contains("ALL_PROXY is ignored: "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    let proxy = Endpoint::start(|_| http(403, "text/plain", b""));
    let ran =
        home.invoker("cat f -q --retries 0").envs(&CREDENTIALS).env("all_proxy", &proxy.url).run();
    ran.failed(1, &["the proxy"]);
    assert!(proxy.heard()[0].head.starts_with("CONNECT "));
    let own = cat(&home, &service, "").envs(&CREDENTIALS).env("https_proxy", socks[0].1).run();
    let own = own.failed(253, &["https_proxy: ", "socks5"]);
    assert!(!own.stderr.contains("secret"), "{}", own.stderr);
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let home = Home::new();
    home.write("empty.pem", "no certificate\n");
    home.write(".aws/config", "[profile own]\nregion = eu-west-1\nca_bundle = empty.pem\n");
    let caller = |line: &str| home.invoker(line).envs(&CREDENTIALS);
    let missing = caller("cat f --ca-bundle missing.pem").run();
    missing.failed(253, &["--ca-bundle missing.pem", "No such file"]);
    let none = caller("cat f --ca-bundle empty.pem").run();
    none.failed(253, &["--ca-bundle empty.pem", "no certificate is in it"]);
    let of_variable = caller("cat f").env("AWS_CA_BUNDLE", "empty.pem").run();
    of_variable.failed(253, &["AWS_CA_BUNDLE empty.pem", "no certificate is in it"]);
    let of_profile = caller("cat f --profile own").run();
    of_profile.failed(253, &["the profile's ca_bundle empty.pem", "no certificate is in it"]);
}

#[test]
fn a_missing_permission_is_named() {
    let home = Home::new();
    let resource = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    let service = Endpoint::start(move |_| {
        let message = format!(
            "User: arn:aws:iam::123456789012:user/u is not authorized to perform: \
             lambda:InvokeFunction on resource: {resource}"
        );
        let body = serde_json::json!({"Message": message}).to_string();
        let head = format!(
            "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: AccessDeniedException\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body.as_bytes()].concat()
    });
    let ran: Ran = cat(&home, &service, "").envs(&CREDENTIALS).run();
    ran.failed(254, &["lambda:InvokeFunction", resource, "AccessDeniedException"]);
}
