#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Settings on trial: unless confirmed, they go back by themselves, whatever became of the process that set them."""

import os
import pty
import signal
import time

from lib import *

REFUSED, NOT_FOUND = 2, 3
TRIAL = "/run/flowtrack/unconfirmed"
OLD = ["max=10000", "buckets=auto", "udp_timeout=auto", "full_policy=evict"]
NEW = ["max=5000", "buckets=256", "udp_timeout=7", "full_policy=drop"]


def shown(ns):
    return [w.split(":")[0] for w in ns.tool("show", "max", "buckets", "udp_timeout", "full_policy")[1].split()]


def waiting():
    """Processes that wait: those that have the file open."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if any(link.startswith(TRIAL) for link in links):
            found.append(int(pid))
    return found


def begin(ns):
    check(not waiting() and not os.path.exists(TRIAL), "a trial of before goes on")
    ns.tool("set", *OLD)
    equal(sorted(shown(ns)), sorted(OLD), "before")


def back(ns, seconds, what):
    busywait(seconds, lambda: not os.path.exists(TRIAL), what)
    equal(sorted(shown(ns)), sorted(OLD), what)
    busywait(2, lambda: not waiting(), "the process that waited ends")


@case("not confirmed: all of them go back, what was chosen is chosen again", only="flowtrack")
def _(ns):
    begin(ns)
    ns.tool("set", "--confirm", "2", *NEW)
    equal(sorted(shown(ns)), sorted(NEW), "on trial")
    back(ns, 5, "after the time")
    equal(ns.tool("confirm", ok=False)[0], NOT_FOUND, "confirmed too late")


@case("confirmed: they stay, and nobody waits any more", only="flowtrack")
def _(ns):
    begin(ns)
    equal(ns.tool("confirm", ok=False)[0], NOT_FOUND, "nothing to confirm")
    ns.tool("set", "--confirm", "60", *NEW)
    equal(ns.tool("set", "--confirm", "60", "max", "77", ok=False)[0], REFUSED, "a second one")
    equal(sorted(shown(ns)), sorted(NEW), "after the second one")
    ns.tool("confirm")
    busywait(2, lambda: not waiting(), "the process that waited ends")
    equal(sorted(shown(ns)), sorted(NEW), "confirmed")


@case("what the kernel refuses is not on trial", only="flowtrack")
def _(ns):
    begin(ns)
    equal(ns.tool("set", "--confirm", "60", "max=5000", "watermark_low=90", "watermark_high=10", ok=False)[0], REFUSED,
          "exit status")
    check(not os.path.exists(TRIAL), "a trial is left")
    busywait(2, lambda: not waiting(), "the process that waited ends")
    equal(sorted(shown(ns)), sorted(OLD), "settings")


@case("the terminal goes, and with it all processes of its session", only="flowtrack")
def _(ns):
    begin(ns)
    with ns:
        pid, terminal = pty.fork()
        if not pid:
            os.execv("/bin/sh", ["sh", "-c", f"{TOOL} set --confirm 3 {' '.join(NEW)}; echo done; sleep 100"])
    said = b""
    while b"done" not in said:
        said += os.read(terminal, 1000)
    equal(sorted(shown(ns)), sorted(NEW), f"on trial: {said}")
    os.close(terminal)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    back(ns, 6, "after the session")


@case("a process that is told to end takes them back at once", only="flowtrack")
def _(ns):
    begin(ns)
    ns.tool("set", "--confirm", "100", *NEW)
    [pid] = waiting()
    os.kill(pid, signal.SIGHUP)
    os.kill(pid, signal.SIGTERM)
    back(ns, 5, "after SIGTERM")


@case("a process that was killed is told of, and the file takes them back", only="flowtrack")
def _(ns):
    begin(ns)
    ns.tool("set", "--confirm", "100", *NEW)
    os.kill(waiting()[0], signal.SIGKILL)
    busywait(2, lambda: not waiting(), "the process is killed")
    status, _, err = ns.tool("set", "--confirm", "100", "max", "77", ok=False)
    equal((status, "is gone" in err), (REFUSED, True), err)
    with open(TRIAL) as f:
        ns.tool("set", *f.read().split())
    equal(sorted(shown(ns)), sorted(OLD), "from the file")
    ns.tool("confirm")


@case("the module is loaded anew: the table saved meanwhile has them, and they go back all the same", only="flowtrack")
def _(ns):
    begin(ns)
    ns.tool("set", "--confirm", "6", *NEW)
    saved = ns.tool("save", "--settings")[1]
    unload()
    load()
    ns.tool("restore", text=saved)
    equal(sorted(shown(ns)), sorted(NEW), "restored")
    back(ns, 20, "after the time")


@case("the module is not there when the time is up, but soon after", only="flowtrack")
def _(ns):
    begin(ns)
    ns.tool("set", "--confirm", "1", *NEW)
    unload()
    # Nothing tells that it looks for the module.
    time.sleep(1.5)
    check(os.path.exists(TRIAL), "given up while the module is reloaded")
    load()
    back(ns, 20, "with the new module")


def setup():
    load_if_wanted()
    return Ns("confirm")


main(setup)
