//! Requests come in whose path or method is written in an odd way, byte by byte; they must find the route that the
//! function behind reads in them, or nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Setup, program, run};

/// The status and the body of an answer to a request that no client's library touched.
fn raw(address: &str, method: &str, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{path}: {answer}")), answer)
}

/// Paths that a function reads as `/door/s`, or as who knows what.
const ODD: [&str; 19] = [
    "/door%2fs",
    "/door%2Fs",
    "/door%252fs",
    "/%2fdoor/s",
    "//door/s",
    "/door//s",
    "/a//b",
    "/a/../door/s",
    "/a/%2e%2E/door/s",
    "/a/%252e%252e/door/s",
    "/a/..;/door/s",
    "/./door/s",
    "/door%5cs",
    "/door\\s",
    "/a%5c..%5cdoor/s",
    "/door%00/s",
    "/door/s%0a",
    "/%zz",
    "/100%",
];

const KEYS: &str = "[authorizers.staff]
kind = \"api-keys\"
keys = [{ name = \"ci\", sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\" }]
";

#[test]
fn no_spelling_of_a_path_goes_round_its_authorizer() {
    let echo = program("echo_function").display().to_string();
    let folder = tempfile::TempDir::new().unwrap();
    let route = |path: &str, authorizer: &str| {
        format!(
            "[[routes]]\npath = {path:?}\nauthorizer = {authorizer:?}\nlocal = {{ command = {echo:?} }}\n"
        )
    };
    let file = folder.path().join("gateway.toml");
    let config = [
        "listen = \"127.0.0.1:0\"\n".to_owned(),
        KEYS.to_owned(),
        route("/door/{rest+}", "staff"),
        // As a template may be written as well.
        route("/b%61ck/a%21", "staff"),
        route("/{rest+}", "none"),
    ];
    std::fs::write(&file, config.concat()).unwrap();
    let (mut gateway, address, _) = run(&["run", &file.display().to_string()]);
    for path in
        ["/door/s", "/%64oor/s", "/%64%6F%6f%72/%73", "/back/a!", "/back/a%21", "/%62ack/%61!"]
    {
        assert_eq!(raw(&address, "GET", path, "").0, 401, "{path}");
        let (status, body) = raw(&address, "GET", path, "x-api-key: abc\r\n");
        assert_eq!(status, 200, "{path}");
        // The function sees what the client wrote.
        assert!(body.contains(path), "{path}: {body}");
    }
    for path in ODD {
        for headers in ["", "x-api-key: abc\r\n"] {
            let (status, body) = raw(&address, "GET", path, headers);
            assert_eq!(status, 400, "{path}: {body}");
            assert!(body.contains("more ways than one"), "{path}: {body}");
        }
    }
    // What is no other path.
    for path in ["/open/", "/a%20b", "/a%25b", "/%c3%a4", "/a..b", "/DOOR/s", "/%2561"] {
        assert_eq!(raw(&address, "GET", path, "").0, 200, "{path}");
    }
    gateway.kill().unwrap();
    gateway.wait().unwrap();
}

// Of several threads: the functions' service answers in this process while a request is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_method_that_a_policy_can_name_is_asked_about() {
    let setup = Setup::start(crate::TOKEN).await;
    let allowed = "authorization: Bearer allow-all\r\n";
    for method in ["*", "delete", "Get", "PURGE", "TRACE", "$connect", "G%45T"] {
        let (status, answer) = raw(setup.address(), method, "/objects/a", allowed);
        assert_eq!(status, 405, "{method}: {answer}");
        assert!(answer.contains("allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"), "{answer}");
    }
    assert_eq!(setup.calls().len(), 0);
    assert_eq!(raw(setup.address(), "DELETE", "/objects/a", allowed).0, 200);
    // Without an authorizer it is the function's word.
    assert_eq!(raw(setup.address(), "PURGE", "/open", "").0, 200);
}
