//! A name comes in; a network namespace that has it goes out, with programs and sockets inside, and nothing of it
//! is left when it is dropped.
//!
//! What runs in one is run by `ip netns exec`, which puts the files of `/etc/netns/NAME` in the place of those of
//! `/etc`.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

/// Where `ip` keeps namespaces, and their files.
const NAMESPACES: &str = "/run/netns";
const FILES: &str = "/etc/netns";

/// What the names of all of them begin with; the id of the process that made one follows.
const PREFIX: &str = "private-path-";

/// Where programs for administrators are, of which users have no `PATH`.
const OF_ADMINISTRATORS: [&str; 2] = ["/usr/sbin", "/sbin"];

static MADE: AtomicU32 = AtomicU32::new(0);

/// Its addresses, routes and processes end with it.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// # Errors
    ///
    /// What `ip` says: it may not, or the system has no namespaces.
    pub(crate) fn new(side: &str) -> Result<Self, String> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        // Removed even if it fails half-way.
        let made = Self { name: format!("{PREFIX}{}-{number}-{side}", std::process::id()) };
        ip(&format!("netns add {}", made.name))?;
        made.ip("link set lo up")?;
        Ok(made)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `ip` in it, with `line` split at spaces.
    pub(crate) fn ip(&self, line: &str) -> Result<(), String> {
        ip(&format!("-n {} {line}", self.name))
    }

    /// A name that is known in it, and no other is.
    pub(crate) fn knows(&self, name: &str, addresses: &[Ipv4Addr]) {
        let folder = Path::new(FILES).join(&self.name);
        std::fs::create_dir_all(&folder).unwrap();
        let lines = addresses.iter().map(|address| format!("{address} {name}\n"));
        std::fs::write(folder.join("hosts"), lines.collect::<String>()).unwrap();
        std::fs::write(folder.join("resolv.conf"), "").unwrap();
    }

    /// A program in it, with nothing of the tests' environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(path_of_ip().unwrap());
        command
            .args(["netns", "exec", &self.name])
            .arg(program)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::null());
        command
    }

    /// Somebody of the tests' own who listens in it. A socket stays where it was made.
    pub(crate) fn listen(&self, address: (Ipv4Addr, u16)) -> TcpListener {
        let namespace = File::open(Path::new(NAMESPACES).join(&self.name)).unwrap();
        let made = std::thread::spawn(move || {
            // Of this thread alone, which ends here.
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            TcpListener::bind(address).unwrap()
        });
        made.join().unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes what processes left that were killed before they could.
pub(crate) fn remove_those_of_the_dead() {
    let Ok(entries) = std::fs::read_dir(NAMESPACES) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            remove(&name);
        }
    }
}

/// What fails was not there.
fn remove(name: &str) {
    let Some(program) = path_of_ip() else { return };
    if let Ok(output) = Command::new(program).args(["netns", "pids", name]).output() {
        for id in String::from_utf8_lossy(&output.stdout).split_whitespace() {
            let _ = Command::new("kill").args(["-KILL", id]).output();
        }
    }
    let _ = ip(&format!("netns del {name}"));
    let _ = std::fs::remove_dir_all(Path::new(FILES).join(name));
    // Fails as long as others have theirs.
    let _ = std::fs::remove_dir(FILES);
}

/// `ip` with `line` split at spaces.
pub(crate) fn ip(line: &str) -> Result<(), String> {
    let program = path_of_ip().ok_or("ip is not installed; apt-get install iproute2")?;
    let output = Command::new(program).args(line.split_whitespace()).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("ip {line}: {}", String::from_utf8_lossy(&output.stderr).trim_end())),
    }
}

fn path_of_ip() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = OF_ADMINISTRATORS.map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(others)
        .map(|folder| folder.join("ip"))
        .find(|program| program.is_file())
}
