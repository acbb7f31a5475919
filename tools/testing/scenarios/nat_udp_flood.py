#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""The UDP flood through a router with NAT: flows that nf_conntrack keeps and flowtrack guards."""

from lib_floods import udp, scenario

scenario("nat_udp_flood", "UDP flood through a NAT router", udp, router=True, nat=True)
