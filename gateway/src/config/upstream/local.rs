//! A function that the gateway runs itself, as TOML has it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{EventFormat, Mode, Prelude, Unshown};
use crate::config::quantity;

/// A command that runs under `local-lambda`, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) process: Process,
    pub(crate) event: EventFormat,
    pub(crate) prelude: Prelude,
    pub(crate) mode: Mode,
}

/// What is run. Routes with the same one share it, and it outlives a reload that does not change it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    /// Split into words as a shell would, without one.
    pub(crate) command: Unshown<String>,
    pub(crate) environment: Unshown<BTreeMap<String, String>>,
    /// Where it runs.
    pub(crate) directory: PathBuf,
    pub(crate) limits: ServiceLimits,
    /// Of one invocation.
    pub(crate) timeout: Option<Duration>,
    /// The most environments at once.
    pub(crate) concurrency: Option<NonZeroUsize>,
    /// Invocations that one environment serves at once.
    pub(crate) concurrent_invocations: Option<NonZeroUsize>,
}

/// Which of the service's limits hold.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServiceLimits {
    #[default]
    Off,
    Aws,
}

/// As TOML has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "local = { command = \"PROGRAM\" }")]
pub(in crate::config) struct Table {
    command: String,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    #[serde(default)]
    limits: ServiceLimits,
    #[serde(default, deserialize_with = "quantity::duration")]
    timeout: Option<Duration>,
    concurrency: Option<NonZeroUsize>,
    concurrent_invocations: Option<NonZeroUsize>,
    #[serde(default)]
    event: EventFormat,
    #[serde(default)]
    prelude: Prelude,
    #[serde(default)]
    mode: Mode,
}

impl Table {
    pub(in crate::config) fn read(self, folder: &Path) -> Result<Local, String> {
        check(&self.command)?;
        if !self.environment.keys().all(|name| is_variable(name)) {
            return Err("a name in `environment` is none of an environment variable".into());
        }
        if self.mode == Mode::Buffered && self.prelude != Prelude::Auto {
            return Err("a buffered answer has no head of its own: leave `prelude` out".into());
        }
        let directory = self.directory.map_or(folder.to_owned(), |inside| folder.join(inside));
        let process = Process {
            command: Unshown(self.command),
            environment: Unshown(self.environment),
            directory,
            limits: self.limits,
            timeout: self.timeout,
            concurrency: self.concurrency,
            concurrent_invocations: self.concurrent_invocations,
        };
        Ok(Local { process, event: self.event, prelude: self.prelude, mode: self.mode })
    }
}

/// What a system takes as the name of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[cfg(feature = "local")]
fn check(command: &str) -> Result<(), String> {
    match local_lambda::Function::from_command_line("local", command) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`command`: {error}")),
    }
}

#[cfg(not(feature = "local"))]
fn check(_: &str) -> Result<(), String> {
    Err("this gateway was built without functions of its own: build it with the feature `local`"
        .into())
}
