/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites share: a namespace's worth of flowtrack that no packet
 * reaches, and packets to feed to the real one.
 */
#ifndef _FT_KUNIT_H
#define _FT_KUNIT_H

#include <kunit/test.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>

#include "base/limits.h"
#include "control.h"
#include "guard/watch.h"
#include "main.h"
#include "net.h"
#include "track/admit.h"
#include "track/end.h"
#include "track/pool.h"

#define FT_IP(a, b, c, d)	htonl((a) << 24 | (b) << 16 | (c) << 8 | (d))

static inline void ft_kunit_net_free(void *data)
{
	struct ft_net *tn = data;

	WRITE_ONCE(tn->dying, true);
	ft_pool_net_stop(tn);
	synchronize_rcu();
	ft_pool_net_exit(tn);
	ft_guard_stop(tn);
	ft_net_flows_exit(tn);
	ft_guard_exit(tn);
	ft_stats_exit(tn);
}

/* A struct ft_net with table, expiry and settings, but no hooks or sysctls. */
static inline struct ft_net *ft_kunit_net(struct kunit *test, u32 max)
{
	struct ft_net *tn = kunit_kzalloc(test, sizeof(*tn), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, tn);
	tn->net = &init_net;
	mutex_init(&tn->settings_lock);
	KUNIT_ASSERT_EQ(test, ft_stats_init(tn), 0);
	ft_settings_init(tn);
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = max;
	KUNIT_ASSERT_EQ(test, ft_net_flows_init(tn, FT_BUCKETS_MIN), 0);
	KUNIT_ASSERT_EQ(test, ft_guard_init(tn), 0);
	/* Shadows are kept, whatever room there is, unless a test wants it otherwise. */
	tn->guard.calm_max = FT_GUARD_AWAKE;
	tn->guard.wanted_until = ft_now() + 3600 * HZ;
	KUNIT_ASSERT_EQ(test, ft_pool_net_init(tn), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, ft_kunit_net_free,
							tn), 0);
	return tn;
}

static inline u64 ft_kunit_stat(struct ft_net *tn, unsigned int attr)
{
	struct ft_stats sum;

	ft_stats_sum(tn, &sum);
	return sum.v[attr];
}

/* A flow to be: UDP, number @i, of a class. */
static inline void ft_kunit_birth(struct ft_net *tn, struct ft_birth *birth,
				  u32 i, enum flowtrack_class class,
				  u32 timeout)
{
	union nf_inet_addr src = { .ip = htonl(0x0a000000 + i) };
	union nf_inet_addr dst = { .ip = FT_IP(192, 0, 2, 1) };

	memset(birth, 0, sizeof(*birth));
	if (ft_key_set(&birth->key, NFPROTO_IPV4, IPPROTO_UDP, 0, &src, &dst,
		       htons(1000), htons(53)))
		birth->word |= FT_FLOW_ORIG_HI;
	birth->word |= (u32)class << 5;
	birth->timeout = timeout;
	birth->hash = ft_key_hash(&birth->key, ft_table_secret(tn->table));
}

/* Context as a hook has it. */
static inline enum ft_admission ft_kunit_admit(struct ft_net *tn, u32 i,
					       enum flowtrack_class class,
					       u32 timeout)
{
	enum ft_admission admission;
	struct ft_birth birth;

	ft_kunit_birth(tn, &birth, i, class, timeout);
	rcu_read_lock();
	local_bh_disable();
	admission = ft_flow_admit(tn, &birth);
	local_bh_enable();
	rcu_read_unlock();
	return admission;
}

static inline bool ft_kunit_has(struct ft_net *tn, u32 i)
{
	struct ft_birth birth;
	bool found;
	u32 index;

	ft_kunit_birth(tn, &birth, i, 0, 0);
	rcu_read_lock();
	found = ft_table_lookup(tn->table, &birth.key, birth.hash, &index);
	rcu_read_unlock();
	return found;
}

#endif /* _FT_KUNIT_H */
