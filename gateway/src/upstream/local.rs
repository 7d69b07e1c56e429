//! A command comes in; the Lambda service that runs it on loopback goes out, shared by all who name the same
//! command in the same way, and ended with the last of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_lambda::Config;
use invoker::HttpClient;
use local_lambda::{Function, LocalLambda, REGION_DEFAULT};
use tokio::sync::Mutex;

use crate::config::{self, ServiceLimits};

/// What the one function of each service is called.
pub(super) const FUNCTION: &str = "local";

/// The services that run.
#[derive(Default)]
pub(super) struct Services {
    /// Whoever serves with one holds it; here it is only known.
    running: Mutex<HashMap<config::Process, Weak<Service>>>,
}

/// One command under a service of its own. Dropping it kills its processes.
pub(super) struct Service {
    local: LocalLambda,
}

impl Services {
    /// The service that runs `process`, which is started when it is first called.
    pub(super) async fn of(&self, process: &config::Process) -> Result<Arc<Service>, String> {
        let mut running = self.running.lock().await;
        running.retain(|_, service| service.strong_count() > 0);
        if let Some(service) = running.get(process).and_then(Weak::upgrade) {
            return Ok(service);
        }
        let service = Arc::new(Service::start(process).await?);
        running.insert(process.clone(), Arc::downgrade(&service));
        Ok(service)
    }
}

/// Where it runs.
pub(super) fn directory(process: &config::Process) -> Result<PathBuf, String> {
    let directory = match process.directory.as_os_str().is_empty() {
        true => std::env::current_dir(),
        false => std::path::absolute(&process.directory),
    };
    let directory = directory.map_err(|error| format!("the folder of a function: {error}"))?;
    match directory.is_dir() {
        true => Ok(directory),
        false => Err(format!("{}: no such folder for a function to run in", directory.display())),
    }
}

impl Service {
    async fn start(process: &config::Process) -> Result<Self, String> {
        let config::Process { command, environment, limits, .. } = process;
        let directory = directory(process)?;
        let mut function = Function::from_command_line(FUNCTION, &command.0)
            .map_err(|error| error.to_string())?
            .current_dir(directory);
        for (name, value) in &environment.0 {
            function = function.env(name, value);
        }
        if let Some(timeout) = process.timeout {
            function = function.timeout(timeout);
        }
        if let Some(environments) = process.concurrency {
            function = function.concurrency(environments.get());
        }
        if let Some(invocations) = process.concurrent_invocations {
            function = function.concurrent_invocations(invocations.get());
        }
        let limits = match limits {
            ServiceLimits::Aws => local_lambda::Limits::aws(),
            // What is written of one function is meant, whatever the service's own limits.
            ServiceLimits::Off => {
                let mut limits =
                    local_lambda::Limits::off().with_timeout(process.timeout.is_some());
                limits.function_concurrency = process.concurrency.is_some();
                limits
            }
        };
        let started = LocalLambda::builder().function(function).limits(limits).start().await;
        started.map(|local| Self { local }).map_err(|error| error.to_string())
    }

    /// What the SDK calls it by.
    pub(super) fn config(&self) -> Result<Config, String> {
        let http_client =
            HttpClient::builder().no_roots().build().map_err(|err| err.to_string())?;
        let placeholder = Credentials::new("local", "local", None, None, "a service on loopback");
        Ok(Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client)
            .region(Region::from_static(REGION_DEFAULT))
            .credentials_provider(placeholder)
            .endpoint_url(self.local.endpoint_url())
            .build())
    }
}
