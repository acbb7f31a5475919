#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""README's table, row by row: which command, file, sysctl and metric of nf_conntrack's is the same, and what takes whose place."""

import urllib.request

from lib_ctnetlink import *
from lib_net import SERVERS

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../README.md")
RULES = """
table inet t {
	ct helper tftp { type "tftp" protocol udp; }
	chain forw {
		type filter hook forward priority 0
		udp dport 69 ct helper set "tftp"
		ct state new accept
	}
}"""
# Of each family one, and one more: flows of ours, and those that a helper keeps in nf_conntrack.
OWN, GUARDED = 5, 3
ROWS = {}


def row(text):
    """What README has on the left, and how what it has on the right is tried."""
    def add(function):
        check(text not in ROWS, f"twice: {text}")
        ROWS[text] = function
        return function
    return add


def rows():
    """{left: right} of README's table."""
    with open(README, encoding="utf-8") as f:
        lines = f.read().partition("| nf_conntrack | with flowtrack |\n")[2].splitlines()
    found = {}
    for line in lines[1:]:
        if not line.startswith("|"):
            break
        left, right = line.strip("| ").split(" | ")
        found[left.strip()] = right.strip()
    return found


def begin(rig):
    rig.r.conntrack_flush()
    rig.reset(RULES)
    for n in range(OWN):
        rig.send("c", rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], 1000 + n, 53, b"q"), 4))
    for n in range(GUARDED):
        rig.send("c", rig.packet("c", UDP, udp(Rig.C[6], Rig.S[6], 2000 + n, 69, b"q"), 6))
    equal((len(rig.r.flows()), rig.r.conntrack_count()), (OWN, GUARDED), "flows of ours and entries")


def lines(rig, *args):
    return rig.r.run(*args)[1].splitlines()


def file_sum(rig, name, column):
    head, *rest = rig.r.read(f"/proc/net/stat/{name}").splitlines()
    return sum(int(line.split()[head.split().index(column)], 16) for line in rest)


def conntrack_s(rig, word):
    return sum(int(value) for value in re.findall(rf"\b{word}=(\d+)", rig.r.run("conntrack", "-S")[1]))


@row("`conntrack -L`, `-D`, `-U`, `-I`, `-E`, `-C`")
def conntrack(rig):
    with open("events", "w", encoding="ascii") as f:
        listener = rig.r.popen("stdbuf", "-oL", "conntrack", "-E", "-e", "UPDATES,DESTROY,NEW", stdout=f)

    def told(word):
        with open("events", encoding="ascii") as f:
            return f.read().count(word)
    with rig.r:
        busywait(20, lambda: any(int(line.split()[3], 16) & 7 == 7 for line in open("/proc/thread-self/net/netlink").readlines()[1:]
                                 if line.split()[1] == "12"), "conntrack -E listens")
    equal(len(lines(rig, "conntrack", "-L")), OWN + GUARDED, "lines of -L")
    equal(lines(rig, "conntrack", "-C"), [str(OWN + GUARDED)], "-C")
    # Of both families at once it can change nothing, with the original either; nor does it show all that it has changed.
    for family, n in (("ipv4", OWN), ("ipv6", GUARDED)):
        said = rig.r.run("conntrack", "-U", "-f", family, "-p", "udp", "-m", "7")[2]
        check(f" {n} flow entries have been updated" in said, f"-U of {family}: {said}")
    equal({f["mark"] for f in rig.r.flows()}, {7}, "marks of flows")
    rig.r.run("conntrack", "-I", "-p", "udp", "-s", Rig.C[4], "-d", Rig.S[4], "--sport", "3000", "--dport", "53", "-t", "90")
    equal(len(rig.r.flows()), OWN + 1, "flows after -I")
    for family, n in (("ipv4", OWN + 1), ("ipv6", GUARDED)):
        equal(len(lines(rig, "conntrack", "-D", "-f", family, "-p", "udp")), n, f"lines of -D of {family}")
    equal((len(rig.r.flows()), rig.r.conntrack_count()), (0, 0), "flows of ours and entries after -D")
    for word, n in (("[DESTROY]", OWN + GUARDED + 1), ("[UPDATE]", OWN + GUARDED), ("[NEW]", 1)):
        busywait(20, lambda word=word, n=n: told(word) == n, f"{n} times {word} of -E, not {told(word)}")
    listener.kill()


@row("`/proc/net/nf_conntrack`")
def proc(rig):
    equal(len(rig.r.read("/proc/thread-self/net/nf_conntrack").splitlines()), GUARDED, "lines of the file, which has no flow of ours")
    equal(len(lines(rig, "conntrack", "-L")), OWN + GUARDED, "lines of conntrack -L")
    equal(len(rig.r.tool_json("list")), OWN + GUARDED, "flows of flowtrack list")


@row("sysctl `nf_conntrack_count`")
def count(rig):
    equal((rig.r.conntrack_count(), int(rig.r.sysctl("count"))), (GUARDED, OWN), "the two sysctls")


@row("sysctl `nf_conntrack_max`, `_buckets`")
def limits(rig):
    names = ("max", "full_policy", "buckets")
    before = {name: rig.r.sysctl(name) for name in names} | {"buckets": 0}
    try:
        rig.r.sysctl("full_policy", "drop")
        rig.r.sysctl("max", OWN + 1)
        for n in range(4):
            rig.send("c", rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], 1100 + n, 53, b"q"), 4))
        equal(int(rig.r.sysctl("count")), OWN + 1, "flows, with room for as many")
        # Another number than there is.
        wanted = str(4 * int(rig.r.sysctl("buckets")))
        rig.r.sysctl("buckets", wanted)
        equal(rig.r.sysctl("buckets"), wanted, "buckets")
        equal(len(rig.r.flows()), OWN + 1, f"flows in {wanted} buckets")
    finally:
        for name in names:
            rig.r.sysctl(name, before[name])


@row("`/proc/net/stat/nf_conntrack`, `conntrack -S`")
def stat(rig):
    before = file_sum(rig, "nf_conntrack", "insert"), conntrack_s(rig, "insert"), file_sum(rig, "nf_flowtrack", "insert")
    for n in range(3):
        rig.send("c", rig.packet("c", UDP, udp(Rig.C[4], Rig.S[4], 1200 + n, 53, b"q"), 4))
    after = file_sum(rig, "nf_conntrack", "insert"), conntrack_s(rig, "insert"), file_sum(rig, "nf_flowtrack", "insert")
    equal([b - a for a, b in zip(before, after)], [0, 0, 3], "what the file, conntrack -S, and our file have counted")
    equal(rig.r.tool_json("stats")["insert"], after[2], "what flowtrack stats has counted")


@row("node_exporter's `node_nf_conntrack_entries`")
def node_exporter(rig):
    directory = os.path.realpath("textfile")
    os.mkdir(directory)
    with open(f"{directory}/flowtrack.prom", "w", encoding="utf-8") as f:
        f.write(rig.r.run(TOOL, "metrics")[1])
    exporter = rig.r.popen(os.path.join(SERVERS, "usr/bin/prometheus-node-exporter"), "--collector.disable-defaults",
                           "--collector.conntrack", "--collector.textfile", f"--collector.textfile.directory={directory}",
                           "--web.listen-address=127.0.0.1:9100")
    with rig.r:
        def fetch():
            with urllib.request.urlopen("http://127.0.0.1:9100/metrics", timeout=20) as answer:
                return answer.read().decode()

        def up():
            try:
                return bool(fetch())
            except OSError:
                check(exporter.poll() is None, "node_exporter has ended")
                return False
        busywait(60, up, "node_exporter")
        text = fetch()
    exporter.kill()
    values = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line and line[0] != "#"}
    equal((values["node_nf_conntrack_entries"], values["nf_flowtrack_entries"]), (GUARDED, OWN), "the two metrics")


def setup():
    rig = Rig(RULES)
    run("modprobe", "nf_conntrack_tftp")
    # By default, an entry that was made before somebody listened tells nothing.
    rig.r.sysctl("net.netfilter.nf_conntrack_events", 1)
    swap(OURS)
    return rig


@case("each row of README's table has a test, and each test a row", only="flowtrack")
def _(_rig):
    equal(sorted(rows()), sorted(ROWS), "rows")


def add_case(left, function):
    @case(f"{left}: {rows().get(left)}", only="flowtrack")
    def _(rig):
        begin(rig)
        function(rig)


for left_, function_ in ROWS.items():
    add_case(left_, function_)


main(setup)
