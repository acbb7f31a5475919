#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What asks for conntracks behind POST_ROUTING and does not need nf_conntrack's table: the flow classifier of tc, which
is what a shaper tells hosts behind NAT by, and cake. And what cannot ask: rules of the netdev family."""

import re

from lib_net import *

PORTS = range(8000, 8008)
PLAIN = """
table inet filter {
	chain forward {
		type filter hook forward priority 0
		ct state invalid drop
	}
}
"""
TRANSLATED = PLAIN + MASQUERADE.replace("masquerade", "meta l4proto udp masquerade to :20000-20999")


def tc(net, *lines):
    for line in lines:
        net.r.run("tc", *line.split())


def classes(net, dev):
    """Packets of each class of a prio qdisc, by its number."""
    out = net.r.run("tc", "-s", "class", "show", "dev", dev)[1]
    return {int(m[1], 16): int(m[2]) for m in re.finditer(r"class prio 1:([0-9a-f]+) .*?Sent \d+ bytes (\d+) pkt", out, re.S)}


def talk(net, family):
    """Three packets from each port, the first ones of their flows and others, and an answer to each."""
    server = listen(net.s, Net.S[family], 53, "udp")
    for sport in PORTS:
        client = connect(net.c, Net.S[family], 53, "udp", source=(Net.C[family], sport))
        for _ in range(3):
            client.send(b"ask")
            data, peer = server.recvfrom(100)
            server.sendto(data, peer)
            client.recv(100)
        client.close()
    server.close()


def setup():
    net = Net()
    load_modules("sch_prio", "cls_flow", "sch_cake")
    return net


def by_port(net, rules, dev, key):
    """A class for each of the client's ports, whatever the port became: three packets in each."""
    for family in FAMILIES:
        tc(net, f"qdisc add dev {dev} root handle 1: prio bands 8",
           f"filter add dev {dev} parent 1: protocol {'ipv6' if family == 6 else 'ip'} prio 1 handle 1 "
           f"flow map key {key} and 0x7 baseclass 1:1")
        try:
            net.reset(rules)
            talk(net, family)
            seen = classes(net, dev)
            # What is sent twice counts twice. Neighbour discovery has no port, and the first class; ARP has that of its priority.
            check(all(seen.get(n, 0) >= 3 for n in range(3, 9)) and seen.get(1, 0) >= 3 and seen.get(2, 0) >= 3,
                  f"IPv{family}, {dev}, {key}: {seen}")
        finally:
            tc(net, f"qdisc del dev {dev} root")


@case("flow classifier: the ports of a connection, to the server and back")
def _(net):
    by_port(net, PLAIN, "rs", "nfct-proto-src")
    by_port(net, PLAIN, "rc", "nfct-proto-dst")
    net.where((8, 0), "not translated", proto="udp")


@case("flow classifier: the port that a masqueraded client has inside, on the way out and back")
def _(net):
    by_port(net, TRANSLATED, "rs", "nfct-proto-src")


@case("cake with nat: translated and other flows pass")
def _(net):
    tc(net, "qdisc add dev rs root cake bandwidth 1gbit nat dual-srchost")
    try:
        for rules in (PLAIN, TRANSLATED):
            net.reset(rules)
            for family in FAMILIES:
                talk(net, family)
    finally:
        tc(net, "qdisc del dev rs root")


@case("rules of the netdev family: the kernel has no conntrack for them, at egress or ingress")
def _(net):
    for hook in ("ingress", "egress"):
        status, _, err = net.r.run("nft", f"table netdev e {{ chain c {{ type filter hook {hook} device rs priority 0; "
                                   f"ct mark 1 counter; }}; }}", ok=False)
        check(status, f"ct mark at {hook} was taken: {err}")
    # So that it is not the hook that is refused.
    net.r.nft("table netdev e { chain c { type filter hook egress device rs priority 0; meta mark 1 counter; }; }")
    net.r.nft("delete table netdev e")


main(setup)
