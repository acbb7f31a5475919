#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tool's manual page against its tables, and its words against the uapi header and the settings."""

import json
import re

import jsonschema

from common import HEADER, check, code, differences, enums, finish, read

MAN = "tools/flowtrack/flowtrack.8"
VERBS = "tools/flowtrack/verb.c"
NAMES = "tools/flowtrack/names.c"
HABITS = "tools/flowtrack/conntrack.c"
MAN_CONNTRACK = "tools/flowtrack/flowtrack-conntrack.7"
SCHEMA = "tools/flowtrack/schema/flowtrack-%s.json"


def table(text, declaration):
    m = re.search(declaration + r"[^=;]*= {\n(.*?)\n};", text, re.S)
    return m.group(1) if m else ""


def verbs_of_man(man):
    """Verbs with an entry of their own, and verbs of the synopsis."""
    entries = man.split(".Ss Verbs\n", 1)[-1].split("\n.Ss ", 1)[0].split("\n.Sh ", 1)[0]
    depth, found = 0, set()
    for line in entries.splitlines():
        depth += line.startswith(".Bl ")
        depth -= line.startswith(".El")
        m = re.match(r"\.It Cm (\w+)", line)
        if m and depth == 1:
            found.add(m.group(1))
    synopsis = man.split(".Sh SYNOPSIS\n", 1)[-1].split("\n.Sh ", 1)[0]
    return found, set(re.findall(r"^\.Cm (\w+)", synopsis, re.M))


def options_of_man(man):
    """Options with an entry: letters and words."""
    found = set()
    for line in re.findall(r"^\.It (Fl .*)$", man, re.M):
        found |= set(re.findall(r"(?:Fl|,) (?:Fl )?-?([\w-]+)", line))
    return found


def words():
    """{enumerator: word} of names.c, for tables by enumerator."""
    return dict(re.findall(r'\[(FLOWTRACK_\w+)\] =\s*(?:\w+\()?"(\w+)"', code(NAMES)))


def expected_words(values):
    settings = dict(re.findall(r"\[A\((\w+)\)\] =\s*(?:\{\s*SETTING|\w+)\((\w+),", code("kmod/base/settings.c")))
    want = {}
    for name in values:
        m = re.fullmatch(r"FLOWTRACK_(?:A_)?(TOP_KIND|TOP_ORDER|TOP_ENTRY|TOP|COUNT_BY|COUNT_ENTRY|COUNT|TCP_STATE|SCTP_STATE|FLOW_STATE|TUPLE|"
                         r"COUNTERS|TCP_DIR|FLOW|FILTER|ANY|STATS|SETTINGS|CLASS|REASON|POLICY|TRACKER|LEVEL)_(\w+)", name)
        # Nothing that a request has is in a top-entry or count-entry; settings.c has no setting that tells of others.
        if not m or m.group(2) in ("MAX", "PAD", "FOLLOWING") or m.group(1) in ("TOP_ENTRY", "COUNT_ENTRY"):
            continue
        want[name] = settings[m.group(2)] if m.group(1) == "SETTINGS" else m.group(2).lower()
    return want


def check_schema(verbs):
    """The JSON Schema: of the version that the tool tells, for each verb, with the settings and counters that there are."""
    version = re.search(r'#define SCHEMA_VERSION\s+"(\d+)"', code("tools/flowtrack/main.c")).group(1)
    name = SCHEMA % version
    schema = json.loads(read(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    defs = schema["$defs"]
    check("tool: the JSON Schema is of the version that -j -V tells",
          differences({version}, {str(defs["version"]["properties"]["schema"]["const"])}, "main.c", name))
    of_anything = {ref["$ref"].split("/")[-1] for ref in schema["anyOf"]}
    check("tool: the JSON Schema has every verb that prints JSON",
          differences(verbs - {"metrics", "watch"} | {"version"}, of_anything & set(defs), VERBS, name))
    counters = set(re.findall(r'\[FLOWTRACK_A_STATS_\w+\] = "(\w+)"', code(NAMES)))
    check("tool: the JSON Schema has every counter", differences(counters, set(defs["counters"]["properties"]), NAMES, name))
    settings = set(re.findall(r'\[FLOWTRACK_A_SETTINGS_\w+\] =\s*\w+\("(\w+)"', code(NAMES)))
    check("tool: the JSON Schema has every setting", differences(settings, set(defs["settings"]["properties"]), NAMES, name))
    check("tool: the manual page names the JSON Schema", [] if name.split("/")[-1] in read(MAN) else [MAN])


def main():
    man, verb_c = read(MAN), code(VERBS)

    verbs = set(re.findall(r'{ "(\w+)", cmd_', table(verb_c, r"struct verb verbs\[\]")))
    entries, synopsis = verbs_of_man(man)
    check("tool: the check finds the table of verbs", [] if verbs else [VERBS])
    check("tool: the manual page describes every verb, and no other", differences(verbs, entries, VERBS, MAN))
    check("tool: the synopsis has every verb, and no other", differences(verbs, synopsis, VERBS, MAN))

    check_schema(verbs)

    options = set()
    rows = table(verb_c, r"struct option long_options\[\]")
    for name, value in re.findall(r'{ "([\w-]+)", \w+, NULL, (\'.\'|\w+) }', rows):
        options.add(name)
        if value.startswith("'"):
            options.add(value.strip("'"))
    check("tool: the check finds the table of options", [] if options else [VERBS])
    check("tool: the manual page describes every option, and no other",
          differences(options, options_of_man(man), VERBS, MAN))

    habits = re.findall(r"{ (?:'(\w)'|0), \"([\w-]+)\",", code(HABITS))
    wanted = {word for habit in habits for word in habit if word}
    check("tool: the check finds the table of conntrack's options", [] if wanted else [HABITS])
    check("tool: flowtrack-conntrack(7) has every option of conntrack's",
          differences(wanted, options_of_man(read(MAN_CONNTRACK)) & wanted, HABITS, MAN_CONNTRACK))

    values, _ = enums(code(HEADER))
    check("tool: words are those of the uapi header and of the sysctls",
          differences(expected_words(values), words(), "the header", NAMES))
    finish()


main()
