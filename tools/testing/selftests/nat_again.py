#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of NAT once more, with translated flows in flowtrack's own table: whose answers are whose, whichever table has a
flow."""
# TIMEOUT: 300

import os
import subprocess
import sys

from lib import *

HERE = os.path.dirname(os.path.abspath(__file__))


def script_case(name):
    @case(f"{name} with nat=all", only="flowtrack")
    def _():
        env = {**os.environ, "FT_NAT": "all"}
        p = subprocess.run([sys.executable, f"{HERE}/{name}"], env=env, capture_output=True, text=True, timeout=280,
                           check=False)
        bad = [line for line in p.stdout.splitlines() if not line.startswith(("ok ", "KTAP", "1.."))]
        check(p.returncode == 0, "\n".join(bad + [p.stderr]))


script_case("nat_clash.py")


main()
