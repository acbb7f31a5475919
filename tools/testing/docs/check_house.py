#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The house itself: its top level; the map in architecture.rst against the files that there are; headers that are used and not included, or
included and not used; functions that are too long, or of one name in two files; protocols that are named where none should
be; the places where CONTRIBUTING.md says that a change begins; circles among the tool's files; and the targets of the Makefile."""

import collections
import glob
import os
import re
import subprocess

from common import check, code, finish, read

DOC = "Documentation/architecture.rst"
GUIDE = "Documentation/CONTRIBUTING.md"
LONGEST = 80
# The rooms, and what tools insist on beside them.
TOP = {"kmod", "uapi", "tools", "Documentation", "kunit", "Kbuild", "Makefile", "README.md", "COPYING", "dkms.conf", "debian", ".ci"}


def files(pattern, *roots):
    found = (f for root in roots for f in glob.glob(f"{root}/**/{pattern}", recursive=True))
    return sorted(f for f in found if "/compat/" not in f and "/tests/" not in f and "/build/" not in f)


def check_top():
    """What a run of a test left behind and somebody committed lies here. Without git (an unpacked package) nobody can tell."""
    git = subprocess.run(["git", "-c", "safe.directory=*", "ls-files"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    top = {name.split("/")[0] for name in git.stdout.split("\n") if name} if git.returncode == 0 else TOP
    problems = [f"{name}: not a part of the top level" for name in sorted(top - TOP) if name not in (".gitignore", ".editorconfig")]
    check("the top level has its rooms and nothing else", problems + [f"{name}: missing" for name in sorted(TOP - top)])


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


def defined(name):
    """What a header of ours gives to those that include it."""
    text = code(name)
    patterns = (r"^#define (\w+)", r"\b(?:struct|enum|union) (\w+) {", r"^(?!\s|#)[\w \t*]*?\b(\w+)\s*\(", r"^\t(FT_\w+)\b",
                r"\bextern [^;]*?\b(\w+)(?:\[[^;]*)?;", r"\btypedef [^;]*\(\*(\w+)\)")
    return {word for p in patterns for word in re.findall(p, text, re.M)}


def check_needless():
    """trace.h defines its functions by macros of the kernel's."""
    headers = {os.path.relpath(h, "kmod"): defined(h) for h in files("*.h", "kmod") if not h.endswith("/trace.h")}
    problems = []
    for name in files("*.[ch]", "kmod"):
        words = set(re.findall(r"\w+", re.sub(r"^#include.*", "", code(name), flags=re.M)))
        own = os.path.relpath(name, "kmod")[:-2] + ".h"
        problems += [f"{name}: nothing of {h} is used" for h in sorted(included(name)) if h != own and h in headers
                     and not headers[h] & words]
    check("kmod includes nothing that it does not use", problems if len(headers) > 60 else problems + [f"only {len(headers)} headers"])


def check_names():
    """A backtrace, a tracer and grep know a static function by its name alone."""
    homes = collections.defaultdict(list)
    for name in files("*.c", "kmod"):
        for f in set(re.findall(r"^(?:static )(?!inline)[\w \t*]*?\b(\w+)\([^;{]*?\)(?:\s+__\w+\(\w+\))?\n\{", code(name), re.M)):
            homes[f].append(name)
    problems = [f"{f}(): in {' and '.join(found)}" for f, found in sorted(homes.items()) if len(found) > 1]
    check("no two static functions of kmod have one name", problems if len(homes) > 500 else problems + [f"only {len(homes)} found"])


# Floors that carry flows of every protocol and know none, so that a new protocol touches no file of theirs.
BLIND = ("kmod/netlink", "kmod/ctnetlink", "kmod/policy", "kmod/flow/table.c", "kmod/flow/flow.c")
# Its requests have bits for parts of ICMP's tuples; that is nf_conntrack_netlink's interface.
SEEING = ("kmod/ctnetlink/filter.c",)
PROTOCOL = re.compile(r"\bIPPROTO_[A-Z]\w+|\bft_(?:tcp|udp|icmp|sctp|gre|dccp)_\w+\(|\bA\((?:GRE|ICMP|TCP|VTAG)_?\w*\)")


def check_protocols():
    names = [n for root in BLIND for n in (files("*.[ch]", root) if os.path.isdir(root) else [root]) if n not in SEEING]
    problems = [f"{name}: {word}" for name in names for word in sorted(set(PROTOCOL.findall(code(name))))]
    named = len(PROTOCOL.findall(code("kmod/proto/proto.c")))
    if len(names) < 50 or named < 20:
        problems.append(f"only {len(names)} files looked at, {named} protocols seen in proto.c")
    check("netlink, policy and the table name no protocol", problems)


def check_errands():
    """The table of CONTRIBUTING.md: each function stands in one of the files of its row."""
    rows = re.findall(r"^\| [^|`]+\| (`kmod/[^|]+)\| ([^|]+)\|$", read(GUIDE), re.M)
    problems = []
    for files_, functions_ in rows:
        text = "\n".join(code(f) if os.path.exists(f) else "" for f in re.findall(r"`(\S+?)`", files_))
        problems += [f"{f}() is not in {files_.strip()}" for f in re.findall(r"`(\w+)\(\)`", functions_)
                     if not re.search(rf"^(?!\s|static|#)[\w \t*]*\b{f}\([^;{{]*?\)\n\{{", text, re.M)]
    check(f"what {GUIDE} says where to begin at is there", problems if len(rows) >= 10 else problems + [f"only {len(rows)} rows"])


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
    """By calls and includes: a file needs the one that defines what it names, and the one of whose name it has the header."""
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
        headers = re.findall(r'^#include "(\w+)\.h"$', read(name), re.M)
        edges[name] |= {f for f in (f"tools/flowtrack/{h}.c" for h in headers) if f != name and os.path.exists(f)}
    found = circle(edges)
    problems = [" needs ".join(found)] if found else []
    check("no circle among the tool's files", problems if len(home) > 100 else problems + [f"only {len(home)} found"])


def check_help():
    """`make help` has each target that is not a part of others, and every `make TARGET` of the documents can be said."""
    text = read("Makefile").replace("\\\n", " ")
    public, parts = (set(line.split()) for line in re.findall(r"^\.PHONY: (.*)$", text, re.M))
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", text, re.M))
    helped = set(re.findall(r"make ([a-z][\w-]*)", "\n".join(re.findall(r"^\t@echo '(  .*)'$", text, re.M))))
    problems = [f"{t}: no line in `make help`" for t in sorted(public - helped)]
    problems += [f"{t}: in `make help`, and no target for people" for t in sorted(helped - public)]
    problems += [f"{t}: neither among the targets for people nor among their parts" for t in sorted(targets - public - parts)]
    problems += [f"{t}: in .PHONY, but no target" for t in sorted((public | parts) - targets)]
    for name in ["README.md", *files("*.rst", "Documentation"), *files("*.md", "Documentation")]:
        said = set(re.findall(r"(?:`|\$ |# |sudo )make ([a-z][a-z-]*)", read(name)))
        problems += [f"{name}: make {t}: no such target" for t in sorted(said - public)]
    check("make help has every target, and the documents name no other", problems if len(helped) > 20 else problems + ["no help found"])


def main():
    check_top()
    for root in ("kmod", "tools/flowtrack"):
        check(f"{DOC} has every file of {root}/", mapped(root))
    check_length()
    check_includes()
    check_needless()
    check_names()
    check_protocols()
    check_errands()
    check_tool_circles()
    check_help()
    finish()


if __name__ == "__main__":
    main()
