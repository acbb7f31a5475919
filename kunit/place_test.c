// SPDX-License-Identifier: GPL-2.0
#include "ft_kunit.h"
#include "track/place.h"

#define TOTAL	64

/* A namespace that only its identity and its settings are needed of. */
static struct ft_net *some_net(struct kunit *test, struct ft_tenant *tenant)
{
	struct ft_net *tn = kunit_kzalloc(test, sizeof(*tn), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, tn);
	tn->net = kunit_kzalloc(test, sizeof(*tn->net), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tn->net);
	tn->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 2 * TOTAL;
	tn->tenant = tenant;
	return tn;
}

/* As many places as there are to have. */
static u32 take_all(struct ft_net *tn, bool reserved)
{
	u32 n = 0;

	while (n < 3 * TOTAL && ft_place_take(tn, reserved))
		n++;
	return n;
}

static void give(struct ft_net *tn, u32 n)
{
	while (n--)
		ft_place_give(tn);
}

static int place_init(struct kunit *test)
{
	struct ft_params *saved = kunit_kzalloc(test, sizeof(*saved), GFP_KERNEL);

	if (!saved)
		return -ENOMEM;
	*saved = ft_params;
	test->priv = saved;
	ft_flow_end_all(ft_pernet(&init_net), FLOWTRACK_REASON_FLUSHED);
	ft_params.total_max = TOTAL;
	return 0;
}

static void place_exit(struct kunit *test)
{
	if (test->priv)
		ft_params = *(struct ft_params *)test->priv;
}

/* Statistics are counted: a whole namespace, which is the initial one. */
static void shares(struct kunit *test)
{
	struct ft_tenant alice = {}, bob = {};
	struct ft_net *init = ft_kunit_net(test, 2 * TOTAL);
	struct ft_net *host = some_net(test, NULL);
	struct ft_net *a1 = some_net(test, &alice);
	struct ft_net *a2 = some_net(test, &alice);
	struct ft_net *b = some_net(test, &bob);
	u32 n_init, n_host;

	/* Half of all is held for the initial one, half of the rest for root's. */
	KUNIT_EXPECT_EQ(test, take_all(a1, false), TOTAL / 16);
	KUNIT_EXPECT_EQ(test, take_all(a2, false), 0);
	KUNIT_EXPECT_EQ(test, take_all(b, false), TOTAL / 16);
	n_host = take_all(host, false);
	KUNIT_EXPECT_EQ(test, n_host, TOTAL / 2 - 2 * (TOTAL / 16));
	n_init = take_all(init, false);
	KUNIT_EXPECT_EQ(test, n_init, TOTAL / 2);

	/* Somebody's place is free for a tenant that has a share left. */
	give(a1, 1);
	KUNIT_EXPECT_EQ(test, take_all(a2, false), 1);
	give(b, 1);
	KUNIT_EXPECT_EQ(test, take_all(init, false), 1);
	KUNIT_EXPECT_EQ(test, take_all(b, false), 0);

	give(a1, TOTAL / 16 - 1);
	give(a2, 1);
	give(b, TOTAL / 16 - 1);
	give(host, n_host);
	give(init, n_init + 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&alice.flows), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&bob.flows), 0);
}

/* Four tenants that conspire leave as much to root's namespaces. */
static void tenants_together(struct kunit *test)
{
	struct ft_tenant tenant[6] = {};
	struct ft_net *tn[6], *host = some_net(test, NULL);
	u32 sum = 0, n[6], n_host;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tn); i++) {
		tn[i] = some_net(test, &tenant[i]);
		n[i] = take_all(tn[i], false);
		sum += n[i];
	}
	KUNIT_EXPECT_EQ(test, sum, TOTAL / 4);
	KUNIT_EXPECT_EQ(test, n[5], 0);
	n_host = take_all(host, false);
	KUNIT_EXPECT_EQ(test, n_host, TOTAL / 4);
	give(host, n_host);
	for (i = 0; i < ARRAY_SIZE(tn); i++)
		give(tn[i], n[i]);
}

/* Less than half is held if the initial namespace may have less. */
static void small_max(struct kunit *test)
{
	struct ft_net *init = ft_pernet(&init_net);
	u32 max = init->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS];
	struct ft_net *host = some_net(test, NULL);
	const char *whose;
	u32 n, count;

	init->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = 4;
	n = take_all(host, false);
	KUNIT_EXPECT_EQ(test, n, TOTAL - 4);
	whose = ft_place_short(host, &count);
	KUNIT_EXPECT_STREQ(test, whose ?: "", "all namespaces but the initial one");
	KUNIT_EXPECT_EQ(test, count, TOTAL - 4);
	give(host, n);
	KUNIT_EXPECT_NULL(test, ft_place_short(host, &count));
	init->set.v[FLOWTRACK_A_SETTINGS_MAX_FLOWS] = max;
}

static struct kunit_case place_cases[] = {
	KUNIT_CASE(shares),
	KUNIT_CASE(tenants_together),
	KUNIT_CASE(small_max),
	{}
};

static struct kunit_suite place_suite = {
	.name = "ft_place",
	.init = place_init,
	.exit = place_exit,
	.test_cases = place_cases,
};

kunit_test_suite(place_suite);
