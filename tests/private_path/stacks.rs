//! The three templates come in; what of their stacks a machine can build again goes out, as
//! `deploy/tests/private_path.py` reads it from moto.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::{ROOT, skipped};

#[derive(Deserialize)]
pub(crate) struct Stacks {
    /// After the first two templates.
    pub(crate) api_without_way_back: Network,
    /// After all three.
    pub(crate) api: Network,
    pub(crate) client: Network,
    /// What routes lead over.
    pub(crate) peering: String,
    pub(crate) endpoint_group: Group,
    pub(crate) client_group: Group,
    /// The one that the hosted zone knows.
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) stage: String,
    pub(crate) function: String,
    pub(crate) function_alias: String,
}

/// A VPC.
#[derive(Clone, Deserialize)]
pub(crate) struct Network {
    pub(crate) cidr: String,
    pub(crate) subnets: Vec<Subnet>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Subnet {
    pub(crate) cidr: String,
    /// Of its table, but for the one of the VPC itself.
    pub(crate) routes: Vec<Route>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) destination: String,
    pub(crate) peering: String,
}

/// A security group: what it lets in and out, beside the answers to that.
#[derive(Deserialize)]
pub(crate) struct Group {
    #[serde(rename = "in")]
    pub(crate) comes_in: Vec<Rule>,
    #[serde(rename = "out")]
    pub(crate) goes_out: Vec<Rule>,
}

#[derive(Deserialize)]
pub(crate) struct Rule {
    /// `-1` is all, without ports.
    pub(crate) protocol: String,
    pub(crate) first_port: Option<u16>,
    pub(crate) last_port: Option<u16>,
    pub(crate) cidr: String,
}

impl Stacks {
    /// `None` where Python has not what it takes, which is said.
    pub(crate) fn deploy() -> Option<Self> {
        // It takes Python seconds, and is the same for all tests.
        static DEPLOYED: OnceLock<Option<Vec<u8>>> = OnceLock::new();
        let deployed = DEPLOYED.get_or_init(|| {
            let output = Command::new(python()?)
                .args(["-B", "deploy/tests/private_path.py"])
                .current_dir(ROOT)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(output.stdout)
        });
        Some(serde_json::from_slice(deployed.as_deref()?).unwrap())
    }
}

impl Network {
    /// The routes that machines of this network have, in whichever of its subnets they are.
    pub(crate) fn routes(&self) -> &[Route] {
        let [first, others @ ..] = &self.subnets[..] else { panic!("no subnet") };
        assert!(others.iter().all(|other| other.routes == first.routes), "zones are not the same");
        &first.routes
    }

    /// An address of a machine in each subnet.
    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        self.subnets.iter().map(Subnet::address).collect()
    }
}

impl Subnet {
    /// One that a VPC gives to machines: it keeps the first four (AWS, "Subnet CIDR blocks").
    fn address(&self) -> Ipv4Addr {
        const KEPT: u32 = 4;
        let (network, _) = self.cidr.split_once('/').unwrap();
        Ipv4Addr::from(u32::from(network.parse::<Ipv4Addr>().unwrap()) + KEPT)
    }
}

impl Rule {
    /// Whether it is about so much as one port of TCP.
    pub(crate) fn is_tcp(&self) -> bool {
        self.protocol == "tcp"
    }

    /// `443`, or `443-445`.
    pub(crate) fn ports(&self) -> String {
        match (self.first_port, self.last_port) {
            (Some(first), Some(last)) if first == last => first.to_string(),
            (Some(first), Some(last)) => format!("{first}-{last}"),
            other => panic!("ports of a rule: {other:?}"),
        }
    }
}

/// Refused as `check-cidrs` refuses it, or not.
pub(crate) fn may_be_peered(networks: [&Network; 2]) -> Result<(), String> {
    let output = Command::new("python3")
        .arg("-B")
        .arg(Path::new(ROOT).join("deploy/cross-region/check-cidrs"))
        .args(networks.map(|network| &network.cidr))
        .output()
        .unwrap();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(String::from_utf8(output.stderr).unwrap()),
        other => panic!("check-cidrs ended with {other:?}"),
    }
}

/// A Python that has moto: as the variable says, or where the script installs it.
fn python() -> Option<PathBuf> {
    let place = std::env::var_os("OTHER_CLIENTS_PYTHON").map_or_else(
        || Path::new(ROOT).join("target/other-clients/python/bin/python"),
        PathBuf::from,
    );
    let has_packages = Command::new(&place)
        .args(["-c", "import boto3, cfnlint, moto, samtranslator"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_packages {
        skipped("cfn-lint or moto is not installed; run tests/other_clients/install.sh");
        return None;
    }
    Some(place)
}
