#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The table changes its size under traffic, and nobody notices."""
# CPUS: 2

import errno
import os
import random
import re
import signal
import time

from lib import *

FLOWS = 300


class Resizer:
    """A process that writes sizes into the sysctl, on another processor than the traffic's."""

    SIZES = (64, 4096, 128, 65536, 256, 1024)

    def __init__(self, ns):
        self.pid = os.fork()
        if not self.pid:
            try:
                os.sched_setaffinity(0, {0})
                setns(ns.fd)
                with open(f"/proc/sys/net/netfilter/{PREFIX}_buckets", "w") as f:
                    while True:
                        for size in self.SIZES:
                            f.seek(0)
                            f.write(str(size))
                            f.flush()
            finally:
                os._exit(1)

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def flow_packet(rig, side, n):
    src, dst = (Rig.C, Rig.S) if side == "c" else (Rig.S, Rig.C)
    pair = (1000 + n, 53) if side == "c" else (53, 1000 + n)
    family = 6 if n % 3 == 0 else 4
    return rig.packet(side, UDP, udp(src[family], dst[family], *pair), family)


@case("no packet of a known flow becomes new or invalid", only="flowtrack")
def _(rig):
    rig.reset()
    for n in range(FLOWS):
        rig.expect("c", flow_packet(rig, "c", n), "new/o")
        rig.expect("s", flow_packet(rig, "s", n), "est/r+s")
    before = rig.r.tool_json("stats")["resize"]
    resizer = Resizer(rig.r)
    try:
        rng = random.Random(1)
        for _ in range(1000):
            side = rng.choice("cs")
            seen = rig.stamp(side, flow_packet(rig, side, rng.randrange(FLOWS)))
            check(seen.startswith("est/"), f"a packet of a known flow is {seen}")
    finally:
        resizer.stop()
    done = rig.r.tool_json("stats")["resize"] - before
    check(done >= 5, f"only {done} resizes during the test")
    equal(len(rig.r.flows()), FLOWS, "flows afterwards")
    equal(int(rig.r.sysctl("count")), FLOWS, "count afterwards")


@case("flows that are entered meanwhile are all there", only="flowtrack")
def _(rig):
    rig.reset()
    resizer = Resizer(rig.r)
    try:
        for n in range(FLOWS):
            rig.expect("c", flow_packet(rig, "c", n), "new/o")
            rig.expect("s", flow_packet(rig, "s", n), "est/r+s")
    finally:
        resizer.stop()
    equal(len({(f["orig"]["sport"], f["family"]) for f in rig.r.flows()}), FLOWS, "flows")


@case("a list made meanwhile is complete, or says that it is not", only="flowtrack")
def _(rig):
    resizer = Resizer(rig.r)
    try:
        for _ in range(8):
            status, out, err = rig.r.tool("-j", "list", ok=False)
            check(status in (0, 6), f"exit status {status}: {err}")
            found = parse_json(out)
            if status == 0:
                equal(len({f["id"] for f in found}), FLOWS, "flows in a list that claims to be complete")
    finally:
        resizer.stop()


@case("TCP connections of real kernels go on: nothing is invalid, nothing new but the connections", only="flowtrack")
def _(_rig):
    a, b = Ns("a"), Ns("b")
    a.ip(f"link add ab type veth peer name ba netns {b.name}", "addr add 10.6.1.1/24 dev ab", "link set ab up")
    b.ip("addr add 10.6.1.2/24 dev ba", "link set ba up")
    for ns in (a, b):
        ns.nft("""
table inet t {
	counter invalid { }
	counter new { }
	chain in {
		type filter hook prerouting priority 0
		meta l4proto tcp ct state invalid counter name invalid
		meta l4proto tcp ct state new counter name new
	}
}""")
    server = b.popen("iperf3", "-s", "-1")
    busywait(20, lambda: "5201" in b.run("ss", "-Hltn")[1], "iperf3's port")
    resizers = [Resizer(a), Resizer(b)]
    try:
        status, out, err = a.run("iperf3", "-c", "10.6.1.2", "-n", "8M", "-P", "2", ok=False, timeout=100)
    finally:
        for resizer in resizers:
            resizer.stop()
    equal(status, 0, f"iperf3's exit status: {out[-300:]} {err}")
    server.wait(10)
    for ns, new in ((a, 0), (b, 3)):
        counts = dict(re.findall(r"counter (\w+) \{\s+packets (\d+)", ns.run("nft", "list", "counters")[1]))
        equal(counts, {"invalid": "0", "new": str(new)}, ns.name)
        equal(ns.conntrack_count(), 0, "nf_conntrack_count")
    a.delete()
    b.delete()


@case("0 gives the number of buckets back to the number of flows", only="flowtrack")
def _(rig):
    rig.r.sysctl("buckets", 65536)
    rig.r.sysctl("buckets", 0)
    busywait(10, lambda: int(rig.r.sysctl("buckets")) < 4096, "a smaller table")


@case("the parameter hashsize resizes the first namespace's table", only="flowtrack")
def _(_rig):
    path = "/sys/module/nf_flowtrack/parameters/hashsize"
    for value, wanted in ((1000, "1024"), (128, "128")):
        with open(path, "w") as f:
            f.write(str(value))
        with open(path) as f:
            equal(f.read().strip(), wanted, "hashsize")
        with open("/proc/sys/net/netfilter/nf_flowtrack_buckets") as f:
            equal(f.read().strip(), wanted, "nf_flowtrack_buckets")
    with open(path, "w") as f:
        f.write("0")


@case("a size that the machine cannot carry is refused at once, with the reason", only="flowtrack")
def _(rig):
    before = rig.r.sysctl("buckets")
    log = Kmsg()
    start = time.monotonic()
    try:
        rig.r.sysctl("buckets", 67108864)
        raise Failure("4 GiB of buckets were granted")
    except OSError as e:
        equal(e.errno, errno.ENOMEM, "error")
    check(time.monotonic() - start < 2, f"it took {time.monotonic() - start:.1f} s")
    lines = [line for line in log.read() if "67108864 buckets refused" in line]
    log.close()
    check(len(lines) == 1 and "MiB" in lines[0], f"lines: {lines}")
    equal(rig.r.sysctl("buckets"), before, "buckets")
    status, _, err = rig.r.tool("set", "buckets", "67108864", ok=False)
    equal(status, 2, "exit status of the tool")
    check("MiB" in err, f"the tool says: {err}")
    rig.udp("c", 4, 999, 53, "new/o")


main(Rig)
