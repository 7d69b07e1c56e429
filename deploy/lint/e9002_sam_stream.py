"""The `Api` events of SAM come in; those whose ResponseTransferMode SAM passes over come out."""
from pathlib import Path
import sys

from cfnlint.rules import CloudFormationLintRule, RuleMatch

sys.path.insert(0, str(Path(__file__).parent))
from template_parts import sam_events, text  # noqa: E402

WORDS = ("RESPONSE_STREAM", "BUFFERED")


class SamStream(CloudFormationLintRule):
    id = "E9002"
    shortdesc = "In SAM it is RESPONSE_STREAM"
    description = "SAM makes a buffered integration of any other word, such as CloudFormation's STREAM, and says nothing"
    source_url = "https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-api.html"
    tags = ["sam", "streaming"]

    def match(self, cfn):
        for path, event, _ in sam_events(cfn.template):
            # A parameter or a choice is compared as it is written, too.
            mode = event.get("ResponseTransferMode")
            if mode is not None and mode not in WORDS:
                yield RuleMatch(
                    [*path, "ResponseTransferMode"],
                    f"SAM makes a buffered integration of {text(mode)}, and says nothing: write RESPONSE_STREAM",
                )
