//! `check` says what can be said without starting anything.

use crate::support::{ANYWHERE, Folder, Program, SOMEWHERE, certificate, text};

#[test]
fn a_right_file_is_said_to_be() {
    let folder = Folder::new();
    let (certificate, key) = certificate();
    folder.write("c.pem", certificate);
    folder.write("k.pem", key);
    folder.write(
        "gateway.toml",
        format!(
            "listen = \"0.0.0.0:8080\"\ntls = {{ certificate = \"c.pem\", key = \"k.pem\" }}\n{SOMEWHERE}"
        ),
    );
    let output = folder.output("check gateway.toml");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout), "gateway.toml: nothing wrong, 1 route\n");
    assert!(output.status.success());
}

#[test]
fn files_that_cannot_be_used_are_told_by_their_lines() {
    let folder = Folder::new();
    let (certificate, key) = certificate();
    let (_, other) = crate::support::certificate();
    folder.write("c.pem", certificate);
    folder.write("k.pem", &key);
    folder.write("other.pem", &other);
    folder.write("empty.pem", "");
    for (tls, line, reason) in [
        ("certificate = \"no.pem\"\nkey = \"k.pem\"", 2, "the certificate no.pem cannot be read"),
        ("certificate = \"empty.pem\"\nkey = \"k.pem\"", 2, "has no certificate in PEM"),
        ("certificate = \"k.pem\"\nkey = \"k.pem\"", 2, "has no certificate in PEM"),
        ("certificate = \"c.pem\"\nkey = \"no.pem\"", 3, "the key no.pem cannot be read"),
        ("certificate = \"c.pem\"\nkey = \"c.pem\"", 3, "has no private key in PEM"),
        ("certificate = \"c.pem\"\nkey = \"other.pem\"", 3, "is not the certificate's"),
    ] {
        folder.write(
            "gateway.toml",
            format!("[tls]\n{tls}\n[aws]\nca_bundle = \"empty.pem\"\n{SOMEWHERE}"),
        );
        for command in ["check gateway.toml", "run gateway.toml"] {
            let output = folder.output(command);
            let told = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{tls}: {told}");
            let first = format!("gateway.toml:{line}: ");
            assert!(told.starts_with(&first) && told.contains(reason), "{tls}: {told}");
            let secret = key.lines().nth(1).unwrap();
            assert!(!told.contains(secret), "{told}");
        }
        let told = text(&folder.output("check gateway.toml").stderr);
        assert!(told.contains("gateway.toml:5: ca_bundle empty.pem: "), "{told}");
    }
}

#[test]
fn a_proxy_that_is_none_is_told_without_its_password() {
    let folder = Folder::new();
    folder.write("gateway.toml", SOMEWHERE);
    let output =
        folder.command("check gateway.toml").env("HTTPS_PROXY", "socks9://u:hush@h").output();
    let output = output.unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.starts_with("gateway.toml: HTTPS_PROXY: ") && !told.contains("hush"), "{told}");
}

#[test]
fn help_has_examples() {
    let folder = Folder::new();
    for line in ["--help", "run --help"] {
        let help = text(&folder.output(line).stdout);
        assert!(help.contains("stream-gateway run gateway.toml"), "{help}");
    }
    assert!(text(&folder.output("import apisix --help").stdout).contains("aws-lambda"));
}

#[test]
fn functions_need_a_region_and_urls_may_have_their_own() {
    let folder = Folder::new();
    let route = "[[routes]]\npath = \"/\"\nauthorizer = \"none\"\n";
    folder.write("gateway.toml", format!("{route}lambda = {{ function = \"f\" }}\n"));
    let refused = folder.output("run gateway.toml");
    assert_eq!(refused.status.code(), Some(2));
    let told = text(&refused.stderr);
    assert!(
        told.contains("gateway.toml:2: no region: write region in [aws], or set AWS_REGION"),
        "{told}"
    );

    let url = "https://abc.lambda-url.eu-west-1.on.aws/";
    let http = format!("{ANYWHERE}{route}http = {{ url = \"{url}\", sign = \"lambda\" }}\n");
    folder.write("gateway.toml", http);
    folder.run();
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let folder = Folder::new();
    let route = "[[routes]]\npath = \"/\"\nauthorizer = \"none\"\n";
    let http = "http = { url = \"https://h/\", api_key_env = \"A_KEY\" }\n";
    folder.write("gateway.toml", format!("{ANYWHERE}{route}{http}"));
    let refused = folder.output("run gateway.toml");
    assert_eq!(refused.status.code(), Some(2));
    let told = text(&refused.stderr);
    assert!(told.starts_with("gateway.toml:3: ") && told.contains("A_KEY"), "{told}");
    let mut command = folder.command("run gateway.toml");
    command.env("A_KEY", "k");
    Program::start(command);
}

/// What `run` would refuse, `check` sees, at the same lines.
#[test]
fn what_run_refuses_is_seen_by_check() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder")).unwrap();
    let route =
        |upstream: &str| format!("[[routes]]\npath = \"/\"\nauthorizer = \"none\"\n{upstream}\n");
    let door = |door: &str| format!("[authorizers.door]\n{door}\n");
    for (file, line, reason) in [
        (
            route("http = { url = \"https://h/\", api_key_env = \"A_KEY\" }"),
            2,
            "variable A_KEY has",
        ),
        (
            route("http = { url = \"https://h/\", api_key_env = \"HUSHhush\" }"),
            2,
            "that api_key_env names",
        ),
        (route("local = { command = \"f\", directory = \"nowhere\" }"), 2, "no such folder"),
        (route("lambda = { function = \"\" }"), 4, "no name of a function"),
        (
            "\naccess_log = \"nowhere/access.log\"\n".into(),
            2,
            "access_log nowhere/access.log: No such",
        ),
        ("access_log = \"./folder\"\n".into(), 1, "access_log ./folder: Is a directory"),
        (
            door(
                "kind = \"lambda\"\ntype = \"TOKEN\"\nidentity = [\"$request.header.Authorization\"]\n\
                 local = { command = \"f\", directory = \"nowhere\" }",
            ),
            1,
            "no such folder",
        ),
        (
            door(
                "kind = \"engine\"\nsettings = { scopes = { read = [\"GET /\"] }, jwt = { issuer = \"https://i\", \
                 audience = [\"me\"], jwks_file = \"nowhere.json\", scopes = [\"read\"] } }",
            ),
            3,
            "nowhere.json",
        ),
    ] {
        folder.write("gateway.toml", format!("{file}{SOMEWHERE}"));
        for command in ["check gateway.toml", "run gateway.toml"] {
            let output = folder.output(command);
            let told = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command} {file}: {told}");
            let first = format!("gateway.toml:{line}: ");
            assert!(told.starts_with(&first) && told.contains(reason), "{command} {file}: {told}");
            assert!(!told.contains("HUSH") && told.lines().count() == 1, "{command}: {told}");
        }
    }
    // Looking makes no file.
    folder.write("gateway.toml", format!("access_log = \"./access.log\"\n{SOMEWHERE}"));
    assert!(folder.output("check gateway.toml").status.success());
    assert!(!folder.path("access.log").exists());
}

#[test]
fn an_engine_that_could_not_be_made_is_told_by_its_line() {
    let folder = Folder::new();
    folder.write("keys.json", "{\"keys\": []}");
    // RFC 8037, appendix A.2.
    folder.write(
        "good.json",
        r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    );
    let route =
        "[[routes]]\npath = \"/\"\nauthorizer = \"door\"\nhttp = { url = \"https://h/\" }\n";
    let jwt = |more: &str| {
        format!(
            "{ANYWHERE}{route}[authorizers.door]\nkind = \"engine\"\nsettings = {{ scopes = {{ a = [\"GET /\"] }}, \
             jwt = {{ {more} }} }}\n"
        )
    };
    let who = "issuer = \"https://i\", audience = [\"me\"]";
    let line = jwt("").lines().count();
    for (settings, reason) in [
        (format!("{who}, jwks_file = \"no.json\""), "no.json"),
        (format!("{who}, jwks_file = \"keys.json\""), "keys.json"),
        (format!("{who}, jwks_env = \"A_JWKS\""), "A_JWKS"),
        (format!("{who}, jwks_file = \"good.json\", scopes = [\"b\"]"), "jwt.scopes"),
        ("issuer = \"\", audience = [\"me\"], jwks_file = \"good.json\"".to_owned(), "jwt.issuer"),
    ] {
        folder.write("gateway.toml", jwt(&settings));
        for command in ["check gateway.toml", "run gateway.toml"] {
            let output = folder.output(command);
            let told = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command}: {settings}: {told}");
            let first = format!("gateway.toml:{line}: ");
            assert!(told.starts_with(&first) && told.contains(reason), "{settings}: {told}");
            // Of its routes nothing else is said.
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
}

#[test]
fn a_method_that_no_policy_can_be_about_is_refused() {
    let folder = Folder::new();
    let route = "[[routes]]\npath = \"/\"\nmethods = [\"GET\", \"PURGE\"]\nauthorizer = \"door\"\n";
    let door =
        "[authorizers.door]\nkind = \"lambda\"\nlambda = { function = \"a\" }\ntype = \"TOKEN\"\n";
    let who = "identity = [\"$request.header.Authorization\"]\n";
    folder.write("gateway.toml", format!("{route}lambda = {{ function = \"f\" }}\n{door}{who}"));
    let output = folder.output("check gateway.toml");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.starts_with("gateway.toml:4: ") && told.contains("PURGE"), "{told}");
}
