//! A payload goes to a function, of the service or of a command here, by Invoke; its whole answer comes back.

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::{Client, Config};

#[cfg(feature = "local")]
use super::local;

/// How often an authorizer is asked at most, within the time that it has: its question changes nothing, and a
/// client who may come in is not to be turned away for a throttle.
const ATTEMPTS: u32 = 3;

/// The longest word about why a function cannot be called, in bytes: codes of the service are shorter.
const REASON_MAX: usize = 300;

/// A function that answers at once.
pub(crate) struct Plain {
    client: Client,
    name: String,
    qualifier: Option<String>,
    /// Where the function runs, if that is here: it ends with those who call it.
    #[cfg(feature = "local")]
    _service: Option<std::sync::Arc<local::Service>>,
}

/// What came back.
pub(crate) struct Answered {
    pub(crate) payload: Vec<u8>,
    /// Whether the payload is that of an error.
    pub(crate) failed: bool,
}

impl Plain {
    pub(super) fn new(config: Config, name: &str, qualifier: Option<&str>) -> Self {
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let config = config.to_builder().retry_config(retries).build();
        Self {
            client: Client::from_conf(config),
            name: name.into(),
            qualifier: qualifier.map(str::to_owned),
            #[cfg(feature = "local")]
            _service: None,
        }
    }

    #[cfg(feature = "local")]
    pub(super) fn of_local(service: std::sync::Arc<local::Service>) -> Result<Self, String> {
        let config = service.config()?;
        Ok(Self { _service: Some(service), ..Self::new(config, local::FUNCTION, None) })
    }

    /// # Errors
    ///
    /// Why it cannot be called: words of the service or of the connection, and none of the payload.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up waiting. A function that was started runs to its end.
    pub(crate) async fn call(&self, payload: Vec<u8>) -> Result<Answered, String> {
        let call = self
            .client
            .invoke()
            .function_name(&self.name)
            .set_qualifier(self.qualifier.clone())
            .payload(Blob::new(payload));
        match call.send().await {
            Ok(output) => {
                let failed = output.function_error.is_some();
                let payload = output.payload.map(Blob::into_inner).unwrap_or_default();
                Ok(Answered { payload, failed })
            }
            Err(error) => {
                let mut reason = DisplayErrorContext(&error).to_string();
                reason.truncate(reason.floor_char_boundary(REASON_MAX));
                Err(reason)
            }
        }
    }
}
