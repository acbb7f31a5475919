#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Protocols other than TCP: UDP and UDP-Lite, ICMP, SCTP, GRE and those that nobody knows."""

import os
import socket
import struct
import time

from lib import *

FAMILIES = (4, 6)
SCTP_DATA, SCTP_ABORT, SCTP_SHUTDOWN, SCTP_SHUTDOWN_ACK = 0, 6, 7, 8
SCTP_COOKIE_ECHO, SCTP_COOKIE_ACK, SCTP_SHUTDOWN_COMPLETE, SCTP_HEARTBEAT, SCTP_HEARTBEAT_ACK = 10, 11, 14, 4, 5

started = {}


def addresses(side, family):
    return (Rig.C[family], Rig.S[family]) if side == "c" else (Rig.S[family], Rig.C[family])


def send(rig, side, family, proto, l4, wanted, what=""):
    rig.expect(side, rig.packet(side, proto, l4, family), wanted, what or f"protocol {proto}")


@case("udp and udplite: flows begin; see the last case")
def _(rig):
    # nf_conntrack computes the checksum of UDP-Lite with UDP's protocol number.
    if not FLOWTRACK:
        rig.r.sysctl("checksum", 0)
    for family in FAMILIES:
        for proto in (UDP, UDPLITE):
            for side, ports, wanted in (("c", (500, 53), "new/o"), ("s", (53, 500), "est/r+s"),
                                        ("c", (500, 53), "est/o+s" if proto == UDP else "est/o*")):
                src, dst = addresses(side, family)
                length = 0 if proto == UDPLITE else None  # coverage: all of it
                send(rig, side, family, proto, udp(src, dst, *ports, b"x" * 9, length=length, proto=proto), wanted)
    started["at"] = time.monotonic()
    if not FLOWTRACK:
        rig.r.sysctl("checksum", 1)
    rig.check_not_in_conntrack()


@case("udplite: coverage of the header alone; a coverage that cannot be is invalid")
def _(rig):
    rig.r.sysctl("checksum", 0)
    for family in FAMILIES:
        src, dst = addresses("c", family)
        for length, wanted in ((8, "new/o"), (3, "inv"), (100, "inv")):
            send(rig, "c", family, UDPLITE, udp(src, dst, 600, 60 + length, b"x" * 9, length=length, proto=UDPLITE),
                 wanted, f"coverage {length}")
    rig.r.sysctl("checksum", 1)


@case("udp: a length that cannot be is invalid")
def _(rig):
    for family in FAMILIES:
        src, dst = addresses("c", family)
        for length, wanted in ((7, "inv"), (100, "inv")):
            send(rig, "c", family, UDP, udp(src, dst, 700, 70, b"x" * 9, length=length), wanted, f"length {length}")
        send(rig, "c", family, UDP, udp(src, dst, 700, 70)[:7], "inv", "7 bytes")


@case("icmp: timestamp and address mask have replies, too; each kind and identifier is a flow of its own")
def _(rig):
    rig.reset()
    for request, reply in ((8, 0), (13, 14), (17, 18)):
        for ident in (1, 2):
            send(rig, "c", 4, ICMP, icmp4(request, 0, ident << 16, b"\0" * 12), "new/o")
            send(rig, "s", 4, ICMP, icmp4(reply, 0, ident << 16, b"\0" * 12), "est/r+s")
    equal(len(rig.r.flows(proto="icmp")), 6, "number of flows")
    for kind in (1, 2, 7, 44, 255):
        send(rig, "c", 4, ICMP, icmp4(kind, 0, 0, b"\0" * 12), "inv", f"type {kind}")


@case("icmpv6: router and neighbour discovery and multicast listeners are untracked")
def _(rig):
    src, dst = addresses("c", 6)
    for kind in (130, 131, 132, 133, 134, 135, 136, 143):
        send(rig, "c", 6, ICMP6, icmp6(src, dst, kind, 0, 0, b"\0" * 16), "unt", f"type {kind}")
    for kind in (100, 127, 255):
        send(rig, "c", 6, ICMP6, icmp6(src, dst, kind, 0, 0, b"\0" * 16), "inv", f"type {kind}")


@case("icmp: requests answered twice stay established")
def _(rig):
    for family in FAMILIES:
        rig.echo("c", family, 77, "new/o")
        rig.echo("s", family, 77, "est/r+s", reply=True)
        rig.echo("s", family, 77, "est/r+s", reply=True)


def association(rig, family, sport, tags=(0x11111111, 0x22222222)):
    """sends what a side says with the peer's tag; returns the function that does."""
    def say(side, wanted, *chunks, vtag=None):
        ports = (sport, 3868) if side == "c" else (3868, sport)
        tag = tags[1 if side == "c" else 0] if vtag is None else vtag
        send(rig, side, family, SCTP, sctp(*ports, tag, *chunks), wanted, f"sctp chunks {[c[0] for c in chunks]}")
    return say


def establish(rig, family, sport, tags=(0x11111111, 0x22222222)):
    say = association(rig, family, sport, tags)
    say("c", "new/o", sctp_init(tags[0]), vtag=0)
    say("s", "est/r+s", sctp_init(tags[1], ack=True))
    say("c", "est/o+s", chunk(SCTP_COOKIE_ECHO, b"cookie!!"))
    say("s", "est/r+sa", chunk(SCTP_COOKIE_ACK))
    return say


@case("sctp: association, data, heartbeat, shutdown")
def _(rig):
    for family in FAMILIES:
        say = establish(rig, family, 10000)
        equal(rig.r.flow(proto="sctp", family=family)["state"], "established", "state")
        data = chunk(SCTP_DATA, struct.pack("!IHHI", 1, 0, 0, 0) + b"data", flags=3)
        say("c", "est/o+sa", data)
        say("s", "est/r+sa", data)
        say("c", "est/o+sa", chunk(SCTP_HEARTBEAT, b"\0\1\0\10abcd"))
        say("s", "est/r+sa", chunk(SCTP_HEARTBEAT_ACK, b"\0\1\0\10abcd"))
        say("c", "est/o+sa", chunk(SCTP_SHUTDOWN, b"\0\0\0\1"))
        equal(rig.r.flow(proto="sctp", family=family)["state"], "shutdown_sent", "state")
        say("s", "est/r+sa", chunk(SCTP_SHUTDOWN_ACK))
        equal(rig.r.flow(proto="sctp", family=family)["state"], "shutdown_ack_sent", "state")
        say("c", "est/o+sa", chunk(SCTP_SHUTDOWN_COMPLETE))
        equal(rig.r.flow(proto="sctp", family=family)["state"], "closed", "state")
        rig.reset()


@case("sctp: a wrong verification tag is invalid")
def _(rig):
    for family in FAMILIES:
        say = establish(rig, family, 10001)
        say("c", "inv", chunk(SCTP_SHUTDOWN, b"\0\0\0\1"), vtag=0x33333333)
        say("s", "inv", chunk(SCTP_ABORT), vtag=0x33333333)
        equal(rig.r.flow(proto="sctp", family=family, osport=10001)["state"], "established", "state")


@case("sctp: abort closes")
def _(rig):
    for family in FAMILIES:
        say = establish(rig, family, 10002)
        say("s", "est/r+sa", chunk(SCTP_ABORT))
        equal(rig.r.flow(proto="sctp", family=family, osport=10002)["state"], "closed", "state")


@case("sctp: what cannot be first is invalid: chunks of length zero, INIT with others, no chunk, INIT with a tag")
def _(rig):
    for family in FAMILIES:
        say = association(rig, family, 10003)
        say("c", "inv", chunk(SCTP_COOKIE_ACK))
        say("c", "inv", sctp_init(1), chunk(SCTP_DATA, b"x" * 16), vtag=0)
        say("c", "inv", sctp_init(1), vtag=5)
        send(rig, "c", family, SCTP, sctp(10003, 3868, 0, b"\1\0\0\0"), "inv", "chunk of length zero")
        send(rig, "c", family, SCTP, sctp(10003, 3868, 0), "inv", "no chunk")
        send(rig, "c", family, SCTP, sctp(10003, 3868, 0, sctp_init(1))[:10], "inv", "cut short")


@case("sctp: a wrong CRC is invalid with checksum=1")
def _(rig):
    src, dst = addresses("c", 4)
    send(rig, "c", 4, SCTP, sctp(10004, 3868, 0, sctp_init(1), bad_crc=True), "inv")
    rig.r.sysctl("checksum", 0)
    send(rig, "c", 4, SCTP, sctp(10004, 3868, 0, sctp_init(1), bad_crc=True), "new/o")
    rig.r.sysctl("checksum", 1)


@case("sctp: real sockets over loopback")
def _(rig):
    run("modprobe", "-q", "sctp", ok=False)
    rig.reset()
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            server = rig.r.socket(family, socket.SOCK_STREAM, SCTP)
        except OSError as e:
            check(not FLOWTRACK, f"no SCTP: {e}")
            return
        server.bind((host, 10005))
        server.listen(1)
        client = rig.r.socket(family, socket.SOCK_STREAM, SCTP)
        client.settimeout(10)
        client.connect((host, 10005))
        peer, _ = server.accept()
        client.send(b"hello")
        equal(peer.recv(100), b"hello", "data")
        found = rig.r.flows(proto="sctp", odport=10005, family=4 if family == socket.AF_INET else 6)
        check(any(f["state"] == "established" for f in found), f"flows: {found}")
        for s in (client, peer, server):
            s.close()
    rig.check_not_in_conntrack()


@case("gre with and without a key, with another one in each direction: one flow for two hosts")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        for keys in ((None, None), (0x01020304, 0x01020304), (1, 2), (None, 3)):
            rig.reset()
            send(rig, "c", family, GRE, gre(keys[0]), "new/o", f"keys {keys}")
            send(rig, "s", family, GRE, gre(keys[1]), "est/r+s", f"keys {keys}")
            send(rig, "c", family, GRE, gre(keys[0]), "est/o+sa", f"keys {keys}")
            equal(len(rig.r.flows(proto="gre")), 1, "flows")


def dccp(src, dst, sport, dport, kind):
    """A request (0) or a response (1)."""
    size = 20 if kind == 0 else 28
    l4 = struct.pack("!HHBBHBBHI", sport, dport, size // 4, 0, 0, kind << 1 | 1, 0, 0, 7) + b"\0" * (size - 16)
    return fill_checksum(src, dst, 33, l4, 6)


@case("dccp: nf_conntrack's, with its ports and states where nf_conntrack knows them")
def _(rig):
    rig.reset()
    c, s = Rig.C[4], Rig.S[4]
    send(rig, "c", 4, 33, dccp(c, s, 4000, 5001, 0), "new/o", "request")
    send(rig, "s", 4, 33, dccp(s, c, 5001, 4000, 1), "est/r+s", "response")
    # 7.x has dropped DCCP: there the two hosts have one flow, as with any protocol that nobody knows.
    known = os.path.exists("/proc/sys/net/netfilter/nf_conntrack_dccp_loose")
    send(rig, "c", 4, 33, dccp(c, s, 4000, 9999, 0), "new/o" if known else "est/o+s", "request to another port")
    send(rig, "s", 4, 33, dccp(s, c, 9998, 4000, 0), "new/o" if known else "est/r+s", "request from the server")
    send(rig, "c", 4, 33, dccp(c, s, 4001, 5001, 1), "inv" if known else "est/o+s", "a response that nobody asked for")
    equal(rig.r.conntrack_count(), 3 if known else 1, "entries of nf_conntrack")
    if FLOWTRACK:
        equal(rig.r.tool("list", "own")[1], "", "own flows")
        check(rig.r.tool("add", "proto", "33", "src", c, "dst", s, "sport", "1", "dport", "2", ok=False)[0], "one was added")
    rig.r.conntrack_flush()


@case("protocols that nobody knows: new, then established by a reply; ipip, esp, 253")
def _(rig):
    rig.reset()
    for family in FAMILIES:
        for proto in (4, 50, 253):
            send(rig, "c", family, proto, b"\1" * 20, "new/o")
            send(rig, "c", family, proto, b"\1" * 20, "new/o")
            send(rig, "s", family, proto, b"\1" * 20, "est/r+s")
            send(rig, "c", family, proto, b"\1" * 20, "est/o+s")
    equal(len(rig.r.flows()), 6, "flows")


@case("a protocol without any payload")
def _(rig):
    send(rig, "c", 4, 252, b"", "new/o")


@case("udp and udplite: assured after two seconds of talking to each other")
def _(rig):
    if not FLOWTRACK:
        rig.r.sysctl("checksum", 0)
    rig.reset()
    ports = {"c": (501, 53), "s": (53, 501)}
    for round_number in range(2):
        for family in FAMILIES:
            for proto in (UDP, UDPLITE):
                for side in "csc":
                    src, dst = addresses(side, family)
                    length = 0 if proto == UDPLITE else None
                    packet = rig.packet(side, proto, udp(src, dst, *ports[side], b"x" * 9, length=length, proto=proto),
                                        family)
                    seen = rig.stamp(side, packet)
                    check(seen.startswith("est") or not round_number, f"protocol {proto}: {seen}")
        if not round_number:
            time.sleep(2.2)  # the definition of a stream: there is nothing to poll for
    for family in FAMILIES:
        for name in ("udp", "udplite"):
            flow = rig.r.flow(proto=name, family=family, osport=501)
            check(flow["assured"], f"not assured: {flow}")
            check(flow["timeout"] > 60, f"not the timeout of a stream: {flow}")
    rig.check_not_in_conntrack()


main(Rig)
