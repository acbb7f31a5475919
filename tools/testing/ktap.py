#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Judges what the KUnit kernel and the selftest guests left behind.

ktap.py kunit [--expected FILE] [--update] DMESG
ktap.py selftest --kernel VERSION [--expected FILE] [--update] DIR TEST...
ktap.py plain LOG EXIT-STATUS

Prints what failed and why, and as its last line "counts PASSED FAILED SKIPPED". Silence is a failure everywhere:
a suite or test that is expected and does not appear, a plan that is not fulfilled, a missing end mark.
"""

import argparse
import fnmatch
import os
import re
import sys

# In a trace: a function of ours.
OURS = re.compile(r"\[(?:nf_flowtrack|ft_stress)\]")
# What a kernel says when something is wrong with it. Taint alone would miss half of these.
COMPLAINTS = re.compile(
    r"WARNING: |BUG: |BUG kmalloc|BUG nf_|BUG ft_|Oops|KASAN|UBSAN|ODEBUG|cut here|Kernel panic|general protection"
    r"|Unable to handle|possible circular|possible recursive|inconsistent lock|suspicious RCU|invalid wait context"
    r"|sleeping function|scheduling while atomic|held lock freed|bad unlock balance|lock held when returning"
    r"|unreferenced object|suspected memory leak|refcount_t: |list_(?:add|del) corruption|double free"
    r"|unregister_netdevice: waiting|leaked reference|Objects remaining|rcu: INFO:|rcu_.*detected stall"
    r"|blocked for more than|soft lockup|hard LOCKUP|usercopy|DEBUG_LOCKS_WARN|Bad page|segfault at|sysctl table check"
    # What the kernel says of a function of ours, whatever it says: "work func gc_work [nf_flowtrack] enqueued on ..."
    r"|" + OURS.pattern
)
TIMESTAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+(?:,\d+)?\] ?")
RESULT = re.compile(r"^(ok|not ok)\b *(\d*) *(?:- )?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(.*)$")
# Taint bits that a test may not set: BAD_PAGE, DIE, WARN, SOFTLOCKUP. An out-of-tree module and KUnit set others.
TAINT_MASK = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def read_expected(path, score, kernel=None):
    """Lines "NAME COUNT" or "NAME COUNT KERNEL"; the latter wins for that kernel."""
    counts = {}
    for number, line in enumerate(read(path).splitlines(), 1):
        fields = line.split("#")[0].split()
        if not fields:
            continue
        if len(fields) > 3 or not fields[1:] or not fields[1].isdigit():
            score.fail(f"{path}:{number}: not NAME COUNT [KERNEL]: {line}")
            continue
        where = counts.setdefault(fields[2] if fields[2:] else None, {})
        if fields[0] in where:
            # The count of one of them would be believed, and the other one never looked at.
            score.fail(f"{path}:{number}: {fields[0]} is listed twice")
        where[fields[0]] = int(fields[1])
    return {**counts.get(None, {}), **counts.get(kernel, {})}


def parse_ktap(lines):
    """Results at one level of indentation: (plan or None, [(status, name, directive)])."""
    plan, results = None, []
    for line in lines:
        m = PLAN.match(line)
        if m:
            plan = int(m[1])
            if plan == 0 and "SKIP" in m[2].upper():
                results.append(("skip", "everything", m[2].strip(" #")))
            continue
        m = RESULT.match(line)
        if not m:
            continue
        name, _, directive = m[3].partition(" # ")
        if m[3].startswith("# "):
            name, directive = "", m[3][2:]
        if directive.upper().startswith("SKIP"):
            status = "skip"
        elif m[1] == "ok":
            status = "ok"
        else:
            status = "fail"
        results.append((status, name.strip(), directive))
    return plan, results


def complaints(lines):
    # kmemleak's own count has leaks of the boot in it, which are left out of the list that common.sh makes.
    return [line for line in lines
            if COMPLAINTS.search(line) and not re.search(r"kmemleak: \d+ new suspected memory leaks", line)]


def without_reports_on_others(lines):
    """A kernel log without reports in whose traces there is no function of ours, of two kinds: races that KCSAN sees, and
    lists that are traversed outside of RCU's sections. The kernel has many of them: all of nf_tables holds a mutex instead."""
    rule = "=" * 66
    out, block, end = [], [], None
    for line in lines:
        if "flowtrack-selftest: " in line:
            out.append(line)
            continue
        begins = not block and (line.endswith(rule) or "WARNING: suspicious RCU usage" in line)
        if not block and not begins:
            out.append(line)
            continue
        if begins:
            end = rule if line.endswith(rule) else "</TASK>"
        block.append(line)
        if not begins and line.endswith(end):
            known = end != rule or any("BUG: KCSAN" in b for b in block)
            if not known or any(OURS.search(b) for b in block):
                out += block
            block = []
    return out + block


class Score:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def fail(self, what, *details):
        self.failed += 1
        print(f"not ok {what}")
        for line in details:
            print(f"    # {line}")

    def add(self, results):
        for status, _, _ in results:
            self.passed += status == "ok"
            self.failed += status == "fail"
            self.skipped += status == "skip"

    def end(self):
        print(f"counts {self.passed} {self.failed} {self.skipped}")
        return 1 if self.failed or not self.passed + self.skipped else 0


def update_file(path, counts, kernel=None):
    """Set the counts of the names that ran, keep comments and other names."""
    left = dict(counts)
    out = []
    for line in read(path).splitlines():
        fields = line.split("#")[0].split()
        if fields and fields[0] in counts and (len(fields) == 2 or fields[2:3] == [kernel]):
            line = " ".join([fields[0], str(left.pop(fields[0], counts[fields[0]]))] + fields[2:3])
        out.append(line)
    out += [f"{name} {count}" for name, count in sorted(left.items())]
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")


def kunit_suites(lines):
    """{suite: (plan, results, messages)} of all suites in a kernel log, in order."""
    suites, name, block = {}, None, []
    for line in lines:
        if line.startswith("    # Subtest: "):
            name, block = line[len("    # Subtest: "):].strip(), []
        elif name is not None:
            m = RESULT.match(line)
            if m and m[3].partition(" # ")[0].strip() == name:
                suites[name] = parse_suite(block, m[1] == "ok")
                name = None
            else:
                block.append(line)
    if name is not None:
        suites[name] = parse_suite(block, False)
        suites[name][2].append("the suite did not end")
    return suites


def parse_suite(block, ok):
    plan, results = parse_ktap(line[4:] for line in block if line.startswith("    ") and line[4:5] != " ")
    noise = re.compile(r"\s*(?:ok |KTAP version|\d+\.\.\d+$|# Subtest|# module:)|.*# Totals|# .*: pass:\d")
    messages = [line for line in block if not noise.match(line)]
    if not ok and not any(r[0] == "fail" for r in results) and results:
        messages.append("the suite failed though no case did (suite_init or suite_exit?)")
    return plan, results, messages, ok


def judge_kunit(args):
    score = Score()
    lines = [TIMESTAMP.sub("", line) for line in read(args.log).splitlines()]
    begin = next((i for i, line in enumerate(lines) if "flowtrack-kunit: begin" in line), None)
    if begin is None:
        score.fail("the kernel never got as far as loading the module")
        return score.end()
    lines = lines[begin:]
    suites = kunit_suites(lines)
    if args.update:
        update_file(args.expected, {name: len(s[1]) for name, s in suites.items()})
    expected = read_expected(args.expected, score) if args.expected else {}
    if args.only:
        expected = {name: n for name, n in expected.items() if fnmatch.fnmatchcase(name, args.only)}
    for name, (plan, results, messages, ok) in suites.items():
        score.add(results)
        bad = [r for r in results if r[0] == "fail"]
        print(f"{'not ok' if bad or not ok else 'ok'} {name}: {len(results)} cases"
              + "".join(f"\n    # failed: {r[1]}" for r in bad))
        for line in messages if bad or not ok else []:
            print(f"    {line}")
        if not ok and not bad:
            score.fail(f"{name}: the suite as a whole")
        if plan != len(results):
            score.fail(f"{name}: {plan} cases were planned, {len(results)} ran")
        if name not in expected:
            score.fail(f"{name}: not listed in kunit/expected (make kunit UPDATE=1)")
        elif expected[name] != len(results):
            score.fail(f"{name}: kunit/expected says {expected[name]} cases, {len(results)} ran")
    for name in expected:
        if name not in suites:
            score.fail(f"{name}: the suite did not run")
    found = complaints(lines)
    if found:
        context = [line for i, line in enumerate(lines) if any(complaints(lines[max(0, i - 12):i + 1]))]
        score.fail(f"the kernel complained {len(found)} times", *context[:120])
    if not any("flowtrack-kunit: end" in line for line in lines):
        score.fail("the kernel did not reach the end", *lines[-20:])
    return score.end()


def split_by_test(lines):
    """The kernel log between the marks that the guest's runner writes; of guests one after the other, too."""
    sections, current = {}, None
    for line in lines:
        if re.match(r"(\[[ \d.]+\] )?Linux version ", line):
            current = None
        m = re.search(r"flowtrack-selftest: (begin|end) (\S+)", line)
        if m:
            current = m[2] if m[1] == "begin" else "between tests"
        sections.setdefault(current or "before the tests", []).append(line)
    return sections


def judge_selftest(args):
    score = Score()
    kmsg = without_reports_on_others(read(os.path.join(args.dir, "kmsg")).splitlines())
    console = without_reports_on_others(read(args.console).splitlines() if args.console else [])
    sections = split_by_test(kmsg)
    for name, lines in split_by_test(console).items():
        # The console has what the guest could not write any more when it died.
        if complaints(lines) and not complaints(sections.get(name, [])):
            sections.setdefault(name, []).extend(lines)
    expected = read_expected(args.expected, score, args.kernel) if args.expected else {}
    counts = {}
    for test in args.tests:
        counts[test] = judge_test(score, args, test, sections.get(test, []), expected.get(test))
    if args.update:
        update_file(args.expected, {t: n for t, n in counts.items() if n is not None}, args.kernel)
    if args.all:
        for name in expected:
            if name not in args.tests:
                score.fail(f"{name}: listed in selftests/expected, but there is no such test")
    found = complaints(sections.get("between tests", []))
    if found:
        score.fail("the kernel complained between tests", *found)
    return score.end()


def judge_test(score, args, test, kernel_log, expected):
    base = os.path.join(args.dir, test)
    if os.path.exists(base + ".unrun") and not os.path.exists(base + ".status"):
        score.skipped += expected or 1
        print(f"ok {test} [{args.kernel}] # SKIP no time was left for it")
        return None
    status, log = read(base + ".status").strip(), read(base + ".log").splitlines()
    plan, results = parse_ktap(log)
    reasons = []
    if status == "":
        reasons.append("it did not run to its end: the guest died or hung")
    elif status == "124" or status == "137":
        reasons.append("timeout")
    elif status not in ("0", "4") and not any(r[0] == "fail" for r in results):
        reasons.append(f"exit status {status}, though no case failed")
    elif status == "0" and any(r[0] == "fail" for r in results):
        reasons.append("exit status 0, though a case failed")
    if plan is None:
        reasons.append("no plan (1..N)")
    elif plan != len(results) and not (plan == 0 and results):
        reasons.append(f"{plan} cases were planned, {len(results)} reported")
    if not args.update:
        if expected is None:
            reasons.append("not listed in selftests/expected (make selftest UPDATE=1)")
        elif expected != len(results):
            reasons.append(f"selftests/expected says {expected} cases, {len(results)} reported")
    taint = read(base + ".taint").split()
    if len(taint) == 2 and int(taint[1]) & TAINT_MASK & ~int(taint[0]):
        reasons.append(f"the kernel is tainted: {taint[0]} -> {taint[1]}")
    reasons += read(base + ".leftover").splitlines()
    found = complaints(kernel_log)
    if found:
        reasons.append("the kernel complained:")
        reasons += ["  " + line for line in kernel_log if COMPLAINTS.search(line) or "Call Trace" in line][:30]
    score.add(results)
    seconds = read(base + ".seconds").strip() or "?"
    bad = [r for r in results if r[0] == "fail"]
    skipped = [r for r in results if r[0] == "skip"]
    summary = f"{test} [{args.kernel}]: {len(results)} cases, {seconds} s"
    if reasons:
        score.fail(summary, *reasons)
    else:
        print(f"{'not ok' if bad else 'ok'} {summary}")
    for _, name, _ in bad:
        print(f"    # failed: {name}")
    for _, name, why in skipped:
        print(f"    # skipped: {name} ({why})")
    if bad or reasons:
        for line in log[-args.tail:]:
            print(f"    | {line}")
    return len(results) if status in ("0", "1") and plan == len(results) else None


def judge_plain(args):
    """A program that prints KTAP and exits, with nothing else to look at."""
    score = Score()
    log = read(args.log).splitlines()
    plan, results = parse_ktap(log)
    score.add(results)
    for status, name, _ in results:
        if status == "fail":
            print(f"not ok {name}")
    if not results or plan != len(results):
        score.fail(f"{plan} cases were planned, {len(results)} reported")
    if args.status != 0 and not score.failed:
        score.fail(f"exit status {args.status}, though no case failed")
    if score.failed:
        print("\n".join("    | " + line for line in log[-60:]))
    return score.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sub = parser.add_subparsers(dest="what", required=True)
    kunit = sub.add_parser("kunit")
    kunit.add_argument("log")
    kunit.add_argument("--only")
    selftest = sub.add_parser("selftest")
    selftest.add_argument("dir")
    selftest.add_argument("tests", nargs="*")
    selftest.add_argument("--kernel", required=True)
    selftest.add_argument("--console")
    selftest.add_argument("--all", action="store_true", help="the tests given are all there are")
    selftest.add_argument("--tail", type=int, default=60)
    plain = sub.add_parser("plain")
    plain.add_argument("log")
    plain.add_argument("status", type=int)
    for p in (kunit, selftest):
        p.add_argument("--expected")
        p.add_argument("--update", action="store_true")
    args = parser.parse_args()
    return {"kunit": judge_kunit, "selftest": judge_selftest, "plain": judge_plain}[args.what](args)


if __name__ == "__main__":
    sys.exit(main())
