#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a second CPU is worth: runs in a guest with two of them. bench.sh starts it.

The same packets are sent by one CPU alone, and by two at the same time, as many each: 2.0 is what two CPUs are worth if
neither waits for the other. What the harness takes is subtracted, in each of the two.
"""

import json
import statistics
import subprocess
import sys

import bench
from bench import CT, ESTABLISHED, FT, NAMES, NEW, NONE, PORT_NEW, PROTOCOLS

SITES = (NONE, CT, FT)


class Smp(bench.Bench):
    def scale(self, name, packets, expect, fresh=0, **what):
        """@fresh: flows that a run opens on each CPU: no two runs may have the same."""
        factors = {CT: [], FT: []}
        alone = {CT: [], FT: []}
        for _ in range(self.args.rounds):
            cost = {}
            for cpus in (1, 2):
                for who in SITES:
                    self.seed += 0x1000000
                    if fresh:
                        what["first"] = self.step
                    cost[who, cpus] = self.run(who, packets, expect, cpus=cpus, seed=0 if fresh else self.seed, **what)
                    self.step += 2 * packets
            for who, list_ in factors.items():
                one, two = (cost[who, cpus] - cost[NONE, cpus] for cpus in (1, 2))
                list_.append(2 * one / two)
                alone[who].append(one)
        ct, ft = (statistics.median(factors[who]) for who in (CT, FT))
        self.result["cases"][name] = {
            "ct": ct, "ft": ft, "ratio": ft / ct, "unit": "x one CPU, by two", "factors":
            {NAMES[who]: [round(f, 2) for f in factors[who]] for who in (CT, FT)},
            "alone_ns": {NAMES[who]: round(statistics.median(alone[who])) for who in (CT, FT)}}
        self.say(f"{name:34} two CPUs are worth: ct {ct:.2f}  ft {ft:.2f}")

    def all(self):
        for module in (self.args.module, self.args.harness):
            depends = subprocess.run(["modinfo", "-F", "depends", module], check=True, stdout=subprocess.PIPE, text=True)
            for name in filter(None, depends.stdout.strip().split(",")):
                subprocess.run(["modprobe", name], check=True)
        subprocess.run(["modprobe", "nf_conntrack_netlink"], check=True)
        self.set_up()
        flows, packets = 4000, self.args.packets
        for proto in ("udp4", "tcp4"):
            family, _, _, (orig, _) = PROTOCOLS[proto]
            self.limits(2 * flows)
            self.fill(proto, 2 * flows)
            self.settle(proto, 2 * flows)
            what = {"family": family, "kind": orig}
            self.scale(f"smp-established/{proto}/{flows}", packets, ESTABLISHED, flows=flows, apart=flows, **what)
            self.scale(f"smp-same-flow/{proto}/1", packets, ESTABLISHED, flows=1, **what)
            self.flush()
        fresh = packets // 4
        self.limits(16 * fresh * self.args.rounds)
        self.step = 100000
        self.scale(f"smp-new/udp4/{fresh}", fresh, NEW, fresh=fresh, flows=fresh, apart=fresh, port=PORT_NEW)


if __name__ == "__main__":
    bench.Bench = Smp
    sys.exit(bench.main())
