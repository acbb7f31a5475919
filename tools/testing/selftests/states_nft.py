#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What an nftables ruleset reads of the conntrack: states, directions, status, tuples, counters, marks."""

import json
import socket

from lib import *

FAMILIES = (4, 6)


@case("tcp: new, established in both directions, assured after the handshake")
def _(rig):
    rig.reset(nft_stamps())
    for family in FAMILIES:
        t = Tcp(rig, family, sport=40001).open()
        t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 100)
        t.send("s", "PA", "est/r+sa", 1, 101, data=b"y" * 200)
        flow = t.flow()
        equal((flow["state"], flow["assured"]), ("established", True), "flow")
    rig.check_not_in_conntrack()


@case("udp: new, established by a reply, assured as a stream")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        rig.udp("c", family, 5000, 53, "new/o")
        rig.udp("c", family, 5000, 53, "new/o")
        rig.udp("s", family, 53, 5000, "est/r+s")
        rig.udp("c", family, 5000, 53, "est/o+s")
    rig.check_not_in_conntrack()


@case("icmp: echo new, its reply established, another identifier another flow")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        rig.echo("c", family, 10, "new/o")
        rig.echo("s", family, 10, "est/r+s", reply=True)
        rig.echo("c", family, 10, "est/o+s")
        rig.echo("c", family, 11, "new/o")
        rig.echo("s", family, 12, "inv", reply=True)
    rig.check_not_in_conntrack()


@case("the server's side can open flows, too")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        rig.udp("s", family, 6000, 53, "new/o")
        rig.udp("c", family, 53, 6000, "est/r+s")
        t = Tcp(rig, family, sport=6001, client="s")
        t.send("s", "S", "new/o")
        t.send("c", "SA", "est/r+s", 0, 1)


@case("invalid: a SYN/ACK and a RST out of the blue")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        Tcp(rig, family, sport=7000).send("c", "SA", "inv")
        Tcp(rig, family, sport=7001).send("s", "R", "inv")
        Tcp(rig, family, sport=7002).send("c", "SF", "inv")
    equal(rig.r.flows(), [], "flows after invalid packets only")


@case("untracked: notrack in the raw table")
def _(rig):
    rig.reset(nft_stamps() + """
table inet raw {
	chain pre {
		type filter hook prerouting priority -300
		udp dport 7777 notrack
	}
}""")
    for family in FAMILIES:
        rig.udp("c", family, 7000, 7777, "unt")
        rig.udp("c", family, 7000, 7778, "new/o")
    equal(sorted(f["orig"]["dport"] for f in rig.r.flows()), [7778, 7778], "ports of the flows")


@case("related: port unreachable about a flow, in both directions")
def _(rig):
    rig.reset(nft_stamps())
    for family in FAMILIES:
        probe = rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 8000, 53, b"q"), family)
        rig.expect("c", probe, "new/o")
        rig.expect("s", unreachable(rig, family, probe), "rel/r")
        rig.udp("s", family, 53, 8000, "est/r+s")
    rig.check_not_in_conntrack()


@case("neighbour discovery is untracked, other ICMPv6 messages about nothing are not new")
def _(rig):
    rig.reset()
    target = socket.inet_pton(socket.AF_INET6, Rig.RC[6])
    solicit = ip6(Rig.C[6], Rig.RC[6], ICMP6, icmp6(Rig.C[6], Rig.RC[6], 135, 0, 0, target + b"\1\1" + rig.macs["cr"]),
                  hlim=255)
    rig.r.nft("""
table ip6 ndisc {
	counter unt { }
	chain c {
		type filter hook input priority 0
		icmpv6 type nd-neighbor-solicit ct state untracked counter name unt
	}
}""")
    rig.send("c", solicit)
    check(rig.back, "no neighbour advertisement")
    out = rig.r.run("nft", "list", "counter", "ip6", "ndisc", "unt")[1]
    check("packets 1" in out, f"solicitation not untracked: {out}")
    rig.expect("c", rig.packet("c", ICMP6, icmp6(Rig.C[6], Rig.S[6], 200, 0, 0, b"x"), 6), "inv", "ICMPv6 type 200")


# One ruleset of named counters, one run of packets, many expressions: (name, expression, packets that match).
# See standard_traffic().
EXPRESSIONS = [
    ("new", "ct state new", 3),
    ("established", "ct state established", 7),
    ("related", "ct state related", 1),
    ("invalid", "ct state invalid", 1),
    ("untracked", "ct state untracked", 1),
    ("a set of states", "ct state { established, related }", 8),
    ("a list of states", "ct state established,related,new", 11),
    ("not new", "ct state != new", 10),
    ("direction original", "ct direction original", 6),
    ("direction reply", "ct direction reply", 5),
    ("status seen-reply", "ct status seen-reply", 8),
    ("status assured", "ct status assured", 3),
    ("status confirmed", "ct state established ct status confirmed", 7),
    ("original protocol", "ct original protocol tcp", 5),
    ("original proto-src", "meta l4proto tcp ct original proto-src 41000", 5),
    ("original proto-dst", "meta l4proto tcp ct original proto-dst 80", 5),
    ("reply proto-src", "meta l4proto udp ct reply proto-src 53", 3),
    ("reply proto-dst", "meta l4proto udp ct reply proto-dst 5100", 3),
    ("original saddr", "ct original {ip} saddr {C}", 11),
    ("original daddr", "ct original {ip} daddr {S}", 11),
    ("reply saddr", "ct reply {ip} saddr {S}", 11),
    ("reply daddr", "ct reply {ip} daddr {C}", 11),
    ("original saddr of nobody", "ct original {ip} saddr {S}", 0),
    ("l3proto", "ct l3proto {l3proto}", 11),
    ("zone", "ct zone 0", 11),
    ("mark of none", "ct mark 0", 11),
    ("expiration of established TCP", "ct state established ct expiration > 10h", 1),
    ("expiration of TCP that waits for an ACK", "ct state established ct expiration 4m-6m", 2),
    ("expiration of the others", "ct state established ct expiration <= 2m", 4),
    ("original packets", "ct original packets 3", 2),
    ("reply packets", "ct reply packets 2", 1),
    ("packets of both directions", "ct packets >= 4", 2),
    ("original bytes", "ct protocol tcp ct original bytes > {over}", 2),
    ("reply bytes", "ct reply bytes > 200", 1),
    ("avgpkt", "ct protocol tcp ct original avgpkt > {small}", 2),
    ("a verdict map", "ct state vmap { new : jump three, established : jump three }", None),
    ("a concatenation", "meta l4proto . ct state { tcp . new, udp . established }", 3),
]


seen = {}


def count_all(rig):
    """Run the traffic once per family and keep what every expression counted."""
    if seen:
        return
    rig.r.sysctl("acct", 1)
    for family in FAMILIES:
        words = {"ip": "ip" if family == 4 else "ip6", "C": Rig.C[family], "S": Rig.S[family],
                 "l3proto": "ipv4" if family == 4 else "ipv6",
                 # S, A and data: 3 headers and 100 bytes; more than the headers alone.
                 "over": 3 * (40 if family == 4 else 60) + 99, "small": 40 if family == 4 else 60}
        counters = "\n".join(f"\tcounter k{i} {{ }}" for i in range(len(EXPRESSIONS)))
        rules = []
        for i, (_, expression, wanted) in enumerate(EXPRESSIONS):
            for key, value in words.items():
                expression = expression.replace("{" + key + "}", str(value))
            rules.append(f"\t\t{expression}" + (f" counter name k{i}" if wanted is not None else ""))
        last = len(EXPRESSIONS)
        rig.reset(f"""
table inet raw {{
	chain pre {{
		type filter hook prerouting priority -300
		udp dport 7777 notrack
	}}
}}
table inet t {{
{counters}
	counter k{last} {{ }}
	chain three {{
		counter name k{last}
	}}
	chain pre {{
		type filter hook prerouting priority -150
		meta l4proto icmpv6 icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report }} return
		ct state untracked icmpv6 type nd-neighbor-advert return
{chr(10).join(rules)}
	}}
}}""")
        standard_traffic(rig, family)
        out = json.loads(rig.r.run("nft", "-j", "list", "counters", "table", "inet", "t")[1])
        counts = {o["counter"]["name"]: o["counter"]["packets"] for o in out["nftables"] if "counter" in o}
        seen[family] = [counts[f"k{i}"] for i in range(last + 1)]
        for i, (_, _, wanted) in enumerate(EXPRESSIONS):
            if wanted is None:
                seen[family][i] = seen[family][last]
    rig.r.sysctl("acct", 0)
    rig.check_not_in_conntrack()


def expression_case(i, name, expression, wanted):
    @case(f"ct expression: {name}")
    def _(rig):
        count_all(rig)
        for family in FAMILIES:
            equal(seen[family][i], 10 if wanted is None else wanted, f"IPv{family}: packets counted by '{expression}'")


for number, (label, expr, count) in enumerate(EXPRESSIONS):
    expression_case(number, label, expr, count)


# The mark as seen in prerouting goes into the DSCP field; forward sets it, later.
MARKS = "\n".join(f"\t\tct mark {m:#x} {f} dscp set {m}" for m in range(1, 32) for f in ("ip", "ip6"))
MARK_RULES = """
table inet t {
	chain pre {
		type filter hook prerouting priority -150
%s
	}
	chain forw {
		type filter hook forward priority 0
%%s
	}
}""" % MARKS


def mark_of(rig, side, family, sport, dport):
    src, dst = (Rig.C, Rig.S) if side == "c" else (Rig.S, Rig.C)
    return rig.stamp(side, rig.packet(side, UDP, udp(src[family], dst[family], sport, dport), family), raw=True)


@case("ct mark: set on the first packet, there for all others of the flow")
def _(rig):
    rig.reset(MARK_RULES % "udp dport 9001 ct state new ct mark set 17")
    for family in FAMILIES:
        for side, wanted in (("c", 0), ("s", 17), ("c", 17), ("s", 17)):
            ports = (9000, 9001) if side == "c" else (9001, 9000)
            equal(mark_of(rig, side, family, *ports), wanted, f"IPv{family}: mark in a packet from {side}")
        equal(rig.r.flow(family=family, odport=9001)["mark"], 17, f"IPv{family}: mark in the list of flows")


@case("ct mark: set and changed on an established flow")
def _(rig):
    rig.reset(MARK_RULES % """udp sport 9003 ct mark set 5
		udp length 100 ct mark set ct mark or 8""")
    for family in FAMILIES:
        equal(mark_of(rig, "c", family, 9002, 9003), 0, "first packet")
        equal(mark_of(rig, "s", family, 9003, 9002), 0, "reply")
        equal(mark_of(rig, "c", family, 9002, 9003), 5, "after the reply")
        equal(rig.stamp("c", rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 9002, 9003, b"x" * 92), family),
                        raw=True), 5, "packet that changes the mark")
        equal(mark_of(rig, "c", family, 9002, 9003), 13, "after the change")


@case("ct mark: does not leak from flow to flow")
def _(rig):
    rig.reset(MARK_RULES % """udp dport 9101 ct mark set 1
		udp dport 9102 ct mark set 2""")
    for family in FAMILIES:
        for n, wanted in ((0, {9101: 0, 9102: 0, 9103: 0}), (1, {9101: 1, 9103: 0, 9102: 2}),
                          (2, {9103: 0, 9102: 2, 9101: 1})):
            for port, mark in wanted.items():
                equal(mark_of(rig, "c", family, 9100, port), mark, f"IPv{family}: round {n}, port {port}")
        for port in range(9110, 9140):
            equal(mark_of(rig, "c", family, 9100, port), 0, f"IPv{family}: mark of a new flow, port {port}")


@case("ct mark: copied to and from the packet's mark")
def _(rig):
    rig.reset(MARK_RULES % """meta mark set 9
		udp dport 9201 ct state new ct mark set meta mark
		meta mark set 0
		meta mark set ct mark
		meta mark 9 counter""")
    for family in FAMILIES:
        mark_of(rig, "c", family, 9200, 9201)
        equal(mark_of(rig, "s", family, 9201, 9200), 9, f"IPv{family}: mark in the reply")
    check("meta mark 0x00000009 counter packets 4" in rig.r.run("nft", "list", "ruleset")[1], "copy to the packet")


@case("limit rate on new connections drops newcomers only")
def _(rig):
    rig.reset(nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0; policy drop
		ct state established accept
		ct state new limit rate 1/hour burst 3 packets accept
	}
}""")
    outcome = [rig.stamp("c", rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], 9300 + i, 53), 4)) for i in range(6)]
    equal(outcome, ["new/o"] * 3 + ["drop"] * 3, "six new flows")
    for i in range(3):
        rig.udp("s", 4, 53, 9300 + i, "est/r+s")
        rig.udp("c", 4, 9300 + i, 53, "est/o+s")
    equal(len(rig.r.flows()), 3, "number of flows")


@case("log on new connections")
def _(rig):
    rig.reset(nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0
		ct state new log prefix "ft-states-nft: "
	}
}""")
    with open("/proc/sys/net/netfilter/nf_log_all_netns", "w") as f:
        f.write("1")
    log = Kmsg()
    rig.udp("c", 4, 9400, 53, "new/o")
    rig.udp("s", 4, 53, 9400, "est/r+s")
    rig.udp("c", 6, 9400, 53, "new/o")
    lines = [line for line in log.read() if "ft-states-nft: " in line]
    log.close()
    with open("/proc/sys/net/netfilter/nf_log_all_netns", "w") as f:
        f.write("0")
    equal(len(lines), 2, f"lines in the log: {lines}")
    check(f"SRC={Rig.C[4]}" in lines[0] and "DPT=53" in lines[0], lines[0])


@case("reject with tcp reset: the client gets a RST, a new try is new again")
def _(rig):
    rig.reset(nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0
		tcp dport 23 ct state new reject with tcp reset
	}
}""")
    for family in FAMILIES:
        for _ in range(3):
            t = Tcp(rig, family, sport=9500, dport=23)
            rig.send("c", t.build("c", "S"))
            got = [l4_of(p)[1] for p in rig.back if l4_of(p)[0] == TCP]
            equal(len(got), 1, f"IPv{family}: segments that came back")
            check(got[0][13] & 4, f"IPv{family}: no RST: {got[0].hex()}")
    equal(rig.r.flows(), [], "flows")


@case("packets made and received by the router itself")
def _(rig):
    rig.reset(nft_stamps())
    for family in FAMILIES:
        sock = rig.r.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        sock.settimeout(5)
        sock.bind((Rig.RC[family], 9600))
        sock.sendto(b"out", (Rig.C[family], 9601))
        got = [p for p in rig.c.flush() if l4_of(p)[0] == UDP]
        equal(len(got), 1, "packets that left the router")
        dscp = got[0][1] >> 2 if family == 4 else (got[0][0] << 8 | got[0][1]) >> 6 & 63
        equal(stamp_name(dscp), "new/o", f"IPv{family}: first packet of the router")
        rig.send("c", ip(Rig.C[family], Rig.RC[family], UDP, udp(Rig.C[family], Rig.RC[family], 9601, 9600, b"in"), 1))
        equal(sock.recv(100), b"in", "answer")
        sock.sendto(b"more", (Rig.C[family], 9601))
        got = [p for p in rig.c.flush() if l4_of(p)[0] == UDP]
        dscp = got[0][1] >> 2 if family == 4 else (got[0][0] << 8 | got[0][1]) >> 6 & 63
        equal(stamp_name(dscp), "est/o+s", f"IPv{family}: second packet of the router")
        sock.close()
    rig.check_not_in_conntrack()


main(Rig)
