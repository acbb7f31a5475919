#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""tools/monitoring and monitoring.rst against the metrics that there are: columns of kmod/proc.c, gauges of the tool."""

import json
import re

from common import check, code, differences, finish, read

RULES = "tools/monitoring/flowtrack.rules.yml"
DASHBOARD = "tools/monitoring/grafana.json"
DOC = "Documentation/monitoring.rst"


def metrics():
    """Names with prefix and suffix, as they are exposed."""
    columns = re.findall(r"\bS\((\w+)\)", code("kmod/proc.c"))
    gauges = re.search(r"gauges\[\] = {(.*?)};", code("tools/flowtrack/metrics.c"), re.S).group(1)
    counters = {f"nf_flowtrack_{c.lower()}_total" for c in columns if c != "counter"}
    return counters, {f"nf_flowtrack_{g}" for g in re.findall(r'{ "\w+", "(\w+)"', gauges)}


def named(text):
    return set(re.findall(r"\bnf_flowtrack_\w+_total\b|\bnf_flowtrack_(?:conntrack_)?entries(?:_limit)?\b", text))


def main():
    counters, gauges = metrics()
    known = counters | gauges
    check("the check finds counters and gauges", [] if len(counters) > 40 and len(gauges) == 4 else [str(known)])
    for path in (RULES, DASHBOARD, DOC):
        names = named(read(path))
        check(f"{path} names metrics, and none that is not there",
              [f"{n}: no such metric" for n in sorted(names - known)] if names else ["none"])
    json.loads(read(DASHBOARD))
    table = set(re.findall(r"^``(nf_flowtrack_\w+)``", read(DOC), re.M))
    check(f"{DOC} describes each metric", differences(table, known, DOC, "kmod/proc.c and the tool"))
    finish()


main()
