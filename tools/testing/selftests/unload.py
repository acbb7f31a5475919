#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The module goes at any time: under traffic, with packets in flight, again and again."""
# TIMEOUT: 300
# CPUS: 2

import os
import signal
import socket
import struct

from lib import *


def flooder(rig, cpu):
    """A process that sends datagrams of ever new flows through the router until it is killed, for two minutes at most."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.sched_setaffinity(0, {cpu})
        signal.alarm(120)
        n = 0
        while True:
            n += 1
            family = 6 if n & 1 else 4
            rig.c.send(ip(Rig.C[family], Rig.S[family], UDP,
                          udp(Rig.C[family], Rig.S[family], 1024 + n % 60000, 1 + n // 60000)))
            if n % 100 == 0:
                rig.s.receive()
    finally:
        os._exit(0)


def stop(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@case("load and unload, ten times", only="flowtrack")
def _(rig):
    for n in range(10):
        rig.udp("c", 4, 1000 + n, 53, "new/o")
        unload()
        rig.udp("c", 4, 1000 + n, 53, "new/o")
        load()
    equal(rig.r.flows(), [], "flows after loading")
    rig.r.conntrack_flush()


@case("unload under a flood of new flows, five times", only="flowtrack")
def _(rig):
    pid = flooder(rig, 0)
    try:
        for _ in range(5):
            load()
            busywait(20, lambda: int(rig.r.sysctl("count")) > 100, "traffic")
            unload()
    finally:
        stop(pid)
        load()
    rig.c.flush()
    rig.s.receive()
    rig.r.conntrack_flush()


@case("unload under TCP connections: they go on", only="flowtrack")
def _(_rig):
    a, b = Ns("a"), Ns("b")
    a.ip(f"link add ab type veth peer name ba netns {b.name}", "addr add 10.6.1.1/24 dev ab", "link set ab up")
    b.ip("addr add 10.6.1.2/24 dev ba", "link set ba up")
    for ns in (a, b):
        ns.nft("table inet t {\n\tchain in {\n\t\ttype filter hook input priority 0\n\t\tct state invalid drop\n\t}\n}")
    server = b.popen("iperf3", "-s", "-1")
    busywait(20, lambda: "5201" in b.run("ss", "-Hltn")[1], "iperf3's port")
    client = a.popen("iperf3", "-c", "10.6.1.2", "-n", "16M", "-P", "2")
    busywait(20, lambda: len(b.flows(proto="tcp")) >= 3, "the connections")
    for _ in range(3):
        unload()
        load()
    equal(client.wait(100), 0, "iperf3's exit status")
    server.wait(20)
    a.delete()
    b.delete()


@case("unload with packets in a queue: they are gone or go on, and nothing is stuck", only="flowtrack")
def _(rig):
    for _ in range(3):
        rig.reset(QUEUE_RULES)
        queue = Queue(rig.r)
        for i in range(100):
            rig.c.send(queue_packet(4, 2000 + i))
        idents = queue.receive(100)
        unload()
        for ident in idents:
            queue.verdict(ident, NF_ACCEPT)
        queue.close()
        rig.c.flush()
        rig.s.receive()
        load()
        rig.r.nft("flush ruleset\n" + nft_stamps())
        rig.r.conntrack_flush()
        rig.udp("c", 4, 3000, 53, "new/o")
        rig.udp("s", 4, 53, 3000, "est/r+s")


MRT_INIT, MRT_ADD_VIF, MRT_ADD_MFC = 200, 202, 204


@case("unload with packets that wait for a multicast route, which then comes", only="flowtrack")
def _(rig):
    rig.r.nft("flush ruleset\n" + nft_stamps())
    rig.r.conntrack_flush()
    mrt = rig.r.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
    mrt.setsockopt(socket.IPPROTO_IP, MRT_INIT, 1)
    for vif, dev in enumerate(("rc", "rs")):
        with rig.r:
            index = socket.if_nametoindex(dev)
        mrt.setsockopt(socket.IPPROTO_IP, MRT_ADD_VIF, struct.pack("=HBBIi4s", vif, 8, 1, 0, index, b"\0" * 4))
    group = "239.1.2.3"
    for sport in (6000, 6001):
        rig.c.send(ip4(Rig.C[4], group, UDP, udp(Rig.C[4], group, sport, 53), 77))
    rig.c.flush()
    equal(rig.s.receive(), [], "packets that came through before there was a route")
    unload()
    mrt.setsockopt(socket.IPPROTO_IP, MRT_ADD_MFC,
                   pton(Rig.C[4]) + pton(group) + struct.pack("=H32sxxIIIi", 0, bytes([255, 1] + [255] * 30), 0, 0, 0, 0))
    rig.c.flush()
    equal(len([p for p in rig.s.receive() if p[16:20] == pton(group)]), 2, "packets that came through")
    with rig.r:
        equal([f for f in conntrack_flows() if f["orig"]["dst"] == group], [], "entries of nf_conntrack")
    rig.r.conntrack_flush()
    mrt.close()
    load()


@case("unload with packets in a qdisc of lo: they arrive, and nf_conntrack tracks them", only="flowtrack")
def _(rig):
    run("modprobe", "-q", "sch_netem", ok=False)
    rig.r.run("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "3s", "limit", "10000")
    server = rig.r.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 7000))
    server.settimeout(20)
    client = rig.r.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind(("127.0.0.1", 7001))
    for _ in range(20):
        client.sendto(b"x", ("127.0.0.1", 7000))
    unload()
    for _ in range(20):
        server.recv(10)
    rig.r.run("tc", "qdisc", "del", "dev", "lo", "root")
    rig.r.conntrack_flush()
    load()


@case("unload while packets wait for another processor to take them in (RPS): they arrive, and leave nothing", only="flowtrack")
def _(_rig):
    ns = Ns("rps")
    # A sysfs shows the devices of the namespace that it was mounted in.
    ns.run("unshare", "-m", "sh", "-c", "mount -t sysfs sysfs /sys && "
           f"echo {(1 << os.cpu_count()) - 1:x} > /sys/class/net/lo/queues/rx-0/rps_cpus")
    ns.nft("table inet t {\n\tchain in {\n\t\ttype filter hook input priority 0\n\t\tct state invalid drop\n\t}\n}")
    pids = []
    for cpu in range(os.cpu_count()):
        pid = os.fork()
        if not pid:
            try:
                os.sched_setaffinity(0, {cpu})
                signal.alarm(120)
                setns(ns.fd)
                server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                server.bind(("127.0.0.1", 7000 + cpu))
                server.setblocking(False)
                while True:
                    # What nf_conntrack tracks when the module comes, it keeps: new ones, too.
                    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
                    for sock in socks * 5:
                        sock.sendto(b"x", ("127.0.0.1", 7000 + cpu))
                    for sock in socks:
                        sock.close()
                    # A full socket drops, and the kernel's text is being changed there when the module comes: the
                    # emulator does not bear it.
                    try:
                        while True:
                            server.recv(10)
                    except BlockingIOError:
                        pass
            finally:
                os._exit(0)
        pids.append(pid)
    try:
        for _ in range(5):
            load()
            busywait(20, lambda: int(ns.sysctl("count")) >= 20, "traffic")
            unload()
    finally:
        for pid in pids:
            stop(pid)
    ns.conntrack_flush()
    with ns:
        equal(conntrack_flows(), [], "entries of nf_conntrack, flushed")
    ns.delete()
    load()


@case("unload with a monitor that listens and a list that is being made", only="flowtrack")
def _(rig):
    for i in range(200):
        rig.c.send(ip4(Rig.C[4], Rig.S[4], UDP, udp(Rig.C[4], Rig.S[4], 1000 + i, 53)))
    rig.c.flush()
    monitor = rig.r.popen(TOOL, "-j", "monitor")
    busywait(20, lambda: genl_listeners(rig.r), "the monitor's subscription")
    lists = [rig.r.popen(TOOL, "-j", "list") for _ in range(5)]
    # A dump holds the module for as long as it takes.
    busywait(30, lambda: run("rmmod", MODULE, ok=False)[0] == 0, "unloaded")
    for p in lists:
        p.communicate(timeout=20)
    monitor.terminate()
    monitor.wait(10)
    status, _, err = rig.r.tool("list", ok=False)
    equal(status, 5, "exit status without the module")
    check("not loaded" in err, f"the tool says: {err}")
    load()


@case("a dump that nobody reads keeps the module, and ss says whose it is", only="flowtrack")
def _(rig):
    for i in range(2000):
        rig.c.send(ip4(Rig.C[4], Rig.S[4], UDP, udp(Rig.C[4], Rig.S[4], 1000 + i, 53)))
    rig.c.flush()
    busywait(20, lambda: int(rig.r.sysctl("count")) >= 2000, "flows")
    # Nobody takes what the tool prints, so the tool does not read on.
    lister = rig.r.popen(TOOL, "list")

    def named():
        return [line for line in rig.r.run("ss", "-f", "netlink", "-p")[1].splitlines()
                if f"genl:flowtrack/{lister.pid} " in line and int(line.split()[0])]
    busywait(20, named, "ss names the dump's process")
    status, _, err = run("rmmod", MODULE, ok=False)
    check(status and "in use" in err, f"rmmod: exit status {status}: {err.strip()}")
    lister.kill()
    lister.wait(10)
    unload()
    rig.r.conntrack_flush()
    load()


@case("unload while the table is being resized and settings are being read", only="flowtrack")
def _(rig):
    for _ in range(5):
        load()
        pid = os.fork()
        if not pid:
            try:
                setns(rig.r.fd)
                while True:
                    for size in (64, 4096):
                        with open("/proc/sys/net/netfilter/nf_flowtrack_buckets", "w") as f:
                            f.write(str(size))
                    with open("/proc/sys/net/netfilter/nf_flowtrack_count") as f:
                        f.read()
            except OSError:
                pass
            finally:
                os._exit(0)
        rig.udp("c", 4, 4000, 53, "new/o")
        unload()
        os.waitpid(pid, 0)
        rig.r.conntrack_flush()
    load()


main(Rig)
