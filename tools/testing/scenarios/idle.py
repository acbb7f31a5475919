#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 400
"""A table full of established connections that say nothing: some with keepalive, most without."""

import time

from lib_scenario import CALIBRATION, SERVER_RULES, STRICT, Clients, Net, main

MAX = 1024
STREAMS = 50
KEPT = 100
KEEPALIVE = 5
# Hours, compressed: the timeout is the same for both sides, and the clients come when everything without keepalive has
# been idle for a third of it at least, and before anything expires without pressure.
ESTABLISHED = 120
IDLE_SECONDS = 45
# More than fit in, so that no place is left: finished connections may be collected late.
SURPLUS = 30
SECONDS = 15


def play(this):
    net = Net()
    # Finished connections are forgotten at once, on both sides: only the idle ones fill the table.
    this.track(net.server, SERVER_RULES % STRICT, tcp_timeout_established=ESTABLISHED, tcp_timeout_time_wait=1)
    net.serve()
    clients = Clients(net, streams=STREAMS, keepalive=KEEPALIVE)
    clients.phase("calibration", CALIBRATION)
    watch = this.watch(net.server)
    opened = clients.idle(MAX - STREAMS + SURPLUS, KEPT)
    this.figures["facts"] = {"idle connections that came in": opened, "entries when they had": watch.now()}
    time.sleep(IDLE_SECONDS)
    this.figures["facts"][f"entries {IDLE_SECONDS} s later"] = watch.now()
    watch.end()
    this.measure(net, "idle", SECONDS, lambda: {}, clients, full_within=0)
    return this.end(clients)


def judge(checks, figures):
    for side, seen in figures.items():
        checks.calibrated(side, seen)
        opened = seen["facts"]["idle connections that came in"]
        checks.add(opened >= (MAX - STREAMS) * 0.95, f"{side}: idle connections filled the table",
                   f"{opened} of {MAX - STREAMS}")
    ours = figures["nf_flowtrack"]
    checks.streams(ours, STREAMS)
    kept = ours["clients"]["idle_keepalive"]
    checks.add(kept["opened"] >= KEPT * 0.95 and kept["kept"] == kept["opened"],
               "nf_flowtrack: idle connections with keepalive survive", f"{kept['kept']} of {kept['opened']}")
    checks.web(ours, "idle")
    checks.logins(ours, "idle")
    checks.within_max(ours, "idle", MAX)


main("idle", "Idle giants: a table full of idle established connections", MAX, play, judge,
     "connections with keepalive lost: 0; new web clients served: at least 99 %; login within 1 s. "
     f"Time is compressed: tcp_timeout_established is {ESTABLISHED} s on both sides, keepalive every {KEEPALIVE} s")
