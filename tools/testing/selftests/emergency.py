#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Loaded in an emergency: nf_conntrack's table is full of dead entries, a flood goes on, and then comes the module.

Before it comes, nf_conntrack alone: new clients are not served. After: they are within a second, nothing says that the
table is full, and what is in use goes on, its data unharmed.
"""
# TIMEOUT: 300

import resource
import time

from lib_net import *

MAX = 600
DEAD = MAX - 20
KEPT = 8
LIMIT = "/proc/sys/net/netfilter/nf_conntrack_max"
SERVER = """
table inet filter {
	chain input {
		type filter hook input priority 0; policy drop;
		iifname lo accept
		ct state established,related accept
		ct state invalid drop
		tcp flags & (fin | syn | rst | ack) == syn ct state new accept
		udp dport 20000-60000 accept
		meta l4proto { icmp, icmpv6 } accept
	}
}
"""
# The ruleset of a router that takes up no connection in the middle: a lost connection is lost.
ROUTER = MASQUERADE + """
table inet filter {
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		ct state invalid drop
		tcp flags & (fin | syn | rst | ack) == syn ct state new accept
		udp dport 20000-60000 accept
	}
}
"""
FLOOD = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
n = 0
while True:
    for _ in range(10):
        n += 1
        try:
            sock.sendto(b"x", (sys.argv[1], 20000 + n % 40000))
        except OSError:
            pass
    time.sleep(0.01)
"""
ports = iter(range(10000, 20000))


def setup():
    load_needed()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    with open(LIMIT) as f:
        return f.read()


def finish(before):
    if before:
        limit(before)
    teardown(None)


def limit(n):
    with open(LIMIT, "w") as f:
        f.write(str(n))


class Burning:
    """A machine, the router of Net, that tracks by nf_conntrack alone and whose table is full: of dead connections, and,
    if there is a flood, of that.

    clients and server are namespaces, addr is what the clients call.
    """

    def __init__(self, ruleset, routes, flood=True):
        if loaded():
            unload()
        # Not ours at first; Net loads it.
        self.net = Net()
        unload()
        net = self.net
        net.host("d", 3)
        net.r.nft(ruleset)
        self.server, self.addr = (net.s, Net.S[4]) if routes else (net.r, Net.RC[4])
        # Nobody refuses the flood's packets: it is not answered at all.
        self.server.nft("table inet f { chain o { type filter hook output priority 0; icmp type destination-unreachable drop; }; }")
        self.listener = listen(self.server, self.addr if routes else "0.0.0.0", 80)
        self.listener.listen(4096)
        self.server.sysctl("net.core.somaxconn", 4096)
        self.kept = [Talk(net.c, self.server, self.addr, next(ports)) for _ in range(KEPT)]
        for talk in self.kept:
            talk.alive()
        self.die(DEAD)
        self.log = Kmsg()
        limit(MAX if flood else net.r.conntrack_count())
        self.flood = net.c.popen("/usr/bin/python3", "-c", FLOOD, self.addr) if flood else None
        busywait(20, lambda: (flood or not self.serve(0.25)) and self.full_lines(),
                 "nf_conntrack says that its table is full")

    def die(self, n):
        """n connections whose client is gone without a word, long ago."""
        dead = self.net.hosts["d"]
        self.server.sysctl("net.core.somaxconn", 4096)
        listener = listen(self.server, self.addr if self.server is self.net.s else "0.0.0.0", 81)
        listener.listen(4096)
        self.server.sysctl("net.ipv4.tcp_max_syn_backlog", 4096)
        # Long ago is told by what is left of its five days.
        established = "net.netfilter.nf_conntrack_tcp_timeout_established"
        days = self.net.r.sysctl(established)
        self.net.r.sysctl(established, 400000)
        socks = [connect(dead, self.addr, 81) for _ in range(n)]
        dead.nft("table inet q { chain o { type filter hook output priority 0; drop; }; }")
        for sock in socks:
            sock.close()
        self.net.r.sysctl(established, days)
        self.silent = listener

    def full_lines(self):
        return [line for line in self.log.read() if "nf_conntrack: table full" in line]

    def serve(self, timeout):
        """Does one new client get what it came for?"""
        try:
            near = connect(self.net.c, self.addr, 80, timeout=timeout)
        except OSError:
            return False
        far, _ = self.listener.accept()
        far.sendall(b"page")
        near.settimeout(5)
        page = Talk.read(near, 4)
        near.close()
        far.close()
        return page == b"page"

    def until_served(self, seconds):
        """Seconds until the first new client is served; a SYN that was dropped is another client's trouble."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if self.serve(0.25):
                return time.monotonic() - start
        raise Failure(f"no new client was served in {seconds} s; {self.net.r.conntrack_count()} entries, "
                      f"{self.net.r.tool_json('stats') if loaded() else 'alone'}")

    def end(self):
        if self.flood:
            self.flood.kill()
        for talk in list(self.kept):
            talk.close()
        self.listener.close()
        self.silent.close()
        if loaded():
            unload()
        Ns.delete_all()
        self.log.close()


def play(ruleset, routes):
    burning = Burning(ruleset, routes)
    with Busy(burning.kept):
        alone = sum(burning.serve(1) for _ in range(3))
        check(alone < 3, f"nf_conntrack alone serves {alone} of 3 new clients")
        start = time.monotonic()
        run("insmod", KO)
        took = time.monotonic() - start
        served = burning.until_served(1)
        print(f"# nf_conntrack alone: {alone} of 3 new clients served; insmod: {took:.2f} s; "
              f"the first client {served:.2f} s after it")
        # What was said within that second may be about what came before.
        time.sleep(max(0, 1 - served))
        burning.full_lines()
        for i in range(10):
            check(burning.serve(1), f"client {i + 2} is served, too")
        check(burning.flood.poll() is None, "the flood goes on")
        equal(burning.full_lines(), [], "lines of a full table, after a second")
        check(burning.net.r.conntrack_count() <= MAX, f"{burning.net.r.conntrack_count()} entries")
    for talk in burning.kept:
        talk.alive()
    burning.end()


@case("a server: new clients are served within a second", only="flowtrack")
def _(_before):
    play(SERVER, False)


@case("a router that masquerades: new clients are served within a second", only="flowtrack")
def _(_before):
    play(ROUTER, True)


# NAT anywhere on the machine: a flow has to find a place in nf_conntrack before it is ours.
@case("a server beside NAT: new clients are served within a second", only="flowtrack")
def _(_before):
    play(SERVER + "table ip nat { chain post { type nat hook postrouting priority 100; }; }", False)


# Nobody feeds the guard: all that a newcomer could take the place of was there before the module.
@case("nothing but dead connections: they are known at once, and give way", only="flowtrack")
def _(_before):
    burning = Burning(ROUTER, True, flood=False)
    with Busy(burning.kept):
        equal([burning.serve(1) for _ in range(3)], [False] * 3, "new clients of nf_conntrack alone")
        run("insmod", KO)
        served = burning.until_served(1)
        print(f"# nf_conntrack alone: 0 of 3 new clients served; the first client {served:.2f} s after insmod")
        equal([burning.serve(1) for _ in range(5)], [True] * 5, "more clients")
    for talk in burning.kept:
        talk.alive()
    burning.end()


@case("guarding that is switched on in the middle helps as soon", only="flowtrack")
def _(_before):
    # Early drop finds entries of a flood now and then, but no dead connection.
    burning = Burning(ROUTER, True, flood=False)
    run("insmod", KO, "enable=0")
    burning.net.r.sysctl("guard", 0)
    burning.net.r.sysctl("enable", 1)
    with Busy(burning.kept):
        alone = sum(burning.serve(1) for _ in range(3))
        check(alone < 3, f"not guarded: {alone} of 3 new clients served")
        burning.net.r.sysctl("guard", 1)
        print(f"# not guarded: {alone} of 3; guarded: the first client after {burning.until_served(1):.2f} s")
        equal([burning.serve(1) for _ in range(5)], [True] * 5, "more clients")
    for talk in burning.kept:
        talk.alive()
    burning.end()


main(setup, finish)
