#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Wrong checksums, and the log of invalid packets."""

import socket

from lib import *

FAMILIES = (4, 6)


def broken(l4, offset):
    return l4[:offset] + bytes([l4[offset] ^ 0x55, l4[offset + 1] ^ 0xaa]) + l4[offset + 2:]


def samples(family, sport):
    """(protocol, good packet, offset of its checksum)"""
    c, s = Rig.C[family], Rig.S[family]
    return [(TCP, tcp(c, s, sport, 80, "S"), 16), (UDP, udp(c, s, sport, 53, b"x" * 11), 6),
            (ICMP if family == 4 else ICMP6, echo(c, s, sport), 2)]


@case("checksum=1: a wrong one is invalid, nothing is entered")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        for proto, l4, offset in samples(family, 2000):
            rig.expect("c", rig.packet("c", proto, broken(l4, offset), family), "inv", f"protocol {proto}")
    equal(rig.r.flows(), [], "flows")


@case("checksum=1: a wrong one on a known flow is invalid, and changes nothing")
def _(rig):
    for family in FAMILIES:
        for proto, l4, offset in samples(family, 2001):
            rig.expect("c", rig.packet("c", proto, l4, family), "new/o", f"protocol {proto}")
            rig.expect("c", rig.packet("c", proto, broken(l4, offset), family), "inv", f"protocol {proto}")
        t = Tcp(rig, family, sport=2002).open()
        rst = t.build("c", "RA", 1, 1)
        head = 20 if family == 4 else 40
        rig.expect("c", rst[:head] + broken(rst[head:], 16), "inv", "RST")
        equal(t.flow()["state"], "established", "state after a broken RST")


@case("checksum=0: a wrong one passes as if it were right")
def _(rig):
    rig.r.sysctl("checksum", 0)
    for family in FAMILIES:
        for proto, l4, offset in samples(family, 2003):
            rig.expect("c", rig.packet("c", proto, broken(l4, offset), family), "new/o", f"protocol {proto}")
    rig.r.sysctl("checksum", 1)


@case("UDP without a checksum: fine over IPv4")
def _(rig):
    l4 = udp(Rig.C[4], Rig.S[4], 2004, 53, b"x" * 11)
    rig.expect("c", rig.packet("c", UDP, l4[:6] + b"\0\0" + l4[8:], 4), "new/o")


@case("a wrong checksum of an ICMP error is invalid")
def _(rig):
    for family in FAMILIES:
        request = rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 2005, 53), family)
        rig.expect("c", request, "new/o")
        head = 20 if family == 4 else 40
        error = unreachable(rig, family, request)
        rig.expect("s", error[:head] + broken(error[head:], 2), "inv")
        rig.expect("s", unreachable(rig, family, request), "rel/r")


@case("a wrong checksum inside the packet that an error quotes does not matter")
def _(rig):
    for family in FAMILIES:
        l4 = udp(Rig.C[family], Rig.S[family], 2006, 53)
        rig.expect("c", rig.packet("c", UDP, l4, family), "new/o")
        rig.expect("s", unreachable(rig, family, ip(Rig.C[family], Rig.S[family], UDP, broken(l4, 6))), "rel/r")


@case("what the router itself sends has no checksum yet: new all the same")
def _(rig):
    for family in FAMILIES:
        sock = rig.r.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        sock.sendto(b"x" * 100, (Rig.C[family], 2007))
        out = [p for p in rig.c.flush() if l4_of(p)[0] == UDP]
        equal(len(out), 1, "packets")
        dscp = out[0][1] >> 2 if family == 4 else (out[0][0] << 8 | out[0][1]) >> 6 & 63
        equal(stamp_name(dscp), "new/o", f"IPv{family}")
        sock.close()


@case("log_invalid: all, one protocol, none")
def _(rig):
    # IPv4: its logger is there on every kernel. One at a time: the log is limited in rate.
    with open("/proc/sys/net/netfilter/nf_log_all_netns", "w") as f:
        f.write("1")
    rig.r.nft('table ip lg {\n\tchain c {\n\t\ttype filter hook input priority 0\n\t\ttcp dport 1 log\n\t}\n}')
    rig.r.write("/proc/sys/net/netfilter/nf_log/2", "nf_log_ipv4")
    try:
        for setting, logged in ((255, {TCP, UDP}), (6, {TCP}), (17, {UDP}), (0, set())):
            rig.r.sysctl("log_invalid", setting)
            for proto, l4, offset in samples(4, 2008)[:2]:
                log = Kmsg()
                rig.expect("c", rig.packet("c", proto, broken(l4, offset), 4), "inv")
                lines = [line for line in log.read() if f"SRC={Rig.C[4]}" in line]
                log.close()
                equal(len(lines), 1 if proto in logged else 0,
                      f"log_invalid={setting}: lines about protocol {proto}: {lines}")
                if lines and FLOWTRACK:
                    check("nf_flowtrack: bad checksum" in lines[0], f"the line does not say why: {lines[0]}")
    finally:
        rig.r.sysctl("log_invalid", 0)
        with open("/proc/sys/net/netfilter/nf_log_all_netns", "w") as f:
            f.write("0")


@case("nothing of all this is in nf_conntrack's table")
def _(rig):
    rig.check_not_in_conntrack()


main(Rig)
