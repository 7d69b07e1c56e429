"""The templates and the fixtures of our rules come in; out comes the proof that cfn-lint and our rules find
nothing in the first, and each rule all that it is there for in the second."""
import unittest

import templates

FIXTURES = sorted((templates.LINT / "fixtures").glob("*/*/*.yaml"))
RULES = {f"E90{number:02}" for number in range(1, 11)}


class Lint(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.found = templates.lint([*templates.TEMPLATES, *FIXTURES])
        cls.by_stock = templates.lint(FIXTURES, ours=False)

    def test_no_template_has_a_finding(self):
        self.assertEqual(len(templates.TEMPLATES), 7)
        wrong = [found for found in self.found if found[0] in templates.TEMPLATES]
        self.assertEqual(wrong, [])

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


if __name__ == "__main__":
    unittest.main()
