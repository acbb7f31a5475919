#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""save and restore: connections survive the module."""

import os
import re
import tempfile

from lib import *

STRICT = """
table inet strict {
	chain c {
		type filter hook forward priority 0; policy drop
		ct state established,related accept
	}
}"""

WSCALE7 = b"\3\3\7\1"


def essence(flow):
    """What must be the same before and after."""
    out = {k: flow.get(k) for k in ("family", "proto", "state", "class", "seen_reply", "assured", "mark", "zone")}
    out["orig"], out["reply"] = dict(flow["orig"]), dict(flow["reply"])
    return out


def key(flow):
    return repr(essence(flow))


@case("established TCP goes on under 'established' alone, with tcp_loose=0", only="flowtrack")
def _(rig):
    rig.reset()
    connections = []
    for family in (4, 6):
        t = Tcp(rig, family, sport=3000).open(options=WSCALE7)
        t.send("c", "PA", "est/o+sa", 1, 1, data=b"x" * 500)
        t.send("s", "A", "est/r+sa", 1, 501, win=60000)
        connections.append(t)
    saved = rig.r.tool("save")[1]
    unload()
    load()
    rig.r.sysctl("tcp_loose", 0)
    rig.r.nft("flush ruleset\n" + nft_stamps() + STRICT)
    for t in connections:
        t.send("c", "PA", "drop", 501, 1, data=b"x" * 500)
    rig.r.tool("restore", text=saved)
    for t in connections:
        t.send("c", "PA", "est/o+sa", 501, 1, data=b"x" * 500)
        t.send("s", "A", "est/r+sa", 1, 1001, win=60000)
        # The window was scaled by 7 and still is: 1 MB behind is inside, 100 MB is not.
        t.send("c", "PA", "est/o+sa", 1000001, 1, data=b"x" * 500)
        rig.r.nft("flush ruleset\n" + nft_stamps())
        t.send("c", "PA", "inv", 100000001, 1, data=b"x" * 500)
        rig.r.nft("flush ruleset\n" + nft_stamps() + STRICT)
    rig.r.sysctl("tcp_loose", 1)
    rig.r.nft("flush ruleset\n" + nft_stamps())


@case("every kind of flow comes back as it was", only="flowtrack")
def _(rig):
    rig.reset(nft_stamps() + """
table inet raw {
	chain pre {
		type filter hook prerouting priority -300
		udp dport 5353 ct zone set 5
	}
	chain forw {
		type filter hook forward priority 0
		udp dport 5354 ct mark set 0xdeadbeef
	}
}""")
    rig.r.sysctl("acct", 1)
    rig.r.sysctl("timestamp", 1)
    for family in (4, 6):
        rig.udp("c", family, 3100, 53, "new/o")
        rig.udp("s", family, 53, 3100, "est/r+s")
        rig.udp("c", family, 3101, 5353, "new/o")
        rig.udp("c", family, 3102, 5354, "new/o")
        rig.echo("c", family, 31, "new/o")
        rig.echo("s", family, 31, "est/r+s", reply=True)
        for proto, l4 in ((GRE, gre(77)), (253, b"x" * 10), (SCTP, sctp(3103, 3868, 0, sctp_init(5)))):
            rig.expect("c", rig.packet("c", proto, l4, family), "new/o")
        t = Tcp(rig, family, sport=3104).open()
        t.send("c", "FA", "est/o+sa", 1, 1)
        Tcp(rig, family, sport=3105).send("c", "S", "new/o")
    before = rig.r.flows()
    saved = rig.r.tool("save")[1]
    rig.r.flush()
    equal(rig.r.flows(), [], "flows after the flush")
    out = rig.r.tool("-j", "restore", text=saved)[1]
    equal(parse_json(out), {"restored": len(before), "existing": 0, "failed": 0}, "what restore says")
    after = rig.r.flows()
    equal(sorted(map(key, after)), sorted(map(key, before)), "flows")
    for b, a in zip(sorted(before, key=key), sorted(after, key=key)):
        check(abs(a["timeout"] - b["timeout"]) < 20, f"timeouts: {b} {a}")
        check(abs(a["start"] - b["start"]) < 2, f"start: {b} {a}")
    second = rig.r.tool("save")[1]
    strip = re.compile(r" (timeout|start|age|saved)=\S+")
    equal(sorted(strip.sub("", second).splitlines()), sorted(strip.sub("", saved).splitlines()), "saved again")
    rig.r.sysctl("acct", 0)
    rig.r.sysctl("timestamp", 0)


@case("what exists already: refused, or ignored where wanted", only="flowtrack")
def _(rig):
    saved = rig.r.tool("save")[1]
    n = len(rig.r.flows())
    status, _, err = rig.r.tool("restore", text=saved, ok=False)
    equal(status, 2, "exit status")
    check("standard input:3:" in err, f"the line is not named: {err}")
    out = rig.r.tool("-j", "restore", "--ignore-existing", text=saved)[1]
    equal(parse_json(out), {"restored": 0, "existing": n, "failed": 0}, "what restore says")
    equal(len(rig.r.flows()), n, "flows")


@case("files that are not what save wrote are refused, with the line", only="flowtrack")
def _(rig):
    saved = [line for line in rig.r.tool("save", "udp", "ipv4")[1].splitlines() if not line.startswith("#")]
    for what, text in (("empty", ""), ("no header", saved[1] + "\n"), ("another version", saved[0].split()[0] + " 999\n"),
                       ("a bad word", saved[0] + "\n" + saved[1] + " colour=red\n"),
                       ("a bad address", saved[0] + "\n" + saved[1].replace("10.9.1.2", "10.9.1.256") + "\n"),
                       ("cut off", saved[0] + "\n" + saved[1][:-5])):
        status, _, err = rig.r.tool("restore", text=text, ok=False)
        check(status == 1, f"{what}: exit status {status}")
        check(err.strip(), f"{what}: no message")


@case("from a file, of a filter, into another namespace", only="flowtrack")
def _(rig):
    fd, path = tempfile.mkstemp()
    with os.fdopen(fd, "w") as f:
        f.write(rig.r.tool("save", "udp")[1])
    n = len(rig.r.flows(proto="udp"))
    rig.sns.tool("flush")
    rig.r.tool("-n", rig.sns.name, "restore", path)
    os.unlink(path)
    equal(len(rig.sns.flows()), n, "flows in the other namespace")
    rig.sns.tool("flush")


@case("a full table takes from a file what it has room for", only="flowtrack")
def _(rig):
    saved = rig.r.tool("save")[1]
    rig.r.flush()
    old = rig.r.sysctl("max")
    rig.r.sysctl("max", 3)
    rig.r.sysctl("full_policy", "drop")
    status, _, err = rig.r.tool("restore", text=saved, ok=False)
    check(status != 0 and err, "a restore that cannot succeed says nothing")
    equal(int(rig.r.sysctl("count")), 3, "count")
    rig.r.sysctl("max", old)
    rig.r.sysctl("full_policy", "evict")


@case("a file of ten minutes ago: flows have ten minutes less, and what is over does not come back", only="flowtrack")
def _(rig):
    rig.r.flush()
    words = ("udp", "src", "192.0.2.1", "dst", "192.0.2.2", "dport", "53")
    rig.r.tool("add", *words, "sport", "1", "timeout", "1000")
    rig.r.tool("add", *words, "sport", "2", "timeout", "500")
    saved = rig.r.tool("save")[1]
    then = float(re.search(r"^# saved=([0-9.]+)$", saved, re.M).group(1))
    rig.r.flush()
    old = saved.replace(f"# saved={then:.3f}", f"# saved={then - 600:.3f}")
    equal(parse_json(rig.r.tool("-j", "restore", text=old)[1]), {"restored": 1, "existing": 0, "failed": 0, "over": 1}, "summary")
    left = rig.r.flow(osport=1)["timeout"]
    check(380 < left <= 400, f"{left} s are left of 1000 after 600")
    rig.r.flush()
    equal(parse_json(rig.r.tool("-j", "restore", text=saved)[1])["restored"], 2, "flows of a file of just now")
    rig.r.flush()


@case("settings: show is fed to set, saved with the flows and restored after a reload, buckets automatic as they were",
      only="flowtrack")
def _(rig):
    def changed():
        return {n: v for n, v in rig.r.tool_json("show").items() if n not in ("count", "guarded", "src_count", "buckets")}
    rig.r.flush()
    default = changed()
    rig.r.tool("set", "max", "5000", "reserved", "4000", "adaptive_start", "70", "adaptive_end", "99", "udp_timeout", "77",
               "full_policy", "pass", "watermark_high", "60", "watermark_low", "40", "bypass_mark", "0x10")
    wanted = changed()
    shown = rig.r.tool("show")[1].split()
    rig.r.tool("add", "udp", "src", "192.0.2.1", "dst", "192.0.2.2", "sport", "1", "dport", "53", "timeout", "1000")
    saved = rig.r.tool("save", "--settings")[1]
    unload()
    load()
    equal(changed(), default, "settings of a new module")
    for words in (shown, shown[::-1]):
        rig.r.tool("set", *[f"{n}={v}" for n, v in default.items() if n != "buckets_auto"])
        rig.r.tool("set", *words)
        equal(changed(), wanted, "settings that show printed")
    equal(wanted["buckets_auto"], 1, "buckets_auto")
    rig.r.tool("set", *[f"{n}={v}" for n, v in default.items() if n != "buckets_auto"])
    equal(parse_json(rig.r.tool("-j", "restore", text=saved)[1])["restored"], 1, "flows")
    equal(changed(), wanted, "settings that were restored")
    rig.r.tool("set", "buckets", "1000")
    equal([w for w in rig.r.tool("show")[1].split() if w.startswith("buckets")], ["buckets=1024", "buckets_auto=0"], "fixed")
    rig.r.tool("set", "buckets", "auto", *[f"{n}={v}" for n, v in default.items() if n != "buckets_auto"])
    equal(changed(), default, "settings of before")
    rig.r.flush()


main(Rig)
