"""The hosted zones of a template come in; those that hide more of API Gateway than one API come out."""
from pathlib import Path
import sys

from cfnlint.rules import CloudFormationLintRule, RuleMatch

sys.path.insert(0, str(Path(__file__).parent))
from template_parts import resources, text  # noqa: E402


class ZoneOfOneApi(CloudFormationLintRule):
    id = "E9007"
    shortdesc = "A zone of execute-api has the name of one API"
    description = "A private zone hides all public names below its own: execute-api.REGION hides every API of the region"
    source_url = "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html"
    tags = ["route53", "private"]

    def match(self, cfn):
        for name, properties in resources(cfn.template, "AWS::Route53::HostedZone"):
            before, found, _ = text(properties.get("Name", "")).partition("execute-api")
            if found and not before.strip("."):
                yield RuleMatch(
                    ["Resources", name, "Properties", "Name"],
                    "this zone makes every other API of the region unknown in its VPCs: name it "
                    "${ApiId}.execute-api.REGION.SUFFIX, with the record at its apex",
                )
