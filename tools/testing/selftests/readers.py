#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Readers of conntracks that few rulesets have: openvswitch's and tc's ct action, security marks.
Each finds in nf_conntrack what it finds without flowtrack, and has nothing any more when it has gone."""

import struct

from lib_net import *

PLAIN = """
table inet filter {
	chain forward {
		type filter hook forward priority 0
		ct state invalid counter drop
	}
}
"""
HOST = """
table inet host {
	chain in {
		type filter hook input priority 0; policy drop
		ct state established,related accept
		udp dport 53 accept
		tcp dport 80 accept
	}
}
"""
IP, ARP = 0x800, 0x806
# Bits of OVS_KEY_ATTR_CT_STATE.
CT_NEW, CT_ESTABLISHED, CT_INVALID, CT_TRACKED = 1, 2, 0x10, 0x20


class Switch:
    """A datapath of openvswitch, without its daemon: what no flow of it matches is dropped."""

    def __init__(self, ns, name, ports):
        """The ports are devices of NS; port 0 is the datapath's own device, and comes with it."""
        self.ports = [0]
        self.datapath, self.vport, self.flow = (Genl(ns, f"ovs_{kind}") for kind in ("datapath", "vport", "flow"))
        self.index = 0
        self.ask(self.datapath, 1, nla(1, name.encode() + b"\0") + nla(2, (4, 0)), 2)
        with ns:
            self.index = socket.if_nametoindex(name)
        for number, port in enumerate(ports, 1):
            self.ask(self.vport, 1, nla(1, (4, number)) + nla(2, (4, 1)) + nla(3, port.encode() + b"\0") + nla(5, (4, 0)))
            self.ports.append(number)

    def ask(self, genl, cmd, attrs, version=1):
        error, message, _ = genl.request(cmd, struct.pack("=i", self.index) + attrs, version=version)
        check(not error, f"openvswitch, request {cmd}: error {error} {message}")

    def add(self, port, kind, actions, recirc=0, state=None):
        """STATE: (bits, mask)"""
        size = {IP: 12, ARP: 24}[kind]
        attr = {IP: 7, ARP: 13}[kind]
        key = [nla(3, (4, port)), nla(4, bytes(12)), nla(6, struct.pack("!H", kind)), nla(attr, bytes(size)),
               nla(20, (4, recirc))]
        mask = [nla(3, (4, 0xffffffff)), nla(4, bytes(12)), nla(6, b"\xff\xff"), nla(attr, bytes(size)),
                nla(20, (4, 0xffffffff))]
        if state:
            key.append(nla(22, (4, state[0])))
            mask.append(nla(22, (4, state[1])))
        self.ask(self.flow, 1, nla(1, b"".join(key)) + nla(2, actions) + nla(7, b"".join(mask)))

    def flood(self, port):
        return b"".join(nla(1, (4, other)) for other in self.ports if other != port)

    def track(self, openers):
        """Packets are tracked; those of established connections pass, new ones come from the ports OPENERS.

        What comes from port 0, the host itself, is not committed: the host's ruleset has entered it already, where the
        datapath looks its answers up.
        """
        known = CT_TRACKED | CT_NEW | CT_ESTABLISHED | CT_INVALID
        for port in self.ports:
            self.add(port, ARP, self.flood(port))
            self.add(port, IP, nla(12, b"") + nla(7, (4, 1)))
            self.add(port, IP, self.flood(port), 1, (CT_TRACKED | CT_ESTABLISHED, known))
            if port in openers:
                self.add(port, IP, (nla(12, nla(1, b"")) if port else b"") + self.flood(port), 1, (CT_TRACKED | CT_NEW, known))

    def close(self):
        self.ask(self.datapath, 2, b"", 2)
        for genl in (self.datapath, self.vport, self.flow):
            genl.close()


def unheard(client, server, addr, port):
    """A packet that opens a connection does not arrive."""
    with listen(server, addr, port, "udp") as listener, connect(client, addr, port, "udp") as near:
        listener.settimeout(0.5)
        near.send(b"anybody?")
        try:
            listener.recvfrom(100)
        except TimeoutError:
            return
    raise Failure("it was heard")


@case("openvswitch with ct: guests, and the host itself by its port; an answer is one, what comes unasked is none")
def _(_net):
    load_modules("openvswitch")
    host, a, b = Ns("host"), Ns("a"), Ns("b")
    for ns, name, addr in ((a, "pa", 2), (b, "pb", 3)):
        host.ip(f"link add {name} type veth peer name eth netns {ns.name}", f"link set {name} up")
        ns.ip(f"addr add 10.9.9.{addr}/24 dev eth", "link set eth up")
    switch = Switch(host, "sw", ("pa", "pb"))
    try:
        host.ip("addr add 10.9.9.1/24 dev sw", "link set sw up", "link set lo up")
        host.nft(HOST)
        switch.track((0, 1))
        for proto, port in (("udp", 53), ("tcp", 80)):
            for client, server, addr in ((host, b, 3), (a, b, 3), (a, host, 1), (host, a, 2)):
                with Talk(client, server, f"10.9.9.{addr}", port, proto=proto) as talk:
                    talk.alive(5)
        unheard(b, host, "10.9.9.1", 53)
        unheard(b, a, "10.9.9.2", 53)
    finally:
        switch.close()
        for ns in (host, a, b):
            ns.delete()
        remove_modules("openvswitch")


def tc(net, *lines):
    for line in lines:
        net.r.run("tc", *line.split())


# These come before act_ct is loaded, which turns labels on everywhere: they keep all flows in nf_conntrack, too.
@case("tc with iptables' targets: flows stay in nf_conntrack while one is there")
def _(net):
    if run("modprobe", "-n", "act_ipt", ok=False)[0]:
        print("# this kernel has no act_ipt: Linux 6.8 removed it")
        return
    if "Bad action type" in run("tc", "actions", "add", "action", "xt", "help", ok=False)[2]:
        print("# this tc has no action xt, as Debian 13's: upstream has removed it")
        return
    load_modules("act_ipt", "xt_connmark", "cls_matchall", "sch_prio")
    net.reset(PLAIN)
    tc(net, "qdisc add dev rs root handle 1: prio",
       "filter add dev rs parent 1: protocol ip matchall action xt -j CONNMARK --set-mark 7")
    try:
        with Talk(net.c, net.s, Net.S[4], 5300, proto="udp") as talk:
            talk.alive(1)
        net.where((0, 1), "with a target", proto="udp")
    finally:
        tc(net, "qdisc del dev rs root")


def secure(net, what, ruleset, rules=()):
    """The connection keeps the security mark that its first packet was given: conntrack prints it as a label."""
    net.reset(ruleset)
    for rule in rules:
        net.r.run("iptables-nft", "-t", "mangle", "-A", "FORWARD", "-p", "udp", *rule)
    with Talk(net.c, net.s, Net.S[4], 5300, proto="udp") as talk:
        talk.alive(5)
        out = net.r.run("conntrack", "-L", "-p", "udp", "--orig-port-dst", "5300")[1]
        check(" secctx=unconfined " in out, f"{what}: {out}")
    if rules:
        net.r.run("iptables-nft", "-t", "mangle", "-F")


@case("security marks: the connection keeps what ct secmark, and CONNSECMARK, have put there")
def _(net):
    secure(net, "nftables", """
table inet security {
	secmark tag { "unconfined" }
	chain forward {
		type filter hook forward priority 0
		iif rc udp dport 5300 ct state new meta secmark set "tag"
		iif rc udp dport 5300 ct state new ct secmark set meta secmark
		ct state established,related meta secmark set ct secmark
	}
}""")
    secure(net, "iptables", "", (("-i", "rc", "-m", "conntrack", "--ctstate", "NEW", "-j", "SECMARK", "--selctx", "unconfined"),
                                 ("-i", "rc", "-m", "conntrack", "--ctstate", "NEW", "-j", "CONNSECMARK", "--save"),
                                 ("-i", "rs", "-j", "CONNSECMARK", "--restore")))
    net.reset("")


def security_context(queue):
    """Of the next packet in a queue; it goes on."""
    attrs = nla_parse(queue.sock.recv(1 << 20)[20:])
    queue.verdict(struct.unpack_from("!I", attrs[1])[0], NF_ACCEPT)
    return attrs.get(18)  # NFQA_SECCTX


@case("security marks: what a rule writes to a packet's conntrack is not the next packet's, which is another connection's")
def _(net):
    net.reset(PLAIN)
    # The kernel tells the context of a packet that has a socket: the router's own. These are from before the object: while
    # there is one new connections stay in nf_conntrack.
    with Talk(net.r, net.s, Net.S[4], 7001, proto="udp") as given, Talk(net.r, net.s, Net.S[4], 7002, proto="udp") as other:
        net.where((2, 0), "at first", proto="udp")
        net.r.nft("""
table inet security {
	secmark tag { "unconfined" }
	chain out {
		type filter hook output priority 0
		udp dport { 7001, 7003 } meta secmark set "tag"
		udp dport 7001 ct secmark set meta secmark
		udp dport 7002 meta secmark set ct secmark
		udp dport { 7002, 7003 } queue num 0
	}
}""")
        queue = Queue(net.r)
        queue.talk(2, nla(5, struct.pack("!I", 16)) + nla(4, struct.pack("!I", 16)))  # NFQA_CFG_F_SECCTX
        for n in range(10):
            given.near.send(b"with a mark")
            other.near.send(b"without")
            equal(security_context(queue), None, f"context of packet {n} of the other connection")
        net.where((2, 0), "then", proto="udp")
        with connect(net.r, Net.S[4], 7003, "udp") as marked:
            marked.send(b"with a mark")
            equal(security_context(queue), b"unconfined", "context of a packet that has one")
        queue.close()
    net.reset("")


@case("tc with ct: only answers come in, to connections of hosts and of the router itself")
def _(net):
    load_modules("act_ct", "cls_flower", "cls_matchall", "act_gact", "sch_ingress")
    net.reset(PLAIN)
    tc(net, "qdisc add dev rs ingress",
       "filter add dev rs ingress protocol ip prio 1 chain 0 flower ct_state -trk action ct pipe action goto chain 1",
       "filter add dev rs ingress protocol ip prio 1 chain 1 flower ct_state +trk+est action pass",
       "filter add dev rs ingress protocol ip prio 2 chain 1 matchall action drop")
    try:
        for client in (net.c, net.r):
            for proto in ("udp", "tcp"):
                with Talk(client, net.s, Net.S[4], 5300, proto=proto) as talk:
                    talk.alive(5)
        unheard(net.s, net.c, Net.C[4], 53)
    finally:
        tc(net, "qdisc del dev rs ingress")


@case("what has gone needs nothing: flows are flowtrack's again", only="flowtrack")
def _(net):
    remove_modules("openvswitch", "act_ct", "act_ipt", "xt_CONNSECMARK")
    net.reset(PLAIN)
    with Talk(net.c, net.s, Net.S[4], 7000, proto="udp") as talk:
        talk.alive(1)
    net.where((1, 0), "after all of them", proto="udp")


main(Net, teardown)
