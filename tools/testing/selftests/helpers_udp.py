#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""TFTP and SIP through "ct helper": in.tftpd and curl, sipp on both sides, with and without NAT."""

import os
import socket
import subprocess
import tempfile

from lib_net import *

FILE = os.urandom(5000)
RULES = """
table inet filter {
	ct helper tftp { type "tftp" protocol udp; }
	ct helper sip { type "sip" protocol udp; }
	counter related { }
	counter established { }
	counter refused { }
	chain pre {
		type filter hook prerouting priority -150
		udp dport 69 ct state new ct helper set "tftp"
		udp dport 5060 ct state new ct helper set "sip"
	}
	chain forward {
		type filter hook forward priority 0; policy drop
		ct state related ct helper { "tftp", "sip" } meta l4proto udp counter name related accept
		ct state established ct helper { "tftp", "sip" } counter name established
		ct state established,related accept
		iif rc udp dport { 53, 69, 5060 } ct state new accept
		meta l4proto icmpv6 accept
		counter name refused
	}
}
"""


def setup():
    net = Net()
    net.dir = tempfile.mkdtemp()
    os.chmod(net.dir, 0o755)
    with open(net.dir + "/file", "wb") as f:
        f.write(FILE)
    net.s.popen(program("in.tftpd"), "-L", "-u", "nobody", "-s", net.dir)
    busywait(20, lambda: listening(net.s, "udp", 69), "in.tftpd listens")
    return net


def fetch(net, family):
    host = f"[{Net.S[6]}]" if family == 6 else Net.S[4]
    net.c.run("curl", "-sS", "-m", "20", "-o", net.dir + "/got", f"tftp://{host}/file")
    with open(net.dir + "/got", "rb") as f:
        check(f.read() == FILE, "the file is not the same")


def tftp(net, ruleset):
    for family in FAMILIES:
        net.reset(ruleset)
        fetch(net, family)
        seen = net.counters()
        equal(seen["related"], 1, f"IPv{family}: packets that were related")
        check(seen["established"] >= 15, f"IPv{family}: packets of the transfer that were established: {seen}")
        equal(seen["refused"], 0, f"IPv{family}: packets that no rule wanted")
        net.where((0, 2), f"IPv{family}", proto="udp")


@case("TFTP: the server's answer comes from another port, and is related")
def _(net):
    tftp(net, RULES)


@case("TFTP behind masquerade")
def _(net):
    load_modules("nf_nat_tftp")
    tftp(net, RULES + MASQUERADE)


@case("TFTP without the helper: nothing comes back")
def _(net):
    net.reset(RULES.replace('udp dport 69 ct state new ct helper set "tftp"', ""))
    status, _, _ = net.c.run("curl", "-sS", "-m", "2", "-o", net.dir + "/got", f"tftp://{Net.S[4]}/file", ok=False)
    check(status != 0, "the file came through")
    check(net.counters()["refused"] > 0, "no answer was refused")
    net.where((1, 0), "the request", odport=69)


def sip(net, ruleset, family):
    """A call, and media to where the other side said that it would listen."""
    net.reset(ruleset)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    c, s = (f"[{a[family]}]" if family == 6 else a[family] for a in (Net.C, Net.S))
    uas = net.s.popen("sipp", "-sn", "uas", "-i", s, "-p", "5060", "-mi", s, "-mp", "6000", "-rtp_echo", "-nostdin",
                      **quiet)
    busywait(20, lambda: listening(net.s, "udp", 5060), "sipp listens")
    uac = net.c.popen("sipp", "-sn", "uac", f"{s}:5060", "-i", c, "-p", "5060", "-mi", c, "-mp", "7000", "-m", "1", "-d",
                      "1500", "-nostdin", **quiet)
    media = connect(net.c, Net.S[family], 6000, "udp", timeout=0.1)
    plain = Talk(net.c, net.s, Net.S[family], 53, proto="udp")

    def heard():
        try:
            media.send(b"\x80\0" + bytes(170))
            return len(media.recv(2000)) == 172
        except OSError:
            return False
    busywait(20, heard, f"IPv{family}: media comes back; {net.counters()}")
    for _ in range(3):
        check(heard(), "media comes back again")
    plain.alive()
    seen = net.counters()
    check(seen["related"] >= 1 and seen["established"] >= 4, f"IPv{family}: media: {seen}")
    net.where((0, 1), "the call", odport=5060)
    net.where((0, 1), "media", odport=6000)
    net.where((1, 0) if ruleset == RULES else translated(1), "a plain flow", odport=53)
    equal(uac.wait(30), 0, f"IPv{family}: exit status of the caller")
    uas.kill()
    uas.wait()
    media.close()
    plain.close()


@case("SIP: media is related to the call")
def _(net):
    for family in FAMILIES:
        sip(net, RULES, family)


@case("SIP behind masquerade")
def _(net):
    load_modules("nf_nat_sip")
    # Over IPv6 nf_nat_sip does not get sipp's call across, with or without flowtrack.
    sip(net, RULES + MASQUERADE, 4)


main(setup, teardown)
