#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""Greedy sources behind a router with NAT: translated flows that flowtrack tracks itself."""

from lib_floods import greedy, scenario

scenario("nat_greedy", "Full handshakes by few greedy sources through a NAT router", greedy, router=True, nat="auto")
