# SPDX-License-Identifier: GPL-2.0-only
"""The module comes in an emergency: nf_conntrack's table is full of dead entries, and a flood goes on."""

import time

from lib_floods import FLOOD_NET, MAX
from lib_scenario import CALIBRATION, QUICK, SERVER, STREAMS, Clients, Failure, check, ended, lib, main, run

# Connections whose clients are gone. What else the table has room for is the streams, and a few newcomers.
DEAD = MAX - STREAMS - 20
DEAD_RATE = 400
# A day is over since their last packet. What is left of nf_conntrack's five tells.
DAY, ESTABLISHED = 86400, 432000
BEFORE, AFTER = (4, 6) if QUICK else (8, 20)
# Half of what the other scenarios have: the machine has enough to do with what it is loading.
RATE = 500
# The limit in which the first newcomer must be served, and after which no table may be full any more.
SOON = 1.0
FULL = f'after {SOON:.0f} s: lines of "nf_conntrack: table full"'
NUMBER = ("the first new web client is served within 1 s of loading; established connections lost: 0; \"nf_conntrack: table "
          "full\" after that second: never; new web clients served: at least 99 %; login within 1 s")


def dead_entries(net):
    with net.gate:
        return len([line for line in run("conntrack", "-L", "-p", "tcp", "--state", "ESTABLISHED")[1].splitlines()
                    if " src=10.66." in line])


def die(this, net):
    """Clients that connect, and are gone without a word."""
    this.setting(net.gate, "tcp_timeout_established", ESTABLISHED - DAY)
    process = net.greedy(FLOOD_NET, DEAD_RATE, DEAD, 60, port=7)
    end = time.monotonic() + 60
    while (n := dead_entries(net)) < DEAD and time.monotonic() < end:
        time.sleep(0.5)
    ended(process, "those that die")
    check(n >= DEAD * 0.98, f"only {n} of {DEAD} dead connections")
    this.setting(net.gate, "tcp_timeout_established", ESTABLISHED)
    return n


def scenario(name, title, net_of, rules):
    """net_of(): the machines; rules: the gate's ruleset."""
    def play(this):
        net = net_of()
        # What the calibration closes does not stay until the emergency.
        this.track(net.gate, rules, tcp_timeout_time_wait=1, tcp_timeout_close=1)
        net.serve()
        clients = Clients(net)
        clients.phase("calibration", CALIBRATION)
        dead = die(this, net)
        this.setting(net.gate, "tcp_timeout_time_wait", 120)
        this.setting(net.gate, "tcp_timeout_close", 10)
        seconds = BEFORE + AFTER
        flood = {"syn": (net.flood("syn", RATE, RATE * 5 * seconds, 5 * seconds, SERVER, 80), RATE * seconds * 9 // 10)}
        with this.observed(net, "before"):
            # The first of the flood takes the last places.
            time.sleep(2)
            clients.phase("before", BEFORE)
        took = this.load()
        clients.say("phase after")
        with this.observed(net, "after"):
            time.sleep(SOON)
            log = lib.Kmsg()
            time.sleep(AFTER - SOON)
            clients.off()
            # Ours says that it evicts: the flood fills that table, too.
            full = [line for line in log.read() if "nf_conntrack: " in line and "table full" in line]
            log.close()
            if flood["syn"][0].poll() is not None:
                raise Failure("the flood has ended before its time")
        this.figures["after"]["floods"] = this.flood_reports(flood)
        this.figures["facts"] = {"entries of dead clients": dead, FULL: len(full)}
        report = this.end(clients)
        first = report["clients"]["phases"]["after"]["web"]["ms_first"]
        report["facts"]["after: first new web client served"] = "none" if first is None else f"{first / 1000:.2f} s"
        if took is not None:
            report["facts"]["loading took"] = f"{took:.2f} s"
        return report

    def judge(checks, figures):
        for side, seen in figures.items():
            checks.calibrated(side, seen)
            checks.flooded(side, seen, "after")
            web = seen["clients"]["phases"]["before"]["web"]
            checks.add(web["served"] < web["tried"] * 0.9 and seen["before"]["log_lines"],
                       f"{side}: before, nf_conntrack's table is full, and new web clients fail",
                       f"{web['served']} of {web['tried']} served, {seen['before']['log_lines']} lines")
        ours = figures["nf_flowtrack"]
        first = ours["clients"]["phases"]["after"]["web"]["ms_first"]
        checks.add(first is not None and first <= SOON * 1000,
                   "nf_flowtrack: the first new web client is served within 1 s of loading", f"{first} ms")
        checks.bystanders(ours, "after")
        lines = ours["facts"][FULL]
        checks.add(not lines, "nf_flowtrack: nf_conntrack does not say any more that its table is full", f"{lines} lines")
        checks.within_max(ours, "after", MAX)

    main(name, title, MAX, play, judge, NUMBER, late=True)
