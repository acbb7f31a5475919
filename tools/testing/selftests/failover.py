#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two gateways with conntrackd and keepalived, as failover.rst has them: one is cut off while 200 connections are in use, and
comes back. The files are those of that document."""
# TIMEOUT: 900
# CPUS: 2

import glob
import selectors
import shutil

from lib_ctnetlink import *
from lib_net import *
from lib_pktgen import *

DOCUMENT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../../Documentation/failover.rst")
LAN, WAN = {4: "192.168.1.{}", 6: "2001:db8:1::{}"}, {4: "203.0.113.{}", 6: "2001:db8:2::{}"}
# How many of each protocol: who calls, which family.
WANTED = {("lan", 4): 30, ("lan", 6): 30, ("wan", 4): 20, ("wan", 6): 20}
TOTAL = 2 * sum(WANTED.values())
# What the ruleset translates is flowtrack's own, as the others are. conntrackd enters it on the other gateway with a
# request that only nf_conntrack can do: there it is nf_conntrack's, guarded.
TRANSLATED = 2 * WANTED["lan", 4]


def files(b):
    """{name: text} of the literal blocks that begin with a file's name; for A, or for B."""
    found = {}
    with open(DOCUMENT) as f:
        for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", f.read()):
            name = re.match(r"    # (/etc/\S+)", block)
            if name:
                found[name[1]] = re.sub(r"(\S+)( +)# B: (.*)", r"\3" if b else r"\1", block)
    return found


class Gateway:
    """A or B: a namespace with the files of the document, below a directory of its own."""

    def __init__(self, name, switch):
        self.name, self.b = name, name == "b"
        self.ns = Ns(name)
        self.dir = os.path.realpath(name)
        os.makedirs(f"{self.dir}/log")
        for knob, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1),
                            ("net.ipv6.conf.default.accept_dad", 0), ("net.ipv4.conf.all.rp_filter", 0),
                            ("net.ipv4.conf.default.rp_filter", 0)):
            self.ns.sysctl(knob, value)
        for net, host in (("lan", LAN), ("wan", WAN)):
            switch.ip(f"link add {net}-{name} type veth peer name {net} netns {self.ns.name}",
                      f"link set {net}-{name} master {net} up")
            self.ns.ip(*(f"addr add {host[f].format(3 if self.b else 2)}/{64 if f == 6 else 24} dev {net}" for f in FAMILIES),
                       f"link set {net} up")
        self.text = files(self.b)
        for line in self.text["/etc/sysctl.d/90-failover.conf"].splitlines():
            if "=" in line and "#" not in line:
                self.ns.sysctl(*line.replace(" ", "").split("="))
        self.ns.nft(self.text["/etc/nftables.conf"])

    def place(self, text):
        """What lies in /etc and /var is of this gateway only."""
        return re.sub(r"/(etc/conntrackd|var/lock|var/run)/", self.dir + "/", text).replace(
            "LogFile on", f"LogFile {self.dir}/conntrackd.log").replace("/usr/sbin/", f"{SERVERS}/usr/sbin/")

    def write(self, name, text, mode=0o644):
        path = f"{self.dir}/{name}"
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def start(self):
        environ = dict(os.environ, LD_LIBRARY_PATH=":".join(glob.glob(f"{SERVERS}/usr/lib/*-linux-gnu")))
        self.conf = self.write("conntrackd.conf", self.place(self.text["/etc/conntrackd/conntrackd.conf"]))
        with open(f"{SERVERS}/usr/share/doc/conntrackd/examples/sync/primary-backup.sh") as f:
            self.write("primary-backup.sh", self.place(f.read()), 0o755)
        keepalived = self.write("keepalived.conf", self.place(self.text["/etc/keepalived/keepalived.conf"]))
        # Without this file keepalived 2.3 does not start, and its place cannot be chosen.
        for needed in glob.glob(f"{SERVERS}/etc/keepalived/keepalived.config-opts"):
            os.makedirs("/etc/keepalived", exist_ok=True)
            shutil.copy(needed, "/etc/keepalived")
        self.environ = environ
        self.ns.popen(program("conntrackd"), "-C", self.conf, env=environ, stdout=subprocess.DEVNULL)
        busywait(30, lambda: self.conntrackd("-s", ok=False)[0] == 0, f"conntrackd of {self.name}")
        self.log = open(f"{self.dir}/keepalived.log", "w")
        self.ns.popen(program("keepalived"), "-P", "-n", "-l", "-D", "-f", keepalived, "-p", f"{self.dir}/keepalived.pid",
                      "-r", f"{self.dir}/vrrp.pid", "-b", f"{self.dir}/bfd.pid", env=environ, stdout=self.log)

    def conntrackd(self, *args, ok=True):
        with self.ns:
            p = subprocess.run([program("conntrackd"), "-C", self.conf, *args], env=self.environ, text=True,
                               capture_output=True, check=False, timeout=60)
        check(not ok or p.returncode == 0, f"conntrackd {args}: {p.stderr}{p.stdout}")
        return p.returncode, p.stdout, p.stderr

    def knows(self, cache="external"):
        """Connections in one of conntrackd's caches."""
        out = self.conntrackd("-s")[1]
        return int(re.search(rf"cache {cache}:\s+current active connections:\s+(\d+)", out)[1])

    def master(self):
        return " 203.0.113.1/" in self.ns.run("ip", "-4", "addr", "show", "dev", "wan")[1]

    def kept(self):
        """(own, guarded): in which table how many of the connections are, all of them answered."""
        with self.ns:
            own = len(parse_json(run(TOOL, "-j", "list", "own", "dport", "5000")[1]))
            guarded = len(parse_json(run(TOOL, "-j", "list", "guarded", "dport", "5000")[1]))
            answered = [f for f in conntrack_flows() if f["orig"].get("dport") == 5000 and f["seen_reply"]]
        return own, guarded if len(answered) == own + guarded else 0

    def passed(self):
        """Packets that have left for the LAN."""
        return json.loads(self.ns.run("ip", "-s", "-j", "link", "show", "lan")[1])[0]["stats64"]["tx"]["packets"]

    def failures(self):
        """Entries that could not be made when it took over."""
        with open(f"{self.dir}/conntrackd.log") as f:
            return [line for line in f if "ERROR" in line and "no dedicated links" not in line]


class Site:
    """The two networks, a host in each, and what they say to each other."""

    def __init__(self):
        load_if_wanted()
        swap(OURS)
        self.switch = Ns("switch")
        for net in ("lan", "wan"):
            self.switch.ip(f"link add {net} type bridge", f"link set {net} up")
        self.hosts = {}
        for net, host in (("lan", LAN), ("wan", WAN)):
            ns = self.hosts[net] = Ns(net)
            for knob in ("net.ipv6.conf.default.accept_dad", "net.ipv4.conf.default.rp_filter"):
                ns.sysctl(knob, 0)
            self.switch.ip(f"link add host-{net} type veth peer name eth0 netns {ns.name}",
                           f"link set host-{net} master {net} up")
            ns.ip(*(f"addr add {host[f].format(10)}/{64 if f == 6 else 24} dev eth0" for f in FAMILIES), "link set eth0 up",
                  *(f"route add default via {host[f].format(1)}" for f in FAMILIES))
        self.a, self.b = Gateway("a", self.switch), Gateway("b", self.switch)
        self.a.ns.ip(f"link add sync type veth peer name sync netns {self.b.ns.name}", "addr add 192.0.2.1/30 dev sync",
                     "link set sync up")
        self.b.ns.ip("addr add 192.0.2.2/30 dev sync", "link set sync up")
        for gateway in (self.a, self.b):
            gateway.start()
        self.traffic = None

    def cut(self, state):
        """A is off the net, with all of its cables; or on it again."""
        self.switch.ip(f"link set lan-a {state}", f"link set wan-a {state}")
        self.b.ns.ip(f"link set sync {state}")

    def wait_for(self, gateway, other):
        try:
            busywait(90, lambda: gateway.master() and not other.master(), f"{gateway.name} takes over")
        except Failure as e:
            with open(f"{gateway.dir}/keepalived.log") as f:
                raise Failure(f"{e}; keepalived: {f.read()[-500:]}") from None


class Traffic(threading.Thread):
    """Connections in use: the near end says a number, the far end repeats it, and so on, twice a second."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.streams, self.stopping = site, [], threading.Event()
        self.selector = selectors.DefaultSelector()
        for (near, family), n in WANTED.items():
            far = "wan" if near == "lan" else "lan"
            addr = (WAN if far == "wan" else LAN)[family].format(10)
            for proto in ("tcp", "udp"):
                with listen(site.hosts[far], addr, 5000, proto) as server:
                    for _ in range(n):
                        self.open(near, family, proto, server, addr)
        self.start()

    def open(self, near, family, proto, server, addr):
        client = connect(self.site.hosts[near], addr, 5000, proto)
        if proto == "tcp":
            far = server.accept()[0]
        else:
            client.send(b"0\n")
            peer = server.recvfrom(10)[1]
            far = self.site.hosts["wan" if near == "lan" else "lan"].socket(kind(family), socket.SOCK_DGRAM)
            far.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Of those at one address, the socket that is connected to the peer hears it.
            far.bind((addr, 5000))
            far.connect(peer)
        stream = {"name": f"{proto} IPv{family} from {near}", "near": client, "far": far, "heard": 0, "error": None}
        for end in ("near", "far"):
            stream[end].setblocking(False)
            self.selector.register(stream[end], selectors.EVENT_READ, (stream, end))
        self.streams.append(stream)

    def run(self):
        turn = 0
        while not self.stopping.is_set():
            # A tenth of them, every 50 ms.
            for stream in self.streams[turn % 10::10]:
                self.say(stream, "near", b"x" * 100)
            turn += 1
            end = time.monotonic() + 0.05
            while (left := end - time.monotonic()) > 0:
                for key, _ in self.selector.select(left):
                    self.hear(*key.data)

    def say(self, stream, end, data):
        try:
            stream[end].send(data)
        except BlockingIOError:
            pass
        except OSError as e:
            stream["error"] = stream["error"] or f"{end}: {e}"

    def hear(self, stream, end):
        try:
            data = stream[end].recv(65536)
        except BlockingIOError:
            return
        except OSError as e:
            data, stream["error"] = b"", f"{end}: {e}"
        if not data:
            stream["error"] = stream["error"] or f"{end}: closed"
            self.selector.unregister(stream[end])
        elif end == "far":
            self.say(stream, "far", data)
        else:
            stream["heard"] += 1

    def lost(self, seconds):
        """Names of the connections on which nothing comes back from now on: what comes back has gone there, too."""
        before = [s["heard"] for s in self.streams]

        def dead():
            return [s for s, n in zip(self.streams, before) if s["heard"] < n + 3]
        end = time.monotonic() + seconds * SLOW
        while dead() and time.monotonic() < end:
            time.sleep(0.1)
        return [f"{s['name']}: {s['error']}" for s in dead()]

    def stop(self):
        self.stopping.set()
        self.join()


def none_lost(site, gateway, guarded=TRANSLATED, seconds=60):
    """All go on, from both sides, and so many are guarded; the others are flowtrack's own."""
    lost = site.traffic.lost(seconds)
    equal(len(lost), 0, f"connections lost: {sorted(set(lost))}")
    kept = [0, 0]

    def complete():
        kept[:] = gateway.kept()
        return kept == [TOTAL - guarded, guarded]
    try:
        busywait(10, complete, "each is in its table")
    except Failure as e:
        raise Failure(f"{e}: {kept}") from None


@case("A is in charge, and 200 connections go through it", only="flowtrack")
def _(site):
    site.wait_for(site.a, site.b)
    site.traffic = Traffic(site)
    equal(len(site.traffic.streams), TOTAL, "connections")
    none_lost(site, site.a, guarded=0)
    # From now on a gateway lets in only what it knows.
    for gateway in (site.a, site.b):
        gateway.ns.nft("flush chain inet fw forward\nadd rule inet fw forward ct state established,related accept")
    busywait(60, lambda: site.b.knows() >= TOTAL, "B knows all connections")


@case("A is cut off: B goes on, and none is lost", only="flowtrack")
def _(site):
    site.cut("down")
    busywait(90, site.b.master, "B takes over")
    none_lost(site, site.b)
    equal(site.b.failures(), [], "what conntrackd of B could not do")


@case("A comes back, learns what has happened, and takes over again: none is lost", only="flowtrack")
def _(site):
    site.cut("up")
    site.wait_for(site.a, site.b)
    none_lost(site, site.a)
    equal(site.a.failures(), [], "what conntrackd of A could not do")


@case("a gateway that knows nothing loses them: what is seen above is conntrackd's work", only="flowtrack")
def _(site):
    for gateway in (site.a, site.b):
        gateway.ns.run("conntrack", "-F")
    lost = site.traffic.lost(2)
    equal(len(lost), TOTAL, "connections lost")


# Flows a second, if the machine carries them, and of each run; less than conntrackd's HashLimit.
CHURN, CHURN_FLOWS = int(os.environ.get("FT_CHURN", "20000")), int(os.environ.get("FT_CHURN_FLOWS", "40000"))


def counters(gateway):
    """What conntrackd says: connections that it heard of, messages that were lost to it, how often it read the whole table."""
    caches, runtime = gateway.conntrackd("-s")[1], gateway.conntrackd("-s", "runtime")[1]
    return (int(re.search(r"cache internal:.*?connections created:\s+(\d+)", caches, re.S)[1]),
            *(int(re.search(rf"{name}:\s+(\d+)", runtime)[1]) for name in ("netlink overrun", "resync with kernel table")))


def churn(site, pktgen, who, rate):
    """conntrackd of A while flows come and go: which part of them it has heard of; None: too few of them have passed A."""
    a, b = site.a, site.b
    for gateway in (a, b):
        gateway.ns.sysctl("enable", int(who == OURS))
        gateway.ns.tool("flush")
        gateway.ns.conntrack_flush()
    swap(who)
    busywait(120, lambda: a.knows("internal") == b.knows() == 0, f"{who}: empty caches")
    before = counters(a)
    sent = a.passed()
    took = pktgen.send(CHURN_FLOWS, rate)
    passed = a.passed() - sent
    if passed <= CHURN_FLOWS * 0.95:
        print(f"# {who}: only {passed} of {CHURN_FLOWS} packets passed A at {rate} a second", flush=True)
        return None
    # Those that are over are told of, too: nothing is left, on either side.
    start = time.monotonic()

    def is_over():
        # nf_conntrack looks once a minute for what is over; who reads the table has it collected.
        if who == ORIGINAL:
            a.ns.run("sh", "-c", "conntrack -L >/dev/null 2>&1")
        return a.knows("internal") == b.knows() == 0
    busywait(240, is_over, f"{who}: conntrackd has followed")
    followed = time.monotonic() - start
    heard, lost, read = (after - first for first, after in zip(before, counters(a)))
    print(f"# {who}: {CHURN_FLOWS / took:.0f} flows/s for {took:.1f} s; conntrackd heard of {heard / CHURN_FLOWS:.1%}, "
          f"has counted {lost} overruns, has read the table {read} times, and has followed {followed:.1f} s later", flush=True)
    # What passed is that, and now and then a packet of VRRP and of ARP.
    check(heard >= 0.99 * passed or lost, f"{who}: conntrackd heard of {heard} of {passed} flows, and does not say that it lost any")
    return heard / CHURN_FLOWS


@case("20 000 flows a second: conntrackd follows as it does with nf_conntrack alone, and says what it has lost", only="flowtrack")
def _(site):
    site.traffic.stop()
    for gateway in (site.a, site.b):
        gateway.ns.nft("add rule inet fw forward ct state new accept")
        for name in ("nf_flowtrack_udp_timeout", "nf_conntrack_udp_timeout"):
            gateway.ns.sysctl(f"net.netfilter.{name}", 1)
    site.hosts["lan"].nft("table ip quiet {\n chain pre {\n type filter hook prerouting priority -400\n udp dport 9 drop\n }\n}")
    mac = json.loads(site.a.ns.run("ip", "-j", "link", "show", "wan")[1])[0]["address"]
    pktgen = Pktgen(site.hosts["wan"], "eth0", mac, LAN[4].format(10))
    try:
        with room_for(site.a.ns, 4 * CHURN_FLOWS):
            # An emulated gateway with half a CPU loses packets before anybody tracks them: then fewer of them.
            for rate in (CHURN, CHURN // 4, CHURN // 16):
                theirs = churn(site, pktgen, ORIGINAL, rate)
                ours = theirs and churn(site, pktgen, OURS, rate)
                if ours is not None:
                    break
            check(ours is not None, "the gateway carries no such rate")
    finally:
        pktgen.end()
    check(ours >= 0.9 * theirs, f"heard of {ours:.1%} of the flows, with nf_conntrack alone of {theirs:.1%}")


def teardown(site):
    if site and site.traffic:
        site.traffic.stop()
    Ns.delete_all()
    run("modprobe", "-r", "pktgen", ok=False)
    if os.path.isdir("/sys/module/" + ORIGINAL):
        swap(OURS)


main(Site, teardown)
