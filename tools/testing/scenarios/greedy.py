#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""Four sources that complete their handshakes with a server and keep what they opened."""

from lib_floods import greedy, scenario

scenario("greedy", "Full handshakes by few greedy sources", greedy)
