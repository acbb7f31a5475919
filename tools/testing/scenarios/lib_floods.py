# SPDX-License-Identifier: GPL-2.0-only
"""The three ways to fill a table from outside, against a server and through a router, with and without NAT."""

from lib_scenario import (CALIBRATION, FLOOD_NET, QUICK, ROUTER_RULES, SERVER, SERVER_RULES, SINK_NET, STRICT, Clients, Net, lib,
                          main, run)

MAX = 2048
SECONDS = 10 if QUICK else 20
# Forged packets: ten times what fits into the table, while the clients come. Quick: the same rate for half the time.
TIMES = 5 if QUICK else 10
RATE = MAX * TIMES // SECONDS
# Complete handshakes, from as many sources.
GREEDY_RATE = 300
GREEDY_TIMES = 1.5 if QUICK else 2
GREEDY_NET = "10.66.0.0/30"

NUMBER = "established connections lost: 0; new web clients served: at least 99 %; login within 1 s"
NAT = """
table ip nat {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname { "server", "sink" } masquerade
	}
}
"""


def syn(net):
    return {"syn": (net.flood("syn", RATE, MAX * TIMES * 2, SECONDS * 2, SERVER, 80), MAX * TIMES)}


def udp(net):
    return {"udp": (net.flood("udp", RATE, MAX * TIMES * 2, SECONDS * 2, SINK_NET), MAX * TIMES)}


def greedy(net):
    return {"greedy": (net.greedy(GREEDY_NET, GREEDY_RATE, 60000, SECONDS * 2, port=7), MAX * GREEDY_TIMES)}


# So many packets may be in the middle of opening a flow: nf_conntrack counts these, too.
OPENING = 16


def who_is_in(this, net, nat):
    """Entries of the flood and of the clients, when it ends."""
    with net.gate:
        if this.flowtrack and nat != "never":
            count = {k: int(run(lib.TOOL, "count", "src", v)[1].split()[0])
                     for k, v in (("flood", FLOOD_NET), ("clients", "10.1.0.0/16"))}
        else:
            lines = run("conntrack", "-L")[1].splitlines()
            count = {k: sum(v in line for line in lines)
                     for k, v in (("flood", " src=10.66."), ("clients", " src=10.1."))}
    return {f"entries of the {k} at the end": v for k, v in count.items()}


def scenario(name, title, floods, router=False, nat=None):
    """nat: nf_flowtrack_nat of a router that masquerades: whose the translated flows are."""
    def play(this):
        net = Net(router=router)
        rules = STRICT + ("\n\t\tmeta l4proto udp accept" if router else "")
        this.track(net.gate, (ROUTER_RULES if router else SERVER_RULES) % rules + (NAT if nat else ""),
                   **({"nat": nat} if nat else {}))
        net.serve()
        clients = Clients(net)
        clients.phase("calibration", CALIBRATION)
        this.measure(net, "flood", SECONDS, lambda: floods(net), clients)
        this.figures["facts"] = who_is_in(this, net, nat)
        return this.end(clients)

    def judge(checks, figures):
        ours = checks.valid(figures)
        checks.bystanders(ours, "flood")
        checks.within_max(ours, "flood", MAX)
        if nat:
            lines = [line for line in ours["flood"]["log"] if "nf_conntrack" in line and "table full" in line]
            checks.add(not lines, "nf_flowtrack: nf_conntrack never says that its table is full", lines or "no line")
        if nat != "never":
            seen = ours["flood"]["entries_max"]["nf_conntrack"]
            checks.add(seen <= (OPENING if nat else 0), "nf_flowtrack: nf_conntrack's table stays empty", seen)

    main(name, title, MAX, play, judge, NUMBER)
