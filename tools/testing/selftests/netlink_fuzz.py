#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Malformed requests to the generic netlink family: each is refused with a reason, and changes nothing."""

import errno
import os
import random
import socket
import struct

from lib import *

GET, ADD, DEL, STATS, SETTINGS_GET, SETTINGS_SET = 1, 2, 3, 4, 5, 6
A_ID, A_FAMILY, A_PROTO, A_ZONE, A_ORIG, A_STATE, A_STATUS, A_TIMEOUT = 1, 2, 3, 4, 5, 7, 9, 10
A_REPLY, A_CLASS, A_MARK, A_START, A_TCP_ORIG, A_VTAG, A_REASON, A_FILTER = 6, 8, 11, 15, 17, 19, 21, 22
T_SRC4, T_DST4, T_SRC6, T_DST6, T_SPORT, T_DPORT, T_ICMP_ID, T_ICMP_TYPE, T_GRE_KEY = 1, 2, 3, 4, 5, 6, 7, 8, 10


def u8(kind, v):
    return nla(kind, (1, v))


def u16(kind, v):
    return nla(kind, (2, v))


def u32(kind, v):
    return nla(kind, (4, v))


def u64(kind, v):
    return nla(kind, (8, v))


def nest(kind, *attrs):
    return nla(kind | NLA_F_NESTED, b"".join(attrs))


def be16(kind, v):
    return nla(kind, struct.pack("!H", v))


def tuple4(sport=1, dport=2, src="192.0.2.1", dst="192.0.2.2"):
    return nest(A_ORIG, nla(T_SRC4, pton(src)), nla(T_DST4, pton(dst)), be16(T_SPORT, sport), be16(T_DPORT, dport))


WHO = u8(A_FAMILY, 2) + u8(A_PROTO, 17)


class Context:
    def __init__(self):
        self.rig = Rig()
        self.nl = Genl(self.rig.r)
        self.rig.r.sysctl("udp_timeout", 86400)
        self.rig.udp("c", 4, 1000, 53, "new/o")
        Tcp(self.rig, 6, sport=1001).open()

    def state(self):
        """What must not change: flows without their clocks, and settings."""
        error, message, replies = self.nl.request(GET, flags=NLM_F_DUMP)
        check(not error, f"the dump of what must not change: error {error} {message}")
        flows = sorted([nla_parse(r)[a] for a in (A_ID, A_ORIG, A_STATE, A_MARK)] for r in replies)
        return flows, self.nl.request(SETTINGS_GET)[2]


# (what, command, attributes, flags, expected errno)
REFUSED = [
    ("flow-get without anything", GET, b"", 0, None),
    ("flow-get with a family only", GET, u8(A_FAMILY, 2), 0, None),
    ("flow-get without a protocol", GET, u8(A_FAMILY, 2) + tuple4(), 0, None),
    ("flow-get with a family that is none", GET, u8(A_FAMILY, 7) + u8(A_PROTO, 17) + tuple4(), 0, None),
    ("flow-get of a flow that is not there", GET, WHO + tuple4(), 0, errno.ENOENT),
    ("flow-get of an id that is not there", GET, u64(A_ID, 12345), 0, errno.ENOENT),
    ("flow-get with half an id", GET, u32(A_ID, 5), 0, None),
    ("flow-get with a tuple of the other family", GET, u8(A_FAMILY, 10) + u8(A_PROTO, 17) + tuple4(), 0, None),
    ("flow-get with one address", GET, WHO + nest(A_ORIG, nla(T_SRC4, b"\1\2\3\4")), 0, None),
    ("flow-get with a short address", GET, WHO + nest(A_ORIG, nla(T_SRC4, b"\1\2\3")), 0, None),
    ("flow-get with a long address", GET, WHO + nest(A_ORIG, nla(T_SRC4, b"\1\2\3\4\5")), 0, None),
    ("flow-get with a short IPv6 address", GET, WHO + nest(A_ORIG, nla(T_SRC6, b"\1" * 15)), 0, None),
    ("flow-get without ports", GET, WHO + nest(A_ORIG, nla(T_SRC4, b"\1\2\3\4"), nla(T_DST4, b"\1\2\3\5")), 0, None),
    ("flow-get with an unknown attribute", GET, WHO + tuple4() + u32(99, 1), 0, None),
    ("flow-get with an attribute of another command", GET, WHO + tuple4() + u32(A_MARK, 1), 0, None),
    ("flow-get with an unknown attribute in the tuple", GET, WHO + nest(A_ORIG, u32(60, 1)), 0, None),
    ("flow-get with a tuple that is not marked as nested", GET, WHO + nla(A_ORIG, nla(T_SRC4, b"\1\2\3\4")), 0, None),
    ("flow-add without anything", ADD, b"", 0, None),
    ("flow-add without a tuple", ADD, WHO, 0, None),
    ("flow-add with a status that is none", ADD, WHO + tuple4() + u32(A_STATUS, 1 << 7), 0, None),
    ("flow-add with a timeout of zero", ADD, WHO + tuple4() + u32(A_TIMEOUT, 0), 0, None),
    ("flow-add with a state that is none", ADD, WHO + tuple4() + u8(A_STATE, 200), 0, None),
    ("flow-add of TCP with a state that is none", ADD, u8(A_FAMILY, 2) + u8(A_PROTO, 6) + tuple4() + u8(A_STATE, 60), 0,
     None),
    ("flow-add with a TCP window for UDP", ADD, WHO + tuple4() + nest(A_TCP_ORIG, u32(1, 1)), 0, None),
    ("flow-add with a verification tag for UDP", ADD, WHO + tuple4() + nla(A_VTAG, b"\0\0\0\1"), 0, None),
    ("flow-add with a window scale of 15", ADD, u8(A_FAMILY, 2) + u8(A_PROTO, 6) + tuple4() +
     nest(A_TCP_ORIG, u8(5, 15)), 0, None),
    ("flow-add that begins in the future", ADD, WHO + tuple4() + u64(A_START, 1 << 63), 0, None),
    ("flow-add with a reply tuple", ADD, WHO + tuple4() + nest(A_REPLY, nla(T_SRC4, b"\1\2\3\4")), 0, None),
    ("flow-add with a class", ADD, WHO + tuple4() + u8(A_CLASS, 3), 0, None),
    ("flow-add with a reason", ADD, WHO + tuple4() + u8(A_REASON, 1), 0, None),
    ("flow-add of ICMP with ports", ADD, u8(A_FAMILY, 2) + u8(A_PROTO, 1) + tuple4(), 0, None),
    ("flow-add of ICMP with a type that opens nothing", ADD, u8(A_FAMILY, 2) + u8(A_PROTO, 1) +
     nest(A_ORIG, nla(T_SRC4, b"\1\2\3\4"), nla(T_DST4, b"\1\2\3\5"), be16(T_ICMP_ID, 1), u8(T_ICMP_TYPE, 3)), 0, None),
    ("flow-add of UDP with a GRE key", ADD, WHO + nest(A_ORIG, nla(T_SRC4, b"\1\2\3\4"), nla(T_DST4, b"\1\2\3\5"),
                                                       nla(T_GRE_KEY, b"\0\0\0\1")), 0, None),
    ("flow-del without anything", DEL, b"", 0, None),
    ("flow-del of an id that is not there", DEL, u64(A_ID, 999), 0, errno.ENOENT),
    ("flow-del with an id and a filter", DEL, u64(A_ID, 999) + nest(A_FILTER, u8(2, 17)), 0, None),
    ("flow-del with a filter: prefix of 33 bits", DEL, nest(A_FILTER, u8(1, 2), nla(3, b"\1\2\3\4"), u8(4, 33)), 0, None),
    ("flow-del with a filter: prefix without address", DEL, nest(A_FILTER, u8(4, 8)), 0, None),
    ("flow-del with a filter: five bytes of address", DEL, nest(A_FILTER, nla(3, b"\1\2\3\4\5")), 0, None),
    ("flow-del with a filter: IPv6 address, IPv4 family", DEL, nest(A_FILTER, u8(1, 2), nla(3, b"\1" * 16)), 0, None),
    ("flow-del with a filter: two families", DEL, nest(A_FILTER, nla(3, b"\1" * 16), nla(5, b"\1" * 4)), 0, None),
    ("flow-del with a filter: ports upside down", DEL, nest(A_FILTER, u16(7, 9), u16(8, 5)), 0, None),
    ("flow-del with a filter: maximum without minimum", DEL, nest(A_FILTER, u16(8, 5)), 0, None),
    ("flow-del with a filter: state without protocol", DEL, nest(A_FILTER, u8(11, 3)), 0, None),
    ("flow-del with a filter: state that is none", DEL, nest(A_FILTER, u8(2, 6), u8(11, 77)), 0, None),
    ("flow-del with a filter: class that is none", DEL, nest(A_FILTER, u8(12, 9)), 0, None),
    ("flow-del with a filter: mask without mark", DEL, nest(A_FILTER, u32(14, 9)), 0, None),
    ("flow-del with a filter: unknown attribute", DEL, nest(A_FILTER, u32(40, 9)), 0, None),
    ("flow-del with a filter: ages upside down", DEL, nest(A_FILTER, u32(16, 9), u32(17, 5)), 0, None),
    ("a dump with a filter that is none", GET, nest(A_FILTER, u8(12, 9)), NLM_F_DUMP, None),
    ("a dump with an id", GET, u64(A_ID, 1), NLM_F_DUMP, None),
    ("a dump with an unknown attribute", GET, u32(77, 1), NLM_F_DUMP, None),
    ("stats-get with an attribute", STATS, u32(1, 1), 0, None),
    ("settings-get with an attribute", SETTINGS_GET, u32(1, 1), 0, None),
    ("settings-set without anything", SETTINGS_SET, b"", 0, None),
    ("settings-set of an unknown setting", SETTINGS_SET, u32(200, 1), 0, None),
    ("settings-set of the count", SETTINGS_SET, u32(3, 5), 0, errno.EPERM),
    ("settings-set of enable=3", SETTINGS_SET, u32(1, 3), 0, None),
    ("settings-set of max=0", SETTINGS_SET, u32(2, 0), 0, None),
    ("settings-set of 3 buckets", SETTINGS_SET, u32(4, 3), 0, None),
    ("settings-set of a policy that is none", SETTINGS_SET, u32(5, 3), 0, None),
    ("settings-set of a fallback that is evict", SETTINGS_SET, u32(6, 0), 0, None),
    ("settings-set with two bytes", SETTINGS_SET, u16(1, 1), 0, None),
    ("settings-set with eight bytes", SETTINGS_SET, u64(1, 1), 0, None),
    ("settings-set: a good one and a bad one", SETTINGS_SET, u32(2, 12345) + u32(5, 9), 0, None),
    ("an unknown command", 99, b"", 0, None),
    ("command 0", 0, b"", 0, None),
    ("a notification as a command", 7, b"", 0, None),
    ("bytes behind the last attribute", GET, WHO + tuple4() + b"\1\2\3", 0, None),
    ("an attribute that says it is longer than the message", GET, struct.pack("=HH", 200, A_ID) + b"\0" * 8, 0, None),
    ("an attribute that says it is shorter than its header", GET, struct.pack("=HH", 2, A_ID) + b"\0" * 8, 0, None),
]

# Errors that generic netlink itself makes, before the family is asked, carry no message on every kernel.
CORE = {"an unknown command", "command 0", "a notification as a command"}


def refused_case(what, cmd, attrs, flags, wanted):
    @case(what, only="flowtrack")
    def _(ctx):
        before = ctx.state()
        error, message, _ = ctx.nl.request(cmd, attrs, flags)
        check(error, "it was accepted")
        if wanted:
            equal(errno.errorcode.get(error), errno.errorcode[wanted], f"error ({message})")
        check(message or what in CORE, f"{errno.errorcode.get(error)} without a message")
        check(ctx.state() == before, "flows or settings have changed")


for args in REFUSED:
    refused_case(*args)


@case("several filters and an id: good requests are still good", only="flowtrack")
def _(ctx):
    error, message, replies = ctx.nl.request(GET, flags=NLM_F_DUMP)
    equal((error, len(replies)), (0, 2), f"dump ({message})")
    ident = next(struct.unpack("=Q", nla_parse(r)[A_ID])[0] for r in replies if nla_parse(r)[A_PROTO] == b"\x11")
    error, message, replies = ctx.nl.request(GET, u64(A_ID, ident))
    equal((error, len(replies)), (0, 1), f"get by id ({message})")
    error, message, _ = ctx.nl.request(ADD, WHO + tuple4() + u32(A_TIMEOUT, 5000))
    equal(error, 0, f"add ({message})")
    error, message, _ = ctx.nl.request(ADD, WHO + tuple4())
    equal((error, bool(message)), (errno.EEXIST, True), "added twice")
    error, message, _ = ctx.nl.request(DEL, WHO + tuple4())
    equal(error, 0, f"del ({message})")


@case("the policy of every command can be asked for, by anybody", only="flowtrack")
def _(ctx):
    ctrl = Genl(ctx.rig.r, "nlctrl")
    ctrl.family = 16
    error, message, replies = ctrl.request(10, u16(1, ctx.nl.family), NLM_F_DUMP)  # CTRL_CMD_GETPOLICY
    equal(error, 0, f"error ({message})")
    check(len(replies) > 50, f"{len(replies)} attributes in the policies")
    ctrl.close()


@case("as nobody: only counters and settings can be read, in this and in another user namespace", only="flowtrack")
def _(ctx):
    for how in ("user", "userns"):
        pid = os.fork()
        if not pid:
            code = 3
            try:
                setns(ctx.rig.r.fd)
                if how == "user":
                    os.setresgid(65534, 65534, 65534)
                    os.setresuid(65534, 65534, 65534)
                elif libc.unshare(0x10000000):
                    os._exit(4)
                nl = Genl()
                code = 0
                for cmd, attrs, flags in ((GET, b"", NLM_F_DUMP), (GET, WHO + tuple4(), 0), (ADD, WHO + tuple4(), 0),
                                          (DEL, nest(A_FILTER), 0), (SETTINGS_SET, u32(2, 5), 0)):
                    error, _, replies = nl.request(cmd, attrs, flags)
                    if error != errno.EPERM or replies:
                        code = 1
                for cmd, flags in ((STATS, 0), (STATS, NLM_F_DUMP), (SETTINGS_GET, 0)):
                    error, _, replies = nl.request(cmd, b"", flags)
                    if error or not replies:
                        code = 5
                try:
                    nl.join("events")
                    code = 2
                except PermissionError:
                    pass
            finally:
                os._exit(code)
        equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, f"{how}: exit status of the attempt")


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        if not data:
            break
        what = rng.randrange(4)
        at = rng.randrange(len(data))
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at:at + rng.randrange(1, 5)]
        elif what == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        else:
            data = data[:at]
    return bytes(data)


@case("three thousand random requests: none harms, each that is refused says why", only="flowtrack")
def _(ctx):
    rng = random.Random(2024)
    seeds = [(cmd, attrs, flags) for _, cmd, attrs, flags, _ in REFUSED if 1 <= cmd <= 6] + [
        (ADD, WHO + tuple4(), 0), (GET, b"", NLM_F_DUMP), (SETTINGS_GET, b"", 0), (STATS, b"", NLM_F_DUMP)]
    silent = {}
    for _ in range(3000):
        cmd, attrs, flags = rng.choice(seeds)
        if cmd == SETTINGS_SET:
            # What is accepted by chance must not spoil the rest of the test.
            cmd = GET
        attrs = mutate(rng, attrs) if rng.random() < 0.8 else rng.randbytes(rng.randrange(0, 80))
        error, message, _ = ctx.nl.request(cmd, attrs, flags)
        if error and not message:
            silent[error] = (cmd, attrs.hex(), flags)
    check(not silent, f"errors without a message: {silent}")
    ctx.rig.udp("c", 4, 1002, 53, "new/o")
    ctx.rig.udp("s", 4, 53, 1002, "est/r+s")


main(Context)
