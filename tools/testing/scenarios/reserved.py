#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""A table full of connections that are in use, policy drop: only the administrator, by a mark, still gets in."""

import time

from lib_scenario import ADMIN, CALIBRATION, QUICK, SERVER_RULES, STRICT, Clients, Net, main

MAX = 512
RESERVED = 32
SECONDS = 8 if QUICK else 15
MARK = f"""
table inet admin {{
	chain prerouting {{
		type filter hook prerouting priority raw; policy accept;
		ip saddr {ADMIN} tcp dport 22 meta mark set 0x10
	}}
}}
"""


def play(this):
    net = Net()
    # Finished connections are forgotten at once, on both sides: only those in use fill the table.
    this.track(net.server, SERVER_RULES % STRICT + MARK, tcp_timeout_time_wait=1)
    if this.flowtrack:
        for name, value in (("full_policy", "drop"), ("reserved", RESERVED), ("reserved_mark", "0x10"),
                            ("reserved_mask", "0xff")):
            this.setting(net.server, name, value)
    net.serve()
    clients = Clients(net, streams=0)
    clients.phase("calibration", CALIBRATION)
    calibration = clients.end()["phases"]["calibration"]
    watch = this.watch(net.server)
    end = time.monotonic() + 10
    while watch.now() > 5 and time.monotonic() < end:
        time.sleep(0.2)
    # More than fit in.
    clients = Clients(net, streams=MAX + 50, every=2.0, web=5)
    this.figures["facts"] = {"established connections that came in": clients.up, "entries then": watch.now()}
    watch.end()
    this.measure(net, "full", SECONDS, lambda: {}, clients, full_within=0)
    figures = this.end(clients)
    figures["clients"]["phases"]["calibration"] = calibration
    return figures


def judge(checks, figures):
    for side, seen in figures.items():
        checks.calibrated(side, seen)
        opened = seen["facts"]["established connections that came in"]
        checks.add(MAX - RESERVED <= opened <= MAX, f"{side}: connections in use filled the table", opened)
    ours = figures["nf_flowtrack"]
    checks.streams(ours, MAX - RESERVED)
    checks.logins(ours, "full")
    web = ours["clients"]["phases"]["full"]["web"]
    checks.add(web["tried"] > 0 and web["served"] == 0, "nf_flowtrack: nobody without the mark takes what is reserved",
               f"{web['served']} of {web['tried']} served")
    checks.within_max(ours, "full", MAX)


main("reserved", "Reserved entries: a table full of connections in use, policy drop", MAX, play, judge,
     "every marked login within 1 s, established connections lost: 0, unmarked newcomers: none")
