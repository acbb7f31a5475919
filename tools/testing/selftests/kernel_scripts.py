#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own tests of netfilter, as Linux 6.12 has them: what passes with nf_conntrack alone passes with both modules."""
# TIMEOUT: 600

import shutil
import tempfile

from lib_ctnetlink import *

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.environ.get("FT_YNL", "/"))), "testing/selftests/net")
PROGRAMS = os.environ.get("FT_FOREIGN", "")
# Where NAT meets ports in use, synproxy, helpers, bridges, and who reads conntrack -L. Left out are nft_nat, nft_queue,
# nft_flowtable and br_netfilter, which take minutes each where all is emulated; IPVS has a test of its own, ipvs.py.
SCRIPTS = ("conntrack_reverse_clash", "nf_nat_edemux", "nft_synproxy", "conntrack_tcp_unreplied", "conntrack_icmp_related",
           "conntrack_sctp_collision", "conntrack_vrf", "nft_conntrack_helper", "br_netfilter_queue")
# What a kernel fails with nf_conntrack alone, now and then: 6.1's NAT changes the source port of a packet for which early
# demux has found another connection's socket, and leaves it with that.
BROKEN = {"nf_nat_edemux": "6.1."}
SKIP = 4


def setup():
    here = tempfile.mkdtemp()
    shutil.copytree(f"{SOURCE}/netfilter", f"{here}/netfilter")
    shutil.copy(f"{SOURCE}/lib.sh", here)
    for program in os.listdir(PROGRAMS):
        shutil.copy(f"{PROGRAMS}/{program}", f"{here}/netfilter")
    # Some refuse to run with modules from outside the kernel, and look for warnings, which the caller does of all tests.
    run("sed", "-i", f"s|/proc/sys/kernel/tainted|{here}/tainted|", f"{here}/netfilter/br_netfilter_queue.sh")
    with open(f"{here}/tainted", "w", encoding="ascii") as f:
        f.write("0\n")
    return f"{here}/netfilter"


def teardown(_here):
    for name in os.listdir("/run/netns"):
        run("ip", "netns", "del", name)


def execute(here, script, flowtrack):
    """Exit status, and what it said."""
    if flowtrack:
        load()
        swap(OURS)
    elif loaded():
        unload()
        run("modprobe", ORIGINAL)
    # No pipe: what a script leaves running would keep that open.
    with tempfile.TemporaryFile("w+") as said:
        try:
            # Shorter, where a script knows how: it is emulated.
            p = subprocess.run(["bash", f"./{script}.sh"], cwd=here, env=dict(os.environ, KSFT_MACHINE_SLOW="yes"), stdin=subprocess.DEVNULL,
                               stdout=said, stderr=subprocess.STDOUT, timeout=100 * SLOW, check=False)
            said.seek(0)
            return p.returncode, said.read()
        finally:
            teardown(here)


def add(script):
    @case(script)
    def _(here):
        if os.uname().release.startswith(BROKEN.get(script, "-")):
            raise Skipped("this kernel's NAT fails it alone, now and then")
        status, said = execute(here, script, FLOWTRACK)
        if status not in (0, SKIP) and FLOWTRACK:
            # Some want to be done in a second or two, and some want a later kernel.
            if execute(here, script, False)[0]:
                raise Skipped("fails with nf_conntrack alone, too")
            status, said = execute(here, script, True)
        if status == SKIP:
            raise Skipped("".join(said.splitlines()[-1:]).removeprefix("SKIP: "))
        check(status == 0, f"exit status {status}: {said[-2000:]}")


for _script in SCRIPTS:
    add(_script)
main(setup, teardown)
