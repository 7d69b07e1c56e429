//! What the stacks have comes in; two network namespaces with those addresses, routes and security groups go out,
//! joined by a pair of devices that stands for the peering.
//!
//! Otherwise than in a VPC: where no route leads the system says so at once, and a VPC's router says nothing. Groups
//! are rules of routing with ports, so an answer is known by its port, not by its connection, and what a group keeps
//! from going out fails at once. Lists of networks (ACLs), policies of endpoints and resolvers are not here: a name
//! is in a file.

use std::net::Ipv4Addr;

use crate::namespace::{Namespace, ip, remove_those_of_the_dead};
use crate::stacks::{Group, Network, Route, Rule, Stacks, may_be_peered};

/// The device at each end of the peering.
const DEVICE: &str = "peering";

/// An end of the peering as the other one sees it: it is asked for by nobody, since a VPC has no ARP.
struct End {
    hop: &'static str,
    mac: &'static str,
}

const OF_API: End = End { hop: "169.254.0.1", mac: "02:00:00:00:00:01" };
const OF_CLIENT: End = End { hop: "169.254.0.2", mac: "02:00:00:00:00:02" };

/// Where rules of routing stand: what may come in, that nothing else may, what is here, what may go out, that
/// no route is there for it, that nothing else may.
const IN_ALLOWED: u32 = 100;
const IN_ELSE: u32 = 200;
const HERE: u32 = 300;
const OUT_ALLOWED: u32 = 400;
const OUT_WITHOUT_ROUTE: u32 = 500;
const OUT_ELSE: u32 = 600;

/// Both sides; they end with it.
pub(crate) struct Networks {
    pub(crate) api: Namespace,
    pub(crate) client: Namespace,
    /// Of the endpoint: one in each subnet.
    pub(crate) endpoint: Vec<Ipv4Addr>,
    of_client: Ipv4Addr,
    peering: String,
}

/// Why there are none.
#[derive(Debug)]
pub(crate) enum Unbuilt {
    /// Two networks that nobody may peer.
    Overlap(String),
    /// This system has no namespaces, or not for this user.
    NotHere(String),
}

impl Networks {
    /// The two networks with their peering and their groups, and no routes yet.
    pub(crate) fn build(stacks: &Stacks) -> Result<Self, Unbuilt> {
        may_be_peered([&stacks.api, &stacks.client]).map_err(Unbuilt::Overlap)?;
        remove_those_of_the_dead();
        let here = Unbuilt::NotHere;
        let networks = Self {
            api: Namespace::new("api").map_err(here)?,
            client: Namespace::new("client").map_err(here)?,
            endpoint: stacks.api.addresses(),
            of_client: stacks.client.addresses()[0],
            peering: stacks.peering.clone(),
        };
        networks.join().map_err(here)?;
        networks.api.knows("localhost", &[Ipv4Addr::LOCALHOST]);
        networks.client.knows(&stacks.name, &networks.endpoint);
        guard(&networks.api, &stacks.endpoint_group).map_err(here)?;
        guard(&networks.client, &stacks.client_group).map_err(here)?;
        Ok(networks)
    }

    fn join(&self) -> Result<(), String> {
        let (api, client) = (&self.api, &self.client);
        ip(&format!(
            "link add {DEVICE} address {} netns {} type veth peer name {DEVICE} address {} netns {}",
            OF_API.mac,
            api.name(),
            OF_CLIENT.mac,
            client.name()
        ))?;
        for (side, addresses, other) in
            [(api, &self.endpoint[..], OF_CLIENT), (client, &[self.of_client][..], OF_API)]
        {
            side.ip(&format!("link set {DEVICE} up"))?;
            let End { hop, mac } = other;
            side.ip(&format!("neigh add {hop} lladdr {mac} dev {DEVICE} nud permanent"))?;
            for address in addresses {
                side.ip(&format!("addr add {address}/32 dev lo"))?;
            }
        }
        Ok(())
    }

    /// The routes of the clients' side as a stack has them.
    pub(crate) fn route_client(&self, network: &Network) {
        self.route(&self.client, network, &OF_API);
    }

    /// The routes of the API's side as a stack has them.
    pub(crate) fn route_api(&self, network: &Network) {
        self.route(&self.api, network, &OF_CLIENT);
    }

    /// Those in place of what was there.
    fn route(&self, side: &Namespace, network: &Network, other: &End) {
        side.ip("route flush table main").unwrap();
        for Route { destination, peering } in network.routes() {
            assert_eq!(*peering, self.peering, "a route to somewhere else");
            let hop = other.hop;
            side.ip(&format!("route add {destination} via {hop} dev {DEVICE} onlink")).unwrap();
        }
    }

    /// The clients without their group: all may go out.
    pub(crate) fn client_leaves_its_group(&self) {
        for rank in [OUT_WITHOUT_ROUTE, OUT_ELSE] {
            self.client.ip(&format!("rule del pref {rank}")).unwrap();
        }
        self.client.ip(&format!("rule del pref {IN_ELSE}")).unwrap();
    }
}

/// The rules of a security group, and the answers to what they allow.
fn guard(side: &Namespace, group: &Group) -> Result<(), String> {
    let tcp = |rules: &[Rule]| -> Vec<(String, String)> {
        let rules = rules.iter().filter(|rule| rule.is_tcp());
        rules.map(|rule| (rule.ports(), rule.cidr.clone())).collect()
    };
    let (comes_in, goes_out) = (tcp(&group.comes_in), tcp(&group.goes_out));
    let coming = |network: &str, which: &str| {
        format!(
            "rule add pref {IN_ALLOWED} iif {DEVICE} ipproto tcp {which} from {network} lookup local"
        )
    };
    let going = |network: &str, which: &str| {
        let which = format!("ipproto tcp {which} to {network}");
        [
            format!("rule add pref {OUT_ALLOWED} {which} lookup main"),
            format!("rule add pref {OUT_WITHOUT_ROUTE} {which} unreachable"),
        ]
    };
    let mut lines = Vec::new();
    for (ports, network) in &comes_in {
        lines.push(coming(network, &format!("dport {ports}")));
        lines.extend(going(network, &format!("sport {ports}")));
    }
    for (ports, network) in &goes_out {
        lines.push(coming(network, &format!("sport {ports}")));
        lines.extend(going(network, &format!("dport {ports}")));
    }
    lines.push(format!("rule add pref {IN_ELSE} iif {DEVICE} blackhole"));
    lines.push(format!("rule add pref {HERE} lookup local"));
    lines.push(format!("rule add pref {OUT_ELSE} prohibit"));
    // The system's own, which lets all in.
    lines.push("rule del pref 0".to_owned());
    lines.iter().try_for_each(|line| side.ip(line))
}
