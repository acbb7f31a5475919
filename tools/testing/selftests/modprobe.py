#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The file in modprobe.d: who asks for either module that speaks ctnetlink gets which, and how the machine gets the original back."""

import glob
import platform
import shutil

from lib_ctnetlink import *

RULES = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../boot/nf_flowtrack.modprobe")
NEEDED = ("nf_conntrack_netlink", "nf_defrag_ipv4", "nf_defrag_ipv6", "nfnetlink", "nf_tables")


class Machine:
    """A tree of modules as an installation leaves it, and the modprobe that reads that one, for the kernel, too."""

    def __init__(self):
        self.dir = os.path.realpath("machine")
        release = platform.release()
        modules = f"{self.dir}/lib/modules/{release}"
        for directory in (f"{modules}/kernel", f"{modules}/updates", f"{self.dir}/conf", f"{self.dir}/bin"):
            os.makedirs(directory)
        for name in NEEDED:
            # Whatever the machine's own modprobe.d says: flowtrack may be installed there.
            for line in run("modprobe", "--ignore-install", "--show-depends", name)[1].splitlines():
                if line.startswith("insmod"):
                    shutil.copy(line.split()[1], f"{modules}/kernel/")
        for name in glob.glob(f"/lib/modules/{release}/modules.builtin*") + [f"/lib/modules/{release}/modules.order"]:
            if os.path.exists(name):
                shutil.copy(name, modules)
        for ko in (KO, CTNL_KO):
            shutil.copy(ko, f"{modules}/updates/")
        shutil.copy(RULES, f"{self.dir}/conf/nf_flowtrack.conf")
        run("depmod", "-b", self.dir, release)
        self.program = f"{self.dir}/bin/modprobe"
        real = shutil.which("modprobe")
        with open(self.program, "w") as f:
            # The commands in the file call modprobe, too.
            f.write(f'#!/bin/sh\nPATH={self.dir}/bin:$PATH\nexport PATH\nexec {real} -d {self.dir} -C {self.dir}/conf "$@"\n')
        os.chmod(self.program, 0o755)
        self.outer = modprobe(self.program)
        self.outer.__enter__()

    def modprobe(self, *args, ok=True):
        return run(self.program, *args, ok=ok)

    def clean(self):
        """Neither flowtrack nor any ctnetlink."""
        for name in (OURS, MODULE, ORIGINAL):
            if there(name):
                busywait(10, lambda n=name: run("rmmod", n, ok=False)[0] == 0, f"rmmod {name}")

    def end(self):
        self.outer.__exit__(None, None, None)
        self.clean()


def there(name):
    return os.path.isdir("/sys/module/" + name)


def loaded_are(flowtrack, ours, original):
    equal((there(MODULE), there(OURS), there(ORIGINAL)), (flowtrack, ours, original), f"loaded: {MODULE}, {OURS}, {ORIGINAL}")


@case("with nf_flowtrack comes its ctnetlink, and takes the place of the original, which goes", only="flowtrack")
def _(machine):
    for before in (False, True):
        machine.clean()
        if before:
            machine.modprobe(ORIGINAL)
            loaded_are(False, False, True)
        machine.modprobe(MODULE)
        loaded_are(True, True, False)


@case("who asks for nf_conntrack_netlink by name, or has the kernel ask by opening a socket, gets ours", only="flowtrack")
def _(machine):
    for how in ("name", "alias", "socket"):
        machine.clean()
        machine.modprobe(MODULE)
        run("rmmod", OURS)
        loaded_are(True, False, False)
        if how == "socket":
            ns = Ns("asks")
            equal(ns.run("conntrack", "-L")[0], 0, "status of conntrack -L")
            ns.delete()
        else:
            machine.modprobe(ORIGINAL if how == "name" else "nfnetlink-subsys-1")
        loaded_are(True, True, False)
        # And once it is there.
        machine.modprobe(ORIGINAL)
        loaded_are(True, True, False)


@case("without nf_flowtrack they get the original", only="flowtrack")
def _(machine):
    for name in (ORIGINAL, "nfnetlink-subsys-1"):
        machine.clean()
        machine.modprobe(name)
        loaded_are(False, False, True)


@case("an original that is in use stays, is told of in one line, and what it does goes on", only="flowtrack")
def _(machine):
    machine.clean()
    machine.modprobe(ORIGINAL)
    ns = Ns("busy")
    ns.run("modprobe", "-q", "nf_conntrack")
    ns.nft("table inet t {\n chain c {\n type filter hook input priority 0\n ct state new\n }\n}")
    reader = Ctnl(ns)
    # A dump that nobody reads to its end holds the module.
    for port in range(2000):
        both = (tuple_attr(TUPLE_ORIG, 4, "192.0.2.1", "192.0.2.2", UDP, 1000 + port, 53) +
                tuple_attr(TUPLE_REPLY, 4, "192.0.2.2", "192.0.2.1", UDP, 53, 1000 + port))
        equal(reader.request(CT_NEW, both + be32(TIMEOUT, 300), CREATE, family=4)[0], 0, "error")
    reader.sock.send(struct.pack("=IHHIIBBH", 20, SUBSYS << 8 | CT_GET, REQUEST | DUMP, 99, 0, 0, 0, 0))
    log = Kmsg()
    machine.modprobe(MODULE, ok=False)
    lines = [line for line in log.read() if line.startswith(OURS)]
    log.close()
    loaded_are(True, False, True)
    equal(len(lines), 1, f"lines in the kernel's log: {lines}")
    check("modprobe -r nf_conntrack_netlink" in lines[0], lines[0])
    found = 0
    while True:
        kinds = [kind for kind, _, _, _ in reader.messages()]
        found += kinds.count(SUBSYS << 8 | CT_NEW)
        if 3 in kinds:
            break
    equal(found, 2000, "connections in the dump")
    reader.close()
    ns.delete()
    # What the line says helps.
    busywait(10, lambda: machine.modprobe("-r", ORIGINAL, ok=False)[0] == 0, "modprobe -r of the original")
    machine.modprobe(OURS)
    loaded_are(True, True, False)


@case("unloaded, by modprobe or rmmod: the original can be loaded, and answers", only="flowtrack")
def _(machine):
    for how in ("modprobe -r", "rmmod"):
        machine.clean()
        machine.modprobe(MODULE)
        if how == "rmmod":
            run("rmmod", OURS, MODULE)
        else:
            machine.modprobe("-r", MODULE)
        loaded_are(False, False, False)
        ns = Ns("asks")
        equal(ns.run("conntrack", "-L")[0], 0, "status of conntrack -L")
        loaded_are(False, False, True)
        ns.delete()


def teardown(machine):
    Ns.delete_all()
    if machine:
        machine.end()


main(Machine, teardown)
