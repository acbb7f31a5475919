#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""The SYN flood through a router with NAT: flows that nf_conntrack keeps and flowtrack guards."""

from lib_floods import syn, scenario

scenario("guarded_syn_flood", "Spoofed SYN flood through a NAT router, guarded", syn, router=True, nat="never")
