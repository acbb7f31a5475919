#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Packets that something holds, for however long, and what rules wrote to packets that do not come through."""
# CPUS: 2

import os
import re
import socket

from lib import *

HELD = range(2000, 2300)


def grown(ns):
    return ns.tool_json("stats")["carrier_grown"] if FLOWTRACK else 0


def pass_others(rig, n):
    """Packets of established and of new flows; all must come through."""
    packets = [ip(Rig.C[f], Rig.S[f], UDP, udp(Rig.C[f], Rig.S[f], 5000 + i, 80), i) for f in (4, 6) for i in range(50)]
    out = 0
    for i in range(n):
        rig.c.send(packets[i % len(packets)])
        if i % 100 == 99:
            rig.c.flush()
            out += len(rig.s.receive())
    rig.c.flush()
    return out + len(rig.s.receive())


@case("a queue holds 300 packets, and nobody takes them: all others pass")
def _(rig):
    rig.reset(nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0
		udp sport 2000-2299 queue num 0
	}
}""")
    queue = Queue(rig.r)
    before = grown(rig.r)
    for sport in HELD:
        rig.c.send(queue_packet(4, sport))
    rig.c.flush()
    equal(pass_others(rig, 20000), 20000, "packets that came through")
    if FLOWTRACK:
        check(grown(rig.r) - before < 1000, f"{grown(rig.r) - before} carriers were made")
        equal(rig.r.tool_json("stats")["carrier_none"], 0, "packets dropped for want of a carrier")
    for ident in queue.receive(len(HELD)):
        queue.verdict(ident, NF_ACCEPT)
    rig.c.flush()
    equal(len(rig.s.receive()), len(HELD), "packets that were held")
    queue.close()
    rig.check_not_in_conntrack()


def send_over_lo(ns, n, delay, cpu):
    """A namespace sends to itself, and a qdisc holds what it sends."""
    ns.run("modprobe", "-q", "sch_netem", ok=False)
    ns.run("tc", "qdisc", "replace", "dev", "lo", "root", "netem", "delay", delay, "limit", "100000")
    sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        for i in range(n):
            sock.sendto(b"x", ("127.0.0.1", 7000 + i % 10))
    finally:
        os.sched_setaffinity(0, here)
    sock.close()


@case("another namespace holds 10000 packets of each CPU: nobody here notices")
def _(rig):
    rig.reset(nft_stamps())
    other = Ns("other")
    other.nft("table inet t {\n\tchain in {\n\t\ttype filter hook input priority 0\n\t\tct state new accept\n\t}\n}")
    pass_others(rig, 100)
    before = grown(rig.r)
    for cpu in range(os.cpu_count()):
        send_over_lo(other, 10000, "250s", cpu)
    equal(pass_others(rig, 10000), 10000, "packets that came through")
    if FLOWTRACK:
        check(grown(rig.r) - before < 10, f"{grown(rig.r) - before} carriers were made here")
        equal(other.tool_json("stats")["carrier_none"], 0, "packets dropped there for want of a carrier")
    other.delete()


@case("6000 packets come back from a qdisc of lo: tracked once, with the state that they left with")
def _(_rig):
    # All come back at once.
    run("sysctl", "-q", "net.core.netdev_max_backlog=100000")
    ns = Ns("lo")
    ns.nft("""
table inet t {
	counter new { }
	counter other { }
	chain in {
		type filter hook input priority 0
		udp dport 7000-7009 ct state new counter name new return
		udp dport 7000-7009 counter name other
	}
}""")
    send_over_lo(ns, 6000, "2s", max(os.sched_getaffinity(0)))

    def count(name):
        return int(re.search(r"packets (\d+)", ns.run("nft", "list", "counter", "inet", "t", name)[1])[1])
    try:
        busywait(30, lambda: count("new") + count("other") >= 6000, "the packets are back")
    except Failure as e:
        raise Failure(f"{e}: {count('new')} new, {count('other')} other; "
                      f"{ns.run('tc', '-s', 'qdisc', 'show', 'dev', 'lo')[1]}") from None
    equal((count("new"), count("other")), (6000, 0), "packets that were new, and others")
    equal(len(ns.flows(proto="udp")), 10, "flows")
    if FLOWTRACK:
        equal(ns.conntrack_count(), 0, "nf_conntrack_count")
    ns.delete()


def marked(rig, rules, number, work):
    """An established flow, of which one packet is marked and dropped: so are all after it, in both directions."""
    rig.reset(f"""
table inet t {{
	chain forw {{
		type filter hook forward priority 0
		ct mark {number} drop
		{rules}
	}}
}}""")

    def client(data):
        return rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], 1000, 443, data), 4)

    def server():
        return rig.packet("s", UDP, udp(Rig.S[4], Rig.C[4], 443, 1000, b"hello"), 4)
    equal(len(rig.send("c", client(b"hello"))), 1, "the first packet")
    equal(len(rig.send("s", server())), 1, "the answer")
    work(client(b"BAD!"))
    for n in range(5):
        equal(len(rig.send("c", client(b"hello"))), 0, f"packet {n + 1} after the marked one, from the client")
        equal(len(rig.send("s", server())), 0, f"packet {n + 1} after the marked one, from the server")
    equal(rig.r.flow(proto="udp", odport=443)["mark"], number, "mark of the flow")


@case("a rule marks the connection and drops the packet: the mark stays")
def _(rig):
    marked(rig, "udp dport 443 @th,64,32 0x42414421 ct mark set 2 drop", 2,
           lambda packet: equal(rig.send("c", packet), [], "the packet that is marked"))


@case("a program marks the connection and drops the packet: the mark stays")
def _(rig):
    run("modprobe", "-q", "nf_conntrack_netlink", ok=False)
    queue = None

    def work(packet):
        rig.c.send(packet)
        queue.verdict(queue.receive(1)[0], NF_DROP, mark=1002)
        rig.c.flush()
        equal(rig.s.receive(), [], "the packet that is marked")
    rig.reset("table inet t {\n}")
    queue = Queue(rig.r)
    marked(rig, "udp dport 443 @th,64,32 0x42414421 queue num 0", 1002, work)
    queue.close()


@case("a rule on input marks a new connection over lo: the mark stays")
def _(_rig):
    ns = Ns("lo")
    ns.nft("""
table inet t {
	chain in {
		type filter hook input priority 0
		udp dport 7000 ct state new ct mark set 7
	}
}""")
    server = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 7000))
    server.settimeout(10)
    sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.sendto(b"x", ("127.0.0.1", 7000))
    server.recv(10)
    equal(ns.flow(proto="udp", odport=7000)["mark"], 7, "mark of the flow")
    ns.delete()


main(Rig)
