//! One environment: in, a function and a version; out, a process that runs it, its Runtime API, its
//! log, and the news of its end. Dropping it kills the process and, where the system has groups of
//! processes, everything it started.

mod process_group;

use crate::connection;
use crate::function::{Function, HANDLER};
use crate::log_tail::{LogTail, Logs};
use crate::runtime_api::RuntimeApi;
use crate::runtime_api::desk::Desk;
use crate::stats::Counters;
use process_group::ProcessGroup;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

/// How long a process with a registered extension has between SIGTERM and SIGKILL (AWS documentation,
/// "Lambda runtime environment lifecycle": 500 ms with an internal extension).
const SHUTDOWN_PATIENCE: Duration = Duration::from_millis(500);
/// How long a cut connection waits for its process to end before the process counts as alive. A
/// process' sockets close an instant before its end is reported; this is many such instants.
const EXIT_PATIENCE: Duration = Duration::from_millis(250);

/// A process and what belongs to it.
pub(crate) struct Environment {
    pub(crate) desk: Arc<Desk>,
    pub(crate) log: Arc<LogTail>,
    pub(crate) started_at: Instant,
    group: ProcessGroup,
    exit: watch::Receiver<Option<ExitStatus>>,
    supervisor: AbortHandle,
}

/// What all environments of a service are given.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) region: String,
    pub(crate) logs: Logs,
    pub(crate) counters: Arc<Counters>,
}

impl Environment {
    /// Starts a process for `version` of `function`.
    pub(crate) fn start(
        function: &Arc<Function>,
        version: &str,
        surroundings: &Surroundings,
    ) -> io::Result<Self> {
        let listener = connection::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let shared = function.concurrent_invocations > 1;
        let log = Arc::new(LogTail::open(&function.name, surroundings.logs.clone(), shared)?);
        let address = listener.local_addr()?;
        let child = command(function, version, &surroundings.region, address, &log)?.spawn()?;
        let group = ProcessGroup::of(&child)?;
        let desk = Arc::new(Desk::new(function.concurrent_invocations));
        let api = Arc::new(RuntimeApi::new(
            Arc::clone(&desk),
            Arc::clone(&log),
            Arc::clone(function),
            version.into(),
        ));
        let (exited, exit) = watch::channel(None);
        surroundings.counters.environment_started();
        let counters = Arc::clone(&surroundings.counters);
        let supervised = group.clone();
        let supervisor = tokio::spawn(async move {
            let _running = counters.environment_running();
            supervise(listener, api, child, supervised, exited).await;
        });
        Ok(Self {
            desk,
            log,
            started_at: Instant::now(),
            group,
            exit,
            supervisor: supervisor.abort_handle(),
        })
    }

    /// How the process ended, if it did.
    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// How the process ended, if it does within the time a dying one takes.
    pub(crate) async fn exit_soon(&self) -> Option<ExitStatus> {
        tokio::time::timeout(EXIT_PATIENCE, self.exited()).await.ok().flatten()
    }

    /// Kills the process. Its end is reported as any other.
    pub(crate) fn kill(&self) {
        if self.exit_status().is_none() {
            self.group.kill();
        }
    }

    /// Ends the process as the service does: with notice if it asked for it and the system can give it.
    /// Returns when it is gone.
    pub(crate) async fn shut_down(&self) {
        if self.desk.has_extensions() && self.exit_status().is_none() && self.group.warn() {
            let _ = tokio::time::timeout(SHUTDOWN_PATIENCE, self.exited()).await;
        }
        self.kill();
        self.exited().await;
        self.log.flush().await; // its last words, before the log is closed
    }

    async fn exited(&self) -> Option<ExitStatus> {
        // The channel closing means that the supervisor was aborted, and the process killed with it.
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok()?;
        *status
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.kill();
        self.supervisor.abort();
    }
}

/// Serves the Runtime API until the process ends, then reads what it had already sent.
async fn supervise(
    listener: TcpListener,
    api: Arc<RuntimeApi>,
    mut child: Child,
    group: ProcessGroup,
    exited: watch::Sender<Option<ExitStatus>>,
) {
    let mut connections = JoinSet::new();
    let serve = |stream: TcpStream| {
        let api = Arc::clone(&api);
        let uncounted = Arc::default();
        connection::serve(stream, uncounted, move |request, _| Arc::clone(&api).answer(request))
    };
    let status = loop {
        tokio::select! {
            status = group.wait(&mut child) => break status,
            Ok((stream, _)) = listener.accept() => drop(connections.spawn(serve(stream))),
            Some(_) = connections.join_next() => {}
        }
    };
    // What the process started dies with it, as the service's sandbox would. Its number cannot have
    // been given away yet: numbers are handed out in a circle.
    group.kill();
    exited.send_replace(Some(status.unwrap_or_default()));
    // The last words may still be in the sockets: accepted ones, and those that wait to be. The kernel
    // is asked for these directly, because the runtime may not have heard of them yet.
    if let Ok(listener) = listener.into_std() {
        while let Ok(stream) = listener.accept().and_then(|(stream, _)| nonblocking(stream)) {
            connections.spawn(serve(stream));
        }
    }
    while connections.join_next().await.is_some() {}
    api.finish().await;
}

fn nonblocking(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

fn command(
    function: &Function,
    version: &str,
    region: &str,
    runtime_api: SocketAddr,
    log: &LogTail,
) -> io::Result<Command> {
    let mut command = Command::new(&function.program);
    let stream = uuid::Uuid::new_v4().simple();
    command
        .args(&function.args)
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", version)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string())
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name))
        .env("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[{version}]{stream}"))
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_REGION", region)
        .env("AWS_DEFAULT_REGION", region)
        .env("LAMBDA_TASK_ROOT", function.current_dir.as_deref().unwrap_or(".".as_ref()))
        .env("_HANDLER", HANDLER)
        .env_remove("AWS_LAMBDA_MAX_CONCURRENCY")
        .envs(function.env.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(log.stdio()?)
        .stderr(log.stdio()?)
        .kill_on_drop(true);
    ProcessGroup::lead(&mut command);
    if function.concurrent_invocations > 1 {
        command.env("AWS_LAMBDA_MAX_CONCURRENCY", function.concurrent_invocations.to_string());
    }
    if let Some(dir) = &function.current_dir {
        command.current_dir(dir);
    }
    Ok(command)
}
