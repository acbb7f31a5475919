#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What was turned in nf_conntrack holds, without being turned twice."""

import re

from lib import *


def conntrack(rig, name, value):
    rig.r.write(f"/proc/sys/net/netfilter/nf_conntrack_{name}", value)


def counter(rig, name):
    return int(re.search(r"packets (\d+)", rig.r.run("nft", "list", "counter", "inet", "t", name)[1])[1])


@case("rules that count packets of a connection turn counting on")
def _(rig):
    conntrack(rig, "acct", 0)
    rig.reset("""
table inet t {
	counter first { }
	counter later { }
	chain forw {
		type filter hook forward priority 0
		ct original packets < 20 counter name first
		ct original packets > 100 counter name later
	}
}""")
    for n in range(200):
        rig.c.send(ip(Rig.C[4], Rig.S[4], UDP, udp(Rig.C[4], Rig.S[4], 1000, 53), n))
    rig.c.flush()
    equal((counter(rig, "first"), counter(rig, "later")), (19, 100), "packets counted by the rules")
    conntrack(rig, "acct", 0)


@case("connbytes of iptables turns counting on, too")
def _(rig):
    for command in ("iptables-nft", "iptables-legacy"):
        conntrack(rig, "acct", 0)
        rig.reset("")
        rules = [("-A", "FORWARD", "-p", "udp", "-m", "connbytes", "--connbytes", limits, "--connbytes-mode", "packets",
                  "--connbytes-dir", "original", "-j", "ACCEPT") for limits in ("101:", "0:20")]
        for rule in rules:
            rig.r.run(command, *rule)
        rig.reset()
        for n in range(200):
            rig.c.send(ip(Rig.C[4], Rig.S[4], UDP, udp(Rig.C[4], Rig.S[4], 1000, 53), n))
        rig.c.flush()
        seen = [int(line.split()[0]) for line in rig.r.run(command, "-nvxL", "FORWARD")[1].splitlines() if "connbytes" in line]
        equal(seen, [100, 20], f"{command}: packets counted by the rules")
        rig.r.run(command, "-F", "FORWARD")
    conntrack(rig, "acct", 0)


@case("timeouts")
def _(rig):
    rig.reset(nft_stamps())
    for name, value in (("udp_timeout", 5), ("udp_timeout", 30)):
        conntrack(rig, name, value)
        rig.reset()
        rig.udp("c", 4, 1000, 53, "new/o")
        check(value - 2 <= rig.r.flow(proto="udp")["timeout"] <= value, f"timeout of {rig.r.flows()}, {value} wanted")


@case("checksums are not looked at")
def _(rig):
    rig.reset(nft_stamps())
    bad = udp(Rig.C[4], Rig.S[4], 1000, 53, b"x")
    bad = bad[:6] + bytes([bad[6] ^ 1]) + bad[7:]
    rig.expect("c", rig.packet("c", UDP, bad, 4), "inv", "bad checksum")
    conntrack(rig, "checksum", 0)
    rig.expect("c", rig.packet("c", UDP, bad, 4), "new/o", "bad checksum, not looked at")
    conntrack(rig, "checksum", 1)


@case("liberal windows")
def _(rig):
    rig.reset(nft_stamps())
    Tcp(rig, sport=41000).open().send("c", "A", "inv", 1 << 20, 1)
    conntrack(rig, "tcp_be_liberal", 1)
    Tcp(rig, sport=41001).open().send("c", "A", "est/o+sa", 1 << 20, 1)
    conntrack(rig, "tcp_be_liberal", 0)


@case("connections that began unseen, and wrong resets")
def _(rig):
    rig.reset(nft_stamps())
    Tcp(rig, sport=41002).send("c", "A", "new/o", 1, 1)
    conntrack(rig, "tcp_loose", 0)
    Tcp(rig, sport=41003).send("c", "A", "inv", 1, 1)
    conntrack(rig, "tcp_loose", 1)
    Tcp(rig, sport=41004).open().send("s", "R", "inv", 0)
    conntrack(rig, "tcp_ignore_invalid_rst", 1)
    Tcp(rig, sport=41005).open().send("s", "R", "est/r+sa", 0)
    conntrack(rig, "tcp_ignore_invalid_rst", 0)


# Ports 53 and 80 are translated, 54 and 81 are not.
BESIDE_NAT = """
table inet nat {
	chain post {
		type nat hook postrouting priority 100
		oif rs meta l4proto { tcp, udp } th dport { 53, 80 } masquerade
	}
}
table inet t {
	counter short { }
	chain forw {
		type filter hook forward priority 0
		udp dport { 53, 54 } ct state established ct expiration <= 5s counter name short
	}
}"""


class Masqueraded(Tcp):
    """The server answers to the router."""

    def build(self, side, flags, seq=0, ack=0, win=29200, options=b"", data=b"", **kw):
        if side == "c":
            return super().build(side, flags, seq, ack, win, options, data, **kw)
        src, dst, isn = Rig.S[self.family], Rig.RS[self.family], self.isn
        return ip(src, dst, TCP, tcp(src, dst, *self.ports[side], flags, isn["s"] + seq, isn["c"] + ack if "A" in flags else 0, win,
                                     options, data, **kw), self.rig.next_ident())


def same_for(rig, family, kind, sports, tcp_port, udp_port):
    """Connections of @kind, and a UDP flow, obey what is turned in nf_conntrack."""
    def turned(name, value, before, after, side, flags, *numbers, opened=True):
        """What becomes of a packet, behind a handshake or not, until @name has that value, and then."""
        for wanted in (before, after):
            t = kind(rig, family, next(sports), tcp_port)
            if opened:
                t.open()
            t.send(side, flags, wanted, *numbers)
            conntrack(rig, name, value)
        conntrack(rig, name, 1 - value)

    turned("tcp_be_liberal", 1, "inv", "est/o+sa", "c", "A", 1 << 20, 1)
    turned("tcp_loose", 0, "new/o", "inv", "c", "A", 1, 1, opened=False)
    # One to the router's own address that is not translated goes no further.
    turned("tcp_ignore_invalid_rst", 1, "drop" if kind is Masqueraded else "inv", "est/r+sa", "s", "R", 0)
    c, s, back = Rig.C[family], Rig.S[family], (Rig.RS if kind is Masqueraded else Rig.C)[family]
    bad = udp(c, s, 900, udp_port, b"x")
    bad = bad[:6] + bytes([bad[6] ^ 1]) + bad[7:]
    rig.expect("c", rig.packet("c", UDP, bad, family), "inv", "bad checksum")
    conntrack(rig, "checksum", 0)
    rig.expect("c", rig.packet("c", UDP, bad, family), "new/o", "bad checksum, not looked at")
    conntrack(rig, "checksum", 1)
    for value, short in ((5, 2), (120, 0)):
        conntrack(rig, "udp_timeout", value)
        before = counter(rig, "short")
        sport = next(sports)
        rig.udp("c", family, sport, udp_port, "new/o")
        rig.expect("s", ip(s, back, UDP, udp(s, back, udp_port, sport, b"y"), rig.next_ident()), "est/r+s", "the answer")
        for _ in range(2):
            rig.udp("c", family, sport, udp_port, "est/o+s")
        equal(counter(rig, "short") - before, short, f"packets that expire in 5 s, of {value}")
    conntrack(rig, "udp_timeout", 30)


@case("beside NAT: flows that are translated, in either table, and those that are not")
def _(rig):
    sports = iter(range(42000, 50000))
    was = rig.r.sysctl("nat") if FLOWTRACK else ""
    for word in ("auto", "never") if FLOWTRACK else ("",):
        if word:
            rig.r.sysctl("nat", word)
        rig.reset(nft_stamps() + BESIDE_NAT)
        for family in (4, 6):
            same_for(rig, family, Masqueraded, sports, 80, 53)
            if FLOWTRACK:
                equal((rig.r.flows() == [], rig.r.conntrack_count() == 0), (word == "never", word == "auto"),
                      f"nat={word}: no flows here, none in nf_conntrack")
            same_for(rig, family, Tcp, sports, 81, 54)
            rig.reset()
            rig.r.conntrack_flush()
    rig.reset(nft_stamps())
    if was:
        rig.r.sysctl("nat", was)


@case("whatever nf_conntrack has a sysctl for, by name", only="flowtrack")
def _(rig):
    with rig.r:
        names = sorted(name[len("nf_conntrack_"):] for name in os.listdir("/proc/sys/net/netfilter"))
        ours = {name for name in names if os.path.exists(f"/proc/sys/net/netfilter/nf_flowtrack_{name}")}
    wanted = {name for name in ours if "timeout" in name or name.startswith("tcp_") or
              name in ("acct", "timestamp", "checksum", "log_invalid")}
    check(len(wanted) > 20 and {"tcp_loose", "generic_timeout", "gre_timeout"} <= wanted, f"settings {sorted(wanted)}")
    for name in sorted(wanted):
        path = f"/proc/sys/net/netfilter/nf_conntrack_{name}"
        before = rig.r.read(path)
        # 0 and 1, or a number of seconds or tries.
        value = {"0": "1", "1": "0"}.get(before, str(int(before) + 1))
        rig.r.write(path, value)
        equal(rig.r.sysctl(name), value, f"{name}, after {before}")
        rig.r.write(path, before)
        # Five days are not followed, see below.
        if name != "tcp_timeout_established":
            equal(rig.r.sysctl(name), before, f"{name}, after {value}")


@case("what was set here follows no longer", only="flowtrack")
def _(rig):
    rig.reset(nft_stamps())
    equal(rig.r.sysctl("icmp_timeout"), "30", "icmp_timeout at first")
    conntrack(rig, "icmp_timeout", 7)
    equal(rig.r.sysctl("icmp_timeout"), "7", "icmp_timeout that follows")
    rig.r.sysctl("icmp_timeout", 30)
    conntrack(rig, "icmp_timeout", 9)
    equal(rig.r.sysctl("icmp_timeout"), "30", "icmp_timeout that was set")
    equal(rig.r.tool("show", "icmp_timeout")[1], "icmp_timeout=30\n", "shown as set")
    equal(rig.r.sysctl("tcp_timeout_established"), "54000", "five days are not followed")
    conntrack(rig, "tcp_timeout_established", 86400)
    equal(rig.r.sysctl("tcp_timeout_established"), "86400", "a day is")


@case("what was set here follows again: by sysctl, by the tool, and as it was saved", only="flowtrack")
def _(rig):
    def follows(name, how):
        for value in (11, 12):
            conntrack(rig, name, value)
            equal(rig.r.sysctl(name), str(value), f"{name} after {how}")
        equal(rig.r.tool("show", name)[1], f"{name}=auto:12\n", f"{name} shown, after {how}")

    rig.reset(nft_stamps())
    for name in ("icmp_timeout", "udp_timeout", "tcp_max_retrans"):
        rig.r.sysctl(name, 40)
        rig.r.sysctl(name, "auto")
        follows(name, "sysctl")
        rig.r.tool("set", name, "41")
        equal(rig.r.sysctl(name), "41", name)
        rig.r.tool("set", name, "auto")
        follows(name, "set")
    saved = rig.r.tool("save", "--settings")[1]
    rig.r.sysctl("udp_timeout", 40)
    rig.r.tool("restore", text=saved)
    follows("udp_timeout", "restore")
    # What nf_conntrack has none of follows nothing.
    equal(rig.r.run("sysctl", "-w", "net.netfilter.nf_flowtrack_src_max=auto", ok=False)[0] != 0, True, "src_max refused")
    check(rig.r.tool("set", "src_max", "auto", ok=False)[0], "src_max set to auto")
    for name, value in (("icmp_timeout", 30), ("udp_timeout", 30), ("tcp_max_retrans", 3)):
        conntrack(rig, name, value)


main(Rig)
