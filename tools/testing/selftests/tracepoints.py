#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tracepoints nf_flowtrack:* fire, once for what they are about."""

import os
import re

from lib import *

TRACING = "/sys/kernel/tracing/"


def write(path, value):
    with open(TRACING + path, "w") as f:
        f.write(value)


class Trace:
    """The trace of one event."""

    def __init__(self, event):
        self.event = event
        write("trace", "")
        write(f"events/nf_flowtrack/{event}/enable", "1")

    def lines(self):
        with open(TRACING + "trace") as f:
            return [line.split(f"{self.event}: ")[1].strip() for line in f if f" {self.event}: " in line]

    def end(self):
        write(f"events/nf_flowtrack/{self.event}/enable", "0")


def setup():
    if not os.path.exists(TRACING + "trace"):
        run("mount", "-t", "tracefs", "tracefs", TRACING)
    return Rig()


@case("nf_flowtrack_new and nf_flowtrack_destroy", only="flowtrack")
def _(rig):
    rig.reset()
    for event, act in (("nf_flowtrack_new", lambda: rig.udp("c", 4, 1000, 53, "new/o")),
                       ("nf_flowtrack_destroy", lambda: rig.r.tool("flush"))):
        trace = Trace(event)
        act()
        lines = trace.lines()
        trace.end()
        equal(len(lines), 1, f"lines: {lines}")
        fields = dict(re.findall(r"(\w+)=(\S+)", lines[0]))
        equal((fields["proto"], fields["sport"], fields["dport"]), ("17", "1000", "53"), lines[0])
        with rig.r:
            equal(fields["netns"], str(os.stat("/proc/thread-self/ns/net").st_ino), "namespace")
        check(Rig.C[4] in fields["src"], lines[0])


@case("nf_flowtrack_destroy of an IPv6 flow", only="flowtrack")
def _(rig):
    rig.udp("c", 6, 1001, 53, "new/o")
    trace = Trace("nf_flowtrack_destroy")
    rig.r.tool("flush")
    lines = trace.lines()
    trace.end()
    check(len(lines) == 1 and f"src={Rig.C[6]}" in lines[0], f"lines: {lines}")


@case("nf_flowtrack_evict", only="flowtrack")
def _(rig):
    old = rig.r.sysctl("max")
    rig.r.sysctl("max", 1)
    rig.udp("c", 4, 1002, 53, "new/o")
    trace = Trace("nf_flowtrack_evict")
    rig.udp("c", 4, 1003, 53, "new/o")
    lines = trace.lines()
    trace.end()
    rig.r.sysctl("max", old)
    check(len(lines) == 1 and "sport=1002" in lines[0], f"lines: {lines}")


@case("nf_flowtrack_invalid, with the reason", only="flowtrack")
def _(rig):
    trace = Trace("nf_flowtrack_invalid")
    Tcp(rig, 4).send("c", "SA", "inv", 0, 1)
    with rig.r:
        netns = f"netns={os.stat('/proc/thread-self/ns/net').st_ino} "
    # The packet went on into the server's namespace, where it is invalid as well.
    lines = [line for line in trace.lines() if netns in line]
    trace.end()
    check(len(lines) == 1 and "proto=6" in lines[0] and "reason=" in lines[0], f"lines: {lines}")


@case("there are no others, and all can be enabled at once", only="flowtrack")
def _(rig):
    names = {n for n in os.listdir(TRACING + "events/nf_flowtrack") if n.startswith("nf_flowtrack")}
    equal(names, {"nf_flowtrack_new", "nf_flowtrack_destroy", "nf_flowtrack_evict", "nf_flowtrack_invalid"}, "events")
    write("events/nf_flowtrack/enable", "1")
    for i in range(20):
        rig.udp("c", 4, 2000 + i, 53, "new/o")
    rig.r.tool("flush")
    write("events/nf_flowtrack/enable", "0")


main(setup)
