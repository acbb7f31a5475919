#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Programs that others wrote for nf_conntrack's own protocol, unmodified, and what they do to the connections of both tables:
flowtrack's own, those that it took over, and those that stay in nf_conntrack."""
# TIMEOUT: 400

import glob
import itertools

from lib_ctnetlink import *
from lib_net import *

PROGRAMS = os.environ.get("FT_FOREIGN", "")
# By what port they are known: our own, those that nf_conntrack has seen first, and those that stay there, with a helper.
KINDS = {"own": 5001, "adopted": 5002, "guarded": 5003}
RULES = """
table inet t {
	set banned4 { type ipv4_addr; }
	set banned6 { type ipv6_addr; }
	chain forw {
		type filter hook forward priority 0
		ct state established,related accept
		ip saddr @banned4 drop
		ip6 saddr @banned6 drop
	}
}
"""
HELPERS = """
table inet h {
	ct helper ftp { type "ftp" protocol tcp; }
	ct helper tftp { type "tftp" protocol udp; }
	chain forw {
		type filter hook forward priority -1
		tcp dport 5003 ct helper set "ftp"
		udp dport 5003 ct helper set "tftp"
	}
}
"""
EACH = len(KINDS) * len(FAMILIES) * 2


def setup():
    net = Net(RULES)
    # The names that -o labels shows, and that -l takes.
    os.makedirs("/etc/xtables", exist_ok=True)
    with open("/etc/xtables/connlabel.conf", "w") as f:
        f.write("5 kept\n")
    for name in ("acct", "timestamp"):
        net.r.sysctl(f"net.netfilter.nf_conntrack_{name}", 1)
    # A program may take longer than that to begin, on a busy machine.
    for name in ("udp_timeout", "udp_timeout_stream"):
        net.r.sysctl(name, 600)
        net.r.sysctl(f"net.netfilter.nf_conntrack_{name}", 600)
    swap(OURS)
    return net


def env():
    """For programs whose libraries are not installed."""
    return dict(os.environ, LD_LIBRARY_PATH=":".join(glob.glob(f"{SERVERS}/usr/lib/*-linux-gnu")),
                PYTHONPATH=f"{SERVERS}/usr/lib/python3/dist-packages")


class Talks:
    """One connection of each kind, family and protocol, from c to s."""

    def __init__(self, net):
        self.net, self.all = net, {}
        net.reset(RULES)
        try:
            self.open("own")
            net.r.nft(HELPERS)
            self.open("adopted")
            self.open("guarded")
            for talk in self.all.values():
                talk.alive(2)
            with net.r:
                equal(sorted(f["orig"]["dport"] for f in flowtrack_flows()), [5001] * 4 + [5002] * 4, "flows of ours")
            equal(net.r.conntrack_count(), 4, "entries of nf_conntrack")
        except Failure:
            self.__exit__()
            raise

    def open(self, kind):
        for family in FAMILIES:
            for proto in ("tcp", "udp"):
                self.all[kind, family, proto] = Talk(self.net.c, self.net.s, Net.S[family], KINDS[kind], proto=proto)

    def sources(self):
        return {key: talk.near.getsockname()[1] for key, talk in self.all.items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for talk in self.all.values():
            # Those that were cut off would go on asking, and what they send opens flows in the next case.
            for sock in (talk.near, talk.far):
                if sock and talk.proto == "tcp":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            talk.close()


def silent(talk):
    """What the client says does not arrive any more."""
    for sock in (talk.near, talk.far, talk.listener):
        if sock:
            sock.settimeout(0.3)
    try:
        talk.round(10)
    except Failure:
        return True
    return False


def conntrack(net, *args):
    return net.r.run("conntrack", *args)


@case("conntrack -L -o xml, extended, id, timestamp, labels: every connection, with all that is to be said of it")
def _(net):
    with Talks(net) as talks:
        for tracker in ("first", "again"):
            flows = [flow for family in ("ipv4", "ipv6") for flow in
                     re.findall(r"<flow>.*?</flow>", conntrack(net, "-L", "-f", family, "-o", "xml,extended,id,timestamp")[1])]
            found = {}
            for flow in flows:
                one = re.search(r"<sport>(\d+)</sport><dport>(\d+)</dport>", flow)
                found[int(one[1]), int(one[2])] = flow
                for tag in ("id", "packets", "bytes", "deltatime", "state" if 'protoname="tcp"' in flow else "timeout"):
                    check(f"<{tag}>" in flow, f"no {tag} in {flow}")
            ids = {key: re.search(r"<id>(\d+)</id>", flow)[1] for key, flow in found.items()}
            equal(len(set(ids.values())), EACH, f"different ids of {flows}")
            if tracker == "first":
                before = ids
        equal(ids, before, "ids")
        for (kind, _, proto), sport in talks.sources().items():
            check((sport, KINDS[kind]) in found, f"no {kind} {proto} connection from {sport} in {found.keys()}")
        text = conntrack(net, "-L", "-f", "ipv6", "-o", "timestamp,ktimestamp,extended")[1]
        equal(text.count("delta-time="), EACH // 2, f"times in {text}")
    net.reset(RULES.replace("ct state est", "udp dport 5001 ct label set 5\n ct state est"))
    with Talk(net.c, net.s, Net.S[4], 5001, proto="udp"), Talk(net.c, net.s, Net.S[4], 5002, proto="udp"):
        text = conntrack(net, "-L", "-o", "labels")[1]
        equal(len(re.findall(r"dport=5001 .*labels=kept", text)), 1, f"labels in {text}")
        text = conntrack(net, "-L", "-l", "kept")[1]
        equal(len(text.splitlines()), 1, f"connections with the label: {text}")


def known_by(flow):
    """What a connection is known by, from the tool's list or from conntrack -L."""
    return (flow["family"] if isinstance(flow["family"], int) else int(flow["family"][-1]), flow["proto"],
            *(flow["orig"][k] for k in ("src", "dst", "sport", "dport")))


@case("flowtrack list and conntrack -L: the same connections, each of them once, as many as they count")
def _(net):
    with Talks(net) as talks, net.r:
        sources = talks.sources()
        theirs = [known_by(f) for f in conntrack_flows()]
        ours = [known_by(f) for f in parse_json(run(TOOL, "-j", "list")[1])]
        counts = int(run("conntrack", "-C")[1]), int(run(TOOL, "count")[1].split()[0])
    equal(len(set(theirs)), EACH, f"connections in conntrack -L: {theirs}")
    equal(sorted(ours), sorted(theirs), "connections")
    equal({(k[4], k[5]) for k in ours}, {(port, KINDS[key[0]]) for key, port in sources.items()}, "ports")
    equal(counts, (EACH, EACH), "conntrack -C and flowtrack count")


@case("conntrack -G, -U and -E: one connection of each kind is shown, changed, and told of from its beginning to its end")
def _(net):
    net.reset(RULES)
    p = net.r.popen("conntrack", "-E", "-o", "id,timestamp")
    busywait(20, lambda: any(int(line.split()[3], 16) for line in net.r.read("/proc/net/netlink").splitlines()[1:]
                             if line.split()[1] == "12"), "conntrack -E listens")
    with Talks(net) as talks:
        sources = talks.sources()
        for (kind, family, proto), sport in sources.items():
            one = ("-p", proto, "-s", Net.C[family], "-d", Net.S[family], "--sport", str(sport),
                   "--dport", str(KINDS[kind]))
            conntrack(net, "-U", *one, "-m", str(sport))
            out = conntrack(net, "-G", *one)[1]
            check(out.count("\n") == 1 and f"mark={sport} " in out, f"{kind} {proto} IPv{family}: {out}")
        conntrack(net, "-F")
        os.set_blocking(p.stdout.fileno(), False)
        text = ""

        def ends():
            nonlocal text
            try:
                text += os.read(p.stdout.fileno(), 1 << 20).decode()
            except BlockingIOError:
                pass
            return text.count("[DESTROY]") >= EACH
        busywait(20, ends, "the ends are told")
    p.terminate()
    p.wait()
    for (kind, family, proto), sport in sources.items():
        lines = [line for line in text.splitlines() if re.search(rf" src={re.escape(Net.C[family])} .*?sport={sport} ", line)]
        kinds = [re.search(r"\[([A-Z]+)\]", line)[1] for line in lines]
        what = f"{kind} {proto} IPv{family}: {lines}"
        check(kinds[0] == "NEW" and "UPDATE" in kinds and "DESTROY" in kinds, what)
        check(any("[UPDATE]" in line and f"mark={sport} " in line for line in lines), what)
        # Until it ends: what comes later opens another one.
        equal(len({re.search(r"id=(\d+)", line)[1] for line in lines[:kinds.index("DESTROY") + 1]}), 1, f"ids of {what}")


@case("conntrack -D -s, as fail2ban has it: a banned host is cut off at once, and no other one")
def _(net):
    with open(f"{SERVERS}/etc/fail2ban/action.d/ufw.conf") as f:
        kill = re.search(r"_kill_conntrack = (.*)", f.read())[1]
    with Talks(net) as talks:
        with Talk(net.s, net.c, Net.C[4], 5001) as other:
            for family in FAMILIES:
                net.r.nft(f"add element inet t banned{family} {{ {Net.C[family]} }}")
                for (kind, of, proto), talk in talks.all.items():
                    if of == family:
                        talk.alive(1)
                err = net.r.run("sh", "-c", kill.replace("<ip>", Net.C[family]))[2]
                check(f"{EACH // 2} flow entries have been deleted" in err, f"{kill}: {err}")
                for (kind, of, proto), talk in talks.all.items():
                    if of == family:
                        check(silent(talk), f"{kind} {proto} IPv{of} goes on")
            other.alive()


@case("conntrack -F and -D by mark, as mwan3 and others have it")
def _(net):
    with Talks(net) as talks:
        for family in ("ipv4", "ipv6"):
            for port in KINDS.values():
                conntrack(net, "-U", "-f", family, "-p", "tcp", "--dport", str(port), "-m", "0x100/0x3f00")
        marked = EACH // 2
        equal(len(conntrack(net, "-L", "-m", "0x100/0x3f00")[1].splitlines()), marked, "marked connections")
        check(f"{marked} flow entries" in conntrack(net, "-D", "-m", "0x100/0x3f00")[2], "conntrack -D -m")
        equal(conntrack(net, "-C")[1].strip(), str(EACH - marked), "connections left")
        conntrack(net, "-F")
        equal(conntrack(net, "-C")[1].strip(), "0", "connections after -F")
        for talk in talks.all.values():
            talk.alive(1)


def go_delete(net, family, ports):
    """UDP connections to one of the ports: from a dump, each message whole, as vishvananda/netlink has it. Return: how many."""
    ctnl, gone = Ctnl(net.r), 0
    for message in ctnl.dump(family=family):
        l4 = nla_parse(nla_parse(nla_parse(message[3])[TUPLE_ORIG])[2])
        if l4[1] == bytes([UDP]) and struct.unpack("!H", l4[3])[0] in ports:
            equal(ctnl.request(CT_DELETE, message[3], family=family)[0], 0, "error of deleting")
            gone += 1
    ctnl.close()
    return gone


@case("a UDP port that is published while somebody sends to it: deleted as Docker and kube-proxy do, it is reached")
def _(net):
    publish = "table {} nat {{\n chain pre {{\n type nat hook prerouting priority -100\n udp dport 8053 dnat to {}\n }}\n}}"
    # Nobody is there yet; the router says nothing of it, so that the flow stays.
    quiet = """table inet quiet {
	chain in {
		type filter hook input priority 0
		udp dport 8053 accept
	}
	chain out {
		type filter hook output priority 0
		icmp type destination-unreachable drop
		icmpv6 type destination-unreachable drop
	}
}"""
    net.r.sysctl("enable", 1)
    for family, how in itertools.product(FAMILIES, ("dump and delete", "conntrack -D")):
        net.reset(RULES)
        with listen(net.s, Net.S[family], 53, "udp") as server, connect(net.c, Net.RC[family], 8053, "udp") as client:
            server.settimeout(0.3)

            def heard(client=client, server=server):
                try:
                    client.send(b"q")
                except ConnectionRefusedError:
                    client.send(b"q")
                try:
                    return server.recv(10) == b"q"
                except TimeoutError:
                    return False
            net.r.nft(quiet)
            check(not heard(), f"IPv{family}: it is answered before it is published")
            net.r.nft(publish.format(*(("ip", f"{Net.S[4]}:53") if family == 4 else ("ip6", f"[{Net.S[6]}]:53"))))
            if how == "dump and delete":
                equal(go_delete(net, family, (8053,)), 1, "UDP flows to the port")
            else:
                check("1 flow entries" in conntrack(net, "-D", "-f", f"ipv{family}", "-p", "udp", "--dport", "8053")[2], how)
            check(heard(), f"IPv{family}, {how}: the container is not reached")
            conntrack(net, "-F")
        net.r.nft("flush ruleset\n" + RULES)
    remove_modules(*NAT_MODULES)


@case("dump and delete, as Docker has it: UDP flows to the ports of a container are cut off, of whichever table, and no other ones")
def _(net):
    with Talks(net) as talks:
        # As fail2ban's bans: what is deleted does not come back.
        for family in FAMILIES:
            net.r.nft(f"add element inet t banned{family} {{ {Net.C[family]} }}")
            equal(go_delete(net, family, KINDS.values()), len(KINDS), "UDP flows to the ports")
            for (kind, of, proto), talk in talks.all.items():
                if of == family and proto == "udp":
                    check(silent(talk), f"{kind} IPv{of} goes on")
        for (_, _, proto), talk in talks.all.items():
            if proto == "tcp":
                talk.alive(2)
        equal(conntrack(net, "-C")[1].strip(), str(EACH // 2), "connections left")


PYROUTE = """
import socket, sys
from pyroute2.conntrack import Conntrack, NFCTAttrTuple
src, dst, sport, of = sys.argv[1], sys.argv[2], int(sys.argv[3]), getattr(socket, sys.argv[4])
far = ("192.0.2.1", "192.0.2.2") if of == socket.AF_INET else ("2001:db8::1", "2001:db8::2")
def one(**kw):
    return NFCTAttrTuple(family=of, **kw)
with Conntrack(nfgen_family=of) as ct:
    entries = list(ct.dump_entries())
    print("dump", len(entries), len({e.id for e in entries}))
    print("states", sorted({e.protoinfo.state_name() for e in entries if e.protoinfo}))
    udp = one(saddr=src, daddr=dst, proto=17)
    print("udp", sorted(e.tuple_orig.dport for e in ct.dump_entries(tuple_orig=udp)))
    print("count", ct.count(), len(ct.stat()) > 0)
    first = one(saddr=src, daddr=dst, proto=6, sport=sport, dport=5001)
    ct.entry("set", mark=77, tuple_orig=first)
    print("marked", [(e.tuple_orig.sport == sport, e.mark) for e in ct.dump_entries(mark=77)])
    ct.entry("del", tuple_orig=first)
    print("left", len(list(ct.dump_entries())))
    ct.entry("add", timeout=300, tuple_orig=one(saddr=far[0], daddr=far[1], proto=17, sport=1, dport=2),
             tuple_reply=one(saddr=far[1], daddr=far[0], proto=17, sport=2, dport=1))
    print("added", len([e for e in ct.dump_entries() if e.tuple_orig.saddr == far[0]]))
"""


@case("python3-pyroute2: dump, filter, count, mark, delete, add")
def _(net):
    with Talks(net) as talks:
        for family in FAMILIES:
            sport = talks.sources()["own", family, "tcp"]
            _, out, err = net.r.run("timeout", "100", "env", f"PYTHONPATH={env()['PYTHONPATH']}", "/usr/bin/python3", "-u", "-c",
                                    PYROUTE, Net.C[family], Net.S[family], str(sport), f"AF_INET{'6' * (family == 6)}",
                                    timeout=120, ok=False)
            check(not err, f"IPv{family}: {out} {err}")
            # One is deleted, another one entered.
            equal(out.splitlines(), ["dump 6 6", "states ['ESTABLISHED']", "udp [5001, 5002, 5003]", f"count {EACH} True",
                                     "marked [(True, 77)]", "left 5", "added 1"], f"what pyroute2 says of IPv{family}")


ULOGD = """
[global]
logfile="{dir}/ulogd.log"
plugin="{plugins}/ulogd_inpflow_NFCT.so"
plugin="{plugins}/ulogd_filter_IP2STR.so"
plugin="{plugins}/ulogd_filter_PRINTFLOW.so"
plugin="{plugins}/ulogd_output_LOGEMU.so"
stack=ct1:NFCT,ip2str1:IP2STR,print1:PRINTFLOW,emu1:LOGEMU
[ct1]
hash_enable={hash}
event_mask=5
[emu1]
file="{dir}/flows.log"
sync=1
"""


@case("ulogd2's NFCT: each connection that began and ended, with its counters")
def _(net):
    for hashed in (0, 1):
        directory = os.path.realpath(f"ulogd{hashed}")
        os.makedirs(directory)
        with open(f"{directory}/conf", "w") as f:
            f.write(ULOGD.format(dir=directory, hash=hashed, plugins=glob.glob(f"{SERVERS}/usr/lib/*-linux-gnu/ulogd")[0]))
        net.reset(RULES)
        p = net.r.popen(program("ulogd"), "-c", f"{directory}/conf", env=env())
        busywait(20, lambda: any(int(line.split()[3], 16) & 4 for line in net.r.read("/proc/net/netlink").splitlines()[1:]
                                 if line.split()[1] == "12"), "ulogd listens")

        def log(directory=directory):
            try:
                with open(f"{directory}/flows.log") as f:
                    return f.read()
            except FileNotFoundError:
                return ""
        with Talks(net) as talks:
            sources = talks.sources()
            conntrack(net, "-F")
            busywait(10, lambda: log().count("[DESTROY]") >= EACH, "ends in ulogd's log")
        p.terminate()
        p.wait()
        for (kind, family, proto), sport in sources.items():
            lines = [line for line in log().splitlines() if f"SPT={sport} DPT={KINDS[kind]} " in line and "[DESTROY]" in line]
            # A delayed acknowledgment after the flush opens an entry of TCP again, which may end, too.
            check(len(lines) == 1 or lines and proto == "tcp", f"{kind} {proto} IPv{family}: ends in {log()}")
            counts = [int(n) for n in re.findall(r"PKTS=(\d+)", lines[0])]
            check(len(counts) == 2 and min(counts) >= 2, lines[0])


IPFIX = """
[global]
logfile="{dir}/ulogd.log"
plugin="{plugins}/ulogd_inpflow_NFCT.so"
plugin="{plugins}/ulogd_output_IPFIX.so"
stack=ct1:NFCT,ipfix1:IPFIX
[ct1]
hash_enable=0
event_mask=4
[ipfix1]
oid=1
host="{collector}"
port=4739
proto="udp"
send_template="always"
mtu=128
"""
# Elements of IPFIX that are looked at.
ELEMENTS = {4: "proto", 7: "sport", 8: "src", 11: "dport", 12: "dst", 85: "bytes", 86: "packets"}


def ipfix_records(message, templates):
    """The flows in a message, each {element: value}. templates: those that came before, {id: [(element, bytes)]}."""
    version, length = struct.unpack_from("!HH", message)
    equal((version, length), (10, len(message)), "version and length of an IPFIX message")
    found, at = [], 16
    while at < length:
        kind, size = struct.unpack_from("!HH", message, at)
        data = message[at + 4:at + size]
        at += size
        if kind == 2:
            number, n = struct.unpack_from("!HH", data)
            templates[number] = list(struct.iter_unpack("!HH", data[4:4 + 4 * n]))
        while kind in templates and len(data) >= sum(width for _, width in templates[kind]):
            record = {}
            for element, width in templates[kind]:
                record[ELEMENTS.get(element, element)], data = int.from_bytes(data[:width], "big"), data[width:]
            found.append(record)
    return found


@case("ulogd2's IPFIX: a collector is sent a record of each IPv4 connection that ended")
def _(net):
    directory = os.path.realpath("ipfix")
    os.makedirs(directory)
    with open(f"{directory}/conf", "w") as f:
        f.write(IPFIX.format(dir=directory, plugins=glob.glob(f"{SERVERS}/usr/lib/*-linux-gnu/ulogd")[0], collector=Net.S[4]))
    net.reset(RULES)
    templates, records = {}, []
    with net.s.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind((Net.S[4], 4739))
        collector.setblocking(False)
        p = net.r.popen(program("ulogd"), "-c", f"{directory}/conf", env=env())
        busywait(20, lambda: any(int(line.split()[3], 16) & 4 for line in net.r.read("/proc/net/netlink").splitlines()[1:]
                                 if line.split()[1] == "12"), "ulogd listens")

        def of(sport, dport):
            return [r for r in records if (r["sport"], r["dport"], r["src"]) == (sport, dport, int.from_bytes(pton(Net.C[4]), "big"))]

        def complete():
            # ulogd holds a record back until the next one does not fit in the message: another connection ends.
            other = ("-p", "udp", "-s", "192.0.2.1", "-d", "192.0.2.2", "--sport", "1", "--dport", "2")
            conntrack(net, "-I", *other, "-t", "100")
            conntrack(net, "-D", *other)
            try:
                while True:
                    records.extend(ipfix_records(collector.recv(65536), templates))
            except BlockingIOError:
                return all(of(*ports) for ports in ended.values())
        with Talks(net) as talks:
            ended = {(kind, proto): (sport, KINDS[kind]) for (kind, family, proto), sport in talks.sources().items() if family == 4}
            conntrack(net, "-F")
            busywait(30, complete, "a record of each")
        p.terminate()
        p.wait()
    for (kind, proto), ports in ended.items():
        record = of(*ports)[0]
        equal((record["dst"], record["proto"]), (int.from_bytes(pton(Net.S[4]), "big"), TCP if proto == "tcp" else UDP),
              f"{kind} {proto}: address and protocol")
        # Of both directions: at least a question and an answer.
        check(record["packets"] >= 2 and record["bytes"] > 28 * record["packets"], f"{kind} {proto}: {record}")


def blurred_text(text):
    """Without what a second changes."""
    return re.sub(r"\b(100|9\d)\b|delta-time=\d+|\[start=[^]]*\]|\[stop=[^]]*\]", "T", text)


def c_clients(net, module):
    """libnetfilter_conntrack's own examples, one after the other: what each says."""
    swap(module)
    log = []
    net.reset(RULES)
    p = net.r.popen("stdbuf", "-oL", f"{PROGRAMS}/nfct-mnl-event")
    busywait(10, lambda: any(int(line.split()[3], 16) for line in net.r.read("/proc/net/netlink").splitlines()[1:]
                             if line.split()[1] == "12"), "nfct-mnl-event listens")
    for name in ("get", "create", "create", "get", "dump", "del", "del", "create", "flush", "dump"):
        status, out, err = net.r.run(f"{PROGRAMS}/nfct-mnl-{name}", ok=False)
        log.append((name, status, blurred_text(out), err))
    os.set_blocking(p.stdout.fileno(), False)
    text = ""

    def complete():
        nonlocal text
        try:
            text += os.read(p.stdout.fileno(), 65536).decode()
        except BlockingIOError:
            pass
        return text.count("[DESTROY]") == 2
    busywait(10, complete, "the ends are told")
    p.terminate()
    return log, blurred_text(text)


@case("clients in C that use libnetfilter_conntrack: they say the same of a flow as of an entry")
def _(net):
    net.r.sysctl("enable", 0)
    try:
        theirs = c_clients(net, ORIGINAL)
    finally:
        net.r.sysctl("enable", 1)
    ours = c_clients(net, OURS)
    for a, b in zip(ours[0], theirs[0]):
        equal(a, b, "what a client says")
    equal(ours[1], theirs[1], "events")
    check("src=1.1.1.1" in theirs[1], theirs[1])


@case("the kernel's own selftest conntrack_dump_flush")
def _(net):
    status, out, err = net.r.run(f"{PROGRAMS}/conntrack_dump_flush", ok=False)
    check(status == 0 and "SKIP" not in out and re.search(r"pass:3 fail:0", out), f"status {status}: {out} {err}")


main(setup, teardown)
