#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""flowtrack top: what it says of a population that is known, against a dump, and its screen."""

import collections
import os
import pty
import select
import signal
import time

from lib import *

ports = iter(range(10000, 60000))


def populate(rig, counts, port=53):
    """UDP flows: so many by the last byte of the source."""
    for host, n in counts.items():
        for _ in range(n):
            rig.send("c", ip4(f"10.9.0.{host}", Rig.S[4], UDP, udp(f"10.9.0.{host}", Rig.S[4], next(ports), port)))


def dumped(rig, field):
    return collections.Counter(flow_field(f, field) for f in rig.r.flows())


@case("as a dump has it: sources, destinations, services", only="flowtrack")
def _(rig):
    rig.reset()
    populate(rig, {1: 30, 2: 20, 3: 5}, 53)
    populate(rig, {1: 7, 4: 12}, 123)
    for i in range(9):
        rig.udp("c", 6, next(ports), 53, "new/o")
    busywait(10, lambda: len(rig.r.flows()) == 83, "83 flows")
    top = rig.r.tool_json("top", "--once")
    equal((top["total"], top["sampled"], top["exact"]), (83, 83, True), f"title: {top}")
    sources = [(s["address"], s["prefix"], s["flows"]) for s in top["source"]]
    equal(sources[:4], [("10.9.0.1", 32, 37), ("10.9.0.2", 32, 20), ("10.9.0.4", 32, 12),
                        (Rig.C[6].rsplit("::", 1)[0] + "::", 64, 9)], "sources")
    services = [(s["proto"], s["port"], s["flows"]) for s in top["service"]]
    equal(services, [("udp", 53, 64), ("udp", 123, 19)], "services")
    equal(sorted(d["flows"] for d in top["destination"]), [9, 74], "destinations")
    seen = collections.Counter(f["orig"]["src"] for f in rig.r.flows())
    for address, prefix, flows in sources:
        if prefix == 32:
            equal(flows, seen[address], f"flows of {address}")


@case("prefixes: src_prefix4 and src_prefix6 make a source", only="flowtrack")
def _(rig):
    rig.r.sysctl("src_prefix4", 24)
    rig.r.sysctl("src_prefix6", 128)

    def sources():
        return [(s["address"], s["prefix"], s["flows"]) for s in rig.r.tool_json("top", "source")["source"]]
    busywait(10, lambda: sources() == [("10.9.0.0", 24, 74), (Rig.C[6], 128, 9)], f"sources by prefix, not {sources()}")
    rig.r.sysctl("src_prefix4", 32)
    rig.r.sysctl("src_prefix6", 64)


@case("rates: who opens most", only="flowtrack")
def _(rig):
    rig.r.tool_json("top")
    deadline = time.monotonic() + 20
    while True:
        populate(rig, {9: 20, 8: 5})
        top = rig.r.tool_json("top", "rate", "source", "-N", "2")
        first = [s["address"] for s in top["source"]]
        if first == ["10.9.0.9", "10.9.0.8"] and top["rate"]:
            break
        check(time.monotonic() < deadline, f"no rates: {top}")
    shares = [s["share"] for s in top["source"]]
    check(abs(shares[0] - 0.8) < 0.1 and abs(shares[1] - 0.2) < 0.1, f"shares: {shares}")


@case("the screen: lists by key, ends with q", only="flowtrack")
def _(rig):
    with rig.r:
        pid, fd = pty.fork()
        if not pid:
            os.environ["TERM"] = "vt100"
            os.execv(os.environ["FT_TOOL"], ["flowtrack", "top", "-d", "1"])
    seen = b""

    def wait_for(text):
        nonlocal seen
        end = time.monotonic() + 20
        while text not in seen:
            check(time.monotonic() < end, f"no {text} on the screen: {seen[-600:]}")
            if select.select([fd], [], [], 1)[0]:
                seen += os.read(fd, 4096)
    wait_for(b"10.9.0.1")
    os.write(fd, b"p")
    wait_for(b"udp 123")
    os.write(fd, b"q")
    equal(os.waitpid(pid, 0)[1], 0, "exit status")
    os.close(fd)


# As in "flowtrack top </dev/null", or in the body of a loop that reads a file.
@case("a terminal to write to, and none to type at: once", only="flowtrack")
def _(rig):
    with rig.r:
        pid, fd = pty.fork()
        if not pid:
            os.environ["TERM"] = "vt100"
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.execv(os.environ["FT_TOOL"], ["flowtrack", "top"])
    seen = b""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            seen += os.read(fd, 4096) if select.select([fd], [], [], 1)[0] else b""
        except OSError:
            break
    else:
        os.kill(pid, signal.SIGKILL)
    equal(os.waitpid(pid, 0)[1], 0, "exit status")
    equal((seen.count(b" 10.9.0.1\r\n"), seen.count(b"\033[H")), (1, 0), f"how often it tells of 10.9.0.1, and clears the screen: {seen}")
    os.close(fd)


@case("by bytes, of both tables: as conntrack's and our own counters have it", only="flowtrack")
def _(rig):
    rules = """
table inet t {
	ct helper tftp { type "tftp" protocol udp; }
	chain forw {
		type filter hook forward priority 0
		udp dport 69 ct helper set "tftp"
	}
}"""
    run("modprobe", "nf_conntrack_tftp")
    before = rig.r.tool_json("top", "--once", "bytes")
    check("bytes" not in before and before["source"] == [], f"nothing is counted: {before}")
    rig.r.sysctl("acct", 1)
    rig.r.sysctl("net.netfilter.nf_conntrack_acct", 1)
    try:
        rig.reset(rules)
        for host, port, size, times in ((1, 53, 900, 3), (2, 53, 10, 9), (3, 69, 1300, 4), (4, 69, 1, 1)):
            packet = ip4(f"10.9.0.{host}", Rig.S[4], UDP, udp(f"10.9.0.{host}", Rig.S[4], 5000 + host, port, b"x" * size))
            for _ in range(times):
                rig.send("c", packet)
        sizes = {"10.9.0.1": 3 * 928, "10.9.0.2": 9 * 38, "10.9.0.3": 4 * 1328, "10.9.0.4": 29}

        def sources():
            return [(s["address"], s["bytes"], s["flows"], s["guarded"]) for s in rig.r.tool_json("top", "--once", "bytes")["source"]]
        wanted = [(a, n, 1, int(a[-1] in "34")) for a, n in sorted(sizes.items(), key=lambda item: -item[1])]
        busywait(10, lambda: sources() == wanted, f"{wanted}, not {sources()}")
        top = rig.r.tool_json("top", "--once", "bytes")
        equal(top["bytes"], sum(sizes.values()), "bytes of all")
        equal([(s["port"], s["bytes"]) for s in top["service"]], [(69, 5341), (53, 3126)], "services")
        equal([s["share"] for s in top["source"]], [n * 1000 // sum(sizes.values()) / 1000 for _, n, _, _ in wanted], "shares")
    finally:
        rig.reset()
        rig.r.sysctl("acct", 0)
        rig.r.sysctl("net.netfilter.nf_conntrack_acct", 0)


@case("external addresses: how many flows have a port of each", only="flowtrack")
def _(rig):
    rig.reset("""table ip nat {
	chain post {
		type nat hook postrouting priority 100
		oif rs ip saddr 10.9.0.1 snat to 10.9.2.101
		oif rs ip saddr { 10.9.0.2, 10.9.0.3 } snat to 10.9.2.102
	}
}""")
    for word, wanted in (("auto", [("10.9.2.102", 32, 25), ("10.9.2.101", 32, 10)]), ("never", [])):
        rig.r.sysctl("nat", word)
        rig.r.flush()
        rig.r.conntrack_flush()
        populate(rig, {1: 10, 2: 20, 3: 5, 4: 40})

        def external():
            return [(e["address"], e["prefix"], e["flows"]) for e in rig.r.tool_json("top", "external")["external"]]
        busywait(10, lambda w=wanted: rig.r.tool_json("top")["total"] == 75 and external() == w,
                 f"{word}: external addresses, not {external()}")
    rig.r.sysctl("nat", "auto")


main(Rig)
