#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A CPU goes offline and comes back, under traffic: what the packets have that it has seen, and what it keeps for later
ones."""
# CPUS: 2

import os
import re
import socket

from lib_net import *

ONLINE = "/sys/devices/system/cpu/cpu1/online"
PORT = 53
HELD = 1000
RULES = """
table inet t {
	chain forward {
		type filter hook forward priority 0; policy drop
		ct state established accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
		tcp dport 1-65535 ct state new accept
		udp dport 54 ct state new accept
		udp dport 53 udp sport 10000-10099 ct mark set 7
		udp dport 53 ct state new queue num 0
	}
	chain answers {
		type filter hook postrouting priority 0
		udp sport 53 ct mark 7 counter name marked
	}
	counter marked { }
}
"""


def cpu1(online):
    # This thread goes first: it would lose its mask otherwise.
    if not online:
        run_on(0)
    with open(ONLINE, "w", encoding="ascii") as f:
        f.write(str(int(online)))


def run_on(cpu):
    os.sched_setaffinity(0, {cpu})


def carriers():
    """Objects in the caches of the size that carriers have, all together. Some are counted that are free."""
    with open("/proc/slabinfo", encoding="ascii") as f:
        return sum(int(m[1]) for m in re.finditer(r"^kmalloc(?:-cg|-rnd-\d+)?-1k\s+(\d+)", f.read(), re.M))


class Held:
    """First packets of flows that the router's queue holds. This thread's CPU has forwarded them."""

    def __init__(self, net, first, n):
        self.queue = Queue(net.r)
        self.server = listen(net.s, net.S[4], PORT, "udp")
        self.socks = []
        for port in range(first, first + n):
            sock = net.c.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((net.C[4], port))
            sock.settimeout(10)
            sock.sendto(b"hello", (net.S[4], PORT))
            self.socks.append(sock)
        self.idents = self.queue.receive(n)

    def release(self):
        """They come through, and are established from then on."""
        for ident, sock in reversed(list(zip(self.idents, self.socks))):
            self.queue.verdict(ident, 1)
            peer = self.server.recvfrom(100)[1]
            equal(peer, sock.getsockname(), "the client that the server heard")
            self.server.sendto(b"welcome", peer)
            equal(sock.recv(100), b"welcome", "the answer")

    def close(self):
        self.queue.close()
        for sock in (self.server, *self.socks):
            sock.close()


def setup():
    net = Net(RULES)
    # The neighbours know each other.
    Talk(net.c, net.s, net.S[4], 54, proto="udp").close()
    return net


@case("packets that were held while their CPU went come through, with what rules wrote; it is used again")
def _(net):
    for turn in range(2):
        run_on(1)
        held = Held(net, 10000 + turn * 50, 50)
        cpu1(False)
        held.release()
        cpu1(True)
        run_on(1)
        for sock in held.socks:
            sock.sendto(b"again", (net.S[4], PORT))
            equal(held.server.recvfrom(100)[0], b"again", "a packet of the CPU that is back")
        held.close()
    equal(net.counters()["marked"], 100, "answers of flows that have the mark")


@case("the memory of packets that a CPU has seen comes back while it is away", only="flowtrack")
def _(net):
    run_on(1)
    before = carriers()
    held = Held(net, 20000, HELD)
    # Before the CPU's own timer finds one free.
    cpu1(False)
    held.release()
    held.close()
    busywait(20, lambda: carriers() < before + HELD // 2, "half of what packets had is free")
    cpu1(True)


@case("connections outlast a CPU that goes and comes ten times, while packets are held and released")
def _(net):
    # The connections' threads may be on both.
    os.sched_setaffinity(0, {0, 1})
    talks = [Talk(net.c, net.s, net.S[family], 7000 + n, proto=proto).start()
             for n, (family, proto) in enumerate(((4, "tcp"), (6, "tcp"), (4, "tcp")))]
    for turn in range(10):
        run_on(turn % 2)
        held = Held(net, 30000 + turn * 100, 100)
        cpu1(False)
        held.release()
        all_alive(talks, f"the CPU that went, turn {turn}")
        cpu1(True)
        run_on(1)
        held.close()
    all_alive(talks, "all that")
    for talk in talks:
        talk.close()


def restore(net):
    cpu1(True)
    teardown(net)


main(setup, restore)
