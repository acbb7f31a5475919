#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""Two tenants, each with a table of its own: one is flooded, the other must not notice."""

from lib_floods import MAX, NUMBER, RATE, SECONDS, TIMES
from lib_scenario import CALIBRATION, SERVER, SERVER_RULES, STRICT, Clients, Net, main

PROBES = 50


def play(this):
    flooded, quiet = Net("a-"), Net("b-")
    for net in (flooded, quiet):
        this.track(net.server, SERVER_RULES % (STRICT + "\n\t\tmeta l4proto udp accept"))
        net.serve()
    clients = Clients(quiet, probes=PROBES)
    clients.phase("calibration", CALIBRATION)
    before = this.stats(quiet.server)
    watch = this.watch(quiet.server)

    def floods():
        least = MAX * TIMES
        return {kind: (flooded.flood(kind, RATE, least * 2, SECONDS * 2, SERVER, port), least)
                for kind, port in (("syn", 80), ("udp", None))}

    this.measure(flooded, "flood", SECONDS, floods, clients)
    after = this.stats(quiet.server)
    this.figures["facts"] = {
        "entries of the quiet tenant, at most": watch.end()["entries_max"][this.side],
        "drops and evictions of the quiet tenant":
            {k: after[k] - before.get(k, 0) for k in after
             if k.startswith(("full", "evict", "drop", "early_drop", "nomem")) and after[k] != before.get(k, 0)},
    }
    return this.end(clients)


def judge(checks, figures):
    ours = checks.valid(figures)
    full = ours["flood"]["entries_max"]["nf_flowtrack"]
    checks.add(full >= MAX * 0.9, "nf_flowtrack: the flooded tenant's table was full", f"{full} of {MAX}")
    checks.streams(ours)
    checks.web(ours, "flood", 1)
    checks.logins(ours, "flood")
    p = ours["clients"]["phases"]["flood"]
    checks.add(p["probes_sent"] >= PROBES * SECONDS * 0.9 and p["probes_answered"] == p["probes_sent"],
               "nf_flowtrack: every datagram of the quiet tenant is answered",
               f"{p['probes_answered']} of {p['probes_sent']}")
    key = "drops and evictions of the quiet tenant"
    checks.add(not ours["facts"][key], f"nf_flowtrack: {key}", ours["facts"][key] or 0)


main("tenants", "Two tenants: one flooded, one not", MAX, play, judge,
     "not one packet of the quiet tenant lost; " + NUMBER.replace("99", "100"))
