#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/testing.rst against the tests: its table of system tests has each test that is expected to run, and no other;
the commands that it explains are those of make help."""

import glob
import os
import re

from common import check, differences, finish, read

DOC = "Documentation/testing.rst"
TESTS = "tools/testing/selftests"


def main():
    text = read(DOC)
    section = text.split("The system tests\n================\n", 1)[-1].split("\n\n\n", 1)[0]
    rows = re.findall(r"^=+ +=+\n(.*?)^=+ +=+$", section, re.M | re.S)
    listed = [name for row in rows for name in re.findall(r"``(\w+)``", "\n".join(l[:36] for l in row.split("\n")))]
    expected = {line.split()[0].rsplit(".", 1)[0] for line in read(f"{TESTS}/expected").splitlines()
                if line.strip() and not line.startswith("#")}
    files = {os.path.basename(f).rsplit(".", 1)[0] for f in glob.glob(f"{TESTS}/*.py") + glob.glob(f"{TESTS}/*.sh")
             if not os.path.basename(f).startswith("lib")}
    problems = list(differences(set(listed), expected, f"the table of {DOC}", "expected"))
    problems += [f"{name}: twice in the table" for name in sorted(set(listed)) if listed.count(name) > 1]
    check(f"{DOC} names each system test once", problems if len(expected) > 50 else problems + [f"only {len(expected)} expected"])
    check("each system test has an expected count", differences(files, expected, TESTS, "expected"))

    suites = {line.split()[0] for line in read("kunit/expected").splitlines() if line.strip() and not line.startswith("#")}
    named = {name for f in glob.glob("kunit/*_test.c") for name in re.findall(r'struct kunit_suite \w+ = {\s*\.name = "(\w+)"', read(f))}
    check("each KUnit suite has an expected count", differences(named, suites, "kunit/", "kunit/expected"))
    made = set(re.findall(r"^  make ([\w-]+)", read("Makefile").replace("@echo '", "").replace("\t", ""), re.M))
    told = set(re.findall(r"^``make ([\w-]+)", text, re.M))
    check(f"what {DOC} explains is in make help", [f"make {name}" for name in sorted(told - made)])
    finish()


if __name__ == "__main__":
    main()
