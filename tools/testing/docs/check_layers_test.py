#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""check_layers.py against trees that are made up: it says nothing about a good one, and finds what is wrong with others."""

import os
import subprocess
import sys
import tempfile

from common import check, finish

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_layers.py")

DOC = """
==============================  =========
floor                           what
==============================  =========
``main``                        all
``left``, ``right``             side by
                                side
``base``                        the ground
``net``, ``uapi``               below
==============================  =========

=========  =====================================
folder     order
=========  =====================================
``left``   ``top`` > ``mid``, ``even`` > ``low``
=========  =====================================
"""

KBUILD = """
x-y := kmod/main.o kmod/left/top.o kmod/left/mid.o kmod/left/low.o \\
	kmod/right/r.o kmod/base/a.o kmod/base/b.o

ifeq ($(KUNIT),1)
x-y += kmod/base/test.o
endif
"""
# What is not compiled here, as Kbuild does not in every build.
UNBUILT = ("kmod/base/test.c", "kmod/right/later.c")

GOOD = {
    "Documentation/architecture.rst": DOC,
    "uapi/linux/x.h": "",
    "kmod/net.h": '#include "base/a.h"\n',
    "kmod/main.c": '#include "left/top.h"\n#include "right/r.h"\nint main_all(void) { return top() + r(); }\n',
    "kmod/main.h": "int main_all(void);\n",
    "kmod/left/top.h": "int top(void);\n",
    "kmod/left/top.c": '#include "left/low.h"\n#include "left/mid.h"\nint top(void) { return mid() + low(); }\n',
    "kmod/left/mid.h": "int mid(void);\n",
    "kmod/left/mid.c": '#include "base/a.h"\nint mid(void) { return a(); }\n',
    "kmod/left/even.h": "int even(void);\n",
    "kmod/left/low.h": "int low(void);\n",
    "kmod/left/low.c": '#include <linux/x.h>\n#include "net.h"\nint low(void) { return a(); }\n',
    "kmod/right/r.h": "int r(void);\n",
    "kmod/right/r.c": "int r(void) { return 1; }\n",
    "kmod/base/a.h": "int a(void);\n",
    "kmod/base/a.c": "int a(void) { return 1; }\n",
    "kmod/base/b.h": "",
    "kmod/base/test.c": "int only_for_tests;\n",
    "Kbuild": KBUILD,
}

# What is wrong, the files that make it so, and what has to be reported.
BAD = [
    ("an include runs upward", {"kmod/base/a.c": '#include "left/low.h"\nint a(void) { return 1; }\n'},
     ["kmod/base/a.c includes left/low.h: base is not above left"]),
    ("an include runs to the next room", {"kmod/right/r.c": '#include "left/low.h"\nint r(void) { return 1; }\n'},
     ["kmod/right/r.c includes left/low.h: right is not above left"]),
    ("an include runs upward in brackets", {"kmod/base/a.c": '#include <left/low.h>\nint a(void) { return 1; }\n'},
     ["kmod/base/a.c includes left/low.h: base is not above left"]),
    ("an include runs upward from beside", {"kmod/base/a.c": '# include "../left/low.h"\nint a(void) { return 1; }\n'},
     ["kmod/base/a.c includes ../left/low.h: base is not above left"]),
    ("a header includes upward", {"uapi/linux/x.h": '#include "base/a.h"\n'},
     ["uapi/linux/x.h includes base/a.h: uapi is not above base"]),
    ("a symbol runs upward", {"kmod/base/a.c": "int low(void);\nint a(void) { return low(); }\n"},
     ["kmod/base/a.c needs low of kmod/left/low.c: base is not above left"]),
    ("a symbol runs up to a file", {"kmod/base/a.c": "int main_all(void);\nint a(void) { return main_all(); }\n"},
     ["kmod/base/a.c needs main_all of kmod/main.c: base is not above main"]),
    ("data runs upward", {"kmod/base/a.c": "extern int up;\nint a(void) { return up; }\n",
                          "kmod/right/r.c": "int up = 1;\nint r(void) { return up; }\n"},
     ["kmod/base/a.c needs up of kmod/right/r.c: base is not above right"]),
    ("against the order in a folder", {"kmod/left/low.c": "int mid(void);\nint low(void) { return mid(); }\n"},
     ["kmod/left/low.c needs mid of kmod/left/mid.c: left/low is not above left/mid"]),
    ("a neighbour in a folder", {"kmod/left/mid.c": '#include "left/even.h"\nint mid(void) { return 1; }\n'},
     ["kmod/left/mid.c includes left/even.h: left/mid is not above left/even"]),
    ("a circle of includes", {"kmod/base/a.h": '#pragma once\n#include "base/b.h"\nint a(void);\n',
                              "kmod/base/b.h": '#pragma once\n#include "base/a.h"\n'},
     ["a circle: base/a, base/b", "kmod/base/b.h includes base/a.h"]),
    ("a circle of symbols", {"kmod/base/a.c": "int b(void);\nint a(void) { return b(); }\n",
                             "kmod/base/b.c": "int a(void);\nint b(void) { return a(); }\n"},
     ["a circle: base/a, base/b", "kmod/base/b.c needs a of kmod/base/a.c"]),
    ("a circle of both", {"kmod/base/a.h": '#pragma once\n#include "base/b.h"\nint a(void);\n',
                          "kmod/base/b.c": "int a(void);\nint b(void) { return a(); }\n"},
     ["a circle: base/a, base/b"]),
    ("a unit without an object", {"kmod/right/later.c": "int top(void);\nint later(void) { return top(); }\n",
                                  "Kbuild": KBUILD.replace("right/r.o", "right/r.o kmod/right/later.o")},
     ["kmod/right/later.c: no object in build"]),
    ("a unit that is never built", {"Kbuild": KBUILD.replace("kmod/right/r.o ", "")}, ["kmod/right/r.c: not in Kbuild"]),
    ("a file without a floor", {"kmod/cellar/c.h": ""}, ["no floor for kmod/cellar/c.h"]),
    ("a floor without a file", {"Documentation/architecture.rst": DOC.replace("``main``          ", "``main``, ``attic``")},
     ["nothing on floor attic"]),
    ("no floors", {"Documentation/architecture.rst": "Nothing.\n"}, ["0 floors"]),
    ("a unit that is not there", {"Documentation/architecture.rst": DOC.replace("``even``", "``odd`` ")},
     ["no unit left/odd"]),
]


def result(files):
    """What check_layers.py makes of a tree: exit status and output."""
    with tempfile.TemporaryDirectory() as top:
        for name, text in files.items():
            path = f"{top}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        for name in files:
            if name.endswith(".c") and name not in UNBUILT:
                target = f"{top}/build/{name[:-2]}.o"
                os.makedirs(os.path.dirname(target), exist_ok=True)
                subprocess.run(["gcc", "-c", "-Ikmod", "-Iuapi", "-o", target, name], cwd=top, check=True)
        done = subprocess.run([sys.executable, SCRIPT, "build"], cwd=top, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def main():
    status, output = result(GOOD)
    check("layers test: nothing is wrong", [output] if status else [])
    for what, files, expected in BAD:
        status, output = result({**GOOD, **files})
        missing = [f"not reported: {line}; but {output}" for line in expected if line not in output]
        check(f"layers test: {what}", missing if status else [f"passed: {output}"])
    finish()


main()
