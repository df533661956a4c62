"""Whether h2spec.py counts what h2spec says, with programs in its place that say it."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import h2spec

REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="6.5. SETTINGS" package="http2/6.5" tests="2" skipped="0" failures="1" errors="0">
<testcase package="http2/6.5" classname="Sends a SETTINGS frame with ACK" time="0.1"></testcase>
<testcase package="http2/6.5" classname="Sends SETTINGS on a stream" time="0.1"><failure>Connection closed</failure></testcase>
</testsuite></testsuites>"""


class H2spec(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{self.folder}:/usr/bin:/bin"
        self.addCleanup(os.environ.__setitem__, "PATH", before)

    def says(self, summary, code=0, report=""):
        program = self.folder / "h2spec"
        (self.folder / "report").write_text(report)
        program.write_text(f"""#!/bin/sh
echo "$@" > {self.folder}/arguments
while [ $# -gt 0 ]; do [ "$1" = -j ] && cp {self.folder}/report "$2"; shift; done
echo "Generic tests for HTTP/2 server"
echo "{summary}"
exit {code}
""")
        program.chmod(0o755)

    def wrong(self):
        with self.assertRaises(AssertionError) as caught:
            h2spec.run(1234)
        return str(caught.exception)

    def test_all_passed(self):
        self.says("146 tests, 145 passed, 1 skipped, 0 failed")
        self.assertEqual(h2spec.run(1234, "/file"), "h2spec: 145 of 146 passed, 1 skipped")
        self.assertRegex((self.folder / "arguments").read_text(), "^-h 127.0.0.1 -p 1234 -t -k -P /file ")

    def test_failures_are_named(self):
        self.says("2 tests, 1 passed, 0 skipped, 1 failed", 1, REPORT)
        self.assertEqual(self.wrong(), "h2spec: 1 of 2 passed, 0 skipped, 1 failed: http2/6.5: Sends SETTINGS on a stream")

    def test_failures_without_a_report(self):
        for report in ("", "<testsuites>"):
            self.says("2 tests, 1 passed, 0 skipped, 1 failed", 0, report)
            self.assertEqual(self.wrong(), "h2spec: 1 of 2 passed, 0 skipped, 1 failed: no report")

    def test_an_exit_code_counts(self):
        self.says("2 tests, 2 passed, 0 skipped, 0 failed", 3)
        self.assertIn("but it ended with 3", self.wrong())

    def test_nothing_tested(self):
        self.says("0 tests, 0 passed, 0 skipped, 0 failed")
        self.assertIn("nothing was tested", self.wrong())
        self.says("Error: dial tcp: connection refused", 1)
        self.assertIn("ended with 1 and no summary", self.wrong())

    def test_not_there(self):
        with self.assertRaises(h2spec.NotOnPath):
            h2spec.run(1234)


if __name__ == "__main__":
    unittest.main()
