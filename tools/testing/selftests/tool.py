#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tool: every verb, its exit codes, filters and errors."""

import collections
import json
import os
import sys

from lib import *

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import schema

USAGE, REFUSED, NOT_FOUND, NO_PERMISSION, NO_MODULE = 1, 2, 3, 4, 5
TUPLE = ("udp", "src", "192.0.2.1", "dst", "192.0.2.2", "sport", "1000", "dport", "53")


def tool(ns, *args, wanted=0, text=None):
    status, out, err = ns.tool(*args, ok=False, text=text)
    equal(status, wanted, f"exit status of flowtrack {' '.join(args)}: {out[:300]} {err.strip()}")
    if wanted:
        check(err.startswith("flowtrack: ") or err.startswith("Error") or err.strip(), f"{args}: no message")
    return out if not wanted else err


def fill(rig):
    """A known table: 4 UDP (2 replied), 2 TCP (1 established, 1 syn_sent), 2 echo; half IPv6."""
    rig.reset()
    # On a slow machine it takes longer than half a minute to look at them all.
    for name in ("udp_timeout", "icmp_timeout", "icmpv6_timeout"):
        rig.r.sysctl(name, 600)
    for family in (4, 6):
        rig.udp("c", family, 1000, 53, "new/o")
        rig.udp("c", family, 2000, 5353, "new/o")
        rig.udp("s", family, 5353, 2000, "est/r+s")
        rig.echo("c", family, 7, "new/o")
    Tcp(rig, 4, sport=3000).open()
    Tcp(rig, 6, sport=3001).send("c", "S", "new/o")


FILTERS = [
    (), 8, ("udp",), 4, ("tcp",), 2, ("icmp",), 1, ("icmpv6",), 1, ("ipv4",), 4, ("ipv6",), 4, ("udp", "ipv4"), 2,
    ("proto", "17"), 4, ("src", "10.9.1.2"), 4, ("src", "10.9.0.0/16"), 4, ("src", "10.8.0.0/16"), 0,
    ("dst", "fd09:2::2"), 4, ("dst", "fd09::/16"), 4, ("sport", "1000"), 2, ("sport", "1000-2500"), 4,
    ("udp", "dport", "53"), 2, ("dport", "80-5353"), 4, ("udp", "dport", "domain"), 2, ("tcp", "state", "established"), 1,
    ("tcp", "state", "syn_sent"), 1, ("tcp", "state", "SYN-SENT"), 1, ("class", "assured"), 1, ("class", "replied"), 2,
    ("class", "embryonic"), 5, ("mark", "0"), 8, ("mark", "1"), 0, ("zone", "0"), 8, ("zone", "9"), 0,
    ("age", ">1000"), 0, ("age", "<1000"), 8, ("udp", "src=10.9.1.2", "sport=1000"), 1,
    ("reply-sport", "5353"), 2, ("reply-dst", "10.9.1.2"), 4, ("host", "10.9.1.2"), 4, ("host", "10.9.2.2"), 4,
    ("host", "10.9.3.0/24"), 0, ("port", "53"), 2, ("port", "1000,3000"), 3, ("dport", "53,5353"), 4,
    ("proto", "icmp,tcp"), 3, ("src", "10.9.0.0/16,fd09::/16"), 8, ("class", "assured,replied"), 3,
    ("tcp", "state", "established,syn_sent"), 2, ("tcp", "not", "state", "established"), 1, ("not", "udp"), 4,
    ("not", "ipv4", "not", "udp"), 2, ("not", "host", "10.9.1.2"), 4, ("udp", "not", "dport", "53"), 2,
    ("udp", "not", "dport", "53,domain,5353"), 0, ("not", "mark", "0"), 0, ("zone", "0,1", "not", "zone", "2"), 8,
]


@case("list and count: filters select, in the kernel, the same for both", only="flowtrack")
def _(rig):
    fill(rig)
    for words, number in zip(FILTERS[::2], FILTERS[1::2]):
        found = parse_json(tool(rig.r, "-j", "list", *words))
        equal(len(found), number, f"flows with {' '.join(words)}: {found}")
        equal(tool(rig.r, "count", *words).strip(), str(number), f"count {' '.join(words)}")
    equal(len(parse_json(tool(rig.r, "-j", "-4", "list"))), 4, "-4 list")
    equal(len(parse_json(tool(rig.r, "-j", "-6", "list"))), 4, "-6 list")


BY = {
    "class": {"embryonic": 5, "replied": 2, "assured": 1}, "proto": {"udp": 4, "tcp": 2, "icmp": 1, "icmpv6": 1},
    "zone": {0: 8}, "mark": {0: 8}, "source": {"10.9.1.2": 4, "fd09:1::": 4},
    "state": {"udp": 4, "tcp": 2, "icmp": 1, "icmpv6": 1},
}


@case("count by: what list shows, counted in the kernel", only="flowtrack")
def _(rig):
    fill(rig)
    for what, want in BY.items():
        told = json.loads(tool(rig.r, "-j", "count", "by", what))
        equal((told["by"], told["total"], told["others"], told["short_by"]), (what, 8, 0, 0), f"{told}")
        found = collections.Counter()
        for entry in told["counts"]:
            found[entry.get("address", entry.get("proto", entry.get(what)))] += entry["flows"]
        equal(dict(found), want, f"by {what}")
    states = {(e["proto"], e["state"]): e["flows"] for e in json.loads(tool(rig.r, "-j", "count", "by", "state"))["counts"]}
    equal((states[("tcp", "established")], states[("udp", "replied")], states[("udp", "unreplied")]), (1, 2, 2), "states")
    told = json.loads(tool(rig.r, "-j", "count", "by", "proto", "not", "udp", "-N", "1"))
    equal((told["total"], told["others"], [e["proto"] for e in told["counts"]]), (4, 2, ["tcp"]), f"{told}")
    lines = tool(rig.r, "count", "by", "class", "udp").splitlines()
    equal([line.split() for line in lines], [["embryonic", "2", "50.0%"], ["replied", "2", "50.0%"], ["total", "4", "100.0%"]],
          "as text")
    tool(rig.r, "count", "by", "weight", wanted=USAGE)


@case("list: text in columns, --oneline, colours only where wanted", only="flowtrack")
def _(rig):
    lines = tool(rig.r, "list").splitlines()
    equal(len(lines), 8, "lines")
    for line in lines:
        check(all(part in line for part in ("src=", "dst=", "timeout=", "tracker=own", "class=", "id=")), line)
        check("\033" not in line, f"colours in a pipe: {line!r}")
    for line in tool(rig.r, "-o", "list").splitlines():
        check("  " not in line, f"columns: {line}")
    check("\033[" in tool(rig.r, "--color=always", "list"), "no colours")


@case("list on a terminal: a table, by the pager if it is long; sorted", only="flowtrack")
def _(rig):
    def on_terminal(*args, pager="sed s/^/paged:/"):
        status, out, _ = rig.r.run("env", f"PAGER={pager}", "TERM=vt100", "script", "-qec",
                                   f"stty rows 10 cols 150; {TOOL} {' '.join(args)}", "/dev/null", ok=False)
        equal(status, 0, f"exit status of {args} on a terminal: {out[:300]}")
        return out.replace("\r", "").splitlines()

    table = on_terminal("list", "tcp", "--color=never")
    check(table[0].split()[:4] == ["PROTO", "STATE", "SOURCE", "DESTINATION"] and len(table) == 3, f"{table}")
    check(any(line.split()[:3] == ["tcp", "established", f"{Rig.C[4]}:3000"] for line in table), f"{table}")
    check(any("\033[3" in line for line in on_terminal("list", "tcp")), "no colours on a terminal")
    check(all(line.startswith("tcp ") for line in on_terminal("-o", "list", "tcp")), "-o on a terminal")
    equal(len([line for line in on_terminal("list") if line.startswith("paged:")]), 0, "eight flows on ten lines, paged")
    rig.r.tool("restore", text="flowtrack-save 1\n" + "".join(f"udp src 192.0.2.1 dst 192.0.2.2 sport {n} dport 53 timeout 600\n"
                                                              for n in range(1, 21)))
    paged = on_terminal("list", "udp", "src", "192.0.2.1")
    check(len(paged) == 21 and all(line.startswith("paged:") for line in paged), f"{paged}")
    ages = [flow["age"] for flow in json.loads(tool(rig.r, "-j", "list", "--sort", "age", "-N", "4"))]
    check(len(ages) == 4 and ages == sorted(ages, reverse=True), f"{ages}")
    tool(rig.r, "flush", "src", "192.0.2.1")


@case("watch: on a terminal and in a pipe, without a privilege", only="flowtrack")
def _(rig):
    fill(rig)
    lines = tool(rig.r, "watch", "-N", "2", "-d", "1").splitlines()
    names = lines[0].split()
    equal(names[0], "fill%", "first column")
    equal(len(lines), 3, f"lines: {lines}")
    seen = dict(zip(names, lines[2].split()))
    equal([seen[name] for name in ("embryonic", "replied", "assured", "new/s", "conntrack")], ["5", "2", "1", "0", "0"], f"{lines}")
    for who in ((), ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")):
        status, out, _ = rig.r.run(*who, "env", "TERM=xterm", "LC_ALL=C.UTF-8", "script", "-qec",
                                   f"stty rows 24 cols 100; {TOOL} watch -N 2 -d 1", "/dev/null", ok=False)
        check(status == 0 and "flowtrack: 8 of" in out and "\033[?1049l" in out, f"exit status {status}: {out!r}")


@case("-j: every verb prints JSON with what it should have", only="flowtrack")
def _(rig):
    flow = [f for f in json.loads(tool(rig.r, "-j", "list", "tcp", "ipv4"))][0]
    for key in ("id", "family", "proto", "state", "tracker", "class", "seen_reply", "assured", "orig", "reply", "timeout", "mark",
                "zone", "age"):
        check(key in flow, f"no {key}: {flow}")
    equal((flow["orig"]["src"], flow["reply"]["dst"]), (Rig.C[4], Rig.C[4]), "addresses")
    equal(json.loads(tool(rig.r, "-j", "count"))["count"], 8, "count")
    equal(json.loads(tool(rig.r, "-j", "count", "udp"))["count"], 4, "count udp")
    check(json.loads(tool(rig.r, "-j", "stats"))["insert"] >= 8, "stats")
    cpus = json.loads(tool(rig.r, "-j", "stats", "--cpu"))
    equal(len(cpus), os.cpu_count(), "processors in stats --cpu")
    equal(sum(c["insert"] for c in cpus), json.loads(tool(rig.r, "-j", "stats"))["insert"], "sum over the processors")
    equal(json.loads(tool(rig.r, "-j", "show", "max"))["max"], int(rig.r.sysctl("max")), "show max")
    equal(json.loads(tool(rig.r, "-j", "get", "id", str(flow["id"])))["id"], flow["id"], "get id")
    check("window" in tool(rig.r, "-j", "get", "id", str(flow["id"])), "get shows no TCP window")
    equal(json.loads(tool(rig.r, "-j", "list", "tcp", "dport", "9")), [], "an empty list")
    version = json.loads(tool(rig.r, "-j", "--version"))
    check("flowtrack" in version and version["schema"] == 1, f"version: {version}")


@case("-j: what every verb prints is as the JSON Schema has it", only="flowtrack")
def _(rig):
    fill(rig)
    rig.r.sysctl("events", 1)
    rig.r.sysctl("acct", 1)
    Tcp(rig, 4, sport=3002).open()
    ident = str(rig.r.flow(osport=3002)["id"])
    saved = tool(rig.r, "save")
    monitor = rig.r.popen(TOOL, "-j", "monitor", "--timestamps", "-N", "3")
    busywait(20, lambda: genl_listeners(rig.r), "the monitor's subscription")
    verbs = (("list",), ("list", "tcp"), ("get", "id", ident), ("save",), ("count",), ("count", "tcp"), ("stats",), ("stats", "--cpu"),
             ("top",), ("top", "service", "rate"), ("show",), ("set", "udp_timeout", "600", "full_policy", "evict", "acct", "auto"),
             ("add",) + TUPLE, ("del", "--dry-run", "tcp"), ("del", "udp", "sport", "2000"), ("flush", "icmp"), ("-V",))
    verbs += tuple(("count", "by", what) for what in BY)
    wrong = []
    for words in verbs:
        wrong += schema.problems("version" if words[0] == "-V" else words[0], tool(rig.r, "-j", *words))
    wrong += schema.problems("restore", tool(rig.r, "-j", "restore", "--ignore-existing", text=saved))
    told = monitor.communicate(timeout=60)[0]
    equal(told.count("\n"), 3, f"events: {told}")
    wrong += schema.problems("monitor", told)
    check(not wrong, "\n".join(wrong))
    fill(rig)


@case("get: by tuple, in both directions, and by id", only="flowtrack")
def _(rig):
    words = ("udp", "src", Rig.C[4], "dst", Rig.S[4], "sport", "1000", "dport", "53")
    flow = json.loads(tool(rig.r, "-j", "get", *words))
    equal(flow["orig"]["sport"], 1000, "port")
    reverse = ("udp", "src", Rig.S[4], "dst", Rig.C[4], "sport", "53", "dport", "1000")
    equal(json.loads(tool(rig.r, "-j", "get", *reverse))["id"], flow["id"], "id by the reply's tuple")
    tool(rig.r, "get", "udp", "src", "192.0.2.9", "dst", Rig.S[4], "sport", "1", "dport", "2", wanted=NOT_FOUND)
    tool(rig.r, "get", "id", "123456789", wanted=NOT_FOUND)


@case("add: the flow is there, and packets meet it", only="flowtrack")
def _(rig):
    rig.reset()
    tool(rig.r, "add", *TUPLE, "timeout", "100", "mark", "5")
    flow = rig.r.flow(osport=1000)
    equal((flow["mark"], flow["orig"]["src"], 90 < flow["timeout"] <= 100), (5, "192.0.2.1", True), str(flow))
    check("exist" in tool(rig.r, "add", *TUPLE, wanted=REFUSED).lower(), "a second one is not refused as existing")
    tool(rig.r, "add", "udp", "src", Rig.C[4], "dst", Rig.S[4], "sport", "4000", "dport", "53")
    rig.udp("s", 4, 53, 4000, "est/r+s")
    rig.udp("c", 4, 4000, 53, "est/o+s")


@case("del: by filter, by id, all; --dry-run only shows", only="flowtrack")
def _(rig):
    fill(rig)
    equal(len(json.loads(tool(rig.r, "-j", "del", "udp", "--dry-run"))), 4, "what --dry-run shows")
    equal(len(rig.r.flows()), 8, "flows after --dry-run")
    equal(json.loads(tool(rig.r, "-j", "del", "udp", "sport", "1000"))["deleted"], 2, "deleted")
    ident = str(rig.r.flow(proto="icmp")["id"])
    equal(tool(rig.r, "del", "id", ident).strip(), "1 flow deleted", "del id")
    tool(rig.r, "del", "id", ident, wanted=NOT_FOUND)
    equal(json.loads(tool(rig.r, "-j", "del", "udp", "sport", "1"))["deleted"], 0, "deleted by a filter without a match")
    equal(json.loads(tool(rig.r, "-j", "del", "not", "udp", "not", "tcp", "not", "icmpv6"))["deleted"], 0,
          "deleted by exceptions that leave nothing")
    tool(rig.r, "del", wanted=USAGE)
    tool(rig.r, "del", "udp", "--all", wanted=USAGE)
    equal(json.loads(tool(rig.r, "-j", "del", "--all"))["deleted"], 5, "deleted by --all")
    equal(rig.r.flows(), [], "flows")


@case("flush: all, or what a filter says", only="flowtrack")
def _(rig):
    fill(rig)
    tool(rig.r, "flush", "ipv6")
    equal(len(rig.r.flows()), 4, "flows after flush ipv6")
    tool(rig.r, "flush", "--dry-run")
    equal(len(rig.r.flows()), 4, "flows after --dry-run")
    tool(rig.r, "flush")
    equal(rig.r.flows(), [], "flows after flush")


@case("a deleted flow is new again", only="flowtrack")
def _(rig):
    rig.udp("c", 4, 1000, 53, "new/o")
    rig.udp("s", 4, 53, 1000, "est/r+s")
    tool(rig.r, "flush")
    rig.udp("c", 4, 1000, 53, "new/o")


@case("set and show: settings are the sysctls; words, units, several at once, all or none", only="flowtrack")
def _(rig):
    tool(rig.r, "set", "udp_timeout", "90", "full_policy", "pass")
    equal((rig.r.sysctl("udp_timeout"), rig.r.sysctl("full_policy")), ("90", "pass"), "sysctls")
    tool(rig.r, "set", "udp_timeout=2m", "full-policy=evict", "acct=on")
    equal((rig.r.sysctl("udp_timeout"), rig.r.sysctl("acct")), ("120", "1"), "sysctls")
    equal(tool(rig.r, "show", "udp_timeout", "full_policy").split(), ["full_policy=evict", "udp_timeout=120"], "show")
    # The second is refused by the kernel, so the first must not have been changed.
    err = tool(rig.r, "set", "udp_timeout", "77", "max", "4000000000", wanted=REFUSED)
    check("max" in err, f"the setting is not named: {err}")
    equal(rig.r.sysctl("udp_timeout"), "120", "udp_timeout after a set that failed")
    tool(rig.r, "set", "udp_timeout", "30", "acct", "off")


@case("-n: another namespace by name and by process; the module's own is not touched", only="flowtrack")
def _(rig):
    fill(rig)
    equal(run(TOOL, "-n", rig.r.name, "count")[1].strip(), "8", "count by name")
    equal(run(TOOL, "-n", f"/run/netns/{rig.r.name}", "count")[1].strip(), "8", "count by path")
    sleeper = rig.r.popen("sleep", "60")
    equal(run(TOOL, "-n", str(sleeper.pid), "count")[1].strip(), "8", "count by process")
    sleeper.kill()
    # What a shell completes.
    check(rig.r.name in run(TOOL, "complete", "-n", rig.r.name[:5])[1].splitlines(), "its name is not offered")
    status, _, err = run(TOOL, "-n", "no-such-namespace", "count", ok=False)
    check(status == USAGE and "no-such-namespace" in err, f"status {status}: {err}")


# (arguments, exit status, what the message must name)
ERRORS = [
    (("lst",), USAGE, "lst"), (("lis",), USAGE, "list"), ((), USAGE, "usage"), (("list", "tpc"), USAGE, "tpc"),
    (("list", "sport"), USAGE, "sport"), (("list", "sport", "99999"), USAGE, "99999"),
    (("list", "sport", "5-3"), USAGE, "5-3"), (("list", "src", "300.1.1.1"), USAGE, "300.1.1.1"),
    (("list", "src", "10.0.0.0/33"), USAGE, "10.0.0.0/33"), (("list", "class", "rich"), USAGE, "rich"),
    (("list", "tcp", "state", "running"), USAGE, "running"), (("list", "state", "established"), USAGE, "state"),
    (("list", "ipv4", "src", "::1"), USAGE, "::1"), (("list", "udp", "tcp"), USAGE, "tcp"),
    (("list", "--cpu"), USAGE, "--cpu"), (("-4", "-6", "list"), USAGE, "-6"), (("--colour", "list"), USAGE, "--colour"),
    (("--color=pink", "list"), USAGE, "pink"), (("-n",), USAGE, "-n"), (("get",), USAGE, ""), (("get", "udp"), USAGE, ""),
    (("add", "udp", "src", "192.0.2.1"), USAGE, ""), (("add",) + TUPLE + ("state", "dreaming"), USAGE, "dreaming"),
    (("add",) + TUPLE + ("timeout", "soon"), USAGE, "soon"), (("del", "id", "x"), USAGE, "x"),
    (("set",), USAGE, ""), (("set", "udp_timeout"), USAGE, "udp_timeout"), (("set", "udp_timout", "5"), USAGE, "udp_timeout"),
    (("set", "udp_timeout", "long"), USAGE, "long"), (("set", "full_policy", "accept"), USAGE, "accept"),
    (("set", "count", "5"), USAGE, "count"), (("set", "udp_timeout", "0"), REFUSED, "udp_timeout"),
    (("set", "max", "0"), REFUSED, "max"), (("set", "buckets", "3"), REFUSED, "buckets"),
    (("show", "colour"), USAGE, "colour"), (("stats", "all"), USAGE, "all"), (("restore", "/no/such/file"), USAGE, "/no/such"),
    (("monitor", "--count", "0"), USAGE, "0"), (("list", "mark", "x"), USAGE, "x"), (("list", "zone", "65536"), USAGE, "65536"),
    (("list", "age", "old"), USAGE, "old"), (("list", "not"), USAGE, "not"), (("list", "not", "own"), USAGE, "own"),
    (("list", "port", ",".join(["1"] * 65)), USAGE, "64"),
]


@case("errors name what is wrong, exit codes tell the kind", only="flowtrack")
def _(rig):
    wrong = []
    before = rig.r.tool("-j", "show")[1]
    for args, wanted, named in ERRORS:
        status, out, err = rig.r.tool(*args, ok=False)
        if status != wanted or named not in err or not err.strip():
            wrong.append(f"flowtrack {' '.join(args)}: exit status {status} instead of {wanted}, or '{named}' is not in: "
                         f"{out[:100]}{err.strip()}")
    check(not wrong, "\n".join(wrong))
    equal(rig.r.tool("-j", "show")[1], before, "settings")


@case("no permission: exit status 4", only="flowtrack")
def _(rig):
    status, _, err = rig.r.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", TOOL, "list", ok=False)
    check(status == NO_PERMISSION and "CAP_NET_ADMIN" in err, f"exit status {status}: {err}")
    for verb in ("show", "stats"):
        status, out, err = rig.r.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", TOOL, verb, ok=False)
        check(status == 0 and out, f"{verb} for everybody: exit status {status}: {err}")
    # root of a user namespace has no rights in a network namespace that is not its own, and all in its own.
    status, _, err = rig.r.run("unshare", "--user", "--map-root-user", TOOL, "list", ok=False)
    check(status == NO_PERMISSION, f"in a user namespace: exit status {status}: {err}")
    status, _, err = rig.r.run("unshare", "--user", "--map-root-user", "--net", TOOL, "list", ok=False)
    equal(status, 0, f"in namespaces of its own: {err}")
    status, _, err = rig.r.run("unshare", "--user", "--map-root-user", "--net", TOOL, "set", "max", "100000000", ok=False)
    equal(status, NO_PERMISSION, f"max in namespaces of its own: {err}")


@case("without the module: exit status 5", only="flowtrack")
def _(rig):
    unload()
    for args in (("list",), ("count",), ("flush",), ("stats",), ("show",), ("set", "max", "5"), ("monitor",)):
        check("not loaded" in tool(rig.r, *args, wanted=NO_MODULE), f"{args}: does not say that the module is not loaded")
    check("not loaded" in run(TOOL, "--version")[1], "--version")
    load()


@case("a large table is listed whole, and by a closed pipe ended", only="flowtrack")
def _(rig):
    rig.reset()
    lines = ["flowtrack-save 1"] + [f"udp src 10.{i >> 8 & 255}.{i & 255}.1 dst 192.0.2.1 sport {1 + i % 60000} dport 53 "
                                    f"timeout 600" for i in range(5000)]
    tool(rig.r, "restore", text="\n".join(lines) + "\n")
    found = json.loads(tool(rig.r, "-j", "list"))
    equal((len(found), len({f["id"] for f in found})), (5000, 5000), "flows and different ids")
    equal(tool(rig.r, "count", "src", "10.3.0.0/16").strip(), "256", "count of a network")
    status, out, _ = rig.r.run("sh", "-c", f"{TOOL} list | head -n 1", ok=False)
    equal((status, len(out.splitlines())), (0, 1), "head of a list")
    equal(json.loads(tool(rig.r, "-j", "flush"))["deleted"], 5000, "flushed")


main(Rig)
