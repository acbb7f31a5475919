#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Limits for each source: src_max and src_rate, by address and by prefix, forwarded and local, with both policies."""
# CPUS: 2

import collections
import os
import subprocess
import time

from lib import *

ports = iter(range(10000, 60000))


def newcomer(rig, family=4, host=None, sport=None):
    """The stamp of a packet that would open a flow, forwarded from the client's side to the server's."""
    src, dst = Rig.C[family], Rig.S[family]
    if host:
        src = src.rsplit("." if family == 4 else ":", 1)[0] + (f".{host}" if family == 4 else f":{host}")
    l4 = udp(src, dst, sport or next(ports), 53)
    return rig.stamp("c", ip(src, dst, UDP, l4, ident=rig.next_ident()))


def limits(rig, **values):
    rig.reset()
    defaults = {"src_max": 0, "src_rate": 0, "src_burst": 50, "src_policy": "drop", "src_prefix4": 32, "src_prefix6": 64}
    for name, value in {**defaults, **values}.items():
        rig.r.sysctl(name, value)
    return rig.r.tool_json("stats")


def since(rig, before):
    now = rig.r.tool_json("stats")
    return {k: now[k] - before[k] for k in now if now[k] != before[k]}


def each(rig, n, **kw):
    return [newcomer(rig, **kw) for _ in range(n)]


@case("src_max, drop: so many flows, not one more; another source is not concerned", only="flowtrack")
def _(rig):
    before = limits(rig, src_max=5)
    equal(each(rig, 8), ["new/o"] * 5 + ["drop"] * 3, "newcomers")
    equal(each(rig, 2, host=77), ["new/o"] * 2, "newcomers of another source")
    told = since(rig, before)
    equal((told.get("src_max_refused"), told.get("insert"), told.get("full")), (3, 7, None), f"counters: {told}")
    equal(rig.r.sysctl("src_count"), "2", "sources")


@case("src_max: what is there goes on; a flow that ends makes room", only="flowtrack")
def _(rig):
    flow = [f for f in rig.r.flows() if f["orig"]["src"] == Rig.C[4]][0]
    sport = flow["orig"]["sport"]
    rig.r.tool("del", "id", str(flow["id"]))
    equal(each(rig, 2), ["new/o", "drop"], "newcomers")
    other = [f["orig"]["sport"] for f in rig.r.flows() if f["orig"]["src"] == Rig.C[4]][0]
    check(other != sport, "the flow is still there")
    rig.udp("s", 4, 53, other, "est/r+s")
    equal(newcomer(rig, sport=other), "est/o+s", "a packet of a flow that is there")


@case("src_max, pass: what exceeds it goes through without an entry", only="flowtrack")
def _(rig):
    before = limits(rig, src_max=3, src_policy="pass")
    equal(each(rig, 6), ["new/o"] * 6, "newcomers")
    equal(len(rig.r.flows()), 3, "flows")
    told = since(rig, before)
    equal((told.get("src_max_refused"), told.get("src_pass")), (3, 3), f"counters: {told}")


@case("src_max, IPv6: all addresses of a /64 are one source, with src_prefix6 128 they are not", only="flowtrack")
def _(rig):
    limits(rig, src_max=4)
    equal(each(rig, 3, family=6) + each(rig, 3, family=6, host="77"), ["new/o"] * 4 + ["drop"] * 2, "newcomers")
    rig.r.sysctl("src_prefix6", 128)
    equal(each(rig, 2, family=6) + each(rig, 4, family=6, host="77"), ["new/o", "drop"] + ["new/o"] * 3 + ["drop"],
          "newcomers after the prefix changed")


@case("src_max, IPv4 with src_prefix4 24: neighbours are one source", only="flowtrack")
def _(rig):
    limits(rig, src_max=4, src_prefix4=24)
    equal(each(rig, 3, host=77) + each(rig, 3, host=78), ["new/o"] * 4 + ["drop"] * 2, "newcomers")
    equal(rig.r.sysctl("src_count"), "1", "sources")


@case("src_max: flows that were there before it was set count", only="flowtrack")
def _(rig):
    limits(rig)
    equal(each(rig, 6), ["new/o"] * 6, "newcomers")
    rig.r.sysctl("src_max", 4)
    equal((len(rig.r.flows()), newcomer(rig)), (6, "drop"), "flows, and a newcomer")
    rig.r.tool("set", "src_max", "7")
    equal(each(rig, 2), ["new/o", "drop"], "newcomers")


@case("src_rate: a burst, then the rate; another source is not concerned", only="flowtrack")
def _(rig):
    before = limits(rig, src_burst=4)
    rig.r.sysctl("src_rate", 1)
    start = time.monotonic()
    seen = each(rig, 8)
    took = time.monotonic() - start
    equal(seen[:4], ["new/o"] * 4, "burst")
    check(seen.count("new/o") <= 4 + int(took) + 1, f"after the burst, in {took:.1f} s: {seen}")
    check("drop" in seen, f"none was refused: {seen}")
    equal(newcomer(rig, host=77), "new/o", "another source")
    check(since(rig, before).get("src_rate_refused") == seen.count("drop"), "src_rate_refused")
    busywait(10, lambda: newcomer(rig) == "new/o", "a newcomer, a second later")
    rig.r.sysctl("src_rate", 0)
    equal(each(rig, 3), ["new/o"] * 3, "without a limit")


@case("local: a client of this machine's service is limited, this machine is not", only="flowtrack")
def _(rig):
    limits(rig, src_max=3)
    listener = rig.r.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("0.0.0.0", 5353))
    before = rig.r.tool_json("stats")
    for _ in range(6):
        rig.send("c", ip4(Rig.C[4], Rig.RC[4], UDP, udp(Rig.C[4], Rig.RC[4], next(ports), 5353)))
    busywait(10, lambda: since(rig, before).get("src_max_refused") == 3, "three refusals")
    for _ in range(6):
        with rig.r.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", (Rig.C[4], 9))
    listener.close()
    own = [f for f in rig.r.flows() if f["orig"]["dst"] == Rig.C[4]]
    equal(len(own), 6, f"flows of this machine's own: {rig.r.flows()}")


def spoofed(rig, source, sport):
    src = f"172.{16 + source // 62500}.{source // 250 % 250}.{1 + source % 250}"
    rig.c.send(ip4(src, Rig.S[4], UDP, udp(src, Rig.S[4], sport, 53)))


def on_each_cpu(function):
    """Call it in a process on each of two CPUs, at the same time."""
    start, go = os.pipe()
    pids = []
    for cpu in range(2):
        pids.append(os.fork())
        if not pids[-1]:
            try:
                os.close(go)
                os.sched_setaffinity(0, {cpu % (os.cpu_count() or 1)})
                os.read(start, 1)
                function(cpu)
                os._exit(0)
            finally:
                os._exit(1)
    os.close(go)
    os.close(start)
    for pid in pids:
        equal(os.waitpid(pid, 0)[1], 0, "status of a process")


@case("src_max is exact with two processors at one source: every time, and when flows have gone", only="flowtrack")
def _(rig):
    def flood(cpu):
        for source in range(sources):
            for i in range(limit + 10):
                spoofed(rig, source, 1000 + cpu * 10000 + i)

    for turn, (sources, limit) in enumerate(((1, 1000), (80, 5))):
        before = limits(rig, src_max=limit, udp_timeout=600)
        on_each_cpu(flood)
        rig.c.flush()
        rig.s.receive()
        # Nothing ended meanwhile: what was ever entered is what is there.
        told = since(rig, before)
        held = collections.Counter(f["orig"]["src"] for f in rig.r.flows())
        wrong = {src: n for src, n in held.items() if n != limit}
        check(not wrong and len(held) == sources, f"turn {turn}: {len(held)} sources; with another number: {wrong}")
        equal(told.get("insert"), sources * limit, f"turn {turn}, flows ever entered: {told}")
        equal(told.get("src_max_refused"), sources * (limit + 20), f"turn {turn}, refused: {told}")
        equal(int(rig.r.sysctl("src_count")), sources, "sources")
    # Flows that come and go on both give back what they took, and no more.
    ender = subprocess.Popen(["sh", "-c", "while :; do $FT_TOOL flush; done >/dev/null"], preexec_fn=rig.r.__enter__)
    on_each_cpu(flood)
    ender.kill()
    ender.wait()
    rig.c.flush()
    rig.s.receive()
    rig.reset()
    equal(int(rig.r.sysctl("src_count")), 0, "sources, without flows")
    equal(each(rig, limit + 2), ["new/o"] * limit + ["drop"] * 2, "newcomers")
    limits(rig, udp_timeout=30)


@case("forged sources: no more is remembered of them than there is room for", only="flowtrack")
def _(rig):
    maximum = 100
    old = rig.r.sysctl("max")
    limits(rig, max=maximum, src_burst=1000000)
    # The rate of none is forgiven for a long time.
    rig.r.sysctl("src_rate", 1)
    most = 0
    for source in range(4000):
        spoofed(rig, source, 1000)
        if source % 100 == 99:
            most = max(most, int(rig.r.sysctl("src_count")))
    rig.c.flush()
    rig.s.receive()
    most = max(most, int(rig.r.sysctl("src_count")))
    # One for each flow, four in each of 64 buckets, and the newcomer that each processor is busy with.
    check(maximum < most <= maximum + 4 * 64 + os.cpu_count(), f"{most} sources at {maximum} flows")
    limits(rig, max=old)


@case("the log names the source and the sysctl", only="flowtrack")
def _(rig):
    limits(rig, src_max=1)
    log = Kmsg()
    lines = []

    def told():
        newcomer(rig)
        lines.extend(line for line in log.read() if " refused, " in line)
        return lines
    busywait(25, told, "a line in the log")
    log.close()
    for part in (f"{Rig.C[4]}/32", "flows at 1", "net.netfilter.nf_flowtrack_src_max"):
        check(part in lines[0], f"'{part}' is not in: {lines[0]}")
    limits(rig)


main(Rig)
