#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The rules of kube-proxy, in iptables and in nftables mode, on a node with two pods: services by their cluster address
and node port."""

import select

from lib_net import *

MODES = ("iptables", "nftables")
PODS = {"a": "10.9.3.2", "b": "10.9.4.2"}
CLUSTER = "10.96.0.10"
ENDPOINT = 8080
IPTABLES = f"""*nat
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


# Where new connections to the service go, in either mode: one of both pods, or b alone.
IPTABLES_A = "-A KUBE-SVC-WEB -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A\n"
NFTABLES_BOTH = "numgen random mod 2 vmap { 0 : goto endpoint-a, 1 : goto endpoint-b }"
NFTABLES = f"""
table ip kube-proxy
delete table ip kube-proxy
table ip kube-proxy {{
	set cluster-ips {{
		type ipv4_addr
		elements = {{ {CLUSTER} }}
	}}
	set nodeport-ips {{
		type ipv4_addr
		elements = {{ {Net.RC[4]} }}
	}}
	map no-endpoint-services {{
		type ipv4_addr . inet_proto . inet_service : verdict
	}}
	map no-endpoint-nodeports {{
		type inet_proto . inet_service : verdict
	}}
	map firewall-ips {{
		type ipv4_addr . inet_proto . inet_service : verdict
	}}
	map service-ips {{
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = {{ {CLUSTER} . tcp . 80 : goto service-web }}
	}}
	map service-nodeports {{
		type inet_proto . inet_service : verdict
		elements = {{ tcp . 30080 : goto external-web }}
	}}
	chain filter-prerouting {{
		type filter hook prerouting priority -110; policy accept
		ct state new jump firewall-check
	}}
	chain filter-input {{
		type filter hook input priority -110; policy accept
		ct state new jump nodeport-endpoints-check
		ct state new jump service-endpoints-check
	}}
	chain filter-forward {{
		type filter hook forward priority -110; policy accept
		ct state new jump service-endpoints-check
		ct state new jump cluster-ips-check
	}}
	chain filter-output {{
		type filter hook output priority -110; policy accept
		ct state new jump service-endpoints-check
		ct state new jump firewall-check
	}}
	chain filter-output-post-dnat {{
		type filter hook output priority -90; policy accept
		ct state new jump cluster-ips-check
	}}
	chain nat-prerouting {{
		type nat hook prerouting priority dstnat; policy accept
		jump services
	}}
	chain nat-output {{
		type nat hook output priority -100; policy accept
		jump services
	}}
	chain nat-postrouting {{
		type nat hook postrouting priority srcnat; policy accept
		jump masquerading
	}}
	chain nodeport-endpoints-check {{
		ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
	}}
	chain service-endpoints-check {{
		ip daddr . meta l4proto . th dport vmap @no-endpoint-services
	}}
	chain firewall-check {{
		ip daddr . meta l4proto . th dport vmap @firewall-ips
	}}
	chain cluster-ips-check {{
		ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"
		ip daddr 10.96.0.0/12 drop comment "Drop traffic to unallocated ClusterIPs"
	}}
	chain services {{
		ip daddr . meta l4proto . th dport vmap @service-ips
		ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
	}}
	chain masquerading {{
		meta mark & 0x00004000 == 0x00000000 return
		meta mark set meta mark ^ 0x00004000
		masquerade fully-random
	}}
	chain mark-for-masquerade {{
		meta mark set meta mark | 0x00004000
	}}
	chain external-web {{
		jump mark-for-masquerade
		goto service-web
	}}
	chain service-web {{
		{NFTABLES_BOTH}
	}}
	chain endpoint-a {{
		ip saddr {PODS["a"]} jump mark-for-masquerade
		meta l4proto tcp dnat to {PODS["a"]}:{ENDPOINT}
	}}
	chain endpoint-b {{
		ip saddr {PODS["b"]} jump mark-for-masquerade
		meta l4proto tcp dnat to {PODS["b"]}:{ENDPOINT}
	}}
}}
"""


def install(net, mode, only_b=False):
    """In one transaction, as kube-proxy does it. What the other mode left goes first."""
    if mode == "iptables":
        net.r.run("iptables-nft-restore", text=IPTABLES.replace(IPTABLES_A, "") if only_b else IPTABLES)
    else:
        if "kube-proxy" not in net.r.run("nft", "list", "tables")[1]:
            net.r.nft("flush ruleset")
        net.r.nft(NFTABLES.replace(NFTABLES_BOTH, "goto endpoint-b") if only_b else NFTABLES)


def setup():
    net = Net()
    net.pods = {name: net.host(name, 3 + i) for i, name in enumerate(PODS)}
    net.servers = {name: listen(net.pods[name], PODS[name], ENDPOINT) for name in PODS}
    # The cluster's addresses are on no device.
    net.r.ip("route add 10.96.0.0/12 dev rs")
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


def mode_cases(mode):
    @case(f"{mode}: a pod calls the service: both pods answer, the pod itself sees the node")
    def _(net):
        install(net, mode)
        net.forget()
        answers, n = both(net, net.pods["a"], CLUSTER, 80)
        equal(answers, {"a": "10.9.3.1", "b": PODS["a"]}, "the clients that the pods see")
        net.where(translated(0, n), "calls")

    @case(f"{mode}: the node calls the service")
    def _(net):
        net.forget()
        answers, n = both(net, net.r, CLUSTER, 80)
        equal(sorted(answers), ["a", "b"], "who answered")
        net.where(translated(0, n), "calls")

    @case(f"{mode}: the world calls the node's port: the pods see the node")
    def _(net):
        net.forget()
        answers, n = both(net, net.c, Net.RC[4], 30080)
        equal(answers, {"a": "10.9.3.1", "b": "10.9.4.1"}, "the clients that the pods see")
        net.where(translated(0, n), "calls")

    @case(f"{mode}: pod to pod, and pod to the world: nothing to translate, flowtrack's")
    def _(net):
        net.forget()
        equal(call(net, net.pods["a"], PODS["b"], ENDPOINT), ("b", PODS["a"]), "which pod answered, the client that it saw")
        with Talk(net.pods["b"], net.s, Net.S[4], 443) as talk:
            talk.alive()
        net.where((2, 0), "connections")

    @case(f"{mode}: an endpoint goes: its connections stay, and no new one gets there")
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
        install(net, mode, only_b=True)
        for _ in range(5):
            equal(call(net, net.c, Net.RC[4], 30080)[0], "b", "who answered")
        sock.sendall(b"still there")
        peer.settimeout(10)
        equal(peer.recv(100), b"still there", "through the old connection")
        sock.close()
        peer.close()


for name_ in MODES:
    mode_cases(name_)


main(setup, teardown)
