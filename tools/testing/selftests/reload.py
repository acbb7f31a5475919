#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 500
# CPUS: 2
"""Another build of the module in place of the loaded one: flows, settings and connections of all namespaces outlast it."""

import itertools
import json
import os
import re
import sys
import tempfile
import threading

from lib import *
from lib_ctnetlink import swap
from lib_net import *

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import schema

USAGE, REFUSED = 1, 2
RUN = "/run/flowtrack"
# A packet in the middle of a connection that the table does not have is dropped, from either side.
STRICT = """
table inet strict {
	chain c {
		type filter hook forward priority 0; policy drop
		ct state invalid drop
		ct state established,related accept
		ct state new tcp flags & (fin | syn | rst | ack) == syn accept
		ct state new udp dport 9000-9199 accept
	}
}
"""
NAT = """
table ip nat {
	chain post {
		type nat hook postrouting priority 100
		oif rs tcp dport 9200-9300 masquerade
	}
}
"""
PUBLISHED = """
table ip nat {
	chain pre {
		type nat hook prerouting priority -100
		ip daddr 10.9.1.1 tcp dport 9500-9509 dnat to 10.9.2.2:tcp dport map { %s }
	}
}
""" % ", ".join(f"{9500 + i} : {9400 + i}" for i in range(5))
MODULES = tempfile.mkdtemp()
# A symbol that no kernel has.
BAD = (rb"\0nf_ct_get_tuplepr\0", b"\0nf_ct_get_tuplepx\0")
ports = itertools.count(0)


def build(name, *changes):
    """A module like the tested one, but for strings in it; the second module is beside it."""
    if not os.path.exists(f"{MODULES}/ko"):
        # As packages install it: without what a debugger wants, which is most of it.
        run("strip", "--strip-debug", "-o", f"{MODULES}/ko", KO)
    with open(f"{MODULES}/ko", "rb") as f:
        data = f.read()
    for old, new in changes:
        data, n = re.subn(old, new, data)
        check(n, f"no {old} in {KO}")
    os.makedirs(f"{MODULES}/{name}", exist_ok=True)
    path = f"{MODULES}/{name}/nf_flowtrack.ko"
    with open(path, "wb") as f:
        f.write(data)
    other = KO.replace("nf_flowtrack.ko", "nf_flowtrack_ctnetlink.ko")
    run("cp", other, f"{MODULES}/{name}/")
    return path


def next_build():
    """Of another source, to look at."""
    with open("/sys/module/nf_flowtrack/srcversion") as f:
        old = f.read().strip()
    first = "0" if old[0] != "0" else "1"
    path = build(first, (rb"srcversion=.", b"srcversion=" + first.encode()))
    return path, first + old[1:]


def loaded_build():
    with open("/sys/module/nf_flowtrack/srcversion") as f:
        return f.read().strip(), os.stat("/sys/module/nf_flowtrack").st_ino


def reload(ns, *args, wanted=0):
    """What it says; nothing is left behind of it."""
    status, out, err = ns.tool("-j", "reload", *args, ok=False)
    equal(status, wanted, f"reload {' '.join(args)}: {out} {err}")
    for other in Ns.all:
        check("flowtrack-reload" not in other.run("nft", "list", "tables")[1], f"{other.name} is frozen")
    left = os.listdir(f"{RUN}/reload") if os.path.isdir(f"{RUN}/reload") else []
    check(wanted or not left, f"saved tables are left: {left}")
    if wanted:
        return err
    equal(schema.problems("reload", out), [], "the JSON Schema")
    return json.loads(out)


def keep(net):
    """The module was loaded by its file: from here on there is a way back."""
    said = reload(net.r, KO)
    check(os.path.exists(f"{RUN}/nf_flowtrack.ko"), "the module is not kept")
    return said


class Gap:
    """UDP through the router, a packet every 5 ms: the longest time in which no answer came."""

    def __init__(self, net):
        self.far = listen(net.s, Net.S[4], 9199, "udp")
        self.near = connect(net.c, Net.S[4], 9199, "udp")
        self.near.settimeout(0.005)
        self.far.settimeout(0.005)
        self.longest = 0
        self.failed = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        last = time.monotonic()
        while not self.stop.is_set():
            try:
                self.near.send(b"x")
                self.far.sendto(*self.far.recvfrom(10))
                self.near.recv(10)
                now = time.monotonic()
                self.longest, last = max(self.longest, now - last), now
            except TimeoutError:
                pass
            except OSError as e:
                self.failed = e

    def end(self):
        self.stop.set()
        self.thread.join()
        self.near.close()
        self.far.close()
        check(not self.failed, f"a program that sends sees {self.failed!r}")
        return self.longest


def established(net, families=FAMILIES):
    talks = [Talk(net.c, net.s, Net.S[f], 9000 + next(ports)).start() for f in families for _ in range(5)]
    talks += [Talk(net.c, net.s, Net.S[f], 9000 + next(ports), proto="udp") for f in families]
    return talks


def close(talks):
    for talk in talks:
        talk.close()


def by_hand():
    """Seconds that rmmod and insmod take: how busy is the machine?"""
    path = build("plain")
    start = time.monotonic()
    unload()
    run("insmod", path, "enable=1")
    return time.monotonic() - start


def reload_soon(net, talks, seconds, tries=3):
    """Reload until packets have waited for less than that, if other work delays it. Nothing is lost in any try."""
    while True:
        path, source = next_build()
        gap = Gap(net)
        said = reload(net.r, path)
        all_alive(talks, "after the reload")
        longest = gap.end()
        equal(loaded_build()[0], source, "the build that is loaded")
        check(said["restored"] >= len(talks) and not said["failed"], said)
        print(f"# {said['restored']} flows: packets waited for {said['away']} s, the longest time without an answer {longest:.3f} s")
        tries -= 1
        if longest < seconds * SLOW:
            return said
        check(tries, f"{longest:.3f} s without an answer")


@case("connections of its own go on under 'established' alone, TCP and UDP, within a second, and settings stay", only="flowtrack")
def _(net):
    net.reset(STRICT)
    # A second; or what is lost without the tool, twice, on a machine that is as busy as that.
    soon = max(1, 2 * by_hand() / SLOW)
    keep(net)
    net.r.tool("set", "max", "7777", "tcp_timeout_established", "4444", "tcp_loose", "0")
    quiet = Ns("quiet")
    quiet.tool("set", "max", "555")
    before = {ns.name: ns.tool("show")[1].split() for ns in (net.r, quiet)}
    talks = established(net)
    reload_soon(net, talks, soon)
    for ns in (net.r, quiet):
        same = [w for w in ns.tool("show")[1].split() if not w.startswith(("count=", "buckets=", "src_count=", "guarded="))]
        check(set(same) <= set(before[ns.name]), f"{ns.name}: {set(same) - set(before[ns.name])}")
    with Talk(net.c, net.s, Net.S[4], 9000 + next(ports)) as talk:
        talk.alive()
    close(talks)
    quiet.delete()
    net.r.tool("set", "tcp_loose", "auto", "tcp_timeout_established", "auto")


@case("translated connections go on beside its own, and new ones are translated", only="flowtrack")
def _(net):
    net.reset(STRICT + NAT)
    talks = established(net) + [Talk(net.c, net.s, Net.S[4], 9200 + i).start() for i in range(5)]
    equal({t.peer[0] for t in talks[-5:]}, {Net.RS[4]}, "who the server sees")
    reload(net.r, next_build()[0])
    all_alive(talks, "after the reload")
    with Talk(net.c, net.s, Net.S[4], 9300) as talk:
        equal(talk.peer[0], Net.RS[4], "who the server sees")
        talk.alive()
    close(talks)


@case("translated connections of its own go on with their mapping", only="flowtrack")
def _(net):
    net.reset(STRICT + NAT)
    keep(net)
    net.r.tool("set", "nat", "snat")
    talks = [Talk(net.c, net.s, Net.S[4], 9290 + i).start() for i in range(5)]
    net.where((5, 0), "translated connections", rdst=Net.RS[4])
    reload(net.r, next_build()[0])
    net.where((5, 0), "translated connections after the reload", rdst=Net.RS[4])
    all_alive(talks, "after the reload")
    close(talks)
    net.r.tool("flush")
    net.r.tool("set", "nat", "auto")


@case("a log of flows has one record of each that ended, with all that was counted", only="flowtrack")
def _(net):
    net.reset(STRICT)
    keep(net)
    for name in ("acct", "timestamp"):
        net.r.tool("set", name, "on")
    log = f"{MODULES}/flows.json"
    monitor = net.r.popen(TOOL, "-j", "monitor", "--timestamps", "--event", "destroy", "--log", log)
    busywait(20, lambda: genl_listeners(net.r), "the monitor's subscription")
    talks = established(net, FAMILIES[:1])
    for module in (next_build()[0], build("bad", BAD)):
        all_alive(talks, "before the reload")
        reload(net.r, module, wanted=REFUSED if "bad" in module else 0)
        busywait(20, lambda: genl_listeners(net.r), "the monitor's subscription after the reload")
    all_alive(talks, "after the reload")
    flows = {flow["orig"]["dport"]: flow for flow in net.r.tool_json("list", "dport", "9000-9199")}
    equal(len(flows), len(talks), f"flows: {flows}")
    net.r.tool("del", "dport", "9000-9199")

    def records():
        with open(log, encoding="utf-8") as f:
            return [json.loads(line) for line in f]
    busywait(20, lambda: len(records()) >= len(talks), "a record of each")
    monitor.terminate()
    monitor.wait(10)
    equal(sorted(r["flow"]["orig"]["dport"] for r in records()), sorted(flows), f"records: {records()}")
    for record in records():
        flow = flows[record["flow"]["orig"]["dport"]]
        for direction in ("orig", "reply"):
            check(record["flow"][direction]["packets"] >= flow[direction]["packets"] >= 10, f"{direction} of {record}, in the list {flow}")
    close(talks)
    for name in ("acct", "timestamp"):
        net.r.tool("set", name, "auto")


@case("a module that does not load: the old one is back, and all goes on", only="flowtrack")
def _(net):
    net.reset(STRICT)
    keep(net)
    net.r.tool("set", "max", "6666")
    talks = established(net)
    before = loaded_build()
    err = reload(net.r, build("bad", BAD), wanted=REFUSED)
    check("does not load" in err and "the old module is back" in err, err)
    equal(loaded_build()[0], before[0], "the build that is loaded")
    check(loaded_build()[1] != before[1], "the old module was never unloaded: the test shows nothing")
    all_alive(talks, "with the old module")
    equal(net.r.sysctl("max"), "6666", "max")
    close(talks)


@case("what is no module for this kernel is refused before anything happens", only="flowtrack")
def _(net):
    before = loaded_build()
    with open(f"{MODULES}/text", "w") as f:
        f.write("no module")
    kernel = os.uname().release.encode()
    for path, what in ((f"{MODULES}/text", "not the module"), (f"{MODULES}/missing", "No such file"),
                       (KO.replace("nf_flowtrack.ko", "nf_flowtrack_ctnetlink.ko"), "not the module"),
                       (build("other", (b"vermagic=" + re.escape(kernel), b"vermagic=" + kernel[:-1] + b"x")), "for kernel")):
        check(what in reload(net.r, path, wanted=USAGE), path)
    equal(loaded_build(), before, "the module")


@case("without a way back it is not begun, unless forced", only="flowtrack")
def _(net):
    for name in os.listdir(RUN):
        if name.endswith(".ko"):
            os.unlink(f"{RUN}/{name}")
    before = loaded_build()
    path, source = next_build()
    check("--force" in reload(net.r, path, wanted=USAGE), "no word of --force")
    equal(loaded_build(), before, "the module")
    reload(net.r, path, "--force")
    equal(loaded_build()[0], source, "the build that is loaded")


@case("another version is told of, and works", only="flowtrack")
def _(net):
    keep(net)
    path = build("version", (rb"\0version=[0-9]", b"\0version=9"), (rb"srcversion=.", b"srcversion=9"))
    status, out, err = net.r.tool("reload", path, ok=False)
    check(status == 0 and "the module is version 9" in err and "this is flowtrack" in err, f"{status} {out} {err}")
    check("versions" in net.r.tool("-j", "doctor", ok=False)[1], "the doctor says nothing")
    check("differ" in net.r.tool("-V")[1], "-V says nothing")
    net.r.tool("list")
    reload(net.r, KO)
    check("differ" not in net.r.tool("-V")[1], "-V, of the same version")


@case("the second module goes first, and comes back", only="flowtrack")
def _(net):
    swap("nf_flowtrack_ctnetlink")
    reload(net.r, next_build()[0])
    check(os.path.isdir("/sys/module/nf_flowtrack_ctnetlink"), "it is not back")
    err = reload(net.r, build("bad", BAD), wanted=REFUSED)
    check(os.path.isdir("/sys/module/nf_flowtrack_ctnetlink"), f"it is not back after {err}")
    run("rmmod", "nf_flowtrack_ctnetlink")


@case("with the second module, connections to a published port stay flowtrack's", only="flowtrack")
def _(net):
    net.reset(STRICT + PUBLISHED)
    keep(net)
    swap("nf_flowtrack_ctnetlink")
    talks = [Talk(net.c, net.s, Net.S[4], 9400 + i, to=(Net.RC[4], 9500 + i)).start() for i in range(5)]
    for module, wanted in ((next_build()[0], 0), (build("bad", BAD), REFUSED)):
        net.where((5, 0), f"before {module}", rdst=Net.C[4])
        reload(net.r, module, wanted=wanted)
        all_alive(talks, f"after {module}")
    net.where((5, 0), "in the end", rdst=Net.C[4])
    # Unloaded by hand, it is meant to go.
    run("rmmod", "nf_flowtrack_ctnetlink")
    net.where((0, 5), "without the second module", rdst=Net.C[4])
    all_alive(talks, "without the second module")
    close(talks)
    net.r.conntrack_flush()


@case("settings on trial stay on trial", only="flowtrack")
def _(net):
    net.r.tool("set", "max", "5000")
    net.r.tool("set", "--confirm", "10", "max", "4000")
    reload(net.r, KO)
    equal(net.r.sysctl("max"), "4000", "after the reload")
    busywait(30, lambda: net.r.sysctl("max") == "5000", "max goes back")


def fill(net, flows):
    # Less than what makes timeouts shrink.
    net.r.tool("set", "max", str(2 * flows))
    lines = [f"udp src=198.51.{i >> 8}.{i & 255} dst=192.0.2.1 sport=1000 dport={port} timeout=1000"
             for i in range(flows // 100) for port in range(1, 101)]
    net.r.tool("restore", text="\n".join(["flowtrack-save 1"] + lines) + "\n")


@case("a table of 20000 flows is back within a second, or half of what it takes by hand", only="flowtrack")
def _(net):
    net.reset(STRICT)
    module = by_hand()
    keep(net)
    fill(net, 20000)
    start = time.monotonic()
    saved = net.r.tool("save", "own")[1]
    net.r.tool("flush")
    net.r.tool("restore", text=saved)
    table = time.monotonic() - start
    talks = established(net)
    print(f"# by hand: {module:.3f} s for the module, {table:.3f} s for the flows")
    # By hand they are text in between. That takes longer than a second where the CPU is an emulator's.
    said = reload_soon(net, talks, max(1, (2 * module + table / 2) / SLOW))
    check(said["restored"] >= 20000, said)
    close(talks)
    net.r.tool("flush")


@case("killed in the middle: packets pass, whatever module there is", only="flowtrack")
def _(net):
    net.reset("table inet t { chain c { type filter hook forward priority 0; ct state invalid,new,established accept; }; }")
    fill(net, 20000)
    talk = Talk(net.c, net.s, Net.S[4], 9000 + next(ports))
    p = net.r.popen(TOOL, "reload", KO)
    busywait(20, lambda: "flowtrack-reload" in net.r.run("nft", "list", "tables")[1], "packets are held up")
    p.kill()
    p.wait()
    busywait(5, lambda: "flowtrack-reload" not in net.r.run("nft", "list", "tables")[1], "packets are let go")
    talk.alive()
    talk.close()
    # Its children may be at it still.
    busywait(10, lambda: not run("pgrep", "-x", "insmod", ok=False)[1], "insmod ends")
    load()
    # What is left can be restored by hand.
    saved = [f"{RUN}/reload/{name}" for name in os.listdir(f"{RUN}/reload")]
    large = [path for path in saved if os.stat(path).st_size > 100000]
    equal(len(large), 1, f"files with flows among {saved}")
    with open(large[0], encoding="utf-8") as f:
        text = f.read()
    check(text.count("\nudp ") >= 20000, f"flows in {large[0]}: {text[:500]}")
    net.r.tool("restore", "--ignore-existing", large[0])
    check(int(net.r.sysctl("count")) >= 20000, "flows that are there again")
    run("rm", "-r", f"{RUN}/reload")
    net.r.tool("flush")


main(Net)
