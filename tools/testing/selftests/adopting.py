#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tests on states once more, in adopting mode: nf_conntrack sees each flow first, flowtrack takes it over."""
# TIMEOUT: 240

from lib import *

for script in ("states_nft.py", "tcp.py", "icmp_errors.py", "notrack_zones.py"):
    again(script, 110, "adopt=always", FT_ADOPT="always")


main()
