"""The network of a template comes in; what lets the world in, or a private network out, comes out."""
import ipaddress
from pathlib import Path
import sys

from cfnlint.rules import CloudFormationLintRule, RuleMatch

sys.path.insert(0, str(Path(__file__).parent))
from template_parts import below, possible, resources, text  # noqa: E402

# In bits: no network that somebody owns is larger, and two halves of the world are the world.
SHORTEST_PREFIX = 8
WAYS_OUT = ("AWS::EC2::InternetGateway", "AWS::EC2::EgressOnlyInternetGateway", "AWS::EC2::NatGateway")


class OpenNetwork(CloudFormationLintRule):
    id = "E9006"
    shortdesc = "No port is open to the world, and what is private has no way there"
    description = "No ingress from 0.0.0.0/0, ::/0 or a network larger than /8; no internet gateway and no default route beside a private endpoint"
    source_url = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"
    tags = ["ec2", "private"]

    def match(self, cfn):
        for name, properties in resources(cfn.template, "AWS::EC2::SecurityGroup"):
            path = ["Resources", name, "Properties", "SecurityGroupIngress"]
            yield from self.ingress(cfn.template, properties.get("SecurityGroupIngress"), path)
        for name, properties in resources(cfn.template, "AWS::EC2::SecurityGroupIngress"):
            yield from self.ingress(cfn.template, properties, ["Resources", name, "Properties"])
        if not is_private(cfn.template):
            return
        for name, _ in resources(cfn.template, *WAYS_OUT):
            yield RuleMatch(["Resources", name], "a private network needs no way to the internet: remove it")
        for name, properties in resources(cfn.template, "AWS::EC2::Route"):
            for key in ("DestinationCidrBlock", "DestinationIpv6CidrBlock"):
                if world(cfn.template, properties.get(key, "")):
                    yield RuleMatch(
                        ["Resources", name, "Properties", key],
                        "a private network needs no default route: name the network that the route leads to",
                    )

    def ingress(self, template, rules, path):
        for key in ("CidrIp", "CidrIpv6"):
            for at, written in below(rules, key, path):
                network = world(template, written)
                if network:
                    yield RuleMatch(
                        at,
                        f"the world may connect ({network}): name the network or the security group of the callers",
                    )


def world(template, value):
    """The network that a value may be which is the world or a large part of it, or None."""
    for words in sorted(possible(template, value)):
        try:
            network = ipaddress.ip_network(words.strip(), strict=False)
        except ValueError:
            # Of that cfn-lint itself complains, or nothing is known of it.
            continue
        if network.prefixlen < SHORTEST_PREFIX:
            return words
    return None


def is_private(template):
    """Whether it has an interface endpoint, a peering, or a private API."""
    if any(resources(template, "AWS::EC2::VPCPeeringConnection")):
        return True
    endpoints = resources(template, "AWS::EC2::VPCEndpoint")
    if any(properties.get("VpcEndpointType") == "Interface" for _, properties in endpoints):
        return True
    apis = resources(template, "AWS::ApiGateway::RestApi", "AWS::Serverless::Api")
    return any("PRIVATE" in text(properties.get("EndpointConfiguration", "")) for _, properties in apis)
