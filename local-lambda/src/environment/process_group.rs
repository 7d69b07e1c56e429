//! A process that was just started goes in; ways to warn it, to kill it and to wait for it come out,
//! and with it for all that it started, where the system can name them together.

use std::io;
use std::process::ExitStatus;
use tokio::process::{Child, Command};

#[cfg(not(unix))]
pub(super) use alone::Alone as ProcessGroup;
#[cfg(unix)]
pub(super) use group::Group as ProcessGroup;

/// Unix: one signal reaches a whole group.
#[cfg(unix)]
mod group {
    use super::{Child, Command, ExitStatus, io};
    use rustix::process::{Pid, Signal, kill_process_group};

    /// A process and those it started.
    #[derive(Clone)]
    pub(crate) struct Group(Pid);

    impl Group {
        /// Lets what `command` starts be the first of a group of its own, so that what it starts can be
        /// killed with it, and a Ctrl-C at the terminal reaches only the service, which then ends its
        /// functions in order.
        pub(crate) fn lead(command: &mut Command) {
            command.process_group(0);
        }

        pub(crate) fn of(child: &Child) -> io::Result<Self> {
            let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            id.map(Self).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        }

        /// Asks them to end. Whether the system has a way to.
        pub(crate) fn warn(&self) -> bool {
            self.signal(Signal::TERM);
            true
        }

        pub(crate) fn kill(&self) {
            self.signal(Signal::KILL);
        }

        /// Waits for the end of `child`, the first of the group. May be dropped and called again.
        pub(crate) async fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
            child.wait().await
        }

        fn signal(&self, signal: Signal) {
            // It fails only if the group is gone, which is what is wanted.
            let _ = kill_process_group(self.0, signal);
        }
    }
}

/// Elsewhere, in particular on Windows: a process can be ended by who started it and holds it. What it
/// started itself stays, and nobody is warned. The tests try it on any system.
#[cfg(any(not(unix), test))]
mod alone {
    use super::{Child, Command, ExitStatus, io};
    use std::sync::Arc;
    use tokio::sync::Notify;

    /// A new process group: Ctrl-C at the console does not reach it ("Process Creation Flags" of
    /// Microsoft's documentation: `CREATE_NEW_PROCESS_GROUP`).
    #[cfg(windows)]
    const NEW_PROCESS_GROUP: u32 = 0x200;

    /// A process. The wish that it be killed, for whoever waits for it to fulfil.
    #[derive(Clone)]
    pub(crate) struct Alone(Arc<Notify>);

    impl Alone {
        /// Lets a Ctrl-C at the console reach only the service, which then ends its functions in order.
        pub(crate) fn lead(command: &mut Command) {
            #[cfg(windows)]
            command.creation_flags(NEW_PROCESS_GROUP);
            #[cfg(not(windows))]
            let _ = command;
        }

        pub(crate) fn of(_: &Child) -> io::Result<Self> {
            Ok(Self(Arc::default()))
        }

        /// There is no way to.
        pub(crate) fn warn(&self) -> bool {
            false
        }

        pub(crate) fn kill(&self) {
            self.0.notify_one();
        }

        /// Waits for the end of `child`, and kills it as soon as that is wanted. May be dropped and
        /// called again.
        pub(crate) async fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
            tokio::select! {
                status = child.wait() => return status,
                () = self.0.notified() => {}
            }
            // It fails only if the process is gone, which is what is wanted.
            let _ = child.start_kill();
            child.wait().await
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::alone::Alone;
    use super::*;
    use std::time::Duration;

    /// No process here takes so long to die.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn start(line: &str) -> (Child, Alone) {
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).kill_on_drop(true);
        Alone::lead(&mut command);
        let child = command.spawn().unwrap();
        let process = Alone::of(&child).unwrap();
        (child, process)
    }

    #[tokio::test]
    async fn without_groups_a_process_is_killed_by_who_waits_for_it() {
        let (mut child, process) = start("exec sleep 600");
        assert!(!process.warn());
        // A wait that is given up, as the supervisor's loop does, loses no wish to kill.
        let idle = tokio::time::timeout(Duration::from_millis(1), process.wait(&mut child)).await;
        assert!(idle.is_err());
        process.clone().kill();
        let ended = tokio::time::timeout(PATIENCE, process.wait(&mut child)).await.unwrap();
        assert!(!ended.unwrap().success());
        process.kill(); // of one that is gone
        assert!(process.wait(&mut child).await.is_ok());
    }

    #[tokio::test]
    async fn without_groups_a_process_that_ends_by_itself_is_told_of() {
        let (mut child, process) = start("exit 3");
        let ended = tokio::time::timeout(PATIENCE, process.wait(&mut child)).await.unwrap();
        assert_eq!(ended.unwrap().code(), Some(3));
    }
}
