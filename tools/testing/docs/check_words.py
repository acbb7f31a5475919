#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Words: no "who" without a noun before it, as CONTRIBUTING.md asks, in documents and in comments.

A sentence that begins with it is a question or wrong; behind a preposition it stands for a noun that is missing.
"""

import re
import subprocess

from common import check, finish, read

FILES = re.compile(r"\.(?:c|h|py|sh|rst|md|[1-8]|ya?ml|toml|spec|service|modprobe)$|(?:^|/)(?:Makefile|Kbuild)$")
# A word of Python's is not one of a sentence: "for who in", "[who]".
CODE = re.compile(r"\bfor who(?:, \w+)* in\b|[\[(.]who\b|\bwho(?:[,\])]| ==| !=)")
BARE = re.compile(r"\b[Ww]ho(?:m)?ever\b|\b(?:by|to|of|for|against|than|only) who\b")
FIRST = re.compile(r"(?:(?<=[.:!?] )|(?<=\* )|(?<=# )|(?<=\"\"\"))Whom?\b[^.?!]*")


def wrong(text):
    """(line number, words) of each."""
    text = CODE.sub(lambda m: "#" * len(m[0]), text)
    found = [(m.start(), m[0]) for m in BARE.finditer(text)]
    found += [(m.start(), m[0].split("\n")[0][:40]) for m in FIRST.finditer(text) if text[m.end():m.end() + 1] != "?"]
    return [(text.count("\n", 0, at) + 1, words) for at, words in sorted(found)]


BAD = ("/* Whoever comes gets it. */", "# Who comes gets it.", "It goes to who asked.", " * Done. Whom it found goes. */", "for who has room")
GOOD = ("/* Who comes? Nobody. */", "It says who fills the table.", "a client who asks", "for who in SITES:", "run(who, 1)")


def main():
    names = [n for n in subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.split()
             if FILES.search(n) and not n.endswith("check_words.py")]
    problems = [f"{n}:{line}: {words}" for n in names for line, words in wrong(read(n))]
    check('no "who" without a noun before it', problems if len(names) > 400 else problems + [f"only {len(names)} files"])
    check("the check itself sees what is wrong, and nothing else",
          [t for t in BAD if not wrong(t)] + [t for t in GOOD if wrong(t)])
    finish()


if __name__ == "__main__":
    main()
