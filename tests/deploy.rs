//! The templates of `deploy/` come in, as they are in the repository; out comes what cfn-lint, the
//! translator of SAM and moto make of them, by the tests in `deploy/tests`.
//!
//! `tests/other_clients/install.sh` installs the three. Where one is missing the test says so and skips,
//! but fails if `CI` or `REQUIRE_OTHER_CLIENTS` is set.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn templates_are_what_they_say() {
    let Some(python) = python() else { return };
    let output = Command::new(python)
        .args(["-B", "-m", "unittest", "discover", "-v", "-s", "deploy/tests"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // Before 3.12 Python is content with no test at all.
    let ran = said.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next());
    let ran: u32 = ran.and_then(|number| number.parse().ok()).unwrap_or(0);
    let files = std::fs::read_dir(Path::new(ROOT).join("deploy/tests")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let modules: Vec<_> = names.filter(|name| name.starts_with("test_")).collect();
    assert!(ran as usize > modules.len(), "{ran} tests of {modules:?}: {said}");
    for module in modules {
        let module = module.trim_end_matches(".py");
        assert!(said.contains(&format!("({module}.")), "none of {module}: {said}");
    }
}

/// A Python that has the packages: as the variable says, or where the script installs them. None of the
/// two is a reason to skip, aloud, unless it is required.
fn python() -> Option<PathBuf> {
    let place = std::env::var_os("OTHER_CLIENTS_PYTHON").map_or_else(
        || Path::new(ROOT).join("target/other-clients/python/bin/python"),
        PathBuf::from,
    );
    let has_packages = Command::new(&place)
        .args(["-c", "import boto3, cfnlint, moto, samtranslator"])
        .output()
        .is_ok_and(|output| output.status.success());
    if has_packages {
        return Some(place);
    }
    let missing = "cfn-lint, aws-sam-translator or moto is not installed; \
                   run tests/other_clients/install.sh";
    let required =
        ["CI", "REQUIRE_OTHER_CLIENTS"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!required, "{missing}");
    // Not by a macro, whose words the test harness keeps to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}");
    None
}
