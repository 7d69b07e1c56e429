"""The templates and the fixtures of our rules come in; out comes the proof that cfn-lint and our rules find
nothing in the first, and each rule all that it is there for in the second."""
import copy
import json
import pathlib
import tempfile
import unittest

import templates

FIXTURES = sorted((templates.LINT / "fixtures").glob("*/*/*.yaml"))
RULES = {f"E90{number:02}" for number in range(1, 11)}


class Lint(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.of_templates = templates.lint(templates.TEMPLATES, regions=templates.REGIONS)
        cls.found = templates.lint(FIXTURES)
        cls.by_stock = templates.lint(FIXTURES, ours=False)

    def test_no_template_has_a_finding(self):
        self.assertEqual(len(templates.TEMPLATES), 7)
        self.assertEqual(self.of_templates, [])

    def test_each_rule_finds_what_its_fixtures_have_and_no_other_does(self):
        for fixture in FIXTURES:
            rule = fixture.parent.parent.name
            with self.subTest(fixture=fixture.relative_to(templates.LINT)):
                ids = [found[1] for found in self.found if found[0] == fixture]
                self.assertEqual(ids, [rule] * templates.expected_findings(fixture))

    def test_each_rule_has_fixtures_of_both_kinds(self):
        for kind, least in (("fails", 1), ("passes", 0)):
            numbers = {}
            for fixture in FIXTURES:
                if fixture.parent.name == kind:
                    number = templates.expected_findings(fixture)
                    numbers.setdefault(fixture.parent.parent.name, []).append(number)
            self.assertEqual(numbers.keys(), RULES)
            for rule, found in numbers.items():
                self.assertEqual(max(found) >= 1, bool(least), f"{rule}: {kind}")

    def test_a_message_says_what_to_do(self):
        for rule in RULES:
            messages = [found[2] for found in self.found if found[1] == rule]
            self.assertTrue(messages, rule)
            for message in messages:
                self.assertRegex(message, r": \w+|add |write ", rule)

    def test_cfn_lint_alone_does_not_find_them(self):
        # What it does say of fixtures is what it says of those that pass as well.
        self.assertEqual([found for found in self.by_stock if found[1].startswith("E")], [])

    def test_each_rule_that_concerns_a_template_sees_when_it_breaks(self):
        properties = ("Resources", "ObjectMethod", "Properties", "Integration")
        buffered = {"Fn::Sub": "lambda:path/2015-03-31/functions/${FunctionAliasArn}/invocations"}
        streaming = {"Fn::Sub": "lambda:path/2021-11-15/functions/${AuthorizerFunctionArn}/response-streaming-invocations"}
        event = ("Resources", "Function", "Properties", "Events", "Object", "Properties")
        api_id = ("Resources", "Zone", "Properties", "Name")
        mutations = (
            ("E9001", "1-api.yaml", (*properties, "Uri"), buffered),
            ("E9001", "1-api.yaml", (*properties, "ResponseTransferMode"), "BUFFERED"),
            ("E9002", "rest-stream.yaml", (*event, "ResponseTransferMode"), "STREAM"),
            ("E9003", "rest-stream.yaml", (*event, "TimeoutInMillis"), 60000),
            ("E9004", "1-api.yaml", ("Resources", "Api", "Properties", "Policy"), {}),
            ("E9005", "1-api.yaml", ("Resources", "AuthorizerPermission", "Properties", "SourceArn"), "x:*/*/GET/*"),
            ("E9006", "2-client.yaml", ("Resources", "Gateway"), {"Type": "AWS::EC2::InternetGateway"}),
            ("E9007", "2-client.yaml", api_id, {"Fn::Sub": "execute-api.${ApiRegion}.${AWS::URLSuffix}"}),
            ("E9008", "2-client.yaml", ("Parameters", "Typed"), {"Type": "String", "Default": "twice"}),
            ("E9008", "3-return-route.yaml", ("Parameters", "ClientVpcCidr", "AllowedPattern"), "^10[.]"),
            ("E9008", "3-return-route.yaml", ("Parameters", "PeeringConnectionId", "AllowedPattern"), "^vpc-"),
            ("E9009", "2-client.yaml", ("Parameters", "ApiRegion", "Default"), "eu-central-1"),
            ("E9010", "1-api.yaml", ("Resources", "Authorizer", "Properties", "AuthorizerUri"), streaming),
        )
        self.assertEqual({rule for rule, *_ in mutations}, RULES)
        written = {path.name: templates.load(path) for path in templates.TEMPLATES}
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, (_, name, path, value) in enumerate(mutations):
                # Each in a folder of its own, beside the templates that stand before it.
                beside = pathlib.Path(folder, str(number))
                beside.mkdir()
                for before in ("1-api.yaml", "2-client.yaml"):
                    beside.joinpath(before).write_text(json.dumps(written[before]))
                template = copy.deepcopy(written[name])
                part = template
                for key in path[:-1]:
                    part = part[key]
                part[path[-1]] = value
                files.append(beside / name)
                files[-1].write_text(json.dumps(template))
            found = templates.lint(files)
        for file, (rule, *_) in zip(files, mutations):
            with self.subTest(rule=rule, file=file.name):
                ours = [found_rule for found_file, found_rule, _ in found if found_file == file and found_rule in RULES]
                self.assertIn(rule, ours)


if __name__ == "__main__":
    unittest.main()
