#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two flows that would be one behind NAT: the later one gets another port, whichever table has the earlier one, and each
client hears its own answers. What is right is what nf_conntrack alone does: the same cases pass without the module."""
# TIMEOUT: 300
# CPUS: 2

import itertools
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
		ip daddr {VIP[4]} meta l4proto {{ tcp, udp, sctp, dccp }} dnat ip to {Net.S[4]}
		ip6 daddr {VIP[6]} meta l4proto {{ tcp, udp, sctp, dccp }} dnat ip6 to {Net.S[6]}
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


SOCK_DCCP, IPPROTO_DCCP, SOL_DCCP, DCCP_SOCKOPT_SERVICE = 6, 33, 269, 2
PROTOCOLS = {"tcp": (socket.SOCK_STREAM, 0), "udp": (socket.SOCK_DGRAM, 0),
             "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP), "dccp": (SOCK_DCCP, IPPROTO_DCCP)}


def make(ns, family, proto, addr):
    sock = ns.socket(kind(family), *PROTOCOLS[proto])
    if proto == "dccp":
        sock.setsockopt(SOL_DCCP, DCCP_SOCKOPT_SERVICE, struct.pack("!I", 1))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(5)
    sock.bind(addr)
    return sock


# What a client says that wants the server to close first.
BYE = b"bye"


class Echo:
    """A server that says what it heard, to the client that sent it."""

    def __init__(self, ns, family, port, protocols=("tcp", "udp")):
        self.socks = {proto: make(ns, family, proto, (Net.S[family], port)) for proto in protocols}
        self.udp = self.socks.get("udp")
        self.listeners = [sock for proto, sock in self.socks.items() if proto != "udp"]
        for sock in self.listeners:
            sock.listen(1024)
        # SO_RCVBUFFORCE: what is lost here would be told of as lost on the way.
        if self.udp:
            self.udp.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
        self.stopping = False
        self.conns = []
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while not self.stopping:
            for sock in select.select([*self.socks.values(), *self.conns], [], [], 0.2)[0]:
                try:
                    if sock in self.listeners:
                        self.conns.append(sock.accept()[0])
                    elif sock is self.udp:
                        data, peer = sock.recvfrom(2048)
                        sock.sendto(data, peer)
                    else:
                        data = sock.recv(2048)
                        if data in (b"", BYE):
                            raise ConnectionResetError
                        sock.sendall(data)
                except OSError:
                    if sock in self.conns:
                        self.conns.remove(sock)
                        sock.close()

    def close(self):
        self.stopping = True
        self.thread.join()
        for sock in (*self.socks.values(), *self.conns):
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


# Not twice the same: what is closed waits.
PORTS = itertools.count(41641, 8)


def protocols_here():
    """What has sockets in this kernel; DCCP has none in the newest."""
    here = ["tcp", "udp"]
    for proto, module in (("sctp", "sctp"), ("dccp", "dccp_ipv6")):
        if not run("modprobe", module, ok=False)[0]:
            here.append(proto)
    return here


def pair(net, first, second, rules):
    """Two (namespace, source, destination) one after the other, with the same port: both go on, side by side."""
    net.reset(rules)
    protocols = protocols_here()
    first_port = next(PORTS)
    for family in FAMILIES:
        server = Echo(net.s, family, 80, protocols)
        try:
            for number, proto in enumerate(protocols):
                port = first_port + number
                socks = []
                for ns, source, to in (first, second):
                    socks.append(make(ns, family, proto, (source[family], port)))
                    try:
                        socks[-1].connect((to[family], 80))
                    except OSError as e:
                        raise Failure(f"{proto} over IPv{family}, connection {len(socks)}: {e}") from None
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


def ping(sock, family, text, seq):
    """The answer to an echo request with the id 77, and with what else comes passed over."""
    sock.send(echo(*("::", "::") if family == 6 else ("", ""), 77, seq, data=text))
    while True:
        packet = sock.recv(2048)[0 if family == 6 else 20:]
        if packet[0] == (129 if family == 6 else 0):
            return struct.unpack_from("!H", packet, 4)[0], packet[8:]


@case("pings with the same id, from the router and from a masqueraded client")
def _(net):
    for family, proto in ((4, socket.IPPROTO_ICMP), (6, socket.IPPROTO_ICMPV6)):
        net.reset(RULES)
        socks = []
        for ns, name in ((net.r, b"router"), (net.c, b"client")):
            sock = ns.socket(kind(family), socket.SOCK_RAW, proto)
            sock.settimeout(5)
            sock.connect((Net.S[family], 0))
            socks.append((sock, name))
        for _ in range(2):
            for n in range(3):
                for sock, name in socks:
                    equal(ping(sock, family, name, n), (77, name), f"the answer over IPv{family}: its id, its data")
            socks.reverse()
            net.forget()
        for sock, _ in socks:
            sock.close()


def raw_gre(ns, family, to=None):
    sock = ns.socket(kind(family), socket.SOCK_RAW, socket.IPPROTO_GRE)
    sock.settimeout(2)
    if to:
        sock.connect((to, 0))
    return sock


def gre_pair(net, family, first, second):
    """Both of two (namespace, address that the server sees) send GRE to the server: the first one is answered, always."""
    net.reset(RULES)
    header = bytes.fromhex("00006558")
    skip = 20 if family == 4 else 0
    with raw_gre(net.s, family) as server, raw_gre(first[0], family, Net.S[family]) as one, \
            raw_gre(second[0], family, Net.S[family]) as other:
        for n in range(3):
            text = header + b"first %d" % n
            one.send(text)
            packet, peer = server.recvfrom(2048)
            equal((packet[skip:], peer[0]), (text, first[1][family]), f"what the server hears over IPv{family}")
            server.sendto(text, (peer[0], 0))
            equal(one.recv(2048)[skip:], text, f"what the first one hears over IPv{family}")
            try:
                other.send(header + b"second %d" % n)
            except PermissionError:
                # Its own packet, dropped behind LOCAL_OUT.
                equal(second[0], net.r, "whose packet is refused")
        for sock, who in ((other, "the second one"), (server, "the server")):
            sock.settimeout(0.5)
            try:
                raise Failure(f"{who} hears {sock.recv(2048)} over IPv{family}")
            except TimeoutError:
                pass


@case("GRE has no port to choose: who was there first keeps the answers")
def _(net):
    router, client = (net.r, Net.RS), (net.c, Net.RS)
    for family in FAMILIES:
        gre_pair(net, family, router, client)
        gre_pair(net, family, client, router)


@case("a rule with a range of ports: the other port is of it, too")
def _(net):
    for family in FAMILIES:
        target = "ip to 10.9.2.1" if family == 4 else "ip6 to [fd09:2::1]"
        net.reset(f"""
table inet nat {{
	chain post {{
		type nat hook postrouting priority 100
		oif rs ip{"6" if family == 6 else ""} saddr {Net.C[family]} udp dport 80 snat {target}:5000-5009
	}}
}}""")
        socks = []
        with listen(net.s, Net.S[family], 80, "udp") as server:
            # All ports of it but one are the router's own.
            for ns, source, port in [(net.r, Net.RS, 5000 + n) for n in range(10) if n != 6] + [(net.c, Net.C, 6000)]:
                socks.append(connect(ns, Net.S[family], 80, "udp", source=(source[family], port)))
                socks[-1].send(b"hello")
                peer = server.recvfrom(100)[1]
                server.sendto(b"%d" % port, peer)
                equal(socks[-1].recv(100), b"%d" % port, "the answer")
            equal(peer[1], 5006, "the port that NAT had to choose")
        for sock in socks:
            sock.close()


@case("what nf_conntrack tracks can't be added by hand", only="flowtrack")
def _(net):
    net.reset(RULES)
    server = Echo(net.s, 4, 80)
    try:
        with make(net.c, 4, "udp", (Net.C[4], 41901)) as sock:
            sock.connect((Net.S[4], 80))
            ask(sock, b"hello")
            for src, port, dst, dport in ((Net.C[4], 41901, Net.S[4], 80), (Net.S[4], 80, Net.RS[4], 41901)):
                status, _, err = net.r.tool("add", "udp", "src", src, "dst", dst, "sport", str(port), "dport", str(dport),
                                            ok=False)
                check(status and "in nf_conntrack" in err, f"{src} > {dst}: {status}, {err}")
            ask(sock, b"and on")
    finally:
        server.close()


# The state of a connection that is closed, and is remembered for a while.
WAITS = {"tcp": "time_wait", "sctp": "closed", "dccp": "timewait"}


def closed(net, proto, sock, server_first):
    """Close a connection, and wait until its flow waits. Return: (here, in nf_conntrack)."""
    def waits():
        seen = net.tracked(proto=proto, state=WAITS[proto])
        return seen if sum(seen) else None
    if server_first:
        sock.sendall(BYE)
        equal(sock.recv(100), b"", "what the server says")
    sock.close()
    return busywait(10, waits, "the flow waits")


def waiting_pair(net, first, second, rules, where):
    """As pair(), but the first connection is closed, and its flow waits @where, by protocol, when the second one comes."""
    net.reset(rules)
    protocols = [proto for proto in protocols_here() if proto != "udp"]
    for family in FAMILIES:
        server = Echo(net.s, family, 80, protocols)
        try:
            for proto, server_first in [(proto, False) for proto in protocols] + [("tcp", True)]:
                what = f"{proto} over IPv{family}, closed by the {'server' if server_first else 'client'} first"
                net.forget()
                port = next(PORTS)
                ns, source, to = first
                sock = make(ns, family, proto, (source[family], port))
                sock.connect((to[family], 80))
                ask(sock, b"first")
                equal(closed(net, proto, sock, server_first), where[proto], f"{what}: flows that wait here and in nf_conntrack")
                ns, source, to = second
                # Another socket may take the port for another address, or at another host.
                with make(ns, family, proto, (source[family], port)) as sock:
                    try:
                        sock.connect((to[family], 80))
                        for n in range(3):
                            ask(sock, b"second %d" % n)
                    except OSError as e:
                        raise Failure(f"{what}: {e}") from None
        finally:
            server.close()


@case("an earlier connection that is closed, and waits, in either table; in both orders")
def _(net):
    was = net.r.sysctl("nat") if FLOWTRACK else None
    # By default masqueraded flows are flowtrack's, and those with another destination are not.
    words = ((NAT,) if NAT else ("snat", "never")) if FLOWTRACK else ("",)
    ours, theirs = ((1, 0) if FLOWTRACK else (0, 1)), (0, 1)

    def by_protocol(here):
        # DCCP is nf_conntrack's, always.
        return {"tcp": here, "sctp": here, "dccp": theirs}
    for word in words:
        if word:
            net.r.sysctl("nat", word)
        plain = by_protocol(ours)
        dnat, snat = by_protocol(ours if word == "all" else theirs), by_protocol(theirs if word in ("never", "") else ours)
        waiting_pair(net, C_DIRECT(net), C_VIP(net), DNAT_ONLY, plain)
        waiting_pair(net, C_VIP(net), C_DIRECT(net), DNAT_ONLY, dnat)
        waiting_pair(net, ROUTER(net), C_DIRECT(net), RULES, plain)
        waiting_pair(net, C_DIRECT(net), ROUTER(net), RULES, snat)
    if was:
        net.r.sysctl("nat", was)


def lost(net):
    """What the router counted as it lost packets."""
    lines = [line.split() for line in net.r.read("/proc/thread-self/net/stat/nf_conntrack").splitlines()]
    names = lines[0]
    seen = {name: sum(int(line[i], 16) for line in lines[1:]) for i, name in enumerate(names) if i}
    if FLOWTRACK:
        seen.update({"ft_" + k: v for k, v in net.r.tool_json("stats").items() if isinstance(v, int)})
    return {k: v for k, v in seen.items() if v}


def crowd(ns, family, proto, source, ports, wrong, rounds):
    """From many ports, all at once, each asking for itself."""
    socks = []
    for port in ports:
        socks.append(make(ns, family, proto, (source[family], port)))
        socks[-1].setblocking(False)
        socks[-1].connect_ex((Net.S[family], 80))

    def ready(sock, answer):
        # A SYN that is lost where there is no room is sent again after one second, and three.
        return any(select.select([sock] if answer else [], [] if answer else [sock], [], 5 if proto == "udp" else 10)[:2])
    try:
        for n in range(rounds):
            for port, sock in zip(ports, socks):
                check(ready(sock, False), "no connection")
                sock.send(b"%s %d %d" % (ns.name.encode(), port, n))
            for port, sock in zip(ports, socks):
                got = sock.recv(2048) if ready(sock, True) else "no answer"
                if got != b"%s %d %d" % (ns.name.encode(), port, n):
                    wrong.append(f"{ns.name} {port} {n}: {got!r}")
                if len(wrong) > 5:
                    return
    except (OSError, Failure) as e:
        wrong.append(f"{ns.name} {port} {n}: {e}")
    finally:
        for sock in socks:
            sock.close()


@case("under load, ports that clash, from two sides at once: no answer goes astray")
def _(net):
    os.sched_setaffinity(0, range(os.cpu_count()))
    # As many connections as descriptors allow.
    for proto, attempts, many in (("udp", 8, 300), ("tcp", 4, 100)):
        for attempt in range(attempts):
            net.reset(RULES)
            family = FAMILIES[attempt % 2]
            server = Echo(net.s, family, 80)
            wrong, ports = [], range(30000 + attempt * many, 30000 + (attempt + 1) * many)
            try:
                threads = [threading.Thread(target=crowd, args=(ns, family, proto, source, ports, wrong, 3))
                           for ns, source in ((net.r, Net.RS), (net.c, Net.C))]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            finally:
                server.close()
            check(not wrong, f"{proto}: {len(wrong)} of {6 * many} answers astray over IPv{family} in round {attempt}: "
                             f"{wrong[:5]}, {lost(net)}")


main(setup, teardown)
