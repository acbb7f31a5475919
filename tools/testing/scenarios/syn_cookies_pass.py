#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 300
"""SYN cookies while the table is full, policy pass."""

from lib_cookies import scenario

scenario("syn_cookies_pass", "pass")
