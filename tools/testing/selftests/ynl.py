#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own YNL tool talks to the family by the spec: what the spec says is what the module does.

FT_YNL is the directory tools/net/ynl of a kernel source; selftest.sh sets it.
"""

import json
import os

from lib import *

YNL = os.environ.get("FT_YNL", "")
SPEC = os.environ.get("FT_SPEC") or os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                 "../../../Documentation/netlink/specs/flowtrack.yaml")


def ynl(ns, *args, wanted=0):
    check(os.path.exists(f"{YNL}/cli.py"), "FT_YNL does not name tools/net/ynl of a kernel source")
    status, out, err = ns.run("/usr/bin/python3", f"{YNL}/cli.py", "--no-schema", "--spec", SPEC, "--output-json", *args,
                              ok=False)
    if wanted == 0:
        check(status == 0, f"ynl {args}: {err[-1500:]}")
        return json.loads(out) if out.strip() else None
    check(status, f"ynl {args}: succeeded")
    return err + out


@case("dump of the flows: as the tool shows them", only="flowtrack")
def _(rig):
    rig.reset()
    for family in (4, 6):
        rig.udp("c", family, 1000, 53, "new/o")
        rig.echo("c", family, 5, "new/o")
        Tcp(rig, family, sport=1001).open()
    flows = ynl(rig.r, "--dump", "flow-get")
    shown = {str(f["id"]): f for f in rig.r.flows()}
    equal(sorted(str(f["id"]) for f in flows), sorted(shown), "ids")
    for f in flows:
        equal(f["zone"] if "zone" in f else 0, shown[str(f["id"])]["zone"], "zone")
        check("orig" in f and "reply" in f and "timeout" in f, str(f))


@case("do: one flow by its id; one that is not there", only="flowtrack")
def _(rig):
    flow = rig.r.flow(proto="tcp", family=4)
    got = ynl(rig.r, "--do", "flow-get", "--json", json.dumps({"id": int(flow["id"])}))
    equal(int(got["id"]), int(flow["id"]), "id")
    check("tcp-orig" in got, f"no TCP window: {got}")
    err = ynl(rig.r, "--do", "flow-get", "--json", '{"id": 12345}', wanted=1)
    check("no such flow" in err.lower() or "msg" in err, f"no message: {err[-500:]}")


@case("do: add and del", only="flowtrack")
def _(rig):
    rig.reset()
    key = {"family": 2, "l4proto": 17, "orig": {"src4": 0xc0000201, "dst4": 0xc0000202, "sport": 7, "dport": 8}}
    ynl(rig.r, "--do", "flow-add", "--json", json.dumps({**key, "timeout": 100000, "mark": 9}))
    flow = rig.r.flow(proto="udp")
    equal((flow["mark"], flow["orig"]["sport"]), (9, 7), str(flow))
    ynl(rig.r, "--do", "flow-del", "--json", json.dumps(key))
    equal(rig.r.flows(), [], "flows")


@case("do: counters and settings", only="flowtrack")
def _(rig):
    stats = ynl(rig.r, "--do", "stats-get")
    check(int(stats["insert"]) >= 1, f"stats: {stats}")
    per_cpu = ynl(rig.r, "--dump", "stats-get")
    equal(len(per_cpu), os.cpu_count(), "processors")
    settings = ynl(rig.r, "--do", "settings-get")
    shown = rig.r.tool_json("show")
    equal(len(settings), len(shown), f"number of settings: {sorted(settings)} {sorted(shown)}")
    equal(settings["udp-timeout"], shown["udp_timeout"], "udp-timeout")
    ynl(rig.r, "--do", "settings-set", "--json", '{"udp-timeout": 44}')
    equal(rig.r.sysctl("udp_timeout"), "44", "sysctl")
    rig.r.sysctl("udp_timeout", 30)


@case("do: top talkers", only="flowtrack")
def _(rig):
    rig.reset()
    rig.udp("c", 4, 1000, 53, "new/o")
    busywait(10, lambda: ynl(rig.r, "--do", "top-get", "--json", '{"limit": 3}')["total"] == 1, "a new report")
    top = ynl(rig.r, "--do", "top-get", "--json", '{"kind": "service"}')
    entry = top["entry"][0] if isinstance(top["entry"], list) else top["entry"]
    equal((top["kind"], entry["l4proto"], entry["port"], entry["flows"]), ("service", 17, 53, 1), str(top))


main(Rig)
