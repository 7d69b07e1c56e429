"""A template of a sequence (its file is called N-NAME.yaml) comes in; its parameters that no template before
it puts out, or that would refuse what is put out, come out."""
from pathlib import Path
import re
import sys

from cfnlint.decode import decode
from cfnlint.rules import CloudFormationLintRule, RuleMatch

sys.path.insert(0, str(Path(__file__).parent))
from template_parts import text  # noqa: E402

# What a Ref of each type is, to try a pattern with.
IDS = {
    "AWS::EC2::VPC": "vpc-0123456789abcdef0",
    "AWS::EC2::Subnet": "subnet-0123456789abcdef0",
    "AWS::EC2::RouteTable": "rtb-0123456789abcdef0",
    "AWS::EC2::SecurityGroup": "sg-0123456789abcdef0",
    "AWS::EC2::VPCEndpoint": "vpce-0123456789abcdef0",
    "AWS::EC2::VPCPeeringConnection": "pcx-0123456789abcdef0",
    "AWS::ApiGateway::RestApi": "a1b2c3d4e5",
}
# What the two halves of an endpoint's DnsEntries are.
DNS_ENTRY = ("Z1HUB23UULQXV", "vpce-0123456789abcdef0-abcdefgh.execute-api.eu-central-1.vpce.amazonaws.com")


class HandedOn(CloudFormationLintRule):
    id = "E9008"
    shortdesc = "Each parameter of a later template is an output of an earlier one"
    description = "In a sequence of templates nothing is typed twice, and no parameter refuses the output it is for"
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html"
    tags = ["parameters", "outputs"]

    def match(self, cfn):
        number = sequence(cfn.filename)
        if number is None:
            return
        earlier = [
            (path.name, decode(str(path))[0] or {})
            for path in sorted(Path(cfn.filename).parent.glob("[0-9]*-*.yaml"))
            if (sequence(path) or 0) < number
        ]
        if not earlier:
            return
        for name, parameter in (cfn.template.get("Parameters") or {}).items():
            path = ["Parameters", name]
            givers = [(file, template) for file, template in earlier if name in (template.get("Outputs") or {})]
            if not givers:
                files = ", ".join(file for file, _ in earlier)
                yield RuleMatch(path, f"no template before has an output {name}: add it to one of {files}")
            for file, template in givers:
                wrong = refused(template, template["Outputs"][name].get("Value"), parameter)
                if wrong:
                    yield RuleMatch(path, f"does not take the output {name} of {file}: {wrong}")


def sequence(filename):
    found = re.match(r"(\d+)-", Path(str(filename)).name) if filename else None
    return int(found[1]) if found else None


def refused(template, value, parameter):
    """Why the parameter would not take the value; None if it would, or nobody knows."""
    if not str(parameter.get("Type", "")).startswith(("String", "CommaDelimitedList")):
        return f"its type {parameter.get('Type')} is looked up in its own region: make it a String"
    pattern = parameter.get("AllowedPattern")
    source = value.get("Ref") if isinstance(value, dict) else None
    giver = (template.get("Parameters") or {}).get(source)
    if giver is not None:
        if pattern != giver.get("AllowedPattern"):
            return f"its AllowedPattern is not that of the parameter {source} there: make them the same"
        return None
    sample = example(template, value, source)
    if pattern and sample and not re.search(pattern, sample):
        return f"its AllowedPattern refuses such as {sample}: widen it"
    return None


def example(template, value, source):
    if source == "AWS::Region":
        return "eu-central-1"
    if source:
        return IDS.get(((template.get("Resources") or {}).get(source) or {}).get("Type"))
    if isinstance(value, dict) and "Fn::Select" in value and "DnsEntries" in text(value):
        return DNS_ENTRY[int(value["Fn::Select"][0])]
    return None
