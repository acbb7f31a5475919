#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The rules that Docker writes (iptables-nft), two networks with containers behind bridges, and traffic through them."""

from lib_net import *

RULES = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.18.0.0/16 ! -o br-app -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER -i br-app -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A FORWARD -o br-app -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o br-app -j DOCKER
-A FORWARD -i br-app ! -o br-app -j ACCEPT
-A FORWARD -i br-app -o br-app -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -i br-app ! -o br-app -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -o br-app -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
"""
WEB, OTHER, APP = "172.17.0.2", "172.17.0.3", "172.18.0.2"


def container(net, name, bridge, addr):
    ns = Ns(name)
    gateway = addr.rpartition(".")[0] + ".1"
    net.r.ip(f"link add v{name} type veth peer name eth0 netns {ns.name}", f"link set v{name} master {bridge} up")
    ns.ip(f"addr add {addr}/16 dev eth0", "link set eth0 up", f"route add default via {gateway}")
    return ns


def setup():
    net = Net()
    for bridge, gateway in (("docker0", "172.17.0.1"), ("br-app", "172.18.0.1")):
        net.r.ip(f"link add {bridge} type bridge", f"addr add {gateway}/16 dev {bridge}", f"link set {bridge} up")
    net.web = container(net, "web", "docker0", WEB)
    net.other = container(net, "other", "docker0", OTHER)
    net.app = container(net, "app", "br-app", APP)
    # As Docker does: what passes a bridge passes iptables, too.
    load_modules("br_netfilter")
    net.r.sysctl("net.bridge.bridge-nf-call-iptables", 1)
    net.r.run("iptables-nft-restore", text=RULES)
    return net


@case("a published port, from outside and from the host itself")
def _(net):
    net.forget()
    with Talk(net.c, net.web, WEB, 80, to=(Net.RC[4], 8080)) as talk:
        talk.alive()
        equal(talk.peer[0], Net.C[4], "the client that the container sees")
    with Talk(net.r, net.web, WEB, 80, to=(Net.RS[4], 8080)) as talk:
        talk.alive()
    # The host asks an address of its own: a flow between equal ends stays in nf_conntrack.
    net.where(translated(0, 1, 1), "connections", odport=8080)


@case("a container calls the world")
def _(net):
    net.forget()
    for proto in ("tcp", "udp"):
        with Talk(net.app, net.s, Net.S[4], 443, proto=proto) as talk:
            talk.alive()
            equal(talk.peer[0], Net.RS[4], "the client that the world sees")
    net.app.run("ping", "-q", "-c", "1", "-W", "10", Net.S[4])
    net.where(translated(3), "connections")


@case("networks are kept apart, and ports that are not published closed")
def _(net):
    net.forget()
    for client, addr, port in ((net.app, WEB, 80), (net.web, APP, 80), (net.c, APP, 80), (net.c, WEB, 81)):
        with listen(net.web if addr == WEB else net.app, addr, port):
            try:
                connect(client, addr, port, timeout=1).close()
                raise Failure(f"{addr}:{port} was reached")
            except TimeoutError:
                pass
    net.where((0, 0), "connections")


@case("within a network, and to the host: not translated, and flowtrack's")
def _(net):
    net.forget()
    with Talk(net.other, net.web, WEB, 80) as talk:
        talk.alive()
        equal(talk.peer[0], OTHER, "the client that the container sees")
    with Talk(net.web, net.r, "172.17.0.1", 53, proto="udp") as talk:
        talk.alive()
    net.where((2, 0), "connections")


main(setup, teardown)
