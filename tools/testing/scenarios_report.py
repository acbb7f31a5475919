#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Puts what the scenarios left behind side by side.

scenarios_report.py LOGS OUTPUT: reads LOGS/scenarios-VERSION/NAME.json, writes OUTPUT.md and OUTPUT.json.
"""

import glob
import json
import os
import sys

SIDES = ("nf_conntrack", "nf_flowtrack")


def share(count):
    if not count or not count["tried"]:
        return "none came"
    return f"{count['served']} of {count['tried']} ({100 * count['served'] / count['tried']:.1f} %)"


def kept(peers):
    return f"{peers['kept']} of {peers['opened']}" if peers["asked"] else None


def times(count):
    if not count["served"]:
        return "none in time"
    return f"{count['ms_median']:.0f} / {count['ms_p99']:.0f} / {count['ms_max']:.0f} ms"


def rows(figures):
    """(text, value) of one side."""
    clients = figures.get("clients", {})
    for name in ("streams", "idle", "idle_keepalive"):
        if name in clients and kept(clients[name]):
            yield f"{name.replace('_', ' with ')} connections kept", kept(clients[name])
    for phase, p in clients.get("phases", {}).items():
        yield f"{phase}: new web clients served", share(p["web"])
        yield f"{phase}: their time, median / 99 % / slowest", times(p["web"])
        yield f"{phase}: logins", share(p["login"])
        if p["login"]["tried"]:
            yield f"{phase}: login time, median / 99 % / slowest", times(p["login"])
        if p["control"]["tried"]:
            yield f"{phase}: logins past all tables, median / 99 % / slowest", times(p["control"])
        if p["probes_sent"]:
            yield f"{phase}: datagrams answered", f"{p['probes_answered']} of {p['probes_sent']}"
    for phase, p in figures.items():
        if not isinstance(p, dict) or "floods" not in p:
            continue
        for name, flood in p["floods"].items():
            words = ", ".join(f"{k} {v}" for k, v in flood.items() if k not in ("least", "refused") or v and k != "least")
            yield f"{phase}: {name}", words
        for table, entries in p["entries_max"].items():
            yield f"{phase}: entries of {table}, at most", entries
        yield f"{phase}: processor idle", f"{p['cpu_idle_percent_mean']} %"
        yield f"{phase}: \"table full\" in the log", p["log_lines"]
    for name, value in figures.get("facts", {}).items():
        yield name, value


def table(data):
    columns = [dict(rows(data["figures"].get(side, {}))) for side in SIDES]
    names = list(columns[0]) + [n for n in columns[1] if n not in columns[0]]
    yield f"| | {' | '.join(SIDES)} |"
    yield "|---|---|---|"
    for name in names:
        yield f"| {name} | {' | '.join(str(c.get(name, '')) for c in columns)} |"


def chapter(data):
    yield f"## {data['title']} ({data['name']}, {data['kernel']})"
    yield ""
    yield f"To reach: {data['number']}. Both tables: {data['max']} entries."
    yield ""
    yield from table(data)
    yield ""
    for c in data["checks"]:
        word = "reached" if c["ok"] else f"not judged ({c['skipped']})" if c["skipped"] else "**NOT REACHED**"
        yield f"- {word}: {c['what']}: {c['seen']}"
    yield ""
    for side in SIDES:
        stats = [(phase, p["stats"]) for phase, p in data["figures"].get(side, {}).items()
                 if isinstance(p, dict) and "stats" in p]
        for phase, values in stats:
            yield f"Statistics of {side}, {phase}: " + ", ".join(f"{k} {v}" for k, v in values.items())
            yield ""


def main():
    logs, output = sys.argv[1:]
    found = []
    for path in sorted(glob.glob(os.path.join(logs, "scenarios-*", "*.json"))):
        with open(path, encoding="ascii") as f:
            found.append(json.load(f))
    if not found:
        sys.exit("scenarios_report.py: no scenario left figures behind")
    with open(output + ".json", "w", encoding="ascii") as f:
        json.dump(found, f, indent=1)
        f.write("\n")
    failed = [d for d in found if not d["checks"] or not all(c["ok"] or c["skipped"] for c in d["checks"])]
    with open(output + ".md", "w", encoding="utf-8") as f:
        f.write("# Scenarios\n\n"
                "The same packets, the same ruleset and the same max for nf_conntrack alone and for nf_flowtrack, in "
                "network namespaces\nof one emulated machine. The calibration is the same clients without a flood. "
                "The commands are in scenarios.json.\n\n"
                f"{len(found) - len(failed)} of {len(found)} scenarios reached their numbers.\n\n")
        for data in found:
            f.write("\n".join(chapter(data)) + "\n")
    print(f"# figures: {output}.md, {output}.json")


if __name__ == "__main__":
    main()
