//! The name of a function and connection settings go in; a client that can call it comes out. For
//! `local:` the service and the function are started as well.

use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::SharedCredentialsProvider;
use invoker::{Download, Invocation, Invoker, Timeouts};
use local_lambda::{Function, Limits, LocalLambda, Logs};
use tempfile::TempDir;

use crate::args::{Connection, FUNCTION_COMMAND, Question};
use crate::aws::{self, LOOPBACK_REGION, placeholder};
use crate::http_client;
use crate::question::invocation;
use crate::report::Failure;
use crate::url;

/// What a name begins with that means a function here.
pub(crate) const LOCAL: &str = "local:";

/// The name under which the function of `local:` runs.
const LOCAL_FUNCTION: &str = "local";

/// A function that can be called.
pub(crate) struct Target {
    invoker: Invoker,
    function: String,
    /// What is behind `local:`; it ends when it is dropped.
    local: Option<Local>,
}

struct Local {
    service: LocalLambda,
    /// Where the function's processes tell each other the checksums that they found.
    _checksums: Option<TempDir>,
}

impl Target {
    /// Finds out how to call `function`; calls nothing.
    pub(crate) async fn find(
        function: &str,
        connection: &Connection,
        quiet: bool,
    ) -> Result<Self, Failure> {
        if let Some(folder) = function.strip_prefix(LOCAL) {
            return Self::start_local(folder, connection).await;
        }
        let http_client = http_client::http_client(connection).await?;
        let function = url::plain(function);
        let invoker = match url::is_url(&function) {
            true => {
                let urls = aws::function_urls(&function, connection, http_client, quiet).await?;
                Invoker::of_function_urls(urls)
            }
            false => {
                if connection.access.no_sign {
                    let message = "--no-sign is for functions that are called by their URLs";
                    return Err(Failure::Usage(message.into()));
                }
                let config = aws::configuration(connection, &http_client, quiet).await?;
                let mut lambda = aws_sdk_lambda::config::Builder::from(&config);
                if let Some(url) = &connection.endpoint_url {
                    // Of this service alone: credentials come from others.
                    lambda = lambda.endpoint_url(url);
                }
                Invoker::from_conf(lambda.build())
            }
        };
        Ok(Self { invoker, function, local: None })
    }

    /// What calls it.
    pub(crate) fn invoker(&self, timeouts: Timeouts) -> Invoker {
        self.invoker.clone().timeouts(timeouts)
    }

    /// The download that `question` asks for.
    pub(crate) fn download(
        &self,
        question: &Question,
        payload: Option<Vec<u8>>,
        timeouts: Timeouts,
    ) -> Result<Download, Failure> {
        Ok(self.invoker(timeouts).download(self.invocation(question, payload)?))
    }

    /// The call that `question` asks for.
    pub(crate) fn invocation(
        &self,
        question: &Question,
        payload: Option<Vec<u8>>,
    ) -> Result<Invocation, Failure> {
        invocation(question, &self.function, payload)
    }

    /// Ends the function and the service of `local:`.
    pub(crate) async fn close(self) {
        if let Some(local) = self.local {
            local.service.shutdown().await;
        }
    }

    async fn start_local(folder: &str, connection: &Connection) -> Result<Self, Failure> {
        let Connection { endpoint_url, region, profile, access } = connection;
        for (given, flag) in [
            (endpoint_url.is_some(), "--endpoint-url"),
            (region.is_some(), "--region"),
            (profile.is_some(), "--profile"),
            (access.role_arn.is_some(), "--role-arn"),
            (access.ca_bundle.is_some(), "--ca-bundle"),
            (access.fips, "--fips"),
            (access.dual_stack, "--dual-stack"),
            (access.no_sign, "--no-sign"),
        ] {
            if given {
                let message = format!("local: brings its own endpoint: leave {flag} out");
                return Err(Failure::Usage(message));
            }
        }
        let source = match folder {
            "" => "pattern".to_owned(),
            folder if Path::new(folder).is_dir() => format!("directory:{folder}"),
            folder => return Err(Failure::Usage(format!("{LOCAL}{folder}: no such folder"))),
        };
        let program = std::env::current_exe()
            .map_err(|error| Failure::file("cannot find this program's own file", error))?;
        let mut function = Function::new(LOCAL_FUNCTION, program)
            .arg(FUNCTION_COMMAND)
            .env("STREAM_FN_SOURCE", source);
        // Without a folder for it, a large file is fetched without its checksum; the pattern needs
        // none.
        let checksums = if folder.is_empty() { None } else { TempDir::new().ok() };
        if let Some(checksums) = &checksums {
            let keep = format!("keep:{}", checksums.path().display());
            function = function.env("STREAM_FN_CHECKSUM", keep);
        }
        let service = LocalLambda::builder()
            .function(function)
            .limits(Limits::aws())
            // What goes wrong there reaches the caller as an error; once is enough.
            .logs(Logs::Discard)
            .start()
            .await
            .map_err(|error| {
                Failure::file("cannot start the local service", std::io::Error::other(error))
            })?;
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client::loopback()?)
            .region(Region::from_static(LOOPBACK_REGION))
            .credentials_provider(SharedCredentialsProvider::new(placeholder()))
            .endpoint_url(service.endpoint_url())
            .build();
        let invoker = Invoker::from_conf(aws_sdk_lambda::Config::from(&config));
        let local = Some(Local { service, _checksums: checksums });
        Ok(Self { invoker, function: LOCAL_FUNCTION.to_owned(), local })
    }
}
