#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the raw table asks for: notrack, and conntrack zones."""

from lib import *

FAMILIES = (4, 6)


def raw(rules):
    return nft_stamps() + """
table inet raw {
	chain pre {
		type filter hook prerouting priority -300
		%s
	}
}""" % rules


@case("notrack: both directions untracked, nothing entered")
def _(rig):
    rig.reset(raw("udp dport 53 notrack\n\t\tudp sport 53 notrack"))
    for family in FAMILIES:
        rig.udp("c", family, 3000, 53, "unt")
        rig.udp("s", family, 53, 3000, "unt")
        rig.udp("c", family, 3000, 54, "new/o")
    equal(len(rig.r.flows()), 2, "flows")


@case("notrack of one direction only: the other is new each time")
def _(rig):
    rig.reset(raw("udp sport 53 notrack"))
    for family in FAMILIES:
        for _ in range(2):
            rig.udp("c", family, 3001, 53, "new/o")
            rig.udp("s", family, 53, 3001, "unt")


@case("notrack on an established flow: its packets are untracked, the flow stays")
def _(rig):
    rig.reset(raw("udp length 100 notrack"))
    for family in FAMILIES:
        rig.udp("c", family, 3002, 53, "new/o")
        rig.udp("s", family, 53, 3002, "est/r+s")
        rig.udp("c", family, 3002, 53, "unt", data=b"x" * 92)
        rig.udp("c", family, 3002, 53, "est/o+s")


@case("an ICMP error about an untracked packet is invalid")
def _(rig):
    rig.reset(raw("udp dport 53 notrack"))
    for family in FAMILIES:
        packet = rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 3003, 53), family)
        rig.expect("c", packet, "unt")
        rig.expect("s", unreachable(rig, family, packet), "inv")


@case("zones: the same addresses and ports are another flow in another zone")
def _(rig):
    # The zone is chosen by the length of the packet.
    rig.reset(raw("udp length 18 ct zone set 1\n\t\tudp length 28 ct zone set 2"))
    for family in FAMILIES:
        for size, zone in ((10, 1), (20, 2), (30, 0)):
            rig.udp("c", family, 3010, 53, "new/o", data=bytes(size))
            rig.udp("s", family, 53, 3010, "est/r+s", data=bytes(size))
            equal(rig.r.flow(family=family, zone=zone)["orig"]["sport"], 3010, f"flow in zone {zone}")
        rig.udp("c", family, 3010, 53, "est/o+s", data=bytes(20))
    equal(len(rig.r.flows()), 6, "flows")
    rig.check_not_in_conntrack()


@case("zones by interface: replies need the zone, too")
def _(rig):
    rig.reset(raw("iif rc ct zone set 7"))
    rig.udp("c", 4, 3011, 53, "new/o")
    rig.udp("s", 4, 53, 3011, "new/o")
    rig.reset(raw("iif { rc, rs } ct zone set 7"))
    rig.udp("c", 4, 3012, 53, "new/o")
    rig.udp("s", 4, 53, 3012, "est/r+s")
    equal(rig.r.flow(osport=3012)["zone"], 7, "zone")


@case("zones: ct zone reads what was set")
def _(rig):
    rig.reset("""
table inet raw {
	chain pre {
		type filter hook prerouting priority -300
		udp dport 53 ct zone set 9
		udp sport 53 ct zone set 9
	}
	chain mid {
		type filter hook prerouting priority -150
		ct zone 9 ip dscp set 9
		ct zone 9 ip6 dscp set 9
	}
}""")
    for family in FAMILIES:
        for sport, dport, wanted in ((3013, 53, 9), (3013, 54, 0), (3013, 53, 9)):
            packet = rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], sport, dport), family)
            equal(rig.stamp("c", packet, raw=True), wanted, f"zone of port {dport}")


@case("zones: an ICMP error finds the flow in its own zone only")
def _(rig):
    rig.reset(raw("udp dport 53 ct zone set 3\n\t\tmeta l4proto { icmp, icmpv6 } ct zone set 3"))
    for family in FAMILIES:
        packet = rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 3014, 53), family)
        rig.expect("c", packet, "new/o")
        rig.expect("s", unreachable(rig, family, packet), "rel/r")
    rig.reset(raw("udp dport 53 ct zone set 3"))
    for family in FAMILIES:
        packet = rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 3015, 53), family)
        rig.expect("c", packet, "new/o")
        rig.expect("s", unreachable(rig, family, packet), "inv")


@case("zones: TCP in two zones keeps two windows")
def _(rig):
    rig.reset(raw("tcp window 20001 ct zone set 1\n\t\ttcp window 20002 ct zone set 2"))
    for family in FAMILIES:
        for win, isn in ((20001, (100, 200)), (20002, (3000000000, 2000000000))):
            t = Tcp(rig, family, sport=3016, isn=isn)
            t.send("c", "S", "new/o", win=win)
            t.send("s", "SA", "est/r+s", 0, 1, win=win)
            t.send("c", "A", "est/o+sa", 1, 1, win=win)
            t.send("c", "PA", "est/o+sa", 1, 1, win=win, data=b"x" * 100)
    equal(len(rig.r.flows(proto="tcp")), 4, "flows")


main(Rig)
