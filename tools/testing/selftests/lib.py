# SPDX-License-Identifier: GPL-2.0-only
"""What the tests in Python share: namespaces, packets made by hand, and reading what the router thinks of them.

Every test on states runs in two modes, chosen by FT_MODE:
  flowtrack (default)  the module FT_KO is loaded and does the tracking
  conntrack            nf_conntrack does: the oracle. What a test expects must hold there, too.

A router forwards between two wires. Both ends of the wires are held by the test itself (packet sockets in namespaces
without addresses, so no kernel answers on its own), and a ruleset on the router writes what it sees of the conntrack
into the DSCP field of the packet. One packet sent and received thus tells its state: no sleeping, no polling.
"""

import ctypes
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

MODE = os.environ.get("FT_MODE", "flowtrack")
FLOWTRACK = MODE == "flowtrack"
KO = os.environ.get("FT_KO", "")
TOOL = os.environ.get("FT_TOOL", "flowtrack")
NAT = os.environ.get("FT_NAT", "") if FLOWTRACK else ""  # all, never: see nat_again.py
ADOPT = os.environ.get("FT_ADOPT", "") if FLOWTRACK else ""  # always: see adopting.py
PREFIX = "nf_flowtrack" if FLOWTRACK else "nf_conntrack"
MODULE = "nf_flowtrack"
# So many times slower than a stock kernel may this one be.
SLOW = int(os.environ.get("FT_SLOW", "1"))

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """A case failed; the text says what was expected and what was seen."""


class Skipped(Exception):
    """A case says why it can't be had here."""


def check(condition, text):
    if not condition:
        raise Failure(text)


def equal(seen, wanted, what):
    if seen != wanted:
        raise Failure(f"{what}: expected {wanted!r}, seen {seen!r}")


def busywait(seconds, condition, what):
    """Poll until condition() is true; its value is returned."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds * SLOW} s")
        time.sleep(0.01)


# ---------------------------------------------------------------------------------------------------------------
# KTAP


_cases = []


def case(name, only=None):
    """Register a case. only="flowtrack": it has no meaning without the module."""
    def add(function):
        _cases.append((name, function, only))
        return function
    return add


def translated(snat, dnat=0, redirected=0):
    """(flows here, flows in nf_conntrack) of so many that NAT translates, as nf_flowtrack_nat has it.

    snat: the source alone; dnat: the destination, too; redirected: TCP to this machine itself, or from it to one of its
    own addresses.
    """
    if NAT == "never":
        return 0, snat + dnat + redirected
    return (snat + dnat, redirected) if NAT == "all" else (snat, dnat + redirected)


def again(script, seconds, what, **env):
    """Register a case: another test passes once more, with @env in its environment, @seconds at most."""
    @case(f"{script} with {what}", only="flowtrack")
    def _(*_):
        here = os.path.dirname(os.path.abspath(__file__))
        p = subprocess.run([sys.executable, f"{here}/{script}"], env={**os.environ, **env}, capture_output=True, text=True,
                           timeout=seconds, check=False)
        bad = [line for line in p.stdout.splitlines() if not line.startswith(("ok ", "KTAP", "1.."))]
        check(p.returncode == 0, "\n".join(bad + [p.stderr]))


def main(setup=None, teardown=None):
    """Run all cases; setup() returns what every case is called with."""
    # One CPU: packets that this process sends are handled in the order in which they were sent.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wanted = sys.argv[1:]
    cases = [c for c in _cases if not wanted or any(w in c[0] for w in wanted)]
    print("KTAP version 1")
    print(f"1..{len(cases)}", flush=True)
    failed = 0
    context = None
    try:
        problem = None
        try:
            context = setup() if setup else None
        except (Failure, OSError, subprocess.SubprocessError) as e:
            problem = f"set-up: {e}"
        for i, (name, function, only) in enumerate(cases, 1):
            if only and only != MODE:
                print(f"ok {i} {name} # SKIP without {only}", flush=True)
                continue
            start = time.monotonic()
            try:
                if problem:
                    raise Failure(problem)
                function(context) if setup else function()
                took = time.monotonic() - start
                if took > 3:
                    print(f"# {took:.1f} s:")
                print(f"ok {i} {name}", flush=True)
            except Skipped as e:
                print(f"ok {i} {name} # SKIP {e}", flush=True)
            except Exception as e:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {i} {name}")
                lines = str(e).splitlines() if isinstance(e, Failure) else []
                frames = [f for f in traceback.extract_tb(e.__traceback__) if not f.filename.endswith("lib.py")]
                for f in reversed(frames):
                    lines.append(f"at {os.path.basename(f.filename)}:{f.lineno}: {f.line}")
                if not isinstance(e, Failure):
                    lines += traceback.format_exc().splitlines()
                for line in lines:
                    print(f"# {line}")
                sys.stdout.flush()
    finally:
        if teardown:
            teardown(context)
        Ns.delete_all()
        if loaded():
            try:
                unload()
            except Failure as e:
                print(f"# {e}")
                failed += 1
    sys.exit(1 if failed else 0)


# ---------------------------------------------------------------------------------------------------------------
# The module and the kernel


def run(*args, text=None, ok=True, timeout=60):
    """Run a command in the namespace that the caller is in; (status, stdout, stderr), or Failure if it fails."""
    p = subprocess.run(args, input=text, capture_output=True, text=True, timeout=timeout * SLOW, check=False)
    if ok and p.returncode:
        raise Failure(f"{' '.join(args)}: exit status {p.returncode}: {p.stderr.strip()} {p.stdout.strip()}")
    return p.returncode, p.stdout, p.stderr


def loaded():
    return os.path.isdir("/sys/module/" + MODULE)


def unload_nat():
    """NAT and helpers that an earlier test left behind would put flowtrack into another mode."""
    for group in (("nft_masq", "nft_nat", "nft_redir", "nft_chain_nat", "xt_MASQUERADE", "xt_nat", "xt_REDIRECT",
                   "iptable_nat", "ip6table_nat", "nf_nat"), ("nf_conntrack_ftp", "nf_conntrack_tftp")):
        there = [m for m in group if os.path.isdir("/sys/module/" + m)]
        if there:
            run("modprobe", "-r", "-q", *there, ok=False)


def load_needed():
    """insmod does not look for what a module needs."""
    run("modprobe", "-a", "nf_conntrack", "nf_defrag_ipv4", "nf_defrag_ipv6")


def load(*params):
    """Tracking begins with the namespace, not within a second of its first rule: auto.py tests that."""
    if not loaded():
        unload_nat()
        load_needed()
        run("insmod", KO, *params, *() if any(p.startswith("enable=") for p in params) else ("enable=1",))


def unload():
    # What is built on it goes first.
    run("rmmod", "nf_flowtrack_ctnetlink", ok=False)
    status, _, err = run("timeout", str(30 * SLOW), "rmmod", MODULE, ok=False)
    check(status == 0, f"rmmod: {err.strip() or 'did not end in time'}")


def load_if_wanted(*params):
    if FLOWTRACK:
        load(*params)


class Kmsg:
    """The kernel's log from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def read(self):
        lines = []
        while True:
            try:
                record = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                continue
            lines.append(record.partition(";")[2].splitlines()[0])

    def close(self):
        os.close(self.fd)


# ---------------------------------------------------------------------------------------------------------------
# Namespaces


class Ns:
    """A network namespace. "with ns:" enters it; sockets and processes made inside belong to it."""

    all = []
    serial = 0

    def __init__(self, label):
        Ns.serial += 1
        self.name = f"ft-{label}-{os.getpid()}-{Ns.serial}"
        add_netns(self.name)
        self.fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        self.outer = []
        self.children = []
        Ns.all.append(self)
        with self:
            set_link("lo")

    def __enter__(self):
        self.outer.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        setns(self.fd)
        return self

    def __exit__(self, *_):
        fd = self.outer.pop()
        setns(fd)
        os.close(fd)

    def run(self, *args, **kw):
        with self:
            return run(*args, **kw)

    def popen(self, *args, **kw):
        with self:
            p = subprocess.Popen(args, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                          "stderr": subprocess.STDOUT, "text": True, **kw})
        self.children.append(p)
        return p

    def nft(self, text):
        return self.run("nft", "-f", "-", text=text)[1]

    def ip(self, *lines):
        self.run("ip", "-batch", "-", text="\n".join(lines) + "\n")

    def socket(self, *args):
        with self:
            return socket.socket(*args)

    def read(self, path):
        with self, open(path) as f:
            return f.read().strip()

    def write(self, path, value):
        # One write(2), whatever comes of it: closing a file object would try again.
        with self:
            fd = os.open(path, os.O_WRONLY)
            try:
                os.write(fd, str(value).encode())
            finally:
                os.close(fd)

    def sysctl(self, name, value=None):
        """name is a suffix of net.netfilter.nf_flowtrack_ or nf_conntrack_, or has a dot and is a whole name."""
        path = "/proc/sys/" + (name.replace(".", "/") if "." in name else f"net/netfilter/{PREFIX}_{name}")
        if value is None:
            return self.read(path)
        self.write(path, value)
        if ADOPT:
            # New flows are nf_conntrack's until they are adopted: it must think alike.
            twin = path.replace("nf_flowtrack", "nf_conntrack")
            with self:
                twin = twin if twin != path and os.path.exists(twin) else None
            if twin:
                self.write(twin, value)
        return value

    def conntrack_count(self):
        return int(self.read("/proc/sys/net/netfilter/nf_conntrack_count"))

    def tool(self, *args, ok=True, text=None):
        """flowtrack ARGS in this namespace."""
        return self.run(TOOL, *args, ok=ok, text=text)

    def tool_json(self, *args):
        return parse_json(self.tool("-j", *args)[1])

    def flows(self, **want):
        """Flows of this namespace in one form for both modes, reduced to those that have what is wanted."""
        with self:
            found = flowtrack_flows() if FLOWTRACK else conntrack_flows()
        return [f for f in found if all(flow_field(f, k) == v for k, v in want.items())]

    def flow(self, **want):
        found = self.flows(**want)
        check(len(found) == 1, f"expected one flow with {want}, found {len(found)}: "
              f"{found or self.flows()}")
        return found[0]

    def flush(self):
        if FLOWTRACK:
            self.tool("flush")
        else:
            self.conntrack_flush()

    def conntrack_flush(self):
        """conntrack -F, without starting a program."""
        with self.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as sock:
            sock.settimeout(60)
            sock.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, NLM_F_REQUEST | NLM_F_ACK, 1, 0, socket.AF_UNSPEC, 0, 0))
            error = struct.unpack_from("=i", sock.recv(4096), 16)[0]
            check(error == 0, f"flushing nf_conntrack: error {error}")

    def delete(self):
        for p in self.children:
            if p.poll() is None:
                p.kill()
            p.wait()
            if p.stdout:
                p.stdout.close()
        self.children.clear()
        os.close(self.fd)
        Ns.all.remove(self)
        path = f"/run/netns/{self.name}"
        call("umount2", path.encode(), 2)  # MNT_DETACH
        os.unlink(path)

    @staticmethod
    def delete_all():
        for ns in list(reversed(Ns.all)):
            ns.delete()


def call(name, *args):
    """A function of the C library that fails with -1 and errno."""
    if getattr(libc, name)(*args) == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def setns(fd):
    call("setns", fd, CLONE_NEWNET)


def add_netns(name):
    """ip netns add NAME, without starting a program but for the first one, which makes the directory."""
    path = f"/run/netns/{name}"
    if not os.path.ismount("/run/netns"):
        run("ip", "netns", "add", name)
        return
    outer = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))
    try:
        call("unshare", CLONE_NEWNET)
        call("mount", b"/proc/thread-self/ns/net", path.encode(), b"none", 4096, None)  # MS_BIND
    finally:
        setns(outer)
        os.close(outer)


def set_link(name, up=True):
    """ip link set NAME up, without starting a program."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        ifreq = struct.pack("16sH14x", name.encode(), 0)
        flags = struct.unpack_from("H", fcntl.ioctl(s, 0x8913, ifreq), 16)[0]
        flags = flags | 1 if up else flags & ~1
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", name.encode(), flags))


def parse_json(text):
    """One JSON document, or one per line."""
    text = text.strip()
    if not text:
        return []
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


def flow_field(flow, key):
    """family, proto, state ... or osrc, odst, osport, odport, rsrc ... for a field of a direction."""
    if key[0] in "or" and key[1:] in ("src", "dst", "sport", "dport", "packets", "bytes", "id"):
        return flow["orig" if key[0] == "o" else "reply"].get(key[1:])
    return flow.get(key)


def flowtrack_flows(which="own"):
    out = parse_json(run(TOOL, "-j", "list", which)[1])
    flows = out["flows"] if isinstance(out, dict) else out
    for f in flows:
        f["family"] = 6 if f["family"] in ("ipv6", "inet6", 6, 10) else 4
        f["state"] = str(f.get("state", "")).lower()
        f["timeout"] = float(f["timeout"])
        f.setdefault("mark", 0)
        f.setdefault("zone", 0)
        if isinstance(f["mark"], str):
            f["mark"] = int(f["mark"], 0)
    return flows


def conntrack_flows():
    """conntrack -L, in the words of flowtrack."""
    out = run("conntrack", "-L", "-o", "extended")[1]
    flows = []
    for line in out.splitlines():
        words = line.split()
        f = {"family": 6 if words[0] == "ipv6" else 4, "proto": words[2], "timeout": float(words[4]), "state": "",
             "assured": "[ASSURED]" in words, "seen_reply": "[UNREPLIED]" not in words, "mark": 0, "zone": 0,
             "orig": {}, "reply": {}}
        where = f["orig"]
        for word in words[5:]:
            key, sep, value = word.partition("=")
            if not sep:
                if not word.startswith("["):
                    f["state"] = word.lower()
                continue
            if key in ("mark", "zone"):
                f[key] = int(value)
                continue
            if key in where:
                where = f["reply"]
            if key == "src" or key == "dst":
                where[key] = value
            elif value.isdigit():
                where[key] = int(value)
        flows.append(f)
    return flows


# ---------------------------------------------------------------------------------------------------------------
# Packets


TCP, UDP, ICMP, ICMP6, SCTP, GRE, UDPLITE = 6, 17, 1, 58, 132, 47, 136

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, ".": 16, "U": 32, "E": 64, "W": 128}


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pton(addr):
    return socket.inet_pton(socket.AF_INET6 if ":" in addr else socket.AF_INET, addr)


def pseudo(src, dst, proto, length):
    if ":" in src:
        return pton(src) + pton(dst) + struct.pack("!IxxxB", length, proto)
    return pton(src) + pton(dst) + struct.pack("!xBH", proto, length)


def fill_checksum(src, dst, proto, l4, offset):
    """Set the checksum at offset of a layer 4 packet. Plain ICMP has no pseudo header."""
    head = b"" if proto == ICMP else pseudo(src, dst, proto, len(l4))
    value = checksum(head + l4) or 0xffff
    return l4[:offset] + struct.pack("!H", value) + l4[offset + 2:]


def ip4(src, dst, proto, payload, ident=0, frag=0, ttl=64, tos=0, options=b"", length=None, version=4, hlen=None):
    """frag: the whole 16 bits: 0x4000 DF, 0x2000 MF, offset in units of 8."""
    ihl = 5 + len(options) // 4 if hlen is None else hlen
    total = 20 + len(options) + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, tos, total, ident, frag, ttl, proto, 0,
                       pton(src), pton(dst)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(src, dst, proto, payload, ident=0, hlim=64, length=None):
    """ident goes into the flow label."""
    return struct.pack("!IHBB16s16s", 6 << 28 | ident & 0xfffff, len(payload) if length is None else length, proto,
                       hlim, pton(src), pton(dst)) + payload


def ip(src, dst, proto, payload, ident=0, **kw):
    return (ip6 if ":" in src else ip4)(src, dst, proto, payload, ident, **kw)


def frag6(proto, payload, offset, more, ident):
    """A fragment header and its piece of the payload; offset in bytes."""
    return struct.pack("!BxHI", proto, offset | (1 if more else 0), ident) + payload


def tcp(src, dst, sport, dport, flags, seq=0, ack=0, win=65535, options=b"", data=b"", urg=0, doff=None):
    bits = sum(FLAGS[c] for c in set(flags.replace(".", "A")))
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4 if doff is None else doff
    l4 = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, words << 4, bits, win, 0,
                     urg) + options + data
    return fill_checksum(src, dst, TCP, l4, 16)


def udp(src, dst, sport, dport, data=b"", length=None, proto=UDP):
    l4 = struct.pack("!HHHH", sport, dport, 8 + len(data) if length is None else length, 0) + data
    return fill_checksum(src, dst, proto, l4, 6)


def icmp4(kind, code, rest=0, data=b""):
    """rest: the four bytes after the checksum: id and sequence number, MTU, ..."""
    return fill_checksum("", "", ICMP, struct.pack("!BBHI", kind, code, 0, rest) + data, 2)


def icmp6(src, dst, kind, code, rest=0, data=b""):
    return fill_checksum(src, dst, ICMP6, struct.pack("!BBHI", kind, code, 0, rest) + data, 2)


def echo(src, dst, ident, seq=1, reply=False, data=b"flowtrack"):
    if ":" in src:
        return icmp6(src, dst, 129 if reply else 128, 0, ident << 16 | seq, data)
    return icmp4(0 if reply else 8, 0, ident << 16 | seq, data)


def l4_of(packet):
    """(protocol, layer 4 bytes) of a received packet; IPv6 without extension headers."""
    if packet[0] >> 4 == 4:
        return packet[9], packet[(packet[0] & 15) * 4:]
    return packet[6], packet[40:]


# ---------------------------------------------------------------------------------------------------------------
# The rig


# DSCP: bits 0-2 the state, 8: reply direction, 16: seen-reply, 32: assured.
STATES = {"new": 1, "established": 2, "related": 3, "invalid": 4, "untracked": 5}
SHORT = {0: "none", 1: "new", 2: "est", 3: "rel", 4: "inv", 5: "unt"}


def stamp_name(dscp):
    """34 -> est/o+a: established, original direction, assured (and not seen-reply)."""
    state = dscp & 7
    name = SHORT.get(state, "?")
    if state in (1, 2, 3):
        name += "/r" if dscp & 8 else "/o"
        if dscp & 48:
            name += "+" + ("s" if dscp & 16 else "") + ("a" if dscp & 32 else "")
    return name


def nft_stamps(before=""):
    """Rules that write the state into the DSCP field, for both families."""
    rules = []
    for fam, field in (("ipv4", "ip dscp"), ("ipv6", "ip6 dscp")):
        for word in ("invalid", "untracked"):
            rules.append(f"meta nfproto {fam} ct state {word} {field} set {STATES[word]} return")
        for word in ("new", "established", "related"):
            for reply in (0, 8):
                for seen in (0, 16):
                    for assured in (0, 32):
                        status = "|".join([w for w, b in (("seen-reply", seen), ("assured", assured)) if b])
                        rules.append(
                            f"meta nfproto {fam} ct state {word} ct direction {'reply' if reply else 'original'} "
                            f"ct status & (seen-reply|assured) == {status or '0x0'} "
                            f"{field} set {STATES[word] + reply + seen + assured} return")
    text = "\n\t\t".join(rules)
    return f"""
table inet stamp {{
	chain stamp {{
		{text}
	}}
	chain pre {{
		type filter hook prerouting priority -150
		{before}
		goto stamp
	}}
	chain out {{
		type filter hook output priority -150
		{before}
		goto stamp
	}}
}}
"""


def ours(frame):
    """IP, and not what the router's kernel tells its neighbours about itself."""
    return frame[12:14] == b"\x08\x00" or frame[12:14] == b"\x86\xdd" and frame[22:24] != b"\xfe\x80"


class Wire:
    """One end of a wire to the router, held by the test."""

    def __init__(self, ns, dev, mac, router_mac, addr, router):
        self.ns, self.mac, self.router_mac, self.addr, self.router = ns, mac, router_mac, addr, router
        self.sock = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
        with ns:
            self.sock.bind((dev, 3))
        self.sock.setblocking(False)

    def send(self, packet):
        kind = 0x86dd if packet[:1] and packet[0] >> 4 == 6 else 0x0800
        while True:
            try:
                self.sock.send(self.router_mac + self.mac + struct.pack("!H", kind) + packet)
                return
            except BlockingIOError:
                select.select([], [self.sock], [], 5)

    def receive(self):
        """All packets that have arrived: IP only, without the link layer."""
        packets = []
        while True:
            try:
                frame, info = self.sock.recvfrom(65536)
            except BlockingIOError:
                return packets
            if info[2] != 4 and ours(frame):  # 4: PACKET_OUTGOING
                packets.append(frame[14:])

    def flush(self):
        """Wait until the router has handled all that was sent before; what arrived meanwhile.

        An ARP request is answered by the router's kernel whatever the ruleset says, on the CPU and in the
        queue that the packets before it took.
        """
        self.sock.send(b"\xff" * 6 + self.mac + b"\x08\x06" + struct.pack(
            "!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, self.mac, pton(self.addr[4]), b"\0" * 6, pton(self.router[4])))
        end = time.monotonic() + 20
        packets = []
        while time.monotonic() < end:
            select.select([self.sock], [], [], end - time.monotonic())
            try:
                frame, info = self.sock.recvfrom(65536)
            except BlockingIOError:
                continue
            if info[2] == 4:
                continue
            if frame[12:14] == b"\x08\x06":
                # Also the router's own requests come by; only replies end the wait.
                if frame[20:22] == b"\0\2":
                    return packets
            elif ours(frame):
                packets.append(frame[14:])
        raise Failure("the router does not answer ARP")


class Rig:
    """Client wire - router - server wire."""

    C = {4: "10.9.1.2", 6: "fd09:1::2"}
    S = {4: "10.9.2.2", 6: "fd09:2::2"}
    RC = {4: "10.9.1.1", 6: "fd09:1::1"}
    RS = {4: "10.9.2.1", 6: "fd09:2::1"}

    def __init__(self, ruleset=None, mtu=1500):
        load_if_wanted()
        self.r, self.cns, self.sns = Ns("r"), Ns("c"), Ns("s")
        if ADOPT:
            self.r.sysctl("adopt", ADOPT)
        if NAT:
            self.r.sysctl("nat", NAT)
        self.ident = 0
        self.back = []
        self.forwarded = []
        macs = {n: bytes([2, 0, 0, 0, *v]) for n, v in
                {"rc": (1, 1), "cr": (1, 2), "rs": (2, 1), "sr": (2, 2)}.items()}
        mac = {n: ":".join(f"{b:02x}" for b in m) for n, m in macs.items()}
        self.macs = macs
        for ns in (self.cns, self.sns):
            ns.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
            ns.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        for name, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1),
                            ("net.ipv4.conf.all.rp_filter", 0), ("net.ipv4.conf.default.rp_filter", 0),
                            ("net.ipv6.conf.default.accept_dad", 0), ("net.ipv6.conf.default.router_solicitations", 0),
                            ("net.ipv4.icmp_ratemask", 0), ("net.ipv6.icmp.ratelimit", 0),
                            ("net.ipv4.tcp_invalid_ratelimit", 0)):
            self.r.sysctl(name, value)
        lines = []
        for a, b, ns, gw, peer in (("rc", "cr", self.cns, self.RC, self.C), ("rs", "sr", self.sns, self.RS, self.S)):
            lines += [f"link add {a} mtu {mtu} address {mac[a]} type veth peer name {b} mtu {mtu} "
                      f"address {mac[b]} netns {ns.name}",
                      f"addr add {gw[4]}/24 dev {a}", f"addr add {gw[6]}/64 dev {a} nodad", f"link set {a} up",
                      f"neigh add {peer[4]} lladdr {mac[b]} nud permanent dev {a}",
                      f"neigh add {peer[6]} lladdr {mac[b]} nud permanent dev {a}"]
        self.r.ip(*lines)
        self.cns.ip("link set cr up")
        self.sns.ip("link set sr up")
        # Large packets must leave as they came, and no checksum may be left to hardware that is not there.
        self.c = Wire(self.cns, "cr", macs["cr"], macs["rc"], self.C, self.RC)
        self.s = Wire(self.sns, "sr", macs["sr"], macs["rs"], self.S, self.RS)
        self.r.nft(nft_stamps() if ruleset is None else ruleset)

    def reset(self, ruleset=None):
        """Forget all flows; with a ruleset, replace the old one."""
        if ruleset is not None:
            self.r.nft("flush ruleset\n" + ruleset)
        self.r.flush()

    def next_ident(self):
        self.ident = self.ident % 0xfff0 + 1
        return self.ident

    def wire(self, side):
        return {"c": (self.c, self.s), "s": (self.s, self.c)}[side]

    def send(self, side, packet):
        """Send from a side; the packets that came out on the other. self.back has what came back."""
        near, far = self.wire(side)
        far.receive()
        near.receive()
        near.send(packet)
        self.back = near.flush()
        self.forwarded = far.receive()
        return self.forwarded

    def packet(self, side, proto, l4, family, **kw):
        """An IP packet from one side to the other, with a mark of its own to know it by."""
        src, dst = (self.C, self.S) if side == "c" else (self.S, self.C)
        return ip(src[family], dst[family], proto, l4, self.next_ident(), **kw)

    def stamp(self, side, packet, raw=False):
        """Send; what the router said of the packet: see stamp_name(). "drop" if it did not come out."""
        family = packet[0] >> 4
        mark = packet[4:6] if family == 4 else packet[1:4]
        for got in self.send(side, packet):
            if got[0] >> 4 == family and (got[4:6] == mark if family == 4 else
                                          (got[1] & 15, got[2:4]) == (mark[0] & 15, mark[1:])):
                dscp = got[1] >> 2 if family == 4 else (got[0] << 8 | got[1]) >> 6 & 63
                return dscp if raw else stamp_name(dscp)
        return "drop"

    def expect(self, side, packet, wanted, what="packet"):
        seen = self.stamp(side, packet)
        # est/o*: whatever its status
        if seen != wanted and not (wanted.endswith("*") and seen.startswith(wanted[:-1])):
            raise Failure(f"{what} from {'client' if side == 'c' else 'server'}: expected {wanted}, seen {seen}\n"
                          f"packet: {packet[:80].hex()}\nflows: {self.r.flows()}")

    def udp(self, side, family, sport, dport, wanted, data=b"x", **kw):
        src, dst = (self.C, self.S) if side == "c" else (self.S, self.C)
        self.expect(side, self.packet(side, UDP, udp(src[family], dst[family], sport, dport, data), family, **kw),
                    wanted, f"udp {sport}>{dport}")

    def echo(self, side, family, ident, wanted, reply=False):
        src, dst = (self.C, self.S) if side == "c" else (self.S, self.C)
        self.expect(side, self.packet(side, ICMP if family == 4 else ICMP6,
                                      echo(src[family], dst[family], ident, reply=reply), family),
                    wanted, f"echo {'reply' if reply else 'request'} {ident}")

    def check_not_in_conntrack(self):
        """With flowtrack, nf_conntrack's table stays empty."""
        if FLOWTRACK:
            equal(self.r.conntrack_count(), 0, "nf_conntrack_count")


class Tcp:
    """A TCP conversation made by hand. Sequence numbers in calls are relative to the initial ones."""

    def __init__(self, rig, family=4, sport=40000, dport=80, isn=(1000000, 5000000), client="c"):
        self.rig, self.family = rig, family
        self.ports = {client: (sport, dport), "s" if client == "c" else "c": (dport, sport)}
        self.isn = {"c": isn[0], "s": isn[1]}
        self.client = client

    def build(self, side, flags, seq=0, ack=0, win=29200, options=b"", data=b"", **kw):
        src, dst = (Rig.C, Rig.S) if side == "c" else (Rig.S, Rig.C)
        sport, dport = self.ports[side]
        other = "s" if side == "c" else "c"
        with_ack = "A" in flags or "." in flags
        return self.rig.packet(side, TCP, tcp(
            src[self.family], dst[self.family], sport, dport, flags, self.isn[side] + seq,
            self.isn[other] + ack if with_ack else 0, win, options, data, **kw), self.family)

    def send(self, side, flags, wanted, seq=0, ack=0, **kw):
        data = kw.get("data", b"")
        self.rig.expect(side, self.build(side, flags, seq, ack, **kw), wanted,
                        f"{flags} seq {seq} ack {ack} len {len(data)}")

    def open(self, options=b""):
        """Three-way handshake."""
        self.send("c", "S", "new/o", 0, options=options)
        self.send("s", "SA", "est/r+s", 0, 1, options=options)
        self.send("c", "A", "est/o+sa", 1, 1)
        return self

    def flow(self):
        sport, dport = self.ports[self.client]
        return self.rig.r.flow(proto="tcp", family=self.family, osport=sport, odport=dport)


def unreachable(rig, family, quoted):
    """From the server: port unreachable about a packet that the client sent."""
    if family == 4:
        return rig.packet("s", ICMP, icmp4(3, 3, 0, quoted), 4)
    return rig.packet("s", ICMP6, icmp6(Rig.S[6], Rig.C[6], 1, 4, 0, quoted), 6)


def standard_traffic(rig, family):
    """What counters are compared with. udp dport 7777 must be notrack'ed by the ruleset.

    TCP 41000>80   orig S, A, data 100    reply SA, data 200
    UDP 5100>53    orig 2                 reply 1
    echo           orig 1                 reply 1
    one ICMP error about the UDP flow     1 related
    one SYN/ACK from nowhere              1 invalid
    one UDP to 7777                       1 untracked
    5 + 3 + 2 + 1 + 1 + 1 = 13 packets: 3 new, 7 established
    """
    t = Tcp(rig, family, sport=41000)
    udp_packet = rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 5100, 53, b"q"), family)
    for side, packet in (
            ("c", t.build("c", "S")), ("s", t.build("s", "SA", 0, 1)), ("c", t.build("c", "A", 1, 1)),
            ("c", t.build("c", "PA", 1, 1, data=b"x" * 100)), ("s", t.build("s", "PA", 1, 101, data=b"y" * 200)),
            ("c", udp_packet), ("s", rig.packet("s", UDP, udp(Rig.S[family], Rig.C[family], 53, 5100, b"a"), family)),
            ("c", rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 5100, 53, b"q"), family)),
            ("c", rig.packet("c", ICMP if family == 4 else ICMP6, echo(Rig.C[family], Rig.S[family], 5), family)),
            ("s", rig.packet("s", ICMP if family == 4 else ICMP6,
                             echo(Rig.S[family], Rig.C[family], 5, reply=True), family)),
            ("s", unreachable(rig, family, udp_packet)),
            ("s", Tcp(rig, family, sport=41001).build("s", "SA", 0, 1)),
            ("c", rig.packet("c", UDP, udp(Rig.C[family], Rig.S[family], 7000, 7777), family))):
        rig.send(side, packet)


# ---------------------------------------------------------------------------------------------------------------
# SCTP and GRE


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def sctp(sport, dport, vtag, *chunks, bad_crc=False):
    body = b"".join(c + b"\0" * (-len(c) % 4) for c in chunks)
    head = struct.pack("!HHI", sport, dport, vtag)
    crc = crc32c(head + b"\0\0\0\0" + body) ^ (1 if bad_crc else 0)
    return head + struct.pack("<I", crc) + body


def chunk(kind, value=b"", flags=0):
    return struct.pack("!BBH", kind, flags, 4 + len(value)) + value


def sctp_init(tag, ack=False):
    return chunk(2 if ack else 1, struct.pack("!IIHHI", tag, 65536, 1, 1, 1000))


def gre(key=None, version=0, data=b"x" * 8):
    flags = (0x2000 if key is not None else 0) | version
    if version == 1:
        return struct.pack("!HHHH", 0x2001, 0x880b, len(data), key) + data
    return struct.pack("!HH", flags, 0x0800) + (b"" if key is None else struct.pack("!I", key)) + data


# ---------------------------------------------------------------------------------------------------------------
# Generic netlink


def genl_listeners(ns):
    """Has anybody in this namespace joined a multicast group of generic netlink?"""
    with ns, open("/proc/thread-self/net/netlink") as f:
        return any(fields[1] == "16" and int(fields[3], 16) for fields in (line.split() for line in f.readlines()[1:]))


NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLA_F_NESTED = 0x8000


def netlink_drops(ns):
    """How many messages were lost to sockets of generic netlink in this namespace."""
    with ns, open("/proc/thread-self/net/netlink") as f:
        return sum(int(fields[8]) for fields in (line.split() for line in f.readlines()[1:]) if fields[1] == "16")


def nla(kind, value):
    """An attribute: value is bytes, or (size, number) in host byte order."""
    if isinstance(value, tuple):
        value = value[1].to_bytes(value[0], sys.byteorder)
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nla_parse(data):
    out = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        out[kind & 0x3fff] = data[4:length]
        data = data[length + 3 & ~3:]
    return out


class Genl:
    """A generic netlink socket in a namespace, without any library in the way."""

    def __init__(self, ns=None, name="flowtrack"):
        self.sock = ns.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) if ns else \
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.sock.bind((0, 0))
        self.sock.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK
        self.sock.settimeout(20)
        self.seq = 0
        self.family = 16
        error, _, replies = self.request(3, nla(2, name.encode() + b"\0"), ack=False)
        check(not error, f"no generic netlink family {name}: error {error}")
        attrs = nla_parse(replies[0])
        self.family = struct.unpack("=H", attrs[1])[0]
        groups = nla_parse(attrs.get(7, b""))
        self.groups = {}
        for group in groups.values():
            g = nla_parse(group)
            self.groups[g[1].rstrip(b"\0").decode()] = struct.unpack("=I", g[2])[0]

    def join(self, group):
        self.sock.setsockopt(270, 1, self.groups[group])

    def request(self, cmd, attrs=b"", flags=0, ack=True, version=1, length=None):
        """(errno or 0, extack message or "", payloads of the replies)"""
        self.seq += 1
        body = struct.pack("=BBH", cmd, version, 0) + attrs
        flags |= NLM_F_REQUEST | (NLM_F_ACK if ack and not flags & NLM_F_DUMP else 0)
        self.sock.send(struct.pack("=IHHII", 16 + len(body) if length is None else length, self.family, flags,
                                   self.seq, 0) + body)
        replies = []
        while True:
            data = self.sock.recv(1 << 20)
            while data:
                size, kind, nflags, seq, _ = struct.unpack_from("=IHHII", data)
                payload, data = data[16:size], data[size + 3 & ~3:]
                if seq != self.seq:
                    continue
                if kind in (2, 3):
                    return -struct.unpack_from("=i", payload)[0], self.message(kind, nflags, payload), replies
                replies.append(payload[4:])
                if not flags & (NLM_F_ACK | NLM_F_DUMP):
                    return 0, "", replies

    @staticmethod
    def message(kind, flags, payload):
        if not flags & 0x200:  # NLM_F_ACK_TLVS
            return ""
        skip = 4
        if kind == 2:
            skip += 16
            if not flags & 0x100:  # NLM_F_CAPPED: the request is not quoted
                skip += struct.unpack_from("=I", payload, 4)[0] - 16
        attrs = nla_parse(payload[(skip + 3) & ~3:])
        return attrs.get(1, b"").rstrip(b"\0").decode()

    def close(self):
        self.sock.close()


# ---------------------------------------------------------------------------------------------------------------
# A program that takes packets from a queue


NF_DROP, NF_ACCEPT = 0, 1

QUEUE_RULES = nft_stamps() + """
table inet t {
	chain forw {
		type filter hook forward priority 0
		ct state new queue num 0
	}
}"""


def queue_packet(family, sport):
    return ip(Rig.C[family], Rig.S[family], UDP, udp(Rig.C[family], Rig.S[family], sport, 53), sport)


class Queue:
    """A consumer of a queue, in plain netlink."""

    def __init__(self, ns, number=0):
        run("modprobe", "-q", "nfnetlink_queue", ok=False)
        self.sock = ns.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.sock.bind((0, 0))
        self.sock.settimeout(20)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
        self.number = number
        self.talk(2, nla(1, struct.pack("!BxH", 1, socket.AF_UNSPEC)))  # bind
        self.talk(2, nla(2, struct.pack("!IB", 0xffff, 2)))  # copy packets
        self.talk(2, nla(3, struct.pack("!I", 4096)))  # maximum length

    def talk(self, kind, attrs, ack=True):
        body = struct.pack("!BBH", socket.AF_UNSPEC, 0, self.number) + attrs
        self.sock.send(struct.pack("=IHHII", 16 + len(body), 3 << 8 | kind, 1 | (4 if ack else 0), 1, 0) + body)
        if ack:
            data = self.sock.recv(65536)
            error = struct.unpack_from("=i", data, 16)[0]
            check(error == 0, f"nfnetlink_queue: error {error}")

    def receive(self, n):
        """Identifiers of the next n packets."""
        out = []
        while len(out) < n:
            data = self.sock.recv(1 << 20)
            while data:
                size, kind = struct.unpack_from("=IH", data)
                if kind == 3 << 8:
                    attrs = nla_parse(data[20:size])
                    out.append(struct.unpack_from("!I", attrs[1])[0])
                data = data[size + 3 & ~3:]
        return out

    def verdict(self, ident, verdict, mark=None, expect=None, timeout=None, status=None):
        """mark, timeout, status: of the connection, in NFQA_CT; expect: of a connection that it expects, in NFQA_EXP beside that."""
        attrs = nla(2, struct.pack("!II", verdict, ident))
        inner = b"".join(nla(kind, struct.pack("!I", value)) for kind, value in ((3, status), (7, timeout), (8, mark))
                         if value is not None)
        if inner:
            attrs += nla(11 | NLA_F_NESTED, inner)
        if expect is not None:
            attrs += nla(15 | NLA_F_NESTED, expect)
        self.talk(1, attrs, ack=False)

    def close(self):
        self.sock.close()
