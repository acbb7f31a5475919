#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Fragments: tracked as the packet that they make up, or not at all."""

from lib import *

FAMILIES = (4, 6)
idents = iter(range(1, 60000))


def pieces(src, dst, proto, l4, cuts, ident):
    """The fragments of a packet, cut at these offsets of the transport payload."""
    out = []
    for start, end in zip([0] + cuts, cuts + [len(l4)]):
        more = end < len(l4)
        if ":" in src:
            out.append(ip6(src, dst, 44, frag6(proto, l4[start:end], start, more, ident), ident))
        else:
            out.append(ip4(src, dst, proto, l4[start:end], ident, start >> 3 | (0x2000 if more else 0)))
    return out


def state_of(packets):
    """What the router wrote into all packets that came out."""
    names = {stamp_name(p[1] >> 2 if p[0] >> 4 == 4 else (p[0] << 8 | p[1]) >> 6 & 63) for p in packets}
    check(len(names) <= 1, f"fragments of one packet differ: {names}")
    return names.pop() if names else "drop"


def payload(packets):
    """How many bytes of transport payload came out."""
    total = 0
    for p in packets:
        if p[0] >> 4 == 4:
            total += len(p) - 20
        else:
            total += len(p) - 40 - (8 if p[6] == 44 else 0)
    return total


def send_all(rig, side, packets):
    out = []
    for p in packets:
        out += rig.send(side, p)
    return out


def udp_l4(side, family, sport, dport, size=2000):
    src, dst = (Rig.C, Rig.S) if side == "c" else (Rig.S, Rig.C)
    return src[family], dst[family], udp(src[family], dst[family], sport, dport, bytes(size))


@case("two fragments: new, the reply in fragments established")
def _(rig):
    for family in FAMILIES:
        for side, ports, wanted in (("c", (1000, 53), "new/o"), ("s", (53, 1000), "est/r+s"),
                                    ("c", (1000, 53), "est/o+s")):
            src, dst, l4 = udp_l4(side, family, *ports)
            out = send_all(rig, side, pieces(src, dst, UDP, l4, [1200], next(idents)))
            equal((state_of(out), payload(out)), (wanted, len(l4)), f"IPv{family} from {side}")
        equal(len(rig.r.flows(family=family)), 1, "flows")
    rig.check_not_in_conntrack()


@case("fragments in the wrong order")
def _(rig):
    for family in FAMILIES:
        src, dst, l4 = udp_l4("c", family, 1001, 53, 3000)
        for order in ((2, 1, 0), (1, 2, 0), (1, 0, 2)):
            p = pieces(src, dst, UDP, l4, [1000, 2000], next(idents))
            out = send_all(rig, "c", [p[i] for i in order])
            equal((state_of(out), payload(out)), ("new/o", len(l4)), f"IPv{family}: order {order}")


@case("a fragment that lacks the others goes nowhere and enters nothing")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        src, dst, l4 = udp_l4("c", family, 1002, 53)
        for piece in (0, 1):
            p = pieces(src, dst, UDP, l4, [1200], next(idents))
            equal(send_all(rig, "c", [p[piece]]), [], f"IPv{family}: packets that came out")
    equal(rig.r.flows(), [], "flows")


@case("overlapping fragments go nowhere and enter nothing")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        src, dst, l4 = udp_l4("c", family, 1003, 53)
        ident = next(idents)
        first = pieces(src, dst, UDP, l4, [1200], ident)
        second = pieces(src, dst, UDP, l4[:1000] + b"\xff" * 1008, [1000], ident)
        out = send_all(rig, "c", [first[0], second[1]])
        equal(out, [], f"IPv{family}: packets that came out")
    equal(rig.r.flows(), [], "flows")


@case("the first fragment has only a part of the transport header")
def _(rig):
    for family in FAMILIES:
        src, dst = Rig.C[family], Rig.S[family]
        t = Tcp(rig, family, sport=1004).open()
        segment = t.build("c", "PA", 1, 1, data=bytes(500))
        l4 = segment[20 if family == 4 else 40:]
        out = send_all(rig, "c", pieces(src, dst, TCP, l4, [8], next(idents)))
        # IPv6 routers may drop what has no whole header chain in its first fragment (RFC 8200).
        if family == 4:
            equal((state_of(out), payload(out)), ("est/o+sa", len(l4)), "segment in two fragments")
        else:
            check(state_of(out) in ("est/o+sa", "inv", "drop"), f"IPv6: {state_of(out)}")


@case("a fragmented TCP segment is checked as a whole: out of the window, it is invalid")
def _(rig):
    for family in FAMILIES:
        src, dst = Rig.C[family], Rig.S[family]
        t = Tcp(rig, family, sport=1005).open()
        for seq, wanted in ((1, "est/o+sa"), (50000000, "inv")):
            l4 = t.build("c", "PA", seq, 1, data=bytes(1800))[20 if family == 4 else 40:]
            out = send_all(rig, "c", pieces(src, dst, TCP, l4, [1000], next(idents)))
            equal(state_of(out), wanted, f"IPv{family}: sequence {seq}")


@case("a fragmented echo and its reply")
def _(rig):
    for family in FAMILIES:
        for side, reply, wanted in (("c", False, "new/o"), ("s", True, "est/r+s")):
            src, dst = (Rig.C, Rig.S) if side == "c" else (Rig.S, Rig.C)
            l4 = echo(src[family], dst[family], 99, reply=reply, data=bytes(2000))
            out = send_all(rig, side, pieces(src[family], dst[family], ICMP if family == 4 else ICMP6, l4, [1000],
                                             next(idents)))
            equal((state_of(out), payload(out)), (wanted, len(l4)), f"IPv{family} from {side}")


@case("IPv6: an atomic fragment is a whole packet")
def _(rig):
    src, dst, l4 = udp_l4("c", 6, 1006, 53, 100)
    out = rig.send("c", ip6(src, dst, 44, frag6(UDP, l4, 0, False, 5), 5))
    equal(state_of(out), "new/o", "atomic fragment")
    equal(len(rig.r.flows(osport=1006, family=6)), 1, "flows")


@case("an ICMP error about a fragmented packet quotes its first fragment: related")
def _(rig):
    for family in FAMILIES:
        src, dst, l4 = udp_l4("c", family, 1007, 53)
        p = pieces(src, dst, UDP, l4, [1200], next(idents))
        equal(state_of(send_all(rig, "c", p)), "new/o", "packet")
        rig.expect("s", unreachable(rig, family, p[0][:500]), "rel/r")
        # A later fragment has no ports: nobody can tell whose it is.
        rig.expect("s", unreachable(rig, family, p[1][:500]), "inv")


@case("accounting counts a fragmented packet once")
def _(rig):
    rig.r.sysctl("acct", 1)
    src, dst, l4 = udp_l4("c", 4, 1008, 53)
    for _ in range(3):
        send_all(rig, "c", pieces(src, dst, UDP, l4, [1000], next(idents)))
    flow = rig.r.flow(osport=1008)
    equal((flow["orig"]["packets"], flow["orig"]["bytes"]), (3, 3 * (20 + len(l4))), "packets and bytes")
    rig.r.sysctl("acct", 0)


main(Rig)
