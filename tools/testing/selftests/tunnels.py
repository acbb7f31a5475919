#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""6in4 and ESP through a router that lets only one end begin: idle for half the timeout, and still answered from outside,
as with nf_conntrack alone, beside which each case is run.

FT_TUNNELS_IDLE: seconds of silence; 300 leaves the timeout at what it is by default.
"""
# TIMEOUT: 1200

from lib_net import *

IDLE = int(os.environ.get("FT_TUNNELS_IDLE") or 8 * SLOW)
DEFAULT = 600  # what nf_conntrack's documentation says of nf_conntrack_generic_timeout
RULES = """
table inet filter {
	counter refused { }
	chain forward {
		type filter hook forward priority 0; policy drop
		ct state established accept
		iif rc meta l4proto { 41, esp } ct state new accept
		counter name refused
	}
}
"""
# The addresses inside, by the end that has them.
SIX = {"c": "fd41::1", "s": "fd41::2"}
INNER = {4: {"c": "10.50.1.1", "s": "10.50.2.1"}, 6: {"c": "fd50:1::1", "s": "fd50:2::1"}}


def make_sit(net):
    for end, far in (("c", "s"), ("s", "c")):
        here, there = (Net.C[4], Net.S[4]) if end == "c" else (Net.S[4], Net.C[4])
        net.hosts[end].ip(f"tunnel add six mode sit local {here} remote {there} ttl 64", "link set six up",
                          f"addr add {SIX[end]}/128 dev six nodad", f"route add {SIX[far]}/128 dev six")


def make_esp(net, family):
    outer = {"c": Net.C[family], "s": Net.S[family]}
    bits = 128 if family == 6 else 32
    for end, far in (("c", "s"), ("s", "c")):
        inner, other = INNER[family][end], INNER[family][far]
        host = net.hosts[end]
        host.ip(f"addr add {inner}/{bits} dev lo {'nodad' if family == 6 else ''}",
                f"route add {other}/{bits} via {address(1 if end == 'c' else 2, 1, family)} src {inner}")
        for source, to in (("c", "s"), ("s", "c")):
            host.ip(f"xfrm state add src {outer[source]} dst {outer[to]} proto esp spi {0x100 if source == 'c' else 0x200} mode tunnel "
                    f"auth hmac(sha256) 0x{'11' * 32} enc cbc(aes) 0x{'22' * 16}",
                    f"xfrm policy add src {INNER[family][source]}/{bits} dst {INNER[family][to]}/{bits} "
                    f"dir {'out' if source == end else 'in'} tmpl src {outer[source]} dst {outer[to]} proto esp mode tunnel")


class Tunnel:
    """A socket at each end of one."""

    def __init__(self, net, what, proto, ends):
        self.net, self.what, self.proto = net, what, proto
        self.sock = {}
        for end in "cs":
            self.sock[end] = listen(net.hosts[end], ends[end], 5000, "udp")
        self.sock["c"].connect((ends["s"], 5000))
        self.sock["s"].connect((ends["c"], 5000))

    def passes(self, end, text):
        """What @end sends arrives at the other one."""
        to = self.sock["s" if end == "c" else "c"]
        data = random.randbytes(20)
        self.sock[end].send(data)
        try:
            equal(to.recv(100), data, f"{self}: what the other end heard of {end}, {text}")
        except TimeoutError:
            raise Failure(f"{self}: nothing of what {end} sent arrived, {text}; flows {self.flows()}") from None

    def flows(self):
        with self.net.r:
            found = flowtrack_flows() if self.net.ours else conntrack_flows()
        return [f for f in found if f["proto"] not in ("tcp", "udp", "icmp", "icmpv6", "igmp")]

    def __str__(self):
        return f"{self.what} through {'flowtrack' if self.net.ours else 'nf_conntrack alone'}"


def half_timeout(net):
    """The timeout is twice the silence. flowtrack's is nf_conntrack's until it is set."""
    net.r.write("/proc/sys/net/netfilter/nf_conntrack_generic_timeout", 2 * IDLE)
    if net.ours:
        # A packet that comes at once might have the timeout from before: it follows within a second, or now.
        equal(net.r.sysctl("generic_timeout"), str(2 * IDLE), "generic_timeout")


def setup():
    tunnels = []
    for ours in (False, True) if FLOWTRACK else (False,):
        net = Net()
        net.ours = ours
        if FLOWTRACK and not ours:
            net.r.sysctl("enable", 0)
        make_sit(net)
        for family in FAMILIES:
            make_esp(net, family)
        net.reset(RULES)
        tunnels.append(Tunnel(net, "6in4", 41, SIX))
        tunnels += [Tunnel(net, f"ESP, IPv{family}", 50, INNER[family]) for family in FAMILIES]
    return tunnels


def all_talk(tunnels):
    for tunnel in tunnels:
        tunnel.passes("c", "to begin with")
        tunnel.passes("s", "to begin with")


def nets(tunnels):
    return list(dict.fromkeys(tunnel.net for tunnel in tunnels))


@case("one end begins, the other one answers; a flow lasts as long as nf_conntrack's")
def _(tunnels):
    for net in nets(tunnels):
        net.forget()
        refused = net.counters()["refused"]
        for tunnel in tunnels:
            if tunnel.net is net:
                tunnel.sock["s"].send(b"uninvited")
        busywait(20, lambda n=net, r=refused: n.counters()["refused"] == r + 3, "what nobody has asked for is refused")
    all_talk(tunnels)
    for net in nets(tunnels):
        found = next(tunnel for tunnel in tunnels if tunnel.net is net).flows()
        equal(len(found), 3, f"flows {found}")
        for flow in found:
            check(DEFAULT - 60 < flow["timeout"] <= DEFAULT, f"the timeout of {flow}")
        equal((net.tracked() if FLOWTRACK else (0, 3)), (3, 0) if net.ours else (0, 3), "flows here and in nf_conntrack")


@case(f"silent for {IDLE} s of {2 * IDLE}, and answered from outside")
def _(tunnels):
    for net in nets(tunnels):
        half_timeout(net)
    all_talk(tunnels)
    time.sleep(IDLE)  # that nothing is said is what this is about
    for tunnel in tunnels:
        tunnel.passes("s", f"after {IDLE} s")


@case("silent for longer than the timeout: refused, until the inner end speaks")
def _(tunnels):
    for net in nets(tunnels):
        half_timeout(net)
    all_talk(tunnels)
    for tunnel in tunnels:
        busywait(3 * IDLE + 30, lambda t=tunnel: not t.flows(), f"{tunnel}: no flow is left")
    for net in nets(tunnels):
        refused = net.counters()["refused"]
        for tunnel in tunnels:
            if tunnel.net is net:
                tunnel.sock["s"].send(b"late")
        busywait(20, lambda n=net, r=refused: n.counters()["refused"] == r + 3, "refused")
    for tunnel in tunnels:
        # What was refused never came.
        tunnel.passes("c", "once more")
        tunnel.passes("s", "once more")


main(setup, teardown)
