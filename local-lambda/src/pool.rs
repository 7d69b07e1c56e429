//! The environments of one function: in, a wish to run one invocation; out, a lease of a warm
//! environment, of a new one, or the news that there is none to spare.

use crate::environment::{Environment, Surroundings};
use crate::function::Function;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who may share environments: one version, and one tenant if tenants are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    pub(crate) version: String,
    pub(crate) tenant: Option<Vec<u8>>,
}

/// The environments of one function.
pub(crate) struct Pool {
    function: Arc<Function>,
    surroundings: Arc<Surroundings>,
    /// The most environments at once.
    limit: Option<usize>,
    /// Invariant: `1 <= busy <= function.concurrent_invocations` for a leased one, 0 for an idle one.
    /// Environments that may not serve on are not in it.
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    list: Vec<Member>,
    closed: bool,
}

struct Member {
    audience: Audience,
    environment: Arc<Environment>,
    busy: usize,
}

/// Why there is no lease.
#[derive(Debug)]
pub(crate) enum NoLease {
    /// As many environments as the function may have are busy.
    Limit,
    /// The program cannot be started.
    NotStarted(io::Error),
}

impl Pool {
    pub(crate) fn new(
        function: Arc<Function>,
        surroundings: Arc<Surroundings>,
        limit: Option<usize>,
    ) -> Self {
        Self { function, surroundings, limit, members: Mutex::default() }
    }

    /// Leases one place: in the environment used last, because it is the warmest, or in a new one.
    pub(crate) fn lease(self: &Arc<Self>, audience: &Audience) -> Result<Lease, NoLease> {
        // Starting a process under the lock keeps two invocations from starting one each where one
        // environment has room for both. It takes about a millisecond.
        let mut members = self.members();
        if members.closed {
            return Err(NoLease::NotStarted(io::ErrorKind::Interrupted.into()));
        }
        let members = &mut members.list;
        members.retain(|member| member.environment.exit_status().is_none());
        let slots = self.function.concurrent_invocations;
        let free = members.iter().rposition(|m| m.busy < slots && m.audience == *audience);
        if let Some(place) = free {
            let mut member = members.remove(place);
            member.busy += 1;
            let environment = Arc::clone(&member.environment);
            members.push(member);
            return Ok(self.leased(environment, audience));
        }
        if self.limit.is_some_and(|limit| members.len() >= limit) {
            // An idle environment of another version or tenant gives up its place.
            let idle = members.iter().position(|m| m.busy == 0).ok_or(NoLease::Limit)?;
            members.remove(idle);
        }
        let started = Environment::start(&self.function, &audience.version, &self.surroundings);
        let environment = Arc::new(started.map_err(NoLease::NotStarted)?);
        members.push(Member {
            audience: audience.clone(),
            environment: Arc::clone(&environment),
            busy: 1,
        });
        Ok(self.leased(environment, audience))
    }

    fn leased(self: &Arc<Self>, environment: Arc<Environment>, audience: &Audience) -> Lease {
        let was_warm = environment.desk.was_ready();
        Lease {
            pool: Arc::clone(self),
            audience: audience.clone(),
            environment,
            was_warm,
            spare: false,
        }
    }

    /// Takes all environments out, to be ended. None is started after this.
    pub(crate) fn close(&self) -> Vec<Arc<Environment>> {
        let mut members = self.members();
        members.closed = true;
        members.list.drain(..).map(|member| member.environment).collect()
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One place in an environment. Dropped without [`Lease::give_back`], the environment is killed: in
/// what state it is, nobody knows.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    audience: Audience,
    pub(crate) environment: Arc<Environment>,
    /// Whether it had asked for an invocation before it was leased.
    pub(crate) was_warm: bool,
    spare: bool,
}

impl Lease {
    /// Whether other invocations may run in the environment at the same time.
    pub(crate) fn is_shared(&self) -> bool {
        self.pool.function.concurrent_invocations > 1
    }

    /// Returns the place for others to use.
    pub(crate) fn give_back(mut self) {
        self.spare = true;
    }

    /// Gives this environment up, which died while it was idle, for another.
    pub(crate) fn replace(self) -> Result<Self, NoLease> {
        let (pool, audience) = (Arc::clone(&self.pool), self.audience.clone());
        drop(self);
        pool.lease(&audience)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let members = &mut self.pool.members().list;
        let place = members.iter().position(|m| Arc::ptr_eq(&m.environment, &self.environment));
        if self.spare {
            if let Some(place) = place {
                members[place].busy -= 1;
            }
        } else {
            if let Some(place) = place {
                members.remove(place);
            }
            self.environment.kill();
        }
    }
}
