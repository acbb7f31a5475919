#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""The SYN flood through a router with NAT: translated flows that flowtrack tracks itself."""

from lib_floods import syn, scenario

scenario("nat_syn_flood", "Spoofed SYN flood through a NAT router", syn, router=True, nat="auto")
