#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The house itself: the map in architecture.rst against the files that there are, headers that are used and not included,
functions that are too long, and circles among the tool's files."""

import collections
import glob
import os
import re

from common import check, code, finish, read

DOC = "Documentation/architecture.rst"
LONGEST = 80


def files(pattern, *roots):
    found = (f for root in roots for f in glob.glob(f"{root}/**/{pattern}", recursive=True))
    return sorted(f for f in found if "/compat/" not in f and "/tests/" not in f and "/build/" not in f)


def mapped(root):
    """What is wrong with one table of the map, and how many files it has. A row names files in its left column; "NAME ..."
    stands for all that are called like it, by folder and suffix, or by prefix. A header stands for the file of its name."""
    rows = re.search(rf"^in ``{root}/``[^\n]*\n(=+) +=+\n(.*?)^=+ +=+$", read(DOC), re.S | re.M)
    cells = [row[:len(rows.group(1))] for row in rows.group(2).split("\n")]
    names, problems = set(), []
    for name, more in re.findall(r"([\w/]+\.[ch])( \.\.\.)?", "\n".join(cells)):
        if not os.path.exists(f"{root}/{name}"):
            problems.append(f"{name}: not in {root}/")
        folder, base = os.path.split(name)
        if more:
            base = re.sub(r"^cmd_\w+", "cmd_*", base) if base.startswith("cmd_") else re.sub(r"^[a-z]+", "*", base)
        names |= set(glob.glob(os.path.join(root, folder, base[:-1] + "c")))
    problems += [f"{name}: not on the map" for name in files("*.c", root) if name not in names]
    return problems if len(names) > 20 else problems + [f"only {len(names)} files found"]


def functions(name):
    """(name, lines of its body) of each function."""
    lines = read(name).split("\n")
    begin = None
    for i, line in enumerate(lines):
        if line == "{":
            begin = i
        elif line == "}" and begin is not None:
            head = " ".join(lines[max(0, begin - 6):begin])
            called = re.findall(r"(\w+)\(", head)
            yield called[-1] if called else "?", i - begin - 1
            begin = None


def check_length():
    found = [(name, f, n) for name in files("*.c", "kmod", "tools/flowtrack") for f, n in functions(name)]
    problems = [f"{name}: {f}(): {n} lines" for name, f, n in found if n > LONGEST]
    check(f"no function has more than {LONGEST} lines", problems if len(found) > 1000 else problems + [f"only {len(found)} found"])


def prototypes(name, prefix):
    """Functions that a header declares or defines."""
    return set(re.findall(rf"^(?!\s|#|typedef)[\w \t*]*?\b({prefix}\w+)\s*\(", code(name), re.M))


def included(name):
    return set(re.findall(r'^#include "([^"]+)"', read(name), re.M))


def check_includes():
    declared = {f: os.path.relpath(h, "kmod") for h in files("*.h", "kmod") for f in prototypes(h, "ft_")}
    problems = []
    for name in files("*.c", "kmod"):
        seen = included(name)
        own = os.path.relpath(name, "kmod")[:-2] + ".h"
        if own in seen:
            seen = seen | included("kmod/" + own)
        for f in sorted(set(re.findall(r"\b(ft_\w+)\s*\(", code(name)))):
            if f in declared and declared[f] not in seen:
                problems.append(f"{name}: {f}() is of {declared[f]}")
    check("kmod includes what it calls", problems if len(declared) > 300 else problems + [f"only {len(declared)} declared"])


def circle(edges):
    """A way from a file back to it, or []."""
    state = {}

    def visit(node, path):
        state[node] = 1
        for other in sorted(edges[node]):
            if state.get(other) == 1:
                return path[path.index(other):] + [other] if other in path else [node, other]
            if other not in state:
                found = visit(other, path + [other])
                if found:
                    return found
        state[node] = 2
        return []
    for node in sorted(edges):
        if node not in state:
            found = visit(node, [node])
            if found:
                return found
    return []


def check_tool_circles():
    """By calls: a file needs the one that defines what it names."""
    home, edges = {}, collections.defaultdict(set)
    for name in files("*.c", "tools/flowtrack"):
        for f in re.findall(r"^(?!static|\s|#|typedef)[\w \t*]*?\b(\w+)\([^;{]*?\)\n\{", code(name), re.M):
            home[f] = name
    home.pop("main", None)
    for name in files("*.c", "tools/flowtrack"):
        text = code(name)
        own = set(re.findall(r"^static [^=;{]*?\b(\w+)\(", text, re.M))
        for word in set(re.findall(r"\b\w+\b", text)) - own:
            if word in home and home[word] != name:
                edges[name].add(home[word])
        edges[name] |= set()
    found = circle(edges)
    problems = [" needs ".join(found)] if found else []
    check("no circle among the tool's files", problems if len(home) > 100 else problems + [f"only {len(home)} found"])


def main():
    for root in ("kmod", "tools/flowtrack"):
        check(f"{DOC} has every file of {root}/", mapped(root))
    check_length()
    check_includes()
    check_tool_circles()
    finish()


if __name__ == "__main__":
    main()
