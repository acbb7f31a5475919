#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two flows that would be one behind NAT: the later one gets another port, whichever table has the earlier one, and each
client hears its own answers. What is right is what nf_conntrack alone does: the same cases pass without the module."""
# TIMEOUT: 240

import os
import select
import socket
import threading

from lib_net import *

VIP = {4: "10.96.0.1", 6: "fd96::1"}
RULES = f"""
table inet nat {{
	chain pre {{
		type nat hook prerouting priority -100
		ip daddr {VIP[4]} meta l4proto {{ tcp, udp }} dnat ip to {Net.S[4]}
		ip6 daddr {VIP[6]} meta l4proto {{ tcp, udp }} dnat ip6 to {Net.S[6]}
	}}
	chain post {{
		type nat hook postrouting priority 100
		oif rs ct status dnat accept
		oif rs masquerade
	}}
}}
"""
# The client's own address is not masqueraded: what it sends straight to the server is not translated.
DNAT_ONLY = RULES.replace("oif rs masquerade", "")


class Echo:
    """A server that says from whom it heard, and what."""

    def __init__(self, ns, family, port):
        self.udp = listen(ns, Net.S[family], port, "udp")
        self.tcp = listen(ns, Net.S[family], port)
        # SO_RCVBUFFORCE: what is lost here would be told of as lost on the way.
        self.udp.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
        self.stopping = False
        self.conns = []
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while not self.stopping:
            for sock in select.select([self.udp, self.tcp, *self.conns], [], [], 0.2)[0]:
                try:
                    if sock is self.tcp:
                        self.conns.append(sock.accept()[0])
                    elif sock is self.udp:
                        data, peer = sock.recvfrom(2048)
                        sock.sendto(data, peer)
                    else:
                        data = sock.recv(2048)
                        if not data:
                            raise ConnectionResetError
                        sock.sendall(data)
                except OSError:
                    if sock in self.conns:
                        self.conns.remove(sock)
                        sock.close()

    def close(self):
        self.stopping = True
        self.thread.join()
        for sock in (self.udp, self.tcp, *self.conns):
            sock.close()


def ask(sock, text):
    """Say something, and hear the same; for UDP: what comes is nobody else's."""
    sock.sendall(text)
    sock.settimeout(5)
    equal(sock.recv(2048), text, "the answer")


def setup():
    net = Net()
    net.c.ip(f"route add {VIP[4]} via {Net.RC[4]}", f"route add {VIP[6]} via {Net.RC[6]}")
    return net


def pair(net, first, second, rules):
    """Two (namespace, source, destination) one after the other, with the same port: both go on, side by side."""
    net.reset(rules)
    for family in FAMILIES:
        server = Echo(net.s, family, 80)
        try:
            for number, proto in enumerate(("tcp", "udp")):
                port = 41641 + number
                socks = []
                for ns, source, to in (first, second):
                    socks.append(connect(ns, to[family], 80, proto, source=(source[family], port), timeout=5))
                    ask(socks[-1], b"hello from %d" % len(socks))
                for n in range(3):
                    for i, sock in enumerate(socks):
                        ask(sock, b"%d of %d" % (n, i))
                for sock in socks:
                    sock.close()
        finally:
            server.close()


C_DIRECT, C_VIP = lambda net: (net.c, Net.C, Net.S), lambda net: (net.c, Net.C, VIP)
ROUTER = lambda net: (net.r, Net.RS, Net.S)


@case("the backend, then the service in front of it, from the same port")
def _(net):
    pair(net, C_DIRECT(net), C_VIP(net), DNAT_ONLY)


@case("the service, then the backend")
def _(net):
    pair(net, C_VIP(net), C_DIRECT(net), DNAT_ONLY)


@case("the router's own flow, then a masqueraded client's, with the same port")
def _(net):
    pair(net, ROUTER(net), C_DIRECT(net), RULES)


@case("a masqueraded client's flow, then the router's own")
def _(net):
    pair(net, C_DIRECT(net), ROUTER(net), RULES)


@case("pings with the same id, from the router and from a masqueraded client")
def _(net):
    net.reset(RULES)
    socks = []
    for ns, name in ((net.r, "router"), (net.c, "client")):
        sock = ns.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        sock.settimeout(5)
        sock.connect((Net.S[4], 0))
        socks.append((sock, name.encode()))
    for n in range(3):
        for sock, name in socks:
            sock.send(echo("", "", 77, n, data=name))
            while True:
                packet = sock.recv(2048)
                if packet[20] == 0:
                    break
            equal(packet[28:], name, "the answer")
            equal(struct.unpack_from("!H", packet, 24)[0], 77, "its id")
    for sock, _ in socks:
        sock.close()


@case("an earlier connection that is closed, and waits")
def _(net):
    net.reset(DNAT_ONLY)
    server = Echo(net.s, 4, 80)
    try:
        with connect(net.c, Net.S[4], 80, source=(Net.C[4], 41700)) as sock:
            ask(sock, b"first")
        # The client's side waits; another socket may take the port for another address.
        with connect(net.c, VIP[4], 80, source=(Net.C[4], 41700)) as sock:
            ask(sock, b"second")
    finally:
        server.close()


def lost(net):
    """What the router counted as it lost packets."""
    lines = [line.split() for line in net.r.read("/proc/thread-self/net/stat/nf_conntrack").splitlines()]
    names = lines[0]
    seen = {name: sum(int(line[i], 16) for line in lines[1:]) for i, name in enumerate(names) if i}
    if FLOWTRACK:
        seen.update({"ft_" + k: v for k, v in net.r.tool_json("stats").items() if isinstance(v, int)})
    return {k: v for k, v in seen.items() if v}


def crowd(ns, family, to, source, ports, wrong, rounds):
    """UDP from many ports, each asking for itself."""
    socks = []
    for port in ports:
        sock = connect(ns, to[family], 80, "udp", source=(source[family], port))
        sock.setblocking(False)
        socks.append(sock)
    for n in range(rounds):
        for port, sock in zip(ports, socks):
            sock.send(b"%s %d %d" % (ns.name.encode(), port, n))
        for port, sock in zip(ports, socks):
            if not select.select([sock], [], [], 5)[0]:
                wrong.append(f"{ns.name} {port} {n}: no answer")
                if len(wrong) > 5:
                    return
                continue
            got = sock.recv(2048)
            if got != b"%s %d %d" % (ns.name.encode(), port, n):
                wrong.append(f"{ns.name} {port} {n}: {got!r}")
    for sock in socks:
        sock.close()


@case("under load, ports that clash, from two sides at once: no answer goes astray")
def _(net):
    os.sched_setaffinity(0, range(os.cpu_count()))
    for attempt in range(8):
        net.reset(RULES)
        server = Echo(net.s, 4, 80)
        wrong, ports = [], range(30000 + attempt * 300, 30300 + attempt * 300)
        try:
            threads = [threading.Thread(target=crowd, args=(ns, 4, Net.S, source, order, wrong, 3))
                       for ns, source, order in ((net.r, Net.RS, ports), (net.c, Net.C, ports))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            server.close()
        check(not wrong, f"{len(wrong)} of 1800 answers astray in round {attempt}: {wrong[:5]}, {lost(net)}")


main(setup, teardown)
