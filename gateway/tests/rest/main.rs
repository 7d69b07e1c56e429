//! The templates of `deploy/` come in, with functions of this machine; the REST APIs in them must answer as
//! those of the service do, tried with curl.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../authorization/support.rs"]
#[allow(dead_code)]
mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use support::{program, run};

/// A REST API that answers, until it is dropped.
struct Api {
    gateway: Child,
    /// Of the stage, with a slash at its end.
    url: String,
    stderr: Option<JoinHandle<Vec<String>>>,
}

/// What curl got.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    exit: i32,
}

impl Api {
    fn start(arguments: &[&str]) -> Self {
        let (gateway, url, stderr) = run(&[&["emulate"], arguments].concat());
        Self { gateway, url: format!("http://{url}"), stderr: Some(stderr) }
    }

    fn get(&self, path: &str, headers: &[&str]) -> Answer {
        self.curl(path, headers, &[])
    }

    fn curl(&self, path: &str, headers: &[&str], more: &[&str]) -> Answer {
        let root = self.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let url = match path.strip_prefix('/') {
            Some(_) => format!("{root}{path}"),
            None => format!("{}{path}", self.url),
        };
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "60", "--path-as-is", "-D", "/dev/stderr", &url])
            .args(more);
        for header in headers {
            curl.args(["-H", header]);
        }
        let output = curl.output().unwrap();
        let head = String::from_utf8(output.stderr).unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("{head}")),
            head: head.to_ascii_lowercase(),
            body: output.stdout,
            exit: output.status.code().unwrap(),
        }
    }

    /// Ends it; what it said.
    fn end(mut self) -> String {
        self.gateway.kill().unwrap();
        self.gateway.wait().unwrap();
        self.stderr.take().unwrap().join().unwrap().join("\n")
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn is(&self, status: u16, kind: &str, body: Value) {
        assert_eq!((self.status, self.json()), (status, body), "{}", self.head);
        assert!(
            self.head.contains(&format!("x-amzn-errortype: {}", kind.to_lowercase())),
            "{}",
            self.head
        );
        self.has_ids();
    }

    fn has_ids(&self) {
        for name in ["x-amzn-requestid: ", "x-amz-apigw-id: "] {
            assert!(self.head.contains(name), "{name} in {}", self.head);
        }
    }
}

fn deploy(file: &str) -> String {
    format!("{}/../deploy/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// The template of a REST API that streams, with one key for the API, and two for its authorizer.
fn rest_stream() -> Api {
    let sum = |key: &str| {
        let sum = Sha256::digest(key);
        sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let settings = format!(
        "[scopes]\nread = [\"GET /objects/*\", \"GET /1MiB\", \"POST /\"]\n\
         [[keys]]\nname = \"ann\"\nsha256 = \"{}\"\nscopes = [\"read\"]\n\
         [[keys]]\nname = \"bob\"\nsha256 = \"{}\"\nscopes = [\"read\"]\n",
        sum("key of ann"),
        sum("key of bob"),
    );
    Api::start(&[
        &deploy("rest-stream.yaml"),
        &format!("--function=Function='{}'", program("gateway_serving").display()),
        &format!("--function=AuthorizerFunction='{}'", program("gateway_authorizer").display()),
        &format!("--parameter=AuthorizerSettings={settings}"),
        "--parameter=IdentityHeader=x-api-key",
        "--api-key=key of ann",
        "--api-key=key of eve",
    ])
}

const ANN: &[&str] = &["x-api-key: key of ann"];

#[test]
fn the_template_of_a_rest_api_streams_and_lets_in_whom_it_should() {
    let api = rest_stream();
    assert!(api.url.ends_with("/live/"), "{}", api.url);
    let answer = api.get("1MiB", ANN);
    assert_eq!((answer.status, answer.exit, answer.body.len()), (200, 0, 1024 * 1024));
    answer.has_ids();
    assert!(answer.head.contains("x-amzn-remapped-content-length: 1048576"), "{}", answer.head);
    assert!(answer.head.contains("transfer-encoding: chunked"), "{}", answer.head);
    assert!(!answer.head.contains("x-request-id"), "{}", answer.head);
    let part = api.get("1MiB", &[ANN[0], "range: bytes=7-16"]);
    assert_eq!((part.status, &part.body[..]), (206, &answer.body[7..17]));

    let unauthorized = json!({"message": "Unauthorized"});
    api.get("1MiB", &[]).is(401, "UnauthorizedException", unauthorized.clone());
    let wrong = api.get("1MiB", &["x-api-key: key of nobody"]);
    wrong.is(401, "UnauthorizedException", unauthorized.clone());
    let empty = api.get("1MiB", &["x-api-key;"]);
    empty.is(401, "UnauthorizedException", unauthorized.clone());
    let twice = api.get("1MiB", &[ANN[0], "x-api-key: key of eve"]);
    twice.is(401, "UnauthorizedException", unauthorized.clone());
    // Known to the API, not to the authorizer, which is asked first; and the other way round.
    let eve = api.get("1MiB", &["x-api-key: key of eve"]);
    eve.is(401, "UnauthorizedException", unauthorized);
    let bob = api.get("1MiB", &["x-api-key: key of bob"]);
    bob.is(403, "ForbiddenException", json!({"message": "Forbidden"}));
    let other = json!({"Message": "User is not authorized to access this resource"});
    api.get("2MiB", ANN).is(403, "AccessDeniedException", other);

    let missing = json!({"message": "Missing Authentication Token"});
    for path in ["/1MiB", "/test/1MiB", "/live", "/lively/1MiB"] {
        let answer = api.get(path, ANN);
        answer.is(403, "MissingAuthenticationTokenException", missing.clone());
    }
    let put = api.curl("1MiB", ANN, &["-X", "PUT"]);
    put.is(403, "MissingAuthenticationTokenException", missing);
    let said = api.end();
    for note in ["UsagePlan", "MethodSettings", "left out"] {
        assert!(said.contains(note), "{note} in {said}");
    }
    assert!(!said.contains("key of"), "{said}");
}

#[test]
fn a_native_template_is_read_and_its_signatures_are_wanted() {
    let api = Api::start(&[
        &deploy("cross-region/1-api.yaml"),
        "--parameter=FunctionAliasArn=arn:aws:lambda:eu-west-1:123456789012:function:echo:live",
        &format!("--function=echo='{}'", program("echo_function").display()),
        "--stage=v1",
    ]);
    assert!(api.url.ends_with("/v1/"), "{}", api.url);
    let missing = json!({"message": "Missing Authentication Token"});
    api.get("a/b", &[]).is(403, "MissingAuthenticationTokenException", missing);
    let signed = ["authorization: AWS4-HMAC-SHA256 Credential=x", "x-a: 1", "x-a: 2"];
    let answer = api.get("a/b?c=d&c=e", &signed);
    assert_eq!((answer.status, answer.exit), (200, 0), "{}", answer.head);
    let event = answer.json();
    assert_eq!(event["resource"], "/{proxy+}");
    assert_eq!(event["path"], "/a/b");
    assert_eq!(event["pathParameters"], json!({"proxy": "a/b"}));
    assert_eq!(event["multiValueQueryStringParameters"], json!({"c": ["d", "e"]}));
    assert_eq!(event["multiValueHeaders"]["x-a"], json!(["1", "2"]));
    assert_eq!(event.get("version"), None);
    let context = &event["requestContext"];
    assert_eq!(context["stage"], "v1");
    assert_eq!(context["path"], "/v1/a/b");
    assert_eq!(context["resourcePath"], "/{proxy+}");
    assert_eq!(context["accountId"], "123456789012");
    assert_eq!(context.get("authorizer"), None);
    let said = api.end();
    for note in ["Policy is not applied", "nobody checks the signature", "left out"] {
        assert!(said.contains(note), "{note} in {said}");
    }
}

#[test]
fn an_authorizer_of_any_kind_is_honoured_and_a_broken_one_opens_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("template.json");
    let uri = |way: &str, function: &str, end: &str| {
        json!({"Fn::Sub": format!(
            "arn:aws:apigateway:${{AWS::Region}}:lambda:path/{way}/functions/${{{function}.Arn}}/{end}"
        )})
    };
    let template = json!({
        "Resources": {
            "Echo": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 1}},
            "Door": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": 1}},
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {
                "Name": "a", "EndpointConfiguration": {"Types": ["REGIONAL"]}
            }},
            "Token": {"Type": "AWS::ApiGateway::Authorizer", "Properties": {
                "RestApiId": {"Ref": "Api"}, "Type": "TOKEN", "AuthorizerResultTtlInSeconds": 60,
                "AuthorizerUri": uri("2015-03-31", "Door", "invocations"),
                "IdentitySource": "method.request.header.Authorization",
            }},
            "Method": {"Type": "AWS::ApiGateway::Method", "Properties": {
                "RestApiId": {"Ref": "Api"}, "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "HttpMethod": "ANY", "AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": "Token"},
                "Integration": {"Type": "AWS_PROXY", "ResponseTransferMode": "STREAM",
                    "Uri": uri("2021-11-15", "Echo", "response-streaming-invocations")},
            }},
            "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"StageName": "s"}},
        }
    });
    std::fs::write(&file, template.to_string()).unwrap();
    let api = Api::start(&[
        &file.display().to_string(),
        &format!("--function=Echo='{}'", program("echo_function").display()),
        &format!("--function=Door='{}'", program("authorizer_function").display()),
    ]);
    let allowed = api.get("", &["authorization: allow-this"]);
    assert_eq!(allowed.status, 200, "{}", allowed.head);
    let told = json!({"principalId": "ann", "tenant": "blue", "level": "7", "admin": "false"});
    assert_eq!(allowed.json()["requestContext"]["authorizer"], told);
    // What no policy can name is no method of an API, and what can be read in two ways is no path.
    for method in ["*", "delete", "TRACE"] {
        let odd = api.curl("", &["authorization: allow-this"], &["-X", method]);
        let missing = json!({"message": "Missing Authentication Token"});
        odd.is(403, "MissingAuthenticationTokenException", missing);
    }
    for path in ["%2f", "a%2Fb", "../s/", "/s//", "a%5cb", "%2e"] {
        let odd = api.get(path, &["authorization: allow-this"]);
        odd.is(400, "BadRequestException", json!({"message": "Bad Request"}));
    }
    let post = api.curl("", &["authorization: allow-this"], &["-X", "POST"]);
    let denied = json!({"Message": "User is not authorized to access this resource"});
    post.is(403, "AccessDeniedException", denied);
    let denied =
        json!({"Message": "User is not authorized to access this resource with an explicit deny"});
    api.get("", &["authorization: deny"]).is(403, "AccessDeniedException", denied);
    let nobody = api.get("", &["authorization: nobody"]);
    nobody.is(401, "UnauthorizedException", json!({"message": "Unauthorized"}));
    for broken in ["fail", "garbage", "hang"] {
        let answer = api.get("", &[&format!("authorization: {broken}")]);
        answer.is(500, "AuthorizerConfigurationException", json!({"message": null}));
    }
}

#[test]
fn functions_that_fail_before_their_head_and_time_that_is_over() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("template.yaml");
    let template = "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      Events:\n        \
        B: {Type: Api, Properties: {Path: /b, Method: get, TimeoutInMillis: 500}}\n        \
        S: {Type: Api, Properties: {Path: /s, Method: get, ResponseTransferMode: RESPONSE_STREAM, TimeoutInMillis: 500}}\n";
    std::fs::write(&file, template).unwrap();
    let api = Api::start(&[
        &file.display().to_string(),
        &format!("--function=F='{}'", program("authorizer_function").display()),
    ]);
    assert!(api.url.ends_with("/Prod/"), "{}", api.url);
    let internal = json!({"message": "Internal server error"});
    let kind = "InternalServerErrorException";
    // An answer that is none of a proxy integration, and an error.
    api.get("b", &["x-who: garbage"]).is(502, kind, internal.clone());
    api.get("b", &["x-who: fail"]).is(502, kind, internal.clone());
    api.get("s", &["x-who: fail"]).is(502, kind, internal);
    let late = json!({"message": "Endpoint request timed out"});
    for path in ["b", "s"] {
        api.get(path, &["x-who: hang"]).is(504, kind, late.clone());
    }
}

#[test]
fn what_is_wrong_is_told_by_the_part_of_the_template() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("template.yaml");
    let template = "Resources:
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: s}}
  F:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        One: {Type: Api, Properties: {Path: /a, Method: get}}
        Two: {Type: Api, Properties: {Path: /a, Method: get}}
";
    std::fs::write(&file, template).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_stream-gateway"))
        .args(["emulate", &file.display().to_string()])
        .arg(format!("--function=F={}", program("echo_function").display()))
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("the method of \"/a\": a route before this one"), "{told}");
    assert!(!told.contains("the template:"), "{told}");
    let refused = Command::new(env!("CARGO_BIN_EXE_stream-gateway"))
        .args(["emulate", &deploy("rest-stream.yaml"), "--parameter=AuthorizerSettings=x"])
        .args(["--api-key", ""])
        .output()
        .unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("an API key is empty"), "{told}");
}

#[test]
fn nobodys_credentials_are_looked_for() {
    let folder = tempfile::TempDir::new().unwrap();
    let (config, asked) = (folder.path().join("config"), folder.path().join("asked"));
    let process = format!("[default]\ncredential_process = touch {}\n", asked.display());
    std::fs::write(&config, process).unwrap();
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_stream-gateway"))
        .args(["emulate", &deploy("cross-region/1-api.yaml")])
        .arg(
            "--parameter=FunctionAliasArn=arn:aws:lambda:eu-west-1:123456789012:function:echo:live",
        )
        .arg(format!("--function=echo={}", program("echo_function").display()))
        .env("AWS_CONFIG_FILE", &config)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_PROFILE")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(gateway.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").map(str::to_owned);
    let api = Api { gateway, url: url.unwrap_or_else(|| panic!("{line:?}")), stderr: None };
    let answer = api.get("a", &["authorization: AWS4-HMAC-SHA256 Credential=x"]);
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert!(!asked.exists());
}
