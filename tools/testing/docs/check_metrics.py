#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""tools/monitoring and monitoring.rst against the metrics that there are: columns of kmod/proc.c, gauges and lists of the tool."""

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
    tops = re.search(r"tops\[METRIC_TOPS\] = {(.*?)};", code("tools/flowtrack/metrics.c"), re.S).group(1)
    counters = {f"nf_flowtrack_{c.lower()}_total" for c in columns if c != "counter"}
    lists = {f"nf_flowtrack_{name}": label for name, label in re.findall(r'{ "(top_\w+)", "(\w+)"', tops)}
    return counters, {f"nf_flowtrack_{g}" for g in re.findall(r'{ "\w+", "(\w+)"', gauges)}, lists


def named(text):
    return set(re.findall(r"\bnf_flowtrack_\w+_total\b|\bnf_flowtrack_(?:conntrack_)?entries(?:_limit)?\b|\bnf_flowtrack_top_\w+\b", text))


def main():
    counters, gauges, lists = metrics()
    known = counters | gauges | set(lists)
    check("the check finds counters, gauges and lists", [] if len(counters) > 40 and len(gauges) == 4 and len(lists) == 2 else [str(known)])
    for path in (RULES, DASHBOARD, DOC):
        names = named(read(path))
        check(f"{path} names metrics, and none that is not there",
              [f"{n}: no such metric" for n in sorted(names - known)] if names else ["none"])
    legends = [(target["expr"], target["legendFormat"]) for panel in json.loads(read(DASHBOARD))["panels"] for target in panel["targets"]]
    check(f"{DASHBOARD} shows each list, by its label",
          [f"{name}: no target with {{{{{label}}}}}" for name, label in lists.items()
           if not any(name in expr and legend == f"{{{{{label}}}}}" for expr, legend in legends)])
    table = set(re.findall(r"^``(nf_flowtrack_\w+)``", read(DOC), re.M))
    check(f"{DOC} describes each metric", differences(table, known, DOC, "kmod/proc.c and the tool"))
    finish()


main()
