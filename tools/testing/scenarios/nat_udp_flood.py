#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""The UDP flood through a router with NAT: translated flows that flowtrack tracks itself."""

from lib_floods import udp, scenario

scenario("nat_udp_flood", "UDP flood through a NAT router", udp, router=True, nat="auto")
