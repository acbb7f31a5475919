#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Packets that no kernel would send: whatever comes, the router lives, and says what nf_conntrack would say.

A second router in the same kernel has flowtrack switched off: every packet is sent through both, and nf_conntrack's
opinion is compared with flowtrack's.
"""
# TIMEOUT: 180

import random
import struct

from lib import *

FAMILIES = (4, 6)


class Twins:
    """The router under test, and one that leaves everything to nf_conntrack."""

    def __init__(self):
        self.rig = Rig()
        self.oracle = Rig()
        if FLOWTRACK:
            self.oracle.r.sysctl("enable", 0)
        # Where the defaults differ on purpose they must not be what is found.
        self.r = self.rig.r

    def stamp(self, side, packet):
        """(flowtrack's, nf_conntrack's) opinion of a packet."""
        return self.rig.stamp(side, packet), self.oracle.stamp(side, packet)

    def reset(self):
        for rig in (self.rig, self.oracle):
            with rig.r:
                run("conntrack", "-F")
        if FLOWTRACK:
            self.rig.r.tool("flush")


def valid_packets(family, rng):
    """A packet of every kind, between a few endpoints."""
    c, s = Rig.C[family], Rig.S[family]
    sport, dport = 1000 + rng.randrange(4), rng.choice((53, 80))
    seq, ack = rng.choice((0, 1, 1000, 1 << 31)), rng.choice((0, 1, 1000, 1 << 31))
    flags = rng.choice(("S", "SA", "A", "PA", "FA", "R", "RA", "", "SF", "FPU"))
    icmp = ICMP if family == 4 else ICMP6
    inner = ip(c, s, UDP, udp(c, s, sport, dport))
    return [
        (TCP, tcp(c, s, sport, dport, flags, seq, ack, data=b"x" * rng.randrange(20))),
        (TCP, tcp(c, s, sport, dport, "S", seq, 0, options=b"\2\4\5\xb4\3\3\7\1\4\2\1\1")),
        (UDP, udp(c, s, sport, dport, b"x" * rng.randrange(20))),
        (icmp, echo(c, s, sport, reply=rng.random() < 0.3)),
        (icmp, icmp4(rng.choice((3, 11, 12, 5)), 0, 0, inner) if family == 4 else
         icmp6(c, s, rng.choice((1, 2, 3, 4)), 0, 0, inner)),
        (SCTP, sctp(sport, dport, rng.choice((0, 5)), rng.choice((sctp_init(5), chunk(10), chunk(0, b"x" * 12), chunk(6))))),
        (GRE, gre(rng.choice((None, 5)))),
        (253, b"x" * rng.randrange(20)),
    ]


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        if not data:
            break
        at = rng.randrange(min(len(data), 60))
        what = rng.randrange(5)
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            del data[at:]
        elif what == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        else:
            data[at:at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"))
    return bytes(data)


def survive(twins):
    """The router still works."""
    twins.rig.r.sysctl("udp_timeout", 30)
    twins.rig.reset()
    for family in FAMILIES:
        twins.rig.udp("c", family, 60000, 53, "new/o")
        twins.rig.udp("s", family, 53, 60000, "est/r+s")
        Tcp(twins.rig, family, sport=60000).open()
    twins.rig.check_not_in_conntrack()


@case("transport headers cut, stretched and overwritten: 1500 packets", only="flowtrack")
def _(twins):
    rng = random.Random(1)
    before = twins.r.tool_json("stats")["invalid"]
    for n in range(1500):
        family = rng.choice(FAMILIES)
        proto, l4 = rng.choice(valid_packets(family, rng))
        twins.rig.c.send(twins.rig.packet("c", proto, mutate(rng, l4), family))
        if n % 50 == 0:
            twins.rig.c.flush()
            twins.rig.s.receive()
    twins.rig.c.flush()
    twins.rig.s.receive()
    check(twins.r.tool_json("stats")["invalid"] > before + 100, "invalid packets counted")
    survive(twins)


@case("IP headers, extension headers and fragments overwritten: 1500 packets", only="flowtrack")
def _(twins):
    rng = random.Random(2)
    for n in range(1500):
        family = rng.choice(FAMILIES)
        proto, l4 = rng.choice(valid_packets(family, rng))
        c, s = Rig.C[family], Rig.S[family]
        if family == 4:
            packet = ip4(c, s, proto, l4, rng.randrange(50), rng.choice((0, 0x2000, 1, 0x2001, 100, 0x1fff)),
                         options=rng.choice((b"", b"\7\7\4\0\0\0\0\0", b"\1\1\1\1", b"\x83\3\4\0", b"\0\0\0\0")),
                         length=rng.choice((None, None, 20, 24, 30, 1000)))
        else:
            head = rng.choice((b"", struct.pack("!BB6x", proto, 0), struct.pack("!BB6x", proto, 200),
                               frag6(proto, b"", rng.choice((0, 8, 1400)), rng.random() < 0.5, rng.randrange(50))))
            first = proto if not head else rng.choice((0, 43, 44, 60, 51, 50, 59))
            packet = ip6(c, s, first, head + l4, length=rng.choice((None, None, 0, 8, 1000)))
        if rng.random() < 0.3:
            at = rng.randrange(len(packet))
            packet = packet[:at] + bytes([rng.randrange(256)]) + packet[at + 1:]
        if rng.random() < 0.2:
            packet = packet[:rng.randrange(len(packet))]
        if packet:
            twins.rig.c.send(packet)
        if n % 50 == 0:
            twins.rig.c.flush()
            twins.rig.s.receive()
    twins.rig.c.flush()
    twins.rig.s.receive()
    survive(twins)


@case("random payloads for every protocol number", only="flowtrack")
def _(twins):
    rng = random.Random(3)
    for proto in range(256):
        for family in FAMILIES:
            if family == 6 and proto in (0, 43, 44, 60, 51, 50, 59, 135):
                continue
            twins.rig.c.send(twins.rig.packet("c", proto, rng.randbytes(rng.randrange(60)), family))
        if proto % 25 == 0:
            twins.rig.c.flush()
            twins.rig.s.receive()
    twins.rig.c.flush()
    twins.rig.s.receive()
    survive(twins)


def base(state):
    """The state without direction and status."""
    return state.split("/")[0]


@case("headers cut and overwritten: as nf_conntrack sees it", only="flowtrack")
def _(twins):
    rng = random.Random(4)
    different = []
    for n in range(500):
        if n % 20 == 0:
            twins.reset()
        family = rng.choice(FAMILIES)
        proto, l4 = rng.choice(valid_packets(family, rng))
        if proto in (GRE, SCTP):
            continue  # where nf_conntrack knows less, or depends on the kernel
        if rng.random() < 0.7:
            l4 = mutate(rng, l4)
        packet = twins.rig.packet("c", proto, l4, family)
        mine, other = twins.stamp("c", packet)
        if mine != other:
            different.append(f"packet {n}: flowtrack {mine}, nf_conntrack {other}: {packet.hex()}")
    check(len(different) <= 0, "\n".join(different[:20]) + f"\n{len(different)} of 500")


@case("whole conversations of random segments: as nf_conntrack sees them", only="flowtrack")
def _(twins):
    rng = random.Random(5)
    different = []
    for conversation in range(60):
        family = rng.choice(FAMILIES)
        sport = 2000 + conversation
        pairs = [Tcp(r, family, sport=sport) for r in (twins.rig, twins.oracle)]
        at = {"c": 0, "s": 0}
        history = []
        for step in range(rng.randrange(4, 14)):
            if step < 3 and rng.random() < 0.85:
                side, flags = (("c", "S"), ("s", "SA"), ("c", "A"))[step]
            else:
                side = rng.choice("cs")
                flags = rng.choice(("A", "A", "PA", "PA", "FA", "S", "SA", "R", "RA"))
            peer = "s" if side == "c" else "c"
            jump = rng.choice((0, 0, 0, 0, 0, 0, -1, 1, 100, 100000, 50000000))
            seq, ack = at[side] + jump, at[peer] + rng.choice((0, 0, 0, 0, 100000))
            data = b"x" * rng.choice((0, 0, 10, 100)) if "P" in flags or flags == "A" else b""
            seen = [t.rig.stamp(side, t.build(side, flags, seq, ack, data=data)) for t in pairs]
            history.append(f"{side} {flags} seq {seq} ack {ack} len {len(data)}: {seen[0]}, nf_conntrack {seen[1]}")
            if seen[0] != seen[1]:
                different.append(f"conversation {conversation}, IPv{family}: " + "; ".join(history))
                break
            if seen[0].startswith(("est", "new")) and not jump:
                at[side] = seq + len(data) + (1 if "S" in flags or "F" in flags else 0)
    check(not different, "\n".join(different[:8]) + f"\n{len(different)} of 60")


main(Twins)
