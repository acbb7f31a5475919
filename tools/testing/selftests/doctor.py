#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 240
"""The doctor: findings that are made, found, and mended by the very command that it prints; and advice for a load."""

import json
import os
import sys

from lib import *

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import schema

RULES = "table inet t {\n\tchain c {\n\t\ttype filter hook forward priority 0\n\t\tct state established accept\n\t}\n}\n"
# What is in the machine of the test, and is none of the tests' business.
MACHINE = ("next-boot", "versions", "secure-boot", "past")


def doctor(ns):
    """(exit status, {check: finding})."""
    status, out, err = ns.tool("-j", "doctor", ok=False)
    check(out, f"nothing printed: {err}")
    equal(schema.problems("doctor", out), [], "the JSON Schema")
    told = json.loads(out)
    worst = {"ok": 0, "warning": 1, "error": 2}[told["status"]]
    equal(status, worst, "exit status")
    order = [["notice", "warning", "error"].index(f["severity"]) for f in told["findings"]]
    equal(order, sorted(order, reverse=True), "worst first")
    return status, {f["check"]: f for f in told["findings"] if f["check"] not in MACHINE}


def finding(ns, name, severity, text):
    found = doctor(ns)[1]
    check(name in found, f"no finding '{name}': {found}")
    one = found[name]
    equal(one["severity"], severity, one)
    check(text in one["text"], one)
    return one


def mended(ns, one):
    """The command that the finding has is run, and the finding is gone."""
    ns.run("sh", "-c", one["fix"].replace("flowtrack ", TOOL + " "))
    found = doctor(ns)[1]
    check(one["check"] not in found, f"{one} is still there")


def rules(ns, text):
    ns.nft("flush ruleset\n" + RULES + text)


@case("a namespace where all is well", only="flowtrack")
def _(ns):
    rules(ns, "")
    equal(doctor(ns)[1], {}, "findings")
    rules(ns, "flush ruleset")
    equal(list(doctor(ns)[1]), ["enabled"] if ns.sysctl("enable") == "auto" else [], "findings without rules")


def add(ns, n, dst="192.0.2.2"):
    for sport in range(1, n + 1):
        ns.tool("add", "udp", "src", "192.0.2.1", "dst", dst, "sport", str(sport), "dport", "53", "timeout", "600", ok=False)


@case("a full table, and what fills it", only="flowtrack")
def _(ns):
    rules(ns, "")
    ns.tool("set", "max", "20", "full_policy", "drop")
    add(ns, 17)
    finding(ns, "full", "warning", "nearly full, 17 of 20")
    add(ns, 25)
    one = finding(ns, "full", "error", "the table is full, 20 of 20 flows: ")
    equal(doctor(ns)[0], 2, "exit status")
    check("192.0.2.1 holds 100% of all flows, 100% are to udp 53" in one["text"], one)
    mended(ns, one)
    text = ns.tool("doctor", ok=False)[1]
    check("newcomers were dropped\n    flowtrack set max 80\n" in text, text)
    ns.tool("flush")
    ns.tool("set", "max", "10000", "full_policy", "evict")


@case("settings that admins regret", only="flowtrack")
def _(ns):
    rules(ns, "")
    for setting, name, text in (("buckets=64", "hash", "fixed at 64 buckets, room for 448 flows"),
                                ("tcp_timeout_established=60", "timeouts", "tcp_timeout_established is 60 seconds"),
                                ("enable=0", "enabled", "off in this namespace"),
                                ("reserved=10", "marks", "10 entries are reserved")):
        ns.tool("set", setting)
        mended(ns, finding(ns, name, "warning", text))
    ns.tool("set", "enable", "1")


@case("rules with no effect", only="flowtrack")
def _(ns):
    rules(ns, "table ip x {\n\tct timeout a {\n\t\tprotocol udp\n\t\tpolicy = { replied : 9 }\n\t}\n\tchain c {\n"
          "\t\ttype filter hook output priority 0\n\t\tct timeout set \"a\"\n\t}\n}\n")
    check("rules" not in doctor(ns)[1], "nf_conntrack keeps what has a timeout object: nothing is wrong")
    finding(ns, "consumers", "notice", "ct timeout (what has one)")
    ns.tool("set", "adopt", "never")
    mended(ns, finding(ns, "rules", "error", "or ct timeout"))
    rules(ns, "add chain inet t o { type filter hook output priority 0; }\nadd rule inet t o ct bytes > 1000 drop\n")
    ns.tool("set", "acct", "0")
    mended(ns, finding(ns, "rules", "warning", "acct is off"))
    rules(ns, "")
    ns.tool("set", "bypass_mark", "0x100", "bypass_mask", "0x100")
    one = finding(ns, "marks", "warning", "bypass mark")
    rules(ns, "table inet raw {\n\tchain c {\n\t\ttype filter hook prerouting priority raw\n"
          "\t\tudp dport 69 meta mark set 0x100\n\t}\n}\n")
    equal(doctor(ns)[1], {}, "findings with a rule that gives the mark")
    rules(ns, "")
    mended(ns, one)


@case("what reads nf_conntrack, by nftables and by iptables", only="flowtrack")
def _(ns):
    rules(ns, "table ip nat {\n\tchain c {\n\t\ttype nat hook postrouting priority 100\n\t\tmasquerade\n\t}\n}\n")
    equal(doctor(ns)[1], {}, "findings beside NAT of the source, which flowtrack's own flows have, too")
    ns.tool("set", "nat", "never")
    one = finding(ns, "consumers", "notice", "0 flows stay in nf_conntrack, guarded, since these read it: NAT (what it translates)")
    check("ct count" not in one["text"], one)
    equal(doctor(ns)[0] < 2, True, "a notice is no error")
    ns.tool("set", "nat", "auto", "adopt", "never")
    mended(ns, finding(ns, "rules", "error", "new flows get no NAT"))
    rules(ns, "table ip nat {\n\tchain c {\n\t\ttype nat hook prerouting priority -100\n\t\ttcp dport 80 dnat to 192.0.2.1\n\t}\n}\n")
    finding(ns, "consumers", "notice", ": NAT (what it sends elsewhere)")
    rules(ns, "table bridge b {\n\tchain c {\n\t\ttype filter hook forward priority 0\n\t\tct state new\n\t}\n}\n")
    finding(ns, "consumers", "notice", ": a bridge that tracks (all new flows)")
    rules(ns, "")
    for iptables in ("iptables-nft", "iptables-legacy"):
        ns.run(iptables, "-A", "FORWARD", "-p", "tcp", "-m", "connlimit", "--connlimit-above", "5", "-j", "DROP")
        finding(ns, "consumers", "notice", "ct count or connlimit (all new flows)")
        ns.run(iptables, "-F")
        check("consumers" not in doctor(ns)[1], f"{iptables}: the rule is gone")
    rules(ns, "")


@case("another namespace at its limit", only="flowtrack")
def _(ns):
    rules(ns, "")
    with Ns("tenant") as tenant:
        tenant.tool("set", "max", "10")
        add(tenant, 9)
    one = finding(ns, "namespaces", "warning", f"network namespace {tenant.name} has 9 of 10 flows")
    mended(ns, one)
    tenant.delete()


def advice(ns):
    """{first words of a command: the command}, and what was seen."""
    out = ns.tool("-j", "advise", "-d", "1")[1]
    equal(schema.problems("advise", out), [], "the JSON Schema")
    told = json.loads(out)
    return {" ".join(a["command"].split()[:3]): a["command"] for a in told["advice"] if a["command"]}, told


@case("advice: a table that is too small, with too few buckets; followed, there is none", only="flowtrack")
def _(ns):
    rules(ns, "")
    ns.tool("flush")
    ns.tool("set", "max", "600", "buckets", "64")
    lines = [f"udp src=198.51.100.{i & 3} dst=192.0.2.1 sport={i} dport=53 timeout=1000" for i in range(1, 601)]
    ns.tool("restore", text="\n".join(["flowtrack-save 1"] + lines) + "\n")
    found, told = advice(ns)
    equal((told["flows"], told["seconds"]), (600, 1), "what was seen")
    equal(sorted(found), ["flowtrack set buckets", "flowtrack set max", "flowtrack set tcp_timeout_syn_sent"], f"{told}")
    text = ns.tool("advise", "-d", "1")[1]
    ns.run("sh", "-e", text=text.replace("\nflowtrack ", f"\n{TOOL} "))
    equal(advice(ns)[0], {}, "when the advice was followed")
    equal((ns.tool_json("show")["max"] >= 1200, ns.tool_json("show")["buckets_auto"]), (True, 1), "settings")
    ns.tool("flush")
    ns.tool("set", "max", "10000", "tcp_timeout_syn_sent", "auto", "udp_timeout", "auto")


@case("without a privilege, and without the module", only="flowtrack")
def _(ns):
    rules(ns, "")
    nobody = ("setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", TOOL, "doctor")
    status, out, err = ns.run(*nobody, ok=False)
    check(status < 2 and not err, f"{status}: {out} {err}")
    unload()
    found = doctor(ns)
    equal((found[0], list(found[1])), (2, ["module"]), "findings without the module")
    load()


def setup():
    load_if_wanted()
    ns = Ns("doctor")
    ns.tool("set", "max", "10000")
    return ns


main(setup)
