// SPDX-License-Identifier: GPL-2.0
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/ratelimit.h>

#include "base/notify.h"
#include "base/settings.h"
#include "flow/tuple.h"
#include "net.h"
#include "policy/top.h"
#include "policy/watermark.h"

/* Messages, in so many jiffies: reached, and left. */
#define LOG_INTERVAL	(10 * HZ)
#define LOG_BURST	2

/**
 * ft_watermark_level() - how many flows a watermark is
 * @room: how many there may be
 * @percent: setting watermark_low or watermark_high
 *
 * Context: any; pure.
 * Return: a number of flows, 1 at least.
 */
u32 ft_watermark_level(u32 room, u32 percent)
{
	return max_t(u32, div_u64((u64)room * percent + 99, 100), 1);
}

/**
 * ft_watermark_cross() - was a watermark crossed?
 * @above: the high one was, and the low one not since
 * @count: flows
 * @room: how many there may be
 * @low: setting watermark_low, per cent of @room; 0: off
 * @high: setting watermark_high, above @low; 0: off
 *
 * Context: any; pure.
 * Return: which one. Switched off, all is below.
 */
enum ft_crossing ft_watermark_cross(bool above, u32 count, u32 room, u32 low,
				    u32 high)
{
	if (!low || !high)
		return FT_CROSSING_NONE;
	if (!above)
		return count >= ft_watermark_level(room, high) ?
		       FT_CROSSING_HIGH : FT_CROSSING_NONE;
	return count < ft_watermark_level(room, low) ?
	       FT_CROSSING_LOW : FT_CROSSING_NONE;
}

/**
 * ft_watermark_help() - which setting helps against what fills the table
 * @census: flows by class
 * @share: part of the flows that one source holds at most, per mille
 * @l4proto: of the service that most flows are to; 0: not known
 * @policy: what a full table does with a newcomer
 *
 * Context: any; pure.
 * Return: FLOWTRACK_A_SETTINGS_*.
 */
unsigned int ft_watermark_help(const struct ft_census *census, u32 share,
			       u8 l4proto, enum flowtrack_policy policy)
{
	enum flowtrack_class most = FLOWTRACK_CLASS_ASSURED;
	unsigned int i, timeout;

	if (share >= FT_WATERMARK_SHARE)
		return FLOWTRACK_A_SETTINGS_SRC_MAX;
	for (i = 0; i < FT_CLASSES; i++) {
		if (census->n[i] > census->n[most])
			most = i;
	}
	if (most <= FLOWTRACK_CLASS_EMBRYONIC &&
	    policy != FLOWTRACK_POLICY_EVICT)
		return FLOWTRACK_A_SETTINGS_FULL_POLICY;
	timeout = ft_setting_timeout_of(l4proto, most);
	return timeout ?: FLOWTRACK_A_SETTINGS_MAX_FLOWS;
}

/* A few counters of all CPUs; what is asked for each second is one of them. */
static u64 counted(const struct ft_net *tn, unsigned int attr)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(tn->stats, cpu)->v[attr]);
	return sum;
}

static void read_work(const struct ft_net *tn, struct ft_watermark_work *work)
{
	unsigned int i;

	*work = (struct ft_watermark_work){
		.dropped = counted(tn, FLOWTRACK_A_STATS_FULL_DROP),
		.passed = counted(tn, FLOWTRACK_A_STATS_FULL_PASS),
		.refused = counted(tn, FLOWTRACK_A_STATS_SRC_MAX_REFUSED) +
			   counted(tn, FLOWTRACK_A_STATS_SRC_RATE_REFUSED),
	};
	for (i = 0; i < FT_CLASSES; i++)
		work->evicted += counted(tn, FLOWTRACK_A_STATS_EVICT_CLOSING +
					     i);
}

/* Keep two marks, so that the older one is more than a second old. */
static void count_births(struct ft_net *tn)
{
	struct ft_watermark *w = &tn->watermark;

	if (!w->running) {
		/* None was entered while gc_work did not run. */
		w->when[0] = READ_ONCE(tn->gc_began);
		w->when[1] = w->when[0];
		w->born[0] = w->born[1];
		w->running = true;
	} else if (time_after_eq(jiffies, w->when[1] + HZ)) {
		w->when[0] = w->when[1];
		w->born[0] = w->born[1];
		w->when[1] = jiffies;
		w->born[1] = counted(tn, FLOWTRACK_A_STATS_INSERT);
	}
}

static u32 births_per_second(const struct ft_net *tn)
{
	const struct ft_watermark *w = &tn->watermark;
	u64 born = counted(tn, FLOWTRACK_A_STATS_INSERT) - w->born[0];
	/* A burst into an empty table is what came in the last second. */
	unsigned long window = max(jiffies - w->when[0], (unsigned long)HZ);

	return min_t(u64, div64_ul(born * HZ, window), U32_MAX);
}

/* Per mille of the own flows that were looked at. */
static u32 share_of(const struct ft_top_report *report,
		    const struct ft_top_entry *entry)
{
	if (!entry || !report->own.sampled)
		return 0;
	return div_u64((u64)entry->held * 1000, report->own.sampled);
}

static int print_proto(char *buf, size_t size, u8 l4proto)
{
	const char *name = ft_l4_name(l4proto);

	return name ? scnprintf(buf, size, "%s", name) :
		      scnprintf(buf, size, "proto %u", l4proto);
}

/* "; most of 192.0.2.7/32 (41%) and to tcp 80 (77%)" */
static void print_most(char *buf, size_t size,
		       const struct ft_watermark_event *event,
		       const struct ft_top_report *report)
{
	const struct ft_top_entry *source = event->source;
	const struct ft_top_entry *service = event->service;
	int len;

	buf[0] = '\0';
	if (!source || !service)
		return;
	if (source->key.host.family == NFPROTO_IPV4)
		len = scnprintf(buf, size, "; most of %pI4/%u",
				source->key.host.addr, report->prefix.v4);
	else
		len = scnprintf(buf, size, "; most of %pI6c/%u",
				source->key.host.addr, report->prefix.v6);
	len += scnprintf(buf + len, size - len, " (%u%%) and to ",
			 share_of(report, source) / 10);
	len += print_proto(buf + len, size - len, service->key.l4proto);
	if (service->key.port)
		len += scnprintf(buf + len, size - len, " %u",
				 ntohs(service->key.port));
	scnprintf(buf + len, size - len, " (%u%%)",
		  share_of(report, service) / 10);
}

static void log_event(struct ft_net *tn, const struct ft_watermark_event *event,
		      const struct ft_top_report *report)
{
	const u32 *n = event->census.n;
	char most[160];

	if (!__ratelimit(&tn->watermark.log))
		return;
	if (event->level == FLOWTRACK_LEVEL_LOW) {
		pr_info("nf_flowtrack: netns %u: %u of %u flows, below watermark_low again; in %llu s %llu flows were evicted, %llu newcomers dropped, %llu let through untracked, %llu refused for their source\n",
			tn->net->ns.inum, event->count, event->room,
			div_u64(event->since, MSEC_PER_SEC),
			event->work.evicted, event->work.dropped,
			event->work.passed, event->work.refused);
		return;
	}
	print_most(most, sizeof(most), event, report);
	pr_warn("nf_flowtrack: netns %u: %u of %u flows, watermark_high reached, %u new ones a second: %u closing, %u embryonic, %u replied, %u assured%s; policy %s; see net.netfilter.%s\n",
		tn->net->ns.inum, event->count, event->room, event->rate,
		n[FLOWTRACK_CLASS_CLOSING], n[FLOWTRACK_CLASS_EMBRYONIC],
		n[FLOWTRACK_CLASS_REPLIED], n[FLOWTRACK_CLASS_ASSURED], most,
		ft_setting_name(FLOWTRACK_A_SETTINGS_FULL_POLICY,
				ft_setting(&tn->set, FULL_POLICY)),
		ft_setting_descs[event->help].procname);
}

static void tell(struct ft_net *tn, struct ft_watermark_event *event)
{
	struct ft_watermark *w = &tn->watermark;
	struct ft_watermark_work work;
	const struct ft_top_report *report;

	event->rate = births_per_second(tn);
	read_work(tn, &work);
	event->since = jiffies_to_msecs(jiffies - w->told);
	event->work.evicted = work.evicted - w->work.evicted;
	event->work.dropped = work.dropped - w->work.dropped;
	event->work.passed = work.passed - w->work.passed;
	event->work.refused = work.refused - w->work.refused;
	w->work = work;
	w->told = jiffies;

	ft_top_look(tn);
	rcu_read_lock();
	report = rcu_dereference(tn->top.report);
	event->source = ft_top_first_own(tn, FLOWTRACK_TOP_KIND_SOURCE);
	event->service = ft_top_first_own(tn, FLOWTRACK_TOP_KIND_SERVICE);
	event->help = ft_watermark_help(&event->census,
					share_of(report, event->source),
					event->service ?
					event->service->key.l4proto : 0,
					ft_setting(&tn->set, FULL_POLICY));
	log_event(tn, event, report);
	ft_notify_pressure(tn, event);
	rcu_read_unlock();
}

static u32 trip_at(const struct ft_net *tn)
{
	u32 high = ft_setting(&tn->set, WATERMARK_HIGH);

	if (!high || !ft_setting(&tn->set, WATERMARK_LOW))
		return U32_MAX;
	return ft_watermark_level(ft_flow_room(&tn->set), high);
}

/**
 * ft_watermark_init() - all is below the watermarks
 * @tn: namespace that nobody else knows yet
 */
void ft_watermark_init(struct ft_net *tn)
{
	struct ft_watermark *w = &tn->watermark;

	w->trip = trip_at(tn);
	w->told = jiffies;
	ratelimit_state_init(&w->log, LOG_INTERVAL, LOG_BURST);
}

/**
 * ft_watermark_trip() - a newcomer has brought the count to ft_watermark.trip
 * @tn: namespace
 *
 * Context: any. Not called again before gc_work has run.
 */
void ft_watermark_trip(struct ft_net *tn)
{
	WRITE_ONCE(tn->watermark.tripped, true);
	WRITE_ONCE(tn->watermark.trip, U32_MAX);
	ft_net_scan_now(tn);
}

/**
 * ft_watermark_update() - tell if a watermark was crossed
 * @tn: namespace
 * @census: flows by class
 *
 * There is at most one notification for each time that gc_work runs; and it
 * is made to run early once between two times that it does so by itself. So a
 * level that goes up and down costs two notifications a second at most, and a
 * level that stays between the watermarks none.
 *
 * Context: gc_work; may sleep.
 */
void ft_watermark_update(struct ft_net *tn, const struct ft_census *census)
{
	u32 low = ft_setting(&tn->set, WATERMARK_LOW);
	u32 high = ft_setting(&tn->set, WATERMARK_HIGH);
	struct ft_watermark *w = &tn->watermark;
	struct ft_watermark_event event = {
		.count = atomic_read(&tn->count),
		.room = ft_flow_room(&tn->set),
		.census = *census,
	};
	bool tripped = READ_ONCE(w->tripped);

	count_births(tn);
	switch (ft_watermark_cross(w->above, event.count, event.room, low,
				   high)) {
	case FT_CROSSING_NONE:
		break;
	case FT_CROSSING_HIGH:
		w->above = true;
		event.level = FLOWTRACK_LEVEL_HIGH;
		tell(tn, &event);
		break;
	case FT_CROSSING_LOW:
		w->above = false;
		event.level = FLOWTRACK_LEVEL_LOW;
		tell(tn, &event);
		break;
	}
	if (!low || !high)
		w->above = false;
	w->running = atomic_read(&tn->count);
	WRITE_ONCE(w->tripped, false);
	/*
	 * If the worker has just been called for nothing, since flows ended
	 * meanwhile, it looks again in a second without being called.
	 */
	WRITE_ONCE(w->trip, w->above || tripped ? U32_MAX : trip_at(tn));
}
