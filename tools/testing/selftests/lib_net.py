# SPDX-License-Identifier: GPL-2.0-only
"""Real hosts around a router: what the tests on NAT, helpers and rulesets as people have them share.

Every host is a namespace with a kernel of its own at work, and is in a network of its own:

    c 10.9.1.2, fd09:1::2 -- rc  r  rs -- s 10.9.2.2, fd09:2::2      (and more hosts, on demand)

What the router's ruleset saw is read from named counters.
"""

import os
import random
import re
import socket
import struct
import threading

from lib import *

FAMILIES = (4, 6)
SERVERS = os.environ.get("FT_SERVERS", "")
# For a ruleset of the router.
MASQUERADE = """
table inet nat {
	chain post {
		type nat hook postrouting priority 100
		oif rs masquerade
	}
}
"""


def kind(family):
    return socket.AF_INET6 if family == 6 else socket.AF_INET


def address(net, host, family):
    return f"fd09:{net}::{host}" if family == 6 else f"10.9.{net}.{host}"


class Net:
    """A router and the hosts around it."""

    C = {f: address(1, 2, f) for f in FAMILIES}
    S = {f: address(2, 2, f) for f in FAMILIES}
    RC = {f: address(1, 1, f) for f in FAMILIES}
    RS = {f: address(2, 1, f) for f in FAMILIES}

    def __init__(self, ruleset=""):
        load_if_wanted()
        self.r = Ns("r")
        if NAT:
            self.r.sysctl("nat", NAT)
        self.hosts = {}
        for name, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1),
                            ("net.ipv4.conf.all.rp_filter", 0), ("net.ipv4.conf.default.rp_filter", 0),
                            ("net.ipv6.conf.default.accept_dad", 0), ("net.ipv4.conf.all.send_redirects", 0),
                            ("net.ipv4.conf.default.send_redirects", 0)):
            self.r.sysctl(name, value)
        self.c = self.host("c", 1)
        self.s = self.host("s", 2)
        if ruleset:
            self.r.nft(ruleset)

    def host(self, name, net):
        """A host NAME, whose device NAMEr is at the router's rNAME, in the networks 10.9.NET.0/24 and fd09:NET::/64."""
        ns = Ns(name)
        for knob in ("net.ipv6.conf.default.accept_dad", "net.ipv4.conf.all.rp_filter",
                     "net.ipv4.conf.default.rp_filter", "net.ipv4.conf.all.accept_redirects"):
            ns.sysctl(knob, 0)
        self.r.ip(f"link add r{name} type veth peer name {name}r netns {ns.name}",
                  *(f"addr add {address(net, 1, f)}/{64 if f == 6 else 24} dev r{name} {'nodad' if f == 6 else ''}"
                    for f in FAMILIES), f"link set dev r{name} up")
        ns.ip(*(f"addr add {address(net, 2, f)}/{64 if f == 6 else 24} dev {name}r {'nodad' if f == 6 else ''}"
                for f in FAMILIES), f"link set dev {name}r up",
              *(f"route add default via {address(net, 1, f)}" for f in FAMILIES))
        self.hosts[name] = ns
        return ns

    def reset(self, ruleset=None):
        """Forget all flows, here and in nf_conntrack; with a ruleset, replace the old one."""
        if ruleset is not None:
            self.r.nft("flush ruleset\n" + ruleset)
        self.forget()

    def forget(self):
        if FLOWTRACK:
            self.r.tool("flush")
        self.r.conntrack_flush()

    def counters(self):
        """{name: packets} of the named counters."""
        out = self.r.run("nft", "list", "counters")[1]
        return {m[1]: int(m[2]) for m in re.finditer(r"counter (\S+) \{\s+packets (\d+)", out)}

    def tracked(self, **want):
        """(flows here, flows in nf_conntrack) with what is wanted."""
        with self.r:
            ours = [] if not FLOWTRACK else flowtrack_flows()
            # conntrack -L, which loads the original if need be, shows both tables while ours serves it.
            ctnetlink = os.path.isdir("/sys/module/nf_flowtrack_ctnetlink")
            theirs = flowtrack_flows("guarded") if ctnetlink else conntrack_flows()
        # The kernel tells its neighbours which groups it is a member of when it wants to.
        ours, theirs = ([f for f in flows if f["orig"]["dst"] not in ("224.0.0.22", "ff02::16")] for flows in (ours, theirs))
        return tuple(len([f for f in flows if all(flow_field(f, k) == v for k, v in want.items())])
                     for flows in (ours, theirs))

    def where(self, wanted, what, **want):
        """Where the flows are: (here, in nf_conntrack). Without flowtrack all are nf_conntrack's."""
        try:
            equal(self.tracked(**want), wanted if FLOWTRACK else (0, sum(wanted)),
                  f"{what}: flows here and in nf_conntrack")
        except Failure as e:
            raise Failure(f"{e}, of {self.r.flows()}") from None


def listening(ns, proto, port):
    """Is there a socket that waits for any client?"""
    state = "0A" if proto == "tcp" else "07"
    for path in (f"/proc/thread-self/net/{proto}", f"/proc/thread-self/net/{proto}6"):
        with ns, open(path) as f:
            for fields in (line.split() for line in f.readlines()[1:]):
                if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == state:
                    return True
    return False


def program(name):
    """A server that is not installed, see servers() in common.sh."""
    path = f"{SERVERS}/usr/sbin/{name}"
    check(os.access(path, os.X_OK), f"no {path}: run tools/testing/deps.sh")
    return path


def listen(ns, addr, port, proto="tcp"):
    sock = ns.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET,
                     socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(10)
    sock.bind((addr, port))
    if proto == "tcp":
        sock.listen(16)
    return sock


def connect(ns, addr, port, proto="tcp", timeout=10, source=None):
    sock = ns.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET,
                     socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    sock.settimeout(timeout)
    if source:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(source)
    try:
        sock.connect((addr, port))
    except OSError:
        sock.close()
        raise
    return sock


class Talk:
    """A connection that stays: open, between two sockets of this process. The server answers what it hears.

    peer: the client that the server sees; local: what it was called by.
    """

    all = []

    def __init__(self, client, server, addr, port, to=None, proto="tcp", source=None):
        """client and server are namespaces; the server listens at (addr, port), and is called at to."""
        self.proto = proto
        self.rounds = 0
        self.problem = None
        self.thread = None
        self.stopping = threading.Event()
        self.listener = listen(server, addr, port, proto)
        self.far = None
        try:
            self.near = connect(client, *(to or (addr, port)), proto, source=source)
        except OSError as e:
            self.listener.close()
            raise Failure(f"connecting to {to or (addr, port)}: {e}") from None
        if proto == "tcp":
            self.far, peer = self.listener.accept()
            self.far.settimeout(10)
        else:
            self.near.send(b"hello")
            _, peer = self.listener.recvfrom(100)
        self.peer, self.local = peer[:2], (self.far or self.listener).getsockname()[:2]
        if proto != "tcp":
            self.listener.sendto(b"hello", self.peer)
            equal(self.near.recv(100), b"hello", "the answer")
        Talk.all.append(self)

    def round(self, size=1000):
        """There and back; Failure if that does not work in 10 seconds."""
        data = random.randbytes(size)
        try:
            self.near.sendall(data)
            if self.far:
                equal(self.read(self.far, size), data, "what the server heard")
                self.far.sendall(data)
                equal(self.read(self.near, size), data, "what the client heard")
            else:
                heard, peer = self.listener.recvfrom(65536)
                equal((heard, peer[:2]), (data, self.peer), "what the server heard, from where")
                self.listener.sendto(data, self.peer)
                equal(self.near.recv(65536), data, "what the client heard")
        except OSError as e:
            raise Failure(f"{self.proto} connection of {self.peer}: {e!r}") from None
        self.rounds += 1

    @staticmethod
    def read(sock, size):
        data = b""
        while len(data) < size:
            more = sock.recv(size - len(data))
            check(more, "connection closed")
            data += more
        return data

    def start(self):
        """Go on in the background: many at once shall leave the processor to others."""
        def work():
            try:
                while not self.stopping.wait(0.02):
                    self.round()
            except Failure as e:
                self.problem = str(e)
        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()
        return self

    def alive(self, rounds=3):
        """It goes on from now."""
        if not self.thread:
            for _ in range(rounds):
                self.round()
            return
        goal = self.rounds + rounds
        busywait(20, lambda: self.problem or self.rounds >= goal, "the background connection goes on")
        check(not self.problem, f"the background connection: {self.problem}")

    def close(self):
        Talk.all.remove(self)
        self.stopping.set()
        if self.thread:
            self.thread.join()
        for sock in (self.near, self.far, self.listener):
            if sock:
                sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def all_alive(talks, what):
    """Each of them goes on, or Failure says @what it was that one did not outlast."""
    for talk in talks:
        try:
            talk.alive()
        except Failure as e:
            raise Failure(f"{what}: {e}") from None


class Busy:
    """Keep connections from being idle, which is something like three rounds a second."""

    def __init__(self, talks):
        self.talks, self.stop, self.problem = talks, threading.Event(), None

    def work(self):
        try:
            while not self.stop.wait(0.3):
                for talk in self.talks:
                    talk.round(10)
        except Failure as e:
            self.problem = str(e)

    def __enter__(self):
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        check(not self.problem, f"a connection in use: {self.problem}")


def load_modules(*names):
    run("modprobe", "-a", *names)


def remove_modules(*names):
    """Unload what is there, in the order given; Failure if something keeps one in use."""
    for name in names:
        if os.path.isdir("/sys/module/" + name):
            # A reference that a namespace held is given back a moment after it is gone.
            busywait(10, lambda n=name: run("modprobe", "-r", n, ok=False)[0] == 0, f"modprobe -r {name}")


NAT_MODULES = ("nf_nat_ftp", "nf_nat_tftp", "nf_nat_sip", "nft_masq", "nft_nat", "nft_redir", "nft_chain_nat",
               "xt_MASQUERADE", "xt_nat", "xt_REDIRECT", "xt_NETMAP", "iptable_nat", "ip6table_nat", "ip_vs_rr",
               "ip_vs", "nf_nat")
HELPER_MODULES = ("nf_conntrack_ftp", "nf_conntrack_tftp", "nf_conntrack_sip")


def marked_net():
    """A Net where packets of the mark 0x100 are left to nf_conntrack."""
    net = Net()
    if FLOWTRACK:
        net.r.sysctl("bypass_mark", 0x100)
        net.r.sysctl("bypass_mask", 0x100)
    return net


def teardown(_net):
    """The next test shall start without NAT and helpers, in direct mode."""
    while Talk.all:
        Talk.all[0].close()
    Ns.delete_all()
    remove_modules(*NAT_MODULES, *HELPER_MODULES)
