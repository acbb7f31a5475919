#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What iptables rulesets read of the conntrack, with both of its backends."""

import re

from lib import *

BACKENDS = ("nft", "legacy")
FAMILIES = (4, 6)


def restore(rig, backend, text, families=FAMILIES):
    """Load rules for IPv4 and IPv6; {C} and {S} are the addresses."""
    for family in families:
        rules = text.replace("{C}", Rig.C[family]).replace("{S}", Rig.S[family])
        rig.r.run(f"{'ip' if family == 4 else 'ip6'}tables-{backend}-restore", text=rules)


def clear(rig, backend, families=FAMILIES):
    for family in families:
        if backend == "nft":
            rig.r.nft("flush ruleset")
            return
        rig.r.run(f"{'ip' if family == 4 else 'ip6'}tables-legacy-restore",
                  text="".join(f"*{t}\nCOMMIT\n" for t in ("raw", "mangle", "filter")))


STAMPS = "".join(
    f"-A PREROUTING -m conntrack --ctstate {word} --ctdir {dirname} -j DSCP --set-dscp {STATES[word.lower()] + bit}\n"
    for word in ("NEW", "ESTABLISHED", "RELATED") for dirname, bit in (("ORIGINAL", 0), ("REPLY", 8))) + "".join(
    f"-A PREROUTING -m conntrack --ctstate {word} -j DSCP --set-dscp {STATES[word.lower()]}\n"
    for word in ("INVALID", "UNTRACKED"))

MANGLE = "*mangle\n" + STAMPS + "COMMIT\n"


def udp_stamp(rig, side, family, sport, dport):
    src, dst = (Rig.C, Rig.S) if side == "c" else (Rig.S, Rig.C)
    return rig.stamp(side, rig.packet(side, UDP, udp(src[family], dst[family], sport, dport), family), raw=True)


# (expression, how many packets of standard_traffic() match it)
EXPRESSIONS = [
    ("-m conntrack --ctstate NEW", 3),
    ("-m conntrack --ctstate ESTABLISHED", 7),
    ("-m conntrack --ctstate RELATED", 1),
    ("-m conntrack --ctstate INVALID", 1),
    ("-m conntrack --ctstate UNTRACKED", 1),
    ("-m conntrack --ctstate RELATED,ESTABLISHED", 8),
    ("-m conntrack ! --ctstate NEW", 10),
    ("-m state --state NEW", 3),
    ("-m state --state ESTABLISHED", 7),
    ("-m state --state INVALID", 1),
    ("-m state --state UNTRACKED", 1),
    ("-m conntrack --ctdir ORIGINAL", 6),
    ("-m conntrack --ctdir REPLY", 5),
    ("-m conntrack --ctproto 6", 5),
    ("-m conntrack --ctproto 17", 4),
    ("-m conntrack --ctorigsrc {C}", 11),
    ("-m conntrack --ctorigdst {S}", 11),
    ("-m conntrack --ctreplsrc {S}", 11),
    ("-m conntrack --ctrepldst {C}", 11),
    ("-m conntrack --ctorigsrc {S}", 0),
    ("-m conntrack --ctorigsrcport 41000", 5),
    ("-m conntrack --ctorigdstport 50:60", 4),
    ("-m conntrack --ctreplsrcport 80", 5),
    ("-m conntrack --ctrepldstport 5100", 4),
    ("-m conntrack --ctstatus SEEN_REPLY", 8),
    ("-m conntrack --ctstatus ASSURED", 3),
    ("-m conntrack --ctstatus CONFIRMED --ctstate ESTABLISHED", 7),
    ("-m conntrack --ctstatus EXPECTED", 0),
    ("-m conntrack --ctstate ESTABLISHED --ctexpire 200:400", 2),
    ("-m conntrack --ctstate ESTABLISHED --ctexpire 20:100", 4),
    ("-m connmark --mark 0", 11),
    ("-m connbytes --connbytes 3:3 --connbytes-dir original --connbytes-mode packets", 2),
    ("-m connbytes --connbytes 2 --connbytes-dir reply --connbytes-mode packets", 1),
    ("-m connbytes --connbytes 4 --connbytes-dir both --connbytes-mode packets", 2),
    ("-p tcp -m connbytes --connbytes 200 --connbytes-dir reply --connbytes-mode bytes", 1),
    ("-p tcp -m connbytes --connbytes 61 --connbytes-dir original --connbytes-mode avgpkt", 2),
]

counted = {}


def count_all(rig, backend):
    if backend in counted:
        return
    rig.r.sysctl("acct", 1)
    counted[backend] = {}
    for family in FAMILIES:
        rig.r.flush()
        restore(rig, backend, "*raw\n-A PREROUTING -p udp --dport 7777 -j CT --notrack\nCOMMIT\n*mangle\n" +
                "".join(f"-A PREROUTING {e}\n" for e, _ in EXPRESSIONS) + "COMMIT\n", (family,))
        standard_traffic(rig, family)
        out = rig.r.run(f"{'ip' if family == 4 else 'ip6'}tables-{backend}-save", "-c", "-t", "mangle")[1]
        counted[backend][family] = [int(m) for m in re.findall(r"^\[(\d+):\d+\] -A PREROUTING", out, re.M)]
    rig.r.sysctl("acct", 0)
    clear(rig, backend)
    rig.check_not_in_conntrack()


def expression_case(backend, i, expression, wanted):
    @case(f"{backend}: {expression}")
    def _(rig):
        count_all(rig, backend)
        for family in FAMILIES:
            seen = counted[backend][family]
            equal(len(seen), len(EXPRESSIONS), "number of rules")
            got = seen[i]
            if family == 6 and "--connbytes 61 " in expression:
                got = wanted if got == 3 else got  # IPv6 headers alone are 60 bytes on average already
            equal(got, wanted, f"IPv{family}: packets counted")


for backend_name in BACKENDS:
    for number, (expr, count) in enumerate(EXPRESSIONS):
        expression_case(backend_name, number, expr, count)


def both(name):
    """A case for each backend."""
    def add(function):
        for backend in BACKENDS:
            def body(rig, backend=backend):
                rig.r.flush()
                try:
                    function(rig, backend)
                finally:
                    clear(rig, backend)
            case(f"{backend}: {name}")(body)
        return function
    return add


@both("states of tcp, udp and icmp packets")
def _(rig, backend):
    restore(rig, backend, MANGLE)
    for family in FAMILIES:
        t = Tcp(rig, family)
        t.send("c", "S", "new/o")
        t.send("s", "SA", "est/r", 0, 1)
        t.send("c", "A", "est/o", 1, 1)
        t.send("c", "PA", "inv", 5000000, 1, data=b"x")
        rig.udp("c", family, 1000, 53, "new/o")
        rig.udp("s", family, 53, 1000, "est/r")
        rig.echo("c", family, 9, "new/o")
        rig.echo("s", family, 9, "est/r", reply=True)
        packet = rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 1001, 53), family)
        rig.expect("c", packet, "new/o")
        rig.expect("s", unreachable(rig, family, packet), "rel/r")


@both("CONNMARK: set, saved, restored")
def _(rig, backend):
    restore(rig, backend, """*mangle
-A PREROUTING -j CONNMARK --restore-mark
-A PREROUTING -m mark --mark 17 -j DSCP --set-dscp 17
-A PREROUTING -m connmark --mark 0x20/0xf0 -j DSCP --set-dscp 32
-A FORWARD -p udp --dport 9001 -m conntrack --ctstate NEW -j MARK --set-mark 17
-A FORWARD -p udp --dport 9001 -j CONNMARK --save-mark
-A FORWARD -p udp --dport 9002 -m conntrack --ctstate NEW -j CONNMARK --set-mark 0x21
COMMIT
""")
    for family in FAMILIES:
        for port, mark in ((9001, 17), (9002, 32), (9003, 0)):
            equal(udp_stamp(rig, "c", family, 9000, port), 0, f"IPv{family}: first packet to {port}")
            equal(udp_stamp(rig, "s", family, port, 9000), mark, f"IPv{family}: reply from {port}")
            equal(udp_stamp(rig, "c", family, 9000, port), mark, f"IPv{family}: second packet to {port}")
        equal(rig.r.flow(family=family, odport=9001)["mark"], 17, "mark of the flow")


@both("CT --notrack and CT --zone")
def _(rig, backend):
    restore(rig, backend, """*raw
-A PREROUTING -p udp --dport 7777 -j CT --notrack
-A PREROUTING -p udp --dport 53 -j CT --zone 5
-A PREROUTING -p udp --sport 53 -j CT --zone 5
COMMIT
""" + MANGLE)
    for family in FAMILIES:
        rig.udp("c", family, 7000, 7777, "unt")
        rig.udp("c", family, 7000, 53, "new/o")
        rig.udp("s", family, 53, 7000, "est/r")
        equal(rig.r.flow(family=family, odport=53)["zone"], 5, f"IPv{family}: zone of the flow")


@both("LOG of new connections")
def _(rig, backend):
    restore(rig, backend, f"""*filter
-A FORWARD -m conntrack --ctstate NEW -j LOG --log-prefix "ft-{backend}: "
COMMIT
""" + MANGLE)
    with open("/proc/sys/net/netfilter/nf_log_all_netns", "w") as f:
        f.write("1")
    log = Kmsg()
    for family in FAMILIES:
        rig.udp("c", family, 9400, 53, "new/o")
        rig.udp("s", family, 53, 9400, "est/r")
    lines = [line for line in log.read() if f"ft-{backend}: " in line]
    log.close()
    with open("/proc/sys/net/netfilter/nf_log_all_netns", "w") as f:
        f.write("0")
    equal(len(lines), 2, f"lines in the log: {lines}")


@both("hashlimit on new connections")
def _(rig, backend):
    restore(rig, backend, """*filter
:FORWARD DROP
-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A FORWARD -m conntrack --ctstate NEW -m hashlimit --hashlimit-name ft%s --hashlimit-mode srcip --hashlimit-upto 1/hour --hashlimit-burst 3 -j ACCEPT
COMMIT
""" % backend + MANGLE, (4,))
    seen = [udp_stamp(rig, "c", 4, 9300 + i, 53) for i in range(5)]
    equal(seen, [1, 1, 1, "drop", "drop"], "five new flows")
    for i in range(3):
        rig.udp("s", 4, 53, 9300 + i, "est/r")
    equal(len(rig.r.flows()), 3, "number of flows")
    rig.r.run(f"iptables-{backend}-restore", text="*filter\n:FORWARD ACCEPT\nCOMMIT\n")


@both("REJECT --reject-with tcp-reset, and with an ICMP error")
def _(rig, backend):
    for family, error in ((4, "icmp-port-unreachable"), (6, "icmp6-port-unreachable")):
        restore(rig, backend, f"""*filter
-A FORWARD -p tcp --dport 23 -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset
-A FORWARD -p udp --dport 23 -m conntrack --ctstate NEW -j REJECT --reject-with {error}
COMMIT
""", (family,))
        for _ in range(2):
            rig.send("c", Tcp(rig, family, sport=9500, dport=23).build("c", "S"))
            got = [l4_of(p)[1] for p in rig.back if l4_of(p)[0] == TCP]
            check(len(got) == 1 and got[0][13] & 4, f"IPv{family}: no RST: {rig.back}")
            rig.send("c", rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 9500, 23), family))
            got = [l4_of(p)[1] for p in rig.back if l4_of(p)[0] in (ICMP, ICMP6)]
            check(len(got) == 1 and got[0][0] in (3, 1), f"IPv{family}: no ICMP error: {rig.back}")
    equal(rig.r.flows(), [], "flows")


@case("nothing of all this is in nf_conntrack's table")
def _(rig):
    rig.check_not_in_conntrack()


main(lambda: Rig(ruleset=""))
