#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The same packets, made from a seed, through routers side by side: one tracked by nf_conntrack, one by flowtrack, and
one by flowtrack in adopting mode. What the ruleset sees of each packet must be the same: ct state, direction, status,
mark, both tuples, the state of TCP. What may differ stands in DIFFERENCES, and in compatibility.rst.

FT_TWINS: number of packets (200000); FT_TWINS_SEED: another seed.
"""
# TIMEOUT: 1500

import fcntl
import os
import random
import socket
import struct

from lib_twins import *

TOTAL = int(os.environ.get("FT_TWINS") or 200000)
SEED = os.environ.get("FT_TWINS_SEED") or "twins"
BATCH = 1000
# At most this many differences are told of each case.
TOLD = 5

RULES = """
table inet twins {
	chain raw {
		type filter hook prerouting priority raw
		ip dscp %(notrack)d notrack
		ip6 dscp %(notrack)d notrack
		ip dscp %(zone)d ct zone set 5
		ip6 dscp %(zone)d ct zone set 5
	}
	chain see {
		type filter hook prerouting priority mangle
		ct state invalid log prefix "invalid" group 1 snaplen 8 queue-threshold 1 return
		ct state untracked log prefix "untracked" group 1 snaplen 8 queue-threshold 1 return
		log prefix "tracked" group 1 snaplen 8 queue-threshold 1
	}
	chain act {
		type filter hook forward priority filter
		%(actions)s
	}
}
""" % {"notrack": NOTRACK, "zone": ZONE, "actions": "\n\t\t".join(
    f"{ip} dscp {dscp} {'meta l4proto tcp reject with tcp reset' if what == 'reject' else what}"
    for dscp, what in ACTIONS.items() for ip in ("ip", "ip6"))}

# Bits of IPS_* that a packet of flowtrack's has besides: CONFIRMED, SRC_NAT_DONE, DST_NAT_DONE, DYING, OFFLOAD. Note 1
# in compatibility.rst: nf_conntrack leaves the packet alone because of them.
CARRIER_BITS = 1 << 3 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 14
INFO = {0: "est/o", 1: "rel/o", 2: "new/o", 3: "est/r", 4: "rel/r"}



def error_outside_window(right, left, packet):
    proto, l4 = l4_of(packet)
    inner = l4[8:]
    return proto in (ICMP, ICMP6) and len(inner) > 9 and l4_of(inner)[0] == TCP and \
        right[0][0][:3] == "rel" and left[0][0] == "invalid"


def udplite_checksum(right, left, packet):
    return l4_of(packet)[0] == UDPLITE and "invalid" in (right[0][0], left[0][0])


def router_discovery(right, left, packet):
    proto, l4 = l4_of(packet)
    return proto == ICMP6 and l4[0] in (151, 152) and (right[0][0], left[0][0]) == ("invalid", "untracked")


# What may differ, as the section of that name in compatibility.rst have it: (name, is it this?). Told of: what nf_conntrack said of the
# packet, what flowtrack did, and the packet.
DIFFERENCES = (
    ("an ICMP error that quotes a TCP segment outside of the window is INVALID", error_outside_window),
    ("UDP-Lite has a checksum of its own: nf_conntrack takes it for UDP's", udplite_checksum),
    ("multicast router discovery is untracked on older kernels, too", router_discovery),
)


# How often each was met.
NAMED = {}


class Router:
    """A namespace that forwards from two tun devices to a third, which forgets everything."""

    def __init__(self, name, **settings):
        self.name = name
        self.ns = Ns(name)
        for knob, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1),
                            ("net.ipv4.conf.all.rp_filter", 0), ("net.ipv4.conf.default.rp_filter", 0),
                            ("net.ipv6.conf.default.accept_dad", 0), ("net.ipv4.icmp_ratemask", 0),
                            ("net.ipv6.icmp.ratelimit", 0)):
            self.ns.sysctl(knob, value)
        for knob, value in settings.items():
            self.ns.sysctl(knob, value)
        self.tun = {side: self.open_tun(f"tun{side}") for side in "cs"}
        self.ns.ip("link add out type dummy", "link set out up", "link set tunc up", "link set tuns up",
                   "addr add 10.9.0.1/32 dev out", "addr add fd09::1/128 dev out",
                   *(f"route add {net} dev out" for net in ("10.9.1.0/24", "10.9.2.0/24", "10.9.3.0/24",
                                                            "fd09:1::/64", "fd09:2::/64", "fd09:3::/64")))
        self.ns.nft(RULES)
        self.log = self.open_log()
        self.cache = {}

    def open_tun(self, name):
        with self.ns:
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", name.encode(), 0x1001))  # TUNSETIFF: TUN, NO_PI
        return fd

    def open_log(self):
        sock = self.ns.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        sock.bind((0, 0))
        sock.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
        for attr in (nla(1, b"\1"), nla(2, struct.pack("!IBx", 8, 2)), nla(6, struct.pack("!H", 4))):
            body = struct.pack("!BBH", socket.AF_UNSPEC, 0, 1) + attr
            sock.send(struct.pack("=IHHII", 16 + len(body), 4 << 8 | 1, 5, 1, 0) + body)
            error = struct.unpack_from("=i", sock.recv(65536), 16)[0]
            check(error == 0, f"nfnetlink_log: error {error}")
        sock.setblocking(False)
        return sock

    def send(self, packets):
        """Each is handled when this returns; {number: what the ruleset saw}, in a list for those that came twice."""
        for _, side, group in packets:
            fd = self.tun[side]
            for packet in group:
                os.write(fd, packet)
        seen = {}
        while True:
            try:
                data = self.log.recv(1 << 16)
            except BlockingIOError:
                return seen
            n, what = self.parse(data)
            seen.setdefault(n, []).append(what)

    def parse(self, data):
        at, n, what, block = 20, 0, "", b""
        info = None
        while at < len(data):
            size, kind = struct.unpack_from("=HH", data, at)
            kind &= 0x3fff
            if kind == 9:
                p = data[at + 4:at + size]
                n = int.from_bytes(p[4:6], "big") if p[0] >> 4 == 4 else int.from_bytes(p[1:4], "big") & 0xfffff
            elif kind == 10:
                what = data[at + 4:at + size - 1].decode()
            elif kind == 18:
                block = data[at + 4:at + size]
            elif kind == 19:
                info = struct.unpack_from("!I", data, at + 4)[0]
            at += size + 3 & ~3
        if what != "tracked":
            return n, (what,)
        return n, (INFO.get(info, info), *self.conntrack(block))

    def conntrack(self, data):
        """(status, mark, tuples, state of TCP)"""
        status = mark = state = 0
        tuples = []
        at = 0
        while at < len(data):
            size, kind = struct.unpack_from("=HH", data, at)
            kind &= 0x3fff
            if kind in (1, 2, 18):
                tuples.append(data[at + 4:at + size].hex())
            elif kind == 3:
                status = struct.unpack_from("!I", data, at + 4)[0] & ~CARRIER_BITS
            elif kind == 8:
                mark = struct.unpack_from("!I", data, at + 4)[0]
            elif kind == 4 and struct.unpack_from("=H", data, at + 6)[0] & 0x3fff == 1:
                state = data[at + 12]
            at += size + 3 & ~3
        return hex(status), hex(mark), state, tuples

    def checksums(self, value):
        for tracker in ("nf_conntrack", "nf_flowtrack") if FLOWTRACK else ("nf_conntrack",):
            self.ns.sysctl(f"net.netfilter.{tracker}_checksum", value)

    def forget(self):
        self.ns.conntrack_flush()
        if FLOWTRACK:
            self.ns.tool("flush")


def setup():
    load_if_wanted()
    run("modprobe", "-a", "tun", "dummy", "nfnetlink_log", "nf_conntrack_netlink")
    if not FLOWTRACK:
        return [Router("left"), Router("right")]
    return [Router("conntrack", enable=0), Router("direct"), Router("adopting", adopt="always")]


def describe(packet):
    proto, l4 = l4_of(packet)
    dscp = packet[1] >> 2 if packet[0] >> 4 == 4 else (packet[0] << 8 | packet[1]) >> 6 & 63
    did = f" {ACTIONS.get(dscp, dscp)}" if dscp else ""
    if proto == TCP and len(l4) >= 20:
        seq, ack, bits, win = struct.unpack("!IIxBH", l4[4:16])
        flags = "".join(name for name, bit in FLAGS.items() if bits & bit and name != ".")
        return f"{flags} seq {seq} ack {ack} win {win} len {len(l4) - (l4[12] >> 4) * 4} {l4[20:40].hex()}{did}"
    return f"proto {proto} {packet[12:20 if packet[0] >> 4 == 4 else 40].hex()} {l4[:60].hex()}{did}"


def short(said, beside=None):
    """What was said of a packet, in few words; the tuples only where they differ."""
    if said is None:
        return "not seen"
    return " and ".join(" ".join(map(str, one[:4] if beside is None or one[4:] in [b[4:] for b in beside] else one))
                        for one in said)


def compare(routers, rnd, kinds, size):
    """One batch through all; [(difference's key, text)]"""
    packets = batch(rnd, kinds, size)
    seen = [router.send(packets) for router in routers]
    found = []
    strange = set()
    for n, (episode, side, group) in enumerate(packets, 1):
        right = seen[0].get(n)
        for router, said in zip(routers[1:], seen[1:]):
            left = said.get(n)
            # What follows a difference differs for that reason.
            if left == right or (id(episode), router.name) in strange:
                continue
            strange.add((id(episode), router.name))
            names = [name for name, known in DIFFERENCES if right and left and known(right, left, group[0])]
            if names:
                NAMED[names[0]] = NAMED.get(names[0], 0) + 1
                continue
            text = [f"{router.name}, {episode.kind}, packet {n} from {side}: {short(right, left)}, not {short(left, right)}"]
            for m, (e, s, g) in enumerate(packets[:n], 1):
                if e is episode:
                    text.append(f"  {m} {s} {describe(g[0])}: {short(seen[0].get(m))}")
            found.append(((router.name, episode.kind, short(right, left), short(left, right)), text))
    for router in routers:
        router.forget()
    return found, sum(len(group) for _, _, group in packets)


def run_case(routers, name, kinds, share):
    Episode.serial = 0
    rnd = random.Random(f"{SEED} {name}")
    wanted, count, found, told = TOTAL * share // 100, 0, {}, 0
    while count < wanted:
        more, size = compare(routers, rnd, kinds, min(BATCH, wanted - count))
        count += size
        for key, text in more:
            found.setdefault(key, []).append(text)
    print(f"# {name}: {count} packets, {sum(map(len, found.values()))} differences of {len(found)} kinds", flush=True)
    for difference, times in NAMED.items():
        print(f"#   {times} times: {difference}")
    NAMED.clear()
    lines = []
    for key, texts in sorted(found.items(), key=lambda item: -len(item[1])):
        shortest = min(texts, key=len)
        lines += [f"{len(texts)} x: {shortest[0]}", *shortest[1:]]
        told += 1
        if told == TOLD:
            break
    check(not found, "\n".join(lines))


def twins_case(name, share, *kinds):
    @case(name)
    def _(routers):
        run_case(routers, name, kinds or (name,), share)


@case("udplite, with checksums that nobody looks at")
def _(routers):
    for router in routers:
        router.checksums(0)
    run_case(routers, "udplite", ("udplite",), 3)
    for router in routers:
        router.checksums(1)


for _name, _share in (("tcp", 35), ("udp", 8), ("udplite", 3), ("clash", 4), ("icmp", 6), ("errors", 10),
                      ("fragments", 3), ("sctp", 8), ("dccp", 2), ("gre", 3), ("generic", 2), ("raw", 4)):
    twins_case(_name, _share)
twins_case("all kinds at once", 10, *KINDS)


main(setup)
