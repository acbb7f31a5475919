#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of NAT once more, with translated flows in flowtrack's own table: whose answers are whose, whichever table has a
flow."""
# TIMEOUT: 300

from lib import *

again("nat_clash.py", 280, "nat=all", FT_NAT="all")


main()
