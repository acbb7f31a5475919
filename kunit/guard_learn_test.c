// SPDX-License-Identifier: GPL-2.0
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "base/fault_inject.h"
#include "base/tenant.h"
#include "ft_conntrack.h"
#include "guard/guard.h"
#include "guard/idle.h"
#include "guard/learn.h"
#include "guard/wake.h"
#include "guard/watch.h"

#define ASSURED		(IPS_SEEN_REPLY | IPS_ASSURED)
#define UNKNOWN		FT_GUARD_IDLE_UNKNOWN
#define DAY		(24 * 3600)

static struct ft_net *guard_net(struct kunit *test)
{
	struct ft_net *tn = ft_kunit_net(test, 100);

	KUNIT_ASSERT_EQ(test, nf_conntrack_count(&init_net), 0);
	/* As if packets came by; and as if nobody looked. */
	tn->hooked = true;
	tn->guard.calm_max = nf_conntrack_max;
	tn->guard.wanted_until = ft_now();
	return tn;
}

/* For how long has an entry been idle, by what is left of its timeout? */
static void idle_by_timeout(struct kunit *test)
{
	static const struct {
		const char *name;
		u8 l4proto, state;
		unsigned long status;
		u32 left, want;
	} cases[] = {
		{ "UDP just now", IPPROTO_UDP, 0, 0, 30, 0 },
		{ "UDP, no answer", IPPROTO_UDP, 0, 0, 12, 18 },
		{ "answered, and maybe a stream", IPPROTO_UDP, 0,
		  IPS_SEEN_REPLY, 100, 20 },
		{ "answered", IPPROTO_UDP, 0, IPS_SEEN_REPLY, 20, 10 },
		{ "a stream", IPPROTO_UDP, 0, ASSURED, 20, 100 },
		{ "longer than any timeout", IPPROTO_UDP, 0, ASSURED, 121,
		  UNKNOWN },
		{ "expired", IPPROTO_UDP, 0, ASSURED, 0, 120 },
		{ "a timeout of its own", IPPROTO_UDP, 0,
		  ASSURED | IPS_FIXED_TIMEOUT, 20, UNKNOWN },
		{ "offloaded", IPPROTO_UDP, 0, ASSURED | IPS_OFFLOAD, 20,
		  UNKNOWN },
		{ "TCP just now", IPPROTO_TCP, TCP_CONNTRACK_ESTABLISHED,
		  ASSURED, 5 * DAY, 0 },
		{ "TCP of yesterday", IPPROTO_TCP, TCP_CONNTRACK_ESTABLISHED,
		  ASSURED, 4 * DAY, DAY },
		{ "TCP just now, not acknowledged", IPPROTO_TCP,
		  TCP_CONNTRACK_ESTABLISHED, ASSURED, 300, 0 },
		{ "TCP for long, or not acknowledged", IPPROTO_TCP,
		  TCP_CONNTRACK_ESTABLISHED, ASSURED, 200, 100 },
		{ "TCP just now, with a strange reset", IPPROTO_TCP,
		  TCP_CONNTRACK_ESTABLISHED, ASSURED, 10, 0 },
		{ "a SYN", IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT, 0, 115, 5 },
		{ "TIME_WAIT", IPPROTO_TCP, TCP_CONNTRACK_TIME_WAIT, ASSURED,
		  60, 60 },
		{ "no state of TCP", IPPROTO_TCP, TCP_CONNTRACK_MAX, 0, 1,
		  UNKNOWN },
		{ "a ping", IPPROTO_ICMP, 0, 0, 21, 9 },
		{ "a ping, IPv6", IPPROTO_ICMPV6, 0, 0, 29, 1 },
		{ "ESP", IPPROTO_ESP, 0, ASSURED, 500, 100 },
		{ "DCCP", IPPROTO_DCCP, 0, ASSURED, 500, UNKNOWN },
#ifdef CONFIG_NF_CT_PROTO_SCTP
		{ "SCTP", IPPROTO_SCTP, SCTP_CONNTRACK_ESTABLISHED, ASSURED,
		  5, 205 },
		{ "no state of SCTP", IPPROTO_SCTP, SCTP_CONNTRACK_MAX, 0, 1,
		  UNKNOWN },
#endif
	};
	struct nf_conn *ct = nf_ct_tmpl_alloc(&init_net, &nf_ct_zone_dflt,
					      GFP_KERNEL);
	unsigned int i;
	u32 idle, want;
	u16 padto;

	KUNIT_ASSERT_NOT_NULL(test, ct);
	padto = ct->proto.tmpl_padto;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ct->tuplehash[0].tuple.dst.protonum = cases[i].l4proto;
		ct->status = cases[i].status | IPS_CONFIRMED;
		if (cases[i].l4proto == IPPROTO_TCP)
			ct->proto.tcp.state = cases[i].state;
		else
			ct->proto.sctp.state = cases[i].state;
		ct->timeout = nfct_time_stamp + cases[i].left * HZ;
		idle = ft_guard_idle(ct);
		want = cases[i].want;
		if (want != UNKNOWN)
			want *= HZ;
		/* A tick may have come. */
		KUNIT_EXPECT_LE_MSG(test, idle - want, 2, "%s: %u",
				    cases[i].name, idle);
	}
	ct->status = 0;
	ct->proto.tmpl_padto = padto;
	nf_ct_tmpl_free(ct);
}

/* What was there before is known a moment after the table fills. */
static void learns(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct ft_shadow_key key;
	struct ft_shadow *shadow;
	unsigned int i, n = 1000;
	struct nf_conn *ct[4];

	for (i = 0; i < n; i++) {
		struct nf_conn *one = ft_ct_udp(test, i, ASSURED, 20 * HZ);

		if (i < ARRAY_SIZE(ct))
			ct[i] = one;
		else
			ft_ct_drop(test, one);
	}
	nf_conntrack_max = 2 * n + 2;
	tn->guard.calm_max = nf_conntrack_max;
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	KUNIT_EXPECT_FALSE(test, ft_guard_knows(tn));

	nf_conntrack_max = 2 * n;
	tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = 0;
	ft_guard_start(tn);
	flush_delayed_work(&tn->guard.work);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	tn->set.v[FLOWTRACK_A_SETTINGS_GUARD] = 1;
	/* It has had a packet before the walk comes. */
	ft_ct_feed(tn, ct[0]);
	ft_guard_start(tn);
	flush_delayed_work(&tn->guard.work);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);
	KUNIT_EXPECT_TRUE(test, ft_guard_knows(tn));

	for (i = 0; i < 2; i++) {
		ft_shadow_key_set(&key, nf_ct_tuple(ct[i], IP_CT_DIR_ORIGINAL),
				  nf_ct_zone(ct[i]));
		rcu_read_lock();
		shadow = ft_shadow_find(&tn->guard.shadows, &key);
		KUNIT_ASSERT_NOT_NULL(test, shadow);
		KUNIT_EXPECT_EQ(test, ft_shadow_class(shadow->word),
				FLOWTRACK_CLASS_ASSURED);
		if (i)
			KUNIT_EXPECT_GE(test, ft_shadow_idle(shadow->word, ft_now()),
					98 * HZ);
		else
			KUNIT_EXPECT_LE(test, ft_shadow_idle(shadow->word, ft_now()),
					HZ);
		rcu_read_unlock();
	}
	for (i = 0; i < ARRAY_SIZE(ct); i++)
		ft_ct_drop(test, ct[i]);
	ft_ct_end_all();
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
}

static enum ft_guard_answer make_room(struct ft_net *tn)
{
	static const struct ft_guard_newcomer anybody;
	enum ft_guard_answer answer;

	rcu_read_lock();
	answer = ft_guard_make_room(tn, &anybody);
	rcu_read_unlock();
	return answer;
}

/* A table full of what nobody knows: first early drop may try, then we do. */
static void emergency(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	unsigned int i, n = 200, active = 20;

	/* Of streams in use each packet sets 120 seconds. */
	for (i = 0; i < n; i++)
		ft_ct_drop(test, ft_ct_udp(test, i, ASSURED,
					   (i < active ? 119 : 20) * HZ));
	nf_conntrack_max = n;
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), n);
	ft_guard_start(tn);
	flush_delayed_work(&tn->guard.work);
	for (i = 0; i < 20; i++) {
		KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_GO);
		nf_conntrack_max--;
	}
	KUNIT_EXPECT_LE(test, nf_conntrack_count(&init_net), n - 20);
	for (i = 0; i < active; i++)
		KUNIT_EXPECT_TRUE_MSG(test, ft_ct_has(i), "%u", i);
	/* All that is left is in use, and known: nobody goes. */
	for (i = active; i < n; i++)
		ft_ct_delete(i);
	nf_conntrack_max = active;
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, make_room(tn), FT_GUARD_DROP);
	KUNIT_EXPECT_EQ(test, nf_conntrack_count(&init_net), active);
}

/* A walk is not begun again and again. */
static void rests(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	unsigned int i, n = 200;

	for (i = 0; i < n; i++)
		ft_ct_drop(test, ft_ct_udp(test, i, ASSURED, 20 * HZ));
	nf_conntrack_max = 2 * n;
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);
	for (i = n; i < 2 * n; i++)
		ft_ct_drop(test, ft_ct_udp(test, i, ASSURED, 20 * HZ));
	KUNIT_EXPECT_FALSE(test, ft_guard_knows(tn));
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);
	tn->guard.learn_after = 0;
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 2 * n);
}

/* The next flow's first packet, as ft_confirm() has it. */
static void first_packet(struct kunit *test, struct ft_net *tn, u32 i)
{
	struct nf_conn *ct = ft_ct_udp(test, i, ASSURED, 20 * HZ);

	ct->status &= ~IPS_CONFIRMED;
	ft_ct_feed(tn, ct);
	ct->status |= IPS_CONFIRMED;
	ft_ct_drop(test, ct);
}

static void faults_off(void *unused)
{
	WRITE_ONCE(ft_faults, 0);
}

/* An entry that could not be given a shadow is given one later, whether it has packets or not. */
static void missed(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	unsigned int i, n = 10;

	nf_conntrack_max = 100;
	for (i = 0; i < n; i++)
		ft_ct_drop(test, ft_ct_udp(test, i, ASSURED, 20 * HZ));
	/* The walk misses all of them. */
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, faults_off, NULL), 0);
	WRITE_ONCE(ft_faults, FT_FAULT_SHADOW);
	ft_guard_show(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	WRITE_ONCE(ft_faults, 0);
	tn->guard.wanted_until = ft_now() + 600 * HZ;
	/* Not at once: walks have a part of the CPU. */
	tn->guard.learn_after = U64_MAX;
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	tn->guard.learn_after = 0;
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);

	WRITE_ONCE(ft_faults, FT_FAULT_SHADOW);
	first_packet(test, tn, i++);
	WRITE_ONCE(ft_faults, 0);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);
	tn->guard.learn_after = 0;
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n + 1);
	/* Nothing is missing: nothing is walked. */
	KUNIT_EXPECT_FALSE(test, READ_ONCE(tn->guard.missed));
	tn->guard.learn_after = 0;
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, tn->guard.learn_after, 0);
}

/* How full a table may be while nothing is kept, and from when on nothing is any more. */
static void wakes(struct kunit *test)
{
	static const struct {
		u32 max, reserved, wake, calm;
	} cases[] = {
		{ 1, 0, 1, 1 }, { 2, 0, 1, 1 }, { 200, 0, 100, 80 }, { 200, 100, 50, 40 },
		{ 200, 1000, 50, 40 }, { 4096, 0, 2048, 1639 }, { 8192, 0, 6144, 4916 },
		{ 16384, 0, 14336, 11469 }, { 262144, 0, 229376, 183501 },
		{ 262144, 62144, 175000, 140000 }, { U32_MAX, 0, 3758096384U, 3006477108U },
	};
	u32 max, reserved;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		max = cases[i].max;
		reserved = cases[i].reserved;
		KUNIT_EXPECT_EQ_MSG(test, ft_guard_wake_at(max, reserved), cases[i].wake,
				    "%u, %u reserved", max, reserved);
		KUNIT_EXPECT_EQ_MSG(test, ft_guard_calm_at(max, reserved), cases[i].calm,
				    "%u, %u reserved", max, reserved);
	}
}

/* While there is room nothing is kept; when it gets less, all is learned. */
static void calm(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	unsigned int i, n = 100;
	struct nf_conn *known;

	nf_conntrack_max = 2 * n;
	tn->guard.calm_max = 2 * n;
	for (i = 0; i < n / 2; i++)
		first_packet(test, tn, i);
	known = ft_ct_udp(test, i++, ASSURED, 20 * HZ);
	ft_ct_feed(tn, known);
	KUNIT_EXPECT_TRUE(test, ft_guard_calm(&tn->guard));
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	KUNIT_EXPECT_EQ(test, ft_guard_count(tn), n / 2 + 1);
	for (; i < n; i++)
		first_packet(test, tn, i);
	KUNIT_EXPECT_FALSE(test, ft_guard_calm(&tn->guard));
	flush_delayed_work(&tn->guard.work);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);
	/* From now on each is known from its first packet. */
	first_packet(test, tn, i++);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n + 1);

	/* Not before there is clearly more room again. */
	while (i > n * 9 / 10)
		ft_ct_delete(--i);
	ft_ct_look(tn);
	KUNIT_EXPECT_FALSE(test, ft_guard_calm(&tn->guard));
	while (i > n * 7 / 10)
		ft_ct_delete(--i);
	ft_ct_look(tn);
	KUNIT_EXPECT_TRUE(test, ft_guard_calm(&tn->guard));
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);

	/* A lower limit is noticed by whatever packet comes, and may leave room, too. */
	nf_conntrack_max = 2 * n - 1;
	KUNIT_EXPECT_FALSE(test, ft_guard_calm(&tn->guard));
	ft_ct_feed(tn, known);
	KUNIT_EXPECT_TRUE(test, ft_guard_calm(&tn->guard));
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	nf_conntrack_max = n;
	KUNIT_EXPECT_FALSE(test, ft_guard_calm(&tn->guard));
	ft_ct_feed(tn, known);
	flush_delayed_work(&tn->guard.work);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), i);

	/* Which means that there is no such limit: to be awake is that, too. */
	nf_conntrack_max = U32_MAX;
	ft_ct_look(tn);
	KUNIT_EXPECT_FALSE(test, ft_guard_calm(&tn->guard));
	ft_guard_show(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), i);
	ft_ct_drop(test, known);
}

/* A listing sees all, whatever room there is; and so does a limit by source. */
static void shown(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	unsigned int i, n = 10;

	for (i = 0; i < n; i++)
		ft_ct_drop(test, ft_ct_udp(test, i, ASSURED, 20 * HZ));
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	ft_guard_show(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);
	first_packet(test, tn, i++);
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n + 1);
	tn->guard.wanted_until = ft_now();
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
	KUNIT_EXPECT_TRUE(test, ft_guard_calm(&tn->guard));

	KUNIT_ASSERT_EQ(test, ft_settings_set(tn, FLOWTRACK_A_SETTINGS_SRC_MAX,
					      100, NULL), 0);
	tn->guard.wanted_until = ft_now();
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n + 1);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), n + 1);
	KUNIT_ASSERT_EQ(test, ft_settings_set(tn, FLOWTRACK_A_SETTINGS_SRC_MAX,
					      0, NULL), 0);
	tn->guard.wanted_until = ft_now();
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), 0);
}

/**
 * struct queued - a work that is before all others
 * @work: it
 * @tn: whose lock it takes
 * @go_on: it goes on
 */
struct queued {
	struct work_struct work;
	struct ft_net *tn;
	struct completion go_on;
};

static void queued_work(struct work_struct *work)
{
	struct queued *queued = container_of(work, struct queued, work);

	wait_for_completion(&queued->go_on);
	/* As the works that change the size of the table, and the hooks. */
	mutex_lock(&queued->tn->settings_lock);
	mutex_unlock(&queued->tn->settings_lock);
}

static int let_go_on(void *arg)
{
	struct queued *queued = arg;

	/* Somebody waits for shadows by now. */
	msleep(100);
	complete(&queued->go_on);
	return 0;
}

/* As a tenant's: its works wait for each other. Return: what to queue first. */
static struct queued *queue_of_tenant(struct kunit *test, struct ft_net *tn)
{
	struct queued *queued = kunit_kzalloc(test, sizeof(*queued), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, queued);
	tn->wq = alloc_ordered_workqueue("ft_kunit", 0);
	KUNIT_ASSERT_NOT_NULL(test, tn->wq);
	INIT_WORK(&queued->work, queued_work);
	init_completion(&queued->go_on);
	queued->tn = tn;
	queue_work(tn->wq, &queued->work);
	return queued;
}

static void queue_done(struct ft_net *tn)
{
	struct workqueue_struct *wq = tn->wq;

	cancel_delayed_work_sync(&tn->guard.work);
	cancel_delayed_work_sync(&tn->gc_work);
	tn->wq = ft_tenant_wq(NULL);
	destroy_workqueue(wq);
}

/* A task that sets a limit by source waits for shadows, and holds nothing that a work wants. */
static void waits_unlocked(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct task_struct *task;
	struct queued *queued;

	ft_ct_drop(test, ft_ct_udp(test, 1, ASSURED, 20 * HZ));
	queued = queue_of_tenant(test, tn);
	task = kthread_run(let_go_on, queued, "ft_kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, FLOWTRACK_A_SETTINGS_SRC_MAX, 100, NULL), 0);
	KUNIT_EXPECT_EQ(test, ft_source_count(tn), 1);
	KUNIT_EXPECT_EQ(test, ft_settings_set(tn, FLOWTRACK_A_SETTINGS_SRC_MAX, 0, NULL), 0);
	queue_done(tn);
}

/* One that is killed waits no more. */
static void waits_killably(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	struct queued *queued = queue_of_tenant(test, tn);
	unsigned long began = jiffies;

	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_EQ(test, ft_guard_show(tn), -EINTR);
	KUNIT_EXPECT_LT(test, jiffies - began, 5 * HZ);
	flush_signals(current);
	disallow_signal(SIGKILL);
	complete(&queued->go_on);
	queue_done(tn);
}

/* Entries come and go all the time: that is no reason to look at all of them. */
static void settles(struct kunit *test)
{
	struct ft_net *tn = guard_net(test);
	unsigned int i, n = 1000;

	nf_conntrack_max = n;
	for (i = 0; i < n; i++)
		ft_ct_drop(test, ft_ct_udp(test, i, ASSURED, 20 * HZ));
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);
	/* A pass took a while. */
	tn->guard.sweep_after = U64_MAX;
	for (i = 0; i < n / 10; i++)
		ft_ct_delete(i);
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n);
	/* Of so many it is. */
	for (; i < n / 5; i++)
		ft_ct_delete(i);
	ft_ct_look(tn);
	ft_ct_look(tn);
	KUNIT_EXPECT_EQ(test, ft_shadow_count(&tn->guard.shadows), n - n / 5);
	KUNIT_EXPECT_LT(test, tn->guard.sweep_after, U64_MAX);
	KUNIT_EXPECT_EQ(test, tn->guard.sweep_took, 0);
}

static struct kunit_case guard_learn_cases[] = {
	KUNIT_CASE(idle_by_timeout),
	KUNIT_CASE(learns),
	KUNIT_CASE(emergency),
	KUNIT_CASE(rests),
	KUNIT_CASE(missed),
	KUNIT_CASE(wakes),
	KUNIT_CASE(calm),
	KUNIT_CASE(shown),
	KUNIT_CASE(waits_unlocked),
	KUNIT_CASE(waits_killably),
	KUNIT_CASE(settles),
	{}
};

static struct kunit_suite guard_learn_suite = {
	.name = "ft_guard_learn",
	.init = ft_ct_init,
	.test_cases = guard_learn_cases,
};

kunit_test_suite(guard_learn_suite);
