#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The rules that libvirt writes for a network with NAT, by iptables and by nftables, and guests behind its bridge."""

from lib_net import *

GATEWAY, GUEST, OTHER = "192.168.122.1", "192.168.122.2", "192.168.100.2"
LAN = "192.168.122.0/24"
BACKENDS = ("iptables", "nftables")
IPTABLES = f"""*mangle
:LIBVIRT_PRT - [0:0]
-A POSTROUTING -j LIBVIRT_PRT
-A LIBVIRT_PRT -o virbr0 -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill
COMMIT
*nat
:LIBVIRT_PRT - [0:0]
-A POSTROUTING -j LIBVIRT_PRT
-A LIBVIRT_PRT -s {LAN} -d 224.0.0.0/24 -j RETURN
-A LIBVIRT_PRT -s {LAN} -d 255.255.255.255/32 -j RETURN
-A LIBVIRT_PRT -s {LAN} ! -d {LAN} -p tcp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s {LAN} ! -d {LAN} -p udp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s {LAN} ! -d {LAN} -j MASQUERADE
COMMIT
*filter
:LIBVIRT_FWI - [0:0]
:LIBVIRT_FWO - [0:0]
:LIBVIRT_FWX - [0:0]
:LIBVIRT_INP - [0:0]
:LIBVIRT_OUT - [0:0]
-A INPUT -j LIBVIRT_INP
-A FORWARD -j LIBVIRT_FWX
-A FORWARD -j LIBVIRT_FWI
-A FORWARD -j LIBVIRT_FWO
-A OUTPUT -j LIBVIRT_OUT
-A LIBVIRT_FWI -d {LAN} -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A LIBVIRT_FWI -o virbr0 -j REJECT --reject-with icmp-port-unreachable
-A LIBVIRT_FWO -s {LAN} -i virbr0 -j ACCEPT
-A LIBVIRT_FWO -i virbr0 -j REJECT --reject-with icmp-port-unreachable
-A LIBVIRT_FWX -i virbr0 -o virbr0 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p udp -m udp --dport 53 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p tcp -m tcp --dport 53 -j ACCEPT
-A LIBVIRT_INP -i virbr0 -p udp -m udp --dport 67 -j ACCEPT
-A LIBVIRT_OUT -o virbr0 -p udp -m udp --dport 53 -j ACCEPT
-A LIBVIRT_OUT -o virbr0 -p udp -m udp --dport 68 -j ACCEPT
COMMIT
"""
NFTABLES = f"""
table ip libvirt_network {{
	chain forward {{
		type filter hook forward priority filter; policy accept;
		counter jump guest_cross
		counter jump guest_input
		counter jump guest_output
	}}
	chain guest_output {{
		ip saddr {LAN} iif "virbr0" counter accept
		iif "virbr0" counter reject
	}}
	chain guest_input {{
		oif "virbr0" ip daddr {LAN} ct state established,related counter accept
		oif "virbr0" counter reject
	}}
	chain guest_cross {{
		iif "virbr0" oif "virbr0" counter accept
	}}
	chain guest_nat {{
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr {LAN} ip daddr 224.0.0.0/24 counter return
		ip saddr {LAN} ip daddr 255.255.255.255 counter return
		meta l4proto tcp ip saddr {LAN} ip daddr != {LAN} counter masquerade to :1024-65535
		meta l4proto udp ip saddr {LAN} ip daddr != {LAN} counter masquerade to :1024-65535
		ip saddr {LAN} ip daddr != {LAN} counter masquerade
	}}
}}
"""


def guest(net, name, bridge, addr):
    ns = Ns(name)
    net.r.ip(f"link add vnet-{name} type veth peer name eth0 netns {ns.name}", f"link set vnet-{name} master {bridge} up")
    ns.ip(f"addr add {addr}/24 dev eth0", "link set eth0 up", f"route add default via {addr.rpartition('.')[0]}.1")
    return ns


def setup():
    net = Net()
    for bridge, gateway in (("virbr0", GATEWAY), ("virbr1", "192.168.100.1")):
        net.r.ip(f"link add {bridge} type bridge", f"addr add {gateway}/24 dev {bridge}", f"link set {bridge} up")
    net.guest = guest(net, "vm", "virbr0", GUEST)
    net.other = guest(net, "vm2", "virbr1", OTHER)
    return net


def install(net, backend):
    net.r.nft("flush ruleset")
    if backend == "iptables":
        net.r.run("iptables-nft-restore", text=IPTABLES)
    else:
        net.r.nft(NFTABLES)


def backend_cases(backend):
    @case(f"{backend}: a guest calls the world, from a port that NAT has to change, too")
    def _(net):
        install(net, backend)
        net.forget()
        for proto in ("tcp", "udp"):
            with Talk(net.guest, net.s, Net.S[4], 443, proto=proto, source=(GUEST, 5000)) as talk:
                talk.alive()
                equal(talk.peer, (Net.RS[4], 5000), "the client that the world sees")
            # Below 1024: out of the range that the rule gives.
            with Talk(net.guest, net.s, Net.S[4], 443, proto=proto, source=(GUEST, 600)) as talk:
                talk.alive()
                equal((talk.peer[0], talk.peer[1] >= 1024), (Net.RS[4], True), "the client that the world sees")
        net.guest.run("ping", "-q", "-c", "1", "-W", "10", Net.S[4])
        net.where(translated(5), "connections")

    @case(f"{backend}: the world and another network get at no guest")
    def _(net):
        net.forget()
        for client in (net.c, net.other):
            if client is net.c:
                client.ip(f"route replace {LAN} via {Net.RC[4]}")
            with listen(net.guest, GUEST, 80):
                try:
                    connect(client, GUEST, 80, timeout=5).close()
                    raise Failure("the guest was reached")
                except ConnectionRefusedError:
                    pass
        net.where((0, 0), "connections")

    @case(f"{backend}: a guest asks the host's DNS: not translated, and flowtrack's")
    def _(net):
        net.forget()
        for proto in ("tcp", "udp"):
            with Talk(net.guest, net.r, GATEWAY, 53, proto=proto) as talk:
                talk.alive()
                equal(talk.peer[0], GUEST, "the client that the host sees")
        net.where((2, 0), "connections")


for name in BACKENDS:
    backend_cases(name)


main(setup, teardown)
