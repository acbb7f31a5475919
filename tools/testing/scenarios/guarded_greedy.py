#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""Greedy sources behind a router with NAT: flows that nf_conntrack keeps and flowtrack guards."""

from lib_floods import greedy, scenario

scenario("guarded_greedy", "Full handshakes by few greedy sources through a NAT router, guarded", greedy, router=True, nat="never")
