"""The templates come in, translated where they are SAM's; out comes the proof that none grants a star,
opens a port to the world, or is written for one partition, region or account, and that this would be seen."""
import copy
import json
import re
import unittest

import templates

# Values without a meaning here, so that all resources are made.
PARAMETERS = {"AuthorizerSettings": "settings"}
PRINCIPAL = re.compile(r'"[a-z]+\.amazonaws\.com"')


def statements(value):
    """Each statement of each policy in a tree, and not what only looks like one, such as an alarm's action."""
    if isinstance(value, dict):
        if value.get("Effect") in ("Allow", "Deny"):
            yield value
        for part in value.values():
            yield from statements(part)
    elif isinstance(value, list):
        for part in value:
            yield from statements(part)


def texts(value):
    """What a value may be, as texts: of an If, what it chooses from."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    if isinstance(value, dict) and set(value) == {"Fn::If"}:
        return texts(value["Fn::If"][1:])
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        return texts(value["Fn::Sub"] if isinstance(value["Fn::Sub"], str) else value["Fn::Sub"][0])
    return [json.dumps(value)]


def grants_too_much(template):
    """What the policies of a template allow beyond a named action on a named resource."""
    wrong = []
    for statement in statements(template):
        if statement["Effect"] != "Allow":
            continue
        for key in ("NotAction", "NotResource", "NotPrincipal"):
            if key in statement:
                wrong.append(f"{key} in {statement}")
        for action in texts(statement["Action"]):
            if "*" in action:
                wrong.append(f"the action {action}")
        for resource in texts(statement.get("Resource", [])):
            # A star may stand for the last part of a name: a version, a key, a path.
            service = resource.removeprefix("arn:${AWS::Partition}:").removeprefix("arn:aws:")
            if resource == "*" or service.partition(":")[0] in ("", "*") or resource.endswith(":*:*"):
                wrong.append(f"the resource {resource}")
            if re.search(r"^arn:[^:]*:[^:]*:\*|^arn:[^:]*:[^:]*:[^:]*:\*:", resource):
                wrong.append(f"a resource of any region or account: {resource}")
        if "*" in texts(statement.get("Principal", [])) and not statement.get("Condition"):
            wrong.append(f"everybody, without a condition: {statement}")
    for name, function in templates.kind(template, "AWS::Lambda::Permission").items():
        if "*" in function["Action"] or function["Principal"] == "*" or "SourceArn" not in function:
            wrong.append(f"the permission {name}")
    for name, url in templates.kind(template, "AWS::Lambda::Url").items():
        if url["AuthType"] != "AWS_IAM":
            wrong.append(f"the URL {name}")
    return wrong


def managed_policies(template):
    """Policies of AWS's that a role has, whose stars are not ours to see."""
    return [
        arn
        for role in templates.kind(template, "AWS::IAM::Role").values()
        for arn in texts(role.get("ManagedPolicyArns", []))
        if not arn.endswith(":iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
    ]


def opens_ports(template):
    """Where a network is everybody's: rules that let in, rules that let out, routes."""
    return re.findall(r'"(?:[A-Za-z]*Cidr[A-Za-z0-9]*|DestinationCidrBlock)": "(?:0\.0\.0\.0/0|::/0)"', json.dumps(template))


def missing_egress(template):
    """Security groups that may send to everybody, because they do not say to whom."""
    groups = templates.kind(template, "AWS::EC2::SecurityGroup")
    return [name for name, group in groups.items() if not group.get("SecurityGroupEgress")]


def fixed_names(template):
    """Resources whose name is the same in each stack, so that a second one fails."""
    keys = ("FunctionName", "RoleName", "ManagedPolicyName", "LogGroupName", "GroupName", "AlarmName", "UsagePlanName")
    return [
        (name, key)
        for name, resource in template["Resources"].items()
        for key in keys
        if isinstance(resource.get("Properties", {}).get(key), str)
    ]


def places(template):
    """Partitions, hosts of one partition, regions and accounts that are written out, beside the names of
    services as principals."""
    words = {key: value for key, value in template.items() if key != "Transform"}
    words = PRINCIPAL.sub("", without_descriptions(json.dumps(words)))
    found = re.findall(r"arn:aws[a-z-]*:|amazonaws\.com|\b(?:us|eu|ap|cn|ca|sa)-[a-z]+-\d\b|\b\d{12}\b", words)
    # SAM writes the partition of the region that it runs in; the service runs it in the stack's own.
    return [place for place in found if not (place == "arn:aws:" and template.get("translated"))]


def without_descriptions(words):
    return re.sub(r'"(?:Constraint)?Description": "(?:[^"\\]|\\.)*"', "", words)


def all_of_them():
    """Each template, and each of SAM once more as it is deployed."""
    for path in templates.TEMPLATES:
        template = templates.load(path)
        yield path.name, template
        if templates.is_sam(template):
            yield f"{path.name}, translated", {**templates.translated(template, PARAMETERS), "translated": True}


CHECKS = (grants_too_much, managed_policies, opens_ports, missing_egress, fixed_names, places)


class Grants(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = dict(all_of_them())

    def test_nothing_is_granted_opened_or_written_out_that_need_not_be(self):
        self.assertEqual(len(self.templates), 9)
        for name, template in self.templates.items():
            for check in CHECKS:
                with self.subTest(template=name, check=check.__name__):
                    self.assertEqual(check(template), [])

    def test_there_is_something_to_check_in_each(self):
        granting = {name for name, template in self.templates.items() if any(statements(template))}
        self.assertEqual(self.templates.keys() - granting, {"2-client.yaml", "3-return-route.yaml"})

    def test_each_mutation_is_seen(self):
        policy = ("Resources", "InvokePolicy", "Properties", "PolicyDocument", "Statement", 0)
        endpoint = ("Resources", "Endpoint", "Properties", "PolicyDocument", "Statement", 0)
        egress = ("Resources", "ClientSecurityGroup", "Properties", "SecurityGroupEgress")
        ingress = ("Resources", "EndpointSecurityGroup", "Properties", "SecurityGroupIngress", 0)
        permission = ("Resources", "ObjectPermission", "Properties")
        mutations = (
            (grants_too_much, "stream-fn.yaml", (*policy, "Action"), "lambda:*"),
            (grants_too_much, "stream-fn.yaml", (*policy, "Action"), ["lambda:InvokeFunction", "*"]),
            (grants_too_much, "stream-fn.yaml", (*policy, "Resource"), "*"),
            (grants_too_much, "stream-fn.yaml", (*policy, "Resource"), {"Fn::If": ["HasBucket", "*", "arn:x"]}),
            (grants_too_much, "stream-fn.yaml", (*policy, "Resource"), {"Fn::Sub": "arn:${AWS::Partition}:lambda:*:*:*"}),
            (grants_too_much, "stream-fn.yaml", (*policy, "NotAction"), "iam:CreateUser"),
            (grants_too_much, "stream-fn.yaml, translated", ("Resources", "FunctionUrl", "Properties", "AuthType"), "NONE"),
            (grants_too_much, "privatelink.yaml", (*endpoint, "Condition"), None),
            (grants_too_much, "1-api.yaml", (*permission, "SourceArn"), None),
            (grants_too_much, "1-api.yaml", (*permission, "Principal"), "*"),
            (managed_policies, "stream-fn.yaml", ("Resources", "Role", "Properties", "ManagedPolicyArns"), ["arn:x:iam::aws:policy/AdministratorAccess"]),
            (opens_ports, "1-api.yaml", (*ingress, "CidrIp"), "0.0.0.0/0"),
            (opens_ports, "2-client.yaml", (*egress, 0, "CidrIp"), "0.0.0.0/0"),
            (opens_ports, "3-return-route.yaml", ("Resources", "RouteToClients", "Properties", "DestinationCidrBlock"), "0.0.0.0/0"),
            (missing_egress, "2-client.yaml", egress, None),
            (fixed_names, "stream-fn.yaml", ("Resources", "Function", "Properties", "FunctionName"), "stream-fn"),
            (places, "stream-fn.yaml", (*policy, "Resource"), "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:f"),
            (places, "2-client.yaml", ("Outputs", "ApiUrl", "Value"), {"Fn::Sub": "https://${ApiId}.execute-api.${ApiRegion}.amazonaws.com"}),
            (places, "2-client.yaml", ("Parameters", "ApiRegion", "Default"), "eu-central-1"),
            (places, "privatelink.yaml", (*endpoint, "Condition", "StringEquals", "aws:PrincipalAccount"), "123456789012"),
        )
        for check, name, path, value in mutations:
            with self.subTest(check=check.__name__, template=name, path=path, value=value):
                template = copy.deepcopy(self.templates[name])
                part = template
                for key in path[:-1]:
                    part = part[key]
                if value is None:
                    del part[path[-1]]
                else:
                    part[path[-1]] = value
                self.assertNotEqual(check(template), [])


if __name__ == "__main__":
    unittest.main()
