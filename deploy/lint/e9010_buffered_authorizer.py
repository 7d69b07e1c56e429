"""The authorizers of a template come in; those that are called as if they streamed come out."""
from pathlib import Path
import sys

from cfnlint.rules import CloudFormationLintRule, RuleMatch

sys.path.insert(0, str(Path(__file__).parent))
from template_parts import STREAMING_PATH, below, resources, text  # noqa: E402


class BufferedAuthorizer(CloudFormationLintRule):
    id = "E9010"
    shortdesc = "An authorizer does not stream"
    description = "API Gateway reads the answer of an authorizer as one document: its URI is that of a plain invocation"
    source_url = "https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html"
    tags = ["apigateway", "authorizer", "streaming"]

    def match(self, cfn):
        for name, properties in resources(cfn.template, "AWS::ApiGateway::Authorizer"):
            yield from self.check(["Resources", name, "Properties", "AuthorizerUri"], properties.get("AuthorizerUri"))
        for kind, key in (("AWS::ApiGateway::RestApi", "Body"), ("AWS::Serverless::Api", "DefinitionBody")):
            for name, properties in resources(cfn.template, kind):
                base = ["Resources", name, "Properties", key]
                for path, uri in below(properties.get(key), "authorizerUri", base):
                    yield from self.check(path, uri)

    def check(self, path, uri):
        if STREAMING_PATH in text(uri):
            yield RuleMatch(
                path,
                "an authorizer is called plainly: end its URI with lambda:path/2015-03-31/functions/ARN/invocations",
            )
