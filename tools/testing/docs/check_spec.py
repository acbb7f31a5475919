#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The spec of the netlink family against the uapi header and the policies in the kernel module."""

import re

import yaml
from common import HEADER, SPEC, check, code, differences, enums, finish, read


def c_name(*parts):
    return "_".join(parts).replace("-", "_").upper()


def of_spec(spec):
    """Names and values that the header must have."""
    family = spec["name"]
    values = {}
    for enum in spec["definitions"]:
        for i, entry in enumerate(enum["entries"]):
            values[c_name(family, enum["name"], entry["name"])] = 1 << i if enum["type"] == "flags" else i
    for attrs in spec["attribute-sets"]:
        prefix = attrs["name-prefix"].rstrip("-")
        value = 0
        for attr in attrs["attributes"]:
            value = attr.get("value", value + 1)
            values[c_name(prefix, attr["name"])] = value
        values[c_name("__" + prefix, "max")] = value + 1
        values[c_name(prefix, "max")] = value
    prefix = spec["operations"]["name-prefix"].rstrip("-")
    value = 0
    for op in spec["operations"]["list"]:
        value = op.get("value", value + 1)
        values[c_name(prefix, op["name"])] = value
    values[c_name("__" + prefix, "max")] = value + 1
    values[c_name(prefix, "max")] = value
    return values


def undocumented(spec):
    for kind in ("definitions", "attribute-sets"):
        for outer in spec[kind]:
            for inner in [outer] + outer.get("entries", []) + outer.get("attributes", []):
                if not inner.get("doc", "").strip():
                    yield f"{outer['name']} {inner['name']}"
    for op in spec["operations"]["list"]:
        if not op.get("doc", "").strip():
            yield op["name"]


def policy(name, last=None):
    """Attributes that a policy in netlink.c accepts, up to the last one that its operation has."""
    text = code("kmod/netlink/netlink.c")
    body = re.search(r"nla_policy " + name + r"\[\] = {(.*?)\n};", text, re.S).group(1)
    if "FT_PROTO_NLATTR_POLICY" in body:
        body += re.search(r"define FT_PROTO_NLATTR_POLICY\s(.*)", code("kmod/proto/nlattr.h")).group(1)
    attrs = [attr.lower().replace("_", "-")
             for attr in re.findall(r"\[(?:A\(|FLOWTRACK_A_TOP_|FLOWTRACK_A_COUNT_|FLOWTRACK_A_FLOW_)(\w+)\)?\]", body)]
    return set(attrs[:attrs.index(last) + 1] if last else attrs)


def last_attr(operation, name):
    """The last attribute of a policy that an operation takes, if that is not the policy's last one."""
    found = re.search(r"\.cmd = FLOWTRACK_CMD_" + operation.upper().replace("-", "_") + r",.*?\.policy = " + name +
                      r",\s*\.maxattr = (?:A\((\w+)\)|ARRAY_SIZE\(" + name + r"\) - 1),", code("kmod/netlink/netlink.c"), re.S)
    return found[1] and found[1].lower().replace("_", "-")


def accepted(spec, name):
    """Attributes that an operation takes according to the spec."""
    attrs = set()
    for op in spec["operations"]["list"]:
        for mode in ("do", "dump"):
            if op["name"] == name and mode in op:
                attrs |= set(op[mode].get("request", {}).get("attributes", []))
    return attrs


def main():
    spec = yaml.safe_load(read(SPEC))
    text = code(HEADER)
    values, tags = enums(text)

    check("spec: names and numbers are those of the uapi header",
          differences(of_spec(spec), values, "the spec", "the header"))
    check("spec: enums are named as in the uapi header",
          differences({"flowtrack_" + e["name"].replace("-", "_") for e in spec["definitions"]},
                      {tag for tag in tags if not tag.startswith("#")}, "the spec", "the header"))
    # A value of settings, not a name of the family.
    strings = dict(re.findall(r"#define\s+(FLOWTRACK_\w+)\s+\"?([^\"\n]+)\"?", text))
    want = {"FLOWTRACK_FAMILY_NAME": spec["name"], "FLOWTRACK_FAMILY_VERSION": str(spec.get("version", 1))}
    for group in spec["mcast-groups"]["list"]:
        want[c_name("flowtrack-mcgrp", group["name"])] = group["name"]
    strings.pop("FLOWTRACK_SETTING_AUTO")
    check("spec: family and groups are those of the uapi header",
          differences(want, {k: v.strip() for k, v in strings.items()}, "the spec", "the header"))
    check("spec: everything is documented", undocumented(spec))
    for op, name in (("flow-get", "select_policy"), ("flow-del", "select_policy"), ("flow-add", "add_policy"),
                     ("top-get", "top_policy"), ("count-get", "count_policy")):
        check(f"spec: {op} takes what the module's policy takes",
              differences(accepted(spec, op), policy(name, last_attr(op, name)), "the spec", name))
    sets = {s["name"]: [a["name"] for a in s["attributes"] if a["type"] != "pad"] for s in spec["attribute-sets"]}
    check("spec: settings-set takes every setting that can be written",
          differences(accepted(spec, "settings-set"), set(sets["settings"]) - {"count", "guarded", "src-count", "buckets-auto", "following"},
                      "settings-set", "settings"))
    for op, attrs in (("settings-get", "settings"), ("stats-get", "stats")):
        reply = next(o for o in spec["operations"]["list"] if o["name"] == op)["do"]["reply"]["attributes"]
        check(f"spec: {op} shows all of {attrs}", differences(set(reply), set(sets[attrs]), op, attrs))
    finish()


main()
