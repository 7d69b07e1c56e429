"""The texts of a template come in; those that are true in one partition, region or account only come out."""
import re

from cfnlint.rules import CloudFormationLintRule, RuleMatch

PLACES = (
    (re.compile(r"\barn:aws(-[a-z-]+)?:"), "a partition", "${AWS::Partition}"),
    (re.compile(r"\bamazonaws\.com\b"), "a partition's names", "${AWS::URLSuffix}"),
    (re.compile(r"\b[a-z]{2}(-gov|-iso[a-z]?)?-(north|south|east|west|central)[a-z]*-[1-9][a-z]?\b"), "a region", "${AWS::Region}"),
    (re.compile(r"(?<![0-9a-z])[0-9]{12}(?![0-9a-z])"), "an account", "${AWS::AccountId}"),
)
# The names of services as principals are the same in all partitions.
PRINCIPAL = re.compile(r"^[a-z0-9.-]+\.amazonaws\.com$")
READ_BY_PEOPLE = ("Description", "ConstraintDescription", "AssertDescription", "AllowedPattern", "Metadata")


class LiteralPlace(CloudFormationLintRule):
    id = "E9009"
    shortdesc = "No partition, region or account is written out"
    description = "A template with arn:aws:, amazonaws.com, a region or an account is wrong in all other places"
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html"
    tags = ["partitions"]

    def match(self, cfn):
        for section in ("Parameters", "Mappings", "Conditions", "Rules", "Resources", "Outputs"):
            for path, words in texts(cfn.template.get(section), [section]):
                if is_principal(path) and PRINCIPAL.match(words):
                    continue
                for pattern, what, instead in PLACES:
                    found = pattern.search(words)
                    if found:
                        yield RuleMatch(path, f"{found[0]!r} is {what} written out: use {instead}, or a parameter")


def is_principal(path):
    return path[-1] == "Principal" or "Service" in path[-2:]


def texts(value, path):
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, int) and not isinstance(value, bool):
        # An account without quotes.
        yield path, str(value)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key not in READ_BY_PEOPLE:
                yield from texts(part, [*path, key])
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from texts(part, [*path, index])
