#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tests on states once more, in adopting mode: nf_conntrack sees each flow first, flowtrack takes it over."""
# TIMEOUT: 240

import os
import subprocess
import sys

from lib import *

HERE = os.path.dirname(os.path.abspath(__file__))


def script_case(name):
    @case(f"{name} with adopt=always", only="flowtrack")
    def _():
        env = {**os.environ, "FT_ADOPT": "always"}
        p = subprocess.run([sys.executable, f"{HERE}/{name}"], env=env, capture_output=True, text=True, timeout=110,
                           check=False)
        bad = [line for line in p.stdout.splitlines() if not line.startswith(("ok ", "KTAP", "1.."))]
        check(p.returncode == 0, "\n".join(bad + [p.stderr]))


for script in ("states_nft.py", "tcp.py", "icmp_errors.py", "notrack_zones.py"):
    script_case(script)


main()
