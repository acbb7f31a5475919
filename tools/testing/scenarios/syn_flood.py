#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""SYNs from forged sources against a server, ten times what fits into its table."""

from lib_floods import syn, scenario

scenario("syn_flood", "Spoofed SYN flood against a server", syn)
