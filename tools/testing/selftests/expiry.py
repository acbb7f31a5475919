#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Flows end when they have been silent for long enough, and not before."""

import time

from lib import *


@case("a silent flow goes by itself")
def _(rig):
    rig.reset()
    rig.r.sysctl("udp_timeout", 1)
    for family in (4, 6):
        for i in range(20):
            rig.udp("c", family, 1000 + i, 53, "new/o")
    busywait(15, lambda: not rig.r.flows(), "all flows gone")
    if FLOWTRACK:
        busywait(15, lambda: rig.r.sysctl("count") == "0", "count 0")
        check(rig.r.tool_json("stats")["expire"] >= 40, "expirations counted")


@case("after its time a flow is new again, whether it has been collected or not")
def _(rig):
    rig.udp("c", 4, 2000, 53, "new/o")
    rig.udp("s", 4, 53, 2000, "est/r+s")
    time.sleep(1.1)  # the timeout
    rig.udp("s", 4, 53, 2000, "new/o")


@case("each packet prolongs a flow")
def _(rig):
    rig.r.sysctl("udp_timeout", 2)
    rig.udp("c", 4, 2001, 53, "new/o")
    for _ in range(6):
        time.sleep(0.6)
        rig.udp("s", 4, 53, 2001, "est/r*")


@case("a long timeout is kept while others expire")
def _(rig):
    rig.reset()
    rig.r.sysctl("udp_timeout", 600)
    rig.udp("c", 4, 2002, 53, "new/o")
    rig.r.sysctl("udp_timeout", 1)
    for i in range(20):
        rig.udp("c", 4, 2100 + i, 53, "new/o")
    busywait(15, lambda: len(rig.r.flows(proto="udp")) <= 1, "the short ones gone")
    rig.r.flow(osport=2002)
    rig.r.sysctl("udp_timeout", 30)


@case("a shorter timeout on a later packet holds (TCP reset)")
def _(rig):
    rig.r.sysctl("tcp_timeout_close", 1)
    t = Tcp(rig, 4, sport=2003).open()
    t.send("c", "RA", "est/o+sa", 1, 1)
    busywait(15, lambda: not rig.r.flows(proto="tcp"), "the closed connection gone")
    rig.r.sysctl("tcp_timeout_close", 10)


main(Rig)
