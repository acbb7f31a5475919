# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's packet generator: UDP over IPv4, each packet of another flow."""

import contextlib
import threading

from lib import *

# Addresses and ports move on together: relatively prime, so that all pairs come.
PORTS, ADDRESSES = 32749, 64


class Pktgen:
    """At a device of a namespace: to a neighbour's hardware address, flows to dst from 198.19.0.0 onwards."""

    def __init__(self, ns, dev, mac, dst, dport=9):
        run("modprobe", "-q", "pktgen")
        self.ns, self.dev = ns, dev
        self.control("kpktgend_0", f"add_device {dev}")
        self.control(dev, "clone_skb 0", "pkt_size 60", f"dst {dst}", f"dst_mac {mac}", "src_min 198.19.0.0",
                     f"src_max 198.19.0.{ADDRESSES - 1}", "udp_src_min 1024", f"udp_src_max {1024 + PORTS}",
                     f"udp_dst_min {dport}", f"udp_dst_max {dport}")

    def control(self, name, *lines):
        for line in lines:
            # It takes the last character off.
            self.ns.write(f"/proc/thread-self/net/pktgen/{name}", line + "\n")

    def send(self, count, rate=0):
        """Seconds that it took. No more than rate packets a second, if there is one."""
        check(count <= PORTS * ADDRESSES, f"only {PORTS * ADDRESSES} flows")
        self.control(self.dev, f"count {count}", *[f"ratep {rate}"] if rate else ["delay 0"])
        start = time.monotonic()
        # Returns when all is sent.
        worker = threading.Thread(target=self.control, args=("pgctrl", "start"), daemon=True)
        worker.start()
        worker.join(600 * SLOW)
        check(not worker.is_alive(), "pktgen does not end")
        took = time.monotonic() - start
        sent = int(re.search(r"pkts-sofar: (\d+)", self.ns.read(f"/proc/thread-self/net/pktgen/{self.dev}"))[1])
        equal(sent, count, "packets that pktgen has sent")
        return took

    def end(self):
        # Its thread does that when it gets to it.
        self.control("kpktgend_0", "rem_device_all")
        with self.ns:
            busywait(20, lambda: not os.path.exists(f"/proc/thread-self/net/pktgen/{self.dev}"), "pktgen gives its device back")


@contextlib.contextmanager
def room_for(ns, flows):
    """Both tables have room for so many, in buckets that fit."""
    knobs = {"/proc/sys/net/netfilter/nf_conntrack_max": flows, "/sys/module/nf_conntrack/parameters/hashsize": flows}
    before = {}
    for path, value in knobs.items():
        with open(path) as f:
            before[path] = f.read()
        with open(path, "w") as f:
            f.write(str(value))
    max_before = ns.sysctl("net.netfilter.nf_flowtrack_max")
    ns.sysctl("net.netfilter.nf_flowtrack_max", flows)
    try:
        yield
    finally:
        ns.sysctl("net.netfilter.nf_flowtrack_max", max_before)
        for path, value in before.items():
            with open(path, "w") as f:
                f.write(value)
