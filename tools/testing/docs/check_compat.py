#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/compatibility.rst against the system tests: each feature is in every test that is said to show it."""

import os
import re

from common import check, finish, read

DOC = "Documentation/compatibility.rst"
TESTS = "tools/testing/selftests"


def source(test):
    """The text of a test, or nothing."""
    for name in (f"{TESTS}/{test}.py", f"{TESTS}/{test}.sh"):
        if os.path.exists(name):
            # A test that has no rules of its own takes the library's.
            return read(name) + (read(f"{TESTS}/lib.py") if test == "nfqueue" else "")
    return None


def missing(feature, tests):
    for test in tests:
        text = source(test)
        if text is None:
            yield f"{feature}: there is no test {test}"
            continue
        for word in feature.split():
            if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text):
                yield f"{feature}: no {word} in {test}"


def main():
    text = read(DOC)
    rows = re.findall(r"^``(.+?)`` +(own|stays|mark|differs)[^ ]*(?: \S+)*  +(.+)$", text, re.M)
    check("compatibility: there are tables", [] if len(rows) > 60 else [f"{len(rows)} rows understood"])
    lines = [line for line in text.splitlines() if re.match(r"``.+``  ", line) and not line.startswith("``nf_")]
    check("compatibility: every row is understood", [f"{len(lines)} rows, {len(rows)} understood"] if
          len(lines) != len(rows) else [])
    check("compatibility: each feature is in the tests that are named",
          [problem for feature, _, tests in rows for problem in missing(feature, tests.split(", "))])
    machines = re.findall(r"^([a-z_]+)  +\S", text.split("\nMachines\n", 1)[1], re.M)
    check("compatibility: the machines' tests exist", [m for m in machines if m != "test" and source(m) is None])
    finish()


main()
