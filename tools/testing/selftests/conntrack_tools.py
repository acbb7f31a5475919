#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""conntrack-tools' own test suite, tests/conntrack of its source: each command ends and says what it does with the original."""
# TIMEOUT: 500

from lib_ctnetlink import *

SOURCE = os.environ.get("FT_CONNTRACK_TOOLS", "")
SUITE = os.path.join(SOURCE, "tests/conntrack/testsuite")


def commands(name):
    """[(line, command for a shell, whether it shall succeed), ...] of a file, as test-conntrack.c makes them of it."""
    found, pipe, stdin = [], "", None
    with open(f"{SUITE}/{name}") as f:
        for n, text in enumerate(f, 1):
            if text[0] in "# ":
                continue
            args, _, rest = text.rstrip("\n").partition(";")
            rest = rest.strip(" \t")
            if not rest:
                # A line of the standard input of the next command.
                stdin = args if stdin is None else f"{stdin}\n{args}"
                continue
            if stdin is not None:
                pipe, stdin = f'{pipe}echo "{stdin}" | ', None
            pipe += f"conntrack {args.removeprefix('conntrack ')}"
            if rest[0] == "|":
                edit = rest[1:].strip(" \t")
                pipe += f' | sed "{edit}" | ' if edit else " | "
                continue
            found.append((n, pipe, rest[0] == "O"))
            pipe = ""
    return found


def blurred(text):
    """Without what a second changes."""
    return re.sub(r"^((?:ipv\d +\d+ +)?\w+ +\d+|-A -t) \d+ ", r"\1 T ", text, flags=re.M)


def perform(ns, module, name):
    """What became of each command: its line, what it was, status, output, what it said."""
    swap(module)
    ns.conntrack_flush()
    log = []
    for line, command, _ in commands(name):
        status, out, err = ns.run("sh", "-c", command, ok=False)
        log.append((line, command, status, sorted(blurred(out).splitlines()), sorted(err.splitlines())))
    ns.conntrack_flush()
    return log


def unexpected(name, log):
    """Of the suite's own judgement."""
    return [entry[:3] for entry, (_, _, good) in zip(log, commands(name)) if (entry[2] == 0) != good]


def add_case(name):
    @case(f"tests/conntrack/testsuite/{name}", only="flowtrack")
    def _(ns):
        ns.sysctl("enable", 0)
        try:
            theirs = perform(ns, ORIGINAL, name)
        finally:
            ns.sysctl("enable", 1)
        ours = perform(ns, OURS, name)
        check(len(theirs) > 2, f"only {len(theirs)} commands")
        for a, b in zip(ours, theirs):
            equal(a, b, "a command")
        equal(unexpected(name, theirs), [], "commands that do not end as the suite has it, with the original either")


if os.path.isdir(SUITE):
    for file in sorted(os.listdir(SUITE)):
        add_case(file)


def setup():
    load_if_wanted()
    # conntrack -R - reads it by that name.
    if not os.path.exists("/dev/stdin"):
        os.symlink("/proc/self/fd/0", "/dev/stdin")
    run("modprobe", "-a", "nf_nat", "nf_conntrack_ftp")
    ns = Ns("r")
    # Hooks, and so a table of ours, in a namespace without devices.
    ns.sysctl("enable", 1)
    return ns


def teardown(_ns):
    Ns.delete_all()
    swap(OURS)
    unload_nat()


if not os.path.isdir(SUITE):
    print("1..0 # SKIP conntrack-tools' source cannot be had: see conntrack-tools.log")
    sys.exit(4)
main(setup, teardown)
