#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Users without privileges, with hundreds of namespaces of their own, who try to take all that there is."""
# TIMEOUT: 900
# CPUS: 2

import os
import signal
import socket
import time

from lib import *

CLONE_NEWUSER = 0x10000000
PR_SET_DUMPABLE = 4
ALICE, BOB = 1001, 1002
# The initial namespace keeps its own max, others have 3000, tenants half of that, each of them a quarter.
TOTAL, MAX = 4000, 1000
OTHERS = TOTAL - MAX
SHARE = OTHERS // 2 // 4
MANY, EACH = 200, 20
# More packets together than a namespace's two pools of carriers have.
HOLDERS, HELD = 50, 200
# In one namespace: a look at its table takes a while.
MANY_FLOWS = 20000
CGROUP = "/sys/fs/cgroup/tenant"


def write(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def setting(name, value=None):
    path = f"/proc/sys/net/netfilter/nf_flowtrack_{name}"
    if value is not None:
        write(path, value)
        return value
    with open(path) as f:
        return f.read().strip()


def open_flows(n, first=10000, mark=0):
    """Datagrams to nobody over the loopback, each from a flow of its own: how many were not refused."""
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        if mark:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        for port in range(first, first + n):
            try:
                s.sendto(b"x", ("127.0.0.1", port))
                sent += 1
            except PermissionError:
                pass
    return sent


class Tenants:
    """A user's network namespaces, each in a user namespace of its own, held by a descriptor."""

    def __init__(self, uid):
        self.uid = uid
        self.fds = []
        self.children = []

    def child(self, work, cgroup=None):
        """Fork a child that is root in namespaces of its own and does the work there, then waits for its end."""
        ready, done = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            status = 1
            try:
                os.close(ready[0])
                os.close(done[1])
                if cgroup:
                    write(f"{cgroup}/cgroup.procs", os.getpid())
                os.setgroups([])
                os.setresgid(self.uid, self.uid, self.uid)
                os.setresuid(self.uid, self.uid, self.uid)
                call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
                call("unshare", CLONE_NEWUSER | CLONE_NEWNET)
                write("/proc/self/setgroups", "deny")
                write("/proc/self/uid_map", f"0 {self.uid} 1")
                write("/proc/self/gid_map", f"0 {self.uid} 1")
                set_link("lo")
                os.write(ready[1], b"+")
                os.read(done[0], 1)
                work()
                status = 0
            except Exception as e:  # pylint: disable=broad-except
                print(f"# a tenant: {e!r}", flush=True)
            finally:
                os._exit(status)
        os.close(ready[1])
        os.close(done[0])
        check(os.read(ready[0], 1) == b"+", f"no namespaces for user {self.uid}")
        os.close(ready[0])
        self.fds.append(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY))
        self.children.append(pid)
        return pid, done[1]

    def make(self, work, n=1):
        for _ in range(n):
            pid, go = self.child(work)
            os.close(go)
            self.children.remove(pid)
            check(os.waitpid(pid, 0)[1] == 0, "a tenant's work failed")

    def counts(self, of="count"):
        """A setting that counts something, or a function that does, in each of the namespaces."""
        outer = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        counts = []
        try:
            for fd in self.fds:
                setns(fd)
                counts.append(of() if callable(of) else int(setting(of)))
        finally:
            setns(outer)
            os.close(outer)
        return counts

    def end(self):
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for fd in self.fds:
            os.close(fd)
        self.fds, self.children = [], []


def greedy():
    """Idle flows that nothing makes room for."""
    setting("udp_timeout", 1000000)
    setting("adaptive_start", 0)
    open_flows(EACH)


def hold(n):
    """Packets that a qdisc of lo holds, for longer than any test takes."""
    run("tc", "qdisc", "replace", "dev", "lo", "root", "netem", "delay", "250s", "limit", "100000")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        # All of one flow: flows have a limit of their own.
        for _ in range(n):
            s.sendto(b"x", ("127.0.0.1", 7000))


def stats():
    return parse_json(run(TOOL, "-j", "stats")[1])


def fresh(*params):
    if loaded():
        unload()
    load(*params)


@case(f"entries: {MANY} namespaces fill a user's share, and everybody else still gets in", only="flowtrack")
def _():
    fresh(f"total_max={TOTAL}", f"max={MAX}")
    log = Kmsg()
    alice, bob = Tenants(ALICE), Tenants(BOB)
    alice.make(greedy, MANY)
    equal(sum(alice.counts()), SHARE, f"flows of a user who tried {MANY * EACH}")
    bob.make(greedy, SHARE // EACH + 2)
    equal(sum(bob.counts()), SHARE, "flows of another user")
    equal((open_flows(MAX), int(setting("count"))), (MAX, MAX), "newcomers of the initial namespace: all get in")
    container = Ns("container")
    with container:
        equal((open_flows(MAX), int(setting("count"))), (MAX, MAX), "newcomers of a namespace that root made")
    equal(sum(alice.counts()) + sum(bob.counts()), 2 * SHARE, "flows of the users, who lost none")
    lines = [line for line in log.read() if "nf_flowtrack: netns" in line and "table full" in line]
    equal(lines, [], "what the log says of tenants")
    log.close()
    alice.end()
    bob.end()
    container.delete()
    # What they had is free again.
    carol = Tenants(BOB)
    busywait(20, lambda: carol.make(greedy) or carol.counts()[-1] == EACH, "room for the next one")
    carol.end()
    unload()


@case("the log: nothing of tenants, unless nf_log_all_netns is set", only="flowtrack")
def _():
    def refused():
        setting("src_max", 1)
        setting("reserved", int(setting("max")) - 1)
        open_flows(5)

    fresh(f"total_max={TOTAL}", f"max={MAX}")
    for everything in (0, 1):
        write("/proc/sys/net/netfilter/nf_log_all_netns", everything)
        log = Kmsg()
        alice = Tenants(ALICE)
        alice.make(refused, 20)
        lines = [line for line in log.read() if "nf_flowtrack: netns" in line]
        check(bool(lines) == bool(everything), f"nf_log_all_netns={everything}: {lines[:3]}")
        log.close()
        alice.end()
    write("/proc/sys/net/netfilter/nf_log_all_netns", 0)
    unload()


def kernel_memory():
    with open(f"{CGROUP}/memory.stat") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("kernel "))


def charged(fill, of, size, n=8000):
    """So many of what a tenant has, of a size, are charged to the control group that he was in. of: where they are counted."""
    fresh("total_max=400000", "max=40000")
    write("/sys/fs/cgroup/cgroup.subtree_control", "+memory")
    os.makedirs(CGROUP, exist_ok=True)
    alice = Tenants(ALICE)

    def work():
        fill(n)
        signal.pause()

    _, go = alice.child(work, CGROUP)
    time.sleep(2.5)  # The kernel sums its statistics up every two seconds.
    before = kernel_memory()
    os.close(go)
    busywait(60, lambda: alice.counts(of) >= [n], lambda: f"{n} of them: {alice.counts(of)}")
    busywait(10, lambda: kernel_memory() - before >= n * size,
             lambda: f"{n} of them charged: {kernel_memory() - before} bytes")
    print(f"# {kernel_memory() - before} bytes for {n}", flush=True)
    alice.end()
    busywait(20, lambda: not os.rmdir(CGROUP), "an empty control group")
    unload()


@case("memory: flows are charged to the control group of the process that made the namespace", only="flowtrack")
def _():
    charged(open_flows, "count", 128)


@case("memory: and so is what is remembered of guarded flows", only="flowtrack")
def _():
    def guarded(n):
        run("nft", "add table inet t { chain c { type filter hook output priority 0; ct state new accept; }; }")
        # A limit for each source counts guarded flows, whatever room there is.
        setting("src_max", 100000)
        setting("bypass_mark", 1)
        setting("bypass_mask", 1)
        open_flows(n, mark=1)

    # nf_conntrack's own entries are charged to nobody.
    charged(guarded, "guarded", 64)


@case("memory: and so are carriers, of packets that something holds", only="flowtrack")
def _():
    run("modprobe", "-q", "sch_netem", ok=False)
    # All packets are of one flow.
    charged(hold, lambda: stats()["carrier_grown"], 256)


@case("memory: and so are reports, which a full table asks for", only="flowtrack")
def _():
    def press(_):
        setting("reserved", int(setting("max")) - 1)
        while True:
            open_flows(3)
            time.sleep(0.5)

    # Of each CPU the births, 45 KB, and what there is to say.
    charged(press, "count", 45000 * os.cpu_count() + 50000, 1)


@case(f"carriers: {HOLDERS} namespaces hold {HOLDERS * HELD} packets, and nobody else has one carrier less",
      only="flowtrack")
def _():
    def passed(n):
        """Datagrams of the initial namespace, each of a flow of its own, that arrive."""
        arrived = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 7000))
            server.settimeout(20)
            for _ in range(n):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.sendto(b"x", ("127.0.0.1", 7000))
                    arrived += len(server.recv(10))
        return arrived

    run("modprobe", "-q", "sch_netem", ok=False)
    fresh(f"total_max={TOTAL}", f"max={MAX}")
    equal(passed(100), 100, "datagrams that arrived before")
    before = stats()["carrier_grown"]
    alice = Tenants(ALICE)
    alice.make(lambda: hold(HELD), HOLDERS)
    equal(passed(500), 500, "datagrams that arrived")
    seen = stats()
    check(seen["carrier_grown"] - before < 10, f"{seen['carrier_grown'] - before} carriers were made here")
    equal(seen["carrier_none"], 0, "packets dropped for want of a carrier")
    each = alice.counts(lambda: stats()["carrier_grown"])
    check(min(each) >= HELD, f"carriers of the tenants: {min(each)} in one, not {HELD}")
    alice.end()
    unload()


def kworkers():
    """Seconds of CPU that the kernel's workers have had."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                text = f.read()
        except OSError:
            continue
        if "(kworker/" in text:
            fields = text.rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@case("CPU: the work for 40 full tables is a fraction of one CPU", only="flowtrack")
def _():
    def busy():
        setting("reserved", int(setting("max")) - 1)
        while True:
            open_flows(3, 20000 + int(time.monotonic() * 10) % 10000 * 3)
            time.sleep(1)

    fresh(f"total_max={TOTAL}", f"max={MAX}")
    alice = Tenants(ALICE)
    for _ in range(40):
        _, go = alice.child(busy)
        os.close(go)
    busywait(30, lambda: all(alice.counts()), "a flow in each")
    time.sleep(2)
    began, cpu = time.monotonic(), kworkers()
    time.sleep(8)
    share = (kworkers() - cpu) / (time.monotonic() - began)
    print(f"# workers: {share:.2f} of a CPU", flush=True)
    check(share < 0.3, f"workers took {share:.2f} of a CPU")
    # Somebody else's work goes on in time.
    setting("udp_timeout", 1)
    open_flows(10)
    busywait(5, lambda: setting("count") == "0", "expiry in the initial namespace")
    alice.end()
    unload()


@case("CPU: addresses that come and go while flows are translated take a fraction of one, too", only="flowtrack")
def _():
    def busy():
        run("ip", "-b", "-", text="link add out0 type dummy\nlink set out0 up\naddr add 10.1.0.1/24 dev out0\n")
        run("nft", "table ip n { chain post { type nat hook postrouting priority 100; oif out0 snat to 10.1.0.2; }; }")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"x", ("10.1.0.3", 9))
        setting("udp_timeout", 1000000)
        open_flows(MANY_FLOWS)
        churn = "".join(f"addr {what} 10.2.0.1/32 dev out0\n" for _ in range(200) for what in ("add", "del"))
        while True:
            run("ip", "-b", "-", text=churn)

    fresh(f"total_max={20 * MANY_FLOWS}", f"max={2 * MANY_FLOWS}")
    alice = Tenants(ALICE)
    os.close(alice.child(busy)[1])
    busywait(60, lambda: alice.counts()[0] > MANY_FLOWS, "flows")
    time.sleep(2)
    began, cpu = time.monotonic(), kworkers()
    time.sleep(8)
    share = (kworkers() - cpu) / (time.monotonic() - began)
    print(f"# workers: {share:.2f} of a CPU", flush=True)
    alice.end()
    check(share < 0.3, f"workers took {share:.2f} of a CPU")
    unload()


main()
