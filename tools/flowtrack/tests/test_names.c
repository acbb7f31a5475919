// SPDX-License-Identifier: GPL-2.0
/*
 * The tables of names against the enums of the uapi header.
 */
#include <linux/nf_flowtrack.h>
#include <netinet/in.h>
#include <string.h>

#include "names.h"
#include "test.h"

static void every_value_has_a_name(void)
{
	static const struct {
		const struct names *names;
		unsigned int first, last;
	} tables[] = {
		{ &tcp_state_names, 0, FLOWTRACK_TCP_STATE_SYN_SENT2 },
		{ &sctp_state_names, 0, FLOWTRACK_SCTP_STATE_HEARTBEAT_SENT },
		{ &flow_state_names, 0, FLOWTRACK_FLOW_STATE_STREAM },
		{ &class_names, 0, FLOWTRACK_CLASS_ASSURED },
		{ &reason_names, 0, FLOWTRACK_REASON_FLUSHED },
		{ &policy_names, 0, FLOWTRACK_POLICY_PASS },
		{ &stats_names, 1, FLOWTRACK_A_STATS_MAX },
	};
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const struct names *names = tables[i].names;
		unsigned int v, w;

		EXPECT_INT(names->n, tables[i].last + 1);
		for (v = tables[i].first; v <= tables[i].last; v++) {
			if (names == &stats_names && v == FLOWTRACK_A_STATS_PAD)
				continue;
			EXPECT(name_of(names, v));
			EXPECT_INT(value_of(names, name_of(names, v)), v);
			for (w = tables[i].first; w < v; w++)
				EXPECT(!name_of(names, w) ||
				       !same_word(name_of(names, v),
						  name_of(names, w)));
		}
		EXPECT(!name_of(names, tables[i].last + 1));
	}
	EXPECT_INT(value_of(&tcp_state_names, "established"),
		   FLOWTRACK_TCP_STATE_ESTABLISHED);
	EXPECT_INT(value_of(&sctp_state_names, "shutdown_ack_sent"),
		   FLOWTRACK_SCTP_STATE_SHUTDOWN_ACK_SENT);
	EXPECT_INT(value_of(&class_names, "embryonic"),
		   FLOWTRACK_CLASS_EMBRYONIC);
	EXPECT_INT(1 << value_of(&status_names, "seen_reply"),
		   FLOWTRACK_STATUS_SEEN_REPLY);
	EXPECT_INT(1 << value_of(&status_names, "assured"),
		   FLOWTRACK_STATUS_ASSURED);
}

static void words_are_lenient(void)
{
	EXPECT_INT(value_of(&tcp_state_names, "SYN-SENT"),
		   FLOWTRACK_TCP_STATE_SYN_SENT);
	EXPECT_INT(value_of(&tcp_state_names, "syn_sen"), -1);
	EXPECT_INT(value_of(&tcp_state_names, ""), -1);
	EXPECT_INT(proto_value("ICMPv6"), IPPROTO_ICMPV6);
	EXPECT_INT(proto_value("ip"), -1);
}

static void every_setting_has_a_name(void)
{
	int i, j;

	for (i = 1; i < __FLOWTRACK_A_SETTINGS_MAX; i++) {
		/* About the others. */
		if (i == FLOWTRACK_A_SETTINGS_FOLLOWING)
			continue;
		EXPECT(settings[i].name);
		EXPECT_INT(setting_find(settings[i].name), i);
		for (j = 1; j < i; j++)
			EXPECT(!settings[j].name || strcmp(settings[i].name, settings[j].name));
		if (settings[i].kind != SETTING_SWITCH)
			EXPECT((settings[i].kind == SETTING_NAME) ==
			       !!settings[i].names);
		if (strstr(settings[i].name, "timeout"))
			EXPECT_INT(settings[i].kind, SETTING_SECONDS);
	}
	EXPECT_INT(setting_find("max"), FLOWTRACK_A_SETTINGS_MAX_FLOWS);
	EXPECT_INT(setting_find("net.netfilter.nf_flowtrack_max"),
		   FLOWTRACK_A_SETTINGS_MAX_FLOWS);
	EXPECT_INT(setting_find("nf_flowtrack_udp_timeout"),
		   FLOWTRACK_A_SETTINGS_UDP_TIMEOUT);
	EXPECT_INT(setting_find("maximum"), -1);
	EXPECT_INT(setting_find(""), -1);
}

static void protocols_know_their_states(void)
{
	EXPECT(proto_states(IPPROTO_TCP) == &tcp_state_names);
	EXPECT(proto_states(IPPROTO_SCTP) == &sctp_state_names);
	EXPECT(proto_states(IPPROTO_UDP) == &flow_state_names);
	EXPECT(proto_states(89) == &flow_state_names);
	EXPECT(!proto_name(89));
	EXPECT_STR(proto_name(IPPROTO_UDPLITE), "udplite");
	EXPECT(proto_has_ports(IPPROTO_SCTP) && !proto_has_ports(IPPROTO_GRE));
}

static void mistyped_words_are_guessed(void)
{
	static const char * const words[] = {
		NULL, "sport", "dport", "state", "src", "established"
	};

	EXPECT_STR(close_word("dprt", words, 6), "dport");
	EXPECT_STR(close_word("sprot", words, 6), "sport");
	EXPECT_STR(close_word("stat", words, 6), "state");
	EXPECT_STR(close_word("estabilshed", words, 6), "established");
	EXPECT(!close_word("xyzzy", words, 6));
	EXPECT(!close_word("", words, 6));
	EXPECT(!close_word("a word that is longer than any of those here",
			   words, 6));
	EXPECT_STR(setting_close("full_polcy"), "full_policy");
}

static void attributes_are_named(void)
{
	EXPECT_STR(flow_attrs.name[FLOWTRACK_A_FLOW_FILTER], "filter");
	EXPECT_STR(flow_attrs.nested[FLOWTRACK_A_FLOW_FILTER]
			->name[FLOWTRACK_A_FILTER_DPORT_MAX], "dport_max");
	EXPECT_STR(settings_attrs()->name[FLOWTRACK_A_SETTINGS_MAX_FLOWS],
		   "max");
}

const struct test names_tests[] = {
	{ "every value of an enum has a name", every_value_has_a_name },
	{ "words differ neither by case nor by dash", words_are_lenient },
	{ "every setting has a name", every_setting_has_a_name },
	{ "protocols know their states", protocols_know_their_states },
	{ "mistyped words are guessed", mistyped_words_are_guessed },
	{ "attributes are named", attributes_are_named },
	{ NULL, NULL },
};
