#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own YNL library and tool talk to the family by the spec: what the spec says is what the module does.

FT_YNL is the directory tools/net/ynl of a kernel source; selftest.sh sets it. The tool reads the spec anew each time,
which takes seconds in an emulated machine: most of this asks its library.
"""

import importlib.util
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


def setup():
    rig = Rig()
    check(os.path.exists(f"{YNL}/cli.py"), "FT_YNL does not name tools/net/ynl of a kernel source")
    # Its package is called lib, as ours is.
    spec = importlib.util.spec_from_file_location("ynl_lib", f"{YNL}/lib/__init__.py",
                                                  submodule_search_locations=[f"{YNL}/lib"])
    module = sys.modules["ynl_lib"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with rig.r:
        rig.family = module.YnlFamily(SPEC, "")
    return rig


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
    got = rig.family.do("flow-get", {"id": int(flow["id"])})
    equal(int(got["id"]), int(flow["id"]), "id")
    check("tcp-orig" in got, f"no TCP window: {got}")
    err = ynl(rig.r, "--do", "flow-get", "--json", '{"id": 12345}', wanted=1)
    check("no such flow" in err.lower() or "msg" in err, f"no message: {err[-500:]}")


@case("do: add and del", only="flowtrack")
def _(rig):
    rig.reset()
    key = {"family": 2, "l4proto": 17, "orig": {"src4": 0xc0000201, "dst4": 0xc0000202, "sport": 7, "dport": 8}}
    rig.family.do("flow-add", {**key, "timeout": 100000, "mark": 9})
    flow = rig.r.flow(proto="udp")
    equal((flow["mark"], flow["orig"]["sport"]), (9, 7), str(flow))
    rig.family.do("flow-del", key)
    equal(rig.r.flows(), [], "flows")


@case("do: counters and settings", only="flowtrack")
def _(rig):
    stats = rig.family.do("stats-get", {})
    check(int(stats["insert"]) >= 1, f"stats: {stats}")
    per_cpu = rig.family.dump("stats-get", {})
    equal(len(per_cpu), os.cpu_count(), "processors")
    settings = rig.family.do("settings-get", {})
    shown = rig.r.tool_json("show")
    equal(len(settings) - 1, len(shown), f"number of settings: {sorted(settings)} {sorted(shown)}")
    equal(settings["udp-timeout"], shown["udp_timeout"], "udp-timeout")
    rig.family.do("settings-set", {"udp-timeout": 44})
    equal(rig.r.sysctl("udp_timeout"), "44", "sysctl")
    number = rig.family.attr_sets["settings"].attrs["udp-timeout"].value
    bit = lambda: int(rig.family.do("settings-get", {})["following"]) >> number & 1
    equal(bit(), 0, "udp-timeout follows nf_conntrack's")
    rig.family.do("settings-set", {"udp-timeout": 0xffffffff})
    equal((rig.r.sysctl("udp_timeout"), bit()), ("30", 1), "udp-timeout, set back")


@case("do: top talkers", only="flowtrack")
def _(rig):
    rig.reset()
    rig.udp("c", 4, 1000, 53, "new/o")
    busywait(10, lambda: rig.family.do("top-get", {"limit": 3})["total"] == 1, "a new report")
    top = rig.family.do("top-get", {"kind": "service"})
    entry = top["entry"][0] if isinstance(top["entry"], list) else top["entry"]
    equal((top["kind"], entry["l4proto"], entry["port"], entry["flows"]), ("service", 17, 53, 1), str(top))


main(setup)
