#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A helper in user space, as conntrackd has them: its packets come to it by a queue, and its verdicts say what it expects.
What comes of it is what comes of it with the original module, and with nf_conntrack alone."""

from lib_ctnetlink import *

CTHELPER = 9
HELPER_NEW, _, HELPER_DELETE = range(3)
# Of which helpers: that of the rules, and one that an expected connection is given.
HELPER, ASSIGNED = b"notes\0", b"more\0"
PORT, PLAIN, EXPECTED = 7000, 8000, 9000
# So many connections it may expect at a time.
MOST = 2
STAMPS = nft_stamps()
RULES = STAMPS + f"""
table inet t {{
	ct helper notes4 {{ type "notes" protocol udp; l3proto ip; }}
	ct helper notes6 {{ type "notes" protocol udp; l3proto ip6; }}
	chain forw {{
		type filter hook forward priority 0
		meta nfproto ipv4 udp dport {PORT} ct helper set "notes4"
		meta nfproto ipv6 udp dport {PORT} ct helper set "notes6"
		udp dport {PLAIN} queue num 0
	}}
}}"""


def register(ctnl, name, family):
    """A helper of UDP, whose packets come to queue 0."""
    of = nest(2, be16(1, FAMILY[family]), nla(2, bytes([UDP])))
    policy = nest(4, be32(1, 1), nest(2, nla(1, b"notes\0"), be32(2, MOST), be32(3, 300)))
    error, _ = ctnl.request(HELPER_NEW, nla(1, name) + of + be32(3, 0) + policy + be32(5, 0) + be32(6, 1),
                            CREATE | EXCL, subsys=CTHELPER)
    equal(error, 0, f"registering {name}")


def expectation(family, dport, *more):
    """The server will send to that port of the client, whatever port it sends from."""
    ones = "255.255.255.255" if family == 4 else "ffff:" * 7 + "ffff"
    return b"".join((tuple_attr(EXP_TUPLE, family, Rig.S[family], Rig.C[family], UDP, 0, dport),
                     tuple_attr(EXP_MASK, family, ones, ones, UDP, 0, 65535), be32(EXP_TIMEOUT, 200), *more))


def told(listener):
    """Events of expectations, without what chance decides."""
    seen = []
    listener.sock.setblocking(False)
    while True:
        try:
            seen += [(kind, flags, payload[:4], blur(payload[4:])) for kind, flags, _, payload in listener.messages()]
        except BlockingIOError:
            return seen


def blur(payload):
    return [(kind, value) for kind, value in nla_parse(payload).items() if kind not in (EXP_ID, EXP_TIMEOUT)]


def blur_ct(message):
    return sorted((name, value) for name, value in words(message).items() if name not in ("id", "timeout", "use"))


TUPLE_SIZE = {family: len(tuple_attr(EXP_TUPLE, family, Rig.S[family], Rig.C[family], UDP, 0, 1)) for family in FAMILIES}


class World:
    """One of the trackers, and what was seen there."""

    def __init__(self, rig, module, enable):
        self.rig, self.module, self.log = rig, module, []
        rig.r.sysctl("enable", enable)
        swap(module)
        rig.r.conntrack_flush()
        self.ctnl = Ctnl(rig.r)
        for family in FAMILIES:
            for name in (HELPER, ASSIGNED):
                register(self.ctnl, name, family)
        rig.reset(RULES)
        self.queue, self.listeners = Queued(rig.r), [Ctnl(rig.r, (group,)) for group in (4, 6)]

    def close(self):
        for thing in (self.queue, self.ctnl, *self.listeners):
            thing.close()

    def queued(self, side, mark=None, expect=None):
        """The packet that was sent from a side. Return: attributes of its connection."""
        ident, attrs, info = self.queue.next()
        for name in ("id", "timeout"):
            attrs.pop(name, None)
        self.log.append(("queued", attrs, info))
        self.queue.verdict(ident, NF_ACCEPT, mark, expect)
        near, far = self.rig.wire(side)
        near.flush()
        equal(len(far.receive()), 1, "packets that come out")
        return attrs

    def say(self, family, sport, dport, expect):
        """A packet of the client's that is queued. Its verdict has expect, attributes of an expectation."""
        self.rig.wire("c")[0].send(self.rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], sport, dport, b"q"), family))
        self.queued("c", 0x5, expect)
        shown = self.ctnl.dump(family, kind=EXP_GET, subsys=SUBSYS_EXP)
        self.log.append(("expected", [message[:3] for message in shown], sorted(blur(message[3]) for message in shown)))
        return len(shown)

    def come(self, family, side, sport, dport):
        """What the router says of a packet."""
        src, dst = (Rig.C, Rig.S) if side == "c" else (Rig.S, Rig.C)
        state = self.rig.stamp(side, self.rig.packet(side, UDP, udp(src[family], dst[family], sport, dport, b"x"), family))
        self.log.append((side, sport, dport, state))
        return state

    def run(self, family):
        equal(self.say(family, 900, PORT, expectation(family, EXPECTED)), 1, "expectations")
        check(b"notes" in self.log[-2][1].get("help", b""), f"the connection has no helper: {self.log[-2]}")
        equal(self.come(family, "s", 5555, EXPECTED + 1), "new/o", "a packet that nobody expects")
        equal(self.come(family, "s", 5555, EXPECTED), "rel/o", "a packet that is expected")
        self.come(family, "c", EXPECTED, 5555)
        self.come(family, "s", 5555, EXPECTED)
        # It was expected once.
        equal(self.come(family, "s", 5556, EXPECTED), "new/o", "another packet to the same port")
        self.log.append(sorted(blur_ct(message) for message in self.ctnl.dump(family=family)))
        self.wrong(family)
        self.many(family)
        self.log.append([told(listener) for listener in self.listeners])

    def incomplete(self, family):
        """Without a tuple, or without its mask: the original follows a null pointer."""
        before = len(self.log)
        for expect in (b"", b"\xff" * 8, expectation(family, EXPECTED + 2)[:TUPLE_SIZE[family]]):
            equal(self.say(family, 900, PORT, expect), 0, f"expectations after {expect}")
        del self.log[before:]

    def wrong(self, family):
        """What a helper should not send: the packet goes on, and nothing is expected."""
        good = expectation(family, EXPECTED + 2)
        for expect in (good[:-8] + be32(EXP_CLASS, 9), good + nla(EXP_HELP, b"nobody\0"), good + be32(EXP_FLAGS, 0x80),
                       expectation(10 - family, EXPECTED + 2), good + nest(EXP_NAT, b""), good + nla(EXP_FN, b"nobody\0")):
            equal(self.say(family, 900, PORT, expect), 0, f"expectations after {expect}")
        if self.module == OURS:
            self.incomplete(family)
        # A connection without a helper expects nothing.
        equal(self.say(family, 900, PLAIN, good), 0, "expectations of a connection without a helper")
        equal(self.come(family, "s", 5557, EXPECTED + 2), "new/o", "a packet that nobody expects")

    def many(self, family):
        """The same again is the same; the oldest of too many makes room; one may be permanent."""
        for port, more, there in ((3, b"", 1), (3, b"", 1), (4, nla(EXP_HELP, ASSIGNED), 2), (5, be32(EXP_FLAGS, 1), MOST)):
            equal(self.say(family, 900, PORT, expectation(family, EXPECTED + port, more)), there, "expectations")
        for sport in (5558, 5559):
            equal(self.come(family, "s", sport, EXPECTED + 5), "rel/o", "a packet that is expected for good")
        self.rig.wire("s")[0].send(self.rig.packet("s", UDP, udp(Rig.S[family], Rig.C[family], 5560, EXPECTED + 4, b"x"), family))
        attrs = self.queued("s")
        check(b"more" in attrs["help"], f"the expected connection was to get a helper: {attrs}")
        self.log.append(sorted(blur_ct(message) for message in self.ctnl.dump(family=family)))


def setup():
    rig = Rig(STAMPS)
    run("modprobe", "nfnetlink_cthelper")
    return rig


@case("what it expects is related: as with the original, and with nf_conntrack alone", only="flowtrack")
def _(rig):
    logs = []
    try:
        for module, enable in ((ORIGINAL, 0), (OURS, 0), (OURS, 1)):
            world = World(rig, module, enable)
            try:
                for family in FAMILIES:
                    world.run(family)
            finally:
                rig.reset(STAMPS)
                rig.r.conntrack_flush()
                busywait(10, lambda world=world: not world.ctnl.request(HELPER_DELETE, subsys=CTHELPER)[0], "the helpers go")
                world.close()
            logs.append(world.log)
    finally:
        swap(OURS)
        rig.r.sysctl("enable", 1)
    for who, log in (("nf_conntrack with our ctnetlink", logs[1]), ("flowtrack", logs[2])):
        for theirs, mine in zip(logs[0], log):
            equal(mine, theirs, who)
        equal(len(log), len(logs[0]), f"{who}: what was seen")


def teardown(_rig):
    run("modprobe", "-r", "nfnetlink_cthelper", ok=False)


main(setup, teardown)
