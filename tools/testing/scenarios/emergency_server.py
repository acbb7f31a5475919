#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 500
"""A server whose nf_conntrack is full of dead entries, under a SYN flood: the module is loaded meanwhile."""

from lib_emergency import scenario
from lib_scenario import SERVER_RULES, STRICT, Net

scenario("emergency_server", "Loaded in an emergency: a server, a table of dead entries, a SYN flood", Net,
         SERVER_RULES % STRICT)
