// SPDX-License-Identifier: GPL-2.0
/*
 * Settings take effect here: all of a request or none.
 */
#include <linux/bitops.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/nf_flowtrack.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "base/follow.h"
#include "base/settings.h"
#include "base/stats.h"
#include "base/tenant.h"
#include "control.h"
#include "flow/table.h"
#include "guard/source.h"
#include "guard/watch.h"
#include "net.h"
#include "policy/source.h"
#include "track/ahead.h"
#include "track/enable.h"

#define A(name)		FLOWTRACK_A_SETTINGS_##name

/*
 * As nf_conntrack_max, see nf_conntrack_init_start(): an administrator knows that number
 * for a machine.
 */
static u32 max_by_memory(void)
{
	u64 bytes = (u64)totalram_pages() << PAGE_SHIFT;

	if (bytes > 4ULL << 30)
		return 262144;
	if (bytes > 1ULL << 30)
		return 65536;
	return max_t(u32, bytes >> 17, 1024);
}

/* The size that a table of so many buckets has. 0 is automatic. */
static u32 buckets_of(u32 buckets)
{
	return buckets ? roundup_pow_of_two(buckets) : 0;
}

/**
 * ft_settings_init() - give a namespace its initial settings
 * @tn: namespace that nobody else knows yet
 *
 * From the descriptors and the module parameters.
 */
void ft_settings_init(struct ft_net *tn)
{
	u32 *v = tn->set.v;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ft_setting_descs); i++)
		v[i] = ft_setting_descs[i].def;
	v[A(ENABLE)] = ft_params.enable;
	v[A(MAX_FLOWS)] = ft_params.max ?: max_by_memory();
	v[A(BUCKETS)] = buckets_of(ft_params.hashsize);
	v[A(FULL_POLICY)] = ft_params.full_policy;
	ft_follow_init(&tn->follow, &tn->set, tn->net);
}

/**
 * ft_settings_get() - a setting as it is shown
 * @tn: namespace
 * @attr: FLOWTRACK_A_SETTINGS_* with a descriptor
 *
 * The number of buckets is what the table has now, whether that size was asked
 * for or not.
 *
 * Context: any.
 * Return: the value.
 */
u32 ft_settings_get(struct ft_net *tn, unsigned int attr)
{
	ft_follow_look(&tn->follow, &tn->set, tn->net);
	switch (attr) {
	case A(COUNT):
		return atomic_read(&tn->count);
	case A(BUCKETS):
		return ft_table_buckets(tn->table);
	case A(BUCKETS_AUTO):
		return !READ_ONCE(tn->set.v[A(BUCKETS)]);
	case A(GUARDED):
		return ft_guard_count(tn);
	case A(SRC_COUNT):
		return ft_source_count(tn);
	default:
		return READ_ONCE(tn->set.v[attr]);
	}
}

/* The table would refuse it, too, but without the reason. */
static int check_memory(struct ft_net *tn, u32 buckets,
			struct netlink_ext_ack *extack)
{
	u64 need, have;

	if (ft_table_fits(buckets, &need, &have))
		return 0;
	need >>= 20;
	have >>= 20;
	NL_SET_ERR_MSG_FMT(extack, "%u buckets would need %llu MiB, %llu MiB available",
			   buckets, need, have);
	if (ft_tenant_may_log(tn->net))
		pr_warn_ratelimited("nf_flowtrack: netns %u: %u buckets refused: would need %llu MiB, %llu MiB available\n",
				    tn->net->ns.inum, buckets, need, have);
	return -ENOMEM;
}

static int apply_buckets(struct ft_net *tn, u32 value,
			 struct netlink_ext_ack *extack)
{
	u32 buckets = buckets_of(value);
	int err;

	if (!buckets) {
		WRITE_ONCE(tn->set.v[A(BUCKETS)], 0);
		queue_work(tn->wq, &tn->resize_work);
		return 0;
	}
	if (buckets != ft_table_buckets(tn->table)) {
		err = check_memory(tn, buckets, extack);
		if (err)
			return err;
		err = ft_table_resize(tn->table, buckets);
		if (err) {
			if (err == -ENOSPC)
				NL_SET_ERR_MSG(extack, "too few buckets for the flows there are");
			else
				NL_SET_ERR_MSG(extack, "no memory for that many buckets");
			return err;
		}
		ft_stat_inc(tn, RESIZE);
	}
	WRITE_ONCE(tn->set.v[A(BUCKETS)], buckets);
	return 0;
}

static int apply_enable(struct ft_net *tn, u32 value,
			struct netlink_ext_ack *extack)
{
	int err;

	err = ft_enable_apply(tn, value);
	if (err) {
		NL_SET_ERR_MSG(extack, "the hooks could not be registered");
		return err;
	}
	WRITE_ONCE(tn->set.v[A(ENABLE)], value);
	return 0;
}

/* The value that a setting will have. */
static u32 will_be(const struct ft_net *tn, const struct ft_settings *wanted,
		   u64 which, unsigned int attr)
{
	return which & BIT_ULL(attr) ? wanted->v[attr] : tn->set.v[attr];
}

/* The range of each of the two depends on the other one; 0 is off. */
static int check_pairs(const struct ft_net *tn,
		       const struct ft_settings *wanted, u64 which,
		       unsigned int *bad, struct netlink_ext_ack *extack)
{
	u32 start = will_be(tn, wanted, which, A(ADAPTIVE_START));
	u32 end = will_be(tn, wanted, which, A(ADAPTIVE_END));
	u32 low = will_be(tn, wanted, which, A(WATERMARK_LOW));
	u32 high = will_be(tn, wanted, which, A(WATERMARK_HIGH));
	u32 reserved = will_be(tn, wanted, which, A(RESERVED));
	u32 max = will_be(tn, wanted, which, A(MAX_FLOWS));

	if (which & (BIT_ULL(A(ADAPTIVE_START)) | BIT_ULL(A(ADAPTIVE_END))) &&
	    start && end && start >= end) {
		*bad = which & BIT_ULL(A(ADAPTIVE_END)) ? A(ADAPTIVE_END) :
							  A(ADAPTIVE_START);
		NL_SET_ERR_MSG_FMT(extack, "adaptive_end %u must be above adaptive_start %u",
				   end, start);
		return -EINVAL;
	}
	if (which & (BIT_ULL(A(WATERMARK_LOW)) | BIT_ULL(A(WATERMARK_HIGH))) &&
	    low && high && low >= high) {
		*bad = which & BIT_ULL(A(WATERMARK_HIGH)) ? A(WATERMARK_HIGH) :
							    A(WATERMARK_LOW);
		NL_SET_ERR_MSG_FMT(extack, "watermark_high %u must be above watermark_low %u",
				   high, low);
		return -EINVAL;
	}
	if (which & (BIT_ULL(A(RESERVED)) | BIT_ULL(A(MAX_FLOWS))) &&
	    reserved >= max) {
		*bad = which & BIT_ULL(A(RESERVED)) ? A(RESERVED) : A(MAX_FLOWS);
		NL_SET_ERR_MSG_FMT(extack, "reserved %u must be below max %u",
				   reserved, max);
		return -EINVAL;
	}
	return 0;
}

static int prepare_sources(struct ft_net *tn, const struct ft_settings *wanted,
			   u64 which, struct ft_source_table **next)
{
	struct ft_settings set = tn->set;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(set.v); i++) {
		if (which & BIT_ULL(i))
			set.v[i] = wanted->v[i];
	}
	return ft_source_prepare(tn, &set, next);
}

/* What the fill level is measured by: expiry looks at it once a second. */
#define FILL_SETTINGS							\
	(BIT_ULL(A(MAX_FLOWS)) | BIT_ULL(A(RESERVED)) |			\
	 BIT_ULL(A(WATERMARK_LOW)) | BIT_ULL(A(WATERMARK_HIGH)))

static int apply_locked(struct ft_net *tn, const struct ft_settings *wanted,
			u64 which, unsigned int *bad, bool *show,
			struct netlink_ext_ack *extack)
{
	u32 buckets = tn->set.v[A(BUCKETS)];
	struct ft_source_table *sources;
	u64 follow = 0;
	unsigned int i;
	int err;

	lockdep_assert_held(&tn->settings_lock);
	if (tn->dying)
		return -ENODEV;
	for (i = 0; i < ARRAY_SIZE(wanted->v); i++) {
		*bad = i;
		if (!(which & BIT_ULL(i)))
			continue;
		err = ft_settings_check(tn, i, wanted->v[i], extack);
		if (err)
			return err;
		if (wanted->v[i] == FLOWTRACK_SETTING_AUTO &&
		    ft_setting_descs[i].follows)
			follow |= BIT_ULL(i);
	}

	err = check_pairs(tn, wanted, which, bad, extack);
	if (err)
		return err;

	/* Steps that can fail come first. */
	*bad = A(SRC_MAX);
	err = prepare_sources(tn, wanted, which, &sources);
	if (err) {
		NL_SET_ERR_MSG(extack, "no memory to count flows by source");
		return err;
	}
	*bad = A(BUCKETS);
	if (which & BIT_ULL(A(BUCKETS))) {
		err = apply_buckets(tn, wanted->v[A(BUCKETS)], extack);
		if (err)
			goto err_sources;
	}
	*bad = A(ENABLE);
	if (which & BIT_ULL(A(ENABLE))) {
		err = apply_enable(tn, wanted->v[A(ENABLE)], extack);
		if (err)
			goto err_buckets;
	}
	which &= ~follow;
	ft_follow_own(&tn->follow, which);
	if (follow)
		ft_follow_again(&tn->follow, &tn->set, tn->net, follow);
	which &= ~(BIT_ULL(A(BUCKETS)) | BIT_ULL(A(ENABLE)));
	for (i = 0; i < ARRAY_SIZE(wanted->v); i++) {
		if (which & BIT_ULL(i))
			WRITE_ONCE(tn->set.v[i], wanted->v[i]);
	}
	if (which & BIT_ULL(A(GUARD)) && wanted->v[A(GUARD)])
		ft_guard_start(tn);
	if (which & BIT_ULL(A(LOOKAHEAD)))
		ft_ahead_set(tn);
	*show = ft_source_apply(tn, sources);
	if (*show)
		ft_guard_recount(tn);
	if (which & FILL_SETTINGS)
		ft_net_scan_soon(tn);
	return 0;

err_buckets:
	/* Give the table its former size, if there is the memory; else it stays larger. */
	if (which & BIT_ULL(A(BUCKETS)))
		apply_buckets(tn, buckets, NULL);
err_sources:
	kvfree(sources);
	return err;
}

/**
 * ft_settings_apply() - change settings, all of them or none
 * @tn: namespace
 * @wanted: the new values
 * @which: the settings that change, bits by FLOWTRACK_A_SETTINGS_*
 * @bad: on error set to the one that is to blame
 * @extack: gets the reason of an error; may be NULL
 *
 * Context: may sleep; takes settings_lock.
 * Return: 0; as ft_settings_check(); -ENOMEM, or an error of
 * ft_table_resize() or ft_enable_apply(); -ENODEV: the namespace goes away.
 */
int ft_settings_apply(struct ft_net *tn, const struct ft_settings *wanted,
		      u64 which, unsigned int *bad,
		      struct netlink_ext_ack *extack)
{
	bool show = false;
	int err;

	mutex_lock(&tn->settings_lock);
	err = apply_locked(tn, wanted, which, bad, &show, extack);
	mutex_unlock(&tn->settings_lock);
	/*
	 * Those that are not known yet are counted as they are learned. Not with the lock held:
	 * this waits for a work, and others before it take the lock.
	 */
	if (show)
		ft_guard_show(tn);
	return err;
}

/**
 * ft_settings_inherit() - begin with what is set in the initial namespace
 * @tn: namespace that nobody else knows yet, complete
 *
 * If the module parameter inherit says so. What was never set there is not
 * inherited, and goes on to follow nf_conntrack; nor are the number of buckets
 * and enable: there are parameters for those.
 *
 * Context: may sleep; takes settings_lock of both, in turn.
 * Return: 0 or as ft_settings_apply().
 */
int ft_settings_inherit(struct ft_net *tn)
{
	struct ft_net *init = ft_pernet(&init_net);
	struct ft_settings wanted;
	unsigned int bad;
	u64 which;

	if (!ft_params.inherit || tn == init)
		return 0;
	mutex_lock(&init->settings_lock);
	which = READ_ONCE(init->follow.own) &
		~(BIT_ULL(A(BUCKETS)) | BIT_ULL(A(ENABLE)));
	wanted = init->set;
	mutex_unlock(&init->settings_lock);
	return which ? ft_settings_apply(tn, &wanted, which, &bad, NULL) : 0;
}

/**
 * ft_settings_set() - change one setting
 * @tn: namespace
 * @attr: FLOWTRACK_A_SETTINGS_*
 * @value: value
 * @extack: gets the reason of an error; may be NULL
 *
 * Context: may sleep; takes settings_lock.
 * Return: as ft_settings_apply(). The setting is unchanged on error.
 */
int ft_settings_set(struct ft_net *tn, unsigned int attr, u32 value,
		    struct netlink_ext_ack *extack)
{
	struct ft_settings wanted = {};
	unsigned int bad;
	int err;

	/* A setting that does not exist has no bit. */
	err = ft_settings_check(tn, attr, value, extack);
	if (err)
		return err;
	wanted.v[attr] = value;
	return ft_settings_apply(tn, &wanted, BIT_ULL(attr), &bad, extack);
}
