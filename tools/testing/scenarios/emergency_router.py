#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 500
"""A router that masquerades, and whose nf_conntrack is full of dead entries: the module is loaded during a SYN flood."""

from lib_emergency import scenario
from lib_floods import NAT
from lib_scenario import ROUTER_RULES, STRICT, Net

scenario("emergency_router", "Loaded in an emergency: a NAT router, a table of dead entries, a SYN flood",
         lambda: Net(router=True), ROUTER_RULES % STRICT + NAT)
