"""Pairs of networks go into `check-cidrs`; its exit codes and its words come out."""
import subprocess
import sys
import unittest

import templates

CHECK = templates.DEPLOY / "cross-region" / "check-cidrs"


def check(*cidrs):
    done = subprocess.run([sys.executable, CHECK, *cidrs], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class CheckCidrs(unittest.TestCase):
    def test_two_that_do_not_overlap(self):
        for pair in (
            ("10.10.0.0/16", "10.20.0.0/16"),
            ("10.0.0.0/17", "10.0.128.0/17"),
            ("10.0.0.0/28", "10.0.0.16/28"),
        ):
            with self.subTest(pair):
                code, out, err = check(*pair)
                self.assertEqual((code, err), (0, ""))
                self.assertIn("do not overlap", out)

    def test_two_that_overlap(self):
        for pair in (
            ("10.10.0.0/16", "10.10.0.0/16"),
            ("10.10.0.0/16", "10.10.4.0/24"),
            ("10.10.4.0/24", "10.10.0.0/16"),
            ("10.0.128.0/17", "10.0.255.240/28"),
        ):
            with self.subTest(pair):
                code, out, err = check(*pair)
                self.assertEqual((code, out), (1, ""))
                self.assertRegex(err, "overlap|are the same")
                self.assertIn(pair[0], err)
                self.assertIn(pair[1], err)

    def test_of_many_each_pair_that_overlaps_is_named(self):
        code, _, err = check("10.0.0.0/16", "10.1.0.0/16", "10.0.1.0/24", "10.1.1.0/24")
        self.assertEqual((code, len(err.splitlines())), (1, 2))

    def test_what_is_no_network_of_a_vpc(self):
        for cidr, words in (
            ("10.10.0.1/16", "bits behind its mask: write it as 10.10.0.0/16"),
            ("10.10.0.0", "no mask"),
            ("10.10.0/16", "not a CIDR"),
            ("10.10.0.256/16", "not a CIDR"),
            ("10.10.0.0/33", "not a CIDR"),
            ("10.10.0.0/", "not a CIDR"),
            ("10.10.0.0/255.255.0.0", "mask of addresses: write it as 10.10.0.0/16"),
            ("010.10.0.0/16", "not a CIDR"),
            ("fd00::/16", "IPv6"),
            ("10.0.0.0/8", "/16 to /28"),
            ("10.0.0.0/29", "/16 to /28"),
            ("", "no mask"),
        ):
            with self.subTest(cidr):
                code, out, err = check("172.16.0.0/16", cidr)
                self.assertEqual((code, out), (2, ""))
                self.assertIn(words, err)
                self.assertEqual(len(err.splitlines()), 1)

    def test_too_few(self):
        for few in ((), ("10.0.0.0/16",)):
            self.assertEqual(check(*few)[0], 2)

    def test_help_has_the_exit_codes(self):
        code, out, _ = check("--help")
        self.assertEqual(code, 0)
        for number in range(3):
            self.assertIn(f"exit code {number}", out)

    def test_the_defaults_of_the_first_template_can_be_peered(self):
        parameters = templates.load(templates.DEPLOY / "cross-region" / "1-api.yaml")["Parameters"]
        cidrs = [parameters[name]["Default"] for name in ("ApiVpcCidr", "ClientVpcCidr")]
        self.assertEqual(check(*cidrs)[0], 0)


if __name__ == "__main__":
    unittest.main()
