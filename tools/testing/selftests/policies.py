#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A full table: what newcomers see under each policy, what is evicted, what the log says."""

import os
import socket
import struct

from lib import *

MAX = 40
ports = iter(range(20000, 60000))


def settings(rig, **values):
    for name, value in values.items():
        rig.r.sysctl(name, value)


def fresh(rig, policy, fallback="drop", maximum=MAX):
    rig.reset()
    settings(rig, full_policy=policy, full_fallback=fallback, max=maximum)
    return rig.r.tool_json("stats")


def since(rig, before):
    now = rig.r.tool_json("stats")
    return {k: now[k] - before[k] for k in now if now[k] != before[k]}


def embryonic(rig, n):
    """UDP that nobody answers."""
    out = []
    for _ in range(n):
        sport = next(ports)
        rig.udp("c", 4, sport, 53, "new/o")
        out.append(sport)
    return out


def replied(rig, n):
    out = embryonic(rig, n)
    for sport in out:
        rig.udp("s", 4, 53, sport, "est/r+s")
    return out


def assured(rig, n):
    return [Tcp(rig, 4, sport=next(ports)).open() for _ in range(n)]


def closing(rig, n):
    out = assured(rig, n)
    for t in out:
        t.send("c", "RA", "est/o+sa", 1, 1)
    return [t.ports["c"][0] for t in out]


def there(rig):
    return {f["orig"]["sport"] for f in rig.r.flows()}


def newcomers(rig, n):
    """Stamps of n packets that would open flows."""
    return [rig.stamp("c", rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], next(ports), 53), 4)) for _ in range(n)]


# First: later ones would have to wait until the limit of the rate allows the next line.
@case("the log names the namespace, the limit, the policy and the sysctl; at most once in ten seconds", only="flowtrack")
def _(rig):
    fresh(rig, "drop", maximum=10)
    embryonic(rig, 10)
    log = Kmsg()
    newcomers(rig, 20)
    lines = [line for line in log.read() if "nf_flowtrack" in line and "table full" in line]
    log.close()
    equal(len(lines), 1, f"lines: {lines}")
    with rig.r:
        inode = os.stat("/proc/thread-self/ns/net").st_ino
    for part in (f"netns {inode}", "10 of 10", "drop", "net.netfilter.nf_flowtrack_max"):
        check(part in lines[0], f"'{part}' is not in: {lines[0]}")


@case("drop: newcomers are dropped, what is there goes on", only="flowtrack")
def _(rig):
    before = fresh(rig, "drop")
    old = embryonic(rig, MAX)
    equal(newcomers(rig, 10), ["drop"] * 10, "newcomers")
    equal(there(rig), set(old), "flows")
    rig.udp("s", 4, 53, old[0], "est/r+s")
    told = since(rig, before)
    equal((told.get("full"), told.get("full_drop"), told.get("insert")), (10, 10, MAX), f"counters: {told}")
    equal({k: n for k, n in told.items() if k.startswith("full_")}, {"full_drop": 10, "full_drop_embryonic": 10},
          "by class and reason")
    cpus = rig.r.tool_json("--cpu", "stats")
    for k, n in told.items():
        # What there is now, no CPU has to itself.
        if not k.startswith(("adaptive", "reserved_used", "flows", "guarded", "conntrack")):
            check(sum(cpu[k] for cpu in cpus) >= n, f"{k} of the CPUs")
    check(not [k for k in cpus[0] if k.startswith(("flows", "guarded", "conntrack"))], f"gauges of a CPU: {cpus[0]}")
    now = rig.r.tool_json("stats")
    equal({k: now[k] for k in ("flows", "flows_max", "flows_fill", "guarded")},
          {"flows": MAX, "flows_max": MAX, "flows_fill": 1000, "guarded": 0}, "what there is now")
    busywait(10, lambda: rig.r.tool_json("stats")["flows_embryonic"] == MAX - 1, "the classes, a second later")
    equal(rig.r.tool_json("stats")["flows_replied"], 1, "flows_replied")


@case("pass: newcomers go through as new, without an entry", only="flowtrack")
def _(rig):
    before = fresh(rig, "pass")
    old = embryonic(rig, MAX)
    equal(newcomers(rig, 10), ["new/o"] * 10, "newcomers")
    equal(there(rig), set(old), "flows")
    told = since(rig, before)
    equal((told.get("full_pass"), told.get("insert")), (10, MAX), f"counters: {told}")
    equal({k: n for k, n in told.items() if k.startswith("full_")}, {"full_pass": 10, "full_pass_embryonic": 10},
          "by class and reason")
    sport = next(ports)
    rig.udp("c", 4, sport, 53, "new/o")
    rig.udp("c", 4, sport, 53, "new/o")
    rig.udp("s", 4, 53, sport, "new/o")


@case("evict: embryonic newcomers evict embryonic flows", only="flowtrack")
def _(rig):
    before = fresh(rig, "evict")
    old = embryonic(rig, MAX)
    equal(newcomers(rig, 20), ["new/o"] * 20, "newcomers")
    equal(int(rig.r.sysctl("count")), MAX, "count")
    check(len(there(rig) - set(old)) > 0, "no newcomer is in the table")
    told = since(rig, before)
    equal((told.get("evict_embryonic"), told.get("full_drop", 0)), (20, 0), f"counters: {told}")


@case("evict: closing goes before embryonic", only="flowtrack")
def _(rig):
    before = fresh(rig, "evict")
    # At least eight flows are looked at: so many are closing that there is always one among them.
    closing(rig, MAX - 4)
    kept = set(embryonic(rig, 4))
    equal(newcomers(rig, 5), ["new/o"] * 5, "newcomers")
    check(kept <= there(rig), f"embryonic flows that are missing: {kept - there(rig)}")
    equal(since(rig, before).get("evict_closing"), 5, "evict_closing")


@case("evict: flows that had an answer stay; nothing to evict: the fallback drops", only="flowtrack")
def _(rig):
    before = fresh(rig, "evict")
    kept = set(replied(rig, MAX // 2)) | {t.ports["c"][0] for t in assured(rig, MAX // 2)}
    equal(newcomers(rig, 10), ["drop"] * 10, "newcomers")
    equal(there(rig), kept, "flows")
    told = since(rig, before)
    equal((told.get("full_drop"), told.get("evict_replied", 0), told.get("evict_assured", 0)), (10, 0, 0),
          f"counters: {told}")
    equal((told.get("full_nobody"), told.get("full_drop_embryonic"), told.get("full_nomem")), (10, 10, None),
          "by class and reason")


@case("evict, fallback pass: newcomers go through without an entry", only="flowtrack")
def _(rig):
    fresh(rig, "evict", "pass")
    kept = set(replied(rig, MAX))
    equal(newcomers(rig, 10), ["new/o"] * 10, "newcomers")
    equal(there(rig), kept, "flows")


@case("evict: a flood does not end an established connection", only="flowtrack")
def _(rig):
    fresh(rig, "evict")
    connections = assured(rig, 5)
    for i in range(2000):
        src = f"10.9.1.{10 + i % 200}"
        rig.c.send(ip4(src, Rig.S[4], TCP, tcp(src, Rig.S[4], 1024 + i, 80, "S", seq=i)))
    rig.c.flush()
    rig.s.receive()
    equal(int(rig.r.sysctl("count")), MAX, "count")
    for t in connections:
        t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 10)
        t.send("s", "A", "est/r+sa", 1, 11)
    # The client may have been a heavy source a moment ago: then it has to repeat itself.
    new = Tcp(rig, 4, sport=next(ports))
    busywait(20, lambda: rig.stamp("c", new.build("c", "S")) == "new/o", "a place for the newcomer")
    new.send("s", "SA", "est/r+s", 0, 1)
    new.send("c", "A", "est/o+sa", 1, 1)
    new.send("c", "PA", "est/o+sa", 1, 1, data=b"x")


@case("both families share the limit", only="flowtrack")
def _(rig):
    fresh(rig, "drop", maximum=10)
    embryonic(rig, 5)
    for _ in range(5):
        rig.udp("c", 6, next(ports), 53, "new/o")
    rig.udp("c", 6, next(ports), 53, "drop")
    equal(newcomers(rig, 1), ["drop"], "newcomer")
    equal(int(rig.r.sysctl("count")), 10, "count")


@case("a freed place is taken again", only="flowtrack")
def _(rig):
    fresh(rig, "drop", maximum=10)
    old = embryonic(rig, 10)
    equal(newcomers(rig, 1), ["drop"], "newcomer")
    rig.r.tool("del", "udp", "sport", str(old[0]))
    equal(newcomers(rig, 2), ["new/o", "drop"], "newcomers")


@case("max lowered below the count: nothing is ended, nothing new gets in", only="flowtrack")
def _(rig):
    fresh(rig, "drop", maximum=20)
    old = embryonic(rig, 20)
    rig.r.sysctl("max", 5)
    equal(newcomers(rig, 3), ["drop"] * 3, "newcomers")
    equal(there(rig), set(old), "flows")
    rig.udp("s", 4, 53, old[7], "est/r+s")
    rig.r.sysctl("max", 21)
    equal(newcomers(rig, 2), ["new/o", "drop"], "newcomers")


@case("the policy is switched at run time", only="flowtrack")
def _(rig):
    fresh(rig, "drop", maximum=10)
    embryonic(rig, 10)
    for policy, wanted in (("drop", "drop"), ("pass", "new/o"), ("drop", "drop"), ("evict", "new/o")):
        rig.r.sysctl("full_policy", policy)
        equal(newcomers(rig, 3), [wanted] * 3, f"newcomers under {policy}")
        equal(int(rig.r.sysctl("count")), 10, "count")


@case("a repeated first packet at a full table is not a newcomer", only="flowtrack")
def _(rig):
    before = fresh(rig, "drop", maximum=10)
    old = embryonic(rig, 10)
    for sport in old:
        rig.udp("c", 4, sport, 53, "new/o")
    equal(since(rig, before).get("full_drop", 0), 0, "full_drop")


@case("the count never exceeds max, with two processors at it", only="flowtrack")
def _(rig):
    fresh(rig, "evict", maximum=100)

    # Two processes on two processors; threads of this one would take turns.
    def flood(side, base):
        pid = os.fork()
        if pid:
            return pid
        try:
            os.sched_setaffinity(0, {base % (os.cpu_count() or 1)})
            wire, src, dst = (rig.c, Rig.C[4], Rig.S[4]) if side == "c" else (rig.s, Rig.S[4], Rig.C[4])
            for i in range(3000):
                wire.send(ip4(src, dst, UDP, udp(src, dst, 1000 + i, 5000 + base)))
        finally:
            os._exit(0)

    pids = [flood("c", 0), flood("s", 1)]
    seen = 0
    while pids:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if pid:
            pids.remove(pid)
        seen = max(seen, int(rig.r.sysctl("count")))
    rig.c.flush()
    rig.s.flush()
    check(seen <= 100, f"{seen} flows under max=100")
    equal(len(rig.r.flows()), int(rig.r.sysctl("count")), "flows listed, and the count")


class Cookie:
    """A client of a service of the router, which keeps nothing of a handshake but the cookie that it sent."""

    def __init__(self, rig, dport, isn):
        self.rig, self.dport, self.isn = rig, dport, isn
        self.sport = next(ports)

    def segment(self, flags, seq, ack=0, data=b""):
        l4 = tcp(Rig.C[4], Rig.RC[4], self.sport, self.dport, flags, self.isn + seq, ack, data=data)
        self.rig.send("c", ip4(Rig.C[4], Rig.RC[4], TCP, l4, self.rig.next_ident()))
        return [p for p in self.rig.back if p[9] == TCP and struct.unpack("!HH", p[20:24]) == (self.dport, self.sport)]

    def handshake(self, meanwhile):
        """The last segment has the first data, as when the ACK was lost; it is repeated until there is an answer."""
        answer = []

        def syn():
            answer[:] = [p for p in self.segment("S", 0) if p[33] == 0x12]
            return answer
        busywait(10, syn, "the SYN-ACK with the cookie")
        self.cookie = struct.unpack("!I", answer[0][24:28])[0]
        meanwhile(self)
        busywait(10, lambda: [p for p in self.segment("PA", 1, self.cookie + 1, b"hello") if p[33] == 0x10],
                 "the ACK of the first data")

    def entries(self):
        return self.rig.r.flows(proto="tcp", osport=self.sport)


def syn_cookies(rig, policy, fill, meanwhile, after):
    fresh(rig, policy)
    rig.r.sysctl("net.ipv4.tcp_syncookies", 2)
    before = cookies(rig)
    listener = rig.r.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.settimeout(10)
    listener.bind((Rig.RC[4], 8080))
    listener.listen()
    fill()
    equal(int(rig.r.sysctl("count")), MAX, "count before")
    client = Cookie(rig, 8080, 7000000)
    client.handshake(meanwhile)
    connection, peer = listener.accept()
    connection.settimeout(10)
    equal((peer, connection.recv(10)), ((Rig.C[4], client.sport), b"hello"), "what the service got")
    after(client)
    equal([(f["state"], f["orig"]["src"]) for f in client.entries()], [("established", Rig.C[4])], "entries")
    equal(int(rig.r.sysctl("count")), MAX, "count")
    check(cookies(rig)[1] > before[1], f"no cookie was used: {before}, {cookies(rig)}")
    connection.close()
    listener.close()
    rig.r.sysctl("net.ipv4.tcp_syncookies", 1)


def cookies(rig):
    """SyncookiesSent and Recv of the router."""
    lines = [line.split() for line in rig.r.read("/proc/thread-self/net/netstat").splitlines()]
    names, values = [line for line in lines if line[0] == "TcpExt:"]
    return [int(values[names.index(f"Syncookies{what}")]) for what in ("Sent", "Recv")]


@case("SYN cookies, evict: a handshake whose entry was evicted before its ACK ends well, and is tracked",
      only="flowtrack")
def _(rig):
    def flood(client):
        for _ in range(200):
            if not client.entries():
                return
            for i in range(20):
                src = f"10.9.1.{10 + i}"
                rig.c.send(ip4(src, Rig.RC[4], TCP, tcp(src, Rig.RC[4], next(ports), 8080, "S", seq=i)))
            rig.c.flush()
        raise Failure("the entry of the handshake is still there")

    syn_cookies(rig, "evict", lambda: embryonic(rig, MAX), flood, lambda client: None)


@case("SYN cookies, pass: a handshake without any entry ends well, and is tracked once there is room", only="flowtrack")
def _(rig):
    old = []

    def nothing(client):
        equal(client.entries(), [], "entries, at a full table")

    def room(client):
        nothing(client)
        rig.r.tool("del", "tcp", "sport", str(old[0].ports["c"][0]))
        client.segment("PA", 6, client.cookie + 1, b"more")

    syn_cookies(rig, "pass", lambda: old.extend(assured(rig, MAX)), nothing, room)


@case("nothing of all this is in nf_conntrack's table", only="flowtrack")
def _(rig):
    rig.check_not_in_conntrack()


main(Rig)
