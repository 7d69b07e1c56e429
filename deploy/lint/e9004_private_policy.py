"""The REST APIs of a template come in; private ones that do not say which endpoint they are called from
come out."""
from pathlib import Path
import sys

from cfnlint.rules import CloudFormationLintRule, RuleMatch

sys.path.insert(0, str(Path(__file__).parent))
from template_parts import resources, text  # noqa: E402


class PrivatePolicy(CloudFormationLintRule):
    id = "E9004"
    shortdesc = "A private API names its endpoint"
    description = "The policy of a private API allows one VPC endpoint, by aws:SourceVpce; without a policy nobody may call"
    source_url = "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-create.html"
    tags = ["apigateway", "private"]

    def match(self, cfn):
        for name, properties in resources(cfn.template, "AWS::ApiGateway::RestApi", "AWS::Serverless::Api"):
            if "PRIVATE" not in text(properties.get("EndpointConfiguration", "")):
                continue
            # A policy of its own, or one in OpenAPI, or SAM's, which has the condition by another name.
            policies = [properties.get(key) for key in ("Policy", "Body", "DefinitionBody")]
            sam = text((properties.get("Auth") or {}).get("ResourcePolicy", ""))
            named = any("aws:sourcevpce" in text(policy).lower() for policy in [*policies, sam])
            if not named and "IntrinsicVpceWhitelist" not in sam and "SourceVpcWhitelist" not in sam:
                yield RuleMatch(
                    ["Resources", name, "Properties"],
                    "a private API without aws:SourceVpce in its policy: allow execute-api:Invoke to one VPC endpoint "
                    "by StringEquals, and deny it to all others by StringNotEquals",
                )
