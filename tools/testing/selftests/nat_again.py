#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of NAT once more, with all translated flows in flowtrack's own table, and with all of them in nf_conntrack's:
both ends see the same, whichever table has a flow."""
# TIMEOUT: 780

from lib import *

again("nat_clash.py", 280, "nat=all", FT_NAT="all")
for word in ("all", "never"):
    for script in ("nat_kinds.py", "docker.py"):
        again(script, 100, f"nat={word}", FT_NAT=word)
for script in ("nat_beside.py", "nat_changes.py"):
    again(script, 280, "nat=never", FT_NAT="never")


main()
