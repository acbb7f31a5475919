#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""NAT rules, NAT itself and helpers appear and vanish while connections live: none of them breaks."""
# TIMEOUT: 300

from lib_ctnetlink import ORIGINAL, OURS, swap
from lib_net import *

EMPTY_NAT = """
table inet nat {
	chain post {
		type nat hook postrouting priority 100
	}
}
"""
# A new connection only where one is expected: what is picked up in the middle would not get through.
STRICT = """
table inet filter {
	chain forward {
		type filter hook forward priority 0; policy drop
		ct state established,related accept
		iif rc tcp flags syn / fin,syn,rst,ack ct state new accept
		iif rc udp dport { 53, 54 } ct state new accept
		meta l4proto icmpv6 accept
	}
}
"""


def talks(net, port, **kw):
    return [Talk(net.c, net.s, Net.S[f], port, **kw).start() for f in FAMILIES]


def start(net, ruleset="", direct=False):
    """direct: with neither NAT nor helpers loaded."""
    while Talk.all:
        Talk.all[0].close()
    run("rmmod", OURS, ok=False)
    if direct:
        net.r.nft("flush ruleset")
        remove_modules(*NAT_MODULES, *HELPER_MODULES)
    net.reset(STRICT + ruleset)


@case("NAT appears: what there was goes on untranslated, what comes is translated")
def _(net):
    start(net, direct=True)
    old = talks(net, 80)
    all_alive(old, "before")
    net.r.nft(MASQUERADE)
    all_alive(old, "with NAT")
    new = talks(net, 81)
    all_alive(old + new, "old and new")
    equal([t.peer[0] for t in old + new], [Net.C[4], Net.C[6], Net.RS[4], Net.RS[6]], "the client that the server sees")
    net.where((2, 0), "old", odport=80)
    net.where(translated(2), "new", odport=81)


@case("a rule goes and the chain stays: translated connections go on as they were")
def _(net):
    start(net, MASQUERADE)
    old = talks(net, 80)
    net.r.nft("flush chain inet nat post")
    new = talks(net, 81)
    all_alive(old + new, "without the rule")
    equal([t.peer[0] for t in old + new], [Net.RS[4], Net.RS[6], Net.C[4], Net.C[6]], "the client that the server sees")
    net.where(translated(2), "old", odport=80)
    net.where((2, 0), "new", odport=81)


@case("the whole ruleset is replaced, in one transaction, again and again")
def _(net):
    start(net, MASQUERADE)
    everyone = []
    for port, ruleset in ((80, EMPTY_NAT), (81, MASQUERADE), (82, MASQUERADE.replace("masquerade", "counter")),
                          (83, MASQUERADE)):
        everyone += talks(net, port)
        net.r.nft("flush ruleset\n" + STRICT + ruleset)
        all_alive(everyone, f"after change {port}")
    equal([t.peer[0] == Net.C[4] for t in everyone[::2]], [False, True, False, True], "untranslated")


@case("iptables: rules come and go one by one")
def _(net):
    start(net)
    old = talks(net, 80)
    for command in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"):
        net.r.run(command, "-t", "nat", "-A", "POSTROUTING", "-o", "rs", "-j", "MASQUERADE")
    new = talks(net, 81)
    all_alive(old + new, "with the rules")
    for command in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"):
        net.r.run(command, "-t", "nat", "-D", "POSTROUTING", "-o", "rs", "-j", "MASQUERADE")
    all_alive(old + new, "without the rules")
    equal([t.peer[0] for t in old + new], [Net.C[4], Net.C[6], Net.RS[4], Net.RS[6]], "the client that the server sees")


@case("NAT is unloaded: untranslated connections go on")
def _(net):
    start(net, EMPTY_NAT)
    old = talks(net, 80)
    net.r.nft("delete table inet nat")
    remove_modules(*NAT_MODULES)
    all_alive(old, "without nf_nat")
    net.where((2, 0), "flows")


@case("a helper appears and vanishes: connections of before, and those that had it, go on")
def _(net):
    start(net, direct=True)
    before = talks(net, 80)
    load_modules("nf_conntrack_ftp")
    net.r.nft("""
table inet h {
	ct helper ftp { type "ftp" protocol tcp; }
	chain pre {
		type filter hook prerouting priority -150
		tcp dport 21 ct state new ct helper set "ftp"
	}
}""")
    helped, beside = talks(net, 21), talks(net, 81)
    all_alive(before + helped + beside, "with the helper")
    net.where((4, 2), "with the helper")
    net.r.nft("delete table inet h")
    remove_modules("nf_conntrack_ftp")
    all_alive(before + helped + beside, "without the helper")
    net.where((0, 2), "had the helper", odport=21)
    after = talks(net, 82)
    all_alive(before + helped + beside + after, "with a new connection")
    net.where((2, 0), "after the helper", odport=82)


COUNTED = """
table inet acct {
	counter seen { }
	counter counted { }
	chain forward {
		type filter hook forward priority -10
		tcp dport { 80, 81 } ct original packets > 0 ct bytes > 0 counter name counted
		tcp dport { 80, 81 } counter name seen
	}
}
"""


def counted(net, talk, what):
    """Each packet has found what its connection has sent so far."""
    talk.alive()

    def compare():
        counters = net.counters()
        return counters if counters["seen"] == counters["counted"] else None
    check(busywait(10, compare, f"{what}: packets whose connection counts them, {net.counters()}")["seen"] > 3, f"{what}: no packets")
    net.r.run("nft", "reset", "counters")


@case("what rules read of counters outlasts a helper, and NAT, that are unloaded")
def _(net):
    start(net, COUNTED, direct=True)
    with Talk(net.c, net.s, Net.S[4], 80) as talk:
        counted(net, talk, "before")
        load_modules("nf_conntrack_ftp")
        counted(net, talk, "with a helper")
        remove_modules("nf_conntrack_ftp")
        counted(net, talk, "without it")
        net.r.nft(EMPTY_NAT)
        counted(net, talk, "with NAT")
        net.r.nft("delete table inet nat")
        remove_modules(*NAT_MODULES)
        counted(net, talk, "without it")
        with Talk(net.c, net.s, Net.S[4], 81) as new:
            counted(net, new, "a new one")


@case("adopt=never while connections are translated: they stay so", only="flowtrack")
def _(net):
    start(net, MASQUERADE)
    old = talks(net, 80) + talks(net, 53, proto="udp")
    for word in ("never", "always", "auto"):
        net.r.sysctl("adopt", word)
        all_alive(old, f"adopt={word}")
    net.where(translated(4), "flows")


@case("flowtrack is switched off and on: translated connections go on", only="flowtrack")
def _(net):
    start(net, MASQUERADE)
    old = talks(net, 80)
    for value in (0, 1):
        net.r.sysctl("enable", value)
        all_alive(old, f"enable={value}")
    net.where((0, 2), "flows")


HANDED = """
table inet marks {
	chain forward {
		type filter hook forward priority 1
		ct state new ct mark set 5
	}
}
"""
# Both ends of these are translated.
BOTH = """
table inet nat {
	chain pre {
		type nat hook prerouting priority -100
		iif rc ip daddr 10.9.1.1 tcp dport 8080 dnat ip to 10.9.2.2:82
		iif rc ip6 daddr fd09:1::1 tcp dport 8080 dnat ip6 to [fd09:2::2]:82
	}
	chain post {
		type nat hook postrouting priority 100
		oif rs meta l4proto { tcp, udp } masquerade to :20000-20100
	}
}
"""


def handed(net, what, away, back):
    """Translated connections of flowtrack's go on when @away() ends tracking: nf_conntrack has them from then on."""
    start(net, HANDED + BOTH)
    was = net.r.sysctl("nat")
    net.r.sysctl("nat", "all")
    old = talks(net, 80) + talks(net, 53, proto="udp") + [
        Talk(net.c, net.s, Net.S[f], 82, to=(Net.RC[f], 8080)).start() for f in FAMILIES]
    net.where((6, 0), "before")
    peers = [t.peer for t in old]
    check(all(20000 <= port <= 20100 for _, port in peers), f"the server sees {peers}")
    away()
    all_alive(old, what)
    with net.r:
        theirs = conntrack_flows()
    equal(sorted((f["reply"]["dst"], f["reply"]["dport"]) for f in theirs if f["mark"] == 5), sorted(peers),
          f"{what}: addresses in nf_conntrack, of flows with their mark")
    # To the same port of the server: to another one it might have the same.
    with connect(net.c, Net.S[4], 80) as near:
        far, peer = old[0].listener.accept()
        with far:
            near.sendall(b"hello")
            equal(far.recv(10), b"hello", f"{what}: what a new connection says")
        check(peer[:2] != old[0].peer, f"{what}: a new connection has the port of another one")
    back()
    all_alive(old, f"{what}, and back")
    net.where((0, 7), "connections of before, and the one since", mark=5)
    net.r.sysctl("nat", was)


def told_nothing(net, ports, away):
    """What @away() does is no event of a connection to one of the @ports of a server."""
    with open("events", "w", encoding="ascii") as f:
        listener = net.r.popen("stdbuf", "-oL", "conntrack", "-E", "-e", "NEW,DESTROY", stdout=f)
    with net.r:
        busywait(20, lambda: any(int(line.split()[3], 16) for line in open("/proc/thread-self/net/netlink").readlines()[1:]
                                 if line.split()[1] == "12"), "conntrack -E listens")
    away()

    def told(port):
        return [line for line in open("events", encoding="ascii") if f"dport={port} " in line]
    # Events come in their order: after this one there is none of before.
    with net.c.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", (Net.S[4], 54))
    busywait(20, lambda: told(54), "an event")
    listener.kill()
    net.r.run("conntrack", "-D", "-p", "udp", "--dport", "54")
    equal([line for port in ports for line in told(port)], [], "events of connections that go on")


@case("tracking ends while translated connections are flowtrack's: they go on, in nf_conntrack", only="flowtrack")
def _(net):
    handed(net, "enable=0", lambda: told_nothing(net, (80, 53, 8080), lambda: net.r.sysctl("enable", 0)),
           lambda: net.r.sysctl("enable", 1))


@case("nf_conntrack has no room for all of them: those that are established go on", only="flowtrack")
def _(net):
    start(net, MASQUERADE)
    was = net.r.sysctl("nat")
    net.r.sysctl("nat", "all")
    old = talks(net, 80)
    for _ in range(100):
        with net.c.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", (Net.S[4], 54))
    busywait(10, lambda: int(net.r.sysctl("count")) >= 90, "flows without an answer")
    limit = net.r.sysctl("net.netfilter.nf_conntrack_max")
    run("sysctl", "-qw", "net.netfilter.nf_conntrack_max=2")
    try:
        net.r.sysctl("enable", 0)
        all_alive(old, "enable=0")
        equal(net.r.conntrack_count(), 2, "entries of nf_conntrack")
    finally:
        run("sysctl", "-qw", f"net.netfilter.nf_conntrack_max={limit}")
    net.r.sysctl("enable", 1)
    net.r.sysctl("nat", was)


@case("flowtrack is unloaded while translated connections are its: they go on, in nf_conntrack", only="flowtrack")
def _(net):
    handed(net, "without the module", unload, load)


@case("ctnetlink for both tables goes: what has another destination is nf_conntrack's, and conntrack -D reaches it",
      only="flowtrack")
def _(net):
    start(net, HANDED + BOTH)
    swap(OURS)
    was = net.r.sysctl("nat")
    net.r.sysctl("nat", "auto")
    snat = talks(net, 80) + talks(net, 53, proto="udp")
    dnat = [Talk(net.c, net.s, Net.S[f], 82, to=(Net.RC[f], 8080)).start() for f in FAMILIES]
    net.where((6, 0), "before", mark=5)
    # That word holds without ctnetlink, too.
    net.r.sysctl("nat", "all")
    run("rmmod", OURS)
    net.where((6, 0), "nat=all", mark=5)
    net.r.sysctl("nat", "auto")
    swap(OURS)
    run("rmmod", OURS)
    net.where((4, 2), "nat=auto", mark=5)
    net.where((0, 2), "with another destination", odport=8080)
    all_alive(snat + dnat, "without ctnetlink")
    swap(ORIGINAL)
    all_alive(snat + dnat, "with the original")
    said = net.r.run("conntrack", "-D", "-p", "tcp", "--orig-dst", Net.RC[4], "--orig-port-dst", "8080")[2]
    check("1 flow entries have been deleted" in said, said)
    dnat.pop(0).close()
    swap(OURS)
    all_alive(snat + dnat, "with ctnetlink again")
    net.where((4, 1), "with ctnetlink again", mark=5)
    net.r.sysctl("nat", was)


def enter_meanwhile(net, many):
    """Programs enter connections while as many are being handed over. Return: whether they were in time."""
    net.r.sysctl("enable", 1)
    net.r.tool("flush")
    net.r.conntrack_flush()
    run("sysctl", "-qw", f"net.netfilter.nf_conntrack_max={2 * many}")
    net.r.sysctl("max", 2 * many)
    net.r.tool("restore", text="flowtrack-save 1\n" + "".join(
        f"udp src=198.18.{i >> 8}.{i & 255} dst=192.0.2.1 sport=1000 dport=9 reply-src=192.0.2.1 reply-dst={Net.RS[4]} "
        f"reply-sport=9 reply-dport={i + 10000} timeout=1000\n" for i in range(many)))
    away = net.r.popen("sysctl", "-qw", "net.netfilter.nf_flowtrack_enable=0")
    busywait(20, lambda: net.r.conntrack_count() > 100, "flows are being handed over")
    net.r.run("conntrack", "-I", "-s", "198.19.0.1", "-d", "192.0.2.1", "-p", "udp", "--sport", "7", "--dport", "8", "-t", "900")
    status, _, err = net.r.tool("add", "udp", "src", "198.19.0.2", "dst", "192.0.2.1", "sport", "7", "dport", "8",
                                "reply-src", "192.0.2.1", "reply-dst", Net.RS[4], "reply-sport", "8", "reply-dport", "8", ok=False)
    left = int(net.r.tool("count", "own")[1])
    equal(away.wait(60), 0, "exit status of sysctl")
    if left < 100:
        return False
    check(status == 2 and "handed over" in err, f"adding a translated flow: {status} {err}")
    equal((int(net.r.tool("count", "own")[1]), net.r.conntrack_count()), (0, many + 1), "flows here and in nf_conntrack")
    return True


@case("what programs enter while tracking ends is nf_conntrack's, or refused: nothing is left behind", only="flowtrack")
def _(net):
    start(net, MASQUERADE)
    swap(OURS)
    limits = net.r.sysctl("max"), net.r.sysctl("net.netfilter.nf_conntrack_max")
    try:
        # A machine that is fast, or does other things meanwhile, needs more of them.
        check(any(enter_meanwhile(net, many) for many in (20000, 30000, 40000, 50000)), "all has been too late")
    finally:
        net.r.sysctl("enable", 1)
        net.r.conntrack_flush()
        net.r.sysctl("max", limits[0])
        run("sysctl", "-qw", f"net.netfilter.nf_conntrack_max={limits[1]}")


@case("tracking ends: resets of translated connections get through, whatever their sequence numbers", only="flowtrack")
def _(net):
    start(net, MASQUERADE)
    # One number in two is in the upper half of what there is.
    old = [talk for port in range(100, 106) for talk in talks(net, port)]
    net.where(translated(12), "before")
    net.r.sysctl("enable", 0)
    try:
        all_alive(old, "enable=0")
        for i, talk in enumerate(old):
            talk.stopping.set()
            talk.thread.join()
            one, other = (talk.near, talk.far) if i % 4 < 2 else (talk.far, talk.near)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
            other.settimeout(5)
            try:
                check(False, f"connection {i} of {talk.peer}: recv() returned {other.recv(1)}")
            except ConnectionResetError:
                pass
            except TimeoutError:
                raise Failure(f"connection {i} of {talk.peer}: the reset was lost") from None
    finally:
        net.r.sysctl("enable", 1)


# What does not get further.
HOLD = """
table inet hold {
	chain held {
		type filter hook %s priority -400
		tcp flags & (syn | ack) == %s drop
	}
}
"""


@case("tracking ends while translated connections begin: their servers' answers get through", only="flowtrack")
def _(net):
    start(net, MASQUERADE)
    # A server that cannot send its answer gives up: it is lost on its way.
    net.r.nft(HOLD % ("prerouting", "(syn | ack)"))
    listeners = [listen(net.s, Net.S[4], port) for port in range(100, 110)]
    near = [net.c.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in listeners]
    try:
        for port, sock in enumerate(near, 100):
            sock.setblocking(False)
            sock.connect_ex((Net.S[4], port))
        busywait(10, lambda: sum(net.tracked(proto="tcp")) == len(near), "connections without an answer")
        # Nor does a second SYN come, from which all could be learned.
        net.c.nft(HOLD % ("output", "syn"))
        net.r.sysctl("enable", 0)
        net.where((0, len(near)), "enable=0", proto="tcp")
        net.r.nft("delete table inet hold")
        for sock, listener in zip(near, listeners):
            # Servers wait longer each time before they answer again.
            listener.settimeout(20 * SLOW)
            with listener.accept()[0] as far:
                far.sendall(b"hello")
                sock.settimeout(10)
                equal(sock.recv(10), b"hello", "what the client hears")
    except TimeoutError:
        raise Failure(f"an answer was lost; entries: {net.r.run('conntrack', '-L')[1]}") from None
    finally:
        net.r.sysctl("enable", 1)
        net.c.nft("flush ruleset")
        for sock in near + listeners:
            sock.close()


@case("flowtrack comes to a machine at work: what nf_conntrack tracks stays with it", only="flowtrack")
def _(net):
    start(net, direct=True)
    net.r.sysctl("enable", 0)
    old = talks(net, 80) + talks(net, 53, proto="udp")
    net.r.sysctl("enable", 1)
    all_alive(old, "after it came")
    new = talks(net, 81)
    all_alive(old + new, "old and new")
    net.where((2, 4), "flows")


@case("NAT appears: a flow without an answer stays untranslated, too")
def _(net):
    start(net)
    sock = connect(net.c, Net.S[4], 54, "udp")
    with listen(net.s, Net.S[4], 54, "udp") as server:
        sock.send(b"before")
        equal(server.recvfrom(100)[1][0], Net.C[4], "the sender, before")
        net.r.nft(MASQUERADE)
        sock.send(b"after")
        equal(server.recvfrom(100)[1][0], Net.C[4], "the sender, after")
    sock.close()


main(Net, teardown)
