#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""nf_flowtrack_enable=auto: tracking where something asks for it, as nf_conntrack, and nowhere else."""
# TIMEOUT: 180

import os
import socket
import time

from lib import *

# As promised, and what a slow guest may add.
WITHIN, SLACK = 1.0, 1.5
V4, V6 = "ipv4", "ipv6"
CT_RULE = "table inet t { chain c { type filter hook input priority 0; ct state invalid drop; }; }"


def tracked(ns):
    """The families of which a packet opens a flow; no flow is left behind."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with ns.socket(family, socket.SOCK_DGRAM) as s:
            s.sendto(b"x", (host, 9))
    found = {V6 if ":" in f["orig"]["src"] else V4 for f in ns.tool_json("list", "udp", "dport", "9")}
    ns.tool("del", "udp", "dport", "9")
    # Of a family that is not tracked yet.
    ns.run("conntrack", "-D", "-p", "udp", "--dport", "9", ok=False)
    ns.run("conntrack", "-D", "-f", "ipv6", "-p", "udp", "--dport", "9", ok=False)
    return found


def hooked(ns):
    """The families for which the module's hooks are registered."""
    # Debian's 6.1 has no nfnetlink_hook, which lists them.
    if os.environ["KERNEL"] == "6.1":
        return tracked(ns)
    out = ns.run("nft", "list", "hooks", ok=False)[1]
    family, found = None, set()
    for line in out.splitlines():
        if line.startswith("family "):
            family = {"ip": V4, "ip6": V6}.get(line.split()[1], line.split()[1])
        elif "[nf_flowtrack]" in line:
            found.add(family)
    return found


def becomes(ns, wanted, what):
    began = time.monotonic()
    busywait(5, lambda: hooked(ns) == wanted, f"hooks for {wanted or 'nothing'} {what}")
    took = time.monotonic() - began
    check(took <= WITHIN + SLACK, f"hooks for {wanted or 'nothing'} {what}: took {took:.2f} s")


def stays(ns, wanted, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        equal(hooked(ns), wanted, f"hooks {what}")


def talk(ns, port=53):
    """A datagram to nobody over the loopback: the number of flows then."""
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("127.0.0.1", port))
    return int(ns.sysctl("count"))


def fresh(name="x"):
    Ns.delete_all()
    load("enable=auto")
    return Ns(name)


@case("a namespace without a rule has no hook and no flow", only="flowtrack")
def _():
    ns = fresh()
    equal(ns.sysctl("enable"), "auto", "enable")
    ns.nft("table inet t { chain c { type filter hook input priority 0; tcp dport 22 accept; }; }")
    stays(ns, set(), 1.5, "without a ct rule")
    equal(talk(ns), 0, "flows")
    equal(ns.run("nft", "list", "hooks")[1].count("defrag"), 0, "hooks that put fragments together")


@case("nftables: within a second of the first ct rule, gone with the last", only="flowtrack")
def _():
    ns = fresh()
    ns.nft(CT_RULE)
    becomes(ns, {V4, V6}, "after the first rule")
    equal(talk(ns), 1, "flows")
    ns.nft("table inet u { chain c { type filter hook output priority 0; ct mark 1 accept; }; }")
    ns.nft("delete table inet t")
    stays(ns, {V4, V6}, 1.5, "with one of two rules")
    ns.nft("delete table inet u")
    becomes(ns, set(), "after the last rule")
    equal(talk(ns, 54), 1, "flows: the one from before, and no other")
    ns.nft(CT_RULE)
    becomes(ns, {V4, V6}, "with a new rule")
    equal(talk(ns, 54), 2, "flows")


@case("by family, as nf_conntrack", only="flowtrack")
def _():
    ns = fresh()
    ns.nft("table ip6 t { chain c { type filter hook input priority 0; ct state new accept; }; }")
    becomes(ns, {V6}, "after a rule for IPv6")
    equal(talk(ns), 0, "flows of IPv4")
    ns.nft("table ip t { chain c { type filter hook input priority 0; ct state new accept; }; }")
    becomes(ns, {V4, V6}, "after one for IPv4, too")
    ns.nft("delete table ip6 t")
    becomes(ns, {V4}, "after that for IPv6 went")


RULES = (
    ("NAT", "table ip t { chain c { type nat hook postrouting priority 100; oifname elsewhere masquerade; }; }", {V4}),
    ("a helper", 'table ip t { ct helper h { type "ftp" protocol tcp; }; '
     'chain c { type filter hook prerouting priority 0; tcp dport 21 ct helper set "h"; }; }', {V4}),
    ("a zone", "table inet t { chain c { type filter hook prerouting priority -300; ct zone set 1; }; }", {V4, V6}),
    ("a flow in a bridge", "table bridge t { chain c { type filter hook prerouting priority 0; "
     "ct state new accept; }; }", {V4, V6}),
)


@case("whatever makes nf_conntrack track: NAT, helpers, zones, bridges", only="flowtrack")
def _():
    ns = fresh()
    for what, ruleset, families in RULES:
        ns.nft(ruleset)
        becomes(ns, families, f"after {what}")
        ns.nft("flush ruleset")
        becomes(ns, set(), f"after {what} went")


@case("iptables: -m conntrack, -m state, -j MASQUERADE, legacy and nft", only="flowtrack")
def _():
    ns = fresh()
    for program, family, rule in (
            ("iptables-nft", V4, "INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT"),
            ("iptables-legacy", V4, "INPUT -m state --state ESTABLISHED -j ACCEPT"),
            ("ip6tables-legacy", V6, "INPUT -m conntrack --ctstate INVALID -j DROP"),
            ("iptables-legacy", V4, "POSTROUTING -t nat -o elsewhere -j MASQUERADE")):
        ns.run(program, "-A", *rule.split())
        becomes(ns, {family}, f"after {program} -A {rule}")
        ns.run(program, "-D", *rule.split())
        # An empty nat table of iptables asks for nothing either.
        becomes(ns, set(), f"after {program} -D {rule}")


@case("a chain at nf_conntrack's priority asks for nothing", only="flowtrack")
def _():
    ns = fresh()
    ns.nft("table inet t { chain c { type filter hook prerouting priority -200; counter accept; }; }")
    stays(ns, set(), 1.5, "with a chain at -200")


@case("a ruleset that is loaded anew: no flow becomes a stranger", only="flowtrack")
def _():
    ns = fresh()
    ns.nft(CT_RULE)
    becomes(ns, {V4, V6}, "after the first rule")
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 5000))
        client.connect(("127.0.0.1", 5000))
        server.settimeout(5)
        client.settimeout(5)
        client.send(b"x")
        server.sendto(b"y", server.recvfrom(9)[1])
        client.recv(9)
        strict = ("table inet t { chain c { type filter hook input priority 0; policy drop; "
                  "ct state established accept; }; }")
        for i in range(40):
            # As "systemctl restart nftables": two transactions, at every distance from a look.
            ns.run("nft", "-i", text=f"flush ruleset\n{strict}\n")
            client.send(b"%d" % i)
            equal(server.recv(9), b"%d" % i, "a datagram of a known flow")
    equal(ns.conntrack_count(), 0, "flows in nf_conntrack")


@case("the module is loaded where rules are: it tracks at once", only="flowtrack")
def _():
    Ns.delete_all()
    if loaded():
        unload()
    ns = Ns("x")
    ns.nft(CT_RULE)
    load("enable=auto")
    equal((hooked(ns), talk(ns)), ({V4, V6}, 1), "hooks and flows right after loading")


@case("0 and 1 do not look at the ruleset, and auto does again", only="flowtrack")
def _():
    ns = fresh()
    ns.sysctl("enable", 1)
    equal((ns.sysctl("enable"), hooked(ns), talk(ns)), ("1", {V4, V6}, 1), "with 1 and without a rule")
    stays(ns, {V4, V6}, 1.2, "with 1")
    ns.sysctl("enable", 0)
    equal((ns.sysctl("enable"), hooked(ns)), ("0", set()), "with 0")
    ns.nft(CT_RULE)
    stays(ns, set(), 1.2, "with 0 and a rule")
    ns.sysctl("enable", "auto")
    equal((ns.sysctl("enable"), hooked(ns)), ("auto", {V4, V6}), "with auto and a rule")
    ns.sysctl("enable", "2")
    equal(ns.sysctl("enable"), "auto", "2 is auto")


@case("the tool: show, set, JSON, and what show prints can be set", only="flowtrack")
def _():
    ns = fresh()
    show = ns.tool("show")[1]
    check("enable=auto\n" in show, show)
    equal(ns.tool_json("show")["enable"], "auto", "in JSON")
    ns.tool("set", "enable", "on")
    equal((ns.sysctl("enable"), ns.tool_json("show")["enable"]), ("1", 1), "after on")
    ns.tool("set", *show.split())
    equal(ns.sysctl("enable"), "auto", "after setting what show printed")
    status, _, err = ns.tool("set", "enable=3", ok=False)
    check(status != 0 and "0 1 2 (auto)" in err, err)
    status, _, err = ns.tool("set", "enable=never", ok=False)
    check(status != 0 and "auto" in err, err)


@case("300 namespaces: those with a rule are tracked, the others have no hook", only="flowtrack")
def _():
    fresh()
    all_of_them = [Ns(f"n{i}") for i in range(300)]
    asking = all_of_them[::60]
    for ns in asking:
        ns.nft(CT_RULE)
    for ns in asking:
        becomes(ns, {V4, V6}, "after a rule among many namespaces")
    for ns in all_of_them[1::60]:
        equal(hooked(ns), set(), "hooks without a rule")
    Ns.delete_all()
    unload()


main()
