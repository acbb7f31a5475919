#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The table under stress from two processors, while it is resized up and down: kunit/ft_stress.h, as a module. And
the limit of flows per source, which both meet at once.

FT_STRESS_KO is the module; selftest.sh sets it.
"""

import os

from lib import *

PARAMETERS = "/sys/module/ft_stress/parameters"
ENOUGH = {"lookups": 2000, "inserts": 500, "resizes": 5, "source_granted": 10000, "source_refused": 100}


def enough(seen):
    return all(seen.get(name, 0) >= least for name, least in ENOUGH.items())


def setup():
    """What came of it, added up; a slow machine gets more time."""
    seen = {}
    for ms in (3000, 6000, 12000, 24000):
        run("insmod", os.environ["FT_STRESS_KO"], f"ms={ms}")
        for name in os.listdir(PARAMETERS):
            with open(f"{PARAMETERS}/{name}") as f:
                values = [int(v) for v in f.read().split(",")]
            if name == "sections":
                seen[name] = [a + b for a, b in zip(values, seen.get(name, [0] * len(values)))]
            else:
                seen[name] = seen.get(name, 0) + values[0]
        run("rmmod", "ft_stress")
        if enough(seen):
            break
    return seen


def quantile(sections, part):
    """A number of nanoseconds that such a part of the sections did not take longer than: a power of two."""
    left = sum(sections) * part
    for i, n in enumerate(sections):
        left -= n
        if left <= 0:
            return 2 << i
    return 2 << len(sections)


@case("two processors at work: lookups, entries, ends and resizes", only="flowtrack")
def _(seen):
    check((os.cpu_count() or 1) > 1, "one processor only")
    check(enough(seen), f"results: {seen}")


@case("no lookup missed a flow that was there, in no walk one was missing, and none was there twice", only="flowtrack")
def _(seen):
    equal([seen[name] for name in ("missed", "unseen", "twins")], [0, 0, 0], f"results: {seen}")


@case("what was entered has ended, and no slot is left", only="flowtrack")
def _(seen):
    equal((seen["ends"], seen["left"]), (seen["inserts"], 0), f"results: {seen}")


@case("a resize keeps a bucket, and BHs off, for no longer than a packet may wait", only="flowtrack")
def _(seen):
    sections = seen["sections"]
    told = {part: quantile(sections, part) for part in (0.5, 0.9, 0.99, 0.999)}
    print(f"# {sum(sections)} sections; not longer than, in ns: {told}; the longest {seen['longest_ns']}")
    # An emulated processor is slow, and others take it away for milliseconds: that is in the longest ones.
    check(told[0.5] <= 131072, f"half of the sections took longer than 131 us: {sections}")


@case("a source never had one flow more than src_max, and none was remembered for longer than it had one", only="flowtrack")
def _(seen):
    print(f"# granted: {seen['source_granted']}, refused: {seen['source_refused']}")
    equal((seen["source_over"], seen["source_kept"]), (0, 0), f"results: {seen}")


main(setup)
