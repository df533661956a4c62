"""Runs h2spec, the conformance tests for HTTP/2 servers, where a person has it on the path; it is in no distribution."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree

MOST_SECONDS = 600  # its tests wait for silence, one after the other
SUMMARY = re.compile(r"(\d+) tests?, (\d+) passed, (\d+) skipped, (\d+) failed")


class NotOnPath(Exception):
    pass


def failed_tests(report):
    """The names of the failed ones in a JUnit report."""
    names = []
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            names.append(": ".join(filter(None, (case.get("package"), case.get("classname"), case.get("name")))))
    return names


def run(port, path="/"):
    """What h2spec says of the server, in a line. Raises AssertionError if a test failed, or if it cannot be told; NotOnPath."""
    program = shutil.which("h2spec")
    if program is None:
        raise NotOnPath("h2spec is not on the path")
    with tempfile.TemporaryDirectory(prefix="tandem-h2spec-") as folder:
        report = pathlib.Path(folder) / "report.xml"
        try:
            result = subprocess.run([program, "-h", "127.0.0.1", "-p", str(port), "-t", "-k", "-P", path, "-o", "5", "-j", report],
                                    capture_output=True, text=True, errors="replace", timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"h2spec did not end within {MOST_SECONDS} s") from None
        found = SUMMARY.findall(result.stdout)
        assert found, f"h2spec ended with {result.returncode} and no summary: {(result.stdout + result.stderr).strip()[-300:]}"
        tests, passed, skipped, failed = map(int, found[-1])
        text = f"h2spec: {passed} of {tests} passed, {skipped} skipped"
        if failed:
            try:
                names = failed_tests(report)
            except (OSError, xml.etree.ElementTree.ParseError):
                names = []
            raise AssertionError(f"{text}, {failed} failed: {'; '.join(names) or 'no report'}")
    assert passed, f"{text}: nothing was tested"
    assert result.returncode == 0, f"{text}, but it ended with {result.returncode}"
    return text


if __name__ == "__main__":
    import sys

    try:
        print(run(int(sys.argv[1]), *sys.argv[2:]))
    except NotOnPath as why:
        print(why)
    except AssertionError as why:
        sys.exit(str(why))
