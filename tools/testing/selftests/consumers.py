#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A reader of nf_conntrack's table beside the hooks finds there what it finds without flowtrack, with no mark, no
setting, and the ruleset unchanged: ct count and connlimit, flowtables, synproxy, tc's ctinfo and connmark, a bridge that tracks,
labels, SO_ORIGINAL_DST. And what has gone needs nothing any more."""
# TIMEOUT: 240

import re
import struct

from lib_net import *

COUNT = """
table inet filter {
	set each { type ipv4_addr; flags dynamic; size 100; }
	set each6 { type ipv6_addr; flags dynamic; size 100; }
	chain forward {
		type filter hook forward priority 0
		tcp dport 80 ct state new add @each { ip saddr ct count over 3 } reject with tcp reset
		tcp dport 80 ct state new add @each6 { ip6 saddr ct count over 3 } reject with tcp reset
	}
}
"""
FLOWTABLE = """
table inet filter {
	flowtable f { hook ingress priority 0; devices = { rc, rs }; }
	counter forwarded { }
	chain forward {
		type filter hook forward priority 0
		meta l4proto { tcp, udp } ct state established flow add @f
		meta l4proto { tcp, udp } counter name forwarded
	}
}
"""
SYNPROXY = """
table inet filter {
	chain pre {
		type filter hook prerouting priority raw
		tcp dport 80 tcp flags syn / fin,syn,rst,ack notrack
	}
	chain forward {
		type filter hook forward priority 0
		tcp dport 80 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
		ct state invalid drop
	}
}
"""
MARK = """
table inet filter {
	chain forward {
		type filter hook forward priority 0
		udp dport 5004 ct mark set 0xae
	}
}
"""
PLAIN = """
table inet filter {
	chain forward {
		type filter hook forward priority 0
		ct state invalid counter drop
	}
}
"""


def opened(net, addr):
    """How many of six connections from one client were let in."""
    count, socks = 0, []
    for _ in range(6):
        try:
            socks.append(connect(net.c, addr, 80))
            count += 1
        except ConnectionRefusedError:
            pass
    for sock in socks:
        sock.close()
    return count


@case("ct count: three connections for each source")
def _(net):
    net.reset(COUNT)
    for family in FAMILIES:
        with listen(net.s, Net.S[family], 80):
            equal(opened(net, Net.S[family]), 3, f"IPv{family}: connections let in")


@case("connlimit of iptables")
def _(net):
    net.reset("")
    for command, family in (("iptables-nft", 4), ("ip6tables-nft", 6), ("iptables-legacy", 4)):
        net.forget()
        rule = ("-p", "tcp", "--syn", "--dport", "80", "-m", "connlimit", "--connlimit-above", "3", "-j", "REJECT",
                "--reject-with", "tcp-reset")
        net.r.run(command, "-A", "FORWARD", *rule)
        with listen(net.s, Net.S[family], 80):
            equal(opened(net, Net.S[family]), 3, f"{command}: connections let in")
        net.r.run(command, "-D", "FORWARD", *rule)


@case("a flowtable takes flows past the ruleset")
def _(net):
    net.reset(FLOWTABLE)
    for family in FAMILIES:
        for proto in ("tcp", "udp"):
            with Talk(net.c, net.s, Net.S[family], 80, proto=proto) as talk:
                talk.alive(5)
                before = net.counters()["forwarded"]
                talk.alive(20)
                seen = net.counters()["forwarded"] - before
            check(seen <= 2, f"{proto} over IPv{family}: {seen} packets of 20 rounds came by the forward chain")


def synproxy_cookies(net):
    """Cookies that clients answered rightly."""
    lines = net.r.read("/proc/thread-self/net/stat/synproxy").splitlines()
    column = lines[0].split().index("cookie_valid")
    return sum(int(line.split()[column], 16) for line in lines[1:])


def proxied(net, family, what):
    before = synproxy_cookies(net)
    with Talk(net.c, net.s, Net.S[family], 80) as talk:
        talk.alive()
    equal(synproxy_cookies(net) - before, 1, f"{what}: cookies that were right")


@case("synproxy, of nftables and of iptables")
def _(net):
    net.r.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
    net.reset(SYNPROXY)
    for family in FAMILIES:
        proxied(net, family, f"IPv{family}")
    net.reset("")
    for command, family in (("iptables-nft", 4), ("ip6tables-nft", 6), ("iptables-legacy", 4)):
        web = "-p", "tcp", "--dport", "80"
        net.r.run(command, "-t", "raw", "-A", "PREROUTING", *web, "--syn", "-j", "CT", "--notrack")
        net.r.run(command, "-A", "FORWARD", *web, "-m", "conntrack", "--ctstate", "INVALID,UNTRACKED", "-j", "SYNPROXY",
                  "--sack-perm", "--timestamp", "--wscale", "7", "--mss", "1460")
        net.r.run(command, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP")
        proxied(net, family, command)
        for table in ("raw", "filter"):
            net.r.run(command, "-t", table, "-F")
    net.r.sysctl("net.netfilter.nf_conntrack_tcp_loose", 1)


def tc(net, *lines):
    for line in lines:
        net.r.run("tc", *line.split())


def class_packets(net, dev, number):
    """Packets that a class of a prio qdisc has sent."""
    out = net.r.run("tc", "-s", "class", "show", "dev", dev)[1]
    return int(re.search(rf"class prio 1:{number} .*?Sent \d+ bytes (\d+) pkt", out, re.S)[1])


def answers_tos(net, family):
    """The traffic class of answers, to a client that asks again and again."""
    client = connect(net.c, Net.S[family], 5004, "udp", source=(Net.C[family], 5005))
    server = listen(net.s, Net.S[family], 5004, "udp")
    option = (socket.IPPROTO_IP, 13) if family == 4 else (socket.IPPROTO_IPV6, 66)  # RECVTOS, RECVTCLASS
    client.setsockopt(*option, 1)
    seen = []
    with client, server:
        for _ in range(5):
            client.send(b"ask")
            data, peer = server.recvfrom(100)
            server.sendto(data, peer)
            _, control, _, _ = client.recvmsg(100, 100)
            seen.append(control[0][2][0])
    return seen


@case("tc: ctinfo and connmark restore what a rule put into the connection's mark")
def _(net):
    load_modules("act_ctinfo", "act_connmark", "cls_matchall", "cls_fw", "sch_prio", "sch_ingress")
    try:
        # Ingress, before PRE_ROUTING; then egress, behind POST_ROUTING.
        for qdisc, parent, dev in (("ingress", "ffff:", "rs"), ("root handle 1: prio", "1:", "rc")):
            tc(net, f"qdisc add dev {dev} {qdisc}",
               f"filter add dev {dev} parent {parent} matchall action ctinfo dscp 63 128")
            for family in FAMILIES:
                net.reset(MARK)
                equal(answers_tos(net, family), [46 << 2] * 5, f"{qdisc}, IPv{family}: class of the answers")
            tc(net, f"qdisc del dev {dev} {qdisc.split()[0]}")
        tc(net, "qdisc add dev rs ingress", "filter add dev rs parent ffff: matchall action connmark")
        net.reset(MARK + """
table inet look {
	counter marked { }
	chain pre {
		type filter hook prerouting priority -300
		iif rs udp sport 5004 meta mark 0xae counter name marked
	}
}""")
        answers_tos(net, 4)
        equal(net.counters()["marked"], 5, "answers that had the mark before PRE_ROUTING")
        # Egress: a class of its own for what has the mark.
        tc(net, "qdisc add dev rc root handle 1: prio bands 4",
           "filter add dev rc parent 1: protocol all prio 1 matchall action connmark continue",
           "filter add dev rc parent 1: protocol all prio 2 handle 0xae fw classid 1:4")
        for family in FAMILIES:
            net.reset(MARK)
            before = class_packets(net, "rc", 4)
            answers_tos(net, family)
            equal(class_packets(net, "rc", 4) - before, 5, f"IPv{family}: answers that had the mark behind POST_ROUTING")
    finally:
        for dev, qdisc in (("rs", "ingress"), ("rc", "root")):
            net.r.run("tc", "qdisc", "del", "dev", dev, qdisc, ok=False)


@case("SO_ORIGINAL_DST beside a rule that redirects")
def _(net):
    net.reset("""
table inet nat {
	chain pre {
		type nat hook prerouting priority -100
		tcp dport 80 redirect to :8080
	}
}""")
    for family, level in ((4, socket.SOL_IP), (6, socket.IPPROTO_IPV6)):
        with listen(net.r, Net.RC[family], 8080) as server:
            for to in ((Net.S[family], 80), (Net.RC[family], 8080)):
                with connect(net.c, *to):
                    conn, _ = server.accept()
                    with conn:
                        raw = conn.getsockopt(level, 80, 28 if family == 6 else 16)
                        port = struct.unpack_from("!H", raw, 2)[0]
                        addr = socket.inet_ntop(kind(family), raw[4:8] if family == 4 else raw[8:24])
                        equal((addr, port), to, "what the client dialled")


@case("SO_ORIGINAL_DST beside a rule that sends to an address of this machine")
def _(net):
    net.reset(f"""
table ip nat {{
	chain pre {{
		type nat hook prerouting priority -100
		tcp dport 80 dnat to {Net.RC[4]}:8080
	}}
}}""")
    with listen(net.r, Net.RC[4], 8080) as server:
        for to in ((Net.S[4], 80), (Net.RC[4], 8080)):
            with connect(net.c, *to):
                conn, _ = server.accept()
                with conn:
                    raw = conn.getsockopt(socket.SOL_IP, 80, 16)
                    equal((socket.inet_ntop(socket.AF_INET, raw[4:8]), struct.unpack_from("!H", raw, 2)[0]), to,
                          "what the client dialled")


@case("labels: set by one packet, there for the next")
def _(net):
    net.reset("""
table inet filter {
	counter labelled { }
	chain forward {
		type filter hook forward priority 0
		ct state established ct label set 5
		ct label 5 counter name labelled
	}
}""")
    with Talk(net.c, net.s, Net.S[4], 80, proto="udp") as talk:
        talk.alive(3)
    check(net.counters()["labelled"] >= 6, f"{net.counters()}")


BRIDGE = """
table bridge g {
	chain pre {
		type filter hook prerouting priority 0
		ct state invalid drop
	}
	chain local {
		type filter hook input priority 0
		ct state invalid drop
	}
	chain fw {
		type filter hook forward priority 0
		ether type arp accept
		ct state established,related accept
		ct state invalid drop
		udp dport 53 accept
		tcp dport 80 accept
		drop
	}
}
table inet h {
	chain in {
		type filter hook input priority 0; policy drop
		iif lo accept
		ct state established,related accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
	}
}
"""


@case("a bridge that tracks, on a host with an address, with br_netfilter and without")
def _(_net):
    host, a, b = Ns("host"), Ns("a"), Ns("b")
    host.ip("link add br0 type bridge", "link set br0 up", "addr add 10.9.9.1/24 dev br0")
    for ns, name, addr in ((a, "pa", 2), (b, "pb", 3)):
        host.ip(f"link add {name} type veth peer name eth netns {ns.name}", f"link set {name} master br0 up")
        ns.ip(f"addr add 10.9.9.{addr}/24 dev eth", "link set eth up")
    try:
        for filtered in (False, True):
            if filtered:
                load_modules("br_netfilter")
                host.sysctl("net.bridge.bridge-nf-call-iptables", 1)
            host.nft("flush ruleset\n" + BRIDGE)
            for ns in (host, a):
                for proto, port in (("udp", 53), ("tcp", 80)):
                    with Talk(ns, b, "10.9.9.3", port, proto=proto) as talk:
                        talk.alive(5)
    finally:
        for ns in (host, a, b):
            ns.delete()
        remove_modules("br_netfilter")


@case("what has gone needs nothing: flows are flowtrack's again", only="flowtrack")
def _(net):
    net.reset(PLAIN)
    remove_modules(*NAT_MODULES, *HELPER_MODULES)
    net.where((1, 0), "before", **talk_once(net))
    net.reset(PLAIN + COUNT.replace("inet filter", "inet count"))
    net.where((0, 1), "with ct count", **talk_once(net))
    net.reset(PLAIN)
    net.where((1, 0), "after", **talk_once(net))


@case("objects of a table, and modules: seen when they come, and when they go", only="flowtrack")
def _(net):
    chain = "chain pre { type filter hook prerouting priority -150; }"
    for what, text in (("ct timeout", "ct timeout t { protocol tcp; policy = { established : 100 }; }"),
                       ("ct expectation", "ct expectation e { protocol udp; dport 9; timeout 1m; size 1; l3proto ip; }")):
        net.reset(PLAIN)
        net.where((1, 0), f"before {what}", **talk_once(net))
        net.r.nft(f"table ip o {{ {chain}\n{text}\n}}")
        # It would be adopted; but an unconfirmed entry of nf_conntrack's is what the object needs.
        before = net.r.tool_json("stats")["adopted"]
        net.forget()
        net.where((1, 0), f"with {what}", **talk_once(net))
        equal(net.r.tool_json("stats")["adopted"] - before, 1, f"{what}: flows that nf_conntrack saw first")
        net.r.nft(f"delete {what} ip o {text.split()[2]}")
        net.forget()
        net.where((1, 0), f"after {what}", **talk_once(net))
        equal(net.r.tool_json("stats")["adopted"] - before, 1, f"without {what}: flows that nf_conntrack saw first")
    # As many counters as somebody may have, and one that is used.
    net.reset(PLAIN + f"table ip o {{ {chain}\n" + "".join(f"counter c{n} {{ }}\n" for n in range(1000)) +
              'ct timeout t { protocol udp; policy = { unreplied : 1000, replied : 1000 }; }\n}')
    net.r.nft('add rule ip o pre udp dport 7000 ct timeout set "t"')
    net.where((0, 1), "a flow with a timeout of its own", **talk_once(net))
    net.reset(PLAIN)
    load_modules("openvswitch")
    net.where((0, 1), "with openvswitch", **talk_once(net))
    remove_modules("openvswitch")
    net.forget()
    net.where((1, 0), "without openvswitch", **talk_once(net))


@case("NAT of another namespace", only="flowtrack")
def _(net):
    other = Ns("other")
    other.nft(MASQUERADE.replace("oif rs ", ""))
    net.reset(PLAIN)
    net.where((1, 0), "in a namespace without NAT", **talk_once(net))
    # IPv4 is translated, IPv6 is not.
    net.reset(PLAIN + "table ip n { chain post { type nat hook postrouting priority 100; oif rs masquerade; }; }")
    net.where(translated(1), "IPv4 beside NAT of IPv4", **talk_once(net, 4))
    net.where((1, 0), "IPv6 beside NAT of IPv4", **talk_once(net, 6))
    other.delete()


def talk_once(net, family=4):
    with Talk(net.c, net.s, Net.S[family], 7000, proto="udp") as talk:
        talk.alive(1)
    return {"proto": "udp", "odport": 7000, "family": family}


main(Net, teardown)
