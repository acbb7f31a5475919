#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""conntrack(8) as few people use it, and others at the same time: of our flows it says what it says of nf_conntrack's with
the original module."""
# TIMEOUT: 400
# CPUS: 2

import threading

from lib_ctnetlink import *

C, S = Rig.C[4], Rig.S[4]
RULES = """
table inet t {
	chain pre {
		type filter hook prerouting priority -150
		tcp dport 80 ct mark set 0x17
	}
}"""
FTP = """
table inet h {
	ct helper ftp { type "ftp" protocol tcp; }
	chain forw {
		type filter hook forward priority 0
		tcp dport 21 ct helper set "ftp"
	}
}"""
NEW = f"-p udp -s 10.77.0.1 -d {S} --sport 4000 --dport 53"
# By turns they look and change: each finds what those before it left.
COMMANDS = [line.format(C=C, S=S, NEW=NEW) for line in """
-L -o save
-L -o extended,timestamp,labels
-L -o xml,timestamp
-L -o ktimestamp
-L conntrack -f ipv6
-L -f ipv6 -p tcp
-L -p tcp --state ESTABLISHED
-L -p tcp --state TIME_WAIT
-L -p tcp --state SYN_SENT -o extended
-L -p sctp --state COOKIE_WAIT
-L -p tcp --orig-port-src 2000
-L -p tcp --reply-port-src 80
-L -p tcp --reply-port-dst 2001 -r {S}
-L -q {C}
-L -q 10.1.1.1
-L -s 10.9.0.0/16
-L -s {C} -d {S} -p udp
-L -d 10.9.2.0/24 -p icmp
-L -p icmp --icmp-type 8
-L -p icmp --icmp-id 8
-L -p icmpv6 --icmpv6-type 128
-L -p gre
-L -p 50
-L -u ASSURED
-L -u SEEN_REPLY
-L -u UNSET
-L -u ASSURED,SEEN_REPLY -p tcp
-L -u OFFLOAD
-L -u FIXED_TIMEOUT
-L -n
-L -g
-L -j
-L -m 0x17
-L -m 0x10/0xf0
-L -m 0
-L -w 0
-L -w 7
-L --orig-zone 0
-L -l
-L -c 0
-L dying
-L unconfirmed
-L expect
-L -p tcp -t 5
-L --nonsense
-L extra words
-G -p udp -s {C} -d {S} --sport 1000 --dport 53
-G -p udp -s {C} -d {S} --sport 1000 --dport 53 -o xml
-G -p udp -r {S} -q {C} --reply-port-src 53 --reply-port-dst 1000
-G -p udp -s {C} -d {S} --sport 1 --dport 53
-G -p tcp -s {C} -d {S} --sport 2000
-G -p icmp -s {C} -d {S} --icmp-type 8 --icmp-code 0 --icmp-id 8
-G -p udp -s {C} -d {S} --sport 1000 --dport 53 -w 3
-C
-C conntrack
-C expect
-U -p tcp --orig-port-src 2000 -m 0x50/0xf0
-U -p tcp -m 5
-U -m 0x17 -p udp -s {C} --sport 1000 --dport 53 -d {S}
-U -p udp -t 7700
-U -p udp -t 4294967295
-U -p udp -t 300000
-U -p tcp --sport 2000 -u ASSURED
-U -p tcp --sport 2002 -u SEEN_REPLY
-U -p tcp --sport 2002 -u SEEN_REPLY,ASSURED
-U -p udp --dport 53 -u FIXED_TIMEOUT
-U -p udp --dport 53 -t 9900
-U -p udp -u UNSET
-U -p tcp --state CLOSE
-U -p tcp --sport 2000 --dport 80 -s {C} -d {S} --state CLOSE
-U -p udp --label-add kept
-U -p udp --label-del
-U -p udp -s 10.7.7.7
-U -p udp -l kept
-U -n 10.1.1.1
-I {NEW} -t 3000
-I {NEW} -t 3000
-I {NEW}
-A {NEW} -t 6000
-A {NEW} -t 6000 -m 3
-I -p udp -s 10.77.0.2 -d {S} --sport 1 --dport 2 -t 2000 -u SEEN_REPLY,ASSURED
-I -p udp -s 10.77.0.3 -d {S} --sport 1 --dport 2 -t 2000 -u UNSET
-I -p udp -s 10.77.0.4 -d {S} --sport 1 --dport 2 -t 2000 -w 9
-G -p udp -s 10.77.0.4 -d {S} --sport 1 --dport 2
-G -p udp -s 10.77.0.4 -d {S} --sport 1 --dport 2 -w 9
-D -w 9
-I -p tcp -s 10.77.0.5 -d {S} --sport 1 --dport 2 -t 2000 --state SYN_SENT
-I -p tcp -s 10.77.0.6 -d {S} --sport 1 --dport 2 -t 2000 --state ESTABLISHED -u SEEN_REPLY
-I -p tcp -s 10.77.0.7 -d {S} --sport 1 --dport 2 -t 2000 --state NONSENSE
-I -p tcp -s 10.77.0.8 -d {S} --sport 1 --dport 2 -t 2000
-I -p icmp -s 10.77.0.9 -d {S} --icmp-type 8 --icmp-code 0 --icmp-id 77 -t 900
-I -p icmp -s 10.77.0.9 -d {S} --icmp-type 0 --icmp-code 0 --icmp-id 77 -t 900
-I -p udp -s 10.77.0.10 -d {S} -q {C} -r 10.8.8.8 --sport 1 --dport 2 -t 2000
-I -p udp -s 10.77.0.11 -d fd09::1 --sport 1 --dport 2 -t 2000
-I -p udp -f ipv6 -s fd77::1 -d fd09::1 --sport 1 --dport 2 -t 2000 -m 0xffffffff
-I -p udplite -s 10.77.0.12 -d {S} --sport 1 --dport 2 -t 2000
-I -p sctp -s 10.77.0.13 -d {S} --sport 1 --dport 2 -t 2000 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2
-I -p dccp -s 10.77.0.14 -d {S} --sport 1 --dport 2 -t 2000 --state OPEN --role client
-I -p gre -s 10.77.0.15 -d {S} --srckey 1 --dstkey 2 -t 2000
-I -p 50 -s 10.77.0.16 -d {S} -t 2000
-L -o save
-L -s 10.77.0.0/24 -o extended
-U -s 10.77.0.0/24 -m 9
-D -s 10.77.0.0/24 -u ASSURED
-D -s 10.77.0.0/24 -p udp -o save
-D -s 10.77.0.0/24 -o xml
-D -s 10.77.0.0/24
-D -p tcp --state ESTABLISHED
-D -p tcp --reply-port-src 80 -u UNSET
-D -f ipv6 -p icmpv6
-D -m 0x17/0xff
-D -p gre
-D -r {S} -p udp
-D
-L
-C
""".strip().splitlines()]
# Expectations, of a connection with ftp's helper: the same wherever the others are. conntrack takes the upper half of the
# port for the protocol: 1700 is one of TCP.
EXPECT = [line.format(C=C, S=S, PORTS="--tuple-port-src 10 --tuple-port-dst 1700 --mask-port-src 0 --mask-port-dst 65535",
                      TO=f"--tuple-src {S} --tuple-dst {C} --mask-src 255.255.255.255 --mask-dst 255.255.255.255",
                      OF=f"-p tcp -s {C} -d {S} --orig-port-src 2010 --orig-port-dst 21") for line in """
-I expect {OF} {TO} {PORTS} -t 500
-I expect {OF} {TO} {PORTS} -t 500
-I expect -p tcp -s {C} -d {S} --orig-port-src 2011 --orig-port-dst 21 {TO} {PORTS} -t 500
-I expect {OF} -t 500
-L expect
-L expect -o xml
-L expect -o id,timestamp
-L expect -f ipv6
-C expect
-G expect {OF}
-G expect -p tcp -s {S} -d {C} --orig-port-src 0 --orig-port-dst 1700
-G expect -p tcp -s {S} -d {C} --orig-port-src 0 --orig-port-dst 1701
-D expect -p tcp -s {S} -d {C} --orig-port-src 0 --orig-port-dst 1701
-D expect -p tcp -s {S} -d {C} --orig-port-src 0 --orig-port-dst 1700
-L expect
-I expect {OF} {TO} {PORTS} -t 500
-F expect
-L expect
-C expect
""".strip().splitlines()]
# To restore: what -o save has written, in a file.
FILE = f"""-A -t 3000 -u ASSURED,SEEN_REPLY -s 10.78.0.1 -d {S} -r {S} -q 10.78.0.1 -p tcp --sport 10 --dport 20 --reply-port-src 20 --reply-port-dst 10 --state ESTABLISHED
-I -t 6000 -s 10.78.0.2 -d {S} -r {S} -q 10.78.0.2 -p udp --sport 10 --dport 20 --reply-port-src 20 --reply-port-dst 10
-U -s 10.78.0.2 -d {S} -p udp --sport 10 --dport 20 -m 77
# a comment, and an empty line

-D -s 10.78.0.1 -d {S} -p tcp --sport 10 --dport 20
-D -s 10.78.0.1 -d {S} -p tcp --sport 10 --dport 20
"""
LISTENERS = ("-E", "-E -e NEW", "-E -e DESTROY -p tcp", "-E -e UPDATES -o extended", "-E -e NEW,DESTROY -f ipv6 -o xml", "-E -s 10.77.0.0/24 -o save",
             "-E -p udp --dport 53", "-E -m 0x17", "-E -b 1000000", "-E -o timestamp,id,extended -e NEW", "-E expect")


def blurred(text):
    """Without what the clock, or another request that looks at the same, changes."""
    text = re.sub(r"\b(use|id|portid)=\d+", r"\1=", text)
    # Whether the program still runs when a listener looks for its name is a matter of luck.
    text = re.sub(r" progname=\w+", "", text)
    text = re.sub(r"<(use|id|timeout|hour|min|sec|wday|day|month|year)>\d+</\1>", r"<\1/>", text)
    text = re.sub(r"\[(start|stop)=[^]]*\]|delta-time=\d+", "", text)
    text = re.sub(r"^(\[\d+\.\d+\s*\]\s*)", "", text, flags=re.M)
    text = re.sub(r"^((?:\s*\[\w+\] )?(?:ipv\d +\d+ +)?[\w-]+ +\d+) \d+ ", r"\1 T ", text, flags=re.M)
    # Of an expectation.
    text = re.sub(r"^((?:\s*\[\w+\] )?)\d+ proto=", r"\1T proto=", text, flags=re.M)
    return re.sub(r" -t \d+", " -t T", text)


def lasting(rig):
    """No connection ends by itself before all commands are through."""
    for name in os.listdir("/proc/sys/net/netfilter"):
        if re.match("nf_(conntrack|flowtrack)_.*timeout", name) and "max_retrans" not in name and "unacknowledged" not in name:
            rig.r.sysctl(f"net.netfilter.{name}", 3600)


def listening(rig):
    """What each listener says, when all have begun to listen."""
    processes = []
    with rig.r:
        def sockets():
            with open("/proc/thread-self/net/netlink", encoding="ascii") as f:
                return sum(line.split()[1] == "12" and int(line.split()[3], 16) > 0 for line in f.readlines()[1:])
        for n, args in enumerate(LISTENERS):
            processes.append(rig.r.popen("conntrack", *args.split(), stderr=subprocess.DEVNULL))
            busywait(20, lambda n=n: sockets() == n + 1, f"conntrack {args} listens")
    return processes


def ended(processes):
    said = []
    for args, process in zip(LISTENERS, processes):
        process.send_signal(signal.SIGINT)
        out = process.communicate(timeout=60)[0]
        said.append((args, sorted(blurred(out).splitlines())))
    return said


def perform(rig, lines):
    """What became of each command: status, output, what it said."""
    log = []
    for line in lines:
        status, out, err = rig.r.run("conntrack", *line.split(), ok=False)
        # What it has changed it asks for, and shows some of the answers.
        shown = [] if line.startswith("-U") else sorted(blurred(out).splitlines())
        log.append((line, status, shown, blurred(err).splitlines()))
    return log


def world(rig, module, enable):
    """What became of everything."""
    rig.r.sysctl("enable", enable)
    swap(module)
    rig.r.conntrack_flush()
    rig.reset(RULES)
    processes = listening(rig)
    traffic(rig)
    log = perform(rig, COMMANDS)
    rig.r.nft(FTP)
    rig.send("c", Tcp(rig, 4, sport=2010, dport=21).build("c", "S"))
    log += perform(rig, EXPECT)
    rig.r.nft("delete table inet h")
    with open("flows", "w", encoding="ascii") as f:
        f.write(FILE)
    log += perform(rig, ("-R flows", "-R nosuchfile", "-F", "-F expect", "-F nonsense"))
    log += ended(processes)
    return log


def certain_world(rig, *how):
    """conntrack numbers its requests by the clock, and may take an answer for another one's when a second ends: then once more."""
    for _ in range(3):
        log = world(rig, *how)
        if "Protocol error" not in str(log):
            break
    return log


def difference(ours, theirs):
    """What only one of the two has."""
    both = [[str(part) for field in entry for part in (field if isinstance(field, list) else [field])] for entry in (ours, theirs)]
    return f"{ours[0]}: {[line for line in both[0] if line not in both[1]]} instead of {[line for line in both[1] if line not in both[0]]}"


@case("a hundred commands, and listeners with filters: status, output, errors", only="flowtrack")
def _(rig):
    try:
        theirs, beside, ours = [certain_world(rig, *how) for how in ((ORIGINAL, 0), (OURS, 0), (OURS, 1))]
    finally:
        swap(OURS)
        rig.r.sysctl("enable", 1)
        run("modprobe", "-r", "nf_conntrack_ftp", ok=False)
    check(len(theirs) > 100, f"only {len(theirs)} commands")
    # All of them: what differs in one place may do so in others.
    wrong = [f"{who}: {difference(a, b)}" for who, log in (("entries", beside), ("flows", ours)) for a, b in zip(log, theirs) if a != b]
    check(not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong))
    check(any("ESTABLISHED" in str(entry) for entry in theirs), "nothing was established")
    check(any(entry[0] == "-L expect" and "dport=1700" in str(entry[2]) for entry in theirs), "nothing was expected")


@case("dumps, flushes, changes and packets at the same time: each command ends well, and what is left is as nobody has deleted it",
      only="flowtrack")
def _(rig):
    rig.reset(RULES)
    problems, stopping = [], threading.Event()

    def again(*args, good=(0,)):
        while not stopping.is_set():
            status, _, err = rig.r.run(*args, ok=False)
            if status not in good:
                problems.append((args, status, err))
                return
    # -U and -D end with 1 where nothing, or nothing any more, is there to be changed.
    threads = [threading.Thread(target=again, args=args, kwargs=kwargs, daemon=True) for args, kwargs in (
        (("conntrack", "-L"), {}), (("conntrack", "-L", "-o", "xml"), {}), (("conntrack", "-F"), {}), (("conntrack", "-C"), {}),
        (("conntrack", "-D", "-p", "udp"), {"good": (0, 1)}), (("conntrack", "-U", "-p", "tcp", "-m", "3"), {"good": (0, 1)}),
        ((TOOL, "list"), {}))]
    for thread in threads:
        thread.start()
    for _ in range(15):
        traffic(rig)
    stopping.set()
    for thread in threads:
        thread.join(60)
    equal(problems, [], "commands that failed")
    rig.reset(RULES)
    traffic(rig)
    equal(len(rig.r.run("conntrack", "-L")[1].splitlines()), len(rig.r.flows()), "lines of conntrack -L")


MANY = 8192
TRIES = 10


def fill(ctnl):
    """Many connections, with few system calls."""
    for start in range(0, MANY, 256):
        request = b""
        for n in range(start, start + 256):
            host = f"10.79.{n >> 8}.{n & 255}"
            body = struct.pack("!BBH", socket.AF_INET, 0, 0) + tuple_attr(TUPLE_ORIG, 4, host, S, UDP, 1000, 53) + \
                tuple_attr(TUPLE_REPLY, 4, S, host, UDP, 53, 1000) + be32(TIMEOUT, 3000)
            request += struct.pack("=IHHII", 16 + len(body), SUBSYS << 8 | CT_NEW, REQUEST | CREATE | EXCL, 1, 0) + body
        ctnl.sock.send(request)


def flush_and_die(ctnl, left):
    """The errno of a flush whose process is killed in the middle of it; None if it was through before that."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        # Beside this process, not by turns with it.
        os.sched_setaffinity(0, range(os.cpu_count()))
        ctnl.sock.send(struct.pack("=IHHIIBBH", 20, SUBSYS << 8 | CT_DELETE, REQUEST | ACK, 2, 0, 0, 0, 0))
        os.write(writer, b"through")
        os._exit(0)
    os.close(writer)
    while left() == MANY:
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    through = os.read(reader, 10)
    os.close(reader)
    error = struct.unpack_from("=i", ctnl.sock.recv(4096), 16)[0]
    return None if through else error


@case("a flush whose program is killed meanwhile: all goes, and the answer is that it has", only="flowtrack")
def _(rig):
    try:
        for what, module, enable in (("the original", ORIGINAL, 0), ("entries", OURS, 0), ("flows", OURS, 1)):
            rig.r.sysctl("enable", enable)
            swap(module)
            rig.r.conntrack_flush()
            rig.reset()
            ctnl = Ctnl(rig.r)
            path = "/proc/sys/net/netfilter/nf_" + ("flowtrack_count" if enable else "conntrack_count")
            with rig.r, open(path, encoding="ascii") as f:
                def left():
                    f.seek(0)
                    return int(f.read())

                for _ in range(TRIES):
                    fill(ctnl)
                    equal(left(), MANY, f"{what}: connections")
                    error = flush_and_die(ctnl, left)
                    equal(left(), 0, f"{what}: connections that are left, after {error}")
                    if error is not None:
                        break
                equal(error, 0, f"{what}: errno of a flush, None: never killed in time")
            ctnl.close()
    finally:
        swap(OURS)
        rig.r.sysctl("enable", 1)


def setup():
    rig = Rig(RULES)
    # ftp's and the like are asked for by name.
    swap(OURS)
    lasting(rig)
    return rig


main(setup)
