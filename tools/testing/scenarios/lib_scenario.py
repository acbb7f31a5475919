# SPDX-License-Identifier: GPL-2.0-only
"""What the scenarios share: the machines, the two sides, measuring, and judging.

A scenario plays the same twice on the same kernel: first with nf_conntrack alone, then with nf_flowtrack, with the same
packets, the same ruleset, the same max. It asserts numbers of nf_flowtrack's side; nf_conntrack's are for comparison.
What both sides must show: that the machine was fast enough without the flood (every client served), and that the flood
was as large as announced. Otherwise nobody's table is to blame.

Machines are network namespaces; see Server and Router. Only the machine that matters tracks.
"""

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "selftests"))
import lib  # noqa: E402
from lib import Failure, Ns, check, run  # noqa: E402

TRAFFIC = os.environ.get("FT_TRAFFIC", "traffic")
RESULTS = os.environ.get("RESULTS", "/tmp")
SIDES = ("nf_conntrack", "nf_flowtrack")
# A part of the check: shorter floods, of the same rate.
QUICK = bool(os.environ.get("FT_QUICK"))

# The bystanders.
STREAMS = 200  # established connections, each carries a line every LINE_EVERY seconds
LINE_EVERY = 1.0
WEB_RATE = 20  # new web clients a second
WEB_LIMIT = 3.0  # seconds from the SYN to the last byte; one SYN that is repeated fits in, two don't
LOGIN_EVERY = 1.0
LOGIN_LIMIT_MS = 1000
# A login at the same time to a machine that tracks nothing may take this long, or the emulator had no time for us.
CONTROL_LIMIT_MS = 600
CALIBRATION = 4.0 if QUICK else 6.0  # seconds of new clients without a flood
CLIENT_NET = "10.1.0.0/16"
ADMIN = "10.1.255.254"
FLOOD_NET = "10.66.0.0/16"
SINK_NET = "10.99.0.0/17"
SINK = "10.99.255.1/16"
SERVER = "10.0.3.2"
CONTROL = "10.0.4.1"
# Way to the server and back, for the clients. It matters: while the answer to its SYN is on the way, a connection looks
# like one of a flood.
DELAY_MS = 100

# Strict on purpose: a connection whose entry is lost is lost. Without the flags a tracker that forgets a flow would
# just pick it up again with its next packet.
SERVICES = "{ 7, 22, 80 }"
STRICT = f"tcp dport {SERVICES} tcp flags & (fin | syn | rst | ack) == syn ct state new accept"
SERVER_RULES = """
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iifname lo accept
		ct state established,related accept
		ct state invalid drop
		%s
	}
}
"""
ROUTER_RULES = """
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ct state invalid drop
		%s
	}
}
"""


class Machine(Ns):
    """A namespace whose commands are written down."""

    log = []

    def __init__(self, label):
        super().__init__(label)
        self.label = label

    def note(self, *args, text=None):
        line = f"{self.label}# " + " ".join(args)
        if text:
            line += " <<'EOF'\n" + text.strip("\n") + "\nEOF"
        Machine.log.append(line)

    def run(self, *args, **kw):
        self.note(*args, text=kw.get("text"))
        return super().run(*args, **kw)

    def popen(self, *args, **kw):
        self.note(*args)
        return super().popen(*args, **kw)

    def sysctl_set(self, name, value):
        self.note("sysctl", "-w", f"{name}={value}")
        self.write("/proc/sys/" + name.replace(".", "/"), value)

    def traffic(self, *args, **kw):
        return self.popen(TRAFFIC, *map(str, args), **kw)


def wire(a, b, a_dev, b_dev, a_addr, b_addr):
    """A veth pair between two machines."""
    with a:
        a.note("ip", "link", "add", a_dev, "type", "veth", "peer", "name", b_dev, "netns", b.label)
        run("ip", "link", "add", a_dev, "type", "veth", "peer", "name", b_dev, "netns", b.name)
    a.ip(f"addr add {a_addr}/24 dev {a_dev}", f"link set {a_dev} up")
    b.ip(f"addr add {b_addr}/24 dev {b_dev}", f"link set {b_dev} up")


def mac_of(machine, dev):
    with machine:
        out = json.loads(run("ip", "-j", "link", "show", "dev", dev)[1])
    return out[0]["address"]


class Net:
    """The machines of one side of a scenario.

      client 10.0.1.2, 10.1.0.0/16 --- gate --- server 10.0.3.2
      botnet 10.0.2.2, 10.66.0.0/16 --'
      client 10.0.4.2 --- control 10.0.4.1

    The gate is the machine that tracks. Without a router it is the server itself. Control never tracks.
    """

    def __init__(self, prefix="", router=False):
        self.client = Machine(prefix + "client")
        self.botnet = Machine(prefix + "botnet")
        self.server = Machine(prefix + "server")
        self.gate = Machine(prefix + "router") if router else self.server
        self.router = router
        gate = self.gate
        wire(self.client, gate, "eth0", "client", "10.0.1.2", "10.0.1.1")
        wire(self.botnet, gate, "eth0", "botnet", "10.0.2.2", "10.0.2.1")
        self.client.ip("route add default via 10.0.1.1", f"route add local {CLIENT_NET} dev lo")
        self.control = Machine(prefix + "control")
        wire(self.client, self.control, "eth1", "eth0", "10.0.4.2", CONTROL)
        self.control.ip("route add default via 10.0.4.2")
        for dev in ("eth0", "eth1"):
            self.client.run("tc", "qdisc", "add", "dev", dev, "root", "netem", "delay", f"{DELAY_MS}ms", "limit", "20000")
        # Without a router the server has two addresses, and answers datagrams from one.
        source = "" if router else f" src {SERVER}"
        if not router:
            self.server.ip(f"addr add {SERVER}/32 dev lo")
        gate.ip(f"route add {CLIENT_NET} via 10.0.1.2{source}", f"route add {FLOOD_NET} via 10.0.2.2{source}")
        if router:
            wire(self.server, gate, "eth0", "server", SERVER, "10.0.3.1")
            self.server.ip("route add default via 10.0.3.1")
            # Nobody answers there: what is sent to the sink ends in it, after all hooks.
            gate.ip("link add sink type dummy", f"addr add {SINK} dev sink", "link set sink up")
            gate.sysctl_set("net.ipv4.ip_forward", 1)
        self.server.sysctl_set("net.core.somaxconn", 4096)
        self.server.sysctl_set("net.ipv4.tcp_max_syn_backlog", 4096)
        self.mac = mac_of(gate, "botnet")

    def serve(self):
        for machine in (self.server, self.control):
            check(read_line(machine.traffic("serve"), 20) == "up", f"{machine.label} does not come up")

    def flood(self, kind, rate, count, seconds, target, port=None, seed=1):
        args = ["flood", kind, "-i", "eth0", "-g", self.mac, "-s", FLOOD_NET, "-d", target, "-r", rate, "-n", count,
                "-t", seconds, "-S", seed]
        return self.botnet.traffic(*args, *(("-p", port) if port else ()))

    def greedy(self, sources, rate, count, seconds, port=80, active=None):
        args = ["greedy", "-i", "eth0", "-g", self.mac, "-s", sources, "-d", SERVER, "-p", port, "-r", rate, "-n", count,
                "-t", seconds]
        return self.botnet.traffic(*args, *(("-a", active) if active else ()))


def read_line(process, seconds):
    """A line of what a process prints; None if there is none in time."""
    end = time.monotonic() + seconds
    line = b""
    fd = process.stdout.fileno()
    while time.monotonic() < end:
        if not select.select([fd], [], [], max(end - time.monotonic(), 0))[0]:
            break
        c = os.read(fd, 1)
        if c in (b"", b"\n"):
            break
        line += c
    return line.decode() if line else None


def ended(process, what, seconds=30):
    """Stop a flood and read its report."""
    process.terminate()
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"{what} does not end") from None
    try:
        return json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        raise Failure(f"{what}: exit status {process.returncode}: {out}") from None


class Clients:
    """traffic clients, and its conversation with us."""

    def __init__(self, net, streams=STREAMS, every=LINE_EVERY, web=WEB_RATE, login=LOGIN_EVERY, probes=0, keepalive=5,
                 limit=WEB_LIMIT, server=SERVER):
        self.process = net.client.traffic("clients", "-d", server, "-s", CLIENT_NET, "-A", ADMIN, "-C", CONTROL, "-n", streams, "-e",
                                          every, "-w", web, "-l", login, "-u", probes, "-L", limit, "-k", keepalive,
                                          stdin=subprocess.PIPE)
        self.up = int(self.answer("up", 30 + streams / 50))

    def answer(self, word, seconds):
        line = read_line(self.process, seconds)
        check(line and line.startswith(word), f"the clients say '{line}', not '{word}'")
        return line[len(word):].strip()

    def say(self, line):
        Machine.log.append(f"client# (stdin of clients, at {time.monotonic():.1f}) {line}")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def phase(self, name, seconds):
        """New clients for so long; at the end each of them has been served or has given up."""
        self.say("phase " + name)
        time.sleep(seconds)
        self.off()

    def off(self):
        self.say("off")
        self.answer("off", 60)

    def idle(self, n, kept):
        self.say(f"idle {n} {kept}")
        return int(self.answer("idle", 60 + n / 50))

    def end(self, before_close=None):
        """The report. before_close() is called while all connections are still open."""
        self.say("end")
        report = json.loads(self.answer("", 90))
        if before_close:
            before_close()
        self.process.stdin.close()
        self.process.wait(timeout=20)
        return report


class Watch:
    """Entries of a table, and how busy the machine is, twice a second."""

    def __init__(self, side, gate):
        with gate:
            self.fds = {name: os.open(f"/proc/sys/net/netfilter/{name}_count", os.O_RDONLY)
                        for name in (SIDES if side == "nf_flowtrack" else SIDES[:1])}
        self.side = side
        self.counts = {name: [] for name in self.fds}
        self.idle = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.thread.start()

    def now(self, name=None):
        return int(os.pread(self.fds[name or self.side], 32, 0))

    def sample(self):
        before = cpu_times()
        while not self.stop.wait(0.5):
            for name in self.fds:
                self.counts[name].append(self.now(name))
            after = cpu_times()
            busy, total = after[0] - before[0], after[1] - before[1]
            if total:
                self.idle.append(round(100 * (1 - busy / total)))
            before = after

    def end(self):
        self.stop.set()
        self.thread.join()
        for fd in self.fds.values():
            os.close(fd)
        return {"entries_max": {k: max(v, default=0) for k, v in self.counts.items()},
                "entries_last": {k: v[-1] if v else 0 for k, v in self.counts.items()},
                "cpu_idle_percent_mean": round(sum(self.idle) / len(self.idle)) if self.idle else None}


def cpu_times():
    with open("/proc/stat", encoding="ascii") as f:
        values = [int(x) for x in f.readline().split()[1:9]]
    return sum(values) - values[3] - values[4], sum(values)


def flowtrack_stats(machine):
    with machine:
        out = lib.parse_json(run(lib.TOOL, "-j", "stats")[1])
    return {k: v for k, v in out.items() if isinstance(v, (int, float))}


def conntrack_stats(machine):
    """conntrack -S, summed over the CPUs."""
    with machine:
        out = run("conntrack", "-S", ok=False)[1]
    total = {}
    for line in out.splitlines():
        for key, value in re.findall(r"(\w+)=(\d+)", line):
            if key != "cpu":
                total[key] = total.get(key, 0) + int(value)
    return total


def changes(before, after):
    """What was counted between; the factors of the adaptive timeouts as they were at the end."""
    return {k: v if k.startswith("adaptive_") else v - before.get(k, 0)
            for k, v in after.items() if v != before.get(k, 0)}


class Play:
    """One side of a scenario, while it runs. late: the module is not there before load()."""

    def __init__(self, side, maximum, late=False):
        self.side = side
        self.flowtrack = side == "nf_flowtrack" and not late
        self.max = maximum
        self.figures = {}
        Machine.log = []
        # What an earlier scenario needed. This may take nf_conntrack along.
        lib.unload_nat()
        run("modprobe", "-a", "nf_conntrack", "nf_tables", "veth", "dummy", "sch_netem")
        # As many buckets as entries, the kernel's own ratio. The max is one for all namespaces.
        for name in ("max", "buckets"):
            Machine.log.append(f"# sysctl -w net.netfilter.nf_conntrack_{name}={maximum}")
            lib.run("sysctl", "-qw", f"net.netfilter.nf_conntrack_{name}={maximum}")
        lib.run("sysctl", "-qw", "net.core.netdev_max_backlog=20000")
        if self.flowtrack:
            # Enabled where it is asked for, as nf_conntrack is only where a ruleset asks for it.
            Machine.log.append("# modprobe nf_flowtrack enable=0")
            lib.load("enable=0")

    def load(self):
        """The module comes in the middle, if this is its side: seconds that it took."""
        if self.side != "nf_flowtrack":
            return None
        lib.load_needed()
        Machine.log.append(f"# modprobe nf_flowtrack max={self.max}")
        start = time.monotonic()
        lib.run("insmod", lib.KO, f"max={self.max}")
        self.flowtrack = True
        return time.monotonic() - start

    def track(self, machine, rules, **settings):
        """Make a machine track. Settings: by the suffix of the sysctl, for both sides where both have it."""
        machine.nft(rules)
        if self.flowtrack:
            machine.sysctl_set("net.netfilter.nf_flowtrack_max", self.max)
            machine.sysctl_set("net.netfilter.nf_flowtrack_enable", 1)
        for name, value in settings.items():
            self.setting(machine, name, value)

    def setting(self, machine, name, value):
        done = False
        for side in SIDES if self.flowtrack else SIDES[:1]:
            path = f"net.netfilter.{side}_{name}"
            with machine:
                there = os.path.exists("/proc/sys/" + path.replace(".", "/"))
            if there:
                machine.sysctl_set(path, value)
                done = True
        check(done or not self.flowtrack, f"there is no setting {name}")

    def watch(self, machine):
        return Watch(SIDES[self.flowtrack], machine)

    def stats(self, machine):
        return flowtrack_stats(machine) if self.flowtrack else conntrack_stats(machine)

    @contextlib.contextmanager
    def observed(self, net, phase):
        """The figures of what the gate does meanwhile: its table, its statistics, the log."""
        kmsg = lib.Kmsg()
        before = self.stats(net.gate)
        watch = self.watch(net.gate)
        yield watch
        after = self.stats(net.gate)
        lines = [line for line in kmsg.read() if re.search(r"table full|nf_flowtrack:", line)]
        kmsg.close()
        self.figures[phase] = {
            "floods": {},
            **watch.end(),
            "stats": changes(before, after),
            "log_lines": len([line for line in lines if "table full" in line]),
            "log": lines[:5],
        }

    def measure(self, net, phase, seconds, floods, clients, full_within=8):
        """New clients while a flood goes on: the figures of what happened to which clients.

        floods(): starts them, and returns {name: (process, packets it must send)}.
        """
        with self.observed(net, phase) as watch:
            started = floods()
            # The clients come when the table is full, or would be.
            end = time.monotonic() + full_within
            while watch.now() < self.max * 0.95 and time.monotonic() < end:
                time.sleep(0.05)
            clients.phase(phase, seconds)
            reports = self.flood_reports(started)
        self.figures[phase]["floods"] = reports

    @staticmethod
    def flood_reports(started):
        """End floods: what each of them says."""
        return {name: {**ended(process, name), "least": least} for name, (process, least) in started.items()}

    def end(self, clients, before_close=None):
        self.figures["clients"] = clients.end(before_close)
        self.figures["commands"] = Machine.log
        return self.figures


def tear_down():
    Ns.delete_all()
    if lib.loaded():
        lib.unload()


class Checks:
    """What is asserted, with the figure beside it."""

    def __init__(self):
        self.list = []

    def add(self, ok, what, seen, skip=None):
        """skip: why this says nothing, if it failed."""
        self.list.append((bool(ok), what, seen, None if ok else skip))

    def calibrated(self, side, figures):
        """Without the flood every client is served and every login is in time, or nothing below means anything."""
        p = figures["clients"]["phases"]["calibration"]
        web, login = p["web"], p["login"]
        self.add(web["tried"] > 0 and web["served"] == web["tried"] and login["served"] == login["tried"] and
                 login["tried"] > 0,
                 f"{side}: calibration: without a flood every client is served",
                 f"{web['served']} of {web['tried']}, logins {login['served']} of {login['tried']}, "
                 f"slowest {login['ms_max']} ms")

    def flooded(self, side, figures, phase):
        for name, report in figures[phase]["floods"].items():
            sent = report.get("sent", report.get("opened"))
            self.add(sent >= report["least"], f"{side}: the flood was as large as announced ({name})",
                     f"{sent} of {report['least']} at least")

    def valid(self, figures):
        """Both sides were calibrated, and flooded; the figures of nf_flowtrack."""
        for side, seen in figures.items():
            self.calibrated(side, seen)
            self.flooded(side, seen, "flood")
        return figures["nf_flowtrack"]

    def streams(self, figures, least=STREAMS):
        kept = figures["clients"]["streams"]
        self.add(kept["opened"] >= least and kept["kept"] == kept["opened"],
                 "nf_flowtrack: no established connection is lost", f"{kept['kept']} of {kept['opened']} kept")

    def web(self, figures, phase, share=0.99):
        web = figures["clients"]["phases"][phase]["web"]
        self.add(web["tried"] > 0 and web["served"] >= share * web["tried"],
                 f"nf_flowtrack: {'at least ' if share < 1 else ''}{share:.0%} of new web clients are served",
                 f"{web['served']} of {web['tried']} ({percent(web)})")

    def logins(self, figures, phase):
        login, control = (figures["clients"]["phases"][phase][k] for k in ("login", "control"))
        slow = login["served"] == login["tried"] and (control["served"] < control["tried"] or
                                                      control["ms_max"] > CONTROL_LIMIT_MS)
        self.add(login["tried"] > 0 and login["served"] == login["tried"] and login["ms_max"] <= LOGIN_LIMIT_MS,
                 "nf_flowtrack: every login succeeds within 1 s",
                 f"{login['served']} of {login['tried']}, slowest {login['ms_max']} ms",
                 slow and f"the machine is too slow: past all tables it took up to {control['ms_max']} ms")

    def bystanders(self, figures, phase):
        """The numbers to reach, for all clients that have nothing to do with the flood."""
        self.streams(figures)
        self.web(figures, phase)
        self.logins(figures, phase)

    def within_max(self, figures, phase, maximum):
        for table, seen in figures[phase]["entries_max"].items():
            self.add(seen <= maximum, f"nf_flowtrack: the table of {table} stays within its max", f"{seen} of {maximum}")


def percent(count):
    return f"{100 * count['served'] / count['tried']:.1f} %" if count["tried"] else "none"


def main(name, title, maximum, play, judge, number, late=False):
    """Play both sides, judge, print KTAP, and leave NAME.json behind.

    play(Play): one side. judge(Checks, {side: figures}). number: the number to reach, in words. late: see Play.
    """
    figures, checks = {}, Checks()
    start = time.monotonic()
    print("KTAP version 1", flush=True)
    for side in SIDES:
        begin = time.monotonic()
        try:
            this = Play(side, maximum, late)
            try:
                figures[side] = play(this)
            finally:
                this.figures.setdefault("commands", Machine.log)
                tear_down()
        except (Failure, OSError, subprocess.SubprocessError, KeyError, ValueError) as e:
            checks.add(False, f"{side}: played to its end", e)
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()), flush=True)
        print(f"# {side}: {time.monotonic() - begin:.0f} s", flush=True)
    if len(figures) == len(SIDES):
        try:
            judge(checks, figures)
        except (KeyError, TypeError) as e:
            checks.add(False, "every figure is there", repr(e))
            traceback.print_exc()
    print(f"1..{len(checks.list)}")
    for i, (ok, what, seen, skip) in enumerate(checks.list, 1):
        text = f"{what}: {seen}".replace(" # ", " ").replace("\n", " ")
        print(f"{'ok' if ok or skip else 'not ok'} {i} {text}" + (f" # SKIP {skip}" if skip else ""))
    with open(os.path.join(RESULTS, name + ".json"), "w", encoding="ascii") as out:
        json.dump({"name": name, "title": title, "number": number, "max": maximum, "kernel": os.uname().release,
                   "cpus": os.cpu_count(), "seconds": round(time.monotonic() - start),
                   "checks": [{"ok": ok, "what": what, "seen": str(seen), "skipped": skip or None}
                              for ok, what, seen, skip in checks.list],
                   "figures": figures}, out, indent=1)
    sys.exit(0 if checks.list and all(ok or skip for ok, _, _, skip in checks.list) else 1)
