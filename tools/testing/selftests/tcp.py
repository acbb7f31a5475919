#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""TCP connections made by hand: every way to open, use and close one, and what must be invalid."""

import struct

from lib import *

FAMILIES = (4, 6)
WSCALE7 = b"\3\3\7\1"
SACK_OK = b"\4\2\1\1"

ports = iter(range(20000, 60000))


def new(rig, family=4, **kw):
    return Tcp(rig, family, sport=next(ports), **kw)


def state(t, wanted):
    equal(t.flow()["state"], wanted, "state of the flow")


@case("close by the client: fin_wait, close_wait, last_ack, time_wait")
def _(rig):
    for family in FAMILIES:
        t = new(rig, family).open()
        t.send("c", "FA", "est/o+sa", 1, 1)
        state(t, "fin_wait")
        t.send("s", "A", "est/r+sa", 1, 2)
        state(t, "close_wait")
        t.send("s", "FA", "est/r+sa", 1, 2)
        state(t, "last_ack")
        t.send("c", "A", "est/o+sa", 2, 2)
        state(t, "time_wait")
        check(t.flow()["timeout"] <= 120, f"timeout in time_wait: {t.flow()}")


@case("close by the server, FIN with data")
def _(rig):
    for family in FAMILIES:
        t = new(rig, family).open()
        t.send("s", "FPA", "est/r+sa", 1, 1, data=b"z" * 10)
        state(t, "fin_wait")
        t.send("c", "A", "est/o+sa", 1, 12)
        state(t, "close_wait")
        t.send("c", "FA", "est/o+sa", 1, 12)
        state(t, "last_ack")
        t.send("s", "A", "est/r+sa", 12, 2)
        state(t, "time_wait")


@case("simultaneous close")
def _(rig):
    t = new(rig).open()
    t.send("c", "FA", "est/o+sa", 1, 1)
    t.send("s", "FA", "est/r+sa", 1, 1)
    t.send("c", "A", "est/o+sa", 2, 2)
    t.send("s", "A", "est/r+sa", 2, 2)
    state(t, "time_wait")


@case("half-closed: the other side goes on sending")
def _(rig):
    t = new(rig).open()
    t.send("c", "FA", "est/o+sa", 1, 1)
    t.send("s", "A", "est/r+sa", 1, 2)
    for i in range(3):
        t.send("s", "PA", "est/r+sa", 1 + i * 100, 2, data=b"d" * 100)
        t.send("c", "A", "est/o+sa", 2, 101 + i * 100)
    state(t, "close_wait")


@case("refused: SYN, RST/ACK; the next SYN is a new connection")
def _(rig):
    for family in FAMILIES:
        t = new(rig, family)
        t.send("c", "S", "new/o")
        t.send("s", "RA", "est/r+s", 0, 1)
        left = rig.r.flows(osport=t.ports["c"][0], family=family)
        check(all(f["state"] == "close" for f in left), f"flow after the RST: {left}")
        t.isn["c"] += 100000
        t.send("c", "S", "new/o")
        t.send("s", "SA", "est/r+s", 0, 1)
        t.send("c", "A", "est/o+sa", 1, 1)


@case("RST with the next sequence number closes")
def _(rig):
    for side in "cs":
        t = new(rig).open()
        t.send(side, "RA", "est/o+sa" if side == "c" else "est/r+sa", 1, 1)
        state(t, "close")
        check(t.flow()["timeout"] <= 10, f"timeout: {t.flow()}")


@case("RST far outside of the window is invalid and closes nothing")
def _(rig):
    t = new(rig).open()
    t.send("s", "R", "inv", 1000000)
    t.send("c", "R", "inv", 0x60000000)
    state(t, "established")
    t.send("c", "PA", "est/o+sa", 1, 1, data=b"x")


@case("tcp_ignore_invalid_rst: such a RST passes, and still closes nothing")
def _(rig):
    # Before what the client has acknowledged.
    t = new(rig).open()
    t.send("s", "R", "inv", 0)
    rig.r.sysctl("tcp_ignore_invalid_rst", 1)
    t = new(rig).open()
    t.send("s", "R", "est/r+sa", 0)
    state(t, "established")
    rig.r.sysctl("tcp_ignore_invalid_rst", 0)


@case("half-open: repeated SYN and SYN/ACK")
def _(rig):
    for family in FAMILIES:
        t = new(rig, family)
        for _ in range(3):
            t.send("c", "S", "new/o")
        state(t, "syn_sent")
        t.send("s", "SA", "est/r+s", 0, 1)
        t.send("s", "SA", "est/r+s", 0, 1)
        state(t, "syn_recv")
        t.send("c", "A", "est/o+sa", 1, 1)
        t.send("s", "SA", "est/r+sa", 0, 1)
        state(t, "established")


@case("SYN/ACK that acknowledges something else is invalid")
def _(rig):
    t = new(rig)
    t.send("c", "S", "new/o")
    t.send("s", "SA", "inv", 0, 5000)
    state(t, "syn_sent")
    t.send("s", "SA", "est/r+s", 0, 1)


@case("data outside of the window is invalid, in both directions")
def _(rig):
    for family in FAMILIES:
        t = new(rig, family).open()
        t.send("c", "PA", "inv", 1 + 1000000, 1, data=b"x" * 100)
        t.send("s", "PA", "inv", 1 + 1000000, 1, data=b"x" * 100)
        t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 100)
        t.send("s", "PA", "est/r+sa", 1, 101, data=b"x" * 100)
        state(t, "established")


@case("ACK of what was never sent is invalid")
def _(rig):
    t = new(rig).open()
    t.send("c", "A", "inv", 1, 1000001)
    t.send("s", "A", "inv", 1, 1000001)
    t.send("c", "A", "est/o+sa", 1, 1)


@case("tcp_be_liberal: data outside of the window is established")
def _(rig):
    rig.r.sysctl("tcp_be_liberal", 1)
    t = new(rig).open()
    t.send("c", "PA", "est/o+sa", 1 + 1000000, 1, data=b"x" * 100)
    t.send("s", "PA", "est/r+sa", 1 + 1000000, 1, data=b"x" * 100)
    rig.r.sysctl("tcp_be_liberal", 0)


@case("segments in any order within the window")
def _(rig):
    t = new(rig).open()
    for seq in (1001, 2001, 1, 3001, 1001):
        t.send("c", "A", "est/o+sa", seq, 1, data=b"x" * 1000)
    t.send("s", "A", "est/r+sa", 1, 4001)


@case("window scaling: a window of 64 KiB scaled by 7 admits what follows 1 MB behind")
def _(rig):
    t = new(rig).open(options=WSCALE7)
    t.send("s", "A", "est/r+sa", 1, 1, win=65535)
    t.send("c", "A", "est/o+sa", 1000001, 1, data=b"x" * 1000)
    t.send("c", "A", "inv", 1 + 65535 * 128 * 4, 1, data=b"x" * 1000)


@case("window scaling offered by one side only is not used")
def _(rig):
    t = new(rig)
    t.send("c", "S", "new/o", options=WSCALE7)
    t.send("s", "SA", "est/r+s", 0, 1)
    t.send("c", "A", "est/o+sa", 1, 1)
    t.send("s", "A", "est/r+sa", 1, 1, win=65535)
    t.send("c", "A", "inv", 1000001, 1, data=b"x" * 1000)


@case("sequence numbers wrap")
def _(rig):
    for family in FAMILIES:
        t = new(rig, family, isn=(0xfffffff0, 0xffffff00)).open()
        seq = ack = 1
        for _ in range(4):
            t.send("c", "PA", "est/o+sa", seq, ack, data=b"x" * 100)
            seq += 100
            t.send("s", "PA", "est/r+sa", ack, seq, data=b"y" * 100)
            ack += 100
        t.send("c", "A", "est/o+sa", seq, ack)
        t.send("c", "PA", "inv", seq + 0x70000000, ack, data=b"x")


@case("SACK blocks do not confuse the window")
def _(rig):
    t = new(rig).open(options=SACK_OK)
    t.send("c", "A", "est/o+sa", 1001, 1, data=b"x" * 1000)
    isn = t.isn["c"]
    t.send("s", "A", "est/r+sa", 1, 1, options=b"\1\1\5\12" + struct.pack("!II", isn + 1001, isn + 2001))
    t.send("c", "A", "est/o+sa", 1, 1, data=b"x" * 1000)
    t.send("s", "A", "est/r+sa", 1, 2001)


@case("keepalive probes and their answers are established")
def _(rig):
    t = new(rig).open()
    t.send("c", "A", "est/o+sa", 0, 1)
    t.send("s", "A", "est/r+sa", 1, 1)
    t.send("c", "A", "est/o+sa", 0, 1, data=b"\0")
    t.send("s", "A", "est/r+sa", 1, 1)


@case("zero window and its probes are established")
def _(rig):
    t = new(rig).open()
    t.send("c", "A", "est/o+sa", 1, 1, data=b"x" * 1000)
    t.send("s", "A", "est/r+sa", 1, 1001, win=0)
    t.send("c", "A", "est/o+sa", 1000, 1)
    t.send("s", "A", "est/r+sa", 1, 1001, win=0)
    t.send("s", "A", "est/r+sa", 1, 1001, win=20000)
    t.send("c", "A", "est/o+sa", 1001, 1, data=b"x" * 1000)


@case("mid-stream pickup with tcp_loose=1: new, then established, data in both directions")
def _(rig):
    for family in FAMILIES:
        t = new(rig, family)
        t.send("c", "PA", "new/o", 1, 1, data=b"x" * 100)
        t.send("s", "A", "est/r+s", 1, 101)
        t.send("c", "PA", "est/o+sa", 101, 1, data=b"x" * 100)
        t.send("s", "PA", "est/r+sa", 1, 201, data=b"y" * 100)
        state(t, "established")


@case("mid-stream with tcp_loose=0: invalid, nothing is entered")
def _(rig):
    rig.r.sysctl("tcp_loose", 0)
    rig.reset()
    for family in FAMILIES:
        t = new(rig, family)
        t.send("c", "PA", "inv", 1, 1, data=b"x" * 100)
        t.send("s", "A", "inv", 1, 101)
        new(rig, family).open()
    equal(len(rig.r.flows()), 2, "number of flows")
    rig.r.sysctl("tcp_loose", 1)


@case("mid-stream FIN and RST open nothing")
def _(rig):
    rig.reset()
    new(rig).send("c", "FA", "inv", 1, 1)
    new(rig).send("c", "RA", "inv", 1, 1)
    equal(rig.r.flows(), [], "flows")


@case("simultaneous open")
def _(rig):
    for family in FAMILIES:
        t = new(rig, family)
        t.send("c", "S", "new/o")
        t.send("s", "S", "est/r+s")
        state(t, "syn_sent2")
        t.send("c", "SA", "est/o+s", 0, 1)
        t.send("s", "SA", "est/r+s", 0, 1)
        t.send("c", "A", "est/o+sa", 1, 1)
        t.send("s", "A", "est/r+sa", 1, 1)
        state(t, "established")


def closed(rig):
    t = new(rig).open()
    t.send("c", "FA", "est/o+sa", 1, 1)
    t.send("s", "FA", "est/r+sa", 1, 2)
    t.send("c", "A", "est/o+sa", 2, 2)
    state(t, "time_wait")
    return t


@case("a SYN reopens a connection in time-wait: new, the old flow is gone")
def _(rig):
    t = closed(rig)
    t.isn["c"] += 500000
    t.send("c", "S", "new/o")
    state(t, "syn_sent")
    t.isn["s"] += 700000
    t.send("s", "SA", "est/r+s", 0, 1)
    t.send("c", "A", "est/o+sa", 1, 1)
    state(t, "established")


@case("a SYN from the other side reopens a connection in time-wait, too")
def _(rig):
    t = closed(rig)
    t.isn["s"] += 500000
    t.send("s", "S", "new/o")
    t.isn["c"] += 500000
    t.send("c", "SA", "est/r+s", 0, 1)
    t.send("s", "A", "est/o+sa", 1, 1)


@case("late packets in time-wait leave it in time-wait")
def _(rig):
    t = closed(rig)
    t.send("s", "FA", "est/r+sa", 1, 2)
    t.send("c", "A", "est/o+sa", 2, 2)
    state(t, "time_wait")


@case("repeated data stays established, its timeout falls after tcp_max_retrans")
def _(rig):
    t = new(rig).open()
    for _ in range(3):
        t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 100)
    for _ in range(3):
        t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 100)
    check(t.flow()["timeout"] <= 300, f"timeout after 5 retransmissions: {t.flow()}")
    t.send("s", "A", "est/r+sa", 1, 101)
    check(t.flow()["timeout"] > 1000, f"timeout after the acknowledgment: {t.flow()}")


@case("unacknowledged data: the timeout is tcp_timeout_unacknowledged")
def _(rig):
    rig.r.sysctl("tcp_timeout_unacknowledged", 77)
    t = new(rig).open()
    check(t.flow()["timeout"] > 1000, f"timeout before: {t.flow()}")
    t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 100)
    check(70 < t.flow()["timeout"] <= 77, f"timeout with unacknowledged data: {t.flow()}")
    t.send("s", "A", "est/r+sa", 1, 101)
    check(t.flow()["timeout"] > 1000, f"timeout after: {t.flow()}")
    rig.r.sysctl("tcp_timeout_unacknowledged", 300)


@case("a SYN on an established connection ends nothing; the challenge ACK is established")
def _(rig):
    t = new(rig).open()
    t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 100)
    t.send("s", "A", "est/r+sa", 1, 101)
    isn, t.isn["c"] = t.isn["c"], t.isn["c"] + 400000
    t.send("c", "S", "est/o+sa")
    t.isn["c"] = isn
    t.send("s", "A", "est/r+sa", 1, 101)
    t.send("c", "PA", "est/o+sa", 101, 1, data=b"x" * 100)
    state(t, "established")


@case("a lost connection is reopened: SYN, challenge ACK, RST, SYN")
def _(rig):
    t = new(rig).open()
    t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 100)
    t.send("s", "A", "est/r+sa", 1, 101)
    isn, t.isn["c"] = t.isn["c"], t.isn["c"] + 400000
    t.send("c", "S", "est/o+sa")
    t.isn["c"] = isn
    t.send("s", "A", "est/r+sa", 1, 101)
    t.send("c", "R", "est/o+sa", 101)
    state(t, "close")
    t.isn["c"] = isn + 400000
    t.send("c", "S", "new/o")
    t.isn["s"] += 123456
    t.send("s", "SA", "est/r+s", 0, 1)
    t.send("c", "A", "est/o+sa", 1, 1)
    state(t, "established")


@case("SYN with data (fast open) and with ECN bits")
def _(rig):
    t = new(rig)
    t.send("c", "S", "new/o", data=b"GET /")
    t.send("s", "SA", "est/r+s", 0, 6)
    t.send("c", "A", "est/o+sa", 6, 1)
    t = new(rig)
    t.send("c", "SEW", "new/o")
    t.send("s", "SAE", "est/r+s", 0, 1)
    t.send("c", "A", "est/o+sa", 1, 1)


def flag_case(label, flags, wanted):
    @case(f"flags of a first segment: {label}")
    def _(rig):
        for family in FAMILIES:
            new(rig, family).send("c", flags, wanted, 1, 1)


for label, flags, wanted in (("none", "", "inv"), ("SYN/FIN", "SF", "inv"), ("SYN/RST", "SR", "inv"),
                             ("FIN/PSH/URG", "FPU", "inv"), ("all", "FSRPAU", "inv"), ("FIN/RST", "FR", "inv"),
                             ("URG", "U", "inv"), ("PSH", "P", "inv"), ("SYN/PSH", "SP", "new/o"),
                             ("SYN/URG", "SU", "new/o"), ("ACK/URG", "AU", "new/o")):
    flag_case(label, flags, wanted)


@case("headers that are cut short or lie about their length are invalid")
def _(rig):
    for family in FAMILIES:
        good = tcp(Rig.C[family], Rig.S[family], next(ports), 80, "S")
        for what, l4 in (("10 bytes", good[:10]), ("19 bytes", good[:19]), ("none at all", b""),
                         ("offset 4", tcp(Rig.C[family], Rig.S[family], next(ports), 80, "S", doff=4)),
                         ("offset 15", tcp(Rig.C[family], Rig.S[family], next(ports), 80, "S", doff=15))):
            rig.expect("c", rig.packet("c", TCP, l4, family), "inv", f"IPv{family}: {what}")


@case("nothing of all this is in nf_conntrack's table")
def _(rig):
    rig.check_not_in_conntrack()


main(Rig)
