//! Everything that may be wrong with a file is told with its line, in words that say what to do.

use stream_gateway::Config;

use crate::support::{Folder, SOMEWHERE, text};

/// A route that is right, in four lines.
const ROUTE: &str =
    "[[routes]]\npath = \"/a\"\nauthorizer = \"none\"\nlambda = { function = \"f\" }\n";

#[test]
fn each_mistake_is_told_by_its_line() {
    let routes = |line: &str, rest: &str| format!("[[routes]]\n{line}\n{rest}");
    let rest = "authorizer = \"none\"\nlambda = { function = \"f\" }\n";
    let path = |path: &str| routes(&format!("path = \"{path}\""), rest);
    let with = |line: &str| format!("{ROUTE}{line}\n");
    let cases: Vec<(String, usize, &str)> = vec![
        // TOML itself, and keys.
        ("listen = \n".into(), 1, "string"),
        ("\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n".into(), 3, "duplicate key"),
        ("\nlisen = \"127.0.0.1:1\"\n".into(), 2, "no key lisen here: did you mean listen?"),
        (with("tiemouts = { idle = \"1s\" }"), 5, "did you mean timeouts?"),
        (with("timeouts = { iddle = \"1s\" }"), 5, "did you mean idle?"),
        ("[limits]\nheader = \"8KiB\"\n".into(), 2, "did you mean headers?"),
        ("[aws]\nregio = \"eu-west-1\"\n".into(), 2, "did you mean region?"),
        ("x = 1\n".into(), 1, "no key x here, only"),
        ("[[routes]]\nauthorizer = \"none\"\n".into(), 1, "path is missing here"),
        // Addresses.
        ("listen = \"localhost:80\"\n".into(), 1, "write 127.0.0.1:8080"),
        ("listen = \"127.0.0.1\"\n".into(), 1, "no address with a port"),
        ("listen = []\n".into(), 1, "nowhere to listen"),
        ("listen = 8080\n".into(), 1, "an address such as"),
        ("listen = [\n\"127.0.0.1:1\",\n\"here\",\n]\n".into(), 3, "\"here\" is no address"),
        ("listen = [\n\"127.0.0.1:1\",\n\"127.0.0.1:1\"]\n".into(), 3, "there already"),
        ("listen = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:1\"\n".into(), 2, "there already"),
        ("admin = \"9090\"\n".into(), 1, "no address with a port"),
        // Times and sizes.
        ("shutdown_grace = \"soon\"\n".into(), 1, "\"soon\" is no time: write 250ms, 30s or 15m"),
        ("shutdown_grace = \"0s\"\n".into(), 1, "no time at all"),
        (with("timeouts = { idle = 30 }"), 5, "30 of what? write \"30s\""),
        (with("timeouts = { idle = true }"), 5, "write a time with its unit, such as \"30s\""),
        (with("timeouts = \"30s\""), 5, "write timeouts = { idle = \"30s\" }"),
        ("[routes]\n".into(), 1, "[[NAME]] for one of tables"),
        ("tls = \"c.pem\"\n".into(), 1, "write tls = { certificate"),
        (with("timeouts = {\n  idle = \"1s\",\n  total = \"1 fortnight\" }"), 7, "is no time"),
        ("[timeouts]\nidle = \"-1s\"\n".into(), 2, "is no time"),
        (with("timeouts = { total = \"400d\" }"), 5, "a year (365d) at most"),
        ("[limits]\nheader_read_timeout = \"18446744073709551615s\"\n".into(), 2, "a year"),
        (with("[segments]\nmemory_limit = \"4097MiB\""), 5, "to 4 GiB"),
        (with("body_max = \"lots\""), 5, "\"lots\" is no size: write 64KiB, 6MB or 1048576"),
        (with("body_max = -1"), 5, "-1 is no size"),
        (with("body_max = [1]"), 5, "a size: 64KiB"),
        ("[limits]\nheaders = \"1KiB\"\n".into(), 2, "8KiB at least, 1MiB at most"),
        ("[limits]\nconnections = 0\n".into(), 2, "a whole number, from 1 on"),
        ("[limits]\nstreams_per_connection = -5\n".into(), 2, "a whole number, from 1 on"),
        // TLS and AWS.
        ("tls = { certificate = \"c.pem\" }\n".into(), 1, "key is missing here"),
        ("[tls]\ncertificate = \"c.pem\"\nkeys = \"k.pem\"\n".into(), 3, "did you mean key?"),
        ("[aws]\nendpoint_url = \"127.0.0.1:9000\"\n".into(), 2, "no URL of a service"),
        ("[aws]\nendpoint_url = \"http://u:p@h/\"\n".into(), 2, "no URL of a service"),
        ("[aws]\nrole_arn = \"admin\"\n".into(), 2, "\"admin\" is no role"),
        // Routes.
        (path("a"), 2, "it begins with a slash"),
        (path("/{a+}/b"), 2, "{a+} takes all that is left, so it comes last"),
        (path("/{}"), 2, "a name is missing"),
        (path("/{a}/{a}"), 2, "the name a is there twice"),
        (path("/{a"), 2, "braces"),
        (path("/x{a}"), 2, "braces"),
        (path("/a b"), 2, "' ' in it"),
        (path("/a?b"), 2, "'?' in it"),
        (format!("{ROUTE}{ROUTE}"), 6, "the same path and method (/a)"),
        (format!("{}{}", path("/{a}/b"), path("/{c}/b")), 6, "the same path and method (/{a}/b)"),
        (with("methods = [\n  \"GET\",\n  \"CONNECT\"]"), 7, "this is no proxy"),
        (with("methods = [\"get\"]"), 5, "\"get\" is no method: write GET"),
        (with("methods = [\n  \"GET\",\n  \"A B\",\n]"), 7, "\"A B\" is no method"),
        (
            "[[routes]]\npath = \"/a\"\nlambda = { function = \"f\" }\n".into(),
            2,
            "who may come here? name an authorizer",
        ),
        (
            "[[routes]]\npath = \"/a\"\nauthorizer = \"nobody\"\nlambda = { function = \"f\" }\n"
                .into(),
            3,
            "no authorizer \"nobody\"",
        ),
        (
            "[[routes]]\npath = \"/a\"\nauthorizer = \"none\"\n".into(),
            2,
            "a route needs one upstream",
        ),
    ];
    for (file, line, reason) in cases {
        let complaints = Config::parse(&file, "gateway.toml").expect_err(&file);
        let told = complaints.to_string();
        let first = complaints.iter().next().unwrap();
        assert!(first.reason().contains(reason), "{file}\n{told}");
        assert_eq!(first.line(), Some(line), "{file}\n{told}");
        assert_eq!(told, format!("gateway.toml:{line}: {}", first.reason()), "{file}: one line");
    }
}

#[test]
fn what_is_as_much_as_there_may_be_is_taken() {
    for most in ["[segments]\nmemory_limit = \"4GiB\"", "[timeouts]\ntotal = \"365d\""] {
        Config::parse(&format!("{most}\n{ROUTE}"), "gateway.toml").expect(most);
    }
}

#[test]
fn without_a_route_there_is_nothing_to_serve() {
    for file in ["", "\n# routes\n", "listen = \"127.0.0.1:1\"\n"] {
        let told = Config::parse(file, "gateway.toml").unwrap_err().to_string();
        assert!(told.starts_with("gateway.toml: there is no route in it"), "{told}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_in_order() {
    let file = "listen = \"here\"\n\n[[routes]]\npath = \"/a\"\n\n\
        [[routes]]\npath = \"/{a+}/b\"\nauthorizer = \"none\"\nlambda = { function = \"f\" }\n\n\
        [aws]\nrole_arn = \"admin\"\n";
    let complaints = Config::parse(file, "g.toml").unwrap_err();
    let lines: Vec<_> = complaints.iter().map(|complaint| complaint.line().unwrap()).collect();
    assert_eq!(lines, [1, 4, 7, 12], "{complaints}");
    assert_eq!(complaints.to_string().lines().count(), 4);
}

#[test]
fn the_same_path_may_be_there_for_other_methods_and_by_other_names() {
    let get = "[[routes]]\npath = \"/a/{x}\"\nmethods = [\"GET\"]\nauthorizer = \"none\"\n\
        lambda = { function = \"f\" }\n";
    let post = get.replace("GET", "POST").replace("{x}", "{y}");
    let any = get.replace("methods = [\"GET\"]\n", "");
    let rest = any.replace("{x}", "{rest+}");
    let config = Config::parse(&format!("{get}{post}{any}{rest}"), "g.toml").unwrap();
    assert_eq!(config.route_count(), 4);
}

#[test]
fn what_others_reach_is_said_and_served() {
    let parse = |first: &str| Config::parse(&format!("{first}{ROUTE}"), "g.toml").unwrap();
    let open = parse("listen = [\"127.0.0.1:1\",\n\"0.0.0.0:2\"]\n");
    let notes: Vec<_> = open.notes().iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].starts_with("g.toml:2: 0.0.0.0:2: others reach this without TLS"),
        "{notes:?}"
    );
    // Also by the flag, which has no line; and not where the flag takes the place of the file's.
    let flag =
        Config::parse(SOMEWHERE, "g.toml").unwrap().listen_on(vec!["0.0.0.0:0".parse().unwrap()]);
    assert!(flag.notes()[0].to_string().starts_with("g.toml: 0.0.0.0:0: others reach this"));
    assert!(open.listen_on(vec!["127.0.0.1:0".parse().unwrap()]).notes().is_empty());
    let admin = parse("admin = \"[::]:9090\"\n");
    assert!(admin.notes()[0].reason().contains("metrics"));
    let tls = "listen = \"0.0.0.0:2\"\ntls = { certificate = \"c\", key = \"k\" }\n";
    assert!(parse(tls).notes().is_empty());
}

#[test]
fn the_program_refuses_a_bad_file_with_exit_code_2() {
    let folder = Folder::new();
    folder.write("gateway.toml", "listen = \"here\"\nadmin = \"there\"\n");
    for command in ["run gateway.toml", "check gateway.toml"] {
        let output = folder.output(command);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(output.stdout.is_empty());
        let told = text(&output.stderr);
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told}");
        assert!(lines[0].starts_with("gateway.toml:1: \"here\" is no address"), "{told}");
        assert!(lines[1].starts_with("gateway.toml:2: \"there\" is no address"), "{told}");
    }
    let output = folder.output("run nowhere.toml");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("nowhere.toml: cannot be read: "));
}
