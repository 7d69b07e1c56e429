//! The service as its owner sees it: in, functions and limits; out, an address that SDKs call until
//! the owner ends it or drops it.

use crate::connection;
use crate::environment::Surroundings;
use crate::error::{Error, ErrorKind};
use crate::fault::book::Choice;
use crate::fault::{Asked, Fault, FaultRule};
use crate::function::Function;
use crate::invoke_api;
use crate::limits::Limits;
use crate::log_tail::Logs;
use crate::service::Service;
use crate::stats::{Counters, Stats};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// The region functions are told they run in.
pub const REGION_DEFAULT: &str = "us-east-1";

/// Rest after a failed accept, which happens when the process is out of file descriptors: long enough
/// not to spin, short enough not to be noticed.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A running service. Dropping it kills its functions' processes; [`LocalLambda::shutdown`] waits
/// until they are gone.
pub struct LocalLambda {
    address: SocketAddr,
    service: Arc<Service>,
    door: JoinHandle<()>,
}

/// A service that is not started yet.
#[must_use]
pub struct Builder {
    address: SocketAddr,
    functions: Vec<Function>,
    faults: Vec<FaultRule>,
    choice: Option<Choice>,
    limits: Limits,
    logs: Logs,
    region: String,
}

impl LocalLambda {
    /// A service without functions, with the service's limits, on a free port of 127.0.0.1.
    pub fn builder() -> Builder {
        Builder {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            functions: Vec::new(),
            faults: Vec::new(),
            choice: None,
            limits: Limits::aws(),
            logs: Logs::default(),
            region: REGION_DEFAULT.into(),
        }
    }

    /// Where callers reach the service.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The same as an SDK's endpoint URL.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the service has done and is doing.
    pub fn stats(&self) -> Stats {
        self.service.counters.stats()
    }

    /// Lets something go wrong with invocations to come, on top of what is set. Its rule counts from
    /// now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Fault`] if it is for a function that is not there.
    pub fn add_fault(&self, rule: impl Into<FaultRule>) -> Result<(), Error> {
        self.service.add_fault(rule.into())
    }

    /// Lets a closure say what goes wrong with each invocation to come, on top of the faults that are
    /// set, in place of an earlier closure. It is called where invocations start, so it must not
    /// block.
    pub fn choose_faults(&self, choice: impl Fn(&Asked<'_>) -> Vec<Fault> + Send + Sync + 'static) {
        self.service.faults.choose(Arc::new(choice));
    }

    /// Lets nothing go wrong with invocations to come: no fault and no closure is set any more. Those
    /// under way keep their faults.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// Ends the service: no call is answered any more, and every process is gone when this returns.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, it kills what is left, as dropping the service does.
    pub async fn shutdown(self) {
        self.door.abort();
        let mut ending = JoinSet::new();
        for environment in self.service.stop() {
            ending.spawn(async move { environment.shut_down().await });
        }
        while ending.join_next().await.is_some() {}
    }
}

impl Drop for LocalLambda {
    fn drop(&mut self) {
        self.door.abort();
        // Each environment kills its process when the last reference to it goes.
        drop(self.service.stop());
    }
}

impl fmt::Debug for LocalLambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLambda").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("address", &self.address)
            .field("functions", &self.functions)
            .field("faults", &self.faults)
            .field("limits", &self.limits)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Where to listen for callers. 127.0.0.1 and a free port by default.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Offers a function.
    pub fn function(mut self, function: Function) -> Self {
        self.functions.push(function);
        self
    }

    /// Lets something go wrong with invocations. Several add up.
    pub fn fault(mut self, rule: impl Into<FaultRule>) -> Self {
        self.faults.push(rule.into());
        self
    }

    /// Lets a closure say what goes wrong with each invocation, on top of the faults that are set. It
    /// is called where invocations start, so it must not block.
    pub fn choose_faults(
        mut self,
        choice: impl Fn(&Asked<'_>) -> Vec<Fault> + Send + Sync + 'static,
    ) -> Self {
        self.choice = Some(Arc::new(choice));
        self
    }

    /// Which limits hold. The service's by default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where the functions' own lines go. To stderr by default.
    pub fn logs(mut self, logs: Logs) -> Self {
        self.logs = logs;
        self
    }

    /// The region that functions are told they run in, and that their ARNs name. [`REGION_DEFAULT`]
    /// by default.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Starts the service. Functions are started when they are called.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Function`] if a function cannot be offered as described, [`ErrorKind::Fault`] if a
    /// fault is for a function that is not there, [`ErrorKind::Listen`] if the address cannot be bound.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, nothing is left behind.
    pub async fn start(self) -> Result<LocalLambda, Error> {
        let cannot_listen = |err| Error::with_source(ErrorKind::Listen, err);
        let surroundings = Surroundings {
            region: self.region,
            logs: self.logs,
            counters: Arc::new(Counters::default()),
        };
        let service = Arc::new(Service::new(self.functions, self.limits, surroundings)?);
        for rule in self.faults {
            service.add_fault(rule)?;
        }
        if let Some(choice) = self.choice {
            service.faults.choose(choice);
        }
        let listener = connection::listen(self.address).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let door = tokio::spawn(accept(listener, Arc::clone(&service)));
        Ok(LocalLambda { address, service, door })
    }
}

/// Accepts callers for ever. Their connections end with this future.
async fn accept(listener: TcpListener, service: Arc<Service>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let service = Arc::clone(&service);
                    let sent = Arc::clone(&service.counters.bytes_sent);
                    connections.spawn(connection::serve(stream, sent, move |request, cut| {
                        invoke_api::answer(Arc::clone(&service), request, cut.clone())
                    }));
                }
                Err(err) => {
                    tracing::warn!(%err, "cannot accept a caller");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
