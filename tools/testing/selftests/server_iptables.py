#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A plain server's iptables rules, IPv4 and IPv6, nft and legacy: idle connections survive a flood of SYNs that fills
the table, and the administrator gets in meanwhile."""

import random
import socket
import struct

from lib_net import *

PORTS = (22, 25, 80, 443, 5222, 5269)
RULES = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -p {icmp} -j ACCEPT
{ports}
COMMIT
"""
MAX = 128
FLOOD = 600


def setup():
    net = Net()
    # The flood's answers end at the router: nobody is at home there.
    net.r.ip("route add blackhole 10.200.0.0/16", "route add blackhole fd20::/16")
    out = net.r.run("ip", "-o", "link", "show", "dev", "rc")[1]
    net.mac = bytes.fromhex(re.search(r"link/ether ([0-9a-f:]+)", out)[1].replace(":", ""))
    return net


def install(net, flavour):
    for command, icmp in (("iptables", "icmp"), ("ip6tables", "ipv6-icmp")):
        net.s.run(f"{command}-{flavour}-restore", text=RULES.format(
            icmp=icmp, ports="\n".join(f"-A INPUT -p tcp --dport {port} -j ACCEPT" for port in PORTS)))
    # What was forgotten must not come back as new.
    net.s.sysctl("tcp_loose", 0)
    net.s.sysctl("max", MAX if FLOWTRACK else 65536)
    if FLOWTRACK:
        net.s.tool("flush")
    net.s.conntrack_flush()


def uninstall(net, flavour):
    for command in ("iptables", "ip6tables"):
        net.s.run(f"{command}-{flavour}", "-P", "INPUT", "ACCEPT")
        net.s.run(f"{command}-{flavour}", "-F")


def flood(net):
    """SYNs to the web port, from sources that do not answer."""
    sock = net.c.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with net.c:
        sock.bind(("cr", 3))
    for n in range(FLOOD):
        family = FAMILIES[n % 2]
        src = f"fd20::{n + 1:x}" if family == 6 else f"10.200.{n >> 8}.{n & 255}"
        packet = ip(src, Net.S[family], TCP, tcp(src, Net.S[family], random.randrange(1024, 65536), 80, "S",
                                                  random.getrandbits(32)))
        sock.send(net.mac + b"\2\0\0\0\0\1" + struct.pack("!H", 0x86dd if family == 6 else 0x0800) + packet)
    sock.close()


class Idle:
    """A connection that says something now and then."""

    def __init__(self, net, family, port, listener):
        self.near = connect(net.c, Net.S[family], port)
        self.far, self.peer = listener.accept()
        self.far.settimeout(10)

    def ping(self):
        for a, b in ((self.near, self.far), (self.far, self.near)):
            a.sendall(b" ")
            try:
                equal(b.recv(10), b" ", f"ping of {self.peer}")
            except OSError as e:
                raise Failure(f"ping of {self.peer}: {e!r}") from None

    def close(self):
        self.near.close()
        self.far.close()


def flavour_cases(flavour):
    @case(f"iptables-{flavour}: what is open is, and what is not is not")
    def _(net):
        install(net, flavour)
        for family in FAMILIES:
            for port in (22, 5222):
                with Talk(net.c, net.s, Net.S[family], port) as talk:
                    talk.alive(1)
            with listen(net.s, Net.S[family], 8080):
                try:
                    connect(net.c, Net.S[family], 8080, timeout=1).close()
                    raise Failure(f"IPv{family}: port 8080 is open")
                except TimeoutError:
                    pass
            with Talk(net.s, net.c, Net.C[family], 53, proto="udp") as talk:
                talk.alive(1)
        net.c.run("ping", "-q", "-c", "1", "-W", "10", Net.S[4])
        net.c.run("ping", "-q", "-c", "1", "-W", "10", Net.S[6])
        uninstall(net, flavour)

    @case(f"iptables-{flavour}: idle connections survive a full table, and ssh gets in")
    def _(net):
        install(net, flavour)
        listeners = {(f, port): listen(net.s, Net.S[f], port) for f in FAMILIES for port in (80, 5222, 5269)}
        idle = [Idle(net, f, port, listener) for (f, port), listener in listeners.items() if port != 80
                for _ in range(3)]
        for talk in idle:
            talk.ping()
        before = net.s.tool_json("stats") if FLOWTRACK else None
        for _ in range(2):
            flood(net)
            if FLOWTRACK:
                equal(int(net.s.sysctl("count")), MAX, "flows during the flood")
            for talk in idle:
                talk.ping()
            for family in FAMILIES:
                with Talk(net.c, net.s, Net.S[family], 22) as ssh:
                    ssh.alive()
        if FLOWTRACK:
            now = net.s.tool_json("stats")
            check(now["evict_embryonic"] - before["evict_embryonic"] > FLOOD, "nothing was evicted")
            equal(sum(f["assured"] for f in net.s.flows() if f["orig"].get("dport") in (5222, 5269)), len(idle),
                  "idle connections that are still tracked")
            equal(net.s.conntrack_count(), 0, "flows in nf_conntrack")
        uninstall(net, flavour)
        for it in (*idle, *listeners.values()):
            it.close()


for name in ("nft", "legacy"):
    flavour_cases(name)


main(setup, teardown)
