//! Another gateway's configuration comes in; our routes go to stdout, and what will be otherwise to stderr.

mod apisix;
mod kong;

// The library's own file: the command is another crate, and the library has no public face for it.
#[path = "../document.rs"]
mod document;
mod imported;

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use super::{Failure, print, say};
use imported::Imported;

/// From APISIX: a route with the plugin `aws-lambda`, or that plugin's object.
pub(super) fn apisix(file: &Path) -> Result<ExitCode, Failure> {
    from(file, apisix::import)
}

/// From Kong: a declarative configuration whose routes have the plugin `aws-lambda`, or that plugin.
pub(super) fn kong(file: &Path) -> Result<ExitCode, Failure> {
    from(file, kong::import)
}

fn from(
    file: &Path,
    import: impl Fn(&str) -> Result<Imported, String>,
) -> Result<ExitCode, Failure> {
    let name = file.display().to_string();
    let text = text(file).map_err(|error| Failure::Refused(format!("{name}: {error}")))?;
    let imported = import(&text).map_err(|reason| Failure::Refused(format!("{name}: {reason}")))?;
    for warning in &imported.warnings {
        say(&format!("{name}: {warning}"));
    }
    print(imported.toml.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn text(file: &Path) -> std::io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        return std::io::stdin().read_to_string(&mut text).map(|_| text);
    }
    std::fs::read_to_string(file)
}
