#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a ruleset attaches to a conntrack: timeout policies, expectations, labels, events, zones of one direction.
With the bypass mark, in adopting mode, and with no setting at all: the flow stays in nf_conntrack in each."""

from lib_net import *

RAW = """
table inet raw {{
	chain pre {{
		type filter hook prerouting priority raw
		udp dport {{ 53, 9876 }} {mark}
		tcp dport 80 {mark}
	}}
}}
"""
MARKED, PLAIN = RAW.format(mark="meta mark set 0x100"), ""


def three_ways(net, ruleset, try_it):
    """try_it(net): with the bypass mark, adopting, and with no setting at all."""
    for word, raw in (("auto", MARKED), ("always", PLAIN), ("auto", PLAIN)):
        if FLOWTRACK:
            net.r.sysctl("adopt", word)
        net.reset(raw + ruleset)
        try:
            try_it(net)
        except Failure as e:
            raise Failure(f"adopt={word}, {'marked' if raw else 'not marked'}: {e}") from None
        finally:
            if FLOWTRACK:
                net.r.sysctl("adopt", "auto")


@case("ct timeout")
def _(net):
    def try_it(net):
        with Talk(net.c, net.s, Net.S[4], 53, proto="udp") as talk:
            talk.alive()
            net.where((0, 1), "the flow", odport=53)
            with net.r:
                timeout = next(f["timeout"] for f in conntrack_flows() if flow_field(f, "odport") == 53)
            check(900 < timeout <= 1000, f"timeout {timeout}")
    three_ways(net, """
table ip t {
	ct timeout long {
		protocol udp
		l3proto ip
		policy = { unreplied : 1000, replied : 1000 }
	}
	chain pre {
		type filter hook prerouting priority -150
		udp dport 53 ct timeout set "long"
	}
}""", try_it)


@case("ct expectation: what the server then sends to another port is related")
def _(net):
    def try_it(net):
        net.r.run("conntrack", "-F", "expect")
        with Talk(net.c, net.s, Net.S[4], 53, proto="udp") as talk:
            talk.alive()
            net.where((0, 1), "the flow that expects one", odport=53)
            before = net.counters()
            inside = listen(net.c, Net.C[4], 9876, "udp")
            inside.settimeout(10)
            outside = connect(net.s, Net.C[4], 9876, "udp")
            outside.settimeout(10)
            # Four packets: the first one decides whose the flow is.
            for data in (b"one", b"two"):
                outside.send(data)
                heard, peer = inside.recvfrom(10)
                equal(heard, data, "what the client heard")
                inside.sendto(b"yes", peer)
                equal(outside.recv(10), b"yes", "what the server heard")
            counts = {k: v - before[k] for k, v in net.counters().items()}
            equal((counts["related"], counts["fresh"], counts["goes_on"]), (1, 0, 3),
                  "packets of the second flow: related, new, established")
            net.where((0, 1), "the flow that was expected", odport=9876)
            inside.close()
            outside.close()
    three_ways(net, """
table ip t {
	counter related { }
	counter fresh { }
	counter goes_on { }
	ct expectation later {
		protocol udp
		dport 9876
		timeout 2m
		size 4
		l3proto ip
	}
	chain pre {
		type filter hook prerouting priority -150
		udp dport 53 ct state new ct expectation set "later"
	}
	chain forward {
		type filter hook forward priority 0
		udp dport 9876 ct state related counter name related
		udp dport 9876 ct state new counter name fresh
		udp dport 9876 ct state established counter name goes_on
		udp sport 9876 ct state established counter name goes_on
	}
}""", try_it)


@case("ct label")
def _(net):
    def try_it(net):
        with Talk(net.c, net.s, Net.S[4], 53, proto="udp") as talk:
            talk.alive()
            count = net.counters()["labelled"]
            check(count >= 3, f"packets with the label: {count}")
    three_ways(net, """
table ip t {
	counter labelled { }
	chain forward {
		type filter hook forward priority 0
		udp dport 53 ct state new ct label set 5
		udp dport 53 ct state established ct label 5 counter name labelled
	}
}""", try_it)


@case("connlabel of iptables")
def _(net):
    def try_it(net):
        new, goes_on = (("-p", "udp", "--dport", "53", "-m", "conntrack", "--ctstate", state, "-m", "connlabel", "--label", "5")
                        for state in ("NEW", "ESTABLISHED"))
        net.r.run("iptables-nft", "-A", "FORWARD", *new, "--set")
        net.r.run("iptables-nft", "-A", "FORWARD", *goes_on, "-j", "ACCEPT")
        with Talk(net.c, net.s, Net.S[4], 53, proto="udp") as talk:
            talk.alive()
            rules = net.r.run("iptables-nft", "-L", "FORWARD", "-nvx")[1]
            count = int(re.search(r"^\s*(\d+).* ACCEPT .*connlabel", rules, re.M)[1])
            check(count >= 3, f"packets with the label: {rules}")
            net.where((0, 1), "the flow", odport=53)
    three_ways(net, "", try_it)


@case("CT --zone-orig of iptables: left to nf_conntrack")
def _(net):
    net.reset("")
    net.r.run("iptables-nft", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport", "54", "-j", "CT", "--zone-orig", "7")
    with Talk(net.c, net.s, Net.S[4], 54, proto="udp") as talk:
        talk.alive()
        net.where((0, 1), "a zone of one direction", odport=54)
    net.r.run("iptables-nft", "-t", "raw", "-F")


@case("ct event: the rule does no harm")
def _(net):
    net.reset("""
table ip t {
	chain forward {
		type filter hook forward priority 0
		udp dport 53 ct event set new,destroy
	}
}""")
    with Talk(net.c, net.s, Net.S[4], 53, proto="udp") as talk:
        talk.alive()
        net.where((1, 0), "the flow", odport=53)


@case("cluster of iptables: each connection belongs to one node of two")
def _(net):
    net.reset("")
    for node in (1, 2):
        net.r.run("iptables-nft", "-A", "FORWARD", "-p", "udp", "--dport", "53", "-m", "cluster", "--cluster-total-nodes",
                  "2", "--cluster-local-node", str(node), "--cluster-hash-seed", "0x1234", "-j", "ACCEPT")
    with Talk(net.c, net.s, Net.S[4], 53, proto="udp") as talk:
        talk.alive()
    counts = [int(m) for m in re.findall(r"^\s*(\d+).* cluster ", net.r.run(
        "iptables-nft", "-L", "FORWARD", "-nvx")[1], re.M)]
    equal((min(counts), max(counts)), (0, 4), "packets of the two nodes")
    net.r.run("iptables-nft", "-F")


main(marked_net, teardown)
