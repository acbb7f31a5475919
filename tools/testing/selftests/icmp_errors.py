#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""ICMP errors: related to the flow they quote, invalid if there is none."""

import socket
import struct

from lib import *

FAMILIES = (4, 6)
ports = iter(range(30000, 60000))

# (label, ICMP type and code, ICMPv6 type and code, the four bytes after the checksum)
KINDS = [
    ("port unreachable", (3, 3), (1, 4), 0),
    ("host unreachable", (3, 1), (1, 3), 0),
    ("administratively prohibited", (3, 13), (1, 1), 0),
    ("too big", (3, 4), (2, 0), 1400),
    ("time exceeded", (11, 0), (3, 0), 0),
    ("parameter problem", (12, 0), (4, 0), 0),
]


def error(rig, side, family, kind, quoted, rest=0):
    """An error from one side (by a host there) to the other."""
    src, dst = (Rig.C, Rig.S) if side == "c" else (Rig.S, Rig.C)
    if family == 4:
        return rig.packet(side, ICMP, icmp4(*kind[0], rest, quoted), 4)
    return rig.packet(side, ICMP6, icmp6(src[6], dst[6], *kind[1], rest, quoted), 6)


def udp_packet(rig, side, family, sport, dport=53, data=b"q" * 20):
    src, dst = (Rig.C, Rig.S) if side == "c" else (Rig.S, Rig.C)
    return rig.packet(side, UDP, udp(src[family], dst[family], sport, dport, data), family)


def kind_case(label, k4, k6, rest):
    @case(f"{label}: related to a UDP flow, to a TCP flow, to an echo; in both directions")
    def _(rig):
        kind = (k4, k6)
        for family in FAMILIES:
            sport = next(ports)
            request = udp_packet(rig, "c", family, sport)
            rig.expect("c", request, "new/o")
            rig.expect("s", error(rig, "s", family, kind, request, rest), "rel/r", "about a request")
            src, dst = Rig.S[family], Rig.C[family]
            reply = rig.packet("s", UDP, udp(src, dst, 53, sport), family)
            rig.expect("s", reply, "est/r+s")
            rig.expect("c", error(rig, "c", family, kind, reply, rest), "rel/o+s", "about a reply")
            t = Tcp(rig, family, sport=sport).open()
            segment = t.build("c", "PA", 1, 1, data=b"x" * 100)
            rig.expect("c", segment, "est/o+sa")
            rig.expect("s", error(rig, "s", family, kind, segment, rest), "rel/r+sa", "about a segment")
            ping = rig.packet("c", ICMP if family == 4 else ICMP6,
                              echo(Rig.C[family], Rig.S[family], sport), family)
            rig.expect("c", ping, "new/o")
            rig.expect("s", error(rig, "s", family, kind, ping, rest), "rel/r", "about an echo request")
        rig.check_not_in_conntrack()


for args in KINDS:
    kind_case(*args)

PORT, BIG = (KINDS[0][1], KINDS[0][2]), (KINDS[3][1], KINDS[3][2])


@case("an error about a flow that is not known is invalid")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        for what, l4 in ((UDP, udp(Rig.C[family], Rig.S[family], next(ports), 53)),
                         (TCP, tcp(Rig.C[family], Rig.S[family], next(ports), 80, "S"))):
            quoted = ip(Rig.C[family], Rig.S[family], what, l4)
            rig.expect("s", error(rig, "s", family, PORT, quoted), "inv", f"IPv{family}: protocol {what}")
    equal(rig.r.flows(), [], "flows")


@case("an error that quotes only eight bytes of the transport header")
def _(rig):
    sport = next(ports)
    request = udp_packet(rig, "c", 4, sport)
    rig.expect("c", request, "new/o")
    rig.expect("s", error(rig, "s", 4, PORT, request[:28]), "rel/r")
    t = Tcp(rig, 4, sport=sport).open()
    segment = t.build("c", "PA", 1, 1, data=b"x" * 100)
    rig.expect("c", segment, "est/o+sa")
    rig.expect("s", error(rig, "s", 4, BIG, segment[:28], 1400), "rel/r+sa")


@case("an error that quotes too little is invalid")
def _(rig):
    for family, header in ((4, 20), (6, 40)):
        request = udp_packet(rig, "c", family, next(ports))
        rig.expect("c", request, "new/o")
        for length in (0, 10, header - 1, header, header + 3):
            rig.expect("s", error(rig, "s", family, PORT, request[:length]), "inv", f"{length} bytes quoted")


@case("an error about a forged tuple: other port, other address, other protocol")
def _(rig):
    for family in FAMILIES:
        sport = next(ports)
        rig.expect("c", udp_packet(rig, "c", family, sport), "new/o")
        c, s = Rig.C[family], Rig.S[family]
        other = {4: "10.9.2.77", 6: "fd09:2::77"}[family]
        for what, quoted in (("port", ip(c, s, UDP, udp(c, s, sport, 54))),
                             ("address", ip(c, other, UDP, udp(c, other, sport, 53))),
                             ("protocol", ip(c, s, TCP, tcp(c, s, sport, 53, "S")))):
            rig.expect("s", error(rig, "s", family, PORT, quoted), "inv", f"IPv{family}: another {what}")


@case("an error from a router on the way, not from the peer, is related")
def _(rig):
    hops = {4: "10.9.2.99", 6: "fd09:2::99"}
    for family in FAMILIES:
        request = udp_packet(rig, "c", family, next(ports))
        rig.expect("c", request, "new/o")
        if family == 4:
            packet = ip(hops[4], Rig.C[4], ICMP, icmp4(11, 0, 0, request), rig.next_ident())
        else:
            packet = ip(hops[6], Rig.C[6], ICMP6, icmp6(hops[6], Rig.C[6], 3, 0, 0, request), rig.next_ident())
        rig.expect("s", packet, "rel/r")


@case("an error that does not go to the sender of what it quotes is invalid")
def _(rig):
    for family in FAMILIES:
        request = udp_packet(rig, "c", family, next(ports))
        rig.expect("c", request, "new/o")
        # From the client's side, about the client's own packet.
        rig.expect("c", error(rig, "c", family, PORT, request), "inv", f"IPv{family}: error in the same direction")


@case("an error about an error is invalid")
def _(rig):
    for family in FAMILIES:
        request = udp_packet(rig, "c", family, next(ports))
        rig.expect("c", request, "new/o")
        first = error(rig, "s", family, PORT, request)
        rig.expect("s", first, "rel/r")
        rig.expect("c", error(rig, "c", family, PORT, first), "inv")


@case("an error changes neither the state nor the timeout of the flow")
def _(rig):
    rig.r.sysctl("udp_timeout", 500)
    request = udp_packet(rig, "c", 4, next(ports))
    rig.expect("c", request, "new/o")
    rig.r.sysctl("udp_timeout", 30)
    rig.expect("s", error(rig, "s", 4, PORT, request), "rel/r")
    flow = rig.r.flow(proto="udp", osport=struct.unpack("!H", request[20:22])[0])
    check(flow["timeout"] > 400, f"timeout: {flow}")
    check(not flow["seen_reply"], f"an error counts as a reply: {flow}")


@case("the router's own errors: TTL exceeded and no route")
def _(rig):
    for family, unknown in ((4, "192.0.2.1"), (6, "2001:db8::1")):
        sport = next(ports)
        packet = (ip4 if family == 4 else ip6)(Rig.C[family], Rig.S[family], UDP,
                                               udp(Rig.C[family], Rig.S[family], sport, 53),
                                               **({"ttl": 1} if family == 4 else {"hlim": 1}))
        rig.send("c", packet)
        got = [p for p in rig.back if l4_of(p)[0] in (ICMP, ICMP6)]
        check(got and l4_of(got[0])[1][0] in (11, 3), f"IPv{family}: no time exceeded: {rig.back}")
        equal(rig.r.flows(osport=sport, proto="udp"), [], "a packet that went nowhere left a flow")
        rig.send("c", ip(Rig.C[family], unknown, UDP, udp(Rig.C[family], unknown, sport, 53)))
        got = [p for p in rig.back if l4_of(p)[0] in (ICMP, ICMP6)]
        check(got and l4_of(got[0])[1][0] in (3, 1), f"IPv{family}: no unreachable: {rig.back}")
        equal(rig.r.flows(osport=sport, proto="udp"), [], "a packet without a route left a flow")


@case("path MTU: the router's too big is related for a socket's flow and is obeyed")
def _(rig):
    rig.r.ip("link set rs mtu 1300")
    for family in FAMILIES:
        packet = rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], next(ports), 53, b"x" * 1400), family,
                            **({"frag": 0x4000} if family == 4 else {}))
        rig.send("c", packet)
        got = [l4_of(p)[1] for p in rig.back if l4_of(p)[0] in (ICMP, ICMP6)]
        check(got, f"IPv{family}: no answer to a packet that is too big")
        equal(struct.unpack("!I", got[0][4:8])[0] & 0xffff, 1300, f"IPv{family}: MTU in the error")
    rig.r.ip("link set rs mtu 1500")


@case("the state of the router's own socket: an error about its packet is related and reaches it")
def _(rig):
    rig.reset(nft_stamps() + """
table inet t {
	chain in {
		type filter hook input priority 0; policy drop
		ct state established,related accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
	}
}""")
    for family in FAMILIES:
        sock = rig.r.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        sock.settimeout(5)
        sock.connect((Rig.C[family], 9))
        sock.send(b"x")
        got = [p for p in rig.c.flush() if l4_of(p)[0] == UDP]
        equal(len(got), 1, "packets that left the router")
        if family == 4:
            packet = ip(Rig.C[4], Rig.RC[4], ICMP, icmp4(3, 3, 0, got[0]), 1)
        else:
            packet = ip(Rig.C[6], Rig.RC[6], ICMP6, icmp6(Rig.C[6], Rig.RC[6], 1, 4, 0, got[0]), 1)
        rig.send("c", packet)
        try:
            sock.send(b"y")
            sock.recv(1)
            raise Failure(f"IPv{family}: the socket did not see the error")
        except ConnectionRefusedError:
            pass
        except TimeoutError:
            raise Failure(f"IPv{family}: the socket did not see the error") from None
        sock.close()
    rig.reset(nft_stamps())


@case("an error about a TCP segment far outside of the window is not related")
def _(rig):
    if not FLOWTRACK:
        return  # nf_conntrack does not look at the sequence number that is quoted
    for family in FAMILIES:
        t = Tcp(rig, family, sport=next(ports)).open()
        rig.expect("s", error(rig, "s", family, PORT, t.build("c", "PA", 0x50000000, 1, data=b"x" * 20)), "inv")
        rig.expect("s", error(rig, "s", family, PORT, t.build("c", "PA", 1, 1, data=b"x" * 20)), "rel/r+sa")


@case("redirects are not related")
def _(rig):
    request = udp_packet(rig, "c", 4, next(ports))
    rig.expect("c", request, "new/o")
    seen = rig.stamp("s", error(rig, "s", 4, ((5, 1), None), request, 0x0a090263))
    check(seen in ("inv", "rel/r", "drop"), f"redirect: {seen}")
    equal(seen, "rel/r", "redirect about a flow")


@case("nothing of all this is in nf_conntrack's table")
def _(rig):
    rig.check_not_in_conntrack()


main(Rig)
