#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Looking ahead: packets that are received in lists, through devices that come, go, change name and namespace.

A device of the type veth hands packets up by NAPI once GRO is asked for; a datagram of eight segments, which the sender
cuts up since the device takes no more than one, comes out as a list of eight.
"""
# TIMEOUT: 180
# CPUS: 2

import array
import fcntl
import os
import re
import socket
import struct
import threading

from lib import *

A, B = "10.8.1.1", "10.8.1.2"
LIST, SIZE = 8, 64
UDP_SEGMENT = 103
SIOCETHTOOL, STSO, SGRO = 0x8946, 0x1f, 0x2c


def ethtool(ns, device, what, value):
    argument = array.array("I", (what, value))
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sQ16x", device.encode(), argument.buffer_info()[0]))


class Pair:
    """Two namespaces, and a wire from "ab" to "ba" that brings lists."""

    def __init__(self):
        load_if_wanted()
        self.a, self.b = Ns("a"), Ns("b")
        self.b.nft("""
table inet t {
	counter new { }
	counter established { }
	counter other { }
	chain raw {
		type filter hook prerouting priority -300
	}
	chain in {
		type filter hook input priority 0
		udp dport 7000-7099 ct state new counter name new accept
		udp dport 7000-7099 ct state established counter name established accept
		udp dport 7000-7099 counter name other
	}
}""")
        self.wire()
        if FLOWTRACK:
            self.b.sysctl("lookahead", 1)

    def wire(self):
        self.a.ip(f"link add ab type veth peer name ba netns {self.b.name}", f"addr add {A}/24 dev ab",
                  "link set ab gso_max_segs 1", "link set ab up")
        self.b.ip(f"addr add {B}/24 dev ba", "link set ba up")
        ethtool(self.a, "ab", STSO, 0)
        ethtool(self.b, "ba", SGRO, 1)

    def unwire(self):
        self.a.ip("link del ab")

    def ahead(self):
        return self.b.tool_json("stats")["lookahead"]

    def seen(self):
        """{name: packets} of the counters."""
        out = self.b.run("nft", "list", "counters")[1]
        return {m[1]: int(m[2]) for m in re.finditer(r"counter (\S+) \{\s+packets (\d+)", out)}

    def send(self, n, port=7000, to=B, size=LIST):
        """So many lists of datagrams, all of which arrive. Return: how many packets were looked for ahead."""
        server = self.b.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        server.settimeout(10)
        server.bind((to, port))
        client = self.a.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if size > 1:
            client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
        client.connect((to, port))
        # Neighbours are found before.
        client.send(b"x" * SIZE)
        equal(len(server.recv(100)), SIZE, "length of the first datagram")
        before = self.ahead()
        for _ in range(n):
            client.send(b"x" * SIZE * size)
            for _ in range(size):
                server.recv(100)
        client.close()
        server.close()
        return self.ahead() - before


def lists(pair, text, wanted=100 * LIST, **how):
    equal(pair.send(100, **how), wanted, f"{text}: packets looked for ahead, of {100 * LIST}")


@case("a veth with NAPI: all packets of its lists are looked for ahead", only="flowtrack")
def _(pair):
    lists(pair, "veth")


@case("the states are those that nf_conntrack says")
def _(pair):
    if FLOWTRACK:
        pair.b.flush()
    pair.b.run("nft", "reset", "counters")
    server = pair.b.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((B, 7050))
    server.settimeout(10)
    client = pair.a.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
    client.connect((B, 7050))
    for _ in range(2):
        client.send(b"x" * SIZE * LIST)
        for _ in range(LIST):
            peer = server.recvfrom(100)[1]
        server.sendto(b"answer", peer)
        client.recv(100)
    equal(pair.seen(), {"new": LIST, "established": LIST, "other": 0}, "packets by state")
    equal(len(pair.b.flows(odport=7050)), 1, "flows")
    client.close()
    server.close()


@case("0: none is", only="flowtrack")
def _(pair):
    pair.b.sysctl("lookahead", 0)
    lists(pair, "lookahead=0", wanted=0)
    pair.b.sysctl("lookahead", 1)


@case("auto: those of lists are, those that come one by one are not for long", only="flowtrack")
def _(pair):
    pair.b.sysctl("lookahead", "auto")
    # It may have found before that nothing is to be gained, and looks again in time.
    busywait(100, lambda: pair.send(20) == 20 * LIST, "lists are looked at again")
    gained = pair.send(2000, size=1)
    check(gained < 400, f"one by one: {gained} packets of 2000 were looked for ahead")
    pair.b.sysctl("lookahead", 1)


@case("a packet that a rule changes in the raw table is tracked as what it is", only="flowtrack")
def _(pair):
    pair.b.flush()
    pair.b.nft("add rule inet t raw udp dport 7060 udp dport set 7061")
    before = pair.ahead()
    server = pair.b.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.settimeout(10)
    server.bind((B, 7061))
    client = pair.a.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
    client.connect((B, 7060))
    client.send(b"x" * SIZE * LIST)
    for _ in range(LIST):
        server.recv(100)
    equal(pair.ahead() - before, 0, "packets looked for ahead that had another port by then")
    equal((len(pair.b.flows(odport=7060)), len(pair.b.flows(odport=7061))), (0, 1), "flows of the old and the new port")
    client.close()
    server.close()
    pair.b.run("nft", "flush", "chain", "inet", "t", "raw")


@case("a VLAN, also one whose lower device is in another namespace", only="flowtrack")
def _(pair):
    lower = Ns("lower")
    pair.a.ip("link add link ab name ab.7 type vlan id 7", "addr add 10.8.7.1/24 dev ab.7", "link set ab.7 gso_max_segs 1",
              "link set ab.7 up")
    pair.b.ip("link add link ba name ba.7 type vlan id 7", "addr add 10.8.7.2/24 dev ba.7", "link set ba.7 up")
    lists(pair, "VLAN", to="10.8.7.2")
    pair.b.ip(f"link set ba netns {lower.name}")
    lower.ip("link set ba up")
    ethtool(lower, "ba", SGRO, 1)
    lists(pair, "VLAN over a device elsewhere", to="10.8.7.2")
    pair.unwire()
    pair.wire()
    lower.delete()


@case("a bridge", only="flowtrack")
def _(pair):
    pair.b.ip("link add br0 type bridge", "link set br0 up", "link set ba master br0", f"addr del {B}/24 dev ba",
              f"addr add {B}/24 dev br0")
    lists(pair, "bridge")
    pair.b.ip("link del br0")
    pair.unwire()
    pair.wire()
    lists(pair, "after the bridge")


@case("a device that is renamed, moved and deleted, and a module that goes, under traffic", only="flowtrack")
def _(pair):
    elsewhere = Ns("elsewhere")
    stop = threading.Event()

    def flood():
        client = pair.a.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
        port = 0
        while not stop.is_set():
            port = (port + 1) % 10
            try:
                client.sendto(b"x" * SIZE * LIST, (B, 7010 + port))
            except OSError:
                stop.wait(0.01)
        client.close()

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for n in range(12):
            pair.b.ip("link set ba down", "link set ba name zz", "link set zz up", "link set zz down", "link set zz name ba",
                      "link set ba up")
            pair.b.ip(f"link set ba netns {elsewhere.name}")
            elsewhere.ip("link set ba up", f"link set ba netns {pair.b.name}")
            pair.b.ip(f"addr add {B}/24 dev ba", "link set ba up")
            pair.b.sysctl("lookahead", n % 3)
            if n % 3 == 2:
                pair.unwire()
                pair.wire()
            if n % 4 == 3:
                unload()
                load()
            pair.b.sysctl("lookahead", 1)
            ethtool(pair.b, "ba", SGRO, 1)
            before = pair.ahead()
            busywait(30, lambda before=before: pair.ahead() > before + 10 * LIST, "lists are looked at")
    finally:
        stop.set()
        thread.join()
    elsewhere.delete()
    lists(pair, "afterwards")


TRACING = "/sys/kernel/tracing/"
# What happens when the module comes and goes, in this order. ft_net_init() is that of the namespaces there are.
PROBES = (("p", "begin", "ft_net_init"), ("p", "pre_exit", "ft_net_pre_exit"), ("p", "receiver_comes", "dev_add_pack"),
          ("p", "receiver_goes", "dev_remove_pack"))


def write(path, value, mode="w"):
    with open(TRACING + path, mode) as f:
        f.write(value)


@case("nobody looks at a packet before all namespaces are ready, nor when the first is not any more", only="flowtrack")
def _(pair):
    """Their traffic does not wait: the receiver would see packets of a namespace of which it knows nothing."""
    if not os.path.exists(TRACING + "trace"):
        run("mount", "-t", "tracefs", "tracefs", TRACING)
    unload()
    write("kprobe_events", "".join(f"{kind}:ahead/{name} {'nf_flowtrack:' if function.startswith('ft_') else ''}{function}\n"
                                   for kind, name, function in PROBES))
    write("trace", "")
    write("events/ahead/enable", "1")
    try:
        load()
        pair.b.sysctl("lookahead", 1)
        unload()
        with open(TRACING + "trace") as f:
            seen = re.findall(r": (begin|pre_exit|receiver_comes|receiver_goes): ", f.read())
    finally:
        write("events/ahead/enable", "0")
        write("kprobe_events", "")
        load()
        pair.b.sysctl("lookahead", 1)
    check(seen.count("begin") >= 3 and "receiver_comes" in seen and "receiver_goes" in seen, f"all is seen: {seen}")
    last_begin = max(i for i, name in enumerate(seen) if name == "begin")
    check("receiver_comes" not in seen[:last_begin], f"no receiver before the last namespace begins: {seen}")
    check("receiver_goes" not in seen[seen.index("pre_exit"):], f"none when the first namespace ends: {seen}")


main(Pair)
