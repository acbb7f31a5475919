#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/netlink.rst against the spec of the family."""

import re

import yaml
from common import SPEC, check, differences, finish, read

DOC = "Documentation/netlink.rst"


def section(text, title, mark):
    """The text under a heading, up to the next one of its rank or above."""
    m = re.search(rf"^{re.escape(title)}\n{re.escape(mark)}{{{len(title)}}}\n(.*?)(?=^[^\n]+\n[={mark}]{{3,}}\n|\Z)",
                  text, re.M | re.S)
    return m.group(1) if m else ""


def items(text):
    return dict(re.findall(r"^``([\w-]+)`` \((.*)\)$", text, re.M))


def kind(attr):
    text = attr["type"]
    if text == "nest":
        text = "nest of " + attr["nested-attributes"]
    if "byte-order" in attr:
        text += ", network byte order"
    if "enum" in attr:
        text += ", " + attr["enum"]
    if "exact-len" in attr.get("checks", {}):
        text += f", {attr['checks']['exact-len']} bytes"
    return text


def requests(spec):
    """{operation and mode: attributes of the request, as the documentation has them}"""
    ops = {}
    settings = next(s for s in spec["attribute-sets"] if s["name"] == "settings")
    writable = [a["name"] for a in settings["attributes"] if a["name"] not in ("count", "guarded", "src-count", "buckets-auto", "following")]
    for op in spec["operations"]["list"]:
        for mode in ("do", "dump"):
            if mode not in op:
                continue
            attrs = op[mode].get("request", {}).get("attributes", [])
            said = ", ".join(f"``{a}``" for a in attrs)
            if attrs == writable:
                said = "all of settings but those that are read only"
            ops[f"{op['name']} {mode}"] = said
    return ops


def main():
    spec = yaml.safe_load(read(SPEC))
    text = read(DOC)

    operations = section(text, "Operations", "=")
    said = {f"{op} {mode}": attrs for op, mode, attrs in
            re.findall(r"^``([\w-]+)`` (do|dump)(?:: (.*))?$", operations, re.M)}
    check("netlink: operations and what they take are those of the spec",
          differences(requests(spec), said, "the spec", DOC))
    notify = {op["name"] for op in spec["operations"]["list"] if "notify" in op or "event" in op}
    notes = section(text, "Notifications", "=")
    check("netlink: notifications are those of the spec",
          differences(notify, set(re.findall(r"^``([\w-]+)``$", notes, re.M)), "the spec", DOC))
    groups = {g["name"] for g in spec["mcast-groups"]["list"]}
    check("netlink: groups are those of the spec",
          differences(groups, set(re.findall(r"^Group ``(\w+)``", notes, re.M)), "the spec", DOC))

    attributes = text.split("\nAttributes\n==========\n", 1)[1]
    attributes, values = attributes.split("\nValues\n======\n", 1)
    for attrs in spec["attribute-sets"]:
        want = {a["name"]: kind(a) for a in attrs["attributes"] if a["type"] != "pad"}
        check(f"netlink: attributes of {attrs['name']} are those of the spec",
              differences(want, items(section(attributes, attrs["name"], "-")), "the spec", DOC))
    for enum in spec["definitions"]:
        flags = enum["type"] == "flags"
        want = {e["name"]: str(1 << i if flags else i) for i, e in enumerate(enum["entries"])}
        check(f"netlink: values of {enum['name']} are those of the spec",
              differences(want, items(section(values, enum["name"], "-")), "the spec", DOC))
    titles = set(re.findall(r"^([\w-]+)\n-{3,}$", text, re.M))
    check("netlink: nothing is documented that the spec does not have",
          differences(titles, {s["name"] for s in spec["attribute-sets"] + spec["definitions"]}, DOC, "the spec"))
    finish()


main()
