#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""How long a dump of many connections takes, beside nf_conntrack_netlink with as many entries of its own.

FT_DUMP_FLOWS: how many, 20000 by default; FT_DUMP_ROUNDS: how often. Documentation/testing.rst has the command for a million.
"""
# TIMEOUT: 3600

import statistics

from lib_ctnetlink import *
from lib_pktgen import *

FLOWS = int(os.environ.get("FT_DUMP_FLOWS", "20000"))
MANY = FLOWS >= 1000000
ROUNDS = int(os.environ.get("FT_DUMP_ROUNDS", "5" if MANY else "9"))
# Of as many in a row, the shortest counts: a few flows are dumped so fast that the machine may do something else meanwhile.
REPEAT = 1 if MANY else 3
# What chance does to the median of the rounds, on a machine that is busy with other guests.
NOISE = 1.2
# A million is for a machine that does nothing else; conntrack(8) is what people wait for.
LIST_MAX = 1.0 if MANY else NOISE


class Router:
    """A router that sends all flows of a neighbour into a device that takes all, and has them in one table."""

    def __init__(self, name, module):
        self.module = module
        self.r, self.c = Ns(name), Ns("c")
        self.r.ip("link add rc type veth peer name cr netns " + self.c.name, "addr add 10.9.1.1/24 dev rc", "link set rc up",
                  "link add sink type dummy", "link set sink up", "route add 198.18.0.0/16 dev sink")
        self.c.ip("link set cr up")
        for knob, value in (("net.ipv4.ip_forward", 1), ("net.ipv4.conf.all.rp_filter", 0), ("net.ipv4.conf.rc.rp_filter", 0),
                            ("net.netfilter.nf_flowtrack_udp_timeout", 86400),
                            ("net.netfilter.nf_conntrack_udp_timeout", 86400), ("enable", int(module == OURS))):
            self.r.sysctl(knob, value)
        self.r.nft("table inet t {\n chain forw {\n type filter hook forward priority 0\n ct state new accept\n }\n}")
        self.mac = json.loads(self.r.run("ip", "-j", "link", "show", "rc")[1])[0]["address"]
        self.dumps, self.lists, self.size = [], [], 0

    def fill(self):
        pktgen = Pktgen(self.c, "cr", self.mac, "198.18.0.1")
        took = pktgen.send(FLOWS)
        pktgen.end()
        equal((int(self.r.sysctl("count")), self.r.conntrack_count()), (FLOWS, 0) if self.module == OURS else (0, FLOWS),
              "flows and entries")
        print(f"# {FLOWS} flows for {self.module} in {took:.1f} s", flush=True)

    def dump(self):
        """Only read. Return: seconds."""
        ctnl = Ctnl(self.r)
        ctnl.sock.settimeout(120)
        start, self.size = time.monotonic(), 0
        ctnl.sock.send(struct.pack("=IHHIIBBH", 20, SUBSYS << 8 | CT_GET, REQUEST | DUMP, 1, 0, 0, 0, 0))
        while True:
            data = ctnl.sock.recv(1 << 20)
            self.size += len(data)
            if struct.unpack_from("=IH", data, len(data) - 20) == (20, 3):
                break
        took = time.monotonic() - start
        ctnl.close()
        return took

    def list(self):
        """conntrack -L, which counts what it has shown. Return: seconds."""
        start = time.monotonic()
        error = self.r.run("sh", "-c", "conntrack -L 2>&1 >/dev/null", timeout=1200)[1]
        took = time.monotonic() - start
        check(f" {FLOWS} flow entries have been shown" in error, f"conntrack -L: {error}")
        return took

    def measure(self):
        swap(self.module)
        self.dumps.append(min(self.dump() for _ in range(REPEAT)))
        self.lists.append(min(self.list() for _ in range(REPEAT)))


def ratio(ours, theirs):
    """What is slow for both in a round is in both."""
    each = [a / b for a, b in zip(ours, theirs)]
    print(f"# ours {statistics.median(ours):.3f} s, the original {statistics.median(theirs):.3f} s; by round:",
          *(f"{value:.2f}" for value in each), flush=True)
    return statistics.median(each)


def setup():
    load_if_wanted()
    return [Router("theirs", ORIGINAL), Router("ours", OURS)]


@case(f"{FLOWS} flows: a dump, and conntrack -L, take no longer than the original with as many entries, but for noise",
      only="flowtrack")
def _(routers):
    theirs, ours = routers
    with room_for(ours.r, FLOWS * 5 // 4):
        for router in routers:
            router.fill()
        for n in range(ROUNDS):
            for router in routers[::1 if n % 2 else -1]:
                router.measure()
        for router in routers:
            router.r.conntrack_flush()
    equal(ours.size, theirs.size, "bytes of a dump")
    dump, listed = ratio(ours.dumps, theirs.dumps), ratio(ours.lists, theirs.lists)
    print(f"# {FLOWS} flows, {ours.size // FLOWS} bytes each: dump {dump:.2f}, conntrack -L {listed:.2f} of the original's time",
          flush=True)
    check(dump <= NOISE, f"dump: {dump:.2f} of the original's time")
    check(listed <= LIST_MAX, f"conntrack -L: {listed:.2f} of the original's time")


def teardown(_routers):
    Ns.delete_all()
    run("modprobe", "-r", "pktgen", ok=False)
    swap(OURS)


main(setup, teardown)
