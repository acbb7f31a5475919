// SPDX-License-Identifier: GPL-2.0
#include <linux/nf_flowtrack.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <net/netfilter/nf_conntrack.h>

#include "base/settings.h"
#include "base/stats.h"
#include "flow/shadow.h"
#include "guard/heavy.h"
#include "guard/source.h"
#include "net.h"
#include "policy/loan.h"
#include "policy/source.h"
#include "policy/top.h"

/* Shadows looked at: a share is off by 3 percentage points at most. */
#define SURVEY		1024

/**
 * struct ft_guard_heavy - the sources that hold too much
 * @rcu: for freeing it
 * @prefix: what makes a source of an address
 * @n: how many do
 * @source: the sources
 */
struct ft_guard_heavy {
	struct rcu_head rcu;
	struct ft_source_prefix prefix;
	unsigned int n;
	struct ft_source source[FT_TOP_HEAVY];
};

/**
 * struct survey - what is looked at for that
 * @shadow: the sample; valid in the read-side section that it was taken in
 * @source: their sources
 * @n: how many
 * @embryonic: of these
 */
struct survey {
	struct ft_shadow *shadow[SURVEY];
	struct ft_source source[SURVEY];
	unsigned int n;
	u32 embryonic;
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ft_source));
}

static void heavy_take(struct ft_net *tn, struct survey *survey,
		       struct ft_source_prefix prefix)
{
	struct ft_shadow_key key;
	unsigned int i;

	survey->embryonic = 0;
	rcu_read_lock();
	survey->n = ft_shadow_sample(&tn->guard.shadows, get_random_u32(),
				     survey->shadow, SURVEY);
	for (i = 0; i < survey->n; i++) {
		/* Read without a lock: the flow may have ended, and half of this be the next's. */
		key = survey->shadow[i]->key;
		ft_guard_source(&survey->source[i], &key);
		ft_source_cut(&survey->source[i], prefix);
		survey->embryonic +=
			ft_shadow_class(READ_ONCE(survey->shadow[i]->word)) ==
			FLOWTRACK_CLASS_EMBRYONIC;
	}
	rcu_read_unlock();
	sort(survey->source, survey->n, sizeof(survey->source[0]), compare,
	     NULL);
}

/* Enter a source into a list in descending order of what they hold. */
static unsigned int heavy_enter(u32 *held, struct ft_source *first, unsigned int n,
				const struct ft_source *source, u32 holds)
{
	unsigned int at = n;

	while (at && held[at - 1] < holds)
		at--;
	if (at > FT_TOP_HEAVY)
		return n;
	n = min(n, FT_TOP_HEAVY);
	memmove(&held[at + 1], &held[at], (n - at) * sizeof(held[0]));
	memmove(&first[at + 1], &first[at], (n - at) * sizeof(first[0]));
	held[at] = holds;
	first[at] = *source;
	return n + 1;
}

static void heavy_find(struct ft_guard_heavy *heavy, const struct survey *survey)
{
	struct ft_source first[FT_TOP_HEAVY + 1];
	u32 held[FT_TOP_HEAVY + 1];
	unsigned int i, from, n = 0;

	for (from = 0; from < survey->n; from = i) {
		for (i = from + 1; i < survey->n; i++) {
			if (!ft_source_equal(&survey->source[i],
					     &survey->source[from]))
				break;
		}
		n = heavy_enter(held, first, n, &survey->source[from], i - from);
	}
	heavy->n = ft_top_heavy_count(held, n, survey->n);
	memcpy(heavy->source, first, heavy->n * sizeof(first[0]));
}

static void publish(struct ft_net *tn, struct ft_guard_heavy *heavy)
{
	struct ft_guard_heavy *old;

	/* The work, or nobody else any more. Pairs with rcu_dereference(). */
	old = rcu_replace_pointer(tn->guard.heavy, heavy, true);
	if (old)
		kfree_rcu(old, rcu);
}

/* Shadows of flows that are not answered, as far as a sample can tell. */
static u32 unanswered(struct ft_net *tn, const struct survey *survey)
{
	u64 n = (u64)survey->embryonic * ft_shadow_count(&tn->guard.shadows);

	return survey->n ? div_u64(n, survey->n) : 0;
}

/**
 * ft_guard_heavy_look() - find out which sources are heavy
 * @tn: namespace
 *
 * Context: the work of watch.c; may sleep.
 */
void ft_guard_heavy_look(struct ft_net *tn)
{
	u32 lent = atomic_read(&tn->guard.loan.lent);
	struct ft_guard_heavy *heavy;
	struct survey *survey;

	survey = kvmalloc(sizeof(*survey), GFP_KERNEL);
	heavy = kzalloc(sizeof(*heavy), GFP_KERNEL);
	if (!survey || !heavy) {
		ft_stat_inc(tn, NOMEM);
		kfree(heavy);
		goto out;
	}
	heavy->prefix = (struct ft_source_prefix){
		.v4 = ft_setting(&tn->set, SRC_PREFIX4),
		.v6 = ft_setting(&tn->set, SRC_PREFIX6),
	};
	heavy_take(tn, survey, heavy->prefix);
	heavy_find(heavy, survey);
	ft_loan_update(&tn->guard.loan, lent, unanswered(tn, survey),
		       READ_ONCE(nf_conntrack_max));
	publish(tn, heavy);
out:
	kvfree(survey);
}

/**
 * ft_guard_heavy_forget() - there is room: nobody is heavy
 * @tn: namespace
 *
 * Context: the work of watch.c, or nobody else knows @tn any more.
 */
void ft_guard_heavy_forget(struct ft_net *tn)
{
	ft_loan_init(&tn->guard.loan);
	publish(tn, NULL);
}

/**
 * ft_guard_heavy_any() - are there heavy sources?
 * @tn: namespace
 *
 * Context: RCU read side.
 * Return: true if so.
 */
bool ft_guard_heavy_any(const struct ft_net *tn)
{
	const struct ft_guard_heavy *heavy = rcu_dereference(tn->guard.heavy);

	return heavy && heavy->n;
}

/**
 * ft_guard_is_heavy() - is a source heavy?
 * @tn: namespace
 * @address: whole
 *
 * Context: RCU read side. As of a second ago.
 * Return: true if so.
 */
bool ft_guard_is_heavy(const struct ft_net *tn, const struct ft_source *address)
{
	const struct ft_guard_heavy *heavy = rcu_dereference(tn->guard.heavy);
	struct ft_source source = *address;
	unsigned int i;

	if (!heavy || !heavy->n)
		return false;
	ft_source_cut(&source, heavy->prefix);
	for (i = 0; i < heavy->n; i++) {
		if (ft_source_equal(&heavy->source[i], &source))
			return true;
	}
	return false;
}
