#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Limits for each source: src_max and src_rate, by address and by prefix, forwarded and local, with both policies."""

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


@case("the log names the source and the sysctl", only="flowtrack")
def _(rig):
    limits(rig, src_max=1)
    log = Kmsg()
    lines = []

    def told():
        newcomer(rig)
        lines.extend(line for line in log.read() if "refused" in line)
        return lines
    busywait(25, told, "a line in the log")
    log.close()
    for part in (f"{Rig.C[4]}/32", "flows at 1", "net.netfilter.nf_flowtrack_src_max"):
        check(part in lines[0], f"'{part}' is not in: {lines[0]}")
    limits(rig)


main(Rig)
