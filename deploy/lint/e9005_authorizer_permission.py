"""The Lambda authorizers of a template come in; those that API Gateway is not permitted to call come out."""
import fnmatch
from pathlib import Path
import re
import sys

from cfnlint.rules import CloudFormationLintRule, RuleMatch

sys.path.insert(0, str(Path(__file__).parent))
from template_parts import below, named_resources, resources, text, written  # noqa: E402


class AuthorizerPermission(CloudFormationLintRule):
    id = "E9005"
    shortdesc = "An authorizer has a permission of its own"
    description = "API Gateway calls an authorizer as API/authorizers/ID; a permission for methods does not cover that"
    source_url = "https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html"
    tags = ["apigateway", "authorizer"]

    def match(self, cfn):
        permitted = set()
        for _, properties in resources(cfn.template, "AWS::Lambda::Permission"):
            if is_of_api_gateway(cfn.template, properties) and covers_authorizers(text(properties.get("SourceArn", ""))):
                permitted |= named_resources(properties.get("FunctionName", ""))
        for path, uri in authorizers(cfn.template):
            called = named_resources(uri) - {"AWS::Partition", "AWS::Region", "AWS::AccountId"}
            # A function of another stack: its permission may be there.
            here = called & ((cfn.template.get("Resources") or {}).keys() | (cfn.template.get("Parameters") or {}).keys())
            if here and not here & permitted:
                yield RuleMatch(
                    path,
                    "API Gateway may not call this authorizer: add an AWS::Lambda::Permission for its function whose "
                    "SourceArn ends with ${Api}/authorizers/${Authorizer}",
                )


def is_of_api_gateway(template, permission):
    """Whether it lets API Gateway call, and not somebody else, or do something else."""
    may = text(written(template, permission.get("Action", ""))).lower()
    who = text(written(template, permission.get("Principal", "")))
    return may in ("lambda:invokefunction", "lambda:*") and (who == "*" or who.startswith("apigateway."))


def covers_authorizers(source):
    """Whether an ARN of a permission, with its stars, is that of an authorizer: API/authorizers/ID."""
    called = re.sub(r"\$\{[^}]*\}", "x", source).rpartition(":")[2]
    return fnmatch.fnmatchcase("x/authorizers/x", called)


def authorizers(template):
    """Path and URI of each authorizer that is called without a role; SAM permits its own."""
    for name, properties in resources(template, "AWS::ApiGateway::Authorizer"):
        if properties.get("Type") in ("TOKEN", "REQUEST") and not properties.get("AuthorizerCredentials"):
            yield ["Resources", name, "Properties", "AuthorizerUri"], properties.get("AuthorizerUri", "")
    for name, properties in resources(template, "AWS::ApiGateway::RestApi"):
        base = ["Resources", name, "Properties", "Body"]
        for path, found in below(properties.get("Body"), "x-amazon-apigateway-authorizer", base):
            if isinstance(found, dict) and "authorizerUri" in found and not found.get("authorizerCredentials"):
                yield path, found["authorizerUri"]
