#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Judge what bench.py and smp.py measured, and make a table of it: report.py JSON SMP-JSON EXPECTED MARKDOWN CASE

JSON is written again, with the cases of both. Judged is whether the figures mean something: every case is there, none is void. How good they are is for the reader.
CASE is a regular expression: only cases whose name it finds were asked for.
The last line is "counts PASSED FAILED SKIPPED".
"""

import json
import re
import sys

# What is to be reached at 1 M, 100 k and 10 k flows: ratio at most.
GOALS = {
    "established/udp4": (0.62, None, 0.80), "established/tcp4": (0.62, None, 0.80), "established/tcp6": (0.62, None, 0.80),
    "group8/udp4": (0.33, 0.45, 0.75), "group8/tcp4": (0.33, 0.45, 0.75), "group8/tcp6": (0.42, 0.55, 0.80),
    "zipf8/udp4": (0.40,), "zipf8/tcp4": (0.40,), "zipf8/tcp6": (0.40,),
    "receive8/udp4": (0.667,), "receive8/tcp4": (0.667,),
    "new8/udp4": (0.20,), "new8/tcp4": (0.20,), "new8/tcp6": (0.20,),
    "dropped8/udp4": (0.22,), "dropped8/tcp4": (0.22,), "dropped8/tcp6": (0.22,),
    "new/udp4": (0.40, 0.45), "new/tcp4": (0.40, 0.45), "new/tcp6": (0.40, 0.45),
    "dropped/udp4": (0.30, 0.35), "dropped/tcp4": (0.30, 0.35), "dropped/tcp6": (0.30, 0.35),
    "full-evict/udp4": (0.50,), "memory/udp4": (0.40,), "memory/tcp4": (0.40,),
    "list/udp4": (0.33,), "list-json/udp4": (0.33,),
}
# Beside NAT: flows that are guarded, and translated flows of flowtrack's own.
for _tag, _established, _new in (("/dnat", 1.05, 1.10), ("/snat", 1.05, 1.10), ("-half/dnat", 1.15, 1.10)):
    GOALS |= {f"nat-established{_tag}": (_established,) * 3, f"nat-new{_tag}": (_new,) * 3}
for _tag in ("/dnat-own", "/snat-own", "/dnat-own-tcp", "/snat-own-tcp"):
    GOALS |= {f"nat-established{_tag}": (0.60, None, 1.0), f"nat-new{_tag}": (1.0,) * 3, f"nat-memory{_tag}": (0.55,)}

# And how much more at 4 M than at 1 M, beyond what two dependent reads cost more.
FLAT = 1.35


def stem(name):
    return name.rsplit("/", 1)[0]


def goal(name):
    flows = int(name.rsplit("/", 1)[1])
    return dict(zip((1000000, 100000, 10000), GOALS.get(stem(name), ()))).get(flows)


def number(value):
    return "-" if value is None else f"{value:.3f}" if value < 10 else f"{value:,.0f}"


def flat(cases):
    """How much more a packet costs at four times as many flows, beyond what two dependent reads cost more."""
    if not {"floor/1000000", "floor/4000000"} <= cases.keys():
        return
    more = cases["floor/4000000"]["ns"] - cases["floor/1000000"]["ns"]
    for name in (f"{work}/{proto}" for work in ("established", "new", "dropped") for proto in ("udp4", "tcp4", "tcp6")):
        one, four = cases.get(f"{name}/1000000"), cases.get(f"{name}/4000000")
        if not one or not four:
            continue
        ct, ft = ((four[who] - more) / one[who] for who in ("ct_ns", "ft_ns"))
        yield (f"{name}: at 4 M flows {ft:.2f} × what it costs at 1 M, without the {more:.0f} ns that two dependent reads "
               f"cost more (nf_conntrack: {ct:.2f} ×; must: ≤ {FLAT}{' **missed**' if ft > FLAT else ''}).")


def table(result):
    cases = result["cases"]
    lines = ["| work / protocol / flows | nf_conntrack | nf_flowtrack | ratio | must | unit |", "|---|--:|--:|--:|--:|---|"]
    for name, case in cases.items():
        ct = case.get("ct_ns", case.get("ct"))
        ft = case.get("ft_ns", case.get("ft", case.get("ns")))
        must, ratio = goal(name), case.get("ratio")
        mark = "" if not must or not ratio else f"≤ {must}" + ("" if ratio <= must else " **missed**")
        lines.append(f"| {name} | {number(ct)} | {number(ft)} | {number(ratio)} | {mark} | {case['unit']} |")
    for name, case in cases.items():
        if name.startswith("floor/"):
            own = cases.get(f"established/udp4/{name.rsplit('/', 1)[1]}")
            if own:
                lines += ["", f"{name}: an established packet costs {own['ft_ns'] / case['ns']:.2f} × two dependent reads "
                              f"(nf_conntrack: {own['ct_ns'] / case['ns']:.2f} ×)."]
    for line in flat(cases):
        lines += ["", line]
    harness = [case["harness_ns"] for case in cases.values() if "harness_ns" in case]
    if harness:
        lines += ["", f"Subtracted for harness and hooks: {min(harness):.0f} to {max(harness):.0f} ns per packet. "
                      f"Kernel {result['kernel']}, CPU {result['cpu']}, medians of {result['rounds']} rounds."]
    return "\n".join(lines) + "\n"


def main():
    source, more, expected, markdown, case = sys.argv[1:]
    failed = []
    with open(expected, encoding="ascii") as f:
        wanted = {name for name in f.read().split() if re.search(case, name)}
    smp = {"cases": {}, "kernel": None}
    try:
        with open(source, encoding="utf-8") as f:
            result = json.load(f)
        if any(name.startswith("smp-") for name in wanted):
            with open(more, encoding="utf-8") as f:
                smp = json.load(f)
    except (OSError, ValueError) as e:
        print(f"not ok the benchmark left no result: {e}\ncounts 0 1 0")
        return 1
    result["cases"] |= smp["cases"]
    result["kernel_smp"] = smp["kernel"]
    if "void" in smp:
        result.setdefault("void", smp["void"])
    with open(source, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    got = {stem(name) for name in result["cases"]}
    failed += [f"missing: {name}" for name in sorted(wanted - got)]
    # With those that were asked for come others that are measured at the same time.
    failed += [f"not in {expected}: {name}" for name in sorted(got - wanted) if not case]
    if "void" in result:
        failed.append(f"void: {result['void']}")
    text = table(result)
    with open(markdown, "w", encoding="utf-8") as f:
        f.write(text)
    print(text, end="")
    for line in failed:
        print(f"not ok {line}")
    print(f"counts {len(wanted & got)} {len(failed)} 0")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
