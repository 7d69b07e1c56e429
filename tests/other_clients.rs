//! Other vendors of clients: in, boto3 and @aws-sdk/client-lambda as their registries have them; out,
//! the proof that they stream from the service unmodified and raise their own typed errors.
//!
//! `tests/other_clients/install.sh` installs both. Where one is missing the test says so and skips,
//! but fails if `CI` or `REQUIRE_OTHER_CLIENTS` is set.

use local_lambda::{Function, LocalLambda, Logs};
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[tokio::test(flavor = "multi_thread")]
async fn boto3_streams_unmodified() {
    let Some(python) = find("boto3", "OTHER_CLIENTS_PYTHON", "python/bin/python", |python| {
        succeeds(Command::new(python).args(["-c", "import boto3"]))
    }) else {
        return;
    };
    passes(&python, &["stream.py".as_ref()], None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_sdk_for_javascript_streams_unmodified() {
    let Some(installed) = find("@aws-sdk/client-lambda", "OTHER_CLIENTS_NODE", "node", |folder| {
        folder.join("node_modules/@aws-sdk/client-lambda/package.json").is_file()
            && succeeds(Command::new("node").arg("--version"))
    }) else {
        return;
    };
    passes(Path::new("node"), &["stream.mjs".as_ref()], Some(installed.as_os_str())).await;
}

/// Where a client is: as the variable says, or where the script installs it. None of the two is a
/// reason to skip, aloud, unless the client is required.
fn find(
    client: &str,
    variable: &str,
    installed: &str,
    works: impl Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let place = std::env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(ROOT).join("target/other-clients").join(installed));
    if works(&place) {
        return Some(place);
    }
    let missing = format!("{client} is not installed; run tests/other_clients/install.sh");
    let required =
        ["CI", "REQUIRE_OTHER_CLIENTS"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!required, "{missing}");
    // Not by a macro, whose words the test harness keeps to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}");
    None
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs a client's program against a service of its own.
async fn passes(program: &Path, script: &[&OsStr], argument: Option<&OsStr>) {
    let function = function_raw();
    let local = LocalLambda::builder()
        .logs(Logs::Discard)
        .function(Function::new("raw", &function))
        .function(Function::new("single", &function).concurrency(1))
        .start()
        .await
        .unwrap();
    let mut command = Command::new(program);
    command
        .args(script)
        .arg(local.endpoint_url())
        .args(argument)
        .current_dir(Path::new(ROOT).join("tests/other_clients"));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    local.shutdown().await;
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim() == "passed", "{said}{complained}");
}

/// The misbehaving function among the service's examples. It belongs to another package, whose
/// examples are not built before this package's tests, so it is built here.
fn function_raw() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "local-lambda", "--example", "function_raw"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    // This program is in TARGET/PROFILE/deps; what was built just now is of the profile "dev".
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap();
    target.join("debug/examples/function_raw")
}
