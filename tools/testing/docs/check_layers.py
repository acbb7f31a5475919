#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The floors of Documentation/architecture.rst against the module: nothing includes or calls upward, or in a circle.

    check_layers.py [DIRECTORY]

A unit is a .c and .h of one name. What it uses is read from its include lines and, with the DIRECTORY of a build, from
the symbols that its object needs: calls run where includes do not. So each unit has to have an object there, but for those
that Kbuild builds only for tests. One header may include what is above it, net.h: it embeds what the floors keep for a
namespace, and its own head says so.
"""

import os
import re
import subprocess
import sys

from common import check, finish, read

DOC = "Documentation/architecture.rst"
EXCEPT = "kmod/net.h"


def rows(text, head):
    """The rows of the table of which the first column is called HEAD: [[cell, ...], ...]."""
    found = re.search(rf"^(=+(?:  +=+)+)\n{head} .*\n\1\n(.*?)\n\1\n", text, re.M | re.S)
    if not found:
        return []
    width = found.group(1).index(" ")
    cells = []
    for line in found.group(2).splitlines():
        if line[:width].strip():
            cells.append([line[:width], line[width:]])
        else:
            cells[-1][1] += " " + line.strip()
    return cells


def names(cell):
    return re.findall(r"``(\w+)``", cell)


def sources():
    """{unit: [file, ...]} of kmod/ and uapi/, where kmod/flow/table.c and .h are the unit flow/table."""
    units = {}
    for top in ("kmod", "uapi"):
        for folder, _, files in os.walk(top):
            for file in files:
                name = os.path.join(folder, file)
                if name.endswith((".c", ".h")):
                    unit = name[:-2] if top == "uapi" else name[len("kmod/"):-2]
                    units.setdefault(unit, []).append(name)
    return units


def includes(units):
    """(user, used, how) of each include line that leads into the tree."""
    for unit, files in units.items():
        for name in files:
            if name == EXCEPT:
                continue
            for path in re.findall(r'^\s*#\s*include\s+["<]([^">]+)\.h[">]', read(name), re.M):
                beside = os.path.normpath(os.path.join(os.path.dirname(unit), path))
                used = next((u for u in (path, "uapi/" + path, beside) if u in units), unit)
                if used != unit:
                    yield unit, used, f"{name} includes {path}.h"


def unbuilt(units, build):
    """Units of which no symbol can be seen: not in Kbuild, or without an object in BUILD."""
    text = read("Kbuild")
    always = re.sub(r"^ifeq \(\$\((?:KUNIT|STRESS)\),1\)\n.*?^endif$", "", text, flags=re.M | re.S)
    for unit, files in sorted(units.items()):
        if f"kmod/{unit}.c" not in files:
            continue
        if f"kmod/{unit}.o" not in text:
            yield f"kmod/{unit}.c: not in Kbuild"
        elif f"kmod/{unit}.o" in always and not os.path.exists(f"{build}/kmod/{unit}.o"):
            yield f"kmod/{unit}.c: no object in {build}"


def symbols(units, build):
    """(user, used, how) of each symbol that one object of BUILD needs and another one has."""
    defined, needed = {}, []
    for unit, files in units.items():
        name = f"{build}/kmod/{unit}.o"
        if f"kmod/{unit}.c" not in files or not os.path.exists(name):
            continue
        listing = subprocess.run(["nm", name], capture_output=True, text=True, check=True).stdout
        for kind, symbol in re.findall(r"([A-Za-z]) (\S+)$", listing, re.M):
            if kind == "U":
                needed.append((unit, symbol))
            elif kind.isupper():
                defined[symbol] = unit
    for unit, symbol in needed:
        used = defined.get(symbol, unit)
        if used != unit:
            yield unit, used, f"kmod/{unit}.c needs {symbol} of kmod/{used}.c"


def upward(uses, level):
    """What runs up, or sideways on one floor. LEVEL: {floor: number}, the lowest is 0."""
    for user, used, how in uses:
        above, below = (unit.split("/")[0] for unit in (user, used))
        if above != below and level.get(above, -1) <= level.get(below, -1):
            yield f"{how}: {above} is not above {below}"


def disordered(uses, folder, order):
    """What runs against the ORDER, [[unit, ...], ...], within a FOLDER."""
    level = {f"{folder}/{unit}": -n for n, group in enumerate(order) for unit in group}
    for user, used, how in uses:
        if user in level and used in level and level[user] <= level[used]:
            yield f"{how}: {user} is not above {used}"


def circles(uses):
    """Units that use each other in a circle, by Tarjan's strongly connected components."""
    graph = {}
    for user, used, _ in uses:
        graph.setdefault(user, set()).add(used)
        graph.setdefault(used, set())
    index, low, stack, found = {}, {}, [], []

    def visit(unit):
        index[unit] = low[unit] = len(index)
        stack.append(unit)
        for used in sorted(graph[unit]):
            if used not in index:
                visit(used)
                low[unit] = min(low[unit], low[used])
            elif used in stack:
                low[unit] = min(low[unit], index[used])
        if low[unit] == index[unit]:
            at = stack.index(unit)
            found.append(stack[at:])
            del stack[at:]

    for unit in sorted(graph):
        if unit not in index:
            visit(unit)
    for circle in found:
        if len(circle) > 1:
            yield "a circle: " + ", ".join(sorted(circle))
            yield from ("  " + how for user, used, how in uses if user in circle and used in circle)


def main():
    text = read(DOC)
    floors = [names(cell) for cell, _ in rows(text, "floor")]
    level = {floor: -n for n, row in enumerate(floors) for floor in row}
    units = sources()
    check("layers: there are floors", [] if len(floors) > 2 else [f"{len(floors)} floors in {DOC}"])
    check("layers: the floors are those of the tree",
          [f"no floor for {files[0]}" for unit, files in units.items() if unit.split("/")[0] not in level] +
          [f"nothing on floor {floor}" for floor in level if floor not in {unit.split("/")[0] for unit in units}])
    uses = list(includes(units))
    if len(sys.argv) > 1:
        found = list(symbols(units, sys.argv[1]))
        check("layers: there are objects", [] if found else [f"none in {sys.argv[1]}"])
        check("layers: every unit has one", unbuilt(units, sys.argv[1]))
        uses += found
    uses = list(dict.fromkeys(uses))
    check("layers: nothing runs upward", upward(uses, level))
    for cell, order in rows(text, "folder"):
        folder, = names(cell)
        groups = [names(group) for group in order.split(">")]
        check(f"layers: the order in {folder}/",
              [f"no unit {folder}/{unit}" for group in groups for unit in group if f"{folder}/{unit}" not in units] +
              list(disordered(uses, folder, groups)))
    check("layers: no circle", circles(uses))
    finish()


main()
