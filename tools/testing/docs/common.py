# SPDX-License-Identifier: GPL-2.0-only
"""What the checks of the documentation share: results, and reading C."""

import ast
import re
import sys

HEADER = "uapi/linux/nf_flowtrack.h"
SPEC = "Documentation/netlink/specs/flowtrack.yaml"

_failed = 0


def check(what, problems):
    """Print one line for a check, and one for each of its problems."""
    global _failed
    problems = list(problems)
    print(("not ok " if problems else "ok ") + what)
    for problem in problems:
        print("    " + problem)
    _failed += bool(problems)


def finish():
    sys.exit(1 if _failed else 0)


def differences(left, right, left_name, right_name):
    """Compare two dicts or sets, by key and, for dicts, by value."""
    for key in left:
        if key not in right:
            yield f"{key}: in {left_name}, not in {right_name}"
    for key in right:
        if key not in left:
            yield f"{key}: in {right_name}, not in {left_name}"
    if isinstance(left, dict):
        for key in left:
            if key in right and left[key] != right[key]:
                yield f"{key}: {left[key]} in {left_name}, {right[key]} in {right_name}"


def read(name):
    with open(name, encoding="utf-8") as f:
        return f.read()


def code(name):
    """A C file without comments and with continued lines joined."""
    text = re.sub(r"/\*.*?\*/", " ", read(name), flags=re.S)
    return text.replace("\\\n", " ")


def number(expression, names):
    """The value of a C expression of numbers and names. Only what the headers here use."""
    expression = re.sub(r"\((?:u32|int|s32)\)", "", expression)
    expression = re.sub(r"\bBIT\((\d+)\)", r"(1 << \1)", expression)
    expression = re.sub(r"\b(\d+)[uUlL]+\b", r"\1", expression)
    expression = re.sub(r"[A-Za-z_]\w*", lambda m: str(names[m.group()]), expression)

    def value(node):
        if isinstance(node, ast.Expression):
            return value(node.body)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.BinOp):
            left, right = value(node.left), value(node.right)
            return {ast.Add: lambda: left + right, ast.Sub: lambda: left - right,
                    ast.LShift: lambda: left << right, ast.Mult: lambda: left * right}[type(node.op)]()
        raise ValueError(expression)

    return value(ast.parse(expression.strip(), mode="eval"))


def enums(text):
    """All enumerators of a C text: {name: value}, and the enums: {tag: [names]}."""
    values, tags = {}, {}
    for n, m in enumerate(re.finditer(r"\benum\s*(\w*)\s*{([^}]*)}", text)):
        last, names = -1, []
        for entry in m.group(2).split(","):
            if not entry.strip():
                continue
            name, _, expression = (part.strip() for part in entry.partition("="))
            last = number(expression, values) if expression else last + 1
            values[name] = last
            names.append(name)
        tags[m.group(1) or f"#{n}"] = names
    return values, tags
