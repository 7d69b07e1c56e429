"""The templates of deploy/ come in from their files; out they come as dictionaries, read as cfn-lint reads
them and, where they are SAM's, translated as the service would; and what cfn-lint says of files."""
import copy
import logging
import pathlib
import re
from unittest import mock

from cfnlint import decode
from cfnlint.api import lint_by_config
from cfnlint.config import ManualArgs
from samtranslator.translator.transform import transform

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
LINT = DEPLOY / "lint"
TEMPLATES = sorted([*DEPLOY.glob("*.yaml"), *DEPLOY.glob("cross-region/*.yaml")])
# SAM is translated for the first. The last is of another partition; GovCloud has no Function URLs.
REGIONS = ["eu-central-1", "us-east-1", "cn-north-1"]

# It complains of metrics that nobody here asked for.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


def load(path):
    """A template as a dictionary, with the long form of each function."""
    template, errors = decode.decode(str(path))
    assert not errors, errors
    return copy.deepcopy(template)


def is_sam(template):
    return "AWS::Serverless" in str(template.get("Transform", ""))


def translated(template, parameters=()):
    """A template of SAM as CloudFormation. The code is where `aws cloudformation package` would have put it."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    defaults = {
        name: parameter["Default"]
        for name, parameter in template.get("Parameters", {}).items()
        if "Default" in parameter
    }
    policies = mock.Mock(load=mock.Mock(return_value={}))  # none of the templates names one
    session = mock.Mock(region_name=REGIONS[0])
    with mock.patch("boto3.session.Session", return_value=session):
        return transform(template, {**defaults, **dict(parameters)}, policies)


def lint(paths, ours=True, regions=REGIONS[:1]):
    """What cfn-lint finds in these files, with our rules beside its own or without: (file, rule, message)."""
    arguments = ManualArgs(templates=[str(path) for path in paths], regions=list(regions))
    if ours:
        arguments["append_rules"] = [str(LINT)]
    return [(pathlib.Path(match.filename), match.rule.id, match.message) for match in lint_by_config(arguments)]


def kind(template, wanted):
    """Name and properties of each resource of a type."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == wanted
    }


def expected_findings(fixture):
    """The number in a fixture's first line."""
    return int(re.match(r"# Findings: (\d+)\. ", fixture.read_text(encoding="utf-8"))[1])
