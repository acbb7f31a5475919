#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every sysctl has its effect; what is out of range is refused."""

import os
import struct
import time

from lib import *

DIR = "/proc/sys/net/netfilter/"
ports = iter(range(10000, 60000))
made = {}


class Maker:
    """Makes flows in a given state; a method per sysctl, each returns what to find the flow by."""

    def __init__(self, rig):
        self.rig = rig

    def quiet(self, side, proto, l4, family=4):
        self.rig.send(side, self.rig.packet(side, proto, l4, family))

    def tcp(self, *steps, opened=True):
        t = Tcp(self.rig, 4, sport=next(ports))
        handshake = (("c", "S", 0, 0, b""), ("s", "SA", 0, 1, b""), ("c", "A", 1, 1, b"")) if opened else ()
        for side, flags, seq, ack, data in handshake + steps:
            self.rig.send(side, t.build(side, flags, seq, ack, data=data))
        return {"proto": "tcp", "osport": t.ports["c"][0]}

    def tcp_timeout_syn_sent(self):
        return self.tcp(("c", "S", 0, 0, b""), opened=False)

    def tcp_timeout_syn_recv(self):
        return self.tcp(("c", "S", 0, 0, b""), ("s", "SA", 0, 1, b""), opened=False)

    def tcp_timeout_established(self):
        return self.tcp()

    def tcp_timeout_fin_wait(self):
        return self.tcp(("c", "FA", 1, 1, b""))

    def tcp_timeout_close_wait(self):
        return self.tcp(("c", "FA", 1, 1, b""), ("s", "A", 1, 2, b""))

    def tcp_timeout_last_ack(self):
        return self.tcp(("c", "FA", 1, 1, b""), ("s", "A", 1, 2, b""), ("s", "FA", 1, 2, b""))

    def tcp_timeout_time_wait(self):
        return self.tcp(("c", "FA", 1, 1, b""), ("s", "FA", 1, 2, b""), ("c", "A", 2, 2, b""))

    def tcp_timeout_close(self):
        return self.tcp(("c", "RA", 1, 1, b""))

    def tcp_timeout_unacknowledged(self):
        return self.tcp(("c", "PA", 1, 1, b"data"))

    def tcp_timeout_max_retrans(self):
        return self.tcp(*[("c", "PA", 1, 1, b"data")] * 6)

    def udp_timeout(self):
        sport = next(ports)
        self.quiet("c", UDP, udp(Rig.C[4], Rig.S[4], sport, 53))
        return {"proto": "udp", "osport": sport}

    def udp_timeout_stream(self):
        sport = made.setdefault("stream", next(ports))
        self.quiet("c", UDP, udp(Rig.C[4], Rig.S[4], sport, 53))
        self.quiet("s", UDP, udp(Rig.S[4], Rig.C[4], 53, sport))
        self.quiet("c", UDP, udp(Rig.C[4], Rig.S[4], sport, 53))
        return {"proto": "udp", "osport": sport}

    def icmp_timeout(self):
        self.quiet("c", ICMP, echo(Rig.C[4], Rig.S[4], 1234))
        return {"proto": "icmp"}

    def icmpv6_timeout(self):
        self.quiet("c", ICMP6, echo(Rig.C[6], Rig.S[6], 1234), 6)
        return {"proto": "icmpv6"}

    def generic_timeout(self):
        self.quiet("c", 253, b"x" * 20)
        return {"proto": "253" if FLOWTRACK else "unknown"}

    def gre_timeout(self):
        self.quiet("c", GRE, gre(1), 6)
        return {"proto": "gre", "family": 6}

    def gre_timeout_stream(self):
        self.quiet("c", GRE, gre(1))
        self.quiet("s", GRE, gre(1))
        self.quiet("c", GRE, gre(1))
        return {"proto": "gre", "family": 4}

    def sctp(self, *steps):
        sport = next(ports)
        init = [("c", 0, sctp_init(1)), ("s", 1, sctp_init(2, ack=True)), ("c", 2, chunk(10, b"cook")),
                ("s", 1, chunk(11))]
        for step in steps:
            for side, tag, what in init[:step] if isinstance(step, int) else [step]:
                pair = (sport, 3868) if side == "c" else (3868, sport)
                self.quiet(side, SCTP, sctp(*pair, tag, what))
        return {"proto": "sctp", "osport": sport}

    def sctp_timeout_closed(self):
        return self.sctp(4, ("s", 1, chunk(6)))

    def sctp_timeout_cookie_wait(self):
        return self.sctp(2)

    def sctp_timeout_cookie_echoed(self):
        return self.sctp(3)

    def sctp_timeout_established(self):
        return self.sctp(4)

    def sctp_timeout_shutdown_sent(self):
        return self.sctp(4, ("c", 2, chunk(7, b"\0\0\0\1")))

    def sctp_timeout_shutdown_recd(self):
        return self.sctp(4, ("s", 1, chunk(7, b"\0\0\0\1")))

    def sctp_timeout_shutdown_ack_sent(self):
        return self.sctp(4, ("c", 2, chunk(7, b"\0\0\0\1")), ("s", 1, chunk(8)))

    def sctp_timeout_heartbeat_sent(self):
        return self.sctp(("c", 3, chunk(4, b"\0\1\0\4")))


TIMEOUTS = [n for n in vars(Maker) if "timeout" in n]
# Each its own value, far enough from the others; TCP's upper bounds above those that they would bound.
VALUES = {n: 1000 + 20 * i for i, n in enumerate(TIMEOUTS)}
VALUES.update({"tcp_timeout_established": 9000, "tcp_timeout_max_retrans": 4500, "tcp_timeout_unacknowledged": 4000})


def setup():
    rig = Rig()
    made["defaults"] = {n: rig.r.sysctl(n) for n in TIMEOUTS}
    for n, v in VALUES.items():
        rig.r.sysctl(n, v)
    maker = Maker(rig)
    maker.udp_timeout_stream()
    made["since"] = time.monotonic()
    made["find"] = {n: getattr(maker, n)() for n in TIMEOUTS if n != "udp_timeout_stream"}
    time.sleep(max(0, made["since"] + 2.2 - time.monotonic()))  # a stream is what lasts for two seconds
    made["find"]["udp_timeout_stream"] = maker.udp_timeout_stream()
    made["flows"] = rig.r.flows()
    return rig


def timeout_case(name):
    @case(f"{name}: the timeout of a flow in that state")
    def _(_rig):
        found = [f for f in made["flows"] if all(flow_field(f, k) == v for k, v in made["find"][name].items())]
        equal(len(found), 1, f"flows with {made['find'][name]} among {made['flows']}")
        check(VALUES[name] - 15 < found[0]["timeout"] <= VALUES[name],
              f"{name}={VALUES[name]}, but the timeout is {found[0]['timeout']}: {found[0]}")


for timeout_name in TIMEOUTS:
    timeout_case(timeout_name)


@case("a changed timeout holds from the next packet on")
def _(rig):
    sport = next(ports)
    rig.udp("c", 4, sport, 53, "new/o")
    rig.r.sysctl("udp_timeout", 7777)
    rig.udp("c", 4, sport, 53, "new/o")
    check(7700 < rig.r.flow(proto="udp", osport=sport)["timeout"] <= 7777, "timeout after the second packet")
    rig.r.sysctl("udp_timeout", 30)
    rig.udp("c", 4, sport, 53, "new/o")
    check(rig.r.flow(proto="udp", osport=sport)["timeout"] <= 30, "timeout after the third packet")


@case("acct: packets and bytes are counted, by direction")
def _(rig):
    rig.reset()
    rig.r.sysctl("acct", 1)
    for size in (10, 20):
        rig.udp("c", 4, 5000, 53, "new/o", data=bytes(size))
    rig.udp("s", 4, 53, 5000, "est/r+s", data=bytes(100))
    flow = rig.r.flow(osport=5000)
    equal([flow[d][k] for d in ("orig", "reply") for k in ("packets", "bytes")], [2, 86, 1, 128], "counters")
    rig.r.sysctl("acct", 0)


@case("tcp_loose: 0 makes a mid-stream packet invalid")
def _(rig):
    for value, wanted in ((0, "inv"), (1, "new/o")):
        rig.r.sysctl("tcp_loose", value)
        Tcp(rig, 4, sport=next(ports)).send("c", "A", wanted, 1, 1)


@case("tcp_be_liberal: 1 lets out-of-window data pass")
def _(rig):
    for value, wanted in ((0, "inv"), (1, "est/o+sa")):
        rig.r.sysctl("tcp_be_liberal", value)
        Tcp(rig, 4, sport=next(ports)).open().send("c", "PA", wanted, 10000000, 1, data=b"x")
    rig.r.sysctl("tcp_be_liberal", 0)


@case("tcp_max_retrans: after so many the timeout falls")
def _(rig):
    rig.r.sysctl("tcp_timeout_unacknowledged", 8000)
    for limit, sent, fallen in ((2, 5, True), (9, 5, False)):
        rig.r.sysctl("tcp_max_retrans", limit)
        t = Tcp(rig, 4, sport=next(ports)).open()
        for _ in range(sent):
            t.send("c", "PA", "est/o+sa", 1, 1, data=b"x")
        equal(t.flow()["timeout"] <= VALUES["tcp_timeout_max_retrans"], fallen, f"tcp_max_retrans={limit}: fallen")
    rig.r.sysctl("tcp_max_retrans", 3)


@case("checksum: 0 ignores a wrong one")
def _(rig):
    l4 = udp(Rig.C[4], Rig.S[4], next(ports), 53)
    l4 = l4[:6] + b"\x12\x34" + l4[8:]
    for value, wanted in ((1, "inv"), (0, "new/o")):
        rig.r.sysctl("checksum", value)
        rig.expect("c", rig.packet("c", UDP, l4, 4), wanted)
    rig.r.sysctl("checksum", 1)


@case("count: how many flows there are; read only")
def _(rig):
    rig.reset()
    for i in range(5):
        rig.udp("c", 4, 6000 + i, 53, "new/o")
    equal(int(rig.r.sysctl("count")), 5, "count")
    try:
        rig.r.sysctl("count", 0)
        raise Failure("count can be written")
    except OSError:
        pass
    equal(int(rig.r.sysctl("count")), 5, "count after the attempt to write it")


@case("max: one flow more is refused", only="flowtrack")
def _(rig):
    rig.reset()
    rig.r.sysctl("full_policy", "drop")
    old = rig.r.sysctl("max", None)
    rig.r.sysctl("max", 3)
    for i in range(3):
        rig.udp("c", 4, 6100 + i, 53, "new/o")
    rig.udp("c", 4, 6103, 53, "drop")
    rig.r.sysctl("max", 4)
    rig.udp("c", 4, 6103, 53, "new/o")
    rig.r.sysctl("max", old)
    rig.r.sysctl("full_policy", "evict")


@case("buckets: read back, rounded up to a power of two; 0 follows the number of flows", only="flowtrack")
def _(rig):
    rig.r.sysctl("buckets", 1000)
    equal(rig.r.sysctl("buckets"), "1024", "buckets after writing 1000")
    rig.r.sysctl("buckets", 0)
    busywait(10, lambda: int(rig.r.sysctl("buckets")) < 1024, "buckets follow the number of flows")


@case("enable: 0 leaves packets to nf_conntrack, 1 takes them again", only="flowtrack")
def _(rig):
    rig.reset()
    rig.r.sysctl("enable", 0)
    rig.udp("c", 4, 6200, 53, "new/o")
    rig.udp("s", 4, 53, 6200, "est/r+s")
    equal((len(rig.r.flows()), rig.r.conntrack_count()), (0, 1), "flows here and in nf_conntrack")
    rig.r.sysctl("enable", 1)
    rig.udp("c", 4, 6201, 53, "new/o")
    equal((len(rig.r.flows()), rig.r.conntrack_count()), (1, 1), "flows here and in nf_conntrack")
    rig.r.conntrack_flush()


@case("bypass_mark, bypass_mask: chosen packets are left to nf_conntrack", only="flowtrack")
def _(rig):
    rig.reset(nft_stamps() + """
table inet raw {
	chain pre {
		type filter hook prerouting priority -300
		udp dport 53 meta mark set 0x12
		udp sport 53 meta mark set 0x13
	}
}""")
    rig.r.sysctl("bypass_mask", 0xf0)
    rig.r.sysctl("bypass_mark", 0x10)
    rig.udp("c", 4, 6300, 53, "new/o")
    rig.udp("s", 4, 53, 6300, "est/r+s")
    rig.udp("c", 4, 6300, 54, "new/o")
    equal(([f["orig"]["dport"] for f in rig.r.flows()], rig.r.conntrack_count()), ([54], 1),
          "flows here and in nf_conntrack")
    rig.r.sysctl("bypass_mask", 0)
    rig.r.conntrack_flush()
    rig.reset(nft_stamps())


@case("timestamp: the start of a flow is told", only="flowtrack")
def _(rig):
    rig.reset()
    rig.r.sysctl("timestamp", 1)
    rig.udp("c", 4, 6400, 53, "new/o")
    flow = rig.r.flow(osport=6400)
    check("start" in flow and abs(float(flow["start"]) - time.time()) < 60, f"start: {flow}")
    rig.r.sysctl("timestamp", 0)


@case("events: 0 sends none", only="flowtrack")
def _(rig):
    monitor = rig.r.popen(TOOL, "-j", "monitor")
    busywait(20, lambda: genl_listeners(rig.r), "the monitor's subscription")
    rig.r.sysctl("events", 0)
    rig.udp("c", 4, 6500, 53, "new/o")
    rig.r.sysctl("events", 1)
    rig.udp("c", 4, 6501, 53, "new/o")
    line = monitor.stdout.readline()
    monitor.terminate()
    check('"sport":6501' in line, f"first event: {line}")


@case("words are read and written; their numbers are understood, too", only="flowtrack")
def _(rig):
    for name, words in (("full_policy", ("evict", "drop", "pass")), ("adopt", ("auto", "always", "never")),
                        ("nat", ("auto", "snat", "all", "never"))):
        for i, word in enumerate(words):
            rig.r.sysctl(name, word)
            equal(rig.r.sysctl(name), word, name)
            rig.r.sysctl(name, i)
            equal(rig.r.sysctl(name), word, f"{name} after writing {i}")
        rig.r.sysctl(name, words[-1] if name == "nat" else words[0])
    for name in ("full_fallback", "src_policy"):
        for word in ("pass", "drop"):
            rig.r.sysctl(name, word)
            equal(rig.r.sysctl(name), word, name)


BAD = [(n, ("0", "-1", "4294967296", "x", "")) for n in TIMEOUTS] + [
    ("enable", ("3", "-1", "x")), ("lookahead", ("3", "-1", "x")), ("max", ("0", "-1", "134217729", "x")), ("buckets", ("63", "67108865", "-1", "x")),
    ("full_policy", ("3", "accept", "-1", "")), ("full_fallback", ("evict", "0", "3", "accept")),
    ("adopt", ("3", "often")), ("nat", ("4", "dnat")), ("guard", ("2", "-1")), ("acct", ("2", "-1")), ("timestamp", ("2",)),
    ("checksum", ("2",)),
    ("log_invalid", ("256",)), ("events", ("2",)), ("tcp_loose", ("2",)), ("tcp_be_liberal", ("2",)),
    ("tcp_ignore_invalid_rst", ("2",)), ("tcp_max_retrans", ("256",)), ("bypass_mark", ("4294967296",)),
    ("bypass_mask", ("-1",)), ("adaptive_start", ("1001", "120")), ("adaptive_end", ("1001", "60")),
    ("watermark_low", ("101", "90")), ("watermark_high", ("101", "75")),
    ("reserved", ("134217729", "134217728")), ("reserved_mark", ("4294967296",)), ("reserved_mask", ("-1",)),
    ("src_max", ("134217729", "-1")), ("src_rate", ("1000001", "-1")), ("src_burst", ("0", "1000001")),
    ("src_policy", ("evict", "0", "3")), ("src_prefix4", ("0", "33")), ("src_prefix6", ("0", "129"))]


@case("values out of range are refused and change nothing", only="flowtrack")
def _(rig):
    wrong = []
    for name, values in BAD:
        before = rig.r.sysctl(name)
        for value in values:
            try:
                rig.r.sysctl(name, value)
                if value:
                    wrong.append(f"{name}={value!r} was taken")
            except OSError:
                pass
            if rig.r.sysctl(name) != before:
                wrong.append(f"{name}={value!r} made {before} of it {rig.r.sysctl(name)}")
                rig.r.sysctl(name, before)
    check(not wrong, "\n".join(wrong))


@case("every sysctl is in this test, and every setting is a sysctl", only="flowtrack")
def _(rig):
    with rig.r:
        there = {n[len("nf_flowtrack_"):] for n in os.listdir(DIR) if n.startswith("nf_flowtrack_")}
    tested = {n for n, _ in BAD} | {"count", "guarded", "src_count", "buckets_auto"}
    equal(sorted(there), sorted(tested), "sysctls")
    shown = rig.r.tool_json("show")
    equal(sorted(shown), sorted(there), "settings")
    for name, value in shown.items():
        equal(rig.r.sysctl(name), str(value), f"{name} as sysctl and as setting")


@case("a namespace's sysctls are its own", only="flowtrack")
def _(rig):
    other = rig.sns.sysctl("udp_timeout"), rig.sns.sysctl("max")
    old = rig.r.sysctl("udp_timeout"), rig.r.sysctl("max")
    rig.r.sysctl("udp_timeout", 555)
    rig.r.sysctl("max", 555)
    equal((rig.sns.sysctl("udp_timeout"), rig.sns.sysctl("max")), other, "another namespace's")
    rig.r.sysctl("udp_timeout", old[0])
    rig.r.sysctl("max", old[1])


@case("a user namespace's root may not take more memory, but turn the rest", only="flowtrack")
def _(rig):
    def inside(*args):
        return run("unshare", "--user", "--map-root-user", "--net", "--mount-proc", "--pid", "--fork", *args, ok=False)

    def write(name, value):
        return inside("sh", "-c", f"echo {value} >/proc/sys/net/netfilter/nf_flowtrack_{name} && "
                                  f"cat /proc/sys/net/netfilter/nf_flowtrack_{name}")

    equal(write("udp_timeout", 77)[1], "77\n", "udp_timeout from within")
    for name in ("max", "buckets"):
        check(write(name, 4096)[0], f"{name} can be written from within")
        code, _, said = inside(TOOL, "set", name, "4096")
        equal(code, 4, f"exit code of setting {name} from within")
        check("bounds memory" in said, f"setting {name} from within says: {said}")
    equal(inside(TOOL, "set", "udp_timeout", "78")[0], 0, "exit code of setting udp_timeout from within")


main(setup)
