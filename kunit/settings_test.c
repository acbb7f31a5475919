// SPDX-License-Identifier: GPL-2.0
#include <linux/netlink.h>
#include <linux/prandom.h>

#include "base/limits.h"
#include "ft_kunit.h"
#include "track/hooks.h"

#define A(name)		FLOWTRACK_A_SETTINGS_##name

static bool is_side_effect(unsigned int attr)
{
	return attr == A(BUCKETS) || attr == A(ENABLE);
}

/* What an administrator of nf_conntrack expects, and what is ours. */
static const struct expected {
	unsigned int attr;
	const char *name;
	u32 def;
} expected[] = {
	{ A(ENABLE), "enable", FT_ENABLE_AUTO },
	{ A(MAX_FLOWS), "max", 0 },
	{ A(COUNT), "count", 0 },
	{ A(BUCKETS), "buckets", 0 },
	{ A(FULL_POLICY), "full_policy", FLOWTRACK_POLICY_EVICT },
	{ A(FULL_FALLBACK), "full_fallback", FLOWTRACK_POLICY_DROP },
	{ A(ADOPT), "adopt", 0 },
	{ A(NAT), "nat", FT_NAT_AUTO },
	{ A(BYPASS_MARK), "bypass_mark", 0 },
	{ A(BYPASS_MASK), "bypass_mask", 0 },
	{ A(ACCT), "acct", 0 },
	{ A(TIMESTAMP), "timestamp", 0 },
	{ A(CHECKSUM), "checksum", 1 },
	{ A(LOG_INVALID), "log_invalid", 0 },
	{ A(EVENTS), "events", 1 },
	{ A(TCP_LOOSE), "tcp_loose", 1 },
	{ A(TCP_BE_LIBERAL), "tcp_be_liberal", 0 },
	{ A(TCP_IGNORE_INVALID_RST), "tcp_ignore_invalid_rst", 0 },
	{ A(TCP_MAX_RETRANS), "tcp_max_retrans", 3 },
	{ A(GENERIC_TIMEOUT), "generic_timeout", 600 },
	{ A(TCP_TIMEOUT_SYN_SENT), "tcp_timeout_syn_sent", 120 },
	{ A(TCP_TIMEOUT_SYN_RECV), "tcp_timeout_syn_recv", 60 },
	{ A(TCP_TIMEOUT_ESTABLISHED), "tcp_timeout_established", 54000 },
	{ A(TCP_TIMEOUT_FIN_WAIT), "tcp_timeout_fin_wait", 120 },
	{ A(TCP_TIMEOUT_CLOSE_WAIT), "tcp_timeout_close_wait", 60 },
	{ A(TCP_TIMEOUT_LAST_ACK), "tcp_timeout_last_ack", 30 },
	{ A(TCP_TIMEOUT_TIME_WAIT), "tcp_timeout_time_wait", 120 },
	{ A(TCP_TIMEOUT_CLOSE), "tcp_timeout_close", 10 },
	{ A(TCP_TIMEOUT_MAX_RETRANS), "tcp_timeout_max_retrans", 300 },
	{ A(TCP_TIMEOUT_UNACKNOWLEDGED), "tcp_timeout_unacknowledged", 300 },
	{ A(UDP_TIMEOUT), "udp_timeout", 30 },
	{ A(UDP_TIMEOUT_STREAM), "udp_timeout_stream", 120 },
	{ A(ICMP_TIMEOUT), "icmp_timeout", 30 },
	{ A(ICMPV6_TIMEOUT), "icmpv6_timeout", 30 },
	{ A(SCTP_TIMEOUT_CLOSED), "sctp_timeout_closed", 10 },
	{ A(SCTP_TIMEOUT_COOKIE_WAIT), "sctp_timeout_cookie_wait", 3 },
	{ A(SCTP_TIMEOUT_COOKIE_ECHOED), "sctp_timeout_cookie_echoed", 3 },
	{ A(SCTP_TIMEOUT_ESTABLISHED), "sctp_timeout_established", 210 },
	{ A(SCTP_TIMEOUT_SHUTDOWN_SENT), "sctp_timeout_shutdown_sent", 3 },
	{ A(SCTP_TIMEOUT_SHUTDOWN_RECD), "sctp_timeout_shutdown_recd", 3 },
	{ A(SCTP_TIMEOUT_SHUTDOWN_ACK_SENT), "sctp_timeout_shutdown_ack_sent", 3 },
	{ A(SCTP_TIMEOUT_HEARTBEAT_SENT), "sctp_timeout_heartbeat_sent", 30 },
	{ A(GRE_TIMEOUT), "gre_timeout", 30 },
	{ A(GRE_TIMEOUT_STREAM), "gre_timeout_stream", 180 },
	{ A(SRC_PREFIX4), "src_prefix4", 32 },
	{ A(SRC_PREFIX6), "src_prefix6", 64 },
	{ A(ADAPTIVE_START), "adaptive_start", 60 },
	{ A(ADAPTIVE_END), "adaptive_end", 120 },
	{ A(RESERVED), "reserved", 0 },
	{ A(RESERVED_MARK), "reserved_mark", 0 },
	{ A(RESERVED_MASK), "reserved_mask", 0 },
	{ A(GUARD), "guard", 1 },
	{ A(GUARDED), "guarded", 0 },
	{ A(SRC_COUNT), "src_count", 0 },
	{ A(SRC_MAX), "src_max", 0 },
	{ A(SRC_RATE), "src_rate", 0 },
	{ A(SRC_BURST), "src_burst", 50 },
	{ A(SRC_POLICY), "src_policy", FLOWTRACK_POLICY_DROP },
	{ A(WATERMARK_LOW), "watermark_low", 75 },
	{ A(WATERMARK_HIGH), "watermark_high", 90 },
	{ A(BUCKETS_AUTO), "buckets_auto", 1 },
	{ A(LOOKAHEAD), "lookahead", FT_LOOKAHEAD_AUTO },
};

static void names_and_defaults(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(expected),
			(size_t)FLOWTRACK_A_SETTINGS_MAX - 1);
	KUNIT_EXPECT_NULL(test, ft_setting_descs[0].name);
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct expected *e = &expected[i];
		const struct ft_setting_desc *desc = &ft_setting_descs[e->attr];

		KUNIT_ASSERT_NOT_NULL_MSG(test, desc->name, "%s", e->name);
		KUNIT_EXPECT_STREQ(test, desc->name, e->name);
		KUNIT_EXPECT_EQ_MSG(test, desc->def, e->def, "%s", e->name);
		KUNIT_EXPECT_EQ(test, strncmp(desc->procname, "nf_flowtrack_",
					      13), 0);
		KUNIT_EXPECT_STREQ(test, desc->procname + 13, e->name);
	}
}

/* Each name leads to its value and back; nothing else is a name. */
static void values_of_names(struct kunit *test)
{
	static const char * const none[] = { "", "\n", "ev", "evicts", "0" };
	const unsigned int attr = A(FULL_POLICY);
	unsigned int i, j, named = 0;
	char line[32];

	for (i = 1; i <= FLOWTRACK_A_SETTINGS_MAX; i++) {
		const struct ft_setting_desc *desc = &ft_setting_descs[i];

		if (desc->kind != FT_SETTING_ENUM)
			continue;
		named++;
		for (j = desc->min; j <= desc->max; j++) {
			KUNIT_EXPECT_STREQ(test, ft_setting_name(i, j),
					   desc->names[j]);
			KUNIT_EXPECT_EQ(test, ft_setting_value(i, desc->names[j]),
					(int)j);
			scnprintf(line, sizeof(line), "%s\n", desc->names[j]);
			KUNIT_EXPECT_EQ(test, ft_setting_value(i, line), (int)j);
		}
	}
	KUNIT_EXPECT_GE(test, named, 2);
	KUNIT_EXPECT_EQ(test, ft_setting_value(attr, "pass"),
			FLOWTRACK_POLICY_PASS);
	for (i = 0; i < ARRAY_SIZE(none); i++)
		KUNIT_EXPECT_EQ_MSG(test, ft_setting_value(attr, none[i]),
				    -EINVAL, "'%s'", none[i]);
	/* What evict falls back to can't be evict. */
	KUNIT_EXPECT_EQ(test, ft_setting_value(A(FULL_FALLBACK), "evict"),
			-EINVAL);
}

/* The edges of every range, and one beyond. */
static void ranges(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	unsigned int attr;

	for (attr = 1; attr <= FLOWTRACK_A_SETTINGS_MAX; attr++) {
		const struct ft_setting_desc *desc = &ft_setting_descs[attr];
		const char *name = desc->name;

		if (!name || desc->readonly)
			continue;
		KUNIT_EXPECT_EQ_MSG(test,
				    ft_settings_check(tn, attr, desc->min, NULL),
				    0, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test,
				    ft_settings_check(tn, attr, desc->max, NULL),
				    0, "%s", name);
		if (desc->min)
			KUNIT_EXPECT_EQ_MSG(test,
					    ft_settings_check(tn, attr, desc->min - 1, NULL),
					    -EINVAL, "%s", name);
		if (desc->max != U32_MAX)
			KUNIT_EXPECT_EQ_MSG(test,
					    ft_settings_check(tn, attr, desc->max + 1, NULL),
					    -EINVAL, "%s", name);
		if (desc->kind == FT_SETTING_SECONDS) {
			KUNIT_EXPECT_EQ_MSG(test, desc->min, 1, "%s", name);
			/* A deadline is never mistaken for one that passed. */
			KUNIT_EXPECT_GT_MSG(test, (s32)(desc->max * (u32)HZ), 0,
					    "%s", name);
		}
	}
}

static void refused(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct netlink_ext_ack extack = {};

	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(COUNT), 1, &extack), -EPERM);
	KUNIT_ASSERT_NOT_NULL(test, extack._msg);
	KUNIT_EXPECT_STREQ(test, extack._msg, "count is read only");
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, 0, 1, NULL), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, __FLOWTRACK_A_SETTINGS_MAX, 1,
					      NULL), -EOPNOTSUPP);
	/* What evict falls back to can't be evict. */
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(FULL_FALLBACK),
					      FLOWTRACK_POLICY_EVICT, &extack),
			-EINVAL);
	KUNIT_EXPECT_STREQ(test, extack._msg,
			   "no such value 0, use one of 1 (drop) 2 (pass)");
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(LOG_INVALID), 256, &extack),
			-EINVAL);
	KUNIT_EXPECT_STREQ(test, extack._msg, "log_invalid 256: must be 0 to 255");
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(BUCKETS), 63, &extack),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(MAX_FLOWS), 0, &extack),
			-EINVAL);
}

/* What each may be depends on the other, also when both change at once. */
static void adaptive_pair(struct kunit *test)
{
	const u64 both = BIT_ULL(A(ADAPTIVE_START)) | BIT_ULL(A(ADAPTIVE_END));
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct netlink_ext_ack extack = {};
	struct ft_settings wanted = {};
	unsigned int bad = 0;

	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ADAPTIVE_END), 60, &extack),
			-EINVAL);
	KUNIT_ASSERT_NOT_NULL(test, extack._msg);
	KUNIT_EXPECT_STREQ(test, extack._msg,
			   "adaptive_end 60 must be above adaptive_start 60");
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ADAPTIVE_END), 61, NULL), 0);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ADAPTIVE_START), 61, NULL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(ADAPTIVE_START)], 60);
	wanted.v[A(ADAPTIVE_START)] = 200;
	wanted.v[A(ADAPTIVE_END)] = 300;
	KUNIT_EXPECT_EQ(test, ft_settings_apply(tn, &wanted, both, &bad, NULL),
			0);
	wanted.v[A(ADAPTIVE_END)] = 200;
	KUNIT_EXPECT_EQ(test, ft_settings_apply(tn, &wanted, both, &bad, NULL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, bad, A(ADAPTIVE_END));
	/* Off is always possible, and so is what comes after it. */
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ADAPTIVE_END), 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ADAPTIVE_START), 500, NULL),
			0);
	KUNIT_EXPECT_FALSE(test, ft_adaptive_on(&tn->set));
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ADAPTIVE_END), 500, NULL),
			-EINVAL);
}

static void watermark_pair(struct kunit *test)
{
	const u64 both = BIT_ULL(A(WATERMARK_LOW)) | BIT_ULL(A(WATERMARK_HIGH));
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct netlink_ext_ack extack = {};
	struct ft_settings wanted = {};
	unsigned int bad = 0;

	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(WATERMARK_HIGH), 75,
					      &extack), -EINVAL);
	KUNIT_ASSERT_NOT_NULL(test, extack._msg);
	KUNIT_EXPECT_STREQ(test, extack._msg,
			   "watermark_high 75 must be above watermark_low 75");
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(WATERMARK_LOW), 90, NULL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(WATERMARK_LOW), 89, NULL),
			0);
	wanted.v[A(WATERMARK_LOW)] = 40;
	wanted.v[A(WATERMARK_HIGH)] = 30;
	KUNIT_EXPECT_EQ(test, ft_settings_apply(tn, &wanted, both, &bad, NULL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, bad, A(WATERMARK_HIGH));
	wanted.v[A(WATERMARK_HIGH)] = 50;
	KUNIT_EXPECT_EQ(test, ft_settings_apply(tn, &wanted, both, &bad, NULL),
			0);
	/* Off is always possible, and so is what comes after it. */
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(WATERMARK_HIGH), 0, NULL),
			0);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(WATERMARK_LOW), 100, NULL),
			0);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(WATERMARK_HIGH), 100, NULL),
			-EINVAL);
}

static void from_parameters(struct kunit *test)
{
	struct ft_net *tn = kunit_kzalloc(test, sizeof(*tn), GFP_KERNEL);
	struct ft_params saved = ft_params;

	KUNIT_ASSERT_NOT_NULL(test, tn);
	ft_params = (struct ft_params){ .total_max = saved.total_max };
	tn->net = &init_net;
	ft_settings_init(tn);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(ENABLE)], 0);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(BUCKETS)], 0);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(FULL_POLICY)], FLOWTRACK_POLICY_EVICT);
	/* By memory: the bounds of the rule. */
	KUNIT_EXPECT_GE(test, tn->set.v[A(MAX_FLOWS)], 1024);
	KUNIT_EXPECT_LE(test, tn->set.v[A(MAX_FLOWS)], 262144);

	ft_params.enable = 1;
	ft_params.max = 777;
	ft_params.hashsize = 1000;
	ft_params.full_policy = FLOWTRACK_POLICY_PASS;
	tn->net = &init_net;
	ft_settings_init(tn);
	ft_params = saved;
	KUNIT_EXPECT_EQ(test, tn->set.v[A(ENABLE)], 1);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(MAX_FLOWS)], 777);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(BUCKETS)], 1024);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(FULL_POLICY)], FLOWTRACK_POLICY_PASS);
}

static void buckets(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 1000);
	struct netlink_ext_ack extack = {};
	u64 resizes;
	u32 i;

	for (i = 0; i < 100; i++)
		ft_kunit_admit(tn, i, FLOWTRACK_CLASS_EMBRYONIC, 30 * HZ);
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(BUCKETS_AUTO)), 1);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(BUCKETS), 1000, NULL), 0);
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(BUCKETS)), 1024);
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(BUCKETS_AUTO)), 0);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(BUCKETS)], 1024);
	resizes = ft_kunit_stat(tn, FLOWTRACK_A_STATS_RESIZE);
	KUNIT_EXPECT_GT(test, resizes, 0);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_TRUE(test, ft_kunit_has(tn, i));
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(COUNT)), 100);

	/* Four GiB of buckets, and their filters: refused, with the reason, and nothing changed. */
	if (totalram_pages() < (4ULL << 30) >> PAGE_SHIFT) {
		KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(BUCKETS),
						      FT_BUCKETS_MAX, &extack),
				-ENOMEM);
		KUNIT_ASSERT_NOT_NULL(test, extack._msg);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(extack._msg, "need 4352 MiB"),
					  "%s", extack._msg);
	}
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(BUCKETS)), 1024);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(BUCKETS)], 1024);
	KUNIT_EXPECT_EQ(test, ft_kunit_stat(tn, FLOWTRACK_A_STATS_RESIZE),
			resizes);

	/* Automatic again: it follows the number of flows by itself. */
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(BUCKETS), 0, NULL), 0);
	flush_work(&tn->resize_work);
	KUNIT_EXPECT_EQ(test, tn->set.v[A(BUCKETS)], 0);
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(BUCKETS_AUTO)), 1);
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(BUCKETS)),
			ft_table_wanted(tn->table, 100));
}

static void free_hooks(void *data)
{
	ft_hooks_exit(data);
}

static void enable(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);

	KUNIT_ASSERT_EQ(test, ft_hooks_init(tn), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_hooks, tn), 0);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ENABLE), 1, NULL), 0);
	KUNIT_EXPECT_TRUE(test, tn->hooked);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ENABLE), 3, NULL), -EINVAL);
	KUNIT_EXPECT_TRUE(test, tn->hooked);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ENABLE), 0, NULL), 0);
	KUNIT_EXPECT_FALSE(test, tn->hooked);
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(ENABLE)), 0);

	/* Nothing comes back to life in a namespace that goes away. */
	WRITE_ONCE(tn->dying, true);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, A(ENABLE), 1, NULL), -ENODEV);
	KUNIT_EXPECT_FALSE(test, tn->hooked);
}

static void all_or_none(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_settings wanted = {}, before;
	unsigned int bad = 0;
	u64 which;

	before = tn->set;
	wanted.v[A(ACCT)] = 1;
	wanted.v[A(BUCKETS)] = 256;
	wanted.v[A(UDP_TIMEOUT)] = 0;
	which = BIT_ULL(A(ACCT)) | BIT_ULL(A(BUCKETS)) |
		BIT_ULL(A(UDP_TIMEOUT));
	KUNIT_EXPECT_EQ(test, ft_settings_apply(tn, &wanted, which, &bad, NULL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, bad, A(UDP_TIMEOUT));
	KUNIT_EXPECT_MEMEQ(test, &tn->set, &before, sizeof(before));
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(BUCKETS)), FT_BUCKETS_MIN);

	/* What only the attempt can tell, too. */
	wanted.v[A(UDP_TIMEOUT)] = 5;
	wanted.v[A(BUCKETS)] = FT_BUCKETS_MAX;
	if (totalram_pages() < (4ULL << 30) >> PAGE_SHIFT) {
		KUNIT_EXPECT_EQ(test, ft_settings_apply(tn, &wanted, which, &bad,
							NULL), -ENOMEM);
		KUNIT_EXPECT_EQ(test, bad, A(BUCKETS));
		KUNIT_EXPECT_MEMEQ(test, &tn->set, &before, sizeof(before));
	}

	wanted.v[A(BUCKETS)] = 256;
	KUNIT_EXPECT_EQ(test, ft_settings_apply(tn, &wanted, which, &bad, NULL),
			0);
	KUNIT_EXPECT_EQ(test, ft_settings_get(tn, A(BUCKETS)), 256);
	before.v[A(ACCT)] = 1;
	before.v[A(BUCKETS)] = 256;
	before.v[A(UDP_TIMEOUT)] = 5;
	KUNIT_EXPECT_MEMEQ(test, &tn->set, &before, sizeof(before));
}

static bool naive_valid(unsigned int attr, u32 value)
{
	switch (attr) {
	case A(COUNT):
	case A(GUARDED):
	case A(SRC_COUNT):
	case A(BUCKETS_AUTO):
	case A(FOLLOWING):
		return false;
	case A(SRC_MAX):
		return value <= 134217728;
	case A(SRC_RATE):
		return value <= 1000000;
	case A(SRC_BURST):
		return value >= 1 && value <= 1000000;
	case A(MAX_FLOWS):
		return value >= 1 && value <= 134217728;
	case A(FULL_POLICY):
	case A(ADOPT):
	case A(LOOKAHEAD):
		return value <= 2;
	case A(NAT):
		return value <= 3;
	case A(FULL_FALLBACK):
	case A(SRC_POLICY):
		return value == 1 || value == 2;
	case A(BYPASS_MARK):
	case A(BYPASS_MASK):
	case A(RESERVED_MARK):
	case A(RESERVED_MASK):
		return true;
	case A(RESERVED):
		return value <= 134217728;
	case A(LOG_INVALID):
	case A(TCP_MAX_RETRANS):
		return value <= 255;
	case A(SRC_PREFIX4):
		return value >= 1 && value <= 32;
	case A(SRC_PREFIX6):
		return value >= 1 && value <= 128;
	case A(ADAPTIVE_START):
	case A(ADAPTIVE_END):
		return value <= 1000;
	case A(WATERMARK_LOW):
	case A(WATERMARK_HIGH):
		return value <= 100;
	case A(ACCT):
	case A(TIMESTAMP):
	case A(CHECKSUM):
	case A(EVENTS):
	case A(TCP_LOOSE):
	case A(TCP_BE_LIBERAL):
	case A(TCP_IGNORE_INVALID_RST):
	case A(GUARD):
		return value <= 1;
	default:
		return value >= 1 && (u64)value * HZ < 1ULL << 30;
	}
}

/* What one setting allows another. */
static bool naive_pairs(const struct ft_settings *set, u64 which)
{
	const u64 room = BIT_ULL(A(MAX_FLOWS)) | BIT_ULL(A(RESERVED));
	u32 start = set->v[A(ADAPTIVE_START)], end = set->v[A(ADAPTIVE_END)];
	u32 low = set->v[A(WATERMARK_LOW)], high = set->v[A(WATERMARK_HIGH)];

	if (which & room && set->v[A(RESERVED)] >= set->v[A(MAX_FLOWS)])
		return false;
	if (low && high && low >= high)
		return false;
	return !start || !end || start < end;
}

/* Random changes, some of them nonsense, against an array. */
static void twin(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);
	struct ft_settings naive, wanted, after;
	struct rnd_state rnd;
	unsigned int i, j;

	prandom_seed_state(&rnd, 7);
	naive = tn->set;
	for (i = 0; i < 5000; i++) {
		unsigned int n = 1 + prandom_u32_state(&rnd) % 3, bad;
		bool valid = true;
		u64 which = 0;
		int err;

		for (j = 0; j < n; j++) {
			unsigned int attr = 1 + prandom_u32_state(&rnd) %
					    FLOWTRACK_A_SETTINGS_MAX;

			if (is_side_effect(attr))
				continue;
			/* Small numbers more often: most ranges are small. */
			wanted.v[attr] = prandom_u32_state(&rnd) >>
					 (prandom_u32_state(&rnd) % 32);
			which |= BIT_ULL(attr);
		}
		for (j = 1; j <= FLOWTRACK_A_SETTINGS_MAX; j++)
			valid &= !(which & BIT_ULL(j)) ||
				 naive_valid(j, wanted.v[j]);
		after = naive;
		for (j = 1; j <= FLOWTRACK_A_SETTINGS_MAX; j++)
			if (which & BIT_ULL(j))
				after.v[j] = wanted.v[j];
		valid &= naive_pairs(&after, which);
		err = ft_settings_apply(tn, &wanted, which, &bad, NULL);
		KUNIT_ASSERT_EQ_MSG(test, !err, valid, "step %u, setting %u = %u",
				    i, bad, wanted.v[bad]);
		if (valid)
			naive = after;
		KUNIT_ASSERT_MEMEQ(test, &tn->set, &naive, sizeof(naive));
	}
}

static struct kunit_case settings_cases[] = {
	KUNIT_CASE(names_and_defaults),
	KUNIT_CASE(values_of_names),
	KUNIT_CASE(ranges),
	KUNIT_CASE(refused),
	KUNIT_CASE(adaptive_pair),
	KUNIT_CASE(watermark_pair),
	KUNIT_CASE(from_parameters),
	KUNIT_CASE(buckets),
	KUNIT_CASE(enable),
	KUNIT_CASE(all_or_none),
	KUNIT_CASE(twin),
	{}
};

static struct kunit_suite settings_suite = {
	.name = "ft_settings",
	.test_cases = settings_cases,
};

kunit_test_suite(settings_suite);
