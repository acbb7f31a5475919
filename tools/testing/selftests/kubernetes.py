#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The rules of kube-proxy in iptables mode on a node with two pods: services by their cluster address and node port."""

import select

from lib_net import *

PODS = {"a": "10.9.3.2", "b": "10.9.4.2"}
CLUSTER = "10.96.0.10"
ENDPOINT = 8080
RULES = f"""*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-EXT-WEB - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SEP-B - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-WEB - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-EXT-WEB -m comment --comment "masquerade traffic for external destinations" -j KUBE-MARK-MASQ
-A KUBE-EXT-WEB -j KUBE-SVC-WEB
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-EXT-WEB
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-SEP-A -s {PODS["a"]}/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination {PODS["a"]}:{ENDPOINT}
-A KUBE-SEP-B -s {PODS["b"]}/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination {PODS["b"]}:{ENDPOINT}
-A KUBE-SERVICES -d {CLUSTER}/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-WEB
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-WEB -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A
-A KUBE-SVC-WEB -j KUBE-SEP-B
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A FORWARD -j KUBE-FORWARD
-A FORWARD -s 10.9.3.0/24,10.9.4.0/24 -j ACCEPT
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
"""


def setup():
    net = Net()
    net.pods = {name: net.host(name, 3 + i) for i, name in enumerate(PODS)}
    net.servers = {name: listen(net.pods[name], PODS[name], ENDPOINT) for name in PODS}
    # The cluster's addresses are on no device.
    net.r.ip("route add 10.96.0.0/12 dev rs")
    net.r.run("iptables-nft-restore", text=RULES)
    return net


def call(net, client, addr, port):
    """(which pod answered, the client that it saw)"""
    with connect(client, addr, port) as sock:
        ready = select.select(list(net.servers.values()), [], [], 10)[0]
        check(ready, f"no pod was called at {addr}:{port}")
        name = next(n for n, s in net.servers.items() if s is ready[0])
        peer, (seen, _) = ready[0].accept()
        with peer:
            for a, b in ((sock, peer), (peer, sock)):
                a.sendall(b"hello")
                b.settimeout(10)
                equal(b.recv(100), b"hello", f"through {addr}:{port}")
        return name, seen


def both(net, client, addr, port):
    """Call until both pods have answered; {pod: the client that it saw}, calls"""
    answers = {}
    for n in range(1, 31):
        name, seen = call(net, client, addr, port)
        answers[name] = seen
        if len(answers) == 2:
            return answers, n
    raise Failure(f"30 calls, all for one pod: {answers}")


@case("a pod calls the service: both pods answer, the pod itself sees the node")
def _(net):
    net.forget()
    answers, n = both(net, net.pods["a"], CLUSTER, 80)
    equal(answers, {"a": "10.9.3.1", "b": PODS["a"]}, "the clients that the pods see")
    net.where((0, n), "calls")


@case("the node calls the service")
def _(net):
    net.forget()
    answers, n = both(net, net.r, CLUSTER, 80)
    equal(sorted(answers), ["a", "b"], "who answered")
    net.where((0, n), "calls")


@case("the world calls the node's port: the pods see the node")
def _(net):
    net.forget()
    answers, n = both(net, net.c, Net.RC[4], 30080)
    equal(answers, {"a": "10.9.3.1", "b": "10.9.4.1"}, "the clients that the pods see")
    net.where((0, n), "calls")


@case("pod to pod, and pod to the world: nothing to translate, flowtrack's")
def _(net):
    net.forget()
    equal(call(net, net.pods["a"], PODS["b"], ENDPOINT), ("b", PODS["a"]), "which pod answered, the client that it saw")
    with Talk(net.pods["b"], net.s, Net.S[4], 443) as talk:
        talk.alive()
    net.where((2, 0), "connections")


@case("an endpoint goes: its connections stay, and no new one gets there")
def _(net):
    net.forget()
    for _ in range(40):
        sock = connect(net.c, Net.RC[4], 30080)
        ready = select.select(list(net.servers.values()), [], [], 10)[0]
        peer = ready[0].accept()[0]
        if ready[0] is net.servers["a"]:
            break
        sock.close()
        peer.close()
    net.r.run("iptables-nft-restore", text=RULES.replace(
        "-A KUBE-SVC-WEB -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A\n", ""))
    for _ in range(5):
        equal(call(net, net.c, Net.RC[4], 30080)[0], "b", "who answered")
    sock.sendall(b"still there")
    peer.settimeout(10)
    equal(peer.recv(100), b"still there", "through the old connection")
    sock.close()
    peer.close()


main(setup, teardown)
