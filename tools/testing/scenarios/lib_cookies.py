# SPDX-License-Identifier: GPL-2.0-only
"""A SYN flood against a server that answers with SYN cookies only, under one policy."""

import time

from lib_scenario import CALIBRATION, SERVER, SERVER_RULES, Clients, Failure, Net, lib, main, run

MAX = 2048
SECONDS = 15
TIMES = 10
RATE = MAX * TIMES // SECONDS
STREAMS = 50
KEPT_OPEN = 40
# So that a table which evicts nothing has room again soon after the flood.
HANDSHAKE = 10


def tracked(this, net):
    """Established connections of those kept open (from 10.1.64.0 on) that have an entry."""
    with net.server:
        if this.flowtrack:
            return int(run(lib.TOOL, "count", "tcp", "src", "10.1.64.0/20", "state", "established")[1].split()[0])
        lines = run("conntrack", "-L", "-p", "tcp", "--state", "ESTABLISHED")[1].splitlines()
        return sum(" src=10.1.64." in line for line in lines)


def scenario(name, policy):
    def play(this):
        net = Net()
        # The final ACK of a handshake may be the first packet that is tracked: no rule asks for a SYN.
        this.track(net.server, SERVER_RULES % "tcp dport { 7, 22, 80 } accept", tcp_timeout_syn_recv=HANDSHAKE,
                   tcp_timeout_syn_sent=HANDSHAKE)
        if this.flowtrack:
            this.setting(net.server, "full_policy", policy)
        net.server.sysctl_set("net.ipv4.tcp_syncookies", 2)
        net.serve()
        clients = Clients(net, streams=STREAMS)
        clients.phase("calibration", CALIBRATION)
        before = cookies(net)
        facts = this.figures["facts"] = {}

        def floods():
            return {"syn": (net.flood("syn", RATE, MAX * TIMES * 3, SECONDS * 3, SERVER, 80), MAX * TIMES)}

        class Both:
            """New clients, and then connections that stay open."""

            @staticmethod
            def phase(phase, seconds):
                clients.phase(phase, seconds)
                facts["connections opened and kept open meanwhile"] = clients.idle(KEPT_OPEN, 0)
                facts["of these tracked, during the flood"] = tracked(this, net)

        this.measure(net, "flood", SECONDS, floods, Both)
        after = cookies(net)
        facts["cookies sent, accepted, failed"] = [after[k] - before[k] for k in after]
        time.sleep(HANDSHAKE + 2)

        def ask():
            # Each of them just had an answer.
            facts["of these tracked, after the flood"] = tracked(this, net)

        return this.end(clients, ask)

    def judge(checks, figures):
        for side, seen in figures.items():
            checks.calibrated(side, seen)
            checks.flooded(side, seen, "flood")
            sent, accepted, _ = seen["facts"]["cookies sent, accepted, failed"]
            checks.add(sent > MAX and accepted > 0, f"{side}: handshakes were done with cookies",
                       f"{sent} sent, {accepted} accepted")
        ours = figures["nf_flowtrack"]
        checks.streams(ours, STREAMS)
        checks.web(ours, "flood")
        checks.logins(ours, "flood")
        kept = ours["clients"]["idle"]
        checks.add(kept["opened"] == KEPT_OPEN and kept["kept"] == KEPT_OPEN,
                   "nf_flowtrack: connections opened with cookies during the flood live on", f"{kept['kept']} of {KEPT_OPEN}")
        when = "during the flood" if policy == "evict" else "after the flood"
        seen = ours["facts"][f"of these tracked, {when}"]
        checks.add(seen == KEPT_OPEN, f"nf_flowtrack: and are tracked {when}", f"{seen} of {KEPT_OPEN}")
        checks.within_max(ours, "flood", MAX)

    main(name, f"SYN cookies while the table is full, policy {policy}", MAX, play, judge,
         "new web clients served: at least 99 %; login within 1 s; connections opened with a cookie are accepted and tracked")


def cookies(net):
    """SyncookiesSent, Recv, Failed of the server."""
    lines = net.server.read("/proc/net/netstat").splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        if names.startswith("TcpExt:"):
            found = dict(zip(names.split(), values.split()))
            return {k: int(found["Syncookies" + k]) for k in ("Sent", "Recv", "Failed")}
    raise Failure("no TcpExt in /proc/net/netstat")
