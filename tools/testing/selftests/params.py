#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Module parameters: what is refused, what they do, how they are described."""

import contextlib
import os
import re
import socket

from lib import *

DIR = "/sys/module/nf_flowtrack/parameters/"
NAMES = ("hashsize", "max", "total_max", "full_policy", "enable", "inherit")


def parameter(name):
    with open(DIR + name) as f:
        return f.read().strip()


def unloaded():
    if loaded():
        unload()
    load_needed()


def refused_case(setting, *parts):
    @case(f"insmod {setting}: refused, the log names the parameter and what it may be", only="flowtrack")
    def _():
        unloaded()
        log = Kmsg()
        status, _, _ = run("insmod", KO, setting, ok=False)
        check(status != 0, "it was loaded")
        check(not loaded(), "it is loaded")
        lines = [line for line in log.read() if "nf_flowtrack: " in line]
        log.close()
        name, _, value = setting.partition("=")
        check(any(name in line and value in line and all(p in line for p in parts) for line in lines),
              f"{parts} are not in: {lines}")


refused_case("hashsize=63", "64", "67108864")
refused_case("hashsize=67108865", "64", "67108864")
refused_case("hashsize=-1", "64")
refused_case("hashsize=many", "64")
refused_case("max=134217729", "134217728")
refused_case("max=-5", "134217728")
refused_case("total_max=134217729", "134217728")
refused_case("full_policy=accept", "evict", "drop", "pass")
refused_case("enable=3", "0", "1", "auto")


@case("an unknown parameter is told, as the kernel does", only="flowtrack")
def _():
    unloaded()
    log = Kmsg()
    load("hashsise=64")
    check(any("hashsise" in line for line in log.read()), "nothing in the log")
    log.close()
    unload()


@case("hashsize: buckets of the table", only="flowtrack")
def _():
    unloaded()
    load("hashsize=1000")
    ns = Ns("x")
    for where in (parameter("hashsize"), ns.sysctl("buckets")):
        equal(where, "1024", "buckets")
    ns.delete()
    unload()


@case("max and full_policy: initial values of every namespace", only="flowtrack")
def _():
    unloaded()
    before = Ns("before")
    load("max=1234", "full_policy=pass")
    after = Ns("after")
    for ns in (before, after):
        equal((ns.sysctl("max"), ns.sysctl("full_policy")), ("1234", "pass"), f"settings of {ns.name}")
        ns.delete()
    equal((parameter("max"), parameter("full_policy")), ("1234", "pass"), "parameters")
    unload()


@case("enable=0: packets are nf_conntrack's until a namespace wants them", only="flowtrack")
def _():
    unloaded()
    load("enable=0")
    rig = Rig()
    rig.udp("c", 4, 1000, 53, "new/o")
    equal((int(rig.r.sysctl("count")), rig.r.conntrack_count()), (0, 1), "flows here and in nf_conntrack")
    rig.r.sysctl("enable", 1)
    rig.udp("c", 4, 1001, 53, "new/o")
    equal((int(rig.r.sysctl("count")), rig.r.conntrack_count()), (1, 1), "flows here and in nf_conntrack")
    unload()
    Ns.delete_all()


@case("enable: auto is the default, also for the namespaces to come", only="flowtrack")
def _():
    unloaded()
    run("insmod", KO)
    ns = Ns("x")
    equal((parameter("enable"), ns.sysctl("enable")), ("auto", "auto"), "by default")
    with open(DIR + "enable", "w") as f:
        f.write("1")
    later = Ns("y")
    equal((parameter("enable"), ns.sysctl("enable"), later.sysctl("enable")), ("1", "auto", "1"), "after writing 1")
    ns.delete()
    later.delete()
    unload()


@case("inherit: new namespaces begin with what was set in the initial one", only="flowtrack")
def _():
    def host(name, value):
        with open(f"/proc/sys/net/netfilter/nf_flowtrack_{name}", "w") as f:
            f.write(str(value))

    unloaded()
    load("inherit=1")
    for name, value in (("udp_timeout", 77), ("src_max", 3), ("reserved", 5), ("buckets", 256)):
        host(name, value)
    ns = Ns("heir")
    equal([ns.sysctl(name) for name in ("udp_timeout", "src_max", "reserved", "udp_timeout_stream")],
          ["77", "3", "5", "120"], "settings of a new namespace")
    equal((ns.tool_json("show")["buckets_auto"], ns.sysctl("enable")), (1, "1"), "what is not inherited")
    # It counts by source from the start, this machine's own flows, too.
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("127.0.0.1", 1000))
    equal((ns.sysctl("count"), ns.sysctl("src_count")), ("1", "1"), "flows and sources")
    # What nobody set goes on to follow nf_conntrack.
    ns.sysctl("net.netfilter.nf_conntrack_icmp_timeout", 44)
    equal(ns.sysctl("icmp_timeout"), "44", "a timeout that was not set")
    with open(DIR + "inherit", "w") as f:
        f.write("0")
    stranger = Ns("stranger")
    equal(stranger.sysctl("udp_timeout"), "30", "a namespace that does not inherit")
    ns.delete()
    stranger.delete()
    unload()


SYSCTL_D = "/etc/sysctl.d/nf_flowtrack.conf"


@case("sysctl.d: before the module and after it, as sysctl.rst says", only="flowtrack")
def _():
    def now():
        with open("/proc/sys/net/netfilter/nf_flowtrack_max") as f:
            first = f.read().strip()
        with open("/proc/sys/net/netfilter/nf_flowtrack_tcp_timeout_established") as f:
            return first, f.read().strip()

    doc = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../Documentation/sysctl.rst")
    with open(doc) as f:
        text = f.read()
    lines = re.findall(r"^ +(net\.netfilter\.nf_flowtrack_\w+ = \d+)$", text, re.M)
    again = re.search(r'KERNEL=="nf_flowtrack", RUN\+="([^"]+)"', text)[1].split()
    equal(len(lines), 3, "lines in the example")
    os.makedirs("/etc/sysctl.d", exist_ok=True)
    unloaded()
    try:
        with open(SYSCTL_D, "w") as f:
            f.write("\n".join(lines) + "\n")
        # As at boot: the sysctls are not there, which is no error.
        equal(run(*again, ok=False)[0], 0, "exit status before the module")
        load()
        check(now() != ("500000", "7200"), "settings before the rule of udev has run")
        run(*again)
        equal(now(), ("500000", "7200"), "settings after the rule of udev has run")
        unload()
        load()
        run(again[0])
        equal(now(), ("500000", "7200"), "settings where the module was loaded first")
    finally:
        os.unlink(SYSCTL_D)
    unload()


@case("total_max: bounds the sum of all namespaces, and holds half for the initial one", only="flowtrack")
def _():
    unloaded()
    load("total_max=20", "full_policy=drop")
    first, second = Ns("first"), Ns("second")
    for ns in (first, second):
        with ns:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for port in range(1000, 1008):
            try:
                s.sendto(b"x", ("127.0.0.1", port))
            except PermissionError:
                pass
        s.close()
    equal([int(ns.sysctl("count")) for ns in (first, second)], [8, 2], "counts")
    first.tool("flush")
    with second:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"x", ("127.0.0.1", 2000))
    s.close()
    equal(int(second.sysctl("count")), 3, "count after another namespace's flush")
    first.delete()
    second.delete()
    unload()


@case("total_max: what it says in the log, and who gets in nevertheless", only="flowtrack")
def _():
    def knock(ns, port, mark=0):
        """The number of flows that a datagram with that mark adds."""
        before = int(sysctl(ns, "count"))
        with ns:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        try:
            s.sendto(b"x", ("127.0.0.1", port))
        except PermissionError:
            pass
        s.close()
        return int(sysctl(ns, "count")) - before

    def sysctl(ns, name, value=None):
        with ns, open(f"/proc/sys/net/netfilter/nf_flowtrack_{name}", "r+" if value else "r") as f:
            return f.write(str(value)) if value else f.read()

    unloaded()
    load("total_max=10", "full_policy=drop")
    host, other = contextlib.nullcontext(), Ns("other")
    for ns in (host, other):
        for name, value in (("reserved", 2), ("reserved_mark", 0x22), ("reserved_mask", 0xff)):
            sysctl(ns, name, value)
    log = Kmsg()
    equal(sum(knock(other, port) for port in range(1000, 1012)), 5, "flows of another namespace")
    full = [line for line in log.read() if "table full" in line]
    check(len(full) == 1 and "5 flows of all namespaces but the initial" in full[0] and "total_max=10" in full[0], f"log: {full}")
    equal(sum(knock(host, port) for port in range(2000, 2006)), 5, "flows of the initial namespace")
    equal((knock(host, 2006), knock(other, 2000, 0x22)), (0, 0), "flows of others")
    equal([knock(host, port, 0x22) for port in (3000, 3001, 3002)], [1, 1, 0], "flows with the reserved mark")
    log.close()
    other.delete()
    unload()


@case("modinfo describes every parameter, the licence and what it depends on", only="flowtrack")
def _():
    out = run("modinfo", KO)[1]
    described = dict(re.findall(r"^parm:\s+(\w+):(.*)$", out, re.M))
    equal(sorted(described), sorted(NAMES), "parameters")
    for name, text in described.items():
        check(len(text) > 20, f"{name}: {text}")
    for part in ("license:        GPL", "description:", "version:", "depends:"):
        check(part in out, f"{part} is not in:\n{out}")


@case("who may write: hashsize, enable and inherit; the others are fixed", only="flowtrack")
def _():
    load()
    modes = {n: oct(os.stat(DIR + n).st_mode & 0o777) for n in os.listdir(DIR)}
    equal(modes, {"hashsize": "0o644", "enable": "0o644", "max": "0o444", "total_max": "0o444",
                  "full_policy": "0o444", "inherit": "0o644"}, "modes")
    unload()


main()
