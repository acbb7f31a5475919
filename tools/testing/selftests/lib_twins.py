# SPDX-License-Identifier: GPL-2.0-only
"""Packets made from a seed, for twins.py: what two hosts say to each other, and what they should not say.

An episode is one flow, or a few that share a tuple, as a list of (side, packet). A packet is known by its number, which
stands in the identification of IPv4 and in the flow label of IPv6. What the ruleset of twins.py does to a packet is
chosen by the packet itself, in its DSCP field (ACTIONS).
"""

import random
import struct

from lib import *

ESP, IPIP6, DCCP = 50, 41, 33
MAX = 1 << 32
# DSCP of a packet -> what the forward chain does with it.
ACTIONS = {1: "drop", 2: "ct mark set 0x11", 3: "ct mark set 0x2200", 4: "ct mark set ct mark or 0x10000",
           5: "ct mark set 0x500 drop", 6: "reject", 7: "ct mark set ct mark or 0x80000 drop"}
NOTRACK, ZONE = 8, 9  # in the raw chain
CRC_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x82f63b78 if _byte & 1 else 0)
    CRC_TABLE.append(_byte)


def sctp_packet(sport, dport, vtag, chunks, bad=False):
    body = b"".join(c + b"\0" * (-len(c) % 4) for c in chunks)
    data = struct.pack("!HHII", sport, dport, vtag, 0) + body
    crc = MAX - 1
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 255]
    return data[:8] + struct.pack("<I", crc ^ MAX - 1 ^ bad) + data[12:]


class Episode:
    """One conversation. Each kind below fills self.packets."""

    serial = 0

    def __init__(self, rnd, kind, family=None):
        Episode.serial += 1
        self.rnd, self.kind, self.packets = rnd, kind, []
        self.family = family or rnd.choice((4, 4, 6))
        # No two episodes of a batch share addresses and ports.
        n = Episode.serial
        hosts = n >> 8 & 15
        if self.family == 4:
            self.addr = {"c": f"10.9.1.{2 + hosts}", "s": "10.9.2.2"}
        else:
            self.addr = {"c": f"fd09:1::{2 + hosts:x}", "s": "fd09:2::2"}
        self.port = {"c": 20000 + n % 256 * 100 + rnd.randrange(90), "s": rnd.choice((53, 80, 5001))}
        self.calm = rnd.random() < 0.5
        KINDS[kind](self)

    def odd(self, chance=0.15):
        return self.rnd.random() < (chance / 5 if self.calm else chance)

    def emit(self, side, proto, l4, dscp=None, src=None, **kw):
        """An IP packet whose identification is filled in later."""
        if dscp is None:
            dscp = self.rnd.choice(tuple(ACTIONS)) if self.odd(0.12) else 0
        src, dst = src or self.addr[side], self.addr[other(side)]
        if self.family == 4:
            packet = ip4(src, dst, proto, l4, tos=dscp << 2, **kw)
        else:
            packet = ip6(src, dst, proto, l4, **kw)
            packet = struct.pack("!I", 6 << 28 | dscp << 22) + packet[4:]
        self.packets.append((side, packet))
        if self.odd(0.08):
            self.packets.append((side, packet))  # twice on the wire
        return packet

    # -- TCP

    def tcp_segment(self, side, flags, seq, ack, win=None, options=b"", data=b"", **kw):
        raw = tcp(self.addr[side], self.addr[other(side)], self.port[side], self.port[other(side)], flags, seq % MAX,
                  ack % MAX if "A" in flags else self.rnd.choice((0, ack % MAX)),
                  self.win[side] if win is None else win, options, data)
        if self.odd(0.02):
            raw = raw[:16] + bytes([raw[16] ^ 1]) + raw[17:]  # wrong checksum
        elif self.odd(0.02):
            raw = raw[:12] + bytes([self.rnd.choice((0, 0x40, 0xf0))]) + raw[13:]  # wrong header length
        elif self.odd(0.01):
            raw = raw[:self.rnd.randrange(20)]
        return self.emit(side, TCP, raw, **kw)

    def tcp_options(self):
        options = b""
        if self.rnd.random() < 0.7:
            options += b"\2\4\5\xb4"
        if self.rnd.random() < 0.6:
            options += b"\1\3\3" + bytes([self.rnd.choice((0, 2, 7, 14, 15))])
        if self.rnd.random() < 0.5:
            options += b"\4\2"
        if self.rnd.random() < 0.3:
            options += b"\1\1\x08\x0a" + self.rnd.randbytes(8)
        return options if len(options) % 4 == 0 else options + b"\1" * (-len(options) % 4)

    def tcp_start(self):
        self.nxt = {side: self.rnd.choice((1000, MAX - 500, self.rnd.randrange(MAX))) for side in "cs"}
        self.win = {side: self.rnd.choice((0, 1000, 29200, 65535)) if self.odd() else 29200 for side in "cs"}

    def tcp_syn(self, side, flags):
        self.tcp_segment(side, flags, self.nxt[side], self.nxt[other(side)], options=self.tcp_options())

    def tcp_open(self):
        rnd = self.rnd
        way = rnd.choices(("normal", "simultaneous", "split", "mid", "synack", "refused"), (75, 6, 4, 6, 5, 4))[0]
        if way in ("normal", "refused"):
            for _ in range(rnd.choices((1, 2, 3), (80, 15, 5))[0]):
                self.tcp_syn("c", rnd.choice(("SEW", "SE")) if self.odd(0.1) else "S")
            self.nxt["c"] += 1
            if way == "refused":
                self.tcp_segment("s", "RA", 0, self.nxt["c"])
                return
            if self.odd(0.1):
                self.nxt["s"] -= 1
                self.tcp_segment("s", "A", self.nxt["s"], self.nxt["c"] + rnd.choice((0, 5000, -5000)))
                self.nxt["s"] += 1
            self.tcp_syn("s", "SA")
            self.nxt["s"] += 1
            self.tcp_segment("c", "A", self.nxt["c"], self.nxt["s"])
        elif way == "simultaneous":
            for side in "cs":
                self.tcp_syn(side, "S")
            for side in "cs":
                self.nxt[side] += 1
            for side in "cs":
                self.nxt[side] -= 1
                self.tcp_syn(side, "SA")
                self.nxt[side] += 1
            self.tcp_segment("c", "A", self.nxt["c"], self.nxt["s"])
        elif way == "split":
            self.tcp_syn("c", "S")
            self.nxt["c"] += 1
            self.tcp_segment("s", "A", self.nxt["s"], self.nxt["c"])
            self.tcp_syn("s", "S")
            self.nxt["s"] += 1
            self.nxt["c"] -= 1
            self.tcp_syn("c", "SA")
            self.nxt["c"] += 1
            self.tcp_segment("s", "A", self.nxt["s"], self.nxt["c"])
        elif way == "synack":
            self.tcp_syn("s", "SA")

    def tcp_step(self):
        rnd = self.rnd
        side = rnd.choice("cs")
        peer = other(side)
        seq, ack, flags, data, options = self.nxt[side], self.nxt[peer], "A", b"", b""
        what = rnd.choices(("data", "ack", "fin", "rst", "syn", "keepalive", "flags"),
                           (45, 30, 8, 4, 3, 5, 2) if self.calm else (30, 20, 10, 10, 12, 5, 8))[0]
        if what == "data":
            flags, data = "PA", b"d" * rnd.choice((1, 10, 100, 536))
        elif what == "fin":
            flags, data = rnd.choice(("FA", "FPA", "F") if self.odd() else ("FA",)), b"f" * rnd.choice((0, 0, 7))
        elif what == "rst":
            flags = rnd.choice(("R", "RA"))
        elif what == "syn":
            flags = rnd.choice(("S", "SA"))
            seq = rnd.choice((seq, seq - 1, seq + 100000, rnd.randrange(MAX)))
            options = self.tcp_options()
        elif what == "keepalive":
            seq -= 1
        elif what == "flags":
            flags = rnd.choice(("", "F", "P", "SF", "SR", "FUP", "SFRPAU", "AU", "U", "FR", "FRA", "SU", "SPA", "SAU"))
        if self.odd(0.3):
            seq += rnd.choice((-1, 1, -100, 100, -29200, 29200, 66000, -66000, 1 << 20, 1 << 31, rnd.randrange(MAX)))
        elif self.odd(0.3):
            ack += rnd.choice((-1, 1, -100, 100, -29200, 29200, 66000, -66000, 1 << 20, 1 << 31, rnd.randrange(MAX)))
        elif seq == self.nxt[side]:
            self.nxt[side] += len(data) + ("F" in flags)
        if self.odd(0.1):
            self.win[side] = rnd.choice((0, 1, 1000, 29200, 65535))
        if not options and self.odd(0.2):
            options = b"\1\1\5\x0a" + struct.pack("!II", ack % MAX, (ack + rnd.choice((100, 100000))) % MAX)
        return self.tcp_segment(side, flags, seq, ack, options=options, data=data)

    def tcp(self):
        for _ in range(self.rnd.choices((1, 2), (4, 1))[0]):  # then the same ports again
            self.tcp_start()
            self.tcp_open()
            for _ in range(self.rnd.randrange(2, 10)):
                packet = self.tcp_step()
                if self.odd(0.06):
                    self.error_about(packet)

    # -- UDP, UDP-Lite, SCTP, DCCP, and what has no ports

    def ports(self, side):
        return self.port[side], self.port[other(side)]

    def datagram(self, side, proto, data=b"data"):
        raw = udp(self.addr[side], self.addr[other(side)], *self.ports(side), data,
                  **({"length": self.rnd.choice((0, 8, 12))} if proto == UDPLITE else {}), proto=proto)
        if self.odd(0.03):
            raw = raw[:6] + self.rnd.choice((b"\0\0", b"\x12\x34")) + raw[8:]
        elif self.odd(0.03):
            raw = raw[:4] + struct.pack("!H", self.rnd.choice((0, 7, 8, 2000))) + raw[6:]
        elif self.odd(0.02):
            raw = raw[:self.rnd.randrange(8)]
        return self.emit(side, proto, raw)

    def udp(self, proto=UDP):
        for _ in range(self.rnd.randrange(1, 8)):
            packet = self.datagram(self.rnd.choice("ccs"), proto)
            if self.odd(0.1):
                self.error_about(packet)

    def udplite(self):
        self.udp(UDPLITE)

    def clash(self):
        """Sockets that share ports, from both sides at once, and to another server from the same port."""
        for _ in range(self.rnd.randrange(2, 6)):
            side = self.rnd.choice("cs")
            self.datagram(side, UDP)
            if self.rnd.random() < 0.5:
                self.port["s"] = self.rnd.choice((53, 80, self.port["c"]))

    def sctp(self):
        rnd = self.rnd
        tag = {side: rnd.randrange(1, MAX) for side in "cs"}  # what a side wants to be called by
        script = [("c", 1), ("s", 2), ("c", 10), ("s", 11), ("c", 0), ("s", 3), ("c", 7), ("s", 8), ("c", 14)]
        at = 0
        for _ in range(rnd.randrange(2, 12)):
            side, kind = script[at % len(script)] if not self.odd(0.3) else (
                rnd.choice("cs"), rnd.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 200)))
            at += 1
            vtag = 0 if kind == 1 else tag[other(side)]
            if self.odd(0.15):
                vtag = rnd.choice((0, tag[side], tag[other(side)], 12345))
            if kind in (1, 2):
                what = sctp_init(tag[side], kind == 2)
                if self.odd(0.05):
                    what = what[:rnd.randrange(4, 20)]
            else:
                what = chunk(kind, {0: b"\0" * 13, 3: b"\0" * 12, 4: b"\0\1\0\x08\0\0\0\0", 10: b"cookie!!"}.get(kind, b""),
                             rnd.randrange(2) if kind in (6, 14) else 0)
            chunks = [what] if not self.odd(0.05) else [what, chunk(rnd.choice((0, 3, 1, 14)), b"\0" * 12)]
            raw = sctp_packet(*self.ports(side), vtag, chunks, self.odd(0.02))
            packet = self.emit(side, SCTP, raw)
            if self.odd(0.05):
                self.error_about(packet)
        if rnd.random() < 0.2 and at < 40:
            self.sctp()

    def dccp(self):
        rnd = self.rnd
        seq = {side: rnd.randrange(1 << 48) for side in "cs"}
        # Request, response, ack, data, and the way out.
        script = (("c", 0), ("s", 1), ("c", 3), ("s", 2), ("c", 4), ("s", 2), ("s", 5), ("c", 6), ("s", 7))
        for side, kind in script[:rnd.randrange(2, len(script) + 1)]:
            if self.odd(0.2):
                side = rnd.choice("cs")
            if self.odd(0.2):
                kind = rnd.randrange(16)
            seq[side] += rnd.choice((1, -1, 1 << 30)) if self.odd() else 1
            here, there = (seq[s] % (1 << 48) for s in (side, other(side)))
            rest = b"" if kind in (0, 2) else struct.pack("!HHI", 0, there >> 32, there & MAX - 1)
            rest += b"\0\0\0\1" if kind in (0, 1, 7) else b""
            words = rnd.choice((0, 3, 60)) if self.odd(0.05) else (16 + len(rest)) // 4
            raw = struct.pack("!HHBBHBBHI", *self.ports(side), words, 0, 0, kind << 1 | (not self.odd(0.02)), 0,
                              here >> 32, here & MAX - 1) + rest
            raw = fill_checksum(self.addr[side], self.addr[other(side)], DCCP, raw, 6)
            if self.odd(0.03):
                raw = raw[:6] + b"\x12\x34" + raw[8:]
            elif self.odd(0.02):
                raw = raw[:rnd.randrange(len(raw))]
            packet = self.emit(side, DCCP, raw)
            if self.odd(0.1):
                self.error_about(packet)
            if self.odd(0.05):
                self.port["s"] = rnd.choice((5001, 9999))

    def gre(self):
        """Keys of their own in either direction, and PPTP's version, which has call ids."""
        rnd = self.rnd
        version = int(rnd.random() < 0.3)
        keys = {side: rnd.choice((None, 1, 7)) for side in "cs"}
        for _ in range(rnd.randrange(1, 7)):
            side = rnd.choice("cs")
            raw = gre(keys[side] or (1 if version else keys[side]), version)
            if self.odd(0.05):
                raw = raw[:rnd.randrange(len(raw))]
            elif self.odd(0.05):
                raw = raw[:2] + b"\x08\x06" + raw[4:]
            elif self.odd(0.03):
                raw = bytes([raw[0], raw[1] ^ rnd.choice((1, 2, 7))]) + raw[2:]
            packet = self.emit(side, GRE, raw)
            if self.odd(0.1):
                self.error_about(packet)

    def generic(self):
        proto = self.rnd.choice((ESP, IPIP6, 200, 2, 89))
        for _ in range(self.rnd.randrange(1, 5)):
            packet = self.emit(self.rnd.choice("cs"), proto, b"x" * self.rnd.choice((0, 4, 40)))
            if self.odd(0.1):
                self.error_about(packet)

    # -- ICMP

    def icmp_packet(self, side, kind, code=0, rest=0, data=b"ping"):
        raw = icmp4(kind, code, rest, data) if self.family == 4 else \
            icmp6(self.addr[side], self.addr[other(side)], kind, code, rest, data)
        if self.odd(0.03):
            raw = raw[:2] + b"\x12\x34" + raw[4:]
        elif self.odd(0.03):
            raw = raw[:self.rnd.randrange(8)]
        return self.emit(side, ICMP if self.family == 4 else ICMP6, raw)

    def icmp(self):
        rnd = self.rnd
        kinds = ((8, 0), (13, 14), (15, 16), (17, 18)) if self.family == 4 else ((128, 129), (139, 140))
        ask, answer = rnd.choice(kinds)
        ident = self.port["c"] << 16
        for _ in range(rnd.randrange(1, 6)):
            side = rnd.choice("cccs")
            kind = rnd.choice((ask, answer)) if self.odd(0.2) else ask if side == "c" else answer
            if self.odd(0.05):
                kind = rnd.randrange(256)
                # What a router takes for itself, and NDP, which goes no further.
                if self.family == 6 and 130 <= kind <= 143:
                    kind = 127
            packet = self.icmp_packet(side, kind, rnd.choice((0, 0, 0, 1)) if self.odd() else 0, ident | rnd.randrange(4))
            if self.odd(0.1):
                self.error_about(packet)

    def error_about(self, packet):
        """An error, rightly addressed or not, about a packet that was sent."""
        rnd = self.rnd
        side = rnd.choice("cs")
        quoted = packet
        if self.odd(0.3):
            quoted = packet[:rnd.choice((20, 27, 28, 40, 48, 64))]
        if self.odd(0.1):
            # About a packet of the other direction, which may never have been.
            quoted = quoted[:12] + quoted[16:20] + quoted[12:16] + quoted[20:] if self.family == 4 else \
                quoted[:8] + quoted[24:40] + quoted[8:24] + quoted[40:]
        sender = None
        if rnd.random() < 0.3:
            sender = "10.9.3.3" if self.family == 4 else "fd09:3::3"
        if self.family == 4:
            raw = icmp4(*rnd.choice(((3, 0), (3, 1), (3, 3), (3, 4), (11, 0), (12, 0), (4, 0), (5, 1))), 0, quoted)
        else:
            kind = rnd.choice(((1, 0), (1, 4), (2, 0), (3, 0), (4, 1)))
            raw = icmp6(sender or self.addr[side], self.addr[other(side)], *kind, 0, quoted)
        if self.odd(0.03):
            raw = raw[:2] + b"\x12\x34" + raw[4:]
        self.emit(side, ICMP if self.family == 4 else ICMP6, raw, src=sender)

    def errors(self):
        self.tcp_start()
        self.tcp_open()
        seen = [p for _, p in self.packets]
        seen.append(self.datagram("c", UDP))
        if self.rnd.random() < 0.5:
            seen.append(self.datagram("s", UDP))
        seen.append(self.icmp_packet(*(("c", 8) if self.family == 4 else ("c", 128)), rest=self.port["c"] << 16))
        for _ in range(self.rnd.randrange(1, 6)):
            self.error_about(self.rnd.choice(seen))

    # -- Others

    def fragments(self):
        for _ in range(self.rnd.randrange(1, 5)):
            side = self.rnd.choice("ccs")
            data = self.rnd.randbytes(self.rnd.choice((1400, 2000, 3000)))
            raw = udp(self.addr[side], self.addr[other(side)], *self.ports(side), data)
            pieces = [(at, raw[at:at + 1200]) for at in range(0, len(raw), 1200)]
            ident = self.rnd.randrange(MAX)
            order = pieces[:]
            if self.rnd.random() < 0.3:
                self.rnd.shuffle(order)
            if self.odd(0.1):
                order.pop()
            group = []
            for at, piece in order:
                more = at + len(piece) < len(raw)
                if self.family == 4:
                    packet = ip4(self.addr[side], self.addr[other(side)], UDP, piece, frag=(0x2000 if more else 0) | at // 8)
                else:
                    packet = ip6(self.addr[side], self.addr[other(side)], 44, frag6(UDP, piece, at, more, ident))
                group.append(packet)
            self.packets.append((side, group))

    def raw(self):
        """notrack, and a zone, for one side's packets or for both's."""
        dscp = self.rnd.choice((NOTRACK, ZONE))
        sides = self.rnd.choice(("c", "cs"))
        for _ in range(self.rnd.randrange(2, 6)):
            side = self.rnd.choice("cs")
            self.emit(side, UDP, udp(self.addr[side], self.addr[other(side)], *self.ports(side), b"raw"),
                      dscp=dscp if side in sides else 0)


def other(side):
    return "s" if side == "c" else "c"


KINDS = {name: getattr(Episode, name) for name in (
    "tcp", "udp", "udplite", "clash", "icmp", "errors", "fragments", "sctp", "dccp", "gre", "generic", "raw")}


def number(packet, n):
    """The packet with its number."""
    if packet[0] >> 4 == 6:
        return bytes([packet[0], packet[1] & 0xf0 | n >> 16]) + struct.pack("!H", n & 0xffff) + packet[4:]
    head = packet[:4] + struct.pack("!H", n) + packet[6:10] + b"\0\0" + packet[12:20]
    return head[:10] + struct.pack("!H", checksum(head)) + packet[12:]


def batch(rnd, kinds, size):
    """Episodes of these kinds, shuffled into each other: a list of (episode, side, [packet as numbered])."""
    episodes, count = [], 0
    while count < size:
        episodes.append(Episode(rnd, rnd.choice(kinds)))
        count += len(episodes[-1].packets)
    turns = [e for e in episodes for _ in e.packets]
    # Near ones only: a conversation does not last.
    turns = [turn for _, turn in sorted(enumerate(turns), key=lambda t: t[0] + rnd.random() * 60)]
    left = {id(e): iter(e.packets) for e in episodes}
    out = []
    for n, episode in enumerate(turns, 1):
        side, packet = next(left[id(episode)])
        out.append((episode, side, [number(p, n) for p in (packet if isinstance(packet, list) else [packet])]))
    return out
