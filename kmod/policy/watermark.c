// SPDX-License-Identifier: GPL-2.0
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/ratelimit.h>
#include <linux/string.h>

#include "base/notify.h"
#include "base/settings.h"
#include "base/tenant.h"
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
static u64 stat_total(const struct ft_net *tn, unsigned int attr)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(tn->stats, cpu)->v[attr]);
	return sum;
}

/* A source's limit holds for both tables: so messages about either say how many were refused. */
static void read_work(const struct ft_net *tn, enum flowtrack_tracker table,
		      struct ft_watermark_work *work)
{
	bool own = table == FLOWTRACK_TRACKER_OWN;
	unsigned int evicted = own ? FLOWTRACK_A_STATS_EVICT_CLOSING :
				     FLOWTRACK_A_STATS_GUARD_EVICT_CLOSING;
	unsigned int i;

	*work = (struct ft_watermark_work){
		.dropped = stat_total(tn, own ? FLOWTRACK_A_STATS_FULL_DROP :
					     FLOWTRACK_A_STATS_GUARD_DROP),
		.passed = stat_total(tn, own ? FLOWTRACK_A_STATS_FULL_PASS :
					    FLOWTRACK_A_STATS_GUARD_PASS),
		.refused = stat_total(tn, FLOWTRACK_A_STATS_SRC_MAX_REFUSED) +
			   stat_total(tn, FLOWTRACK_A_STATS_SRC_RATE_REFUSED),
	};
	for (i = 0; i < FT_CLASSES; i++)
		work->evicted += stat_total(tn, evicted + i);
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
		w->born[1] = stat_total(tn, FLOWTRACK_A_STATS_INSERT);
	}
}

static u32 births_per_second(const struct ft_net *tn)
{
	const struct ft_watermark *w = &tn->watermark;
	u64 born = stat_total(tn, FLOWTRACK_A_STATS_INSERT) - w->born[0];
	/* All that a burst brought into an empty table came in the last second. */
	unsigned long window = max(jiffies - w->when[0], (unsigned long)HZ);

	return min_t(u64, div64_ul(born * HZ, window), U32_MAX);
}

/* Per mille of the table's flows. */
static u32 share_of(const struct ft_top_report *report, enum flowtrack_tracker table,
		    const struct ft_top_entry *entry)
{
	bool own = table == FLOWTRACK_TRACKER_OWN;
	u32 whole;

	if (!entry)
		return 0;
	whole = own ? report->own.sampled : report->guarded.total;
	return whole ? div_u64((u64)(own ? entry->held : entry->guarded) * 1000, whole) : 0;
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
			 share_of(report, event->table, source) / 10);
	len += print_proto(buf + len, size - len, service->key.l4proto);
	if (service->key.port)
		len += scnprintf(buf + len, size - len, " %u",
				 ntohs(service->key.port));
	scnprintf(buf + len, size - len, " (%u%%)",
		  share_of(report, event->table, service) / 10);
}

/**
 * ft_watermark_sysctl() - the sysctl that helps against what fills a table
 * @event: what is told
 * @buf: room for its name
 * @size: FT_WATERMARK_SYSCTL_SIZE
 *
 * Guarded flows have nf_conntrack's limit and timeouts; what is done about
 * sources and newcomers is flowtrack's.
 *
 * Context: any.
 * Return: its name, without "net.netfilter.".
 */
const char *ft_watermark_sysctl(const struct ft_watermark_event *event, char *buf, size_t size)
{
	static const char ours[] = "nf_flowtrack_";
	const char *name = ft_setting_descs[event->help].procname;

	if (event->table == FLOWTRACK_TRACKER_OWN ||
	    event->help == FLOWTRACK_A_SETTINGS_SRC_MAX ||
	    event->help == FLOWTRACK_A_SETTINGS_FULL_POLICY)
		strscpy(buf, name, size);
	else
		scnprintf(buf, size, "nf_conntrack_%s", name + strlen(ours));
	return buf;
}

static void log_event(struct ft_net *tn, struct ft_watermark *w,
		      const struct ft_watermark_event *event,
		      const struct ft_top_report *report)
{
	bool own = event->table == FLOWTRACK_TRACKER_OWN;
	const char *whose = own ? "flowtrack" : "nf_conntrack";
	const char *what = own ? "flows" : "entries";
	char sysctl[FT_WATERMARK_SYSCTL_SIZE];
	const u32 *n = event->census.n;
	char most[160], rate[40] = "";

	if (!ft_tenant_may_log(tn->net) || !__ratelimit(&w->log))
		return;
	if (event->level == FLOWTRACK_LEVEL_LOW) {
		pr_info("nf_flowtrack: netns %u: %s's table has %u of %u %s, below watermark_low again; in %llu s %llu flows were evicted, %llu newcomers dropped, %llu let through untracked, %llu refused for their source\n",
			tn->net->ns.inum, whose, event->count, event->room, what,
			div_u64(event->since, MSEC_PER_SEC),
			event->work.evicted, event->work.dropped,
			event->work.passed, event->work.refused);
		return;
	}
	print_most(most, sizeof(most), event, report);
	if (own)
		scnprintf(rate, sizeof(rate), ", %u new ones a second", event->rate);
	pr_warn("nf_flowtrack: netns %u: %s's table has %u of %u %s, watermark_high reached%s: %u closing, %u embryonic, %u replied, %u assured%s; policy %s; see net.netfilter.%s\n",
		tn->net->ns.inum, whose, event->count, event->room, what, rate,
		n[FLOWTRACK_CLASS_CLOSING], n[FLOWTRACK_CLASS_EMBRYONIC],
		n[FLOWTRACK_CLASS_REPLIED], n[FLOWTRACK_CLASS_ASSURED], most,
		ft_setting_name(FLOWTRACK_A_SETTINGS_FULL_POLICY,
				ft_setting(&tn->set, FULL_POLICY)),
		ft_watermark_sysctl(event, sysctl, sizeof(sysctl)));
}

static void tell_crossing(struct ft_net *tn, struct ft_watermark *w,
			  struct ft_watermark_event *event)
{
	unsigned int order = event->table == FLOWTRACK_TRACKER_OWN ? FT_TOP_ORDER_OWN :
								     FT_TOP_ORDER_GUARDED;
	const struct ft_top_report *report;
	struct ft_watermark_work work;

	read_work(tn, event->table, &work);
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
	if (report && event->table == FLOWTRACK_TRACKER_GUARDED)
		ft_top_census(&report->guarded, &event->census);
	/* A first report may come while this one looks; it is read again there. */
	event->source = report ? ft_top_first(tn, FLOWTRACK_TOP_KIND_SOURCE, order) : NULL;
	event->service = report ? ft_top_first(tn, FLOWTRACK_TOP_KIND_SERVICE, order) : NULL;
	event->help = ft_watermark_help(&event->census,
					share_of(report, event->table, event->source),
					event->service ?
					event->service->key.l4proto : 0,
					ft_setting(&tn->set, FULL_POLICY));
	log_event(tn, w, event, report);
	ft_notify_pressure(tn, event);
	rcu_read_unlock();
}

/* If the level has crossed one of the two marks, tell the listeners. */
static void check_marks(struct ft_net *tn, struct ft_watermark *w, struct ft_watermark_event *event)
{
	u32 low = ft_setting(&tn->set, WATERMARK_LOW);
	u32 high = ft_setting(&tn->set, WATERMARK_HIGH);

	switch (ft_watermark_cross(w->above, event->count, event->room, low, high)) {
	case FT_CROSSING_NONE:
		break;
	case FT_CROSSING_HIGH:
		w->above = true;
		event->level = FLOWTRACK_LEVEL_HIGH;
		tell_crossing(tn, w, event);
		break;
	case FT_CROSSING_LOW:
		w->above = false;
		event->level = FLOWTRACK_LEVEL_LOW;
		tell_crossing(tn, w, event);
		break;
	}
	if (!low || !high)
		w->above = false;
}

static u32 trip_at(const struct ft_net *tn)
{
	u32 high = ft_setting(&tn->set, WATERMARK_HIGH);

	if (!high || !ft_setting(&tn->set, WATERMARK_LOW))
		return U32_MAX;
	return ft_watermark_level(ft_flow_room(&tn->set), high);
}

/**
 * ft_watermark_prepare() - all is below the watermarks
 * @w: of a table
 * @trip: see struct ft_watermark
 */
void ft_watermark_prepare(struct ft_watermark *w, u32 trip)
{
	w->trip = trip;
	w->told = jiffies;
	ratelimit_state_init(&w->log, LOG_INTERVAL, LOG_BURST);
}

/**
 * ft_watermark_init() - prepare those of the own table
 * @tn: namespace that nobody else knows yet
 */
void ft_watermark_init(struct ft_net *tn)
{
	ft_watermark_prepare(&tn->watermark, trip_at(tn));
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
	struct ft_watermark *w = &tn->watermark;
	struct ft_watermark_event event = {
		.table = FLOWTRACK_TRACKER_OWN,
		.count = atomic_read(&tn->count),
		.room = ft_flow_room(&tn->set),
		.census = *census,
	};
	bool tripped = READ_ONCE(w->tripped);
	unsigned int i;

	for (i = 0; i < FT_CLASSES; i++)
		WRITE_ONCE(w->census.n[i], census->n[i]);
	count_births(tn);
	event.rate = births_per_second(tn);
	check_marks(tn, w, &event);
	w->running = atomic_read(&tn->count);
	WRITE_ONCE(w->tripped, false);
	/*
	 * If the worker has just been called for nothing, since flows ended
	 * meanwhile, it looks again in a second without being called.
	 */
	WRITE_ONCE(w->trip, w->above || tripped ? U32_MAX : trip_at(tn));
}

/**
 * ft_watermark_conntrack() - tell if nf_conntrack's table crossed a watermark
 * @tn: namespace
 * @w: of that table
 * @count: its entries
 * @room: how many there may be; 0: as many as there are
 *
 * Context: guarding's worker; may sleep.
 */
void ft_watermark_conntrack(struct ft_net *tn, struct ft_watermark *w, u32 count, u32 room)
{
	struct ft_watermark_event event = {
		.table = FLOWTRACK_TRACKER_GUARDED,
		.count = count,
		.room = room,
	};

	/* A table without a limit is never full. */
	if (!room) {
		event.count = 0;
		event.room = 1;
	}
	check_marks(tn, w, &event);
}
