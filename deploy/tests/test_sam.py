"""The templates of SAM come in; what the service would make of them comes out: URIs, modes, timeouts,
permissions, and that a wrong word is seen before anything is deployed."""
import copy
import json
import pathlib
import tempfile
import unittest

import templates

STREAM_FN = templates.DEPLOY / "stream-fn.yaml"
REST_STREAM = templates.DEPLOY / "rest-stream.yaml"
STREAMING_URI = (
    "arn:aws:apigateway:${AWS::Region}:lambda:path/2021-11-15/functions/${FunctionAliaslive}"
    "/response-streaming-invocations"
)
PARAMETERS = {"AuthorizerSettings": "settings", "ThrottlingRate": 7, "ThrottlingBurst": 8, "DailyQuota": 9}
ROUTES = {("/{proxy+}", "get"), ("/", "post")}


def methods(translated):
    paths = translated["Resources"]["Api"]["Properties"]["Body"]["paths"]
    return {(path, verb): method for path, verbs in paths.items() for verb, method in verbs.items()}


class RestStream(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.written = templates.load(REST_STREAM)
        cls.made = templates.translated(cls.written, PARAMETERS)

    def test_each_method_streams_as_long_as_its_function_runs(self):
        self.assertEqual(methods(self.made).keys(), ROUTES)
        timeout_s = templates.kind(self.made, "AWS::Lambda::Function")["Function"]["Timeout"]
        for route, method in methods(self.made).items():
            with self.subTest(route):
                integration = method["x-amazon-apigateway-integration"]
                self.assertEqual(integration["type"], "aws_proxy")
                self.assertEqual(integration["httpMethod"], "POST")
                self.assertEqual(integration["uri"], {"Fn::Sub": STREAMING_URI})
                self.assertEqual(integration["responseTransferMode"], "STREAM")
                self.assertEqual(integration["timeoutInMillis"], timeout_s * 1000)

    def test_each_method_asks_the_authorizer_and_for_a_key(self):
        for route, method in methods(self.made).items():
            with self.subTest(route):
                names = {name for entry in method["security"] for name in entry}
                self.assertEqual(names, {"StreamAuthorizer", "api_key"})

    def test_the_authorizer_is_called_plainly_and_may_be_called(self):
        schemes = self.made["Resources"]["Api"]["Properties"]["Body"]["components"]["securitySchemes"]
        authorizer = schemes["StreamAuthorizer"]["x-amazon-apigateway-authorizer"]
        self.assertEqual(authorizer["type"], "request")
        uri = json.dumps(authorizer["authorizerUri"])
        self.assertIn("/2015-03-31/functions/", uri)
        self.assertNotIn("response-streaming", uri)
        self.assertIn("AuthorizerFunction", uri)
        permissions = templates.kind(self.made, "AWS::Lambda::Permission")
        sources = {
            name: json.dumps(permission["SourceArn"])
            for name, permission in permissions.items()
            if "AuthorizerFunction" in json.dumps(permission["FunctionName"])
        }
        self.assertEqual(len(sources), 1, sources)
        self.assertIn("${__ApiId__}/authorizers/*", *sources.values())

    def test_each_method_may_call_its_function_and_no_other_method_may(self):
        permissions = templates.kind(self.made, "AWS::Lambda::Permission")
        ends = sorted(
            permission["SourceArn"]["Fn::Sub"][0].partition("${__ApiId__}/")[2]
            for permission in permissions.values()
            if permission["FunctionName"] == {"Ref": "FunctionAliaslive"}
        )
        self.assertEqual(ends, ["${__Stage__}/GET/*", "${__Stage__}/POST/"])
        for permission in permissions.values():
            self.assertEqual(permission["Action"], "lambda:InvokeFunction")

    def test_the_api_is_regional_and_throttled_and_its_key_has_a_plan(self):
        api = self.made["Resources"]["Api"]["Properties"]
        self.assertEqual(api["EndpointConfiguration"]["Types"], ["REGIONAL"])
        [stage] = templates.kind(self.made, "AWS::ApiGateway::Stage").values()
        self.assertEqual(stage["StageName"], "live")
        # A deployment with a name makes a stage of that name, which nobody throttles.
        [deployment] = templates.kind(self.made, "AWS::ApiGateway::Deployment").values()
        self.assertNotIn("StageName", deployment)
        [setting] = stage["MethodSettings"]
        self.assertIn(setting["ThrottlingRateLimit"], (7, {"Ref": "ThrottlingRate"}))
        self.assertIn(setting["ThrottlingBurstLimit"], (8, {"Ref": "ThrottlingBurst"}))
        [plan] = templates.kind(self.made, "AWS::ApiGateway::UsagePlan").values()
        # SAM puts in the values of parameters in some places.
        self.assertEqual(plan["Throttle"], {"RateLimit": 7, "BurstLimit": 8})
        self.assertEqual(plan["Quota"], {"Limit": 9, "Period": "DAY"})
        self.assertEqual(len(templates.kind(self.made, "AWS::ApiGateway::ApiKey")), 1)
        self.assertEqual(len(templates.kind(self.made, "AWS::ApiGateway::UsagePlanKey")), 1)

    def test_the_access_log_is_json_with_the_times_of_streams(self):
        [stage] = templates.kind(self.made, "AWS::ApiGateway::Stage").values()
        line = json.loads(stage["AccessLogSetting"]["Format"])
        for name in ("responseTransferMode", "timeToAllHeaders", "timeToFirstContent"):
            self.assertEqual(line[name], f"$context.integration.{name}")
        for value in line.values():
            self.assertRegex(value, r"^\$context\.[A-Za-z.]+$")

    def test_all_outputs_name_what_there_is(self):
        for template in (self.made, templates.translated(templates.load(STREAM_FN))):
            known = {*template["Resources"], *template["Parameters"]}
            for name, output in template["Outputs"].items():
                value = output["Value"]
                if isinstance(value, dict) and "Ref" in value:
                    self.assertIn(value["Ref"], known, name)

    def test_what_sam_makes_has_no_findings_either(self):
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for path, parameters in ((STREAM_FN, {}), (REST_STREAM, PARAMETERS)):
                file = pathlib.Path(folder, path.name)
                file.write_text(json.dumps(templates.translated(templates.load(path), parameters)))
                files.append(file)
            errors = [found for found in templates.lint(files) if found[1].startswith("E")]
        # SAM writes the partition of the region it runs in.
        self.assertEqual([found for found in errors if found[1] != "E9009"], [])
        self.assertTrue(all("'arn:aws:'" in found[2] for found in errors))

    def test_cloudformations_word_makes_a_buffered_integration_and_is_caught(self):
        wrong = copy.deepcopy(self.written)
        wrong["Resources"]["Function"]["Properties"]["Events"]["Object"]["Properties"]["ResponseTransferMode"] = "STREAM"
        made = templates.translated(wrong, PARAMETERS)
        integration = methods(made)[("/{proxy+}", "get")]["x-amazon-apigateway-integration"]
        self.assertIn("/2015-03-31/", integration["uri"]["Fn::Sub"])
        self.assertNotIn("responseTransferMode", integration)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "wrong.yaml")
            file.write_text(json.dumps(wrong))
            found = [rule for _, rule, _ in templates.lint([file])]
            self.assertIn("E9002", found)
            file.write_text(json.dumps(made))
            found = [rule for _, rule, _ in templates.lint([file])]
            # The integration that came out waits longer than a buffered one may.
            self.assertIn("E9003", found)


    def test_a_parameter_and_a_choice_make_a_buffered_integration_too(self):
        for mode in ({"Ref": "Mode"}, {"Fn::If": ["HasBucket", "RESPONSE_STREAM", "RESPONSE_STREAM"]}):
            changed = copy.deepcopy(self.written)
            changed["Parameters"]["Mode"] = {"Type": "String", "Default": "RESPONSE_STREAM"}
            event = changed["Resources"]["Function"]["Properties"]["Events"]["Object"]["Properties"]
            event["ResponseTransferMode"] = mode
            made = methods(templates.translated(changed, PARAMETERS))[("/{proxy+}", "get")]
            self.assertNotIn("responseTransferMode", made["x-amazon-apigateway-integration"], mode)


class StreamFn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = templates.translated(templates.load(STREAM_FN))

    def test_the_url_streams_for_callers_that_sign_and_is_of_the_alias(self):
        [url] = templates.kind(self.made, "AWS::Lambda::Url").values()
        self.assertEqual((url["AuthType"], url["InvokeMode"]), ("AWS_IAM", "RESPONSE_STREAM"))
        self.assertEqual(url["TargetFunctionArn"], {"Ref": "FunctionAliaslive"})
        # With AWS_IAM nobody is permitted but by a policy of their own.
        self.assertEqual(templates.kind(self.made, "AWS::Lambda::Permission"), {})

    def test_there_is_a_version_behind_the_alias(self):
        [alias] = templates.kind(self.made, "AWS::Lambda::Alias").values()
        [version] = templates.kind(self.made, "AWS::Lambda::Version")
        self.assertEqual(alias["Name"], "live")
        self.assertEqual(alias["FunctionVersion"], {"Fn::GetAtt": [version, "Version"]})

    def test_the_function_has_only_the_role_that_is_written(self):
        self.assertEqual(list(templates.kind(self.made, "AWS::IAM::Role")), ["Role"])
        [function] = templates.kind(self.made, "AWS::Lambda::Function").values()
        self.assertEqual(function["Role"], {"Fn::GetAtt": ["Role", "Arn"]})
        self.assertEqual(function["LoggingConfig"]["LogGroup"], {"Ref": "LogGroup"})

    def test_alarms_on_errors_throttles_and_duration(self):
        alarms = templates.kind(self.made, "AWS::CloudWatch::Alarm").values()
        self.assertEqual(sorted(alarm["MetricName"] for alarm in alarms), ["Duration", "Errors", "Throttles"])
        for alarm in alarms:
            self.assertEqual(alarm["Dimensions"], [{"Name": "FunctionName", "Value": {"Ref": "Function"}}])

    def test_logs_are_kept_for_a_time(self):
        for template in (self.made, templates.translated(templates.load(REST_STREAM), PARAMETERS)):
            for name, group in templates.kind(template, "AWS::Logs::LogGroup").items():
                self.assertEqual(group["RetentionInDays"], {"Ref": "LogRetentionDays"}, name)


if __name__ == "__main__":
    unittest.main()
