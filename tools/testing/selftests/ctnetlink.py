#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""ctnetlink for both tables: conntrack(8) and the rest see flowtrack's flows beside nf_conntrack's."""
# TIMEOUT: 700
# CPUS: 2

from lib_ctnetlink import *

# What traffic() opens.
FLOWS = 20
RULES = nft_stamps() + """
table inet t {
	chain pre {
		type filter hook prerouting priority -150
		tcp dport 80 ct mark set 0x17
	}
}"""
# With what only nf_conntrack can keep.
RICH = RULES + """
table inet rich {
	ct helper ftp { type "ftp" protocol tcp; }
	chain post {
		type nat hook postrouting priority 100
		oif rs udp dport 53 masquerade
	}
	chain forw {
		type filter hook forward priority 0
		tcp dport 21 ct helper set "ftp"
		udp dport 123 ct label set 5
	}
	chain zone {
		type filter hook prerouting priority -300
		udp dport 7 ct zone set 9
		udp dport 9 ct original zone set 8
	}
}"""


def setup():
    rig = Rig(RULES)
    rig.r.sysctl("tcp_timeout_established", 432000)
    # Ten seconds are not long for a kernel that checks itself.
    for name in ("sctp_timeout_closed", "net.netfilter.nf_conntrack_sctp_timeout_closed"):
        rig.r.sysctl(name, 60)
    swap(OURS)
    return rig


def by_conntrack(rig, ruleset=RULES, extra=()):
    """The same traffic, tracked by nf_conntrack."""
    rig.r.sysctl("enable", 0)
    try:
        rig.r.conntrack_flush()
        rig.r.nft("flush ruleset\n" + ruleset)
        traffic(rig, extra)
    finally:
        rig.r.sysctl("enable", 1)


def begin(rig):
    """Nothing in either table, then the traffic."""
    rig.r.conntrack_flush()
    rig.reset(RULES)
    traffic(rig)


def dump(rig, **kw):
    ctnl = Ctnl(rig.r)
    try:
        return ctnl.dump(**kw)
    finally:
        ctnl.close()


def blurred(attrs):
    """The attributes, without what a second or another packet changes."""
    return [(NAMES.get(kind, kind), value) for kind, value in attrs.items() if kind not in (TIMEOUT,)]


def trackers(rig, rules):
    """Under the rules, both tables empty: with nf_conntrack alone (0), then with flows of our own (1)."""
    for enable in (0, 1):
        rig.r.sysctl("enable", enable)
        rig.r.conntrack_flush()
        rig.reset(rules)
        yield enable


@case("the original is loaded: one line says what to do, and nothing is changed", only="flowtrack")
def _(rig):
    swap(ORIGINAL)
    log = Kmsg()
    status, _, _ = run("insmod", CTNL_KO, ok=False)
    lines = [line for line in log.read() if OURS in line]
    log.close()
    check(status != 0, "it was loaded beside the original")
    equal(len(lines), 1, f"lines in the kernel's log: {lines}")
    check("modprobe -r nf_conntrack_netlink" in lines[0], lines[0])
    dump(rig)
    swap(OURS)


@case("entries of nf_conntrack: byte by byte what the original sends", only="flowtrack")
def _(rig):
    for name in ("acct", "timestamp"):
        rig.r.sysctl(f"net.netfilter.nf_conntrack_{name}", 1)
    run("modprobe", "nf_conntrack_ftp")
    by_conntrack(rig, RICH, (21, 123, 7, 9))
    rig.r.sysctl("enable", 0)
    seen = {}
    for module in (OURS, ORIGINAL, OURS, ORIGINAL):
        swap(module)
        seen.setdefault(module, []).append(dump(rig))
        # One of them, by its tuple.
        ctnl = Ctnl(rig.r)
        error, one = ctnl.request(CT_GET, tuple_attr(TUPLE_ORIG, 4, Rig.C[4], Rig.S[4], UDP, 1001, 5353), family=4)
        equal(error, 0, f"{module}: error of CT_GET")
        seen[module][-1] += one
        ctnl.close()
    swap(OURS)
    rig.r.sysctl("enable", 1)
    check(len(seen[ORIGINAL][0]) >= 30, f"only {len(seen[ORIGINAL][0])} entries")
    rig.r.nft("flush ruleset\n" + RULES)
    run("modprobe", "-r", "nf_conntrack_ftp", ok=False)
    for name in ("acct", "timestamp"):
        rig.r.sysctl(f"net.netfilter.nf_conntrack_{name}", 0)
    for ours, theirs in zip(seen[OURS], seen[ORIGINAL]):
        equal(len(ours), len(theirs), "entries")
        for a, b in zip(ours, theirs):
            equal(a[:3], b[:3], "headers")
            equal(list(nla_parse(a[3])), list(nla_parse(b[3])), "attributes, in their order")
            equal(blurred(nla_parse(a[3])), blurred(nla_parse(b[3])), "entry")
            equal(len(a[3]), len(b[3]), "length of an entry")
    names = {name for m in seen[OURS][0] for name in words(m)}
    for name in ("help", "labels", "zone", "timestamp", "counters-orig", "protoinfo"):
        check(name in names, f"no entry has {name}: {names}")


# What a dump never has: only requests do, or events (timestamp-event, since Linux 6.14), or no module ever did (secmark);
# secctx has a case of its own.
NOT_SHOWN = {"nat-src", "nat-dst", "mark-mask", "labels-mask", "filter", "status-mask", "secmark", "secctx", "timestamp-event"}


def addressed(kind, family, first, last, *more):
    """CTA_NAT_SRC or CTA_NAT_DST: a range of addresses, and of ports."""
    low, high = (1, 2) if family == 4 else (4, 5)
    return nest(kind, nla(low, pton(first)), nla(high, pton(last)), *more)


def everything():
    """Requests that enter connections with all that a request can say of one, and that change them: (attributes, flags, family)."""
    port = nest(3, be16(1, 7777), be16(2, 7777))
    seq = [nest(kind, be32(1, 100 + kind), be32(2, 5), be32(3, 0xfffffffe)) for kind in (SEQ_ADJ_ORIG, SEQ_ADJ_REPLY)]
    tcp = nest(PROTOINFO, nest(1, nla(1, b"\3"), nla(2, b"\7"), nla(3, b"\5"), nla(4, b"\x0a\x0a"), nla(5, b"\x08\x0a")))
    sctp_ = nest(PROTOINFO, nest(3, nla(1, b"\4"), be32(2, 0x1234), be32(3, 0x5678)))
    dccp = nest(PROTOINFO, nest(2, nla(1, b"\4"), nla(2, b"\0"), nla(3, struct.pack("!Q", 77))))
    labels = nla(LABELS, b"\x21" + b"\0" * 15)
    synproxy = nest(SYNPROXY, be32(1, 11), be32(2, 22), be32(3, 33))
    for family, other in ((4, "10.9.2.77"), (6, "fd09:2::77")):
        c, s = Rig.C[family], Rig.S[family]

        def pair(proto, sport, dport, c=c, s=s, family=family):
            return (tuple_attr(TUPLE_ORIG, family, c, s, proto, sport, dport) +
                    tuple_attr(TUPLE_REPLY, family, s, c, proto, dport, sport) + be32(TIMEOUT, 3000))

        replied = be32(STATUS, 0xe)
        rows = [pair(TCP, 1, 21) + nest(HELP, nla(1, b"ftp\0")) + tcp + replied,
                pair(TCP, 2, 80) + tcp + replied + be32(MARK, 0x1234) + b"".join(seq),
                pair(TCP, 3, 80) + tcp + synproxy + replied,
                pair(UDP, 4, 53) + addressed(NAT_SRC, family, other, other, port),
                pair(UDP, 5, 53) + addressed(NAT_DST, family, other, other, port) + replied,
                pair(UDP, 6, 53) + labels + be16(ZONE, 7),
                pair(UDP, 7, 53) + tuple_attr(TUPLE_MASTER, family, c, s, TCP, 1, 21) + be32(STATUS, 0xa),
                pair(SCTP, 8, 9) + sctp_ + replied,
                pair(33, 9, 10) + dccp + replied,
                pair(UDPLITE, 10, 11), pair(UDP, 11, 53) + be32(STATUS, 0x400), pair(UDP, 12, 53) + labels]
        for attrs in rows:
            yield attrs, CREATE | EXCL, family
        one = tuple_attr(TUPLE_ORIG, family, c, s, TCP, 2, 80)
        for change in (be32(MARK, 0x5600) + be32(MARK_MASK, 0xff00), tcp, seq[1], synproxy, be32(TIMEOUT, 2000),
                       nla(LABELS, b"\x80" + b"\0" * 15) + nla(LABELS_MASK, b"\xf0" + b"\xff" * 15), replied,
                       nest(HELP, nla(1, b"")), be32(STATUS, 8), addressed(NAT_SRC, family, other, other)):
            yield one + change, 0, family
        fixed = tuple_attr(TUPLE_ORIG, family, c, s, UDP, 11, 53)
        yield fixed + be32(TIMEOUT, 100), 0, family
        yield tuple_attr(TUPLE_ORIG, family, c, s, TCP, 1, 21) + nest(HELP, nla(1, b"ftp\0")), 0, family


CTA_STATS_INSERT = 8


@case("counters of each CPU, and the number of entries: byte by byte what the original sends", only="flowtrack")
def _(rig):
    run("modprobe", "nf_conntrack_ftp")
    by_conntrack(rig, RICH, (21,))
    rig.r.sysctl("enable", 0)
    rig.r.run("conntrack", "-I", "-p", "udp", "-s", "10.77.0.1", "-d", Rig.S[4], "--sport", "1", "--dport", "2", "-t", "90")
    seen, totals = {}, {}
    for module in (ORIGINAL, OURS):
        swap(module)
        ctnl = Ctnl(rig.r)
        error, ((*head, total),) = ctnl.request(CT_STATS)
        seen[module] = [ctnl.dump(kind=CT_STATS_CPU), ctnl.dump(kind=EXP_STATS, subsys=SUBSYS_EXP),
                        (error, head, list(nla_parse(total)))]
        totals[module] = [struct.unpack("!I", value)[0] for value in nla_parse(total).values()]
        ctnl.close()
    rig.r.sysctl("enable", 1)
    rig.r.nft("flush ruleset\n" + RULES)
    run("modprobe", "-r", "nf_conntrack_ftp", ok=False)
    for ours, theirs in zip(seen[OURS], seen[ORIGINAL]):
        equal(ours, theirs, "counters")
    # What both tables have, and may have.
    equal(totals[OURS], [totals[ORIGINAL][0], totals[ORIGINAL][1] + int(rig.r.sysctl("max"))], "entries, and how many may be")
    check(len(seen[ORIGINAL][0]) > 1, "only one CPU")
    inserted = [struct.unpack("!I", nla_parse(message[3])[CTA_STATS_INSERT])[0] for message in seen[ORIGINAL][0]]
    check(any(inserted), f"nothing was counted: {inserted}")


@case("CT_NEW with every attribute: what is entered, changed, told and shown is what the original makes of it",
      only="flowtrack")
def _(rig):
    for name in ("acct", "timestamp"):
        rig.r.sysctl(f"net.netfilter.nf_conntrack_{name}", 1)
    run("modprobe", "-a", "nf_conntrack_ftp", "nf_nat")
    rig.r.sysctl("enable", 0)
    rig.r.nft("flush ruleset\n" + RICH)
    seen = []
    try:
        for module in (ORIGINAL, OURS):
            rig.r.conntrack_flush()
            swap(module)
            listener, ctnl = Listener(rig.r), Ctnl(rig.r)
            errors = [ctnl.request(CT_NEW, attrs, flags, family=family)[0] for attrs, flags, family in everything()]
            told = listener.events()
            entries = {identity(m): (m[:3], blurred(nla_parse(m[3]))) for m in dump(rig)}
            seen.append((errors, told, entries))
            listener.close()
            ctnl.close()
    finally:
        rig.r.conntrack_flush()
        rig.r.nft("flush ruleset\n" + RULES)
        rig.r.sysctl("enable", 1)
        for name in ("acct", "timestamp"):
            rig.r.sysctl(f"net.netfilter.nf_conntrack_{name}", 0)
        unload_nat()
    (errors, told, entries), ours = seen
    equal(ours[0], errors, "errors")
    check(errors.count(0) > len(errors) // 2, f"hardly any request is good: {errors}")
    equal(set(ours[2]), set(entries), "entries")
    shown = set()
    for key, (head, attrs) in entries.items():
        shown |= {name for name, _ in attrs} | {"timeout"}
        equal(ours[2][key][0], head, "header")
        for (name, value), (name_, value_) in zip(ours[2][key][1], attrs):
            if name not in ("id", "timestamp"):
                equal((name, value), (name_, value_), f"an attribute of {attrs}")
        equal(len(ours[2][key][1]), len(attrs), "attributes")
    equal(set(NAMES.values()) - shown, NOT_SHOWN, "attributes that no entry has")
    equal(set(ours[1]), set(told), "connections of which is told")
    for key, wanted in told.items():
        for event in wanted + ours[1][key]:
            event[3].update((name, "any") for name in ("timeout", "id", "timestamp", "timestamp-event") if name in event[3])
        equal(ours[1][key], wanted, "events")


@case("the same connection, tracked by either: the same attributes", only="flowtrack")
def _(rig):
    for acct in (0, 1):
        for name in ("acct", "timestamp"):
            rig.r.sysctl(f"net.netfilter.nf_conntrack_{name}", acct)
        by_conntrack(rig)
        theirs = {identity(m): words(m) for m in dump(rig)}
        begin(rig)
        equal(rig.r.conntrack_count(), 0, "entries in nf_conntrack")
        ours = {identity(m): words(m) for m in dump(rig)}
        equal(len(ours), FLOWS, "flows")
        equal(set(ours), set(theirs), "connections")
        for key, attrs in ours.items():
            other = theirs[key]
            equal(list(attrs), list(other), "attributes, in their order")
            seconds = [struct.unpack("!I", a["timeout"])[0] for a in (attrs, other)]
            check(abs(seconds[0] - seconds[1]) <= 5, f"timeouts {seconds}")
            for name in ("timeout", "id", "timestamp"):
                attrs.pop(name, None)
                other.pop(name, None)
            equal(attrs, other, "attributes")
    for name in ("acct", "timestamp"):
        rig.r.sysctl(f"net.netfilter.nf_conntrack_{name}", 0)


NATTED = RULES + """
table inet nat {
	chain pre {
		type nat hook prerouting priority -100
		meta nfproto ipv4 udp dport 8053 dnat ip to %s:5454
		meta nfproto ipv6 udp dport 8053 dnat ip6 to [%s]:5454
	}
	chain post {
		type nat hook postrouting priority 100
		oif rs udp dport { 53, 5353 } masquerade
		oif rs tcp dport 80 masquerade
	}
}""" % (Rig.S[4], Rig.S[6])
# What translated() opens.
TRANSLATED = 8


def translated(rig):
    """Connections whose source is translated, without an answer, answered, of TCP, and one with another destination."""
    for family in FAMILIES:
        c, s, rc, rs = (addr[family] for addr in (Rig.C, Rig.S, Rig.RC, Rig.RS))
        for side, proto, src, dst, l4 in (
                ("c", UDP, c, s, udp(c, s, 1000, 53, b"q")), ("c", UDP, c, s, udp(c, s, 1001, 5353, b"q")),
                ("s", UDP, s, rs, udp(s, rs, 5353, 1001, b"answer")), ("c", TCP, c, s, tcp(c, s, 2000, 80, "S", 1000)),
                ("s", TCP, s, rs, tcp(s, rs, 80, 2000, "SA", 5000, 1001)), ("c", TCP, c, s, tcp(c, s, 2000, 80, "A", 1001, 5001)),
                ("c", UDP, c, rc, udp(c, rc, 1002, 8053, b"q")), ("s", UDP, s, c, udp(s, c, 5454, 1002, b"answer"))):
            check(rig.send(side, ip(src, dst, proto, l4, rig.next_ident())), f"a packet from {src} to {dst} did not come through")


@case("the same translated connection, tracked by either: attributes, events, and what conntrack shows", only="flowtrack")
def _(rig):
    forms = [("-L", *more) for more in (
        (), ("-n",), ("-g",), ("-j",), ("-n", Rig.RS[4]), ("-f", "ipv6", "-g", Rig.S[6]), ("-q", Rig.RS[4]), ("-o", "extended"),
        ("-o", "save"), ("-o", "xml"))]
    seen = []
    was = rig.r.sysctl("nat")
    rig.r.sysctl("nat", "all")
    try:
        for enable in trackers(rig, NATTED):
            listener = Listener(rig.r)
            translated(rig)
            equal((len(rig.r.flows()), rig.r.conntrack_count()), (TRANSLATED * enable, TRANSLATED * (1 - enable)), "flows and entries")
            shown = {identity(m): words(m) for m in dump(rig)}
            text = [(main_lines if form[-1] != "xml" else xml_flows)(rig.r.run("conntrack", *form)[1]) for form in forms]
            rig.r.conntrack_flush()
            told = listener.events()
            listener.close()
            for attrs in [*shown.values(), *(event[3] for events in told.values() for event in events)]:
                for name in ("timeout", "id"):
                    attrs.pop(name, None)
            seen.append((shown, told, text))
    finally:
        rig.r.sysctl("nat", was)
        rig.reset(RULES)
        unload_nat()
    theirs, ours = seen
    for what, a, b in (("attributes", ours[0], theirs[0]), ("events", ours[1], theirs[1])):
        equal(set(a), set(b), f"connections, by {what}")
        for key, wanted in b.items():
            equal(a[key], wanted, what)
    for form, a, b in zip(forms, ours[2], theirs[2]):
        equal(a, b, f"conntrack {' '.join(form)}")
    # One of the four of a family has another destination.
    equal([len(lines) for lines in theirs[2][:7]], [8, 6, 2, 8, 3, 1, 3], "lines of conntrack -L, -L -n, and so on")


@case("an id is a connection's for its whole life, and no other one's", only="flowtrack")
def _(rig):
    begin(rig)
    before = {identity(m): words(m)["id"] for m in dump(rig)}
    traffic(rig)
    after = {identity(m): words(m)["id"] for m in dump(rig)}
    equal(after, before, "ids")
    equal(len(set(after.values())), len(after), "different ids")
    rig.reset()
    traffic(rig)
    again = {identity(m): words(m)["id"] for m in dump(rig)}
    check(not set(again.values()) & set(before.values()), "an id has come back")


@case("get: by either tuple; another zone or none is ENOENT", only="flowtrack")
def _(rig):
    begin(rig)
    ctnl = Ctnl(rig.r)
    for family in FAMILIES:
        c, s = Rig.C[family], Rig.S[family]
        icmp, reply = (ICMP, 0) if family == 4 else (ICMP6, 129)
        request = 8 if family == 4 else 128
        for attr, wanted in ((tuple_attr(TUPLE_ORIG, family, c, s, UDP, 1001, 5353), 0),
                             (tuple_attr(TUPLE_REPLY, family, s, c, UDP, 5353, 1001), 0),
                             (tuple_attr(TUPLE_ORIG, family, c, s, TCP, 2000, 80), 0),
                             (tuple_attr(TUPLE_ORIG, family, c, s, icmp, 8, (request, 0)), 0),
                             (tuple_attr(TUPLE_REPLY, family, s, c, icmp, 8, (reply, 0)), 0),
                             (tuple_attr(TUPLE_ORIG, family, c, s, UDP, 1001, 5354), 2),
                             (tuple_attr(TUPLE_ORIG, family, c, s, UDP, 1001, 5353) + be16(ZONE, 3), 2),
                             (b"", 22)):
            error, replies = ctnl.request(CT_GET, attr, family=family)
            equal(error, wanted, f"error of {attr.hex()}")
            equal(len(replies), 0 if wanted else 1, "answers")
    equal(ctnl.request(CT_GET, tuple_attr(TUPLE_ORIG, 4, c, s, UDP, 1, 2), family=7)[0], 95, "family 7")
    ctnl.close()


@case("GRE with a key, and PPTP's with a call id, from either side: as nf_conntrack has them", only="flowtrack")
def _(rig):
    seen = []
    for _ in trackers(rig, RULES):
        for family in FAMILIES:
            for side, l4 in (("c", gre(5)), ("s", gre(6)), ("c", gre(7, 1)), ("s", gre(9, 1))):
                rig.send(side, rig.packet(side, GRE, l4, family))
        seen.append({identity(m): words(m)["status"] for m in dump(rig)})
    theirs, ours = seen
    equal(len(theirs), 6, "entries of nf_conntrack")
    equal(ours, theirs, "connections and their status")
    ctnl = Ctnl(rig.r)
    for orig, reply, _ in ours:
        family = 4 if len(orig) == 48 else 6
        for attr, value in ((TUPLE_ORIG, orig), (TUPLE_REPLY, reply)):
            equal(ctnl.request(CT_GET, nla(attr | NESTED, value), family=family)[0], 0, f"error of {value.hex()}")
        equal(ctnl.request(CT_DELETE, nla(TUPLE_REPLY | NESTED, reply), family=family)[0], 0, "error of deleting")
    equal(dump(rig), [], "connections left")
    ctnl.close()


# Parts of a tuple that count, in CTA_FILTER.
SRC, DST, PROTO, SPORT, DPORT = (1 << n for n in (0, 1, 3, 4, 5))


def parts_of_tuples():
    """Filters by each part alone, one that there is and one that there is not: (family, attributes, flows that traffic() has)."""
    def row(attr, family, parts, wanted, src, dst, proto=TCP, sport=2000, dport=80):
        return {"family": family}, tuple_attr(attr, family, src, dst, proto, sport, dport) + nest(FILTER, nla(attr, (4, parts))), wanted

    for family, icmp, first in ((4, ICMP, 6), (6, ICMP6, 9)):
        request, answer = (8, 0) if family == 4 else (128, 129)
        kind, code, ident = (1 << first + n | PROTO for n in range(3))
        c, s = Rig.C[family], Rig.S[family]
        for parts, wanted, other, *l4 in (
                (SRC, 10, 0), (DST, 10, 0), (PROTO, 3, 2, UDP), (PROTO | SPORT, 1, 0, TCP, 2003), (PROTO | DPORT, 3, 0, TCP, 2000, 81),
                (PROTO | SPORT, 1, 1, UDP, 1001, 5353), (SRC | DST | PROTO | SPORT | DPORT, 1, 1, TCP, 2001)):
            yield row(TUPLE_ORIG, family, parts, wanted, c, s)
            yield row(TUPLE_ORIG, family, parts, other, *((s, c) if not l4 else (c, s)), *l4)
        for parts, wanted, *l4 in ((kind, 2, 8, (request, 0)), (kind, 0, 8, (answer, 0)), (code, 2, 8, (request, 0)),
                                   (code, 0, 8, (request, 1)), (ident, 1, 8, (request, 0)), (ident, 0, 9, (request, 0))):
            yield row(TUPLE_ORIG, family, parts, wanted, c, s, icmp, *l4)
        for parts, wanted, src, dst, *l4 in ((SRC | PROTO, 3, s, c), (SRC, 0, c, s), (DST, 10, s, c), (DST, 0, c, s),
                                             (PROTO | SPORT, 3, s, c, TCP, 80, 1), (PROTO | DPORT, 1, s, c, TCP, 1, 2000)):
            yield row(TUPLE_REPLY, family, parts, wanted, src, dst, *l4)


@case("a dump by family, mark, status, zone, and parts of tuples", only="flowtrack")
def _(rig):
    begin(rig)
    rows = (({}, b"", FLOWS), ({"family": 4}, b"", FLOWS // 2), ({"family": 6}, b"", FLOWS // 2),
            ({}, be32(MARK, 0x17), 6), ({}, be32(MARK, 0x10) + be32(MARK_MASK, 0xf0), 6), ({}, be32(MARK, 1), 0),
            ({}, be32(STATUS, 4) + be32(STATUS_MASK, 4), 4), ({}, be32(STATUS, 0) + be32(STATUS_MASK, 2), 12),
            ({}, be16(ZONE, 0), FLOWS), ({}, be16(ZONE, 1), 0),
            *parts_of_tuples())
    for kw, attrs, wanted in rows:
        found = dump(rig, attrs=attrs, **kw)
        equal(len(found), wanted, f"flows of {kw} {attrs.hex()}")
        equal({m[1] & 0x20 for m in found}, {0x20 if kw or attrs else 0} if wanted else set(), "NLM_F_DUMP_FILTERED")
    ctnl = Ctnl(rig.r)
    for attrs in (be32(MARK_MASK, 1), be32(STATUS_MASK, 1), be32(STATUS, 0), nest(FILTER, nla(1, (4, 1 << 12))),
                  nest(FILTER, nla(1, (4, 1)))):
        equal(ctnl.request(CT_GET, attrs, DUMP, 4)[0], 22, f"error of {attrs.hex()}")
    ctnl.close()


@case("both tables in one dump", only="flowtrack")
def _(rig):
    by_conntrack(rig)
    rig.r.nft("flush ruleset\n" + RULES)
    rig.r.tool("flush", "own")
    for port in range(50):
        rig.send("c", rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], 6000 + port, 99, b"q"), 4))
    found = dump(rig)
    equal(len(found), FLOWS + 50, "connections")
    equal(len({identity(m) for m in found}), FLOWS + 50, "different ones")
    rig.r.conntrack_flush()
    equal(dump(rig), [], "connections after a flush")


def main_lines(text):
    """conntrack -L's lines, without timeouts and ids."""
    return sorted(re.sub(r" id=\d+", "", re.sub(r"^((?:ipv\d +\d+ +)?\w+ +\d+|-A -t) \d+ ", r"\1 T ", line))
                  for line in text.splitlines())


def xml_flows(text):
    return sorted(re.sub(r"<timeout>\d+</timeout>|<id>\d+</id>|<when>.*?</when>", "", flow)
                  for flow in re.findall(r"<flow>.*?</flow>|<flow .*?</flow>", text, re.S))


@case("conntrack -L in all its forms, -G, -C: what it says of nf_conntrack's", only="flowtrack")
def _(rig):
    forms = (("-L",), ("-L", "-f", "ipv6", "-p", "tcp", "--state", "ESTABLISHED"), ("-L", "-f", "ipv6"),
             ("-L", "-o", "extended"), ("-L", "-o", "save"), ("-L", "-p", "udp", "-s", Rig.C[4]),
             ("-L", "-m", "0x17"), ("-L", "-u", "ASSURED"), ("-L", "-w", "0"), ("-L", "-p", "icmp"),
             ("-G", "-p", "tcp", "-s", Rig.C[4], "-d", Rig.S[4], "--sport", "2000", "--dport", "80"),
             ("-G", "-p", "udp", "-s", Rig.C[6], "-d", Rig.S[6], "--sport", "1001", "--dport", "5353"))
    rig.r.sysctl("net.netfilter.nf_conntrack_acct", 1)
    by_conntrack(rig)
    theirs = [main_lines(rig.r.run("conntrack", *form)[1]) for form in forms]
    xml = xml_flows(rig.r.run("conntrack", "-L", "-o", "xml,extended,id")[1])
    begin(rig)
    for form, wanted in zip(forms, theirs):
        check(wanted, f"conntrack {' '.join(form)} shows nothing of nf_conntrack's")
        equal(main_lines(rig.r.run("conntrack", *form)[1]), wanted, f"conntrack {' '.join(form)}")
    equal(xml_flows(rig.r.run("conntrack", "-L", "-o", "xml,extended,id")[1]), xml, "xml")
    equal(len(xml), FLOWS, "flows in xml")
    equal(rig.r.run("conntrack", "-C")[1].strip(), str(FLOWS), "conntrack -C")
    check("found=" in rig.r.run("conntrack", "-S")[1], "conntrack -S")
    rig.r.sysctl("net.netfilter.nf_conntrack_acct", 0)


@case("conntrack -L -z: counters are shown, and begin anew", only="flowtrack")
def _(rig):
    rig.r.sysctl("net.netfilter.nf_conntrack_acct", 1)
    begin(rig)
    first = rig.r.run("conntrack", "-L", "-z")[1]
    check("packets=1 bytes=29" in first, first)
    second = rig.r.run("conntrack", "-L")[1]
    equal(set(re.findall(r"packets=\d+ bytes=\d+", second)), {"packets=0 bytes=0"}, "counters afterwards")
    # And of one, as nf_conntrack has it.
    seen = []
    for enable in (0, 1):
        rig.r.sysctl("enable", enable)
        begin(rig)
        ctnl = Ctnl(rig.r)
        for family in FAMILIES:
            one = tuple_attr(TUPLE_ORIG, family, Rig.C[family], Rig.S[family], UDP, 1001, 5353)
            for kind in (CT_GET, CT_GET_CTRZERO, CT_GET):
                answer = words(ctnl.request(kind, one, family=family)[1][0])
                seen.append((answer["counters-orig"], answer["counters-reply"]))
        ctnl.close()
    equal(seen[6:], seen[:6], "counters of one")
    equal(seen[0], seen[1], "counters before and while they are taken")
    check(seen[2] != seen[1], "counters stay")
    rig.r.sysctl("net.netfilter.nf_conntrack_acct", 0)


@case("conntrack -D: what was deleted is gone, and only that", only="flowtrack")
def _(rig):
    begin(rig)

    def left():
        return len(dump(rig))

    for args, gone in ((("-p", "udp", "--sport", "1000"), 2), (("-p", "udp", "-s", Rig.C[6]), 1),
                       (("-p", "tcp", "-m", "0x17", "--state", "ESTABLISHED"), 2), (("-p", "icmp"), 2),
                       (("-s", Rig.C[6]), FLOWS // 2 - 3)):
        before = left()
        err = rig.r.run("conntrack", "-D", *args)[2]
        check(f"{gone} flow entries have been deleted" in err, f"-D {args}: {err}")
        equal(before - left(), gone, f"flows that -D {args} deleted")
    ctnl = Ctnl(rig.r)
    one = words(dump(rig, family=4)[0])
    attrs = nla(TUPLE_ORIG | NESTED, one["orig"])
    equal(ctnl.request(CT_DELETE, attrs + nla(ID, bytes(b ^ 1 for b in one["id"])), family=4)[0], 2, "another id")
    before = left()
    equal(ctnl.request(CT_DELETE, attrs + nla(ID, one["id"]), family=4)[0], 0, "its id")
    equal(left(), before - 1, "flows")
    equal(ctnl.request(CT_DELETE, attrs, family=4)[0], 2, "once more")
    ctnl.close()
    rig.r.run("conntrack", "-F")
    equal(dump(rig), [], "flows after -F")
    equal(rig.r.tool_json("list", "own")["flows"] if isinstance(rig.r.tool_json("list", "own"), dict) else
          rig.r.tool_json("list", "own"), [], "flowtrack list")


@case("a flush of some: by family, mark, status", only="flowtrack")
def _(rig):
    ctnl = Ctnl(rig.r)
    for kw, attrs, left in (({"family": 6, "version": 1}, b"", FLOWS // 2), ({}, be32(MARK, 0x17), FLOWS - 6),
                            ({}, be32(STATUS, 4), FLOWS - 4), ({"family": 6}, b"", 0)):
        rig.reset(RULES)
        traffic(rig)
        equal(ctnl.request(CT_DELETE, attrs, **kw)[0], 0, "error")
        equal(len(dump(rig)), left, f"flows left by {kw} {attrs.hex()}")
    ctnl.close()


@case("conntrack -U: mark, timeout, status of flows; what can't be changed is refused, and changes nothing",
      only="flowtrack")
def _(rig):
    forms = (("-f", "ipv4", "-p", "udp", "--dport", "5353", "-m", "0x98"),
             ("-f", "ipv6", "-p", "udp", "--dport", "5353", "-m", "0x97"),
             ("-f", "ipv4", "-p", "tcp", "--sport", "2000", "-t", "77"),
             ("-f", "ipv4", "-p", "udp", "--sport", "1000", "-u", "SEEN_REPLY,ASSURED"))
    seen = []
    for tracker in ("nf_conntrack", "flowtrack"):
        if tracker == "nf_conntrack":
            by_conntrack(rig)
        else:
            begin(rig)
        told = [rig.r.run("conntrack", "-U", *form, ok=False) for form in forms]
        seen.append(([(status, err) for status, _, err in told],
                     {identity(m): (words(m)["mark"], words(m)["status"]) for m in dump(rig)}))
    equal(seen[1][0], seen[0][0], "what conntrack -U says")
    equal(seen[1][1], seen[0][1], "marks and status")
    ctnl = Ctnl(rig.r)
    for family in FAMILIES:
        one = tuple_attr(TUPLE_ORIG, family, Rig.C[family], Rig.S[family], UDP, 1001, 5353)
        equal(ctnl.request(CT_NEW, one + be32(MARK, 0xf1) + be32(TIMEOUT, 77), family=family)[0], 0, "error")
        equal(ctnl.request(CT_NEW, one + be32(MARK, 0x2) + be32(MARK_MASK, 0xf), family=family)[0], 0, "error")
        flow = rig.r.flow(osport=1001, family=family)
        equal(flow["mark"], 0xf2, "mark")
        check(70 <= flow["timeout"] <= 77, f"timeout {flow['timeout']}")
        # Assured, if it has lasted for two seconds by now.
        rig.udp("c", family, 1001, 5353, "est/o+s*")
    ctnl.close()
    ctnl = Ctnl(rig.r)
    one = tuple_attr(TUPLE_ORIG, 4, Rig.C[4], Rig.S[4], UDP, 1001, 5353)
    before = sorted(str(f) for f in rig.r.flows(osport=1001))
    for attrs, wanted in ((be32(STATUS, 0), 16), (be32(STATUS, 8), 16), (nest(NAT_SRC, b""), 95),
                          (nest(HELP, nla(1, b"ftp\0")), 95), (nla(LABELS, b"\1" + b"\0" * 15), 28),
                          (nla(LABELS, b"\1\0\0"), 22)):
        equal(ctnl.request(CT_NEW, one + attrs + be32(MARK, 1), family=4)[0], wanted, f"error of {attrs.hex()}")
    equal(ctnl.request(CT_NEW, one, EXCL, family=4)[0], 17, "error with NLM_F_EXCL")
    after = sorted(str(f) for f in rig.r.flows(osport=1001))
    equal([re.sub(r"'(timeout|age)': [\d.]+", "", f) for f in after],
          [re.sub(r"'(timeout|age)': [\d.]+", "", f) for f in before], "flow")
    # TCP's state and flags, as conntrackd writes them.
    tcp_one = tuple_attr(TUPLE_ORIG, 4, Rig.C[4], Rig.S[4], TCP, 2002, 80)
    state = nest(PROTOINFO, nest(1, nla(1, b"\3"), nla(4, b"\x0a\x0a"), nla(5, b"\x0a\x0a")))
    equal(ctnl.request(CT_NEW, tcp_one + state + be32(STATUS, 0xe), family=4)[0], 0, "error")
    equal(rig.r.flow(proto="tcp", osport=2002, family=4)["state"], "established", "state")
    # Where the kernel looks itself, it says ERANGE.
    error = ctnl.request(CT_NEW, tcp_one + nest(PROTOINFO, nest(1, nla(1, b"\x63"))), family=4)[0]
    check(error in (22, 34), f"state 99: error {error}")
    ctnl.close()


@case("a timeout that is fixed: packets and requests leave it as it is, as with nf_conntrack", only="flowtrack")
def _(rig):
    seen = []
    for enable in (0, 1):
        if not enable:
            by_conntrack(rig)
            rig.r.sysctl("enable", 0)
        else:
            rig.r.sysctl("enable", 1)
            begin(rig)
            equal(rig.r.conntrack_count(), 0, "entries in nf_conntrack")
        ctnl, log = Ctnl(rig.r), []
        for family in FAMILIES:
            c, s = Rig.C[family], Rig.S[family]
            for proto, sport, dport, status in ((UDP, 1001, 5353, 0x40a), (TCP, 2000, 80, 0x40e)):
                one = tuple_attr(TUPLE_ORIG, family, c, s, proto, sport, dport)
                log.append(ctnl.request(CT_NEW, one + be32(TIMEOUT, 77) + be32(STATUS, status), family=family)[0])
                packet = (udp(c, s, 1001, 5353, b"q") if proto == UDP else
                          tcp(c, s, 2000, 80, "A", 1000001, 5000001, 29200))
                rig.send("c", rig.packet("c", proto, packet, family))
                log.append(ctnl.request(CT_NEW, one + be32(TIMEOUT, 100) + be32(MARK, 9), family=family)[0])
                answer = words(ctnl.request(CT_GET, one, family=family)[1][0])
                left = struct.unpack("!I", answer["timeout"])[0]
                check(60 < left <= 77, f"enable {enable}: {left} s left")
                log.append((answer["status"], answer["mark"]))
        ctnl.close()
        seen.append(log)
    equal(seen[1], seen[0], "errors, status, marks")
    equal(seen[0][:2], [0, 1], "errors")


@case("conntrack -I where one family is tracked: of the other one, an entry of nf_conntrack", only="flowtrack")
def _(rig):
    rig.r.nft("flush ruleset")
    rig.r.conntrack_flush()
    rig.r.sysctl("enable", "auto")
    try:
        for family, rule in ((4, "ip6 t {{ chain c {{ {} }}; }}"), (6, "ip t {{ chain c {{ {} }}; }}")):
            rig.r.nft("flush ruleset\ntable " + rule.format("type filter hook input priority 0; ct state new;"))
            wanted = [10 - family], 1

            def placed():
                for of in FAMILIES:
                    rig.r.run("conntrack", "-I", "-s", Rig.C[of], "-d", Rig.S[of], "-p", "udp", "--sport", "7000",
                              "--dport", "99", "-t", "300")
                places = [f["family"] for f in rig.r.flows()], rig.r.conntrack_count()
                rig.r.run("conntrack", "-F")
                return places
            # Tracking begins, and ends, within a second of the rule.
            busywait(10, lambda wanted=wanted: placed() == wanted, f"{wanted}: families of our flows, and entries of nf_conntrack")
    finally:
        rig.r.sysctl("enable", 1)
        rig.reset(RULES)


@case("conntrack -I: a flow of ours, or an entry of nf_conntrack where only that can keep it", only="flowtrack")
def _(rig):
    rig.r.conntrack_flush()
    rig.reset(RULES)

    def enter(family, proto, sport, *more, **kw):
        return rig.r.run("conntrack", "-I", "-s", Rig.C[family], "-d", Rig.S[family], "-p", proto, "--sport",
                         f"{sport}", "--dport", "99", "-t", "300", *more, **kw)

    for family in FAMILIES:
        enter(family, "udp", 7000, "-u", "SEEN_REPLY,ASSURED", "-m", "5")
        enter(family, "tcp", 7001, "-u", "SEEN_REPLY,ASSURED", "--state", "ESTABLISHED")
    equal((len(rig.r.flows()), rig.r.conntrack_count()), (4, 0), "flows of ours and entries")
    for family in FAMILIES:
        # Not what the first packet would make of it.
        equal(rig.r.flow(osport=7001, family=family)["state"], "established", "state that was entered")
        rig.udp("s", family, 99, 7000, "est/r+sa")
        t = Tcp(rig, family, sport=7001, dport=99)
        t.send("s", "PA", "est/r+sa", 1000, 2000, data=b"x")
        t.send("c", "PA", "est/o+sa", 2000, 1001, data=b"y")
        equal(rig.r.flow(osport=7000, family=family)["mark"], 5, "mark")
    status, _, err = enter(4, "udp", 7000, ok=False)
    check(status != 0 and "exist" in err, f"a second one: {status} {err}")
    # With NAT, and with another answer.
    run("modprobe", "nf_nat")
    enter(4, "udp", 7002, "--src-nat", Rig.RS[4])
    equal((len(rig.r.flows()), rig.r.conntrack_count()), (4, 1), "flows of ours and entries")
    rig.r.run("conntrack", "-D", "-p", "udp", "--sport", "7002")
    equal(rig.r.conntrack_count(), 0, "entries")
    ctnl = Ctnl(rig.r)
    orig = tuple_attr(TUPLE_ORIG, 4, Rig.C[4], Rig.S[4], UDP, 7005, 99)
    reply = tuple_attr(TUPLE_REPLY, 4, Rig.S[4], Rig.C[4], UDP, 99, 7005)
    other = tuple_attr(TUPLE_REPLY, 4, Rig.S[4], Rig.C[4], TCP, 99, 7005)
    left = be32(TIMEOUT, 9)
    for attrs, flags, wanted in ((orig + reply, CREATE, 22), (orig + left, CREATE, 22), (orig + reply + left, 0, 2),
                                 (left, CREATE, 22), (orig + other + left, CREATE, 22)):
        equal(ctnl.request(CT_NEW, attrs, flags, family=4)[0], wanted, f"error of {attrs.hex()}")
    # What would get the answers to a flow of ours.
    mine = (tuple_attr(TUPLE_ORIG, 4, "10.77.0.1", Rig.S[4], UDP, 7000, 99) +
            tuple_attr(TUPLE_REPLY, 4, Rig.S[4], Rig.C[4], UDP, 99, 7000))
    equal(ctnl.request(CT_NEW, mine + left, CREATE, family=4)[0], 17, "error of one with another one's answers")
    equal((len(rig.r.flows()), rig.r.conntrack_count()), (4, 0), "flows of ours and entries")
    ctnl.close()
    unload_nat()


@case("conntrack -I --src-nat: not the port that a connection has, in whatever table", only="flowtrack")
def _(rig):
    run("modprobe", "nf_nat")
    seen = []

    def enter(family, src, sport, *more, ok=True):
        return rig.r.run("conntrack", "-I", "-p", "udp", "-s", src, "-d", Rig.S[family], "--sport", f"{sport}", "--dport",
                         "99", "-t", "300", *more, ok=ok)

    for enable in trackers(rig, RULES):
        ports = []
        for family, client in ((4, "10.78.0.1"), (6, "fd78::1")):
            enter(family, Rig.C[family], 7000)
            for sport in 7000, 7001:
                enter(family, client, sport, "--src-nat", Rig.C[family])
            lines = rig.r.run("conntrack", "-L", "-f", f"ipv{family}", "--src-nat")[1].splitlines()
            ports += [int(re.findall(r"dport=(\d+)", line)[-1]) for line in lines]
        equal((len(ports), ports.count(7001), ports.count(7000)), (4, 2, 0), f"enable {enable}: {ports}")
        # Where no other one is allowed.
        status, _, err = enter(4, "10.78.0.1", 7003, "--src-nat", f"{Rig.C[4]}:7000", ok=False)
        seen.append((status != 0, "exist" in err))
        equal((len(rig.r.flows()), rig.r.conntrack_count()), (2 * enable, 6 - 2 * enable),
              "flows of ours and entries: none that kept NAT from a choice is left")
    equal(seen, [(True, True)] * 2, "what is refused")
    rig.r.conntrack_flush()
    unload_nat()


GROUPS = {1: "new", 2: "update", 3: "destroy"}


class Listener:
    """What is told to each of the groups."""

    def __init__(self, ns):
        self.socks = {name: Ctnl(ns, (group,)) for group, name in GROUPS.items()}

    def events(self):
        """{connection: [(group, type, flags, attributes), ...]}"""
        found = {}
        for name, ctnl in self.socks.items():
            ctnl.sock.setblocking(False)
            while True:
                try:
                    messages = list(ctnl.messages())
                except BlockingIOError:
                    break
                for kind, flags, _, payload in messages:
                    message = kind, flags, payload[0], payload[4:]
                    found.setdefault(identity(message), []).append((name, kind & 0xff, flags, words(message)))
        return found

    def close(self):
        for ctnl in self.socks.values():
            ctnl.close()


@case("events: what nf_conntrack tells of the same packets", only="flowtrack")
def _(rig):
    rig.reset(RULES)
    seen = []
    for tracker in ("nf_conntrack", "flowtrack"):
        listener = Listener(rig.r)
        if tracker == "nf_conntrack":
            by_conntrack(rig)
        else:
            begin(rig)
        told = listener.events()
        rig.r.conntrack_flush()
        ends = listener.events()
        seen.append((told, ends))
        listener.close()
    for theirs, ours in zip(*seen):
        check(theirs, "nf_conntrack tells nothing")
        equal(set(ours), set(theirs), "connections")
        for key, wanted in theirs.items():
            for events in (wanted, ours[key]):
                for event in events:
                    for name in ("timeout", "id"):
                        event[3].pop(name, None)
            equal(ours[key], wanted, f"events of {wanted[0][3]}")


def times(attrs):
    """When a connection began and ended, by the clock; 0: it has not."""
    inner = nla_parse(attrs["timestamp"])
    return [struct.unpack("!Q", inner[kind])[0] / 1e9 if kind in inner else 0 for kind in (1, 2)]


@case("events and dumps: when a connection began, and ended", only="flowtrack")
def _(rig):
    rig.r.sysctl("net.netfilter.nf_conntrack_timestamp", 1)
    try:
        for enable in trackers(rig, RULES):
            listener, ctnl = Listener(rig.r), Ctnl(rig.r)
            began = time.time()
            traffic(rig)
            # Entered by a request: a flow of ours, and what only nf_conntrack can keep.
            for sport, more in ((1, b""), (2, nla(LABELS, b"\x21" + b"\0" * 15))):
                both = (tuple_attr(TUPLE_ORIG, 4, Rig.C[4], Rig.S[4], UDP, sport, 53) +
                        tuple_attr(TUPLE_REPLY, 4, Rig.S[4], Rig.C[4], UDP, 53, sport))
                equal(ctnl.request(CT_NEW, both + be32(TIMEOUT, 300) + more, CREATE, family=4)[0], 0, "error")
            equal(rig.r.conntrack_count(), 1 if enable else FLOWS + 2, "entries of nf_conntrack")
            open_by = time.time()
            shown = {identity(m): times(words(m)) for m in dump(rig)}
            equal(len(shown), FLOWS + 2, "connections")
            time.sleep(0.1)
            ending = time.time()
            rig.r.conntrack_flush()
            ended = {key: times(event[3]) for key, events in listener.events().items() for event in events if event[0] == "destroy"}
            over = time.time()
            equal(set(ended), set(shown), "connections that ended")
            for key, (start, stop) in ended.items():
                equal(shown[key], [start, 0], "times in a dump")
                # Clocks of the kernel's that are not read in one go differ a little.
                check(began - 0.01 <= start <= open_by + 0.01, f"enable {enable}: began at {start}, not in {began}..{open_by}")
                check(ending - 0.01 <= stop <= over + 0.01, f"enable {enable}: ended at {stop}, not in {ending}..{over}")
            listener.close()
            ctnl.close()
    finally:
        rig.r.sysctl("net.netfilter.nf_conntrack_timestamp", 0)
        rig.reset(RULES)


@case("events: a mark that a rule sets later is told, once", only="flowtrack")
def _(rig):
    rules = nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0
		udp sport 5353 udp length 19 ct mark set 0x55
		tcp flags & psh == psh ct mark set 0x56
	}
}"""
    seen = []
    for _ in trackers(rig, rules):
        listener = Listener(rig.r)
        conversations = [Tcp(rig, family, sport=2000).open() for family in FAMILIES]
        for family in FAMILIES:
            c, s = Rig.C[family], Rig.S[family]
            rig.send("c", rig.packet("c", UDP, udp(c, s, 1001, 5353, b"q"), family))
            rig.send("s", rig.packet("s", UDP, udp(s, c, 5353, 1001, b"a"), family))
        listener.events()
        for again in range(2):
            for tcp_, family in zip(conversations, FAMILIES):
                rig.send("s", rig.packet("s", UDP, udp(Rig.S[family], Rig.C[family], 5353, 1001, b"eleven byte"), family))
                rig.send("c", tcp_.build("c", "PA", 1 + again, 1, data=b"x"))
        seen.append(listener.events())
        listener.close()
    rig.reset(RULES)
    theirs, ours = seen
    equal(len(theirs), 4, "connections of which nf_conntrack tells")
    equal(set(ours), set(theirs), "connections")
    for key, wanted in theirs.items():
        for event in wanted + ours[key]:
            for name in ("timeout", "id"):
                event[3].pop(name, None)
        equal(ours[key], wanted, "events")


@case("events: a packet that changes the state and is given a mark is told of once", only="flowtrack")
def _(rig):
    rules = nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0
		udp sport 5353 ct mark set 0x61
		tcp flags & (syn|ack) == (syn|ack) ct mark set 0x62
		tcp flags & fin == fin ct mark set 0x63
		icmp type echo-reply ct mark set 0x64
		icmpv6 type echo-reply ct mark set 0x64
		sctp sport 3001 ct mark set 0x65
	}
}"""
    seen = []
    for _ in trackers(rig, rules):
        listener, log = Listener(rig.r), []
        for family in FAMILIES:
            c, s = Rig.C[family], Rig.S[family]
            t, icmp = Tcp(rig, family, sport=2000), ICMP if family == 4 else ICMP6
            for side, packet in (("c", rig.packet("c", UDP, udp(c, s, 1001, 5353, b"q"), family)),
                                 ("s", rig.packet("s", UDP, udp(s, c, 5353, 1001, b"a"), family)),
                                 ("c", t.build("c", "S")), ("s", t.build("s", "SA", 0, 1)), ("c", t.build("c", "A", 1, 1)),
                                 ("s", t.build("s", "FA", 1, 1)), ("c", t.build("c", "FA", 1, 2)),
                                 ("c", rig.packet("c", icmp, echo(c, s, 8), family)),
                                 ("s", rig.packet("s", icmp, echo(s, c, 8, reply=True), family)),
                                 ("c", rig.packet("c", SCTP, sctp(3000, 3001, 0, sctp_init(0x1234)), family)),
                                 ("s", rig.packet("s", SCTP, sctp(3001, 3000, 0x1234, sctp_init(0x77, ack=True)), family))):
                check(rig.send(side, packet), "a packet did not come through")
                for key, events in listener.events().items():
                    for event in events:
                        for name in ("timeout", "id"):
                            event[3].pop(name, None)
                    log.append((key, events))
        seen.append(log)
        listener.close()
    rig.reset(RULES)
    theirs, ours = seen
    both = [e for _, events in theirs for e in events if e[0] == "update" and "protoinfo" in e[3] and "mark" in e[3]]
    check(len(both) >= 6, f"updates of state and mark: {both}")
    equal(len(ours), len(theirs), "packets of which something was told")
    for a, b in zip(ours, theirs):
        equal(a, b, "what is told of a packet")


@case("events: whose doing a change is; nothing without a listener", only="flowtrack")
def _(rig):
    begin(rig)
    listener = Listener(rig.r)
    ctnl = Ctnl(rig.r)
    portid = ctnl.sock.getsockname()[0]
    attrs = tuple_attr(TUPLE_ORIG, 4, Rig.C[4], Rig.S[4], UDP, 1001, 5353)
    equal(ctnl.request(CT_NEW, attrs + be32(MARK, 0), family=4)[0], 0, "error of a change")
    equal(ctnl.request(CT_DELETE, attrs, family=4)[0], 0, "error of a deletion")
    for name in ("update", "destroy"):
        data = listener.socks[name].sock.recv(65536)
        equal(struct.unpack_from("=I", data, 12)[0], portid, f"port of {name}")
    rig.r.sysctl("net.netfilter.nf_conntrack_events", 0)
    traffic(rig)
    equal(listener.events(), {}, "events while nf_conntrack_events is 0")
    rig.r.sysctl("net.netfilter.nf_conntrack_events", 2)
    listener.close()
    ctnl.close()


class Slow:
    """A listener to a group that reads nothing for now, wants to miss nothing, and has room for little."""

    def __init__(self, ns, group):
        self.ctnl = Ctnl(ns)
        self.ctnl.sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 10)
        self.ctnl.sock.setsockopt(270, 4, 1)  # NETLINK_BROADCAST_ERROR
        self.ctnl.sock.setsockopt(270, 1, group)
        self.ctnl.sock.setblocking(False)
        self.told = {}

    def read(self):
        """How many different connections it has heard of."""
        while True:
            try:
                for _, flags, _, payload in self.ctnl.messages():
                    self.told[identity((0, 0, 0, payload[4:]))] = flags, words((0, 0, 0, payload[4:]))["status"]
            except BlockingIOError:
                return len(self.told)
            except OSError:
                pass  # ENOBUFS, once


@case("events: what could not be told a reliable listener hears later; until then CT_GET_DYING shows what has ended",
      only="flowtrack")
def _(rig):
    many = 500
    seen = {}
    for who in ("original", "entries", "flows"):
        swap(ORIGINAL if who == "original" else OURS)
        rig.r.sysctl("enable", int(who == "flows"))
        rig.r.conntrack_flush()
        rig.reset(RULES)
        new, slow = Slow(rig.r, 1), Slow(rig.r, 3)

        def packets():
            for port in range(many):
                rig.c.send(rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], 6000 + port, 99, b"q"), 4))
                if not port % 50:
                    rig.c.flush()
            rig.c.flush()
            rig.s.receive()
        packets()
        equal(len(dump(rig)), many, f"{who}: connections")
        rounds, heard = 0, new.read()
        check(0 < heard < many * 3 // 4, f"{who}: of {heard} it hears at once that they began")
        while new.read() < many and rounds < 20:
            # The next packet of each tells of it again.
            packets()
            rounds += 1
        equal(len(new.told), many, f"{who}: of which it hears that they began, after {rounds} rounds")
        new.ctnl.close()
        rig.r.conntrack_flush()
        dying = len(dump(rig, kind=CT_DYING))
        check(dying > many // 4, f"{who}: {dying} that are not told")
        _, lines, told = rig.r.run("conntrack", "-L", "dying")
        # Whether it is being told of just now, a reference more, is a matter of luck.
        lines = main_lines(re.sub(r" use=\d", "", re.sub(r"port=6\d\d\d ", "port=P ", lines)))
        check(f" {len(lines)} flow entries have been shown" in told and len(lines) > many // 4, f"{who}: -L dying: {told}")
        equal(len(dump(rig, kind=CT_DYING, family=6)), 0, f"{who}: of another family")
        busywait(30, lambda slow=slow: slow.read() == many, f"{who}: all ends, of which {len(slow.told)} are told")
        busywait(10, lambda: not dump(rig, kind=CT_DYING), f"{who}: none is left")
        seen[who] = new.told, slow.told, set(lines)
        slow.ctnl.close()
    rig.r.sysctl("enable", 1)
    for who in ("entries", "flows"):
        for ours, theirs, what in zip(seen[who], seen["original"], ("begin", "end", "are in conntrack -L dying")):
            equal(ours, theirs, f"{who}: what is told of those that {what}")


@case("conntrack -E while flows begin, change and end", only="flowtrack")
def _(rig):
    rig.reset(RULES)
    p = rig.r.popen("conntrack", "-E", "-o", "extended")
    busywait(10, lambda: any(int(line.split()[3], 16) for line in rig.r.read("/proc/net/netlink").splitlines()[1:]
                             if line.split()[1] == "12"), "conntrack listens")
    traffic(rig)
    rig.r.tool("flush")
    os.set_blocking(p.stdout.fileno(), False)
    text = ""

    def complete():
        nonlocal text
        text += p.stdout.read() or ""
        return text.count("[DESTROY]") == FLOWS
    busywait(10, complete, "all ends are told")
    p.terminate()
    equal(text.count("[NEW]"), FLOWS, "flows that began")
    check(re.search(r"\[NEW\] ipv6 +\d+ tcp +6 120 SYN_SENT src=fd09:1::2", text), text)
    check(re.search(r"\[UPDATE\] ipv4 +\d+ tcp +6 432000 ESTABLISHED .* \[ASSURED\]", text), text)


def expectation(rig, module):
    """What is answered to everything that can be asked about one, without what differs by chance."""
    swap(module)
    ctnl, log = Ctnl(rig.r), []
    new, gone = Ctnl(rig.r, (4,)), Ctnl(rig.r, (6,))
    c, s = Rig.C[4], Rig.S[4]
    rig.r.conntrack_flush()
    rig.send("c", Tcp(rig, 4, sport=2010, dport=21).build("c", "S"))
    master = tuple_attr(EXP_MASTER, 4, c, s, TCP, 2010, 21)
    wanted = tuple_attr(EXP_TUPLE, 4, s, c, TCP, 0, 5555)
    mask = tuple_attr(EXP_MASK, 4, "255.255.255.255", "255.255.255.255", TCP, 0, 65535)
    whole = master + wanted + mask + be32(EXP_TIMEOUT, 300)

    def blur(payload):
        # A timeout of 300 s, or of 200, whatever has passed of it.
        return [(k, (struct.unpack("!I", v)[0] + 50) // 100 if k == EXP_TIMEOUT else v) for k, v in nla_parse(payload).items() if k != EXP_ID]

    def ask(kind, attrs=b"", flags=0):
        error, replies = ctnl.request(kind, attrs, flags, family=4, subsys=SUBSYS_EXP)
        log.append((kind, flags, error, [(r[:3], blur(r[3])) for r in replies]))
        return replies

    far = tuple_attr(EXP_TUPLE, 4, s, c, TCP, 0, 5556)
    follow = nest(EXP_NAT, be32(1, 1), tuple_attr(2, 4, c, s, TCP, 2010, 0)) + nla(EXP_FN, b"nat-follow-master\0")
    ask(EXP_NEW, master + far + mask + be32(EXP_TIMEOUT, 300) + be32(EXP_FLAGS, 1) + follow, CREATE)
    ask(EXP_GET, far)
    ask(EXP_DELETE, far)
    for attrs, flags in ((whole, 0), (b"", CREATE), (master + wanted, CREATE), (whole + be32(EXP_CLASS, 9), CREATE),
                         (whole + be32(EXP_FLAGS, 0x80), CREATE),
                         (tuple_attr(EXP_MASTER, 4, c, s, TCP, 9, 9) + wanted + mask, CREATE), (whole, CREATE),
                         (whole, EXCL), (whole, CREATE | EXCL), (whole + be32(EXP_TIMEOUT, 200), 0)):
        ask(EXP_NEW, attrs, flags)
    for attrs, flags in ((b"", DUMP), (master, DUMP), (wanted, 0), (b"", 0), (wanted + be32(EXP_ID, 1), 0),
                         (tuple_attr(EXP_TUPLE, 4, s, c, TCP, 0, 5557), 0), (far, 0),
                         (tuple_attr(EXP_MASTER, 4, c, s, TCP, 9, 9), DUMP)):
        ask(EXP_GET, attrs, flags)
    ask(EXP_STATS, b"", DUMP)
    log[-1] = log[-1][:3]
    ask(EXP_DELETE, wanted + be32(EXP_ID, 1))
    ask(EXP_DELETE, wanted)
    ask(EXP_DELETE, wanted)
    ask(EXP_NEW, whole, CREATE)
    ask(EXP_DELETE, nla(EXP_HELP, b"tftp\0"))
    ask(EXP_GET, b"", DUMP)
    ask(EXP_DELETE, nla(EXP_HELP, b"ftp\0"))
    ask(EXP_NEW, whole, CREATE)
    ask(EXP_DELETE)
    ask(EXP_GET, b"", DUMP)
    for listener in (new, gone):
        listener.sock.setblocking(False)
        while True:
            try:
                log.append([(kind, flags, payload[:4], blur(payload[4:]))
                            for kind, flags, _, payload in listener.messages()])
            except BlockingIOError:
                break
        listener.close()
    ctnl.close()
    return log


@case("expectations: entered, shown, told of and deleted as by the original", only="flowtrack")
def _(rig):
    run("modprobe", "nf_conntrack_ftp")
    rig.r.sysctl("enable", 0)
    run("modprobe", "nf_nat")
    rig.r.nft("flush ruleset\n" + RICH)
    # Listeners to expectations alone are not reason enough to tell of a connection's.
    rig.r.sysctl("net.netfilter.nf_conntrack_events", 1)
    logs = [expectation(rig, module) for module in (ORIGINAL, OURS)]
    rig.r.sysctl("net.netfilter.nf_conntrack_events", 2)
    rig.r.conntrack_flush()
    rig.r.nft("flush ruleset\n" + RULES)
    rig.r.sysctl("enable", 1)
    unload_nat()
    for theirs, ours in zip(*logs):
        equal(ours, theirs, "answer")
    equal(len(logs[1]), len(logs[0]), "answers")
    check(any(isinstance(entry, list) for entry in logs[0]), "nothing is told of expectations")
    shown = {kind for entry in logs[0] if isinstance(entry, tuple) for answer in entry[3:] for row in answer for kind, _ in row[1]}
    for kind in (EXP_MASTER, EXP_TUPLE, EXP_MASK, EXP_HELP, EXP_FLAGS, EXP_CLASS, EXP_NAT, EXP_FN):
        check(kind in shown, f"no expectation has attribute {kind}: {shown}")


QUEUED = nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0
		udp dport 53 ct mark set 0x31 queue num 0
		udp sport 53 queue num 0
	}
}"""


@case("NFQUEUE: the packet's connection, as with nf_conntrack; a verdict's mark reaches the flow", only="flowtrack")
def _(rig):
    seen = []
    rig.r.sysctl("net.netfilter.nf_conntrack_acct", 1)
    for _ in trackers(rig, QUEUED):
        queue, log = Queued(rig.r), []
        for family in FAMILIES:
            c, s = Rig.C[family], Rig.S[family]
            for side, l4, mark in (("c", udp(c, s, 900, 53, b"q"), 0x99), ("s", udp(s, c, 53, 900, b"a"), None),
                                   ("c", udp(c, s, 900, 53, b"q"), None)):
                rig.wire(side)[0].send(rig.packet(side, UDP, l4, family))
                ident, attrs, info = queue.next()
                log.append((attrs, info))
                queue.verdict(ident, NF_ACCEPT, mark)
                rig.c.flush()
                rig.s.flush()
        found = [(words(m)["id"], words(m)["mark"]) for m in dump(rig)]
        equal([a["id"] for a, _ in log[2::3]], [i for i, _ in sorted(found, key=lambda f: [a["id"] for a, _ in
              log[2::3]].index(f[0]))], "ids of packets and of the dump")
        for attrs, _ in log:
            attrs.pop("id")
            left = struct.unpack("!I", attrs.pop("timeout"))[0]
            check(28 <= left <= 30, f"timeout {left}")
        seen.append(log)
        queue.close()
    rig.r.sysctl("net.netfilter.nf_conntrack_acct", 0)
    equal([a["mark"] for a, _ in seen[1]], [b"\0\0\0\x31", b"\0\0\0\x99", b"\0\0\0\x31"] * 2, "marks")
    check(all("counters-orig" in a for a, _ in seen[1]), "no counters")
    for theirs, ours in zip(*seen):
        equal(ours, theirs, "connection of a packet")
    rig.reset(RULES)


@case("NFQUEUE: the timeout of a verdict is the connection's until its next packet, as with nf_conntrack", only="flowtrack")
def _(rig):
    for enable in trackers(rig, QUEUED):
        queue = Queued(rig.r)
        for family in FAMILIES:
            c, s = Rig.C[family], Rig.S[family]
            for what, side, l4, timeout in (("first", "c", udp(c, s, 900, 53, b"q"), 1500),
                                            ("answer", "s", udp(s, c, 53, 900, b"a"), 700),
                                            ("next", "c", udp(c, s, 900, 53, b"q"), None)):
                rig.wire(side)[0].send(rig.packet(side, UDP, l4, family))
                queue.verdict(queue.next()[0], NF_ACCEPT, timeout=timeout)
                rig.c.flush()
                rig.s.flush()
                left = [struct.unpack("!I", words(m)["timeout"])[0] for m in dump(rig, family=family)]
                equal(len(left), 1, "connections")
                if timeout:
                    check(timeout - 20 < left[0] <= timeout, f"enable {enable}, {what} packet: {left[0]} s are left")
                else:
                    # What a packet gives it; a stream's, if the emulator is slow.
                    check(left[0] <= 120, f"enable {enable}, {what} packet: {left[0]} s are left")
        queue.close()
    rig.reset(RULES)


# What NAT translates of that, too.
QUEUED_NAT = """
table inet nat {
	chain post {
		type nat hook postrouting priority 100
		oif rs udp dport 53 masquerade
	}
}"""
SEEN, ASSURED, FIXED = 1 << 1, 1 << 2, 1 << 10
# (timeout, status, mark) of the verdicts on the packets of a connection.
ASKED = (
    # There was an answer, it says.
    ((1500, SEEN | ASSURED, 0x51), (None, None, None)),
    # Less than there is: refused, and with it what stands behind it, but not the timeout.
    ((None, SEEN, None), (1500, 0, 0x52), (None, SEEN | ASSURED, None)),
    # The timeout is fixed, cannot be changed any more, and is free again.
    ((1500, FIXED, None), (700, FIXED, 0x53), (None, None, None), (None, 0, None), (None, None, None)),
    # The same later, with what a program was told, and a bit flipped.
    ((None, None, None), (1500, FIXED | 0x188, None), (None, 0x188, None), (None, None, None)),
    # What nobody may change: expected, confirmed, translated, dying, a template.
    ((900, 1 << 0 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 11, 0x54), (None, None, None)),
)


def asked(rig, entries):
    """What a dump shows of connections after each packet, whose verdicts ask for another timeout, status, and mark."""
    queue, shown = Queued(rig.r), []
    for family in FAMILIES:
        c, s = Rig.C[family], Rig.S[family]
        for n, verdicts in enumerate(ASKED):
            for timeout, status, mark in verdicts:
                rig.wire("c")[0].send(rig.packet("c", UDP, udp(c, s, 7000 + n, 53, b"q"), family))
                queue.verdict(queue.next()[0], NF_ACCEPT, mark, timeout=timeout, status=status)
                rig.c.flush()
                rig.s.flush()
                now = [words(m) for m in dump(rig, family=family)
                       if nla_parse(nla_parse(nla_parse(m[3])[TUPLE_ORIG])[2])[2] == struct.pack("!H", 7000 + n)]
                equal(len(now), 1, "connections")
                left, word = (struct.unpack("!I", now[0][name])[0] for name in ("timeout", "status"))
                # What it was set to, or what a packet gives it: a stream's, if the emulator is slow.
                near = next((t for t in (120, 700, 900, 1500) if max(0, t - 120) < left <= t), left)
                shown.append((family, n, near, hex(word), now[0]["mark"]))
    equal(rig.r.conntrack_count(), 2 * entries, "entries of nf_conntrack")
    queue.close()
    return shown


@case("NFQUEUE: status and timeout of a verdict, whichever table will have the connection: as with nf_conntrack", only="flowtrack")
def _(rig):
    was = rig.r.sysctl("nat")
    rig.r.sysctl("nat", "all")
    try:
        for rules in (QUEUED, QUEUED + QUEUED_NAT):
            seen = {}
            for what, module, enable, adopt in (("the original", ORIGINAL, 0, "auto"), ("entries", OURS, 0, "auto"),
                                                ("flows", OURS, 1, "auto"), ("adopted", OURS, 1, "always")):
                rig.r.sysctl("enable", enable)
                rig.r.sysctl("adopt", adopt)
                swap(module)
                rig.r.conntrack_flush()
                rig.reset(rules)
                # One whose timeout is fixed from its first packet on is not adopted.
                kept = 0 if what == "flows" and rules == QUEUED else sum(bool((v[0][1] or 0) & FIXED) for v in ASKED)
                seen[what] = asked(rig, kept if enable else len(ASKED))
            for what, shown in seen.items():
                for ours, theirs in zip(shown, seen["the original"]):
                    equal(ours, theirs, f"{what}, {'translated' if rules != QUEUED else 'as it is'}")
    finally:
        for name, value in (("nat", was), ("adopt", "auto"), ("enable", 1)):
            rig.r.sysctl(name, value)
        swap(OURS)
        rig.reset(RULES)
        unload_nat()


def streams(rig):
    """[(family, port, [id, ...])]: what four connections are known by that open and go on side by side, packets held all the while."""
    queue, seen, held = Queued(rig.r), {}, []
    rounds = ("c", "s", "c", "c", "s")
    for n, side in enumerate(rounds):
        for family in FAMILIES:
            for sport in (6001, 6002):
                c, s = Rig.C[family], Rig.S[family]
                l4 = udp(c, s, sport, 53, b"q%d" % n) if side == "c" else udp(s, c, 53, sport, b"a%d" % n)
                rig.wire(side)[0].send(rig.packet(side, UDP, l4, family))
                ident, attrs, _ = queue.next()
                check(not struct.unpack("!I", attrs["status"])[0] & ~0x1ff, f"status {attrs['status'].hex()}")
                seen.setdefault((family, sport), []).append(attrs["id"].hex())
                held.append(ident)
        for ident in held:
            queue.verdict(ident, NF_ACCEPT)
        held.clear()
        rig.c.flush()
        rig.s.flush()
    for m in dump(rig):
        attrs = nla_parse(nla_parse(nla_parse(m[3])[TUPLE_ORIG])[2])
        for (family, sport), ids in seen.items():
            if FAMILY[family] == m[2] and struct.unpack("!H", attrs[2])[0] == sport:
                ids.append(words(m)["id"].hex())
    queue.close()
    equal([len(ids) for ids in seen.values()], [len(rounds) + 1] * 4, "packets of each, and the dump")
    return list(seen.values())


@case("programs that tell streams apart by CTA_ID: one for a connection, from its first packet on, whichever table will have it", only="flowtrack")
def _(rig):
    rules = """
table inet t {
	chain raw {
		type filter hook prerouting priority raw
		%s
	}
	chain forw {
		type filter hook forward priority 0
		ct state invalid drop
		udp dport 53 queue num 0
		udp sport 53 queue num 0
	}
}"""
    try:
        for what, module, mark, settings in (("the original", ORIGINAL, "", {"enable": 0}), ("entries", OURS, "", {"enable": 0}),
                                             ("flows", OURS, "", {"enable": 1}), ("adopted", OURS, "", {"adopt": "always"}),
                                             ("left", OURS, "meta mark set 0x100", {"bypass_mark": 0x100, "bypass_mask": 0x100})):
            for name, value in settings.items():
                rig.r.sysctl(name, value)
            swap(module)
            rig.r.conntrack_flush()
            rig.reset(rules % mark)
            seen = streams(rig)
            equal([len(set(ids)) for ids in seen], [1] * 4, f"{what}: ids of each connection, {seen}")
            equal(len({ids[0] for ids in seen}), 4, f"{what}: ids of all four, {seen}")
    finally:
        for name, value in (("bypass_mark", 0), ("bypass_mask", 0), ("adopt", "auto"), ("enable", 1)):
            rig.r.sysctl(name, value)
        swap(OURS)
        rig.reset(RULES)


TWICE = """
table inet t {
	chain forw {
		type filter hook forward priority 0
		ct state new udp length 8 accept
		udp dport 53 queue num 0
	}
	chain post {
		type filter hook postrouting priority 0
		ct state new udp length 8 accept
		udp dport 53 queue num 1
	}
}"""


@case("the id of a connection that is deleted while a packet is held: its own still, its first packet held or not",
      only="flowtrack")
def _(rig):
    for enable in trackers(rig, TWICE):
        queues = Queued(rig.r), Queued(rig.r, 1)

        def send(family, sport, data):
            rig.c.send(rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], sport, 53, data), family))

        def queued(family, sport, delete=False):
            """A packet passes both queues; its ids there. With delete, its connection goes between them."""
            send(family, sport, b"held")
            ids = []
            for queue in queues:
                ident, attrs, _ = queue.next()
                ids.append(attrs["id"].hex())
                if delete and queue is queues[0]:
                    rig.r.run("conntrack", "-D", "-f", f"ipv{family}", "-p", "udp", "--orig-port-src", str(sport))
                queue.verdict(ident, NF_ACCEPT)
            rig.c.flush()
            return ids

        for family in FAMILIES:
            ids = queued(family, 950) + queued(family, 950) + queued(family, 950, delete=True)
            equal(len(set(ids)), 1, f"enable {enable}, IPv{family}: ids of a connection, {ids}")
            send(family, 951, b"")
            rig.c.flush()
            ids = queued(family, 951) + queued(family, 951, delete=True)
            equal(len(set(ids)), 1, f"enable {enable}, IPv{family}: ids of one whose first packet nobody held, {ids}")
        for queue in queues:
            queue.close()
    rig.reset(RULES)


HELD = nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0
		udp dport 53 ct state new queue num 0
	}
}"""


def unconfirmed(rig, module, enable):
    """What is said while a queue holds the first packets of two connections, and when they have been accepted."""
    swap(module)
    rig.r.sysctl("enable", enable)
    rig.r.conntrack_flush()
    rig.reset(HELD)
    queue, ctnl, said = Queued(rig.r), Ctnl(rig.r), []

    def ask():
        for family in (0, *FAMILIES):
            said.append((family, ctnl.request(CT_UNCONFIRMED, b"", DUMP, family), ctnl.request(CT_UNCONFIRMED, family=family)))
        for family in FAMILIES:
            one = tuple_attr(TUPLE_ORIG, family, Rig.C[family], Rig.S[family], UDP, 900, 53)
            said.append((family, ctnl.request(CT_GET, one, family=family)[0], len(ctnl.dump(family))))
        for args in (("unconfirmed",), ("unconfirmed", "-o", "xml"), ("unconfirmed", "-f", "ipv6"), ("dying",)):
            said.append((args, rig.r.run("conntrack", "-L", *args, ok=False)))

    held = []
    for family in FAMILIES:
        rig.c.send(rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 900, 53, b"q"), family))
        held.append(queue.next()[0])
    ask()
    for ident in held:
        queue.verdict(ident, NF_ACCEPT)
    rig.c.flush()
    ask()
    queue.close()
    ctnl.close()
    return said


@case("CT_GET_UNCONFIRMED and conntrack -L unconfirmed, while first packets are held: as from the original, which has no list of "
      "them", only="flowtrack")
def _(rig):
    try:
        theirs, entries, flows = [unconfirmed(rig, *how) for how in ((ORIGINAL, 0), (OURS, 0), (OURS, 1))]
    finally:
        swap(OURS)
        rig.r.sysctl("enable", 1)
        rig.reset(RULES)
    equal([answer[1:] for answer in theirs if answer[0] in FAMILIES and len(answer) == 3 and isinstance(answer[1], int)],
          [(2, 0)] * 2 + [(0, 1)] * 2, "errors of CT_GET, and connections, before and after the verdicts")
    for who, said in (("entries", entries), ("flows", flows)):
        for ours, wanted in zip(said, theirs, strict=True):
            equal(ours, wanted, f"{who}: what is said")


SECURE = """
table inet secure {
	secmark label { "unconfined" }
	chain forw {
		type filter hook forward priority 0
		udp dport 53 meta secmark set "label" ct secmark set meta secmark queue num 0
	}
}"""


def secured(rig, module, enable):
    """What is said of a connection that a rule gives a security context: in a queue, in events, in dumps, by conntrack."""
    swap(module)
    rig.r.sysctl("enable", enable)
    rig.r.conntrack_flush()
    rig.reset(SECURE)
    queue, listener, said = Queued(rig.r), Listener(rig.r), []
    for family in FAMILIES:
        c, s = Rig.C[family], Rig.S[family]
        for _ in range(2):
            rig.wire("c")[0].send(rig.packet("c", UDP, udp(c, s, 900, 53, b"q"), family))
            ident, attrs, info = queue.next()
            queue.verdict(ident, NF_ACCEPT, 0x7)
            rig.c.flush()
            said.append(("queued", info, attrs))
    said += [("shown", 0, words(message)) for message in dump(rig)]
    for family in ("ipv4", "ipv6"):
        rig.r.run("conntrack", "-U", "-f", family, "-p", "udp", "-m", "8")
    told = [(name, 0, attrs) for events in listener.events().values() for name, _, _, attrs in events]
    shown = [re.sub(r" (udp +17) \d+", r" \1", line) for line in rig.r.run("conntrack", "-L", "-o", "extended")[1].splitlines()]
    shown += [re.sub(r"<(timeout|id)>\d+", "", line) for line in rig.r.run("conntrack", "-L", "-o", "xml")[1].splitlines()]
    queue.close()
    listener.close()
    for _, _, attrs in said + told:
        for name in ("id", "timeout"):
            attrs.pop(name, None)
    return sorted(said, key=str) + sorted(told, key=str), sorted(shown)


@case("a security context: said in queues, events, and dumps as by the original, and by conntrack", only="flowtrack")
def _(rig):
    run("mount", "-t", "securityfs", "securityfs", "/sys/kernel/security", ok=False)
    with open("/sys/kernel/security/lsm", encoding="ascii") as f:
        there = "apparmor" in f.read()
    # Debian's kernels have it; those that are built for their checks do not.
    check(there or "-" in os.environ.get("KERNEL", ""), "AppArmor, which knows the context, is not there")
    if not there:
        return
    try:
        # A ruleset with such an object leaves flows to nf_conntrack: with flowtrack, nothing changes.
        theirs, ours, beside = [secured(rig, *how) for how in ((ORIGINAL, 0), (OURS, 0), (OURS, 1))]
        equal(rig.r.flows(), [], "flows of ours")
    finally:
        swap(OURS)
        rig.r.sysctl("enable", 1)
        rig.reset(RULES)
    for seen in (ours, beside):
        for which in (0, 1):
            equal(len(seen[which]), len(theirs[which]), "things said")
            for a, b in zip(seen[which], theirs[which]):
                equal(a, b, "said of a connection")
    context = nla(1, b"unconfined\0")
    for what in ("queued", "shown", "new", "update"):
        check([attrs for kind, _, attrs in theirs[0] if kind == what and attrs.get("secctx") == context],
              f"{what}: no security context: {theirs[0]}")
    check("secctx=unconfined" in str(theirs[1]), f"conntrack -L: {theirs[1]}")


def logged(rig, socks):
    """The next packet that is logged: attributes of its connection, and ctinfo."""
    data = socks.recv(1 << 20)
    attrs = nla_parse(data[20:])
    check(18 in attrs and 19 in attrs, f"no connection: {list(attrs)}")  # NFULA_CT, NFULA_CT_INFO
    return {NAMES.get(k, k): v for k, v in nla_parse(attrs[18]).items()}, struct.unpack("!I", attrs[19])[0]


@case("NFLOG: the packet's connection, as with nf_conntrack", only="flowtrack")
def _(rig):
    rules = nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0
		udp dport 53 ct mark set 0x31
		log group 5
	}
}"""
    run("modprobe", "nfnetlink_log")
    seen = []
    for _ in trackers(rig, rules):
        ctnl, log = Ctnl(rig.r), []

        def config(attrs, ctnl=ctnl):
            ctnl.sock.send(struct.pack("=IHHIIBBH", 20 + len(attrs), 4 << 8 | 1, REQUEST | ACK, 1, 0, 0, 0, 5 << 8) + attrs)
            equal(struct.unpack_from("=i", ctnl.sock.recv(4096), 16)[0], 0, f"error of {attrs.hex()}")

        config(nla(1, b"\1"))  # bind
        config(nla(2, struct.pack("!IBx", 0xffff, 2)) + be32(5, 1) + be16(6, 4))  # packets, each at once, NFULNL_CFG_F_CONNTRACK
        for family in FAMILIES:
            c, s = Rig.C[family], Rig.S[family]
            for side, l4 in (("c", udp(c, s, 900, 53, b"q")), ("s", udp(s, c, 53, 900, b"a")), ("c", udp(c, s, 900, 53, b"q"))):
                rig.send(side, rig.packet(side, UDP, l4, family))
                log.append(logged(rig, ctnl.sock))
        ids = {words(m)["id"] for m in dump(rig)}
        # Of a first packet there is no flow yet.
        equal({a["id"] for n, (a, _) in enumerate(log) if n % 3}, ids, "ids of packets and of the dump")
        for attrs, _ in log:
            attrs.pop("id")
            left = struct.unpack("!I", attrs.pop("timeout"))[0]
            check(28 <= left <= 30, f"timeout {left}")
        seen.append(log)
        ctnl.close()
    rig.reset(RULES)
    for theirs, ours in zip(*seen):
        equal(ours, theirs, "connection of a packet")


@case("namespaces: each sees and deletes its own", only="flowtrack")
def _(rig):
    begin(rig)
    other = Ns("other")
    ctnl = Ctnl(other)
    equal(ctnl.dump(), [], "connections of another namespace")
    equal(ctnl.request(CT_DELETE)[0], 0, "error")
    equal(len(dump(rig)), FLOWS, "flows here")
    ctnl.close()
    other.delete()


@case("unloaded and loaded again while somebody dumps; the original loads after it", only="flowtrack")
def _(rig):
    begin(rig)
    script = "while conntrack -L >/dev/null 2>&1 || :; do :; done"
    with rig.r:
        p = subprocess.Popen(["sh", "-c", script])
    try:
        # What asks while neither is there would make the kernel load its own.
        with modprobe("/bin/true"):
            for _ in range(4):
                busywait(10, lambda: run("rmmod", OURS, ok=False)[0] == 0, f"rmmod {OURS}")
                run("insmod", CTNL_KO)
    finally:
        p.kill()
        p.wait()
    marked = be32(STATUS, 4)
    equal(len(dump(rig, attrs=marked)), 4, "assured flows")
    swap(ORIGINAL)
    equal(dump(rig), [], "what the original sees")
    swap(OURS)
    equal(len(dump(rig, attrs=marked)), 4, "assured flows")


main(setup)
