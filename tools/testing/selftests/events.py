#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the monitor tells: new, update, destroy and why, and that something was lost."""

import errno
import json
import os
import re
import select
import signal
import socket
import tempfile

from lib_ctnetlink import *


def netlink_sockets(ns, groups):
    """Sockets of generic netlink in a namespace that are members of one of the groups, a mask of the first 32."""
    with ns, open("/proc/thread-self/net/netlink") as f:
        return sum(1 for fields in (line.split() for line in f.readlines()[1:]) if fields[1] == "16" and int(fields[3], 16) & groups)


class Monitor:
    """flowtrack -j monitor in a namespace, from a moment on when it certainly listens."""

    def __init__(self, ns, *args):
        before = netlink_sockets(ns, ~(1 << 15))  # but those that listen to families
        self.process = ns.popen(TOOL, "-j", "monitor", *args)
        self.lines = []
        self.rest = b""
        self.said = []  # on standard error
        busywait(20, lambda: netlink_sockets(ns, ~(1 << 15)) > before, "the monitor's subscription")

    def next(self):
        while True:
            while self.lines:
                line = self.lines.pop(0)
                if line.startswith(b"{"):
                    return json.loads(line)
                self.said.append(line.decode())
            check(select.select([self.process.stdout], [], [], 20)[0], "no event within 20 s")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            check(data, "the monitor has ended")
            *self.lines, self.rest = (self.rest + data).split(b"\n")

    def expect(self, event, **want):
        """The next event."""
        got = self.next()
        flow = got.get("flow", {})
        seen = {k: flow_field(flow, k) for k in want}
        equal((got["event"], seen), (event, want), f"event {got}")
        return flow

    def end(self):
        self.process.terminate()
        self.process.wait(10)

    def first_said(self):
        """The first line that is no event, of one that has ended."""
        lines = (self.rest + b"\n".join(self.lines) + self.process.stdout.read().encode()).decode().splitlines()
        return next((line for line in self.said + lines if not line.startswith("{")), None)


def monitored(*args):
    """A case with a monitor."""
    def add(function):
        def body(rig):
            rig.reset()
            monitor = Monitor(rig.r, *args)
            try:
                function(rig, monitor)
            finally:
                monitor.end()
        return body
    return add


@case("new, then destroy: deleted", only="flowtrack")
@monitored()
def _(rig, m):
    for family in (4, 6):
        rig.udp("c", family, 1000, 53, "new/o")
        flow = m.expect("new", proto="udp", osport=1000, odport=53, osrc=Rig.C[family])
        rig.r.tool("del", "udp", "sport", "1000")
        gone = m.expect("destroy", osport=1000, reason="deleted")
        equal(gone["id"], flow["id"], "id")


@case("a log of ended flows: a record for each, with both directions' counters; rotated without a loss", only="flowtrack")
def _(rig):
    rig.reset()
    for name in ("events", "acct", "timestamp"):
        rig.r.sysctl(name, 1)
    directory = tempfile.mkdtemp()
    log, old = directory + "/flows.json", directory + "/flows.json.1"

    def records(name):
        with open(name, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    monitor = rig.r.popen(TOOL, "-j", "monitor", "--timestamps", "--event", "destroy", "--log", log)
    try:
        busywait(20, lambda: genl_listeners(rig.r), "the monitor's subscription")
        rig.udp("c", 4, 1300, 53, "new/o")
        rig.udp("s", 4, 53, 1300, "est/r+s")
        rig.udp("c", 4, 1300, 53, "est/o+s")
        rig.udp("c", 6, 1301, 53, "new/o")
        rig.r.tool("del", "udp", "sport", "1300")
        busywait(20, lambda: len(records(log)) == 1, "the record of a flow")
        record = records(log)[0]
        flow = record["flow"]
        equal((record["event"], flow["reason"], flow["orig"]["packets"], flow["reply"]["packets"]), ("destroy", "deleted", 2, 1), f"{record}")
        check(flow["orig"]["bytes"] > flow["reply"]["bytes"] > 28 and flow["start"] <= flow["stop"] <= record["time"] + 1, f"{record}")
        # As logrotate does it.
        os.rename(log, old)
        monitor.send_signal(signal.SIGHUP)
        busywait(20, lambda: os.path.exists(log), "the new file")
        rig.r.tool("del", "udp", "sport", "1301")
        busywait(20, lambda: len(records(log)) == 1, "the record in the new file")
        equal((records(log)[0]["flow"]["orig"]["sport"], len(records(old))), (1301, 1), "records after the rotation")
        equal(os.stat(log).st_mode & 0o777, 0o640, "mode of the log")
    finally:
        monitor.terminate()
        monitor.wait(10)
    equal(monitor.returncode, 0, f"exit status: {monitor.stdout.read()}")


@case("destroy: flushed, one for each flow", only="flowtrack")
@monitored()
def _(rig, m):
    for i in range(5):
        rig.udp("c", 4, 1100 + i, 53, "new/o")
        m.expect("new", osport=1100 + i)
    rig.r.tool("flush")
    gone = set()
    for _ in range(5):
        event = m.next()
        equal((event["event"], event["flow"]["reason"]), ("destroy", "flushed"), str(event))
        gone.add(event["flow"]["orig"]["sport"])
    equal(gone, set(range(1100, 1105)), "ports")


@case("destroy: timeout, with the final counters", only="flowtrack")
@monitored()
def _(rig, m):
    rig.r.sysctl("acct", 1)
    rig.r.sysctl("udp_timeout", 1)
    rig.udp("c", 4, 1200, 53, "new/o")
    m.expect("new", osport=1200)
    rig.udp("c", 4, 1200, 53, "new/o")
    rig.r.sysctl("acct", 0)
    rig.r.sysctl("udp_timeout", 30)
    m.expect("destroy", osport=1200, reason="timeout", opackets=2)


@case("update: the states of a TCP connection; destroy: closed by its successor", only="flowtrack")
@monitored("tcp")
def _(rig, m):
    rig.udp("c", 4, 1300, 53, "new/o")  # filtered
    t = Tcp(rig, 4, sport=1300).open()
    m.expect("new", proto="tcp", osport=1300, state="syn_sent")
    m.expect("update", osport=1300, state="syn_recv", seen_reply=True)
    m.expect("update", osport=1300, state="established", assured=True)
    t.send("c", "FA", "est/o+sa", 1, 1)
    m.expect("update", state="fin_wait")
    t.send("s", "FA", "est/r+sa", 1, 2)
    m.expect("update", state="last_ack")
    t.send("c", "A", "est/o+sa", 2, 2)
    m.expect("update", state="time_wait")
    t.isn["c"] += 1000000
    t.send("c", "S", "new/o")
    m.expect("destroy", osport=1300, state="time_wait", reason="closed")
    m.expect("new", osport=1300, state="syn_sent")


@case("update: both sides open at once", only="flowtrack")
@monitored("tcp")
def _(rig, m):
    t = Tcp(rig, 4, sport=1310)
    t.send("c", "S", "new/o")
    m.expect("new", osport=1310, state="syn_sent")
    t.send("s", "S", "est/r+s")
    m.expect("update", osport=1310, state="syn_sent2", seen_reply=True)


@case("destroy: evicted", only="flowtrack")
@monitored()
def _(rig, m):
    old = rig.r.sysctl("max")
    rig.r.sysctl("max", 1)
    rig.udp("c", 4, 1400, 53, "new/o")
    rig.udp("c", 4, 1401, 53, "new/o")
    m.expect("new", osport=1400)
    m.expect("destroy", osport=1400, reason="evicted")
    m.expect("new", osport=1401)
    rig.r.sysctl("max", old)


@case("established traffic and dropped packets say nothing", only="flowtrack")
@monitored()
def _(rig, m):
    rig.udp("c", 4, 1500, 53, "new/o")
    m.expect("new", osport=1500)
    rig.udp("s", 4, 53, 1500, "est/r+s")
    first = m.next()
    equal((first["event"], first["flow"]["seen_reply"]), ("update", True), "event after the reply")
    for _ in range(5):
        rig.udp("c", 4, 1500, 53, "est/o+s")
        rig.udp("s", 4, 53, 1500, "est/r+s")
    rig.udp("c", 4, 1501, 53, "new/o")
    m.expect("new", osport=1501)


@case("added by hand: new", only="flowtrack")
@monitored()
def _(rig, m):
    rig.r.tool("add", "udp", "src", "192.0.2.1", "dst", "192.0.2.2", "sport", "7", "dport", "8")
    m.expect("new", osrc="192.0.2.1", osport=7)


@case("--count ends the monitor, --timestamps tells the time, text has a tag", only="flowtrack")
def _(rig):
    process = rig.r.popen(TOOL, "monitor", "--count", "2", "--timestamps")
    busywait(20, lambda: genl_listeners(rig.r), "the monitor's subscription")
    for i in range(3):
        rig.udp("c", 4, 1600 + i, 53, "new/o")
    out = process.communicate(timeout=20)[0].splitlines()
    equal((process.returncode, len(out)), (0, 2), f"status and lines: {out}")
    check(all("[NEW]" in line and "sport=160" in line for line in out), f"lines: {out}")
    check(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d", out[0]), f"no time: {out[0]}")


@case("a namespace's events stay in it", only="flowtrack")
def _(rig):
    rig.reset()
    listener = Genl(rig.cns)
    listener.join("events")
    own = Genl(rig.r)
    own.join("events")
    rig.udp("c", 4, 1700, 53, "new/o")
    check(own.sock.recv(65536), "no event in the namespace itself")
    check(not select.select([listener.sock], [], [], 0)[0], "an event in another namespace")
    listener.close()
    own.close()


@case("lost events: the listener is told, the counter counts", only="flowtrack")
def _(rig):
    rig.reset()
    before = rig.r.tool_json("stats")["event_lost"]
    slow = Genl(rig.r)
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    slow.sock.setsockopt(270, 4, 1)  # NETLINK_BROADCAST_ERROR: without it the sender is not told
    slow.join("events")
    for i in range(100):
        rig.c.send(ip4(Rig.C[4], Rig.S[4], UDP, udp(Rig.C[4], Rig.S[4], 2000 + i, 53)))
    rig.c.flush()
    try:
        while True:
            slow.sock.recv(65536, socket.MSG_DONTWAIT)
    except OSError as e:
        equal(e.errno, errno.ENOBUFS, "error on the socket")
    check(rig.r.tool_json("stats")["event_lost"] > before, "event_lost does not count")
    slow.close()


@case("a monitor that does not keep up says so", only="flowtrack")
def _(rig):
    rig.reset()
    monitor = Monitor(rig.r)
    os.kill(monitor.process.pid, signal.SIGSTOP)
    for _ in range(60):
        for i in range(1000):
            rig.c.send(ip4(Rig.C[4], Rig.S[4], UDP, udp(Rig.C[4], Rig.S[4], 1000 + i, 5000)))
        rig.c.flush()
        rig.s.receive()
        if netlink_drops(rig.r):
            break
        rig.r.tool("flush")
    check(netlink_drops(rig.r), "nothing was lost")
    os.kill(monitor.process.pid, signal.SIGCONT)
    for _ in range(200000):
        event = monitor.next()
        if event["event"] == "lost":
            break
    equal(event, {"event": "lost", "events": netlink_drops(rig.r)}, "what is said of the loss")
    monitor.end()


@case("a small --buffer, a loss, and --resync: the table is told, then events go on", only="flowtrack")
def _(rig):
    rig.reset()
    monitor = Monitor(rig.r, "--buffer", "4k", "--resync", "udp")
    os.kill(monitor.process.pid, signal.SIGSTOP)
    for i in range(100):
        rig.c.send(ip4(Rig.C[4], Rig.S[4], UDP, udp(Rig.C[4], Rig.S[4], 2000 + i, 53)))
    rig.c.flush()
    check(netlink_drops(rig.r), "nothing was lost")
    os.kill(monitor.process.pid, signal.SIGCONT)
    told = [monitor.next()]
    while told[-1]["event"] != "synced":
        told.append(monitor.next())
    news = [e["flow"]["id"] for e in told if e["event"] == "new"]
    listed = [e["flow"]["id"] for e in told if e["event"] == "sync"]
    equal((told[len(news)]["event"], told[len(news)]["events"]), ("lost", 100 - len(news)), "the loss, after what was not lost")
    equal((len(set(listed)), told[-1]["flows"]), (100, 100), "flows of the table")
    check(set(news) <= set(listed), "events of flows that are not in the table")
    rig.udp("c", 4, 2500, 53, "new/o")
    monitor.expect("new", osport=2500)
    monitor.end()


def full_of_udp(rig, first, n, src="10.9.1"):
    for i in range(n):
        rig.c.send(ip4(f"{src}.{10 + i % 50}", Rig.S[4], UDP, udp(f"{src}.{10 + i % 50}", Rig.S[4], first + i, 53)))
    rig.c.flush()


@case("pressure: the high watermark, once; the low one, once; with what fills the table, and in the log",
      only="flowtrack")
def _(rig):
    rig.reset()
    old = rig.r.sysctl("max")
    rig.r.sysctl("max", 200)
    rig.r.sysctl("udp_timeout", 600)
    log = Kmsg()
    monitor = Monitor(rig.r, "pressure")
    first = rig.r.tool_json("stats")
    Tcp(rig, 4, sport=1800).open()
    full_of_udp(rig, 20000, 178)
    # A round of expiry, which would tell, goes by; nothing is told of 179.
    busywait(20, lambda: rig.r.tool_json("stats")["adaptive_embryonic"] < 1000, "expiry has seen them")
    full_of_udp(rig, 21000, 1)
    event = monitor.next()
    equal(event["event"], "high", f"event {event}")
    p = event["pressure"]
    equal((p["count"], p["room"], p["fill"], p["embryonic"], p["assured"], p["replied"], p["closing"]),
          (180, 200, 0.9, 179, 1, 0, 0), f"level and classes: {p}")
    equal((p["service"]["proto"], p["service"]["port"], p["service"]["flows"]), ("udp", 53, 179), f"service: {p}")
    check(p["source"]["address"].startswith("10.9.1."), f"source: {p}")
    check(p["rate"] > 0 and p["adaptive_embryonic"] < 1000 and p["adaptive_assured"] == 1000, f"rate, factors: {p}")
    equal(p["table"], "flowtrack", f"whose table: {p}")
    equal((p["policy"], p["sysctl"]), ("evict", "net.netfilter.nf_flowtrack_udp_timeout"), f"policy, sysctl: {p}")

    # Up to the limit and beyond it, and down to between the watermarks: no word of it.
    full_of_udp(rig, 22000, 50)
    rig.r.tool("del", "udp", "sport", "20000-20015")
    full_of_udp(rig, 23000, 16)
    rig.r.tool("flush")
    event = monitor.next()
    equal(event["event"], "low", f"event {event}")
    now = rig.r.tool_json("stats")
    evicted = sum(now[k] - first[k] for k in now if k in ("evict_closing", "evict_embryonic", "evict_replied",
                                                        "evict_assured"))
    p = event["pressure"]
    equal((p["count"], p["evicted"], p["dropped"], p["passed"], p["refused"]),
          (0, evicted, now["full_drop"] - first["full_drop"], 0, 0), f"what was done: {p}")
    check(evicted > 0, "nothing was evicted")
    monitor.end()
    lines = [line for line in log.read() if "watermark" in line]
    equal([("watermark_high reached" in line, "below watermark_low" in line) for line in lines],
          [(True, False), (False, True)], f"lines: {lines}")
    for part in ("flowtrack's table has 180 of 200 flows", "179 embryonic", "1 assured", "to udp 53 (99%)", "nf_flowtrack_udp_timeout"):
        check(part in lines[0], f"'{part}' is not in: {lines[0]}")
    log.close()
    rig.r.sysctl("max", old)
    rig.r.sysctl("udp_timeout", 30)


@case("pressure: one source holds it; a burst is told of at once; off with watermark_high 0", only="flowtrack")
def _(rig):
    rig.reset()
    old = rig.r.sysctl("max")
    rig.r.tool("set", "max", "100", "watermark_high", "50", "watermark_low", "20", "udp_timeout", "600")
    monitor = rig.r.popen(TOOL, "monitor", "pressure", "--timestamps", "--count", "3")
    busywait(20, lambda: genl_listeners(rig.r), "the monitor's subscription")
    for i in range(60):
        rig.c.send(ip4("10.9.1.66", Rig.S[4], UDP, udp("10.9.1.66", Rig.S[4], 3000 + i, 53)))
    rig.c.flush()
    lines = [monitor.stdout.readline()]
    check("[HIGH]" in lines[0] and "sysctl=net.netfilter.nf_flowtrack_src_max" in lines[0], f"line: {lines[0]}")
    check("source=10.9.1.66 source_share=100.0%" in lines[0], f"line: {lines[0]}")
    check(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d", lines[0]), f"no time: {lines[0]}")
    rig.r.tool("set", "max", "1000")
    lines.append(monitor.stdout.readline())
    check("[LOW]" in lines[1] and "room=1000" in lines[1], f"line: {lines[1]}")
    rig.r.tool("set", "max", "60", "watermark_high", "0")
    busywait(20, lambda: rig.r.tool_json("stats")["adaptive_embryonic"] < 1000, "expiry has seen the limit")
    rig.r.tool("set", "max", "61", "watermark_high", "51")
    lines.append(monitor.stdout.readline())
    check("[HIGH]" in lines[2] and "room=61" in lines[2], f"line: {lines[2]}")
    equal(monitor.wait(20), 0, "status of the monitor")
    status, _, err = rig.r.tool("set", "watermark_low", "51", ok=False)
    check(status and "watermark_low" in err and "above" in err, f"status {status}: {err}")
    rig.r.tool("set", "max", old, "watermark_low", "75", "watermark_high", "90", "udp_timeout", "30")


NAT = nft_stamps() + """
table inet nat {
	chain post {
		type nat hook postrouting priority 100
		oif rs udp dport 53 masquerade
	}
}"""


@case("guarded flows, where nf_flowtrack_ctnetlink hears of them: new, update, destroy; own ones beside them", only="flowtrack")
def _(rig):
    rig.reset(NAT)
    rig.r.sysctl("nat", "never")
    rig.udp("c", 4, 1900, 53, "new/o")
    status, _, err = rig.r.tool("monitor", "guarded", ok=False)
    check(status and "nf_flowtrack_ctnetlink" in err, f"guarded flows without that module: {err}")
    deaf = Monitor(rig.r)
    swap(OURS)
    rig.reset()
    monitor, own = Monitor(rig.r), Monitor(rig.r, "own")
    try:
        for family in (4, 6):
            rig.udp("c", family, 1901, 53, "new/o")
            flow = monitor.expect("new", tracker="guarded", proto="udp", osrc=Rig.C[family], osport=1901, rdst=Rig.RS[family])
            rig.udp("c", family, 1901, 54, "new/o")
            for m in (monitor, own):
                m.expect("new", tracker="own", osport=1901, odport=54)
            rig.send("s", ip(Rig.S[family], Rig.RS[family], UDP, udp(Rig.S[family], Rig.RS[family], 53, flow["reply"]["dport"]), 1))
            monitor.expect("update", id=flow["id"], tracker="guarded", seen_reply=True)
            # What a program changes is told, whatever it was.
            rig.r.run("conntrack", "-U", "-p", "udp", "--dport", "53", "-f", f"ipv{family}", "-m", "7")
            monitor.expect("update", id=flow["id"], mark=7)
            equal([f["id"] for f in rig.r.tool_json("list", "guarded", "mark", "7", f"ipv{family}")], [flow["id"]], "id in the list")
            rig.r.run("conntrack", "-D", "-p", "udp", "--dport", "53", "-f", f"ipv{family}")
            monitor.expect("destroy", id=flow["id"], tracker="guarded", mark=7, reason=None)
            rig.r.tool("del", "udp", "dport", "54")
            for m in (monitor, own):
                m.expect("destroy", tracker="own", odport=54, reason="deleted")
        # nf_conntrack looks for entries whose time is over every minute, and where it meets one.
        rig.r.run("sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=1")
        rig.udp("c", 4, 1902, 53, "new/o")
        flow = monitor.expect("new", tracker="guarded", osport=1902)
        busywait(90, lambda: not rig.r.tool_json("list", "guarded") or select.select([monitor.process.stdout], [], [], 0)[0],
                 "the end of an entry")
        monitor.expect("destroy", id=flow["id"], tracker="guarded", reason="timeout")
    finally:
        for m in (monitor, own, deaf):
            m.end()
        rig.r.run("sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=30")
        run("rmmod", OURS)
        rig.r.sysctl("nat", "auto")
        rig.reset(nft_stamps())
    equal(deaf.first_said(), "flowtrack: guarded flows (1 match) have no events here without the module nf_flowtrack_ctnetlink",
          "what a monitor says that does not hear of them")


@case("a reload of the module: both monitors say so and go on", only="flowtrack")
def _(rig):
    rig.reset()
    monitor = Monitor(rig.r)
    pressure = Monitor(rig.r, "pressure")
    busywait(20, lambda: netlink_sockets(rig.r, 1 << 15) == 2, "both listen to families")
    rig.udp("c", 4, 1900, 53, "new/o")
    monitor.expect("new", osport=1900)
    for port in (1901, 1902):
        unload()
        load()
        busywait(20, lambda: netlink_sockets(rig.r, ~(1 << 15)) == 2, "both have subscribed again")
        rig.reset()
        rig.udp("c", 4, port, 53, "new/o")
        # After what is left to be told of before; without an event, next() fails.
        while monitor.next()["flow"]["orig"]["sport"] != port:
            pass
        old = rig.r.sysctl("max")
        rig.r.sysctl("max", 10)
        full_of_udp(rig, 22000, 10)
        equal(pressure.next()["event"], "high", "event of the new module")
        rig.r.sysctl("max", old)
        equal(pressure.next()["event"], "low", "event of the new module")
    for m in (monitor, pressure):
        m.end()
        equal([("was unloaded" in line, "was loaded" in line) for line in m.said], [(True, False), (False, True)] * 2,
              f"what it said: {m.said}")


main(Rig)
