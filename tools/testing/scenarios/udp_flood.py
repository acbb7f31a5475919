#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""UDP from random sources to random ports through a router, ten times what fits into its table."""

from lib_floods import udp, scenario

scenario("udp_flood", "UDP flood, random sources and ports, through a router", udp, router=True)
