#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Namespaces: each has its own flows, limits and settings, and can go away at any time."""
# CPUS: 2

import socket
import threading

from lib import *

FAMILIES = (4, 6)
A = {4: "10.7.1.1", 6: "fd07:1::1"}
B = {4: "10.7.1.2", 6: "fd07:1::2"}


class Pair:
    """Two namespaces with kernels that answer, and a wire between them."""

    def __init__(self):
        load_if_wanted()
        self.a, self.b = Ns("a"), Ns("b")
        for ns in (self.a, self.b):
            ns.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.a.ip(f"link add ab type veth peer name ba netns {self.b.name}")
        for ns, dev, addr in ((self.a, "ab", A), (self.b, "ba", B)):
            ns.ip(f"addr add {addr[4]}/24 dev {dev}", f"addr add {addr[6]}/64 dev {dev} nodad", f"link set {dev} up")
            ns.nft(nft_stamps())

    def exchange(self, family, port):
        """One datagram from a to b, and an answer."""
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        server = self.b.socket(kind, socket.SOCK_DGRAM)
        server.bind((B[family], port))
        server.settimeout(10)
        client = self.a.socket(kind, socket.SOCK_DGRAM)
        client.settimeout(10)
        client.connect((B[family], port))
        client.send(b"question")
        _, peer = server.recvfrom(100)
        server.sendto(b"answer", peer)
        equal(client.recv(100), b"answer", "answer")
        client.close()
        server.close()
        return peer[1]


@case("a packet that crosses two namespaces is tracked in each")
def _(pair):
    for family in FAMILIES:
        sport = pair.exchange(family, 53)
        for ns in (pair.a, pair.b):
            flow = ns.flow(proto="udp", osport=sport, family=family)
            check(flow["seen_reply"], f"{ns.name}: {flow}")
            if FLOWTRACK:
                equal(ns.conntrack_count(), 0, "nf_conntrack_count")


@case("flushing one namespace leaves the other's flows")
def _(pair):
    sport = pair.exchange(4, 54)
    pair.a.flush()
    equal(pair.a.flows(), [], "flows of the flushed one")
    pair.b.flow(osport=sport)


@case("the same addresses and ports in two namespaces are two flows")
def _(pair):
    for ns in (pair.a, pair.b):
        for kind, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with ns:
                s = socket.socket(kind, socket.SOCK_DGRAM)
            s.bind((host, 7001))
            s.sendto(b"x", (host, 7002))
            s.close()
    for ns in (pair.a, pair.b):
        for family in FAMILIES:
            ns.flow(osport=7001, odport=7002, family=family)


@case("a full namespace does not fill another", only="flowtrack")
def _(pair):
    old = pair.a.sysctl("max")
    pair.a.flush()
    pair.b.flush()
    pair.a.sysctl("max", 5)
    pair.a.sysctl("full_policy", "drop")
    for port in range(100, 120):
        with pair.a:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            s.sendto(b"x", (B[4], port))
        except PermissionError:
            pass  # the packet was dropped on its way out
        s.close()
    equal(int(pair.a.sysctl("count")), 5, "flows of the full one")
    with pair.b:
        for port in range(100, 120):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.sendto(b"x", ("127.0.0.1", port))
            s.close()
    check(int(pair.b.sysctl("count")) >= 20, f"flows of the other: {pair.b.sysctl('count')}")
    pair.a.sysctl("full_policy", "evict")
    pair.a.sysctl("max", old)


@case("a new namespace starts empty, with the defaults")
def _(pair):
    before = pair.a.sysctl("udp_timeout")
    pair.a.sysctl("udp_timeout", 99)
    fresh = Ns("fresh")
    equal(fresh.sysctl("udp_timeout"), before, "udp_timeout")
    if FLOWTRACK:
        equal(fresh.flows(), [], "flows")
    fresh.delete()
    pair.a.sysctl("udp_timeout", before)


@case("twenty namespaces come and go, each with a flow")
def _(_pair):
    for _ in range(20):
        ns = Ns("many")
        with ns:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.sendto(b"x", ("127.0.0.1", 9))
        s.close()
        if FLOWTRACK:
            equal(int(ns.sysctl("count")), 1, "count")
        ns.delete()


@case("a namespace is deleted under traffic, five times")
def _(_pair):
    for _ in range(5):
        pair = Pair()
        stop = threading.Event()
        with pair.a:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

        def flood(sock=sock, stop=stop):
            port = 1000
            while not stop.is_set() and port < 60000:
                try:
                    sock.sendto(b"x" * 50, (B[4], port))
                except OSError:
                    pass
                port += 1

        thread = threading.Thread(target=flood)
        thread.start()
        if FLOWTRACK:
            busywait(10, lambda: int(pair.b.sysctl("count")) >= 0 and int(pair.a.sysctl("count")) > 20, "traffic")
        pair.b.delete()
        pair.a.delete()
        stop.set()
        thread.join()
        sock.close()


@case("namespaces with flows go when the module is unloaded; it loads again", only="flowtrack")
def _(pair):
    pair.exchange(4, 55)
    unload()
    pair.exchange(4, 56)
    load()
    sport = pair.exchange(4, 57)
    pair.a.flow(osport=sport)


main(Pair)
