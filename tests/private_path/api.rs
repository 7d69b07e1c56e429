//! The command of a function comes in; the private API of the first template goes out, at the endpoint's addresses:
//! `stream-gateway` with the API's name on its certificate, in front of the template as `stream-gateway emulate`
//! has it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::networks::Networks;
use crate::stacks::{Rule, Stacks};
use crate::{ROOT, built};

/// Its processes end with it.
pub(crate) struct Api {
    _gateway: Program,
    _emulation: Program,
    folder: TempDir,
}

impl Api {
    pub(crate) fn start(networks: &Networks, stacks: &Stacks, function: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut emulate = networks.api.command(built("stream-gateway"));
        emulate
            .args(["emulate", &format!("{ROOT}/deploy/cross-region/1-api.yaml")])
            .args(["--stage", &stacks.stage])
            .args(["--parameter", &format!("FunctionAliasArn={}", stacks.function_alias)])
            .args(["--function", &format!("{}={function}", stacks.function)])
            .current_dir(folder.path());
        let emulation = Program::start(emulate, &folder.path().join("emulation.log"));
        let origin = emulation.url.strip_suffix(&format!("/{}/", stacks.stage));
        let origin = origin.unwrap_or_else(|| panic!("another stage: {}", emulation.url));

        let made = rcgen::generate_simple_self_signed([stacks.name.clone()]).unwrap();
        std::fs::write(folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let addresses = networks.endpoint.iter();
        let listen: Vec<_> =
            addresses.map(|address| format!("\"{address}:{}\"", port(stacks))).collect();
        let settings = format!(
            "listen = [{}]\naccess_log = \"off\"\n\
             [tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n\
             [[routes]]\npath = \"/{{rest+}}\"\nauthorizer = \"none\"\nhttp = {{ url = \"{origin}\" }}\n",
            listen.join(", ")
        );
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, settings).unwrap();
        let mut run = networks.api.command(built("stream-gateway"));
        run.arg("run").arg(file).current_dir(folder.path());
        let gateway = Program::start(run, &folder.path().join("gateway.log"));
        Self { _gateway: gateway, _emulation: emulation, folder }
    }

    /// What a client has to trust.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }
}

/// The one that the clients may come in by, and may go out to.
fn port(stacks: &Stacks) -> String {
    let goes_out = stacks.client_group.goes_out.iter().map(|rule| rule.ports());
    let [port] = &goes_out.collect::<Vec<_>>()[..] else { panic!("clients have one way out") };
    let of_clients = |rule: &&Rule| rule.cidr == stacks.client.cidr;
    let comes_in = stacks.endpoint_group.comes_in.iter().find(of_clients).unwrap();
    assert_eq!(comes_in.ports(), *port);
    port.clone()
}

/// One that says `listening on URL`; killed when it is dropped.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start(mut command: Command, log: &Path) -> Self {
        let told = File::create(log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(told).spawn().unwrap();
        // Ends with the line, or with the process.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut program = Self { child, url: String::new() };
        let Some(url) = line.trim_end().strip_prefix("listening on ") else {
            let told = std::fs::read_to_string(log).unwrap();
            panic!("said {line:?} and {told:?}, ended with {:?}", program.child.wait());
        };
        program.url = url.to_owned();
        program
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
