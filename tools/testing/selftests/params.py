#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Module parameters: what is refused, what they do, how they are described."""

import contextlib
import os
import re
import socket

from lib import *

DIR = "/sys/module/nf_flowtrack/parameters/"
NAMES = ("hashsize", "max", "total_max", "full_policy", "enable")


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


@case("total_max: bounds the sum of all namespaces", only="flowtrack")
def _():
    unloaded()
    load("total_max=10", "full_policy=drop")
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
    equal(sum(knock(other, port) for port in range(1000, 1012)), 10, "flows of another namespace")
    full = [line for line in log.read() if "table full" in line]
    check(len(full) == 1 and "10 flows of all namespaces" in full[0] and "total_max=10" in full[0], f"log: {full}")
    equal((knock(host, 2000), knock(other, 2000, 0x22)), (0, 0), "flows of others")
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


@case("who may write: hashsize and enable; the others are fixed", only="flowtrack")
def _():
    load()
    modes = {n: oct(os.stat(DIR + n).st_mode & 0o777) for n in os.listdir(DIR)}
    equal(modes, {"hashsize": "0o644", "enable": "0o644", "max": "0o444", "total_max": "0o444",
                  "full_policy": "0o444"}, "modes")
    unload()


main()
