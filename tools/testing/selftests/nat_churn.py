#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""50 000 clients behind four addresses, whose flows come and go: nobody hears the answer to another one's question."""
# TIMEOUT: 400

import os
import random
import socket
import struct
import time

from lib import *

CLIENTS = 50000
ROUNDS = int(os.environ.get("FT_CHURN_ROUNDS", "2"))
# Questions on their way at the same time.
BATCH = 250
NETWORK = 10 << 24 | 64 << 16  # 10.64.0.0/16
POOL = ("10.9.2.101", "10.9.2.104")
# Flows are over so soon, in seconds: their ports are given to others while the test runs.
TIMEOUT = 5
RULES = f"""
table ip nat {{
	chain post {{
		type nat hook postrouting priority 100
		oif rs snat to {"-".join(POOL)}
	}}
}}"""


def setup():
    rig = Rig(RULES)
    rig.r.ip("route add 10.64.0.0/16 via 10.9.1.2 dev rc")
    rig.r.sysctl("max", 4 * CLIENTS)
    for name in ("udp_timeout", "udp_timeout_stream"):
        rig.r.sysctl(name, TIMEOUT)
    return rig


def datagram(src, dst, sport, dport, data):
    """UDP without a checksum, which IPv4 allows: there are many to be made."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(data), 0, 0, 64, UDP, 0, src, dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


def read(packet):
    """(source, destination, source port, destination port, data) of a datagram."""
    return packet[12:16], packet[16:20], *struct.unpack("!HH", packet[20:24]), packet[28:]


def questions(rig, asked):
    """Send {(address, port): data}. Return: the datagrams that the server sees."""
    for (addr, port), data in asked.items():
        rig.c.send(datagram(addr, pton(Rig.S[4]), port, 53, data))
    rig.c.flush()
    return [read(p) for p in rig.s.receive() if p[9] == UDP]


def ask(rig, asked, seen):
    """A question of each client, and its answer. seen: what the server sees of whom, from an earlier question."""
    heard = questions(rig, asked)
    equal(sorted(p[4] for p in heard), sorted(asked.values()), "questions that the server hears")
    for src, dst, sport, dport, data in heard:
        check(data not in seen or seen[data] == (src, sport), f"a client has become {socket.inet_ntoa(src)}:{sport}")
        seen[data] = src, sport
        rig.s.send(datagram(dst, src, dport, sport, data))
    rig.s.flush()
    answers = [read(p) for p in rig.c.receive() if p[9] == UDP]
    wrong = [p for p in answers if asked.get((p[1], p[3])) != p[4]]
    equal(len(wrong), 0, f"answers that another client hears, of {len(answers)}")
    equal(len(answers), len(asked), "answers")


@case("no answer goes to another client")
def _(rig):
    start, flows = time.monotonic(), 0
    for number in range(ROUNDS):
        clients = random.sample(range(CLIENTS), CLIENTS)
        for first in range(0, CLIENTS, BATCH):
            # One in ten has the port that others have, too.
            asked = {(struct.pack("!I", NETWORK + client), random.choice([5353] + 9 * [random.randrange(1024, 65536)])):
                     struct.pack("!II", client, number) for client in clients[first:first + BATCH]}
            seen = {}
            ask(rig, asked, seen)
            equal(len(set(seen.values())), len(asked), "clients that the server can tell from each other")
            # A client that asks again is the same.
            again = dict(random.sample(list(asked.items()), BATCH // 10))
            ask(rig, again, seen)
            flows += len(asked)
    took = time.monotonic() - start
    print(f"# {flows} flows in {took:.0f} s, {flows / took:.0f} a second; as many as {flows / 3600:.0f} a second in an hour")
    if FLOWTRACK:
        stats = rig.r.tool_json("stats")
        equal((stats["nat_ports_full"], rig.r.conntrack_count()), (0, 0), "packets without a port, and entries of nf_conntrack")
        check(stats["expire"] > flows / 10, f"only {stats['expire']} of {flows} flows are over: nothing churns")


main(setup)
