"""The templates of the private ways across regions come in; moto deploys them; the networks that are there
then, and the parameters that went from one stack to the next, are compared with what they are for."""
import ast
import ipaddress
import json
import unittest

import cloud
import templates

PLAN = {
    "ApiVpcCidr": "10.30.0.0/16",
    "ApiSubnetACidr": "10.30.1.0/24",
    "ApiSubnetBCidr": "10.30.2.0/24",
    "ClientVpcCidr": "172.20.0.0/20",
    "ClientSubnetACidr": "172.20.1.0/24",
    "ClientSubnetBCidr": "172.20.2.0/24",
}
HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}


class ThreeTemplates(unittest.TestCase):
    """All three, one after the other, each with what those before it put out."""

    @classmethod
    def setUpClass(cls):
        names = ("1-api.yaml", "2-client.yaml", "3-return-route.yaml")
        cls.api, cls.client, cls.way_back = map(cloud.cross_region, names)
        entered = cloud.cloud()
        cls.cloud = entered.__enter__()
        cls.addClassCleanup(entered.__exit__, None, None, None)
        cls.ec2 = cls.cloud.client("ec2")
        cls.alias = cls.cloud.function_alias()
        cls.of_api = cls.cloud.deploy("api", cls.api, {"FunctionAliasArn": cls.alias, **PLAN})
        cls.for_client = cloud.parameters_from(cls.client, cls.of_api)
        cls.of_client = cls.cloud.deploy("client", cls.client, cls.for_client)
        cls.before = cls.routes("api")
        cls.for_way_back = cloud.parameters_from(cls.way_back, cls.of_api, cls.of_client)
        cls.cloud.deploy("way-back", cls.way_back, cls.for_way_back)

    @classmethod
    def routes(cls, stack):
        """Where the packets of a stack's VPC go: network to peering, or "local"."""
        table = cls.cloud.resource(stack, "RouteTable")
        [found] = cls.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        return {
            route["DestinationCidrBlock"]: route.get("VpcPeeringConnectionId") or route.get("GatewayId")
            for route in found["Routes"]
        }

    def rules(self, stack, group):
        found = self.ec2.describe_security_groups(GroupIds=[self.cloud.resource(stack, group)])
        return found["SecurityGroups"][0]

    def test_every_parameter_is_handed_on_and_nothing_is_typed_twice(self):
        self.assertEqual(self.for_client.keys(), self.client["Parameters"].keys())
        self.assertEqual(self.for_way_back.keys(), self.way_back["Parameters"].keys())
        for template in (self.client, self.way_back):
            for name, parameter in template["Parameters"].items():
                self.assertNotIn("Default", parameter, name)
        vpc, table = self.cloud.resource("api", "Vpc"), self.cloud.resource("api", "RouteTable")
        self.assertEqual((self.for_client["ApiVpcId"], self.for_client["ApiVpcCidr"]), (vpc, PLAN["ApiVpcCidr"]))
        self.assertEqual(self.for_client["ApiId"], self.cloud.resource("api", "Api"))
        self.assertEqual(self.for_way_back["ApiRouteTableId"], table)
        self.assertEqual(self.for_way_back["PeeringConnectionId"], self.cloud.resource("client", "Peering"))

    def test_the_peering_is_between_the_two_vpcs(self):
        [peering] = self.ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
        self.assertEqual(peering["RequesterVpcInfo"]["VpcId"], self.cloud.resource("client", "Vpc"))
        self.assertEqual(peering["AccepterVpcInfo"]["VpcId"], self.cloud.resource("api", "Vpc"))
        # moto has one region for both.
        written = self.client["Resources"]["Peering"]["Properties"]
        self.assertEqual(written["PeerRegion"], {"Ref": "ApiRegion"})

    def test_the_way_there_is_of_the_second_and_the_way_back_of_the_third(self):
        peering = self.of_client["PeeringConnectionId"]
        there = {PLAN["ClientVpcCidr"]: "local", PLAN["ApiVpcCidr"]: peering}
        self.assertEqual(self.routes("client"), there)
        self.assertEqual(self.before, {PLAN["ApiVpcCidr"]: "local"})
        self.assertEqual(self.routes("api"), {PLAN["ApiVpcCidr"]: "local", PLAN["ClientVpcCidr"]: peering})

    def test_each_vpc_has_two_subnets_in_two_zones_with_its_routes(self):
        for stack, side, written in (("api", "Api", self.api), ("client", "Client", self.client)):
            ids = [self.cloud.resource(stack, name) for name in ("SubnetA", "SubnetB")]
            subnets = self.ec2.describe_subnets(SubnetIds=ids)["Subnets"]
            self.assertEqual(len({subnet["AvailabilityZone"] for subnet in subnets}), 2)
            wanted = {PLAN[f"{side}SubnetACidr"], PLAN[f"{side}SubnetBCidr"]}
            self.assertEqual({subnet["CidrBlock"] for subnet in subnets}, wanted)
            # moto does not show the associations of a stack in the table, so these are what is written.
            links = templates.kind(written, "AWS::EC2::SubnetRouteTableAssociation").values()
            self.assertEqual({link["SubnetId"]["Ref"] for link in links}, {"SubnetA", "SubnetB"})
            self.assertEqual([link["RouteTableId"] for link in links], [{"Ref": "RouteTable"}] * 2)

    def test_only_https_of_the_two_networks_comes_in(self):
        endpoint = self.rules("api", "EndpointSecurityGroup")
        entries = [
            ({key: rule[key] for key in HTTPS}, network["CidrIp"])
            for rule in endpoint["IpPermissions"]
            for network in rule["IpRanges"]
        ]
        self.assertCountEqual([network for _, network in entries], [PLAN["ClientVpcCidr"], PLAN["ApiVpcCidr"]])
        self.assertTrue(all(rule == HTTPS for rule, _ in entries))
        self.assertEqual(self.rules("client", "ClientSecurityGroup")["IpPermissions"], [])

    def test_only_https_to_the_api_goes_out(self):
        # moto passes over the SecurityGroupEgress of a group, so this is what is written.
        written = self.client["Resources"]["ClientSecurityGroup"]["Properties"]["SecurityGroupEgress"]
        [rule] = [{key: value for key, value in rule.items() if key != "Description"} for rule in written]
        self.assertEqual(rule, {**HTTPS, "CidrIp": {"Ref": "ApiVpcCidr"}})
        [rule] = self.api["Resources"]["EndpointSecurityGroup"]["Properties"]["SecurityGroupEgress"]
        self.assertEqual(rule["CidrIp"], "127.0.0.1/32")

    def test_the_zone_has_the_name_of_the_one_api_and_leads_to_the_endpoint(self):
        route53 = self.cloud.client("route53")
        [zone] = route53.list_hosted_zones()["HostedZones"]
        name = f"{self.of_api['ApiId']}.execute-api.{cloud.REGION}.amazonaws.com"
        self.assertEqual(zone["Name"].rstrip("."), name)
        # moto's zones are public; what makes one private is its VPCs.
        written = self.client["Resources"]["Zone"]["Properties"]
        self.assertEqual(written["VPCs"], [{"VPCId": {"Ref": "Vpc"}, "VPCRegion": {"Ref": "AWS::Region"}}])
        records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
        [record] = [record for record in records if record["Type"] == "A"]
        self.assertEqual(record["Name"].rstrip("."), name)
        [endpoint] = self.ec2.describe_vpc_endpoints()["VpcEndpoints"]
        [entry] = endpoint["DnsEntries"]
        self.assertEqual(record["AliasTarget"]["DNSName"].rstrip("."), entry["DnsName"])
        self.assertEqual(record["AliasTarget"]["HostedZoneId"], entry["HostedZoneId"])
        self.assertEqual(self.of_client["ApiUrl"], f"https://{name}/{self.of_api['ApiStage']}")

    def test_the_endpoint_is_in_both_subnets_and_for_one_api(self):
        [endpoint] = self.ec2.describe_vpc_endpoints()["VpcEndpoints"]
        self.assertEqual(endpoint["VpcId"], self.of_api["ApiVpcId"])
        self.assertEqual(endpoint["VpcEndpointType"], "Interface")
        self.assertEqual(endpoint["ServiceName"], f"com.amazonaws.{cloud.REGION}.execute-api")
        self.assertFalse(endpoint["PrivateDnsEnabled"])
        self.assertCountEqual(
            endpoint["SubnetIds"], [self.cloud.resource("api", name) for name in ("SubnetA", "SubnetB")]
        )
        [group] = endpoint["Groups"]
        self.assertEqual(group["GroupId"], self.cloud.resource("api", "EndpointSecurityGroup"))
        # moto keeps neither the policy of an API nor its endpoints, so this is what is written.
        api = self.api["Resources"]["Api"]["Properties"]
        self.assertEqual(api["EndpointConfiguration"], {"Types": ["PRIVATE"], "VpcEndpointIds": [{"Ref": "Endpoint"}]})
        [deny, allow] = api["Policy"]["Statement"]
        self.assertEqual((deny["Effect"], allow["Effect"]), ("Deny", "Allow"))
        self.assertEqual(deny["Condition"], {"StringNotEquals": {"aws:SourceVpce": {"Ref": "Endpoint"}}})
        self.assertEqual(allow["Condition"], {"StringEquals": {"aws:SourceVpce": {"Ref": "Endpoint"}}})

    def test_the_methods_stream_and_somebody_must_be_known(self):
        gateway = self.cloud.client("apigateway")
        api = self.of_api["ApiId"]
        found = {}
        for resource in gateway.get_resources(restApiId=api)["items"]:
            for verb in resource.get("resourceMethods", {}):
                found[(resource["path"], verb)] = gateway.get_method(
                    restApiId=api, resourceId=resource["id"], httpMethod=verb
                )
        self.assertEqual(found.keys(), {("/{proxy+}", "GET"), ("/", "POST")})
        for route, method in found.items():
            self.assertEqual(method["authorizationType"], "AWS_IAM", route)
            uri = method["methodIntegration"]["uri"]
            path = f"lambda:path/2021-11-15/functions/{self.alias}/response-streaming-invocations"
            self.assertEqual(uri, f"arn:aws:apigateway:{cloud.REGION}:{path}")
        # moto drops these two of a method.
        for name in ("ObjectMethod", "PayloadMethod"):
            written = self.api["Resources"][name]["Properties"]
            self.assertEqual(written["Integration"]["ResponseTransferMode"], "STREAM")
            self.assertEqual(written["Integration"]["TimeoutInMillis"], 900000)
            self.assertEqual(written["AuthorizationType"], {"Fn::If": ["HasAuthorizer", "CUSTOM", "AWS_IAM"]})

    def test_nothing_leads_to_the_internet(self):
        self.assertEqual(self.ec2.describe_internet_gateways()["InternetGateways"], [])
        self.assertEqual(self.ec2.describe_nat_gateways()["NatGateways"], [])

    def test_what_moto_lacks_is_as_this_file_says(self):
        # Of those, the stage is what the tests have to believe.
        self.assertEqual(self.cloud.lacking, {"AWS::ApiGateway::Stage"})
        stage = self.api["Resources"]["Stage"]["Properties"]
        self.assertEqual(stage["DeploymentId"], {"Ref": "Deployment"})
        self.assertEqual(stage["StageName"], {"Ref": "Vpc"})
        self.assertEqual(stage["MethodSettings"][0]["ThrottlingRateLimit"], {"Ref": "ThrottlingRate"})
        for name in ("responseTransferMode", "timeToAllHeaders", "timeToFirstContent"):
            self.assertIn(f'"{name}":"$context.integration.{name}"', stage["AccessLogSetting"]["Format"])

    def test_the_stage_of_the_endpoints_policy_is_that_of_no_other_api(self):
        [endpoint] = self.ec2.describe_vpc_endpoints()["VpcEndpoints"]
        written = self.api["Resources"]["Endpoint"]["Properties"]["PolicyDocument"]["Statement"]
        for resource in written[0]["Resource"]:
            self.assertIn(":*/${Vpc}/", resource["Fn::Sub"])
        self.assertEqual(self.of_api["ApiStage"], endpoint["VpcId"])


class WithAuthorizer(unittest.TestCase):
    """The first template with an authorizer in place of signatures."""

    def test_methods_ask_it_and_api_gateway_may_call_it_as_an_authorizer(self):
        template = cloud.cross_region("1-api.yaml")
        with cloud.cloud() as entered:
            alias = entered.function_alias()
            authorizer = alias.rpartition(":")[0]
            given = {"FunctionAliasArn": alias, "AuthorizerFunctionArn": authorizer, **PLAN}
            outputs = entered.deploy("api", template, given)
            gateway, api = entered.client("apigateway"), outputs["ApiId"]
            kinds = {
                gateway.get_method(restApiId=api, resourceId=resource["id"], httpMethod=verb)["authorizationType"]
                for resource in gateway.get_resources(restApiId=api)["items"]
                for verb in resource.get("resourceMethods", {})
            }
            self.assertEqual(kinds, {"CUSTOM"})
            policy = json.loads(entered.client("lambda").get_policy(FunctionName=authorizer)["Policy"])
            sources = [json.dumps(statement["Condition"]) for statement in policy["Statement"]]
            self.assertEqual(len([source for source in sources if f":{api}/authorizers/" in source]), 1, sources)
            # The authorizer itself is one of the types that moto lacks.
            self.assertEqual(entered.lacking, {"AWS::ApiGateway::Stage", "AWS::ApiGateway::Authorizer"})
        written = template["Resources"]["Authorizer"]["Properties"]
        self.assertIn("/2015-03-31/functions/${AuthorizerFunctionArn}/invocations", written["AuthorizerUri"]["Fn::Sub"])
        self.assertEqual(written["Type"], "REQUEST")
        for name in ("ObjectMethod", "PayloadMethod"):
            choice = template["Resources"][name]["Properties"]["AuthorizerId"]["Fn::If"]
            self.assertEqual(choice[:2], ["HasAuthorizer", {"Ref": "Authorizer"}])


class Refusals(unittest.TestCase):
    """What CloudFormation would not take, tried here on the patterns and the rules as they are written."""

    def test_networks_that_are_the_same_are_refused(self):
        api, client = cloud.cross_region("1-api.yaml"), cloud.cross_region("2-client.yaml")
        self.assertTrue(cloud.rules_hold(api, PLAN))
        for one, other in (
            ("ApiVpcCidr", "ClientVpcCidr"),
            ("ApiSubnetACidr", "ApiSubnetBCidr"),
            ("ClientSubnetACidr", "ClientSubnetBCidr"),
        ):
            self.assertFalse(cloud.rules_hold(api, {**PLAN, one: PLAN[other]}), one)
        self.assertTrue(cloud.rules_hold(client, PLAN))
        self.assertFalse(cloud.rules_hold(client, {**PLAN, "ApiVpcCidr": PLAN["ClientVpcCidr"]}))

    def test_what_is_no_network_is_refused(self):
        api = {"Parameters": {"ApiVpcCidr": cloud.cross_region("1-api.yaml")["Parameters"]["ApiVpcCidr"]}}
        for good in ("10.0.0.0/16", "172.31.255.240/28", "192.168.0.0/24"):
            cloud.check_parameters(api, {"ApiVpcCidr": good})
        for bad in ("10.0.0.0", "10.0.0.0/15", "10.0.0.0/29", "10.0.0.256/16", "10.0.0/16", "0.0.0.0/0", "8.8.8.0/24"):
            with self.subTest(bad), self.assertRaises(AssertionError):
                cloud.check_parameters(api, {"ApiVpcCidr": bad})

    def test_the_default_subnets_are_parts_of_the_default_networks(self):
        parameters = cloud.cross_region("1-api.yaml")["Parameters"]
        network = {name: ipaddress.ip_network(parameters[name]["Default"]) for name in PLAN}
        for side in ("Api", "Client"):
            for subnet in ("A", "B"):
                self.assertTrue(network[f"{side}Subnet{subnet}Cidr"].subnet_of(network[f"{side}VpcCidr"]))


class PrivateLink(unittest.TestCase):
    """The preferred way, into a VPC that is there already."""

    @classmethod
    def setUpClass(cls):
        cls.template = cloud.cross_region("privatelink.yaml")
        entered = cloud.cloud()
        cls.cloud = entered.__enter__()
        cls.addClassCleanup(entered.__exit__, None, None, None)
        cls.ec2 = cls.cloud.client("ec2")
        cls.vpc = cls.ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
        cls.subnets = [
            cls.ec2.create_subnet(VpcId=cls.vpc, CidrBlock=f"10.40.{n}.0/24", AvailabilityZone=cloud.REGION + zone)[
                "Subnet"
            ]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        cls.function = f"arn:aws:lambda:eu-central-1:{'1' * 12}:function:stream-fn"
        parameters = {
            "FunctionRegion": "eu-central-1",
            "FunctionArn": cls.function,
            "VpcId": cls.vpc,
            "SubnetAId": cls.subnets[0],
            "SubnetBId": cls.subnets[1],
        }
        cls.outputs = cls.cloud.deploy("privatelink", cls.template, parameters)

    def test_moto_lacks_nothing_of_it(self):
        self.assertEqual(self.cloud.lacking, set())

    def test_one_endpoint_for_lambda_of_the_other_region(self):
        [endpoint] = self.ec2.describe_vpc_endpoints()["VpcEndpoints"]
        self.assertEqual(endpoint["ServiceName"], "com.amazonaws.eu-central-1.lambda")
        self.assertEqual(endpoint["VpcId"], self.vpc)
        self.assertCountEqual(endpoint["SubnetIds"], self.subnets)
        [entry] = endpoint["DnsEntries"]
        self.assertEqual(self.outputs["EndpointUrl"], f"https://{entry['DnsName']}")
        self.assertEqual(self.outputs["Region"], "eu-central-1")
        # moto passes over the region of the service.
        written = self.template["Resources"]["Endpoint"]["Properties"]
        crossing = {"Fn::If": ["CrossRegion", {"Ref": "FunctionRegion"}, {"Ref": "AWS::NoValue"}]}
        self.assertEqual(written["ServiceRegion"], crossing)

    def test_it_is_for_one_function_of_one_account(self):
        [endpoint] = self.ec2.describe_vpc_endpoints()["VpcEndpoints"]
        # moto writes it as Python would.
        [statement] = ast.literal_eval(endpoint["PolicyDocument"])["Statement"]
        self.assertEqual(statement["Action"], "lambda:InvokeFunction")
        self.assertEqual(statement["Resource"], [self.function, f"{self.function}:*"])
        self.assertEqual(list(statement["Condition"]["StringEquals"]), ["aws:PrincipalAccount"])

    def test_only_https_of_the_clients_comes_in(self):
        endpoint = self.cloud.resource("privatelink", "EndpointSecurityGroup")
        [group] = self.ec2.describe_security_groups(GroupIds=[endpoint])["SecurityGroups"]
        [rule] = group["IpPermissions"]
        self.assertEqual({key: rule[key] for key in HTTPS}, HTTPS)
        self.assertEqual(rule["IpRanges"], [])
        [pair] = rule["UserIdGroupPairs"]
        self.assertEqual(pair["GroupId"], self.outputs["ClientSecurityGroupId"])
        # moto passes over the SecurityGroupEgress of a group.
        [written] = self.template["Resources"]["ClientSecurityGroup"]["Properties"]["SecurityGroupEgress"]
        self.assertEqual(written["DestinationSecurityGroupId"], {"Fn::GetAtt": ["EndpointSecurityGroup", "GroupId"]})

    def test_nothing_is_peered_and_no_name_is_changed(self):
        kinds = {resource["Type"] for resource in self.template["Resources"].values()}
        self.assertEqual(
            kinds, {"AWS::EC2::VPCEndpoint", "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"}
        )
        self.assertEqual(self.template["Parameters"]["PrivateDns"]["Default"], "false")


if __name__ == "__main__":
    unittest.main()
