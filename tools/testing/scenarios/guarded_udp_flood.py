#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""The UDP flood through a router with NAT: flows that nf_conntrack keeps and flowtrack guards."""

from lib_floods import udp, scenario

scenario("guarded_udp_flood", "UDP flood through a NAT router, guarded", udp, router=True, nat="never")
