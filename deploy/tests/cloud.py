"""Templates come in; a cloud of moto's, in this process, in which they are deployed, comes out: what is there
afterwards, what moto passed over, and the outputs of one stack as the parameters of the next.

Where moto differs from CloudFormation:
* It refuses nothing by AllowedPattern and by Rules: patterns are tried here, on the values that come.
* It looks for the other side of a peering in the region of the stack, so both regions are one here.
* GetAtt of an endpoint's DnsEntries is missing, and with it all outputs of the stack: it is added here, from
  what moto's own endpoint says.
* It passes over types that it lacks, with a warning. They are in `lacking`, and a test says which.
"""
import contextlib
import io
import json
import logging
import re
import warnings
import zipfile
from unittest import mock

import boto3
import moto
from moto.ec2.models.vpcs import VPCEndPoint

import templates

REGION = "us-east-1"  # the one that moto's GetAZs knows the zones of
FUNCTION = "stream-fn"

# It says the same twice: as a warning, which is kept, and on stderr.
logging.getLogger("moto").setLevel(logging.ERROR)


@contextlib.contextmanager
def cloud():
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
    added = mock.patch.multiple(
        VPCEndPoint,
        create=True,
        has_cfn_attr=classmethod(lambda cls, name: name == "DnsEntries"),
        get_cfn_attribute=lambda self, name: dns_entries(self),
    )
    with mock.patch.dict("os.environ", keys), moto.mock_aws(), added:
        yield Cloud()


def dns_entries(endpoint):
    """As CloudFormation gives them: the zone and the name, with a colon between."""
    return [f"{entry['hosted_zone_id']}:{entry['dns_name']}" for entry in endpoint.dns_entries]


class Cloud:
    def __init__(self):
        self.lacking = set()

    def client(self, service):
        return boto3.client(service, region_name=REGION)

    def function_alias(self):
        """A function with an alias, as stream-fn.yaml leaves one."""
        trust = {"Version": "2012-10-17", "Statement": []}
        role = self.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps(trust))
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("bootstrap", "")
        lambda_ = self.client("lambda")
        made = lambda_.create_function(
            FunctionName=FUNCTION,
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=role["Role"]["Arn"],
            Code={"ZipFile": code.getvalue()},
            Publish=True,
        )
        alias = lambda_.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion=made["Version"])
        return alias["AliasArn"]

    def deploy(self, name, template, parameters):
        """The outputs of the stack."""
        check_parameters(template, parameters)
        formation = self.client("cloudformation")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            formation.create_stack(
                StackName=name,
                TemplateBody=json.dumps(template, default=str),
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=["CAPABILITY_IAM"],
            )
        self.lacking |= {kind for warning in said for kind in re.findall(r"AWS::\w+::\w+", str(warning.message))}
        [stack] = formation.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]} if "Outputs" in stack else {}

    def resource(self, stack, name):
        found = self.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=name)
        return found["StackResourceDetail"]["PhysicalResourceId"]


def check_parameters(template, parameters):
    """What CloudFormation would refuse: a parameter too many, one missing, a value beside its pattern."""
    known = template.get("Parameters", {})
    assert parameters.keys() <= known.keys(), parameters.keys() - known.keys()
    for name, parameter in known.items():
        assert name in parameters or "Default" in parameter, f"{name} is missing"
        value = str(parameters.get(name, parameter.get("Default")))
        pattern = parameter.get("AllowedPattern", "")
        assert re.fullmatch(pattern or ".*", value, re.S), f"{name}: {value!r} is not {pattern}"


def parameters_from(template, *outputs):
    """The parameters of a template out of the outputs of those before it, as the walk-through takes them."""
    given = {name: value for stack in outputs for name, value in stack.items()}
    return {name: given[name] for name in template["Parameters"] if name in given}


def rules_hold(template, values):
    """Whether the assertions of a template's Rules hold, which are all of Not and Equals."""

    def holds(assertion):
        if "Fn::Not" in assertion:
            return not holds(assertion["Fn::Not"][0])
        left, right = (values[side["Ref"]] if isinstance(side, dict) else side for side in assertion["Fn::Equals"])
        return left == right

    return all(holds(entry["Assert"]) for rule in template["Rules"].values() for entry in rule["Assertions"])


def cross_region(name):
    return templates.load(templates.DEPLOY / "cross-region" / name)
