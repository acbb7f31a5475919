#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Packets that a program in user space holds for a while."""

from lib import *

def stamps(packets):
    return [stamp_name(p[1] >> 2 if p[0] >> 4 == 4 else (p[0] << 8 | p[1]) >> 6 & 63) for p in packets]


def answer(rig, family, sport):
    return rig.stamp("s", rig.packet("s", UDP, udp(Rig.S[family], Rig.C[family], 53, sport), family))


@case("accepted by user space: entered, and established from then on")
def _(rig):
    rig.reset(QUEUE_RULES)
    queue = Queue(rig.r)
    for family in (4, 6):
        rig.c.send(queue_packet(family, 1000))
        ident = queue.receive(1)[0]
        equal(rig.s.receive(), [], "packets that came through before the verdict")
        if FLOWTRACK:
            equal(rig.r.flows(family=family), [], "flows before the verdict")
        queue.verdict(ident, NF_ACCEPT)
        rig.c.flush()
        equal(stamps(rig.s.receive()), ["new/o"], "packets after the verdict")
        equal(answer(rig, family, 1000), "est/r+s", "answer")
    queue.close()
    rig.check_not_in_conntrack()


@case("dropped by user space: not entered")
def _(rig):
    rig.reset(QUEUE_RULES)
    queue = Queue(rig.r)
    rig.c.send(queue_packet(4, 1001))
    queue.verdict(queue.receive(1)[0], NF_DROP)
    rig.c.flush()
    equal(rig.r.flows(), [], "flows")
    queue.close()


@case("five hundred packets held at once, released in reverse order: each has its own flow")
def _(rig):
    rig.reset(QUEUE_RULES)
    queue = Queue(rig.r)
    for i in range(500):
        rig.c.send(queue_packet(4, 2000 + i))
    idents = queue.receive(500)
    for ident in reversed(idents):
        queue.verdict(ident, NF_ACCEPT)
    rig.c.flush()
    equal(stamps(rig.s.receive()), ["new/o"] * 500, "packets")
    flows = rig.r.flows()
    equal({f["orig"]["sport"] for f in flows}, set(range(2000, 2500)), "ports of the flows")
    equal(answer(rig, 4, 2250), "est/r+s", "answer")
    queue.close()
    rig.check_not_in_conntrack()


@case("two first packets of the same flow are held: one flow, both come through")
def _(rig):
    rig.reset(QUEUE_RULES)
    queue = Queue(rig.r)
    rig.c.send(queue_packet(4, 3000))
    rig.c.send(queue_packet(4, 3000))
    for ident in queue.receive(2):
        queue.verdict(ident, NF_ACCEPT)
    rig.c.flush()
    out = rig.s.receive()
    equal(len(out), 2, "packets")
    equal(len(rig.r.flows()), 1, "flows")
    queue.close()


@case("marks set while packets are held stay with their flows")
def _(rig):
    rig.reset("""
table inet t {
	chain pre {
		type filter hook prerouting priority -150
		ct mark 1 ip dscp set 1
		ct mark 2 ip dscp set 2
	}
	chain forw {
		type filter hook forward priority 0
		udp dport 53 udp sport 4001 ct mark set 1
		udp dport 53 udp sport 4002 ct mark set 2
		ct state new queue num 0
	}
}""")
    queue = Queue(rig.r)
    for sport in (4001, 4002, 4003):
        rig.c.send(queue_packet(4, sport))
    for ident in queue.receive(3)[::-1]:
        queue.verdict(ident, NF_ACCEPT)
    rig.c.flush()
    for sport, mark in ((4001, 1), (4002, 2), (4003, 0)):
        packet = rig.packet("s", UDP, udp(Rig.S[4], Rig.C[4], 53, sport), 4)
        equal(rig.stamp("s", packet, raw=True), mark, f"mark of the flow of port {sport}")
    queue.close()


@case("the consumer goes away with packets in the queue: they are gone, and nothing is entered")
def _(rig):
    rig.reset(QUEUE_RULES)
    queue = Queue(rig.r)
    for i in range(50):
        rig.c.send(queue_packet(4, 5000 + i))
    queue.receive(50)
    queue.close()
    busywait(10, lambda: not rig.r.run("cat", "/proc/net/netfilter/nfnetlink_queue", ok=False)[1].strip(), "no queue")
    equal(rig.r.flows(), [], "flows")


main(Rig)
