#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Rulesets with NAT, with nf_conntrack alone: what their tests take for right, of translations, states and answers, is what
nf_conntrack does."""
# TIMEOUT: 400

from lib import *

for name in ("docker.py", "kubernetes.py", "virt_libvirt.py", "nat_own.py", "nat_kinds.py"):
    again(name, 180, "nf_conntrack alone", FT_MODE="conntrack")


main()
