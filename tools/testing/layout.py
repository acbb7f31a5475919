#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The layout of bucket and flow that performance.rst documents, against the debugging information of a module.

    layout.py MODULE

Prints what differs, and nothing if nothing does. The compiler's word is what counts: static_assert() holds a few
offsets in place, this all of them, and that no member lies in two cache lines.
"""

import re
import subprocess
import sys

DOC = "Documentation/performance.rst"
LINE = 64

# What each list of the documentation is about: structs, and how many lines they have.
STRUCTS = {"A bucket is": [("bucket", 1)], "A flow is": [("ft_flow", 2), ("ft_flow6", 3)]}
# IPv6 flows begin with what all flows have.
SAME = {"ft_flow6": "f"}
# Copies of flows have it, objects end before it.
BEHIND = {"ft_flow6": "nat"}

problems = []


def problem(text):
    problems.append(text)


def documented(text):
    """{struct: {member: offset}}; {member: (bytes used, of how many)}; bytes that are unused at the end for IPv6."""
    members, used = {}, {}
    for intro, structs in STRUCTS.items():
        block = re.search(re.escape(intro) + r".*?::\n\n(.*?)\n\n", text, re.S).group(1)
        found = {name: int(offset) for offset, name in re.findall(r"^ +bytes +(\d+) +(\w+)", block, re.M)}
        rules = [int(re.search(r"bytes +(\d+)", rest).group(1)) for rest in re.split(r"^ +--$", block, flags=re.M)[1:]]
        only6 = {name for name in found if re.search(rf"^ +bytes +\d+ +{name}\b.*IPv6 only", block, re.M)}
        for struct, _ in structs:
            members[struct] = found if struct == "ft_flow6" else {k: v for k, v in found.items() if k not in only6}
        for offset in rules:
            if offset % LINE:
                problem(f"{DOC}: a new line at byte {offset}")
        used.update({m.group(1): (int(m.group(2)), int(m.group(3))) for m in
                     re.finditer(r"bytes +\d+ +(\w+)(?:(?!bytes +\d+ ).)*?(\d+) bytes of (\d+)", block, re.S)})
    padding = int(re.search(r"(\d+) bytes of this line are unused", text).group(1))
    return members, used, padding


def pahole(module, struct):
    """{member: (offset, size)} of the outermost level, size of the struct, and its padding."""
    text = subprocess.run(["pahole", "-C", struct, module], capture_output=True, text=True, check=False).stdout
    members = {}
    for name, offset, size in re.findall(r"^\t(?:\}|\S)[^\n]*?(\w+)(?:\[\d+\])?(?: __attribute__\(\([^\n]*?\)\)\))?;"
                                         r" +/\* +(\d+) +(\d+) \*/$", text, re.M):
        members[name] = (int(offset), int(size))
    whole = re.search(r"/\* size: (\d+)", text)
    padding = re.search(r"/\* padding: (\d+) \*/", text)
    return members, int(whole.group(1)) if whole else 0, int(padding.group(1)) if padding else 0


def compare(struct, wanted, lines, module):
    members, size, padding = pahole(module, struct)
    if not members:
        problem(f"pahole finds no struct {struct} in {module}")
        return 0
    if struct in BEHIND:
        end, _ = members.pop(BEHIND[struct])
        size = -(-end // LINE) * LINE
        padding = size - end
    if struct in SAME:
        inner, _, _ = pahole(module, "ft_flow")
        members.update(inner)
        del members[SAME[struct]]
    seen = {name: offset for name, (offset, _) in members.items()}
    for name in sorted(set(seen) | set(wanted), key=lambda n: seen.get(n, wanted.get(n))):
        if seen.get(name) != wanted.get(name):
            problem(f"{struct}.{name}: at byte {seen.get(name)}, {DOC} says {wanted.get(name)}")
    end = 0
    for name, (offset, length) in sorted(members.items(), key=lambda m: m[1]):
        if offset // LINE != (offset + length - 1) // LINE:
            problem(f"{struct}.{name}: in two cache lines")
        if offset != end:
            problem(f"{struct}.{name}: {offset - end} unused bytes before it")
        end = offset + length
    if size != lines * LINE:
        problem(f"{struct}: {size} bytes, {DOC} says {lines} lines")
    return padding


def main():
    with open(DOC, encoding="utf-8") as f:
        members, used, unused = documented(f.read())
    module = sys.argv[1]
    padding = {}
    for structs in STRUCTS.values():
        for struct, lines in structs:
            padding[struct] = compare(struct, members[struct], lines, module)
    if padding["ft_flow6"] != unused:
        problem(f"ft_flow6: {padding['ft_flow6']} unused bytes, {DOC} says {unused}")
    _, size, tail = pahole(module, "ft_tcp")
    if (size - tail, size) != used.get("proto"):
        problem(f"ft_tcp: {size - tail} bytes of {size} used, {DOC} says {used.get('proto')}")
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(bool(problems))


main()
