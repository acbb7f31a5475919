#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's driver: runs in the guest, measures, writes a JSON file. bench.sh starts it.

Two namespaces are measured side by side: "ct", where nf_conntrack tracks alone, and "ft", where nf_flowtrack does and
nf_conntrack's hooks are there, too, as with any ruleset that says "ct". A third one, "none", has neither: what the
harness and the hooks' own walk cost, which is subtracted. All three see the same packets, in turns.
"""

import argparse
import json
import os
import re
import select
import statistics
import subprocess
import sys
import time

import rulesets

CONTROL = "/sys/kernel/debug/ft_bench"
NONE, CT, FT = range(3)
NAMES = ("none", "ct", "ft")
UDP, SYN, SYN_ACK, ACK, DATA, WINDOW = range(6)
ESTABLISHED, NEW, REPLY, NOTHING = 0, 2, 3, 5
PORT, PORT_NEW = 53, 5353
# What NAT does to a flow, by its destination port: the answers come from another server, or go to another client.
PORT_DNAT, PORT_SNAT = 54, 55
DNAT_SERVER, SNAT_NET = 9, 100
NAT = f"""
table ip nat {{
	chain pre {{ type nat hook prerouting priority dstnat; th dport {PORT_DNAT} dnat to 192.0.2.{DNAT_SERVER}; }}
	chain post {{ type nat hook postrouting priority srcnat; th dport {PORT_SNAT} snat ip prefix to ip saddr map {{ 10.0.0.0/8 : {SNAT_NET}.0.0.0/8 }}; }}
}}
"""
FLOWTABLE = """
table inet bench {
	flowtable fast { hook ingress priority filter; devices = { bench0, bench1 }; }
	chain forward { type filter hook forward priority filter - 10; meta l4proto { tcp, udp } flow add @fast; }
}
"""
# Where the responder is, in a namespace that packets are to end in.
LOCAL = ("192.0.2.1/32", "2001:db8:ffff:ffff::2/128")
LONG = 20000
# Packets of a list: what a NIC's driver hands up at once, unless told otherwise (gro_normal_batch).
LIST = 8

# name: family, what opens a flow, [(kind, reply, expected state)] that establishes it, a packet of either direction
PROTOCOLS = {
    "udp4": (4, UDP, [(UDP, 1, REPLY)], (UDP, UDP)),
    "tcp4": (4, SYN, [(SYN_ACK, 1, REPLY), (ACK, 0, ESTABLISHED), (WINDOW, 1, REPLY)], (DATA, WINDOW)),
    "tcp6": (6, SYN, [(SYN_ACK, 1, REPLY), (ACK, 0, ESTABLISHED), (WINDOW, 1, REPLY)], (DATA, WINDOW)),
}

# What is measured with the flows of each protocol in the tables, and what then with those of UDP.
PER_PROTOCOL = ("established", "burst8", "reply", "forward", "group8", "train8", "zipf8", "receive1", "receive8",
                "receive16", "receive64", "local1", "local8", "local16", "local64", "flowtable1", "flowtable8", "dropped",
                "dropped8", "new", "new8")
RULESETS = tuple(f"{name}8" for name in rulesets.ALL)
FULL_KEPT = ("full-evict-kept/udp4", "full-drop-kept/udp4", "full-pass-kept/udp4")
AFTER_UDP = ("delete-by-filter/udp4", "list/udp4", "list-json/udp4", "resize/udp4", "expiry-told/udp4", *FULL_KEPT,
             "flush/udp4")
# Beside NAT: what its cases end in, how many places nf_conntrack has for each flow, to which port they go. "-half" is more
# than half full all the time, and never short of room.
NAT_STEMS = ("nat-established", "nat-group8", "nat-reply", "nat-dropped", "nat-new")
NAT_PHASES = (("/dnat", 4, PORT_DNAT, {}), ("-half/dnat", 1.5, PORT_DNAT, {}), ("/snat", 4, PORT_SNAT, {"forward": 1}),
              ("/none", 4, PORT, {"adopted": True}), ("/dnat-own", 4, PORT_DNAT, {"adopted": True}),
              ("/snat-own", 4, PORT_SNAT, {"adopted": True, "forward": 1}),
              # Forwarded: a server on this machine may ask nf_conntrack where a connection was to go to.
              ("/dnat-own-tcp", 4, PORT_DNAT, {"adopted": True, "proto": "tcp4", "forward": 1}),
              ("/snat-own-tcp", 4, PORT_SNAT, {"adopted": True, "proto": "tcp4", "forward": 1}))


class Void(Exception):
    """A packet was not what it should have been to the ruleset: the figure means nothing."""


def control(text):
    write(CONTROL, text)
    with open(CONTROL, encoding="ascii") as f:
        return [int(word) for word in f.read().split()]


def inside(who, *cmd, **kw):
    kw.setdefault("check", True)
    kw.setdefault("input", "")
    return subprocess.run(["nsenter", f"--net=/run/netns/{NAMES[who]}", *cmd], text=True,
                          stdout=kw.pop("stdout", subprocess.DEVNULL), stderr=subprocess.DEVNULL, **kw)


def nft(who, ruleset):
    inside(who, "nft", "-f", "-", input=ruleset)


def sysctl(who, **values):
    script = "".join(f"echo {value} >/proc/sys/net/netfilter/{name}\n" for name, value in values.items())
    inside(who, "sh", "-ec", script)


def sysctl_get(who, name):
    return int(inside(who, "cat", f"/proc/sys/net/netfilter/{name}", stdout=subprocess.PIPE).stdout)


def count(who):
    return sysctl_get(who, "nf_conntrack_count" if who == CT else "nf_flowtrack_count")


def write(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(value))


def timed(who, *cmd, check=True):
    start = time.monotonic()
    inside(who, *cmd, check=check)
    return time.monotonic() - start


def meminfo():
    write("/proc/sys/vm/drop_caches", 3)
    time.sleep(0.3)
    with open("/proc/meminfo", encoding="ascii") as f:
        values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in f}
    return values["MemTotal"] - values["MemFree"] - values["Buffers"] - values["Cached"] - values["AnonPages"]


def settled():
    """As meminfo(), once no more comes back of what was freed before: after a grace period, and in small portions."""
    readings = [meminfo()]
    while len(readings) < 60:
        readings.append(meminfo())
        # A worker may have it for a second.
        if len(readings) > 6 and max(readings[-6:]) - min(readings[-6:]) < 1 << 20:
            break
    return readings[-1]


def slabs():
    out = {}
    with open("/proc/slabinfo", encoding="ascii") as f:
        for line in f.readlines()[2:]:
            name, _, objects, size = line.split()[:4]
            out[name] = int(objects) * int(size)
    return out


def wait_for_ends(stream, wanted, deadline):
    """Read a listener's lines until it has told of so many ends, or for too long. Returns how many it told of."""
    told, rest = 0, b""
    while told < wanted and select.select([stream], [], [], max(deadline - time.monotonic(), 0))[0]:
        lines = (rest + os.read(stream.fileno(), 1 << 16)).split(b"\n")
        rest = lines.pop()
        told += sum(b"destroy" in line.lower() and b"dport=%d" % PORT_NEW in line for line in lines)
    return told


class Bench:
    def __init__(self, args):
        self.args = args
        self.result = {"kernel": os.uname().release, "cpu": args.cpu, "rounds": args.rounds, "cases": {}}
        self.step = 0
        self.seed = 1

    def say(self, text):
        print(text, flush=True)

    def wanted(self, *stems, tag=""):
        """Has somebody asked for one of these cases? Names end in what they are measured with: "established/udp4"."""
        return any(re.search(self.args.case, f"{stem}/{tag}" if tag else stem) for stem in stems)

    # One measured run; every packet must have met the ruleset in the expected state.
    def run(self, who, packets, expect, accepted=None, seen=None, **what):
        what = {"family": 4, "kind": UDP, "first": 0, "burst": 1, "port": PORT, "seed": 0, "step": self.step} | what
        if who == NONE:
            expect = NOTHING
        words = " ".join(f"{k}={v}" for k, v in what.items())
        ns, done, ok, met, wrong = control(f"run who={who} packets={packets} expect={expect} {words}")
        drop = what.get("drop", 0)
        packets *= max(what.get("cpus", 0), 1)
        accepted = (0 if drop else packets) if accepted is None or who == NONE else accepted
        seen = packets if seen is None or who == NONE else seen
        if done != packets or wrong or (accepted >= 0 and ok != accepted) or (seen >= 0 and met != seen):
            raise Void(f"{NAMES[who]}: {words}: {done} of {packets} sent, {ok} accepted (expected {accepted}), "
                       f"{met} seen by the ruleset (expected {seen}), {wrong} in another state than {expect}")
        return ns / packets

    # The same packets in turns, several rounds.
    def rounds(self, packets, expect, special=None, random=1, advance=0, sites=(NONE, CT, FT), **what):
        times = {who: [] for who in sites}
        for i in range(self.args.rounds):
            self.seed += 0x1000000
            order = sites if i % 2 else tuple(reversed(sites))
            for who in order:
                extra = (special or {}).get(who, {})
                look = who == FT and what.get("receive")
                if look:
                    sysctl(FT, nf_flowtrack_lookahead=1 if look > 1 else "auto")
                times[who].append(self.run(who, packets, expect, seed=self.seed if random else 0, **what, **extra))
                if look:
                    # What it costs to receive is its own: the others would pay for it, too.
                    sysctl(FT, nf_flowtrack_lookahead=0)
            self.step += packets
            what["first"] = what.get("first", 0) + advance
        return times

    def measure(self, name, packets, expect, **what):
        if self.wanted(name.rsplit("/", 1)[0]):
            self.case(name, self.rounds(packets, expect, **what))

    def whole(self, name, packets, expect, **what):
        """Nothing is subtracted: what becomes of the time that all of the stack takes for a packet."""
        if not self.wanted(name.rsplit("/", 1)[0]):
            return
        times = self.rounds(packets, expect, **what)
        none, ct, ft = (statistics.median(times[who]) for who in (NONE, CT, FT))
        ratios = [f / c for f, c in zip(times[FT], times[CT])]
        self.result["cases"][name] = {
            "none_ns": none, "ct_ns": ct, "ft_ns": ft, "ratio": statistics.median(ratios),
            "ratios": [round(r, 3) for r in ratios], "unit": "ns per packet, all of the stack"}
        self.say(f"{name:34} ct {ct:8.1f}  ft {ft:8.1f}  ratio {statistics.median(ratios):.3f}"
                 f"  (neither {none:.1f}; packets per second: × {ct / ft:.2f})")

    def case(self, name, times, **more):
        over = times[NONE]
        ct = [a - b for a, b in zip(times[CT], over)]
        ft = [a - b for a, b in zip(times[FT], over)]
        entry = {
            "harness_ns": statistics.median(over),
            "ct_ns": statistics.median(ct),
            "ft_ns": statistics.median(ft),
            "ratio": statistics.median(f / c for f, c in zip(ft, ct)),
            "ratios": [round(f / c, 3) for f, c in zip(ft, ct)],
            "unit": "ns per packet",
        } | more
        self.result["cases"][name] = entry
        self.say(f"{name:34} ct {entry['ct_ns']:8.1f}  ft {entry['ft_ns']:8.1f}  ratio {entry['ratio']:.3f}"
                 f"  (harness {entry['harness_ns']:.1f})")

    def pair(self, name, ct, ft, unit, **more):
        entry = {"ct": ct, "ft": ft, "ratio": ft / ct if ct else None, "unit": unit} | more
        self.result["cases"][name] = entry
        ratio = f"ratio {entry['ratio']:.3f}" if ct else ""
        self.say(f"{name:34} ct {ct:8.3f}  ft {ft:8.3f}  {ratio}  {unit}")

    def set_up(self):
        for who, name in enumerate(NAMES):
            subprocess.run(["ip", "netns", "add", name], check=True)
            inside(who, "sh", "-ec", """
                ip link set lo up
                ip link add bench0 type dummy
                ip link set bench0 addrgenmode none
                ip link set bench0 up""")
        subprocess.run(["insmod", self.args.module, "enable=1"], check=True)
        subprocess.run(["insmod", self.args.harness], check=True)
        for who in (NONE, CT, FT):
            sysctl(who, nf_flowtrack_enable=int(who == FT))
            inside(who, "sh", "-ec", f"""
                echo attach {who} {int(who != NONE)} >{CONTROL}
                echo 1 >/proc/sys/net/ipv4/ip_forward
                echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
                ip link set bench1 addrgenmode none
                ip link set bench1 up
                ip route add 192.0.2.0/24 dev bench1
                ip route add 10.0.0.0/8 via 198.51.100.1 dev bench0 onlink
                ip -6 route add 2001:db8:ffff:ffff::/64 dev bench1
                ip -6 route add 2001:db8::/32 via fe80::1 dev bench0 onlink""")
        self.timeouts(LONG)

    def timeouts(self, seconds):
        for who, prefix in ((CT, "nf_conntrack"), (FT, "nf_flowtrack")):
            sysctl(who, **{f"{prefix}_{name}": seconds for name in (
                "udp_timeout", "udp_timeout_stream", "tcp_timeout_syn_sent", "tcp_timeout_syn_recv",
                "tcp_timeout_established", "tcp_timeout_max_retrans", "tcp_timeout_unacknowledged")})

    def limits(self, flows, room=None):
        room = room or flows * 2 + 1000000
        write("/sys/module/nf_conntrack/parameters/hashsize", max(flows, 1024))
        write("/proc/sys/net/netfilter/nf_conntrack_max", room)
        sysctl(FT, nf_flowtrack_max=room)

    def flush(self):
        inside(CT, "conntrack", "-F")
        inside(FT, self.args.tool, "flush")
        deadline = time.monotonic() + 60
        while count(CT) or count(FT):
            if time.monotonic() > deadline:
                raise Void(f"flushed, and {count(CT)} and {count(FT)} flows are left")
            time.sleep(0.1)
        self.step = 0

    def fill(self, proto, flows, sites=(CT, FT), establish=True):
        family, opener, rest, both = PROTOCOLS[proto]
        for who in sites:
            self.run(who, flows, NEW, family=family, kind=opener, flows=flows)
            for kind, reply, expect in rest if establish else ():
                self.run(who, flows, expect, family=family, kind=kind, reply=reply, flows=flows)
            if count(who) != flows:
                raise Void(f"{NAMES[who]}: {count(who)} flows of {flows}")
        self.step += flows

    def settle(self, proto, flows):
        """UDP is a stream after two seconds; then every flow has both directions seen again."""
        family, _, _, (orig, reply) = PROTOCOLS[proto]
        time.sleep(2.2)
        for who in (CT, FT):
            self.run(who, flows, REPLY, family=family, kind=reply, reply=1, flows=flows)
            self.run(who, flows, ESTABLISHED, family=family, kind=orig, flows=flows)
        self.step += flows

    def protocol(self, proto, flows):
        family, opener, _, (orig, reply) = PROTOCOLS[proto]
        tag = f"{proto}/{flows}"
        if not self.wanted(*PER_PROTOCOL, tag=proto) and not (proto == "udp4" and self.wanted(*AFTER_UDP)):
            return
        packets = self.args.packets
        same = {"family": family, "flows": flows}
        self.limits(flows)
        self.fill(proto, flows)
        self.settle(proto, flows)
        what = {"kind": orig} | same
        self.measure(f"established/{tag}", packets, ESTABLISHED, **what)
        self.measure(f"burst8/{tag}", packets, ESTABLISHED, burst=8, **what)
        self.measure(f"reply/{tag}", packets, REPLY, kind=reply, reply=1, **same)
        self.measure(f"forward/{tag}", packets, ESTABLISHED, forward=1, **what)
        self.measure(f"group8/{tag}", packets, ESTABLISHED, receive=LIST, **what)
        self.measure(f"train8/{tag}", packets, ESTABLISHED, receive=LIST, burst=8, **what)
        self.measure(f"zipf8/{tag}", packets, ESTABLISHED, receive=LIST, skew=round(flows ** -0.1 * 2 ** 63), **what)
        for n in (1, 8, 16, 64):
            self.whole(f"receive{n}/{tag}", packets, ESTABLISHED, receive=n, **what)
        self.local("add")
        for n in (1, 8, 16, 64):
            self.whole(f"local{n}/{tag}", packets, ESTABLISHED, receive=n, **what)
        self.local("del")
        self.flowtable(proto, flows, what)

        some = max(min(flows // 10, 100000), 2000)
        what = {"kind": opener, "family": family, "port": PORT_NEW}
        for stem, receive in (("dropped", 0), ("dropped8", LIST)):
            self.measure(f"{stem}/{tag}", some, NEW, first=2 * flows, flows=flows, drop=1, receive=receive, **what)
        # Last: it leaves some flows more than there were.
        for stem, receive, first in (("new", 0, flows), ("new8", LIST, flows + some * self.args.rounds)):
            self.measure(f"{stem}/{tag}", some, NEW, first=first, flows=some, random=0, advance=some, receive=receive,
                         **what)

    def local(self, verb):
        """Packets end in the namespaces (add), or are forwarded (del)."""
        for who in (NONE, CT, FT):
            for address in LOCAL:
                inside(who, "ip", "addr", verb, address, "dev", "lo")

    def flowtable(self, proto, flows, what):
        """nf_conntrack with a flowtable in software: from a flow's next packet on, neither it nor the ruleset sees one."""
        if flows > self.args.guarded_max or not self.wanted("flowtable1", "flowtable8", tag=proto):
            return
        nft(CT, FLOWTABLE)
        sysctl(CT, nf_flowtable_udp_timeout=LONG // 2, nf_flowtable_tcp_timeout=LONG // 2)
        self.run(CT, flows, ESTABLISHED, receive=LIST, **what)
        for n in (1, 8):
            self.whole(f"flowtable{n}/{proto}/{flows}", self.args.packets, ESTABLISHED, receive=n,
                       special={CT: {"seen": 0}}, **what)
        nft(CT, "flush ruleset")
        # Else new flows of other namespaces would stay in nf_conntrack, too.
        subprocess.run(["rmmod", "nft_flow_offload", "nf_flow_table_inet", "nf_flow_table"], check=True)

    def rulesets(self, proto, flows):
        """All that a packet takes where rules look at its conntrack. In "none" are the same rules, but for these."""
        family, _, _, (orig, _) = PROTOCOLS[proto]
        if not self.wanted(*RULESETS, tag=proto):
            return
        self.limits(flows)
        self.fill(proto, flows)
        self.settle(proto, flows)
        for name, ruleset in rulesets.ALL.items():
            if not self.wanted(f"{name}8", tag=proto):
                continue
            if ruleset.local:
                self.local("add")
            load = rulesets.command(name, family)
            for who in (NONE, CT, FT):
                inside(who, *load, input=ruleset.variant(tracked=who != NONE))
            self.whole(f"{name}8/{proto}/{flows}", self.args.packets, ESTABLISHED, receive=LIST, family=family, kind=orig,
                       flows=flows)
            for who in (NONE, CT, FT):
                inside(who, *load, input=ruleset.empty)
            if ruleset.local:
                self.local("del")
        self.flush()

    def nat_flush(self, who, adopted):
        """Not by the tool where flows are guarded: that looks at their shadows, which then are kept for a while."""
        inside(who, *((self.args.tool, "flush") if who == FT and adopted else ("conntrack", "-F")))
        deadline = time.monotonic() + 60
        while sysctl_get(who, "nf_conntrack_count") or (who == FT and count(FT)):
            if time.monotonic() > deadline:
                raise Void(f"{NAMES[who]}: flushed, and flows are left")
            time.sleep(0.1)

    @staticmethod
    def nat_packets(flows, port, what):
        """What packets of the flows of a port are: those that open them, and their answers before translation."""
        same = {"flows": flows, "port": port, **what}
        answer = same | {"reply": 1}
        if port == PORT_DNAT:
            answer["server"] = DNAT_SERVER
        elif port == PORT_SNAT:
            answer["client"] = SNAT_NET
        return same, answer

    def nat_fill(self, who, proto, flows, same, answer):
        """Flows that have been answered."""
        _, opener, rest, _ = PROTOCOLS[proto]
        self.run(who, flows, NEW, kind=opener, **same)
        for kind, reply, expect in rest:
            self.run(who, flows, expect, kind=kind, **(answer if reply else same))

    def nat_site(self, who, tag, flows, port, adopted, proto="udp4", **what):
        """All that is measured of a site beside NAT rules. Returns the times of each case."""
        _, opener, _, (orig, reply) = PROTOCOLS[proto]
        some = max(min(flows // 20, 50000), 500)
        same, answer = self.nat_packets(flows, port, what)
        # Both sites see the same packets.
        self.seed, self.step = 1, flows
        self.nat_fill(who, proto, flows, same, answer)
        if who == FT:
            own, left = count(FT), sysctl_get(FT, "nf_conntrack_count")
            if (own, left) != ((flows, 0) if adopted else (0, flows)):
                raise Void(f"{tag}: {own} flows here and {left} in nf_conntrack of {flows}")
        if opener == UDP:
            # It is a stream after two seconds.
            time.sleep(2.2)
        self.run(who, flows, REPLY, kind=reply, **answer)
        self.run(who, flows, ESTABLISHED, kind=orig, **same)
        same |= {"kind": orig}
        first = same | {"kind": opener}
        cases = {
            "nat-established": (self.args.packets, ESTABLISHED, same),
            "nat-group8": (self.args.packets, ESTABLISHED, same | {"receive": LIST}),
            "nat-reply": (self.args.packets, REPLY, answer | {"kind": reply}),
            "nat-dropped": (some, NEW, first | {"first": 2 * flows, "drop": 1}),
            "nat-new": (some, NEW, first | {"first": flows, "random": 0, "advance": some, "flows": some}),
        }
        times = {stem: self.rounds(packets, expect, sites=(NONE, who), **how)
                 for stem, (packets, expect, how) in cases.items() if self.wanted(f"{stem}{tag}")}
        self.nat_flush(who, adopted)
        return times

    def nat_phase(self, tag, flows, room, port, adopted=False, **what):
        """Flows of one port beside NAT rules, the table of nf_conntrack as large as said.

        All namespaces share nf_conntrack's hash table. So the sites take turns, and it never has the flows of both: a
        packet would walk past those of the other one, of which a machine that has one tracker has none.
        """
        self.limits(flows, room)
        # The guard looks once a second how much room there is, after the phase before as well.
        time.sleep(1.5)
        measured = {}
        for _ in range(self.args.turns):
            for who in (CT, FT):
                for stem, times in self.nat_site(who, tag, flows, port, adopted, **what).items():
                    for site in times:
                        measured.setdefault(stem, {}).setdefault(site, []).extend(times[site])
        for stem, times in measured.items():
            # Measured beside each site: half of them will do.
            del times[NONE][1::2]
            self.case(f"{stem}{tag}/{flows}", times)

    def nat(self, flows):
        """What a router has: its flows stay in nf_conntrack, guarded, but for those that no rule translates, and
        where flowtrack is to have all (-own)."""
        # A million will do to know what guarding costs.
        phases = [phase for phase in NAT_PHASES
                  if flows <= (self.args.nat_max if "-own" in phase[0] else self.args.guarded_max)
                  and self.wanted(*(f"{stem}{phase[0]}" for stem in (*NAT_STEMS, "nat-memory")))]
        if not phases:
            return
        for who in (CT, FT):
            nft(who, NAT)
            sysctl(who, nf_conntrack_udp_timeout=LONG, nf_conntrack_udp_timeout_stream=LONG)
        # The tool's last flush has looked at shadows: they are kept for ten seconds, and then for a look.
        time.sleep(11.5)
        for tag, places, port, what in phases:
            own = "-own" in tag
            sysctl(FT, nf_flowtrack_nat="all" if own else "never")
            self.nat_phase(tag, flows, int(flows * places), port, **what)
            if own and flows == self.args.main and self.wanted(f"nat-memory{tag}"):
                self.nat_memory(tag, flows, int(flows * places), port,
                                **{name: value for name, value in what.items() if name != "adopted"})
        for who in (CT, FT):
            nft(who, "flush ruleset")
        # Else all that follows would be adopted.
        subprocess.run(["rmmod", "nft_nat", "nft_chain_nat", "nf_nat"], check=True)
        self.flush()

    def delete(self, flows):
        """The flows that "new" left beside @flows UDP flows. conntrack needs minutes: once must do."""
        deleted = count(FT) - flows
        self.pair(f"delete-by-filter/udp4/{flows}",
                  timed(CT, "conntrack", "-D", "-p", "udp", "--dport", str(PORT_NEW), "-f", "ipv4"),
                  timed(FT, self.args.tool, "del", "udp", "dport", str(PORT_NEW)), "s", deleted=deleted)
        for who in (CT, FT):
            if count(who) != flows:
                raise Void(f"{NAMES[who]}: {count(who)} flows of {flows} after deleting the new ones")

    def floor(self, flows):
        buckets = 1 << max(flows // 5, 64).bit_length()
        reads = self.args.packets
        ns = statistics.median(control(f"floor {buckets} {flows} {reads}")[0] / 1000 for _ in range(self.args.rounds))
        self.result["cases"][f"floor/{flows}"] = {"ns": ns, "unit": "ns for two dependent reads"}
        self.say(f"{f'floor/{flows}':34} {ns:8.1f} ns for two dependent reads")

    def full_kept(self, flows):
        """A table full of flows that no newcomer may evict; "flows" UDP flows are in, established."""
        some = max(min(flows // 10, 100000), 2000)
        write("/proc/sys/net/netfilter/nf_conntrack_max", count(CT) - 1)
        sysctl(FT, nf_flowtrack_max=count(FT))
        what = {"first": 3 * flows, "flows": flows, "port": PORT_NEW}
        ct = {"accepted": 0, "seen": 0}
        for policy, expect in (("evict", {"accepted": 0}), ("drop", {"accepted": 0}), ("pass", {})):
            sysctl(FT, nf_flowtrack_full_policy=policy)
            self.case(f"full-{policy}-kept/udp4/{flows}",
                      self.rounds(some, NEW, special={CT: ct, FT: expect}, **what))
        sysctl(FT, nf_flowtrack_full_policy="evict")
        self.limits(flows)

    def full_flood(self, flows):
        """A table full of flows that nobody has answered: newcomers evict them."""
        some = max(min(flows // 10, 100000), 2000)
        self.limits(flows, flows)
        self.fill("udp4", flows, establish=False)
        for i in range(2):
            # Some may find nothing to evict in reach: the number is reported, and must be small.
            before = sysctl_drops(self.args.tool)
            times = self.rounds(some, NEW, first=flows * (2 + i), flows=flows, port=PORT_NEW,
                                special={CT: {"accepted": -1, "seen": -1}, FT: {"accepted": -1}})
        lost = sysctl_drops(self.args.tool) - before
        if lost > some * self.args.rounds // 100:
            raise Void(f"flood: {lost} newcomers of {some * self.args.rounds} evicted nothing")
        self.case(f"full-evict/udp4/{flows}", times, ft_dropped=lost)
        self.limits(flows)
        self.flush()

    def lists(self, flows):
        def median(who, *cmd):
            times = [timed(who, *cmd)]
            while len(times) < 3 and sum(times) < 5:
                times.append(timed(who, *cmd))
            return statistics.median(times)

        ct = median(CT, "conntrack", "-L")
        self.pair(f"list/udp4/{flows}", ct, median(FT, self.args.tool, "list"), "s")
        self.pair(f"list-json/udp4/{flows}", ct, median(FT, self.args.tool, "-j", "list"), "s")

    def resize(self, flows):
        buckets = sysctl_get(FT, "nf_flowtrack_buckets")
        hashsize = "/sys/module/nf_conntrack/parameters/hashsize"
        ct, ft = [], []
        for factor in (2, 1) * 2:
            start = time.monotonic()
            write(hashsize, flows * factor)
            ct.append(time.monotonic() - start)
            ft.append(timed(FT, "sh", "-ec",
                            f"echo {buckets * factor} >/proc/sys/net/netfilter/nf_flowtrack_buckets"))
        sysctl(FT, nf_flowtrack_buckets=0)
        self.pair(f"resize/udp4/{flows}", statistics.median(ct), statistics.median(ft), "s", buckets=buckets)

    def flushes(self, flows):
        self.pair(f"flush/udp4/{flows}", timed(CT, "conntrack", "-F"), timed(FT, self.args.tool, "flush"), "s")
        self.flush()

    def taken_by_flows(self, name, flows, room, fill):
        """All that fill() takes from the system in each namespace: flows, their share of the hash, and waste."""
        used, slab = {}, {}
        # Else an eighth of the memory may be free, and kept by the CPU, which looks as if it were in use.
        write("/proc/sys/vm/percpu_pagelist_high_fraction", 100000)
        for who in (CT, FT):
            if who == CT:
                # What its hash takes counts; it keeps it, for what follows.
                write("/sys/module/nf_conntrack/parameters/hashsize", 1024)
            before, slab_before = settled(), slabs()
            if who == CT:
                self.limits(flows, room)
            fill(who)
            if who == FT:
                time.sleep(1)
            used[who] = (settled() - before) / flows
            after = slabs()
            slab[NAMES[who]] = {name: round((after[name] - slab_before.get(name, 0)) / flows, 2)
                                for name in after if after[name] - slab_before.get(name, 0) > flows}
        write("/proc/sys/vm/percpu_pagelist_high_fraction", 0)
        self.pair(name, used[CT], used[FT], "bytes per flow", slab=slab)

    @staticmethod
    def accounting(value):
        for who, prefix in ((CT, "nf_conntrack"), (FT, "nf_flowtrack")):
            sysctl(who, **{f"{prefix}_acct": value})

    def memory(self, proto, flows):
        """With accounting on."""
        self.accounting(1)
        self.taken_by_flows(f"memory/{proto}/{flows}", flows, None, lambda who: self.fill(proto, flows, sites=(who,)))
        if proto == "udp4":
            self.settle(proto, flows)
            self.case(f"established-acct/{proto}/{flows}",
                      self.rounds(self.args.packets, ESTABLISHED, flows=flows))
        self.accounting(0)
        self.flush()

    def nat_memory(self, tag, flows, room, port, proto="udp4", **what):
        """Translated flows of flowtrack's own, with accounting on: masquerading makes nf_conntrack's as large without it."""
        same, answer = self.nat_packets(flows, port, what)
        self.accounting(1)
        self.taken_by_flows(f"nat-memory{tag}/{flows}", flows, room,
                            lambda who: self.nat_fill(who, proto, flows, same, answer))
        self.accounting(0)
        for who in (CT, FT):
            self.nat_flush(who, adopted=True)

    def idle(self, flows, seconds):
        """CPU of nf_flowtrack's expiry while nothing expires, without what an empty table takes.

        nf_conntrack looks at a part of its table once a minute or less: no time to measure in would be fair to both.
        """
        self.limits(flows)
        empty = self.taken(seconds)
        self.fill("udp4", flows, sites=(FT,))
        # What happened before may still be worked upon: a resize, memory that is given back.
        time.sleep(min(seconds, 5))
        used = max(self.taken(seconds) - empty, 0)
        self.result["cases"][f"idle/{flows}"] = {"ft": used, "empty": empty, "unit": "CPU, while nothing expires"}
        self.say(f"{f'idle/{flows}':34} {used * 100:.2f} % of a CPU (an empty table and the machine: {empty * 100:.2f} %)")
        self.flush()

    def taken(self, seconds):
        """What part of the CPU others take from one that gives way to all of them.

        Ticks would not do: a worker that starts with one, and is done before the next, is seen by all of them or none.
        """
        nice = os.nice(0)
        os.setpriority(os.PRIO_PROCESS, 0, 19)
        ns, = control(f"spin {round(seconds * 1000)}")
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        return ns / 1e9 / seconds

    def told(self, flows):
        """Some flows expire beside @flows that stay: until a listener knows of the end of the last one."""
        some, timeout = max(flows // 50, 2000), 4
        with subprocess.Popen(["nsenter", f"--net=/run/netns/{NAMES[FT]}", self.args.tool, "monitor"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as listener:
            time.sleep(1)
            sysctl(FT, nf_flowtrack_udp_timeout=timeout)
            self.run(FT, some, NEW, first=5 * flows, flows=some, port=PORT_NEW)
            last = time.monotonic() + timeout
            told = wait_for_ends(listener.stdout, some, last + 60)
            lag = time.monotonic() - last
            listener.terminate()
        sysctl(FT, nf_flowtrack_udp_timeout=LONG)
        if told != some:
            raise Void(f"{told} of {some} flows were said to have ended")
        # nf_conntrack's collector takes minutes to get to them: see expiry-lag.
        self.pair(f"expiry-told/udp4/{flows}", 0, lag, "s after the last deadline", told=some)

    def expiry(self, flows):
        """From the deadline of the last flow to an empty table, and what that costs the CPU."""
        lag, cpu = {}, {}
        self.limits(flows)
        timeout = 3 + flows // 250000
        self.timeouts(timeout)
        lag[CT] = cpu[CT] = 0
        # nf_conntrack takes up to a minute to look at all of its table.
        for who in (FT,) if self.args.quick else (CT, FT):
            self.run(who, flows, NEW, flows=flows)
            last = time.monotonic() + timeout
            used = 0
            while count(who) and time.monotonic() < last + 150:
                used += self.taken(0.05) * 0.05
            lag[who] = time.monotonic() - last
            cpu[who] = used / flows * 1e9
            if count(who):
                raise Void(f"{NAMES[who]}: {count(who)} flows have not expired")
        self.pair(f"expiry/udp4/{flows}", cpu[CT], cpu[FT], "ns of CPU per flow")
        self.pair(f"expiry-lag/udp4/{flows}", lag[CT], lag[FT], "s after the last deadline")
        self.timeouts(LONG)

    def reload(self, flows):
        """How long packets wait while flowtrack reload puts a module in the place of this one. Nothing may be lost."""
        self.limits(flows)
        self.fill("udp4", flows, sites=(FT,))
        away = []
        for _ in range(max(self.args.rounds, 3)):
            said = json.loads(inside(FT, self.args.tool, "-j", "reload", self.args.module, stdout=subprocess.PIPE).stdout)
            if said["restored"] != flows or count(FT) != flows:
                raise Void(f"reload: {said}, and {count(FT)} flows of {flows}")
            away.append(said["away"])
        self.pair(f"reload/udp4/{flows}", 0, statistics.median(away), "s without a packet", all=away)
        self.flush()

    def after_udp(self, flows):
        """What is done to many flows at once; UDP's are in, and those that "new" left."""
        if self.wanted("delete-by-filter/udp4"):
            self.delete(flows)
        if self.wanted("list/udp4", "list-json/udp4"):
            self.lists(flows)
        if self.wanted("resize/udp4"):
            self.resize(flows)
        if self.wanted("expiry-told/udp4"):
            self.told(flows)
        if self.wanted(*FULL_KEPT):
            # A flow that has been idle for a minute may be evicted.
            self.settle("udp4", flows)
            self.full_kept(flows)
        if self.wanted("flush/udp4"):
            self.flushes(flows)

    def all(self):
        self.set_up()
        for flows in self.args.sizes:
            if self.wanted("floor"):
                self.floor(flows)
            for proto in PROTOCOLS:
                self.protocol(proto, flows)
                if proto == "udp4" and flows == self.args.main and self.wanted(*AFTER_UDP):
                    self.after_udp(flows)
                self.flush()
            self.nat(flows)
            if flows == self.args.main:
                if self.wanted("idle"):
                    self.idle(flows, self.args.idle)
                if self.wanted("full-evict/udp4"):
                    self.full_flood(flows)
                for proto in PROTOCOLS:
                    if self.wanted("memory", "established-acct", tag=proto):
                        self.memory(proto, flows)
            if self.wanted("expiry/udp4", "expiry-lag/udp4"):
                self.expiry(flows)
            if flows <= self.args.main and self.wanted("reload/udp4"):
                self.reload(flows)
        # Last: the hooks of iptables stay.
        for proto in PROTOCOLS:
            self.rulesets(proto, self.args.main)


def sysctl_drops(tool):
    out = inside(FT, tool, "-j", "stats", stdout=subprocess.PIPE).stdout
    return json.loads(out)["full_drop"]


def numbers(text):
    return [int(float(word)) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--module", required=True)
    parser.add_argument("--harness", required=True)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--sizes", type=numbers, default=[10000, 100000, 1000000, 4000000])
    parser.add_argument("--main", type=int, default=1000000, help="size for all that is measured at one size only")
    parser.add_argument("--rounds", type=int, default=5)
    # A round finds the cache full of what the other site's packets have read: that must not last for most of it.
    parser.add_argument("--packets", type=int, default=600000)
    parser.add_argument("--quick", action="store_true", help="do not wait for what nf_conntrack takes long for")
    parser.add_argument("--guarded-max", type=int, default=1000000,
                        help="largest size for guarded flows and with a flowtable")
    parser.add_argument("--nat-max", type=int, default=4000000, help="largest size for translated flows of flowtrack's own")
    parser.add_argument("--turns", type=int, default=1, help="beside NAT: how often the sites take turns, each filled anew")
    parser.add_argument("--idle", type=int, default=20)
    parser.add_argument("--case", default="", help="measure only cases whose name this regular expression finds")
    parser.add_argument("--cpu", default="unknown", help="the CPU's name, for the record")
    bench = Bench(parser.parse_args())
    status = 0
    try:
        bench.all()
    except (Void, OSError, subprocess.SubprocessError) as e:
        bench.say(f"VOID: {e}")
        bench.result["void"] = str(e)
        status = 1
    with open(bench.args.out, "w", encoding="utf-8") as f:
        json.dump(bench.result, f, indent=1)
        f.write("\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
