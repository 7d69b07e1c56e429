"""The three templates of the way across regions come in; moto deploys them, one after the other; what a machine needs
to build their networks again comes out, as JSON on stdout.

    private_path.py [NAME=VALUE ...]        parameters of 1-api.yaml, in place of the defaults

Everything is as it is in the stacks, but for what moto passes over (associations of route tables, the rules for what
leaves a security group): that is as it is written, with the stacks' own values in place of references.
"""
import json
import sys

import cloud
import templates

STACKS = {"api": "1-api.yaml", "client": "2-client.yaml", "way-back": "3-return-route.yaml"}


class Deployed:
    """The stacks, so far."""

    def __init__(self, cloud_):
        self.cloud, self.ec2 = cloud_, cloud_.client("ec2")
        self.written, self.given, self.outputs = {}, {}, {}

    def deploy(self, stack, given):
        self.written[stack] = cloud.cross_region(STACKS[stack])
        of_those_before = cloud.parameters_from(self.written[stack], *self.outputs.values())
        self.given[stack] = {**of_those_before, **given}
        self.outputs[stack] = self.cloud.deploy(stack, self.written[stack], self.given[stack])

    def value(self, stack, written):
        """What is meant: a parameter, a resource, or what is written."""
        if not isinstance(written, dict):
            return written
        name = written["Ref"]
        parameter = self.written[stack]["Parameters"].get(name)
        if parameter is None:
            return self.cloud.resource(stack, name)
        return self.given[stack].get(name, parameter.get("Default"))

    def subnets(self, stack):
        """Each subnet of a stack, and where its packets go but to its own VPC."""
        tables = {
            self.value(stack, link["SubnetId"]): self.value(stack, link["RouteTableId"])
            for link in templates.kind(self.written[stack], "AWS::EC2::SubnetRouteTableAssociation").values()
        }
        found = self.ec2.describe_subnets(SubnetIds=list(tables))["Subnets"]
        return [{"cidr": subnet["CidrBlock"], "routes": self.routes(tables[subnet["SubnetId"]])} for subnet in found]

    def routes(self, table):
        [found] = self.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        return [
            {"destination": route["DestinationCidrBlock"], "peering": route["VpcPeeringConnectionId"]}
            for route in found["Routes"]
            if route.get("GatewayId") != "local"
        ]

    def comes_in(self, stack, group):
        [found] = self.ec2.describe_security_groups(GroupIds=[self.cloud.resource(stack, group)])["SecurityGroups"]
        return [
            rule(entry["IpProtocol"], entry.get("FromPort"), entry.get("ToPort"), network["CidrIp"])
            for entry in found["IpPermissions"]
            for network in entry["IpRanges"]
        ]

    def goes_out(self, stack, group):
        written = self.written[stack]["Resources"][group]["Properties"]["SecurityGroupEgress"]
        return [
            rule(entry["IpProtocol"], entry.get("FromPort"), entry.get("ToPort"), self.value(stack, entry["CidrIp"]))
            for entry in written
        ]

    def group(self, stack, name):
        return {"in": self.comes_in(stack, name), "out": self.goes_out(stack, name)}

    def network(self, stack):
        [vpc] = self.ec2.describe_vpcs(VpcIds=[self.cloud.resource(stack, "Vpc")])["Vpcs"]
        return {"cidr": vpc["CidrBlock"], "subnets": self.subnets(stack)}

    def name(self):
        """The one name of the zone, and that it is the endpoint's."""
        route53 = self.cloud.client("route53")
        zone = self.cloud.resource("client", "Zone")
        records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        [record] = [record for record in records if record["Type"] == "A"]
        [endpoint] = self.ec2.describe_vpc_endpoints()["VpcEndpoints"]
        names = [entry["DnsName"] for entry in endpoint["DnsEntries"]]
        assert record["AliasTarget"]["DNSName"].rstrip(".") in names, (record, names)
        return record["Name"].rstrip(".")


def rule(protocol, first, last, cidr):
    return {"protocol": protocol, "first_port": first, "last_port": last, "cidr": cidr}


def main(arguments):
    given = dict(argument.split("=", 1) for argument in arguments)
    with cloud.cloud() as entered:
        deployed = Deployed(entered)
        alias = entered.function_alias()
        deployed.deploy("api", {"FunctionAliasArn": alias, **given})
        deployed.deploy("client", {})
        without_way_back = deployed.network("api")
        deployed.deploy("way-back", {})
        answer = {
            "api": deployed.network("api"),
            "api_without_way_back": without_way_back,
            "client": deployed.network("client"),
            "peering": deployed.outputs["client"]["PeeringConnectionId"],
            "endpoint_group": deployed.group("api", "EndpointSecurityGroup"),
            "client_group": deployed.group("client", "ClientSecurityGroup"),
            "name": deployed.name(),
            "url": deployed.outputs["client"]["ApiUrl"],
            "stage": deployed.outputs["api"]["ApiStage"],
            "function": cloud.FUNCTION,
            "function_alias": alias,
        }
    json.dump(answer, sys.stdout, indent=1)


if __name__ == "__main__":
    main(sys.argv[1:])
