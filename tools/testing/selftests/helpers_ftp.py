#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""FTP through "ct helper": vsftpd and curl, active and passive, with and without NAT. The control and data
connections are nf_conntrack's, what is beside them is flowtrack's."""

import hashlib
import os
import tempfile

from lib_net import *

FILE = os.urandom(200000)
FILTER = """
table inet filter {
	ct helper ftp { type "ftp" protocol tcp; }
	counter related { }
	counter established { }
	counter refused { }
	chain pre {
		type filter hook prerouting priority -150
		tcp dport 21 ct state new ct helper set "ftp"
	}
	chain forward {
		type filter hook forward priority 0; policy drop
		ct state related ct helper "ftp" tcp flags syn / syn,ack counter name related
		ct state established ct helper "ftp" counter name established
		ct state established,related accept
		iif rc tcp dport { 21, 80 } ct state new accept
		meta l4proto icmpv6 accept
		counter name refused
	}
}
"""
DNAT = """
table inet nat {
	chain pre {
		type nat hook prerouting priority -100
		iif rc ip daddr 10.9.1.1 tcp dport 21 dnat ip to 10.9.2.2
		iif rc ip6 daddr fd09:1::1 tcp dport 21 dnat ip6 to fd09:2::2
	}
}
"""
# How curl asks for the data connection, for each family and whether the server calls back.
WAYS = {"PASV": ("--disable-epsv",), "EPSV": (), "PORT": ("-P", "-", "--disable-eprt"), "EPRT": ("-P", "-")}


def setup():
    net = Net()
    net.dir = tempfile.mkdtemp()
    os.chmod(net.dir, 0o755)
    os.mkdir(net.dir + "/files", 0o555)
    os.mkdir(net.dir + "/empty", 0o555)
    with open(net.dir + "/files/file", "wb") as f:
        f.write(FILE)
    with open(net.dir + "/conf", "w") as f:
        f.write(f"""listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
no_anon_password=YES
local_enable=NO
anon_root={net.dir}/files
secure_chroot_dir={net.dir}/empty
ftp_username=daemon
nopriv_user=nobody
connect_from_port_20=YES
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
xferlog_enable=NO
""")
    with open(net.dir + "/complaints", "w+") as f:  # vsftpd complains to its standard input
        server = net.s.popen(program("vsftpd"), net.dir + "/conf", stdin=f)
    busywait(20, lambda: listening(net.s, "tcp", 21) or server.poll() is not None, "vsftpd listens")
    with open(net.dir + "/complaints") as f:
        check(server.poll() is None, f"vsftpd: {f.read()}")
    return net


def fetch(net, family, way, to=None):
    """Fetch the file; it must be the same, and have come over one related connection."""
    host = (to or Net.S)[family]
    before = net.counters()
    status, out, err = net.c.run("curl", "-sS", "-m", "20", *WAYS[way], "-o", net.dir + "/got",
                                 f"ftp://{f'[{host}]' if family == 6 else host}/file", ok=False)
    now = net.counters()
    check(status == 0, f"{way} over IPv{family}: curl: {err.strip()} {out}; counters {before} {now}")
    with open(net.dir + "/got", "rb") as f:
        equal(hashlib.sha256(f.read()).hexdigest(), hashlib.sha256(FILE).hexdigest(), "the file")
    equal(now["related"] - before["related"], 1, f"{way} over IPv{family}: data connections that were related")
    # Few, where segments travel in large pieces; an ACK, the data, and two FINs at least.
    check(now["established"] - before["established"] >= 4, f"{way} over IPv{family}: packets of the data connection "
          f"in state established: {now['established'] - before['established']}")
    equal(now["refused"], 0, "packets that no rule wanted")


def fetch_all(net, ways, to=None):
    for family, way in ways:
        fetch(net, family, way, to)
        # Control and data connection; both have ended, and are kept for a while.
        net.where((0, 2), f"{way} over IPv{family}", proto="tcp")
        net.forget()


BOTH = ((4, "PASV"), (4, "EPSV"), (4, "PORT"), (4, "EPRT"), (6, "EPSV"), (6, "EPRT"))


@case("no NAT: passive and active, each data connection related, then established")
def _(net):
    net.reset(FILTER)
    fetch_all(net, BOTH)


@case("plain flows beside them are flowtrack's")
def _(net):
    net.reset(FILTER)
    for family in FAMILIES:
        with Talk(net.c, net.s, Net.S[family], 80) as talk:
            fetch(net, family, "EPSV")
            talk.alive()
            net.where((1, 0), f"IPv{family}: port 80", odport=80)
            net.where((0, 1), f"IPv{family}: port 21", odport=21)
        net.forget()


@case("masquerade: addresses in the control connection are rewritten")
def _(net):
    load_modules("nf_nat_ftp")
    net.reset(FILTER + MASQUERADE)
    fetch_all(net, ((4, "PASV"), (4, "PORT"), (6, "EPSV"), (6, "EPRT")))


@case("dnat: the server's address is rewritten, too")
def _(net):
    net.reset(FILTER + DNAT)
    fetch_all(net, ((4, "PASV"), (6, "EPSV")), Net.RC)


@case("iptables: CT --helper, and -m helper knows the data connection")
def _(net):
    net.reset(FILTER.replace('tcp dport 21 ct state new ct helper set "ftp"', ""))
    for command, family in (("iptables-nft", 4), ("ip6tables-nft", 6)):
        net.r.run(command, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "21", "-j", "CT", "--helper", "ftp")
        net.r.run(command, "-A", "FORWARD", "-m", "helper", "--helper", "ftp")
        fetch(net, family, "EPSV")
        rules = net.r.run(command, "-L", "FORWARD", "-nvx")[1]
        seen = [int(m) for m in re.findall(r"^\s*(\d+).*helper match", rules, re.M)]
        check(len(seen) == 1 and seen[0] > 20, f"{command}: packets of the data connection: {rules}")
        net.where((0, 2), f"IPv{family}", proto="tcp")
        net.forget()


@case("without the helper: no data connection")
def _(net):
    net.reset(FILTER.replace('tcp dport 21 ct state new ct helper set "ftp"', ""))
    status, _, _ = net.c.run("curl", "-sS", "-m", "3", f"ftp://{Net.S[4]}/file", ok=False)
    check(status != 0, "a data connection without a helper")
    check(net.counters()["refused"] > 0, "the data connection was not refused")
    net.where((1, 0), "the control connection", odport=21)


main(setup, teardown)
