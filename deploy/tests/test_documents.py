"""What the documents tell a user to type comes in; out comes the proof that it fits the templates: files,
parameters, outputs, rules, and the words of AWS's command line around them."""
import re
import shlex
import unittest

import jmespath
import templates

ROOT = templates.DEPLOY.parent
DOCUMENTS = (ROOT / "docs" / "deploy.md", templates.DEPLOY / "README.md")
STACKS = {
    "stream-fn": templates.DEPLOY / "stream-fn.yaml",
    "stream-api": templates.DEPLOY / "cross-region" / "1-api.yaml",
    "stream-client": templates.DEPLOY / "cross-region" / "2-client.yaml",
}


def commands(text):
    """The commands of the shell in a document, each one line."""
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S):
        lines = re.sub(r"\\\n\s*", "", block).split("\n")
        yield from (line.strip() for line in lines if line.strip() and not line.startswith("#"))


def template_of(path):
    """The template that a command names: by its path, its name in the folder of the walk, or as packaged."""
    name = path.removeprefix("target/").replace(".packaged", "")
    [found] = [known for known in templates.TEMPLATES if known.name == name.rpartition("/")[2]]
    return found


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.deployments = []
        for document in DOCUMENTS:
            for command in commands(document.read_text(encoding="utf-8")):
                if re.match(r"(aws cloudformation|sam) deploy ", command):
                    cls.deployments.append(shlex.split(command.replace("$(", "'$(").replace(")", ")'")))

    def test_each_template_is_deployed_somewhere(self):
        named = {template_of(words[words.index("--template-file") + 1]) for words in self.deployments}
        self.assertEqual(named, set(templates.TEMPLATES))

    def test_each_deployment_gives_the_parameters_that_there_are(self):
        for words in self.deployments:
            template = templates.load(template_of(words[words.index("--template-file") + 1]))
            parameters = template.get("Parameters", {})
            given = set()
            for word in words[words.index("--parameter-overrides") + 1 :] if "--parameter-overrides" in words else []:
                stack = re.fullmatch(r"\$\(outputs \$[AB] ([a-z-]+)\)", word)
                if stack:
                    # The command takes those of them that are parameters.
                    given |= templates.load(STACKS[stack[1]])["Outputs"].keys() & parameters.keys()
                else:
                    given.add(word.split("=")[0])
            with self.subTest(words):
                self.assertLessEqual(given, parameters.keys())
                needed = {name for name, parameter in parameters.items() if "Default" not in parameter}
                self.assertLessEqual(needed, given)

    def test_a_deployment_that_makes_roles_or_policies_says_so(self):
        for words in self.deployments:
            template = templates.load(template_of(words[words.index("--template-file") + 1]))
            makes = any("AWS::IAM::" in resource["Type"] for resource in template["Resources"].values())
            with self.subTest(words):
                self.assertEqual("CAPABILITY_IAM" in words, makes)

    def test_the_query_gives_outputs_as_parameters(self):
        answer = {"Stacks": [{"Outputs": [{"OutputKey": "A", "OutputValue": "1"}, {"OutputKey": "B", "OutputValue": "2"}]}]}
        for document in DOCUMENTS:
            queries = re.findall(r'--query "(Stacks[^"]*)"', document.read_text(encoding="utf-8"))
            self.assertEqual(len(queries), 1, document)
            self.assertEqual(jmespath.search(queries[0], answer), ["A=1", "B=2"])

    def test_the_tables_have_all_templates_parameters_and_rules(self):
        text = (templates.DEPLOY / "README.md").read_text(encoding="utf-8")
        for path in templates.TEMPLATES:
            self.assertIn(f"]({path.relative_to(templates.DEPLOY)})", text)
            if path.name in ("2-client.yaml", "3-return-route.yaml"):
                continue  # "all", in one line
            for name in templates.load(path).get("Parameters", {}):
                self.assertIn(f"`{name}`", text, path.name)
        rules = {file.name[:5].upper() for file in templates.LINT.glob("e9*.py")}
        self.assertEqual(set(re.findall(r"^\| (E\d+) \|", text, re.M)), rules)


if __name__ == "__main__":
    unittest.main()
