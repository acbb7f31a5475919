#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Random requests to both of conntrack's subsystems, and requests of those that may make none: ours answers as the original."""
# TIMEOUT: 400

import contextlib
import errno
import random

from lib_ctnetlink import *

REQUESTS = 2000
C, S = Rig.C, Rig.S
EXP_NEW, EXP_GET, EXP_DELETE = range(3)
# The original of 6.1 does not look at CTA_ZONE, nor at addresses of IPv6, in a dump or a flush: nothing to compare with.
ALIKE = os.environ.get("KERNEL") != "6.1"
# TCP: state, window scales, flags with their masks.
PROTOINFO_TCP = nest(PROTOINFO, nest(1, nla(1, (1, 3)), nla(2, (1, 7)), nla(3, (1, 7)), nla(4, b"\x0a\x0a"), nla(5, b"\x0a\x0a")))


def pair(family, proto, sport, dport):
    reply = (dport, sport)
    if proto in (ICMP, ICMP6):
        kinds = (8, 0) if proto == ICMP else (128, 129)
        sport, dport, reply = 7, (kinds[0], 0), (7, (kinds[1], 0))
    return (tuple_attr(TUPLE_ORIG, family, C[family], S[family], proto, sport, dport) +
            tuple_attr(TUPLE_REPLY, family, S[family], C[family], proto, *reply))


def seeds():
    """(subsystem, type, flags, family, attributes): good requests of all kinds."""
    for family in (4, 6):
        for proto in (TCP, UDP, SCTP, ICMP if family == 4 else ICMP6):
            both = pair(family, proto, 1000, 2000)
            extra = PROTOINFO_TCP if proto == TCP else b""
            for more in (b"", be32(MARK, 5), be32(STATUS, 0xe), be16(ZONE, 3), nla(LABELS, b"\x01" + b"\0" * 15)):
                yield SUBSYS, CT_NEW, CREATE | EXCL, family, both + be32(TIMEOUT, 300) + extra + more
            yield SUBSYS, CT_NEW, 0, family, both + be32(MARK, 7) + be32(MARK_MASK, 0xff) + be32(TIMEOUT, 100) + extra
            for kind in (CT_GET, CT_DELETE):
                yield SUBSYS, kind, 0, family, both
                yield SUBSYS, kind, 0, family, tuple_attr(TUPLE_ORIG, family, C[family], S[family], UDP, 1000, 2000) + be32(ID, 5)
            yield SUBSYS, CT_DELETE, 0, family, be32(MARK, 5) + be32(STATUS, 2) + be32(STATUS_MASK, 2)
        tuples = tuple_attr(TUPLE_ORIG, family, C[family], S[family], TCP, 1000, 2000)
        for attrs in (b"", be32(MARK, 5) + be32(MARK_MASK, 1), be32(STATUS, 2) + be32(STATUS_MASK, 2), be16(ZONE, 3),
                      tuples + nest(FILTER, nla(1, (4, 1 << 3 | 1 << 4)), nla(2, (4, 0)))):
            for kind in (CT_GET, CT_GET_CTRZERO, CT_DYING, CT_UNCONFIRMED, CT_STATS_CPU):
                yield SUBSYS, kind, DUMP | ACK, family, attrs
        master = tuple_attr(1, family, C[family], S[family], TCP, 1000, 2000)
        wanted = tuple_attr(2, family, S[family], C[family], TCP, 0, 5555)
        mask = tuple_attr(3, family, *(("255.255.255.255",) * 2 if family == 4 else ("ffff:" * 7 + "ffff",) * 2), TCP, 0, 65535)
        yield SUBSYS_EXP, EXP_NEW, CREATE, family, master + wanted + mask + be32(4, 300)
        # Of a connection that can expect nothing there is not even an end of the dump.
        yield SUBSYS_EXP, EXP_GET, DUMP | ACK, family, master
        for kind in (EXP_GET, EXP_DELETE):
            yield SUBSYS_EXP, kind, 0, family, wanted + be32(5, 1)
        yield SUBSYS_EXP, EXP_DELETE, 0, family, nla(6, b"ftp\0")


SEEDS = list(seeds())


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        if not data:
            break
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at:at + rng.randrange(1, 5)]
            case 2:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 3:
                data = data[:at]
    return bytes(data)


def requests(rng):
    for n in range(REQUESTS):
        if not n % 50:
            yield SUBSYS, CT_DELETE, 0, 0, b""
        subsys, kind, flags, family, attrs = rng.choice(SEEDS)
        draw = rng.random()
        if draw < 0.6:
            attrs = mutate(rng, attrs)
        elif draw < 0.65:
            attrs = rng.randbytes(rng.randrange(0, 80))
        elif draw < 0.7:
            family = rng.randrange(256)
        elif draw < 0.75 and not flags & DUMP:
            kind, subsys = rng.randrange(10), rng.choice((SUBSYS, SUBSYS_EXP))
        yield subsys, kind, flags, family, attrs


def fuzz(rig, module, seed):
    """What each of the same random requests ended in, and how many were answered."""
    swap(module)
    ctnl, log = Ctnl(rig.r), []
    for subsys, kind, flags, family, attrs in requests(random.Random(seed)):
        error, replies = ctnl.request(kind, attrs, flags, family, subsys)
        log.append(((subsys, kind, hex(flags), family, attrs.hex()), errno.errorcode.get(error, error),
                    len(replies) if kind != CT_STATS_CPU else 0))
    ctnl.request(CT_DELETE)
    ctnl.close()
    return log


def differences(ours, theirs):
    if not ALIKE:
        return []
    return [(request, "ours", a, n, "the original", b, m) for (request, a, n), (_, b, m) in zip(ours, theirs)
            if (a, n) != (b, m)]


@case("nf_conntrack's table: each of 2000 random requests is answered as by the original", only="flowtrack")
def _(rig):
    rig.r.sysctl("enable", 0)
    try:
        ours, theirs = (fuzz(rig, module, 14) for module in (OURS, ORIGINAL))
    finally:
        rig.r.sysctl("enable", 1)
    check(sum(error == 0 for _, error, _ in theirs) > REQUESTS // 10, "hardly any request is good")
    found = differences(ours, theirs)
    check(not found, f"{len(found)} differ: {found[:3]}")


@case("our table: random requests do no harm, and what is accepted is what nf_conntrack accepts", only="flowtrack")
def _(rig):
    theirs = fuzz(rig, ORIGINAL, 15)
    ours = fuzz(rig, OURS, 15)
    found = differences(ours, theirs)
    check(not found, f"{len(found)} differ: " + "\n".join(map(str, found[:12])))
    rig.udp("c", 4, 1002, 53, "new/o")
    rig.udp("s", 4, 53, 1002, "est/r+s")


def as_nobody(rig, how):
    """The errors of one request of each kind, and of joining each group, as somebody who has no right to make any."""
    receive, send = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            setns(rig.r.fd)
            if how == "user":
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            elif libc.unshare(0x10000000 | (CLONE_NEWNET if how == "netns" else 0)):
                os._exit(4)
            log = []
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as sock:
                for group in range(1, 7):
                    try:
                        sock.setsockopt(270, 1, group)
                        log.append(0)
                    except OSError as e:
                        log.append(e.errno)
            ctnl = Ctnl.__new__(Ctnl)
            ctnl.sock, ctnl.seq = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12), 0
            ctnl.sock.settimeout(20)
            for subsys, kind, flags, family, attrs in SEEDS:
                error, replies = ctnl.request(kind, attrs, flags, family, subsys)
                log.append((error, len(replies) if kind != CT_STATS_CPU else 0))
            os.write(send, json.dumps(log).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(send)
    with os.fdopen(receive) as f:
        log = json.loads(f.read() or "[]")
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, f"{how}: exit status of the attempt")
    return log


@case("without privilege, in another user namespace, in one with a network of its own: what ctnetlink gives, no more",
      only="flowtrack")
def _(rig):
    rig.reset()
    rig.udp("c", 4, 1002, 53, "new/o")
    seen = {}
    for module in (ORIGINAL, OURS):
        swap(module)
        seen[module] = {how: as_nobody(rig, how) for how in ("user", "userns", "netns")}
    for how in ("user", "userns"):
        equal({e if isinstance(e, int) else e[0] for e in seen[OURS][how]}, {errno.EPERM}, f"{how}: errors")
        equal(sum(0 if isinstance(e, int) else e[1] for e in seen[OURS][how]), 0, f"{how}: answers")
    for how, log in seen[ORIGINAL].items() if ALIKE else ():
        equal(seen[OURS][how], log, f"{how}: errors and answers")
    with rig.r:
        equal(len(flowtrack_flows()), 1, "flows that are left")


def ask_on(ns, kinds):
    """Dumps, one after the other, whatever is answered, until the parent ends that."""
    pid = os.fork()
    if pid:
        return pid
    try:
        while True:
            ctnl = Ctnl(ns)
            ctnl.sock.settimeout(0.2)
            with contextlib.suppress(OSError, struct.error):
                for kind in kinds:
                    ctnl.request(kind, flags=DUMP)
            ctnl.close()
    finally:
        os._exit(1)


@case("requests while the module comes and goes, and namespaces as well: none meets half of it", only="flowtrack")
def _(rig):
    swap(OURS)
    children = []

    def comes():
        # A request may have had the kernel load the original meanwhile.
        run("rmmod", ORIGINAL, ok=False)
        return run("insmod", CTNL_KO, ok=False)[0] == 0
    try:
        children.append(ask_on(rig.r, (CT_DYING,)))
        children.append(ask_on(rig.r, (CT_GET, CT_STATS_CPU, CT_UNCONFIRMED)))
        # As long as a namespace is cleaned up, the module waits in the middle of its start.
        churn = ["/bin/bash", "-c", "while true; do unshare -n true; done"]
        children.append(os.posix_spawn(churn[0], churn, os.environ))
        for _ in range(8):
            busywait(20, lambda: run("rmmod", OURS, ok=False)[0] == 0, f"rmmod {OURS}")
            busywait(20, comes, f"insmod {OURS}")
    finally:
        for pid in children:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    equal(Ctnl(rig.r).request(CT_DYING, flags=DUMP)[0], 0, "error of a dump afterwards")


def setup():
    rig = Rig()
    run("modprobe", "nf_conntrack_ftp")
    return rig


def teardown(_rig):
    Ns.delete_all()
    run("modprobe", "-r", "nf_conntrack_ftp", ok=False)


main(setup, teardown)
