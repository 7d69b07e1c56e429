//! What the service is told about a function: in, builder calls; out, a program to start and the
//! terms its invocations run under.

mod command_line;

use crate::error::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The longest timeout the service lets a function have, and the default here, because streams are
/// long (AWS documentation, "Lambda quotas": 900 seconds).
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(900);
/// The memory a new function has at the service, in MB. It is told to the function, not enforced.
pub const MEMORY_DEFAULT_MB: u32 = 128;
/// What the service would call to handle an event. Custom runtimes need none.
pub(crate) const HANDLER: &str = "bootstrap";
/// The version of a function that was never published.
pub(crate) const LATEST: &str = "$LATEST";

/// A function: a program that speaks the Runtime API, and the terms it runs under.
#[derive(Clone)]
pub struct Function {
    pub(crate) name: String,
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) current_dir: Option<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) memory_mb: u32,
    pub(crate) concurrency: Option<usize>,
    pub(crate) concurrent_invocations: usize,
    pub(crate) versions: Vec<String>,
    pub(crate) aliases: BTreeMap<String, String>,
    pub(crate) url: bool,
}

impl Function {
    /// A function called `name` that `program` serves.
    pub fn new(name: impl Into<String>, program: impl AsRef<OsStr>) -> Self {
        Self {
            name: name.into(),
            program: program.as_ref().into(),
            args: Vec::new(),
            env: Vec::new(),
            current_dir: None,
            timeout: TIMEOUT_DEFAULT,
            memory_mb: MEMORY_DEFAULT_MB,
            concurrency: None,
            concurrent_invocations: 1,
            versions: Vec::new(),
            aliases: BTreeMap::new(),
            url: false,
        }
    }

    /// A function called `name` that the program of a command line serves. The line is split into
    /// words as a shell would, but no shell runs: variables, globs and pipes mean nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CommandLine`] if a quote is open or there is no word.
    pub fn from_command_line(name: impl Into<String>, line: &str) -> Result<Self, Error> {
        let name = name.into();
        let mut words = match command_line::split(line) {
            Ok(words) => words.into_iter(),
            Err(fault) => {
                return Err(Error::new(ErrorKind::CommandLine { function: name, fault }));
            }
        };
        let program = words.next().unwrap_or_default(); // `split` yields one word at least
        Ok(Self::new(name, program).args(words))
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().into()));
        self
    }

    /// Sets an environment variable, on top of the inherited ones and those the service sets.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().into(), value.as_ref().into()));
        self
    }

    /// The folder the program runs in. The service's own is inherited by default.
    pub fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(dir.into());
        self
    }

    /// How long an invocation may take. [`TIMEOUT_DEFAULT`] by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How much memory the function is told it has. Nothing enforces it.
    pub fn memory_mb(mut self, megabytes: u32) -> Self {
        self.memory_mb = megabytes;
        self
    }

    /// The most environments at once, which is what the service calls reserved concurrency. Without
    /// it only the account's limit counts.
    pub fn concurrency(mut self, environments: usize) -> Self {
        self.concurrency = Some(environments);
        self
    }

    /// Lets one environment serve this many invocations at once, as Lambda Managed Instances do.
    /// The runtime learns it from `AWS_LAMBDA_MAX_CONCURRENCY`. One by default.
    pub fn concurrent_invocations(mut self, invocations: usize) -> Self {
        self.concurrent_invocations = invocations.max(1);
        self
    }

    /// Publishes a version: a number that may stand as the qualifier. All versions run the same
    /// program, each in environments of its own that know it by `AWS_LAMBDA_FUNCTION_VERSION`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.versions.push(version.into());
        self
    }

    /// Lets `alias` stand for a published version.
    pub fn alias(mut self, alias: impl Into<String>, version: impl Into<String>) -> Self {
        self.aliases.insert(alias.into(), version.into());
        self
    }

    /// Gives the function a URL of its own, or none, which is the default. Whoever finds it is answered:
    /// HTTP goes in, and the function's HTTP answer comes out while it writes it.
    /// [`LocalLambda::function_url`](crate::LocalLambda::function_url) tells it.
    pub fn url(mut self, on: bool) -> Self {
        self.url = on;
        self
    }

    /// The version that runs for `qualifier`, if there is one.
    pub(crate) fn executed_version(&self, qualifier: Option<&str>) -> Option<&str> {
        match qualifier {
            None | Some(LATEST) => Some(LATEST),
            Some(asked) => {
                let version = self.aliases.get(asked).map_or(asked, String::as_str);
                self.versions.iter().map(String::as_str).find(|known| *known == version)
            }
        }
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let refuse =
            |fault| Err(Error::new(ErrorKind::Function { function: self.name.clone(), fault }));
        if !crate::name::is_function_name(&self.name) {
            return refuse("has a name the service would not accept");
        }
        if self.versions.iter().any(|v| v.is_empty() || !v.bytes().all(|b| b.is_ascii_digit())) {
            return refuse("has a version that is not a number");
        }
        if self.aliases.values().any(|version| !self.versions.contains(version)) {
            return refuse("has an alias of a version that is not published");
        }
        Ok(())
    }
}

/// Names the program; neither arguments nor variables, which may hold secrets.
impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.name)
            .field("program", &self.program)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_name_versions_directly_or_through_an_alias() {
        let function = Function::new("f", "p").version("7").version("8").alias("live", "7");
        for (qualifier, version) in [
            (None, Some("$LATEST")),
            (Some("$LATEST"), Some("$LATEST")),
            (Some("7"), Some("7")),
            (Some("live"), Some("7")),
            (Some("8"), Some("8")),
            (Some("9"), None),
            (Some("dead"), None),
        ] {
            assert_eq!(function.executed_version(qualifier), version, "{qualifier:?}");
        }
    }

    #[test]
    fn what_the_service_would_not_accept_is_refused() {
        assert!(Function::new("f", "p").version("7").alias("live", "7").validate().is_ok());
        assert!(Function::new("a b", "p").validate().is_err());
        assert!(Function::new("f", "p").version("live").validate().is_err());
        assert!(Function::new("f", "p").alias("live", "7").validate().is_err());
    }

    #[test]
    fn neither_arguments_nor_variables_are_printed() {
        let function = Function::new("f", "p").arg("hush").env("KEY", "hush");
        assert!(!format!("{function:?}").contains("hush"));
    }
}
