# SPDX-License-Identifier: GPL-2.0-only
"""ctnetlink in plain netlink, and the two modules that speak it: ours, and the kernel's own."""

import contextlib

from lib import *

CTNL_KO = os.path.join(os.path.dirname(KO), "nf_flowtrack_ctnetlink.ko")
OURS, ORIGINAL = "nf_flowtrack_ctnetlink", "nf_conntrack_netlink"

SUBSYS, SUBSYS_EXP = 1, 2
CT_NEW, CT_GET, CT_DELETE, CT_GET_CTRZERO, CT_STATS_CPU, CT_STATS, CT_DYING, CT_UNCONFIRMED = range(8)
(TUPLE_ORIG, TUPLE_REPLY, STATUS, PROTOINFO, HELP, NAT_SRC, TIMEOUT, MARK, COUNTERS_ORIG, COUNTERS_REPLY, USE, ID,
 NAT_DST, TUPLE_MASTER, SEQ_ADJ_ORIG, SEQ_ADJ_REPLY, SECMARK, ZONE, SECCTX, TIMESTAMP, MARK_MASK, LABELS, LABELS_MASK,
 SYNPROXY, FILTER, STATUS_MASK, TIMESTAMP_EVENT) = range(1, 28)
NAMES = dict(enumerate(
    "orig reply status protoinfo help nat-src timeout mark counters-orig counters-reply use id nat-dst master "
    "seq-adj-orig seq-adj-reply secmark zone secctx timestamp mark-mask labels labels-mask synproxy filter "
    "status-mask timestamp-event".split(), 1))
EXP_NEW, EXP_GET, EXP_DELETE, EXP_STATS = range(4)
(EXP_MASTER, EXP_TUPLE, EXP_MASK, EXP_TIMEOUT, EXP_ID, EXP_HELP, EXP_ZONE, EXP_FLAGS, EXP_CLASS, EXP_NAT,
 EXP_FN) = range(1, 12)
NESTED = 0x8000
REQUEST, ACK, DUMP, EXCL, CREATE = 1, 4, 0x300, 0x200, 0x400
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
FAMILIES = (4, 6)


@contextlib.contextmanager
def modprobe(program):
    """The kernel calls another program to have a module loaded."""
    path = "/proc/sys/kernel/modprobe"
    with open(path) as f:
        before = f.read()
    try:
        with open(path, "w") as f:
            f.write(program)
        yield
    finally:
        with open(path, "w") as f:
            f.write(before)


def swap(wanted):
    """One of the two modules is loaded, and the other one is not."""
    other = ORIGINAL if wanted == OURS else OURS
    if os.path.isdir("/sys/module/" + other):
        # A socket that has just been closed may hold it for a moment.
        busywait(10, lambda: run("rmmod", other, ok=False)[0] == 0, f"rmmod {other}")
    if not os.path.isdir("/sys/module/" + wanted):
        if wanted == OURS:
            # Built in, from 7.x on.
            run("modprobe", "-q", "nfnetlink", ok=False)
            run("insmod", CTNL_KO)
        else:
            run("modprobe", ORIGINAL)


def be32(kind, value):
    return nla(kind, struct.pack("!I", value))


def be16(kind, value):
    return nla(kind, struct.pack("!H", value))


def nest(kind, *attrs):
    return nla(kind | NESTED, b"".join(attrs))


def tuple_attr(kind, family, src, dst, proto, sport=0, dport=0):
    """A tuple; of ICMP, sport is the id and dport (type, code)."""
    first = 1 if family == 4 else 3
    l4 = nla(1, bytes([proto]))
    if proto == ICMP:
        l4 += be16(4, sport) + nla(5, bytes([dport[0]])) + nla(6, bytes([dport[1]]))
    elif proto == ICMP6:
        l4 += be16(7, sport) + nla(8, bytes([dport[0]])) + nla(9, bytes([dport[1]]))
    else:
        l4 += be16(2, sport) + be16(3, dport)
    return nest(kind, nest(1, nla(first, pton(src)), nla(first + 1, pton(dst))), nest(2, l4))


class Ctnl:
    """A ctnetlink socket in a namespace."""

    def __init__(self, ns, groups=()):
        self.sock = ns.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.sock.bind((0, 0))
        self.sock.settimeout(20)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
        for group in groups:
            self.sock.setsockopt(270, 1, group)
        self.seq = 0

    def request(self, kind, attrs=b"", flags=0, family=0, subsys=SUBSYS, version=0):
        """(errno or 0, [(type, flags, family, attributes), ...])"""
        self.seq += 1
        body = struct.pack("!BBH", FAMILY.get(family, family), version, 0) + attrs
        flags |= REQUEST | (0 if flags & DUMP == DUMP else ACK)
        self.sock.send(struct.pack("=IHHII", 16 + len(body), subsys << 8 | kind, flags, self.seq, 0) + body)
        replies = []
        while True:
            for kind_, nflags, seq, payload in self.messages():
                if seq != self.seq:
                    continue
                if kind_ in (2, 3):
                    return -struct.unpack_from("=i", payload)[0], replies
                replies.append((kind_, nflags, payload[0], payload[4:]))

    def messages(self):
        data = self.sock.recv(1 << 20)
        while data:
            size, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
            yield kind, flags, seq, data[16:size]
            data = data[size + 3 & ~3:]

    def dump(self, family=0, attrs=b"", kind=CT_GET, subsys=SUBSYS):
        error, replies = self.request(kind, attrs, DUMP, family, subsys)
        equal(error, 0, "error of a dump")
        return replies

    def close(self):
        self.sock.close()


class Queued(Queue):
    """A queue that tells of connections."""

    def __init__(self, ns, number=0):
        super().__init__(ns, number)
        self.talk(2, nla(5, struct.pack("!I", 2)) + nla(4, struct.pack("!I", 2)))  # NFQA_CFG_F_CONNTRACK

    def next(self):
        """(identifier, attributes of the connection, ctinfo)"""
        data = self.sock.recv(1 << 20)
        attrs = nla_parse(data[20:])
        check(11 in attrs and 12 in attrs, f"no connection: {list(attrs)}")
        return (struct.unpack_from("!I", attrs[1])[0], {NAMES.get(k, k): v for k, v in nla_parse(attrs[11]).items()},
                struct.unpack("!I", attrs[12])[0])


def words(message):
    """The attributes of a message by name."""
    return {NAMES.get(kind, kind): value for kind, value in nla_parse(message[3]).items()}


def identity(message):
    """What a connection is known by: its tuples and zone."""
    attrs = nla_parse(message[3])
    return attrs[TUPLE_ORIG], attrs[TUPLE_REPLY], attrs.get(ZONE)


def traffic(rig, extra=()):
    """A few connections of every protocol, in every state that matters."""
    for family in FAMILIES:
        c, s = Rig.C[family], Rig.S[family]

        def to(side, proto, l4, family=family):
            rig.send(side, rig.packet(side, proto, l4, family))

        to("c", UDP, udp(c, s, 1000, 53, b"q"))
        to("c", UDP, udp(c, s, 1001, 5353, b"q"))
        to("s", UDP, udp(s, c, 5353, 1001, b"answer"))
        options = b"\x02\x04\x05\xb4\x04\x02\x01\x03\x03\x07\x01\x01"
        for sport in (2000, 2001):
            t = Tcp(rig, family, sport=sport)
            rig.send("c", t.build("c", "S", options=options))
            rig.send("s", t.build("s", "SA", 0, 1, options=options))
            rig.send("c", t.build("c", "A", 1, 1))
        rig.send("c", t.build("c", "FA", 1, 1))
        rig.send("s", t.build("s", "FA", 1, 2))
        rig.send("c", Tcp(rig, family, sport=2002).build("c", "S"))
        icmp = ICMP if family == 4 else ICMP6
        to("c", icmp, echo(c, s, 7))
        to("c", icmp, echo(c, s, 8))
        to("s", icmp, echo(s, c, 8, reply=True))
        to("c", SCTP, sctp(3000, 3001, 0, sctp_init(0x1234)))
        to("c", GRE, gre())
        to("c", 50, b"\0" * 24)
        for dport in extra:
            to("c", UDP, udp(c, s, 4000, dport, b"q"))
            if dport == 21:
                rig.send("c", Tcp(rig, family, sport=2010, dport=21).build("c", "S"))
