#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Counters for monitoring: /proc/net/stat for everybody, lnstat, and metrics as Prometheus' own promtool reads them."""

import json
import os
import re
import socket
import subprocess
import tempfile

from lib import *

NOBODY = 65534
FILES = ("nf_flowtrack", "nf_flowtrack_full", "nf_flowtrack_guard")
PROMTOOL = os.path.join(os.environ["FT_SERVERS"], "usr/bin/promtool")
RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../monitoring/flowtrack.rules.yml")
# Counters with an alert, see monitoring.rst.
ALARMING = ("full_drop", "guard_drop", "evict_assured", "nomem", "carrier_none")


def as_nobody(ns, *args):
    """Nobody, without a capability, in a namespace."""
    return ns.run("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all",
                  "--bounding-set=-all", "--no-new-privs", *args)[1]


def sums(ns):
    """{column: sum over the CPUs} of all files, as nobody reads them."""
    found = {}
    for name in FILES:
        head, *lines = as_nobody(ns, "cat", f"/proc/net/stat/{name}").splitlines()
        equal(len(lines), os.cpu_count(), f"{name}: one line for each CPU")
        for i, column in enumerate(head.split()):
            found[column] = sum(int(line.split()[i], 16) for line in lines)
    return found


def values(text):
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            found[name] = int(value)
    return found


@case("the files, as nobody, say what stats says", only="flowtrack")
def _(rig):
    rig.reset()
    for i in range(7):
        rig.udp("c", 4, 20000 + i, 53, "new/o")
    before, found, after = rig.r.tool_json("stats"), sums(rig.r), rig.r.tool_json("stats")
    del found["entries"]
    # Neighbour discovery goes on.
    wrong = {k: v for k, v in found.items() if not before[k] <= v <= after[k]}
    equal(wrong, {}, f"counters, with {before} before and {after} after")
    check(found["insert"] >= 7, "flows entered")


@case("lnstat reads each file", only="flowtrack")
def _(rig):
    for name in FILES:
        # It exits with 1 after the list.
        out = rig.r.run("lnstat", "-d", "-f", name, ok=False)[1]
        check(out.count("\n") >= 8, f"columns of {name}: {out}")


@case("metrics need no privilege, and promtool takes them", only="flowtrack")
def _(rig):
    text = as_nobody(rig.r, TOOL, "metrics")
    got, stats = values(text), rig.r.tool_json("stats")
    equal(got["nf_flowtrack_insert_total"], stats["insert"], "a counter")
    equal(got["nf_flowtrack_entries"], int(rig.r.sysctl("count")), "entries")
    equal(got["nf_flowtrack_entries_limit"], int(rig.r.sysctl("max")), "their limit")
    p = subprocess.run([PROMTOOL, "check", "metrics"], input=text, text=True, capture_output=True, timeout=60)
    equal((p.returncode, p.stdout + p.stderr), (0, ""), "promtool")


@case("OpenMetrics: the same, and promtool's parser of that takes them", only="flowtrack")
def _(rig):
    text = as_nobody(rig.r, TOOL, "metrics", "--openmetrics")
    check(text.endswith("# EOF\n"), f"the end: {text[-100:]}")
    equal(set(values(text)), set(values(as_nobody(rig.r, TOOL, "metrics"))), "names")
    with tempfile.TemporaryDirectory() as directory:
        # What makes blocks of a file parses strictly, and wants to know the time of each value.
        stamped = "".join(line if line.startswith("#") else line.rstrip() + " 1700000000\n" for line in text.splitlines(True))
        with open(directory + "/metrics", "w", encoding="utf-8") as f:
            f.write(stamped)
        blocks = (PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", directory + "/metrics", directory + "/blocks")
        p = subprocess.run(blocks, text=True, capture_output=True, timeout=60)
        equal(p.returncode, 0, f"promtool: {p.stdout} {p.stderr}")
        with open(directory + "/metrics", "w", encoding="utf-8") as f:
            f.write(stamped.replace("# EOF\n", ""))
        check(subprocess.run(blocks, text=True, capture_output=True, timeout=60).returncode, "promtool takes them without an end")


def talkers(text):
    """{(metric, label): [(address, flows)]} of the top talkers, in their order."""
    found = {}
    for name, label, address, flows in re.findall(r'^nf_flowtrack_(top_\w+)\{(\w+)="([^"]*)"\} (\d+)$', text, re.M):
        found.setdefault((name, label), []).append((address, int(flows)))
    return found


# Sources share three addresses, the first of which gets a third of them.
SNAT = """
table ip nat {
	chain post {
		type nat hook postrouting priority 100
		oif rs snat to ip saddr map { %s }
	}
}
""" % ", ".join(f"10.9.1.{100 + i} : 10.9.2.{200 + i % 3}" for i in range(1, 13))


@case("top talkers: as packets made them, no more than asked for, and for those alone who may see flows", only="flowtrack")
def _(rig):
    rig.r.tool("set", "nat", "snat")
    rig.reset(SNAT)
    # Source i has i flows.
    for i in range(1, 13):
        for port in range(1000, 1000 + i):
            src, dst = f"10.9.1.{100 + i}", rig.S[4]
            out = rig.send("c", ip(src, dst, UDP, udp(src, dst, port, 53, b"x"), 1))
            equal([p[12:16] for p in out], [socket.inet_aton(f"10.9.2.{200 + i % 3}")], f"whom the server sees for {src}")
    wanted = {("top_source_flows", "source"): [(f"10.9.1.{100 + i}", i) for i in range(12, 0, -1)],
              ("top_external_flows", "external"): [("10.9.2.200", 30), ("10.9.2.202", 26), ("10.9.2.201", 22)]}
    busywait(10, lambda: talkers(rig.r.tool("metrics", "--top", "64")[1]) == wanted, "all of them")
    for n in (1, 2, 5):
        equal(talkers(rig.r.tool("metrics", "--top", str(n))[1]), {key: of[:n] for key, of in wanted.items()}, f"--top {n}")
    text = rig.r.tool("metrics", "--top", "5")[1]
    p = subprocess.run([PROMTOOL, "check", "metrics"], input=text, text=True, capture_output=True, timeout=60)
    equal((p.returncode, p.stdout + p.stderr), (0, ""), "promtool")
    equal(talkers(rig.r.tool("metrics")[1]), {}, "talkers that nobody asked for")
    plain = as_nobody(rig.r, TOOL, "metrics", "--top", "5")
    equal(set(values(plain)), set(values(rig.r.tool("metrics")[1])), "what nobody sees")
    rig.reset("flush ruleset")
    rig.r.tool("set", "nat", "auto")


def half_an_hour(entries, more):
    """A machine whose tables have so many of 100 entries, and whose counters grow by so much in a minute."""
    gauges = {"entries": entries, "conntrack_entries": entries, "entries_limit": 100, "conntrack_entries_limit": 100}
    return ([{"series": f'nf_flowtrack_{name}{{instance="m"}}', "values": f"{value}x30"} for name, value in gauges.items()] +
            [{"series": f'nf_flowtrack_{name}_total{{instance="m"}}', "values": f"7+{more}x30"} for name in ALARMING])


def fires(series, labels, *alerts):
    """A test of promtool's: these alerts, each (name, severity), and no other, after 25 minutes of the series."""
    samples = [{"labels": f'ALERTS{{alertname="{name}",alertstate="firing",severity="{severity}"{labels}}}', "value": 1}
               for name, severity in alerts]
    return {"interval": "1m", "input_series": series, "promql_expr_test": [
        {"expr": 'ALERTS{alertstate="firing"}', "eval_time": "25m", "exp_samples": samples}]}


@case("the alerts: each comes when it should, and none of a machine that is well", only="flowtrack")
def _(_):
    tests = [fires(half_an_hour(80, 0), ""),
             fires(half_an_hour(95, 60), ',instance="m"', ("FlowtrackDropsNewcomers", "critical"),
                   ("FlowtrackGuardDropsNewcomers", "critical"), ("FlowtrackEvictsAssured", "warning"),
                   ("FlowtrackTableFills", "warning"), ("ConntrackTableFills", "warning"), ("FlowtrackNoMemory", "warning")),
             fires([], "", ("FlowtrackGone", "critical"))]
    with open(RULES, encoding="utf-8") as f:
        rules = f.read()
    equal([name for name in re.findall(r"alert: (\w+)", rules) if name not in json.dumps(tests)], [], "alerts that no test is about")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump({"rule_files": [RULES], "evaluation_interval": "1m", "tests": tests}, f)
        f.flush()
        p = subprocess.run([PROMTOOL, "test", "rules", f.name], text=True, capture_output=True, timeout=60 * SLOW, check=False)
    equal(p.returncode, 0, f"promtool: {p.stdout} {p.stderr}")


@case("the namespaces of ip-netns are labelled", only="flowtrack")
def _(rig):
    run("ip", "netns", "add", "ft-metrics")
    try:
        got = values(rig.r.tool("metrics", "--all")[1])
        equal(got['nf_flowtrack_entries{netns="ft-metrics"}'], 0, "a new namespace")
        got = values(rig.r.tool("metrics", "--all", "-N", "1")[1])
        check(sum("netns=" in name and "entries{" in name for name in got) <= 2, "with -N 1")
    finally:
        run("ip", "netns", "del", "ft-metrics")


@case("a namespace that goes while its file is read", only="flowtrack")
def _(rig):
    for _ in range(5):
        run("ip", "netns", "add", "ft-metrics")
        reader = subprocess.Popen(["ip", "netns", "exec", "ft-metrics", "sh", "-c",
                                   "while cat /proc/net/stat/nf_flowtrack; do :; done"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run("ip", "netns", "del", "ft-metrics")
        reader.kill()
        reader.wait()


main(Rig)
