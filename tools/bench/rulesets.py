# SPDX-License-Identifier: GPL-2.0-only
"""Rulesets that look at the conntrack of each packet, for bench.py: a server's and a router's, for nft and iptables.

A line that begins with "+" looks at conntrack. Where nothing tracks, the lines that begin with "-" are there instead of
them: what is left of the ruleset when its author does without conntrack. NAT is measured for itself.
"""

from typing import NamedTuple

NFT_SERVER = """
table inet bench {
	set blocked { type ipv4_addr; flags interval; elements = { 198.18.0.0/15, 203.0.113.0/24 } }
	chain input {
		type filter hook input priority filter; policy drop;
+		ct state invalid counter drop
+		ct state established,related accept
-		meta l4proto { tcp, udp } th dport 53 accept
		iif lo accept
		ip saddr @blocked counter drop
		meta l4proto { icmp, ipv6-icmp } accept
+		tcp dport { 22, 53, 80, 443 } ct state new limit rate 100/second accept
+		udp dport 53 ct state new accept
	}
}
"""
# Connections have marks, by the uplink that they began on; each packet gets it, and is counted by it.
NFT_ROUTER = """
table inet bench {
	set blocked { type ipv4_addr; flags interval; elements = { 198.18.0.0/15, 203.0.113.0/24 } }
	chain prerouting {
		type filter hook prerouting priority mangle;
		ip saddr @blocked counter drop
+		ct direction reply accept
+		meta mark set ct mark
		meta mark != 0 accept
		iifname "wan2" meta mark set 0x20
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
+		ct state vmap { established : jump known, related : jump known, invalid : drop }
-		jump known
		iifname "lan0" tcp dport { 80, 443 } counter accept
+		iifname "lan0" udp dport 53 ct state new counter accept
	}
	chain known {
+		ct mark 0x20 counter accept
-		meta mark 0x20 counter accept
		counter accept
	}
	chain postrouting {
		type filter hook postrouting priority mangle;
+		ct mark set meta mark
	}
}
"""
IPTABLES_SERVER = """
*filter
:INPUT DROP
+-A INPUT -m conntrack --ctstate INVALID -j DROP
+-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
--A INPUT -p udp --dport 53 -j ACCEPT
--A INPUT -p tcp --dport 53 -j ACCEPT
-A INPUT -i lo -j ACCEPT
+-A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -m limit --limit 100/second -j ACCEPT
+-A INPUT -p udp --dport 53 -m conntrack --ctstate NEW -j ACCEPT
COMMIT
"""
IPTABLES_ROUTER = """
*mangle
+-A PREROUTING -j CONNMARK --restore-mark
-A PREROUTING -m mark ! --mark 0 -j ACCEPT
-A PREROUTING -i wan2 -j MARK --set-mark 0x20
+-A POSTROUTING -j CONNMARK --save-mark
COMMIT
*filter
:FORWARD DROP
+-A FORWARD -m conntrack --ctstate INVALID -j DROP
+-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
--A FORWARD -m mark --mark 0x20 -j ACCEPT
--A FORWARD -j ACCEPT
-A FORWARD -i lan0 -p tcp --dport 443 -j ACCEPT
+-A FORWARD -i lan0 -p udp --dport 53 -m conntrack --ctstate NEW -j ACCEPT
COMMIT
"""
NFT_EMPTY = "flush ruleset\n"
IPTABLES_EMPTY = "*mangle\nCOMMIT\n*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\nCOMMIT\n"


class Ruleset(NamedTuple):
    """@local: its packets are for this machine. @empty: what undoes it."""
    text: str
    empty: str
    local: bool

    def variant(self, tracked):
        """Its text, with or without the rules that look at conntrack."""
        lines = []
        for line in self.text.strip().splitlines():
            # A rule of iptables begins with "-A" by itself.
            marked = line[0] in "+-" and not line.startswith("-A")
            if not marked or (line[0] == "+") == tracked:
                lines.append(line[marked:])
        return "\n".join(lines) + "\n"


ALL = {
    "server-nft": Ruleset(NFT_SERVER, NFT_EMPTY, True),
    "router-nft": Ruleset(NFT_ROUTER, NFT_EMPTY, False),
    "server-iptables": Ruleset(IPTABLES_SERVER, IPTABLES_EMPTY, True),
    "router-iptables": Ruleset(IPTABLES_ROUTER, IPTABLES_EMPTY, False),
}


def command(name, family):
    """What loads a ruleset from its standard input. Nothing of nftables is in the way of legacy iptables."""
    if name.endswith("nft"):
        return ("nft", "-f", "-")
    return ("iptables-legacy-restore" if family == 4 else "ip6tables-legacy-restore",)
