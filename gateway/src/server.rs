//! A configuration comes in; addresses that answer requests go out, until their owner ends them or drops them.
//! A newer configuration takes over between two requests.

mod activity;
mod connection;
mod doors;
mod generation;
mod impatient;
mod socket;
mod unread;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::access_log::AccessLog;
use crate::admin;
use crate::config::{Complaints, Config};
use crate::exchange::Records;
use crate::metrics::Metrics;
use activity::Activity;
use generation::Generation;

/// A running gateway. Dropping it cuts its connections.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use stream_gateway::{Config, Gateway};
///
/// let gateway = Gateway::start(Config::read("gateway.toml".as_ref())?).await?;
/// println!("listening on http://{}", gateway.addr());
/// # Ok(()) }
/// ```
pub struct Gateway {
    addresses: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    shared: Arc<Shared>,
    /// Held by the reload that is under way: one after the other.
    reloading: Mutex<()>,
    closing: watch::Sender<bool>,
    doors: JoinHandle<()>,
    admin_door: Option<JoinHandle<()>>,
}

/// What connections look up.
struct Shared {
    generation: ArcSwap<Generation>,
    /// Of all connections.
    activity: Arc<Activity>,
    metrics: Arc<Metrics>,
    records: Arc<Records>,
}

/// Why a gateway does not start, or keeps what it has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The configuration, or what it names, cannot be served.
    #[error(transparent)]
    Configuration(#[from] Complaints),
}

/// What became of a newer configuration that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// What of it has no effect before the next start, a line for each: addresses.
    pub needs_restart: Vec<String>,
}

/// How many exchanges did not come to their end before a gateway ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// Answers that were not whole, and requests that were not answered.
    pub exchanges: usize,
}

impl Gateway {
    /// Listens as `config` says, and answers. Credentials of AWS are looked for before, if a route needs
    /// them; that there are none is told to `tracing` and does not keep the gateway from starting.
    ///
    /// # Errors
    ///
    /// An address is taken; the access log cannot be opened; a file that the configuration names cannot be used; a route's upstream cannot be
    /// made ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends what was begun.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let access_log = AccessLog::open(&config.access_log);
        let access_log =
            access_log.map_err(|error| Complaints::from(config.access_log_complaint(&error)))?;
        let metrics = Arc::new(Metrics::default());
        let records = Arc::new(Records { metrics: Arc::clone(&metrics), access_log });
        let generation = Generation::new(&config, None, &records).await?;
        let mut listeners = Vec::with_capacity(config.listen.len());
        let mut addresses = Vec::with_capacity(config.listen.len());
        for &address in &config.listen {
            let (listener, address) = listen(address).await?;
            listeners.push(listener);
            addresses.push(address);
        }
        let admin = match config.admin {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let (closing, closes) = watch::channel(false);
        let (admin_door, admin) = match admin {
            Some((listener, address)) => {
                let served = admin::serve(listener, Arc::clone(&metrics), closes.clone());
                (Some(tokio::spawn(served)), Some(address))
            }
            None => (None, None),
        };
        let shared = Arc::new(Shared {
            generation: ArcSwap::from_pointee(generation),
            activity: Activity::new(None),
            metrics,
            records,
        });
        let doors = tokio::spawn(doors::open(listeners, Arc::clone(&shared), closes));
        let reloading = Mutex::new(());
        Ok(Self { addresses, admin, shared, reloading, closing, doors, admin_door })
    }

    /// Looks at what `config` names, as far as nothing has to be started or asked: certificates, keys, the
    /// folders of functions, the access log, variables. Not whether addresses are free, and not whether AWS answers.
    ///
    /// # Errors
    ///
    /// All that cannot be used.
    pub async fn check(config: &Config) -> Result<(), Complaints> {
        Generation::check(config).await
    }

    /// Where it listens first.
    pub fn addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where it listens, in the configuration's order.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where metrics and health are told, if anywhere.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Whether new connections begin with TLS.
    pub fn is_tls(&self) -> bool {
        self.shared.generation.load().tls.is_some()
    }

    /// What it has done so far.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Serves `config` from the next request on. What is under way goes on as it began; certificates and
    /// limits of connections count for new ones. Connections to AWS and credentials are kept if `[aws]`
    /// says what it said.
    ///
    /// # Errors
    ///
    /// A file that the configuration names cannot be used; a route's upstream cannot be made ready. Then all
    /// is served as before.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the older configuration or the newer one, never a mixture.
    pub async fn reload(&self, config: Config) -> Result<Reloaded, Error> {
        let _one_by_one = self.reloading.lock().await;
        let before = self.shared.generation.load_full();
        let generation = match Generation::new(&config, Some(&before), &self.shared.records).await {
            Ok(generation) => generation,
            Err(complaints) => {
                self.reload_refused();
                return Err(complaints.into());
            }
        };
        let needs_restart = generation.needs_restart(&before);
        self.shared.generation.store(Arc::new(generation));
        self.shared.metrics.reloaded(true);
        Ok(Reloaded { needs_restart })
    }

    /// Counts a newer configuration that could not even be read.
    pub fn reload_refused(&self) {
        self.shared.metrics.reloaded(false);
    }

    /// Takes no new connections and no new requests on those that there are, and waits for `grace` at most
    /// until all answers have come to their end. Then it cuts what is left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cuts what is left at once.
    pub async fn shutdown(mut self, grace: Duration) -> Cut {
        self.closing.send_replace(true);
        match tokio::time::timeout(grace, &mut self.doors).await {
            Ok(_) => Cut { exchanges: 0 },
            Err(_) => Cut { exchanges: self.shared.activity.in_progress() },
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.doors.abort();
        if let Some(door) = &self.admin_door {
            door.abort();
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let cannot_listen = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
    let bound = listener.local_addr().map_err(cannot_listen)?;
    Ok((listener, bound))
}

/// Waits until the gateway closes.
async fn closed(closes: &mut watch::Receiver<bool>) {
    // A gateway that is gone is closed, too.
    drop(closes.wait_for(|closing| *closing).await);
}
