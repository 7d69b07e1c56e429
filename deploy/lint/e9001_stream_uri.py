"""The integrations of a template come in; those that stream by half come out: STREAM beside the URI of a
buffered call, or the streaming URI without STREAM."""
from pathlib import Path
import sys

from cfnlint.rules import CloudFormationLintRule, RuleMatch

sys.path.insert(0, str(Path(__file__).parent))
from template_parts import STREAMING_PATH, integrations, text, written  # noqa: E402


class StreamUri(CloudFormationLintRule):
    id = "E9001"
    shortdesc = "STREAM and the streaming URI go together"
    description = "An integration of a function streams only with ResponseTransferMode STREAM and its streaming URI"
    source_url = "https://docs.aws.amazon.com/apigateway/latest/developerguide/response-streaming-lambda-configure.html"
    tags = ["apigateway", "streaming"]

    def match(self, cfn):
        for path, integration in integrations(cfn.template):
            mode = written(cfn.template, integration.get("ResponseTransferMode"))
            # What a condition chooses from is not known; it can stand around the whole integration.
            if text(integration.get("Type", "")).upper() != "AWS_PROXY" or isinstance(mode, dict):
                continue
            uri, stream = text(integration.get("Uri", "")), mode == "STREAM"
            if stream and not ("/2021-11-15/functions/" in uri and STREAMING_PATH in uri):
                yield RuleMatch(
                    path,
                    "ResponseTransferMode is STREAM, but the URI is that of a buffered call: end it with "
                    "lambda:path/2021-11-15/functions/ARN/response-streaming-invocations",
                )
            if not stream and STREAMING_PATH in uri:
                yield RuleMatch(path, "the URI streams, but the integration is buffered: add ResponseTransferMode: STREAM")
