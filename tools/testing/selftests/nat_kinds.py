#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of NAT, over IPv4 and IPv6, TCP and UDP, by nftables and both iptables: both ends see the addresses that
the rules promise, the flow is where nf_flowtrack_nat says, and what no rule translates is flowtrack's."""

from lib_net import *

EXTRA = {4: "10.9.2.77", 6: "fd09:2::77"}
OUTSIDE = {4: "10.88.0", 6: "fd88:1"}  # no such network: NETMAP makes 10.9.2, fd09:2 of it
INSIDE = {4: "10.9.2", 6: "fd09:2"}
SHOWN = {4: "10.89.0", 6: "fd89:1"}  # what the client's network 10.9.1, fd09:1 is shown as
LAN = {4: "10.9.1", 6: "fd09:1"}
BACKENDS = ("nft", "iptables-nft", "iptables-legacy")


def nets(prefix, family):
    return f"{prefix[family]}::/64" if family == 6 else f"{prefix[family]}.0/24"


def host(prefix, family, last=2):
    return f"{prefix[family]}::{last}" if family == 6 else f"{prefix[family]}.{last}"


def to(addr, port):
    return f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}"


def rules(f):
    """(chain, match, target) for a family: what iptables and nft have in common. Ports are destination ports."""
    return (("post", ("out rs", 1001), ("masquerade", None)),
            ("post", ("out rs", 1002), ("snat", EXTRA[f])),
            ("post", ("out rs", 1003), ("snat", to(Net.RS[f], "30000-30100"))),
            ("pre", ("in rc", 1004), ("dnat", to(Net.S[f], 2004))),
            ("pre", ("in rc", 1005), ("redirect", "2005")),
            ("pre", (f"dst {nets(OUTSIDE, f)}", 1006), ("netmap dst", (nets(OUTSIDE, f), nets(INSIDE, f)))),
            ("post", (f"src {nets(LAN, f)}", 1007), ("netmap src", (nets(LAN, f), nets(SHOWN, f)))),
            ("pre", (f"dst {Net.RS[f]}", 1008), ("dnat", to(Net.C[f], 2008))),
            ("post", ("out rc", 2008), ("masquerade", None)),
            ("out", (f"dst {host(OUTSIDE, f)}", 1009), ("dnat", to(Net.S[f], 2009))),
            ("pre", ("in rc", 1010), ("dnat", to(Net.S[f], 2010))),
            ("post", ("out rs", 2010), ("masquerade", None)))


def nft_rules():
    chains = {"pre": "", "out": "", "post": ""}
    for f in FAMILIES:
        ip = "ip6" if f == 6 else "ip"
        for chain, (where, port), (verb, arg) in rules(f):
            word, value = where.split()
            match = {"out": f'oifname "{value}"', "in": f'iifname "{value}"', "dst": f"{ip} daddr {value}",
                     "src": f"{ip} saddr {value}"}[word]
            if verb.startswith("netmap"):
                change, side = ("dnat", "daddr") if verb.endswith("dst") else ("snat", "saddr")
                action = f"{change} {ip} prefix to {ip} {side} map {{ {arg[0]} : {arg[1]} }}"
            elif verb == "redirect":
                action = f"redirect to :{arg}"
            else:
                action = f"{verb} {ip} to {arg}" if arg else verb
            chains[chain] += f"\t\tmeta nfproto ipv{f} {match} meta l4proto {{ tcp, udp }} th dport {port} {action}\n"
    return "table inet nat {\n" + "".join(
        f"\tchain {name} {{\n\t\ttype nat hook {hook} priority {prio}\n{chains[name]}\t}}\n" for name, hook, prio in
        (("pre", "prerouting", -100), ("out", "output", -100), ("post", "postrouting", 100))) + "}\n"


def iptables_rules(family):
    lines = ["*nat"]
    for chain, (where, port), (verb, arg) in rules(family):
        word, value = where.split()
        match = {"out": "-o", "in": "-i", "dst": "-d", "src": "-s"}[word] + " " + value
        target = {"masquerade": "MASQUERADE", "snat": f"SNAT --to-source {arg}", "dnat": f"DNAT --to-destination {arg}",
                  "redirect": f"REDIRECT --to-ports {arg}"}.get(verb) or f"NETMAP --to {arg[1]}"
        name = {"pre": "PREROUTING", "out": "OUTPUT", "post": "POSTROUTING"}[chain]
        lines += [f"-A {name} {match} -p {proto} --dport {port} -j {target}" for proto in ("tcp", "udp")]
    return "\n".join(lines + ["COMMIT\n"])


def install(net, backend):
    if backend == "nft":
        net.r.nft(nft_rules())
        return
    legacy = backend.removeprefix("iptables-")
    for family, command in ((4, "iptables"), (6, "ip6tables")):
        net.r.run(f"{command}-{legacy}-restore", text=iptables_rules(family))


def remove(net, backend):
    if backend == "iptables-legacy":
        for command in ("iptables", "ip6tables"):
            net.r.run(f"{command}-legacy", "-t", "nat", "-F")
    else:
        net.r.nft("flush ruleset")


def setup():
    net = Net()
    # EXTRA is the router's, too, but not the one that it calls from.
    net.r.ip(f"addr add {EXTRA[4]}/24 dev rs", f"addr add {EXTRA[6]}/64 dev rs nodad preferred_lft 0",
             *(f"route add {nets(OUTSIDE, f)} via {Net.S[f]}" for f in FAMILIES))
    return net


def kinds(net, f):
    """(what, client, server, where it listens, what the client calls, the client that the server sees)"""
    c, s, r = net.c, net.s, net.r
    return (("masquerade", c, s, (Net.S[f], 1001), None, Net.RS[f]),
            ("snat", c, s, (Net.S[f], 1002), None, EXTRA[f]),
            ("snat to ports", c, s, (Net.S[f], 1003), None, Net.RS[f]),
            ("dnat", c, s, (Net.S[f], 2004), (Net.RC[f], 1004), Net.C[f]),
            ("redirect", c, r, (Net.RC[f], 2005), (Net.S[f], 1005), Net.C[f]),
            ("netmap of destinations", c, s, (Net.S[f], 1006), (host(OUTSIDE, f), 1006), Net.C[f]),
            ("netmap of sources", c, s, (Net.S[f], 1007), None, host(SHOWN, f)),
            ("hairpin", c, c, (Net.C[f], 2008), (Net.RS[f], 1008), Net.RC[f]),
            ("dnat of the router's own", r, s, (Net.S[f], 2009), (host(OUTSIDE, f), 1009), Net.RS[f]),
            ("dnat and masquerade", c, s, (Net.S[f], 2010), (Net.RC[f], 1010), Net.RS[f]))


def try_kind(net, proto, kind_):
    what, client, server, at, call, peer = kind_
    what = f"{what}, {proto} to {at}"
    try:
        talk = Talk(client, server, *at, to=call, proto=proto)
    except (Failure, OSError) as e:
        raise Failure(f"{what}: {e!r}") from None
    with talk:
        equal((talk.peer[0], talk.local[0] if proto == "tcp" else at[0]), (peer, at[0]), f"{what}: addresses")
        if what.startswith("snat to ports"):
            check(30000 <= talk.peer[1] <= 30100, f"{what}: port {talk.peer[1]}")
        talk.alive()


def backend_cases(backend):
    @case(f"{backend}: every kind of NAT, and nothing of it is tracked twice")
    def _(net):
        install(net, backend)
        net.forget()
        for f in FAMILIES:
            for proto in ("tcp", "udp"):
                for kind_ in kinds(net, f):
                    try_kind(net, proto, kind_)
        net.where(translated(16, 21, 3), "all of them")
        remove(net, backend)

    @case(f"{backend}: what no rule translates is flowtrack's")
    def _(net):
        install(net, backend)
        net.forget()
        for f in FAMILIES:
            for proto in ("tcp", "udp"):
                try_kind(net, proto, ("nothing", net.c, net.s, (Net.S[f], 1011), None, Net.C[f]))
                try_kind(net, proto, ("the router's own", net.r, net.s, (Net.S[f], 1012), None, Net.RS[f]))
        net.where((8, 0), "all of them")
        remove(net, backend)


for name in BACKENDS:
    backend_cases(name)


@case("ping through masquerade: the answer comes back to the host that asked")
def _(net):
    net.reset("table inet nat {\n\tchain post {\n\t\ttype nat hook postrouting priority 100\n\t\toif rs masquerade\n\t}\n}")
    for f in FAMILIES:
        net.c.run("ping", "-q", "-c", "2", "-i", "0.2", "-W", "10", Net.S[f])
    net.where(translated(2), "echo requests")


main(setup, teardown)
