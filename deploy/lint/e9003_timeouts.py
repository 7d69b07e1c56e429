"""The integrations of a template come in; those whose timeout is out of bounds, or shorter than that of
their function, come out."""
from pathlib import Path
import sys

from cfnlint.rules import CloudFormationLintRule, RuleMatch

sys.path.insert(0, str(Path(__file__).parent))
from template_parts import STREAMING_PATH, integrations, named_resources, number, resources, sam_events, text, written  # noqa: E402

# Milliseconds; API Gateway Developer Guide, "Set up an integration request using the API Gateway console"
# (50 to 29,000, where no quota was raised) and "Stream the integration response" (900,000).
LEAST_MS, BUFFERED_MOST_MS, STREAM_MOST_MS = 50, 29_000, 900_000
FUNCTION_DEFAULT_S = 3  # Lambda's own


class Timeouts(CloudFormationLintRule):
    id = "E9003"
    shortdesc = "An integration waits as long as its function runs, and as API Gateway allows"
    description = "TimeoutInMillis is 50 to 29000, to 900000 for STREAM, and no less than the function's Timeout"
    source_url = "https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html"
    tags = ["apigateway", "streaming"]

    def match(self, cfn):
        timeouts = {
            name: number(cfn.template, properties.get("Timeout", FUNCTION_DEFAULT_S))
            for name, properties in resources(cfn.template, "AWS::Lambda::Function", "AWS::Serverless::Function")
        }
        for path, event, function in sam_events(cfn.template):
            stream = event.get("ResponseTransferMode") == "RESPONSE_STREAM"
            yield from self.check(cfn, path, event, stream, timeouts.get(function))
        for path, integration in integrations(cfn.template):
            uri = integration.get("Uri", "")
            mode = written(cfn.template, integration.get("ResponseTransferMode"))
            stream = mode == "STREAM" or STREAMING_PATH in text(uri)
            called = functions(cfn.template, named_resources(uri)) & timeouts.keys()
            yield from self.check(cfn, path, integration, stream, timeouts[called.pop()] if called else None)

    def check(self, cfn, path, integration, stream, function_s):
        most = STREAM_MOST_MS if stream else BUFFERED_MOST_MS
        said = integration.get("TimeoutInMillis")
        wait = BUFFERED_MOST_MS if said is None else number(cfn.template, said)
        at = path if said is None else [*path, "TimeoutInMillis"]
        if wait is None:
            return
        if not LEAST_MS <= wait <= most:
            kind = "a streamed" if stream else "a buffered"
            yield RuleMatch(at, f"{kind} integration waits {LEAST_MS} to {most} ms, not {wait}: change TimeoutInMillis")
        elif stream and function_s is not None and wait < function_s * 1000:
            yield RuleMatch(
                at,
                f"the function may run {function_s} s, but the integration is over after {wait} ms, in mid-stream: "
                f"set TimeoutInMillis to {min(function_s * 1000, most)} or shorten the function's Timeout",
            )


def functions(template, names):
    """These names, and the functions of those that are aliases and versions."""
    found = set(names)
    for name, properties in resources(template, "AWS::Lambda::Alias", "AWS::Lambda::Version"):
        if name in names:
            found |= named_resources(properties.get("FunctionName", ""))
    return found
