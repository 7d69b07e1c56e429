//! A configuration and the one before it come in; all that connections need to serve it goes out.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;

use crate::authorization::Authorizers;
use crate::aws::Access;
use crate::config::{AccessLog, Complaint, Complaints, Config, Limits};
use crate::exchange::Records;
use crate::front::Front;
use crate::tls;
use crate::upstream::Lasting;

/// One configuration, ready.
pub(super) struct Generation {
    pub(super) front: Arc<Front>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    access: Arc<Access>,
    /// What a reload does not end.
    lasting: Arc<Lasting>,
    /// As they were asked for.
    listen: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    access_log: AccessLog,
}

impl Generation {
    /// Reads the files that `config` names, and makes its upstreams ready.
    pub(super) async fn new(
        config: &Config,
        before: Option<&Self>,
        records: &Arc<Records>,
    ) -> Result<Self, Complaints> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose();
        let tls = tls.map_err(|wrong| config.complaint(wrong));
        let kept = before.map(|before| &before.access).filter(|access| access.is_of(config));
        let access = kept.map_or_else(|| Arc::new(Access::new(config)), Arc::clone);
        let lasting = before.map_or_else(Arc::default, |before| Arc::clone(&before.lasting));
        let front = Front::new(config, &access, &lasting, Arc::clone(records)).await;
        let (tls, front) = match (tls, front) {
            (Ok(tls), Ok(front)) => (tls, Arc::new(front)),
            (Err(tls), Ok(_)) => return Err(tls.into()),
            (Ok(_), Err(routes)) => return Err(routes),
            (Err(tls), Err(routes)) => {
                let all: Vec<Complaint> = routes.iter().cloned().chain([tls]).collect();
                return Err(Complaints::new(all));
            }
        };
        Ok(Self {
            front,
            tls,
            limits: config.limits.clone(),
            access,
            lasting,
            listen: config.listen.clone(),
            admin: config.admin,
            access_log: config.access_log.clone(),
        })
    }

    /// Reads the files that `config` names, and starts nothing.
    pub(super) async fn check(config: &Config) -> Result<(), Complaints> {
        let tls = config.tls.as_ref().map_or(Ok(()), |tls| tls::acceptor(tls).map(drop));
        let aws = Access::new(config).check().await;
        let wrong = [tls, aws].into_iter().filter_map(Result::err);
        let mut wrong: Vec<_> = wrong.map(|wrong| config.complaint(wrong)).collect();
        wrong.append(&mut Authorizers::check(config));
        if wrong.is_empty() { Ok(()) } else { Err(Complaints::new(wrong)) }
    }

    /// What of this cannot follow `before` in a running gateway.
    pub(super) fn needs_restart(&self, before: &Self) -> Vec<String> {
        let changed = [
            ("listen", self.listen != before.listen),
            ("admin", self.admin != before.admin),
            ("access_log", self.access_log != before.access_log),
        ];
        let changed = changed.iter().filter(|(_, changed)| *changed);
        let told = changed.map(|(key, _)| format!("{key} has changed, which takes a restart"));
        told.collect()
    }
}
