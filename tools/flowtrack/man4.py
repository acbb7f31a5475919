#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes the manual page nf_flowtrack(4) of Documentation/sysctl.rst.

    man4.py SYSCTL.RST >nf_flowtrack.4
"""

import re
import sys

HEAD = r'''.\" SPDX-License-Identifier: GPL-2.0-only
.\" Made of Documentation/sysctl.rst by tools/flowtrack/man4.py: change that file.
.TH NF_FLOWTRACK 4 "November 29, 2026" "flowtrack"
.SH NAME
nf_flowtrack \- connection tracking that works when its table is full
.SH SYNOPSIS
.B modprobe nf_flowtrack
.RI [ parameter = value ...]
.SH DESCRIPTION
The kernel module nf_flowtrack tracks the connections that rulesets of nftables
and iptables ask for, in a table of its own, one for each network namespace, and
guards those that have to stay in that of nf_conntrack. When a table is full, the
least valuable connection gives its place to a new one. Rulesets need no change.
.PP
'''
TAIL = r'''.SH SEE ALSO
.BR flowtrack (8),
.BR flowtrack\-conntrack (7),
.BR sysctl.d (5),
.BR nft (8),
.BR conntrack (8)
'''


def inline(text):
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    text = re.sub(r"``([^`]+)``", r"\\fB\1\\fR", text)
    return "\n".join(r"\&" + line if line[:1] in ".'" else line for line in text.splitlines())


def blocks(lines):
    """Paragraphs: (indent, lines); literal blocks follow a paragraph that ends in ::"""
    block = []
    for line in lines + [""]:
        if line.strip():
            block.append(line.expandtabs(8))
        elif block:
            yield len(block[0]) - len(block[0].lstrip()), block
            block = []


def items(block):
    """The items of a list, each a text; one item if it is none."""
    found = []
    for line in (line.strip() for line in block):
        if line.startswith("- ") or not found:
            found.append(line)
        else:
            found[-1] += "\n" + line
    return found


def body(lines, nested):
    """The text of an entry, or of a section; nested: inside of .TP"""
    literal, first = None, True
    for indent, block in blocks(lines):
        if literal is not None and indent > literal:
            yield from [".PP", ".RS 4" if nested else ".in +4", ".nf"]
            yield from (inline(line.strip()) for line in block)
            yield from [".fi", ".RE" if nested else ".in"]
            continue
        literal = indent if block[-1].endswith("::") else None
        block[-1] = block[-1].replace("::", ":")
        if block[0].strip().startswith("- "):
            if nested:
                yield ".RS"
            for item in items(block):
                yield from [r".IP \[u2022] 2", inline(item[2:])]
            if nested:
                yield ".RE"
        elif len(block) > 1 and not nested and not indent and block[1].startswith("  "):
            yield from [".TP", ".B " + inline(block[0].replace("``", "")), inline("\n".join(line.strip() for line in block[1:]))]
        else:
            if not first or not nested:
                yield ".IP" if nested else ".PP"
            yield inline("\n".join(line.strip() for line in block))
        first = False


def page(text):
    out, section, entry, lines = [], None, None, text.splitlines()[6:]

    def flush():
        if not pending:
            return
        if entry:
            out.extend([".TP", ".B " + inline(entry)])
        out.extend(body(pending, bool(entry)))
        pending.clear()

    pending = []
    for i, line in enumerate(lines):
        if re.fullmatch(r"=+", line):
            continue
        if i + 1 < len(lines) and re.fullmatch(r"=+", lines[i + 1]):
            flush()
            section, entry = line, None
            out.append(".SH " + inline(section.upper()))
        elif re.match(r"[a-z]\w+ - [A-Z]", line):
            flush()
            entry = re.sub(r"^(nf_flowtrack_)", r"net.netfilter.\1", line).replace(" - ", "  ")
        else:
            pending.append(line)
    flush()
    return HEAD.replace(".PP\n", "", 1) + "\n".join(out) + "\n" + TAIL


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        text = f.read()
    made = page(text)
    missing = [name for name in re.findall(r"^(\w+) - [A-Z]", text, re.M) if f"{name}  " not in made]
    if missing:
        sys.exit(f"man4.py: does not find {', '.join(missing)} again in what it made")
    sys.stdout.write(re.sub(r"^(\.SH .*\n)\.PP\n", r"\1", made, flags=re.M))


main()
