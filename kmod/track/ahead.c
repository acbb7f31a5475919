// SPDX-License-Identifier: GPL-2.0
/*
 * Looking ahead in a list of received packets.
 *
 * What a packet of a known flow costs are two reads of memory that depend on
 * each other: its bucket, and then its flow. But packets come in lists: NAPI
 * hands them up by the eight and more, and the stack first finds out whose each
 * of them is, before the first one goes to IP and reaches PRE_ROUTING. At that
 * moment flowtrack sees them all, as one more receiver of the type IP:
 *
 *	stage 1	key and hash are made, and the bucket's line is asked for
 *	stage 2	some packets later, when that has come in: the flow that it
 *		names is asked for
 *
 * and ft_track() finds both in the cache, and the hash made. A receiver rather
 * than an ingress hook, because packets of bridges, bonds and VLANs are then of
 * the device and the namespace that IP will see, and because no device has to be
 * followed: an ingress hook that goes with its device takes along what NFQUEUE
 * holds for the namespace.
 *
 * What is found out is a hint. ft_track() takes it over only for the packet that
 * has the same address, is of the same namespace and zone, and has the same headers.
 * So it does not matter what becomes of a packet in between, nor whether its memory
 * is used for another one: skbs are remembered as numbers. Nothing is allocated,
 * and nothing written but what belongs to the CPU.
 *
 * Where packets come one by one (loopback, RPS, drivers without NAPI) there is
 * nothing to look ahead at. A CPU that meets no list for a while stops looking
 * at each packet. When no CPU meets one for half a second, the receiver goes, and
 * comes back now and then to see.
 */
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/if_ether.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>

#include "base/invalid.h"
#include "base/settings.h"
#include "flow/flow.h"
#include "flow/sieve.h"
#include "flow/table.h"
#include "net.h"
#include "track/ahead.h"
#include "track/family.h"
#include "track/pool.h"

/* Packets remembered; NAPI's weight. */
#define RING		64
/* Packets between stage 1 and stage 2: as many as pass while a line comes in. */
#define DEPTH		4
/* Packets of the ring that one is compared with: those in between were dropped. */
#define LOOKS		8
/* Packets that came alone after which a CPU stops looking, and for how many. */
#define ALONE_MAX	64
#define DOZE		1024
/* Packets in half a second: with fewer, their cost does not matter. */
#define BUSY		512
/* One packet of so many in a list is worth looking at all. */
#define WORTH		16
/* Jiffies for which the receiver is away: from, doubled each time, to. */
#define REST_MIN	(4 * HZ)
#define REST_MAX	(64 * HZ)

/**
 * struct ring - packets of one CPU that wait for ft_track(), in their order
 * @in: number of packets in the ring
 * @mid: the first one that has not been through stage 2
 * @out: the first one that ft_track() has not seen; those before are done
 * @alone: packets in a row that came one by one; saturates
 * @doze: packets to let pass
 * @seen: packets that came, ever
 * @useful: those of a list that ft_track() found here, ever
 * @skb: their packets' addresses: numbers to compare, nothing else
 * @ahead: what was found out about them
 *
 * Touched by its CPU under ft_own_lock(); @seen and @useful are read by
 * ft_ahead_adapt().
 */
struct ring {
	u8 in;
	u8 mid;
	u8 out;
	u8 alone;
	u16 doze;
	unsigned long seen;
	unsigned long useful;
	unsigned long skb[RING];
	struct ft_ahead ahead[RING];
} ____cacheline_aligned;

static_assert(RING <= U8_MAX);

/*
 * Not static per-CPU data: all modules share 8 KiB for that, and one that finds no room
 * there can't be loaded. Set before the first packet is tracked.
 */
static struct ring __percpu *rings __ro_after_init;

static int receive(struct sk_buff *skb, struct net_device *dev, struct packet_type *type,
		   struct net_device *orig_dev);

/**
 * struct receiver - what sees the packets of a family
 * @type: registered while it is wanted
 * @users: namespaces that look ahead
 * @always: those of them that do so whether it is worth it or not
 * @registered: @type is
 */
struct receiver {
	struct packet_type type;
	unsigned int users;
	unsigned int always;
	bool registered;
};

/* IPv4 first, as the bits of enum ft_hooks_family. Protected by ahead_lock. */
static struct receiver receivers[] = {
	{ .type = { .type = cpu_to_be16(ETH_P_IP), .func = receive } },
	{ .type = { .type = cpu_to_be16(ETH_P_IPV6), .func = receive } },
};

/**
 * struct worth - is it worth looking ahead?
 * @seen: sum of all CPUs, when it was looked at last
 * @useful: likewise
 * @resting: no: only namespaces that always look ahead do
 * @until: jiffies until which that holds
 * @rest: jiffies that the next rest will take
 */
struct worth {
	unsigned long seen;
	unsigned long useful;
	bool resting;
	unsigned long until;
	unsigned long rest;
};

/* Protected by ahead_lock. */
static struct worth worth = { .rest = REST_MIN };

/*
 * Every namespace has its struct ft_net. The receiver sees the packets of all of them
 * from the first user on; while the module comes, some are still without. Protected by
 * ahead_lock.
 */
static bool ready;

/* Protects receivers, worth and ready. Inside settings_lock and ft_nets_lock. */
static DEFINE_MUTEX(ahead_lock);

/* Stage 2. The table is that of @tn: of others nothing is known here. */
static void fetch_flow(const struct ft_net *tn, struct ft_ahead *ahead)
{
	if (ahead->home == tn->home)
		ahead->index = ft_table_fetch(tn->table, &ahead->pkt.key, ahead->hash);
}

/* Begin a list: is there something to look ahead at? */
static void restart(struct ring *ring)
{
	if (ring->in <= 1)
		ring->alone += ring->alone < ALONE_MAX;
	else
		/* None of the last list came to ft_track(): this one will not, either. */
		ring->alone = ring->out ? 0 : ALONE_MAX;
	ring->in = 0;
	ring->mid = 0;
	ring->out = 0;
}

/* Is a packet one that ft_track() will look up, as far as one can tell? */
static bool is_tracked(const struct ft_net *tn, const struct sk_buff *skb, u8 family)
{
	enum ft_hooks_family bit = family == NFPROTO_IPV4 ? FT_HOOKS_IPV4 : FT_HOOKS_IPV6;

	return READ_ONCE(tn->ahead) & bit && skb->pkt_type != PACKET_OTHERHOST && !skb->_nfct &&
	       (!READ_ONCE(tn->passed) ||
		ft_sieve_may_have(tn->sieve, skb, family));
}

static void look_ahead_at(struct ft_net *tn, const struct sk_buff *skb, u8 family)
{
	struct ring *ring = this_cpu_ptr(rings);
	struct ft_ahead *ahead;
	enum ft_invalid reason;

	WRITE_ONCE(ring->seen, ring->seen + 1);
	if (ring->out == ring->in || ring->in == RING)
		restart(ring);
	if (ring->alone == ALONE_MAX && ft_setting(&tn->set, LOOKAHEAD) != FT_LOOKAHEAD_ON) {
		if (ring->doze++ < DOZE)
			return;
		ring->doze = 0;
		ring->alone = 0;
	}
	ahead = &ring->ahead[ring->in];
	if (ft_tuple_get(skb, family, NF_CT_DEFAULT_ZONE_ID, &ahead->pkt, &reason) != FT_PARSE_OK)
		return;
	ahead->hash = ft_table_prepare(tn->table, &ahead->pkt.key);
	ahead->home = tn->home;
	ahead->index = FT_INDEX_NONE;
	ring->skb[ring->in++] = (unsigned long)skb;
	if (ring->in - ring->mid > DEPTH)
		fetch_flow(tn, &ring->ahead[ring->mid++]);
}

/* Context: softirq, or BH disabled; RCU read side. The packet is held for this. */
static int receive(struct sk_buff *skb, struct net_device *dev, struct packet_type *type,
		   struct net_device *orig_dev)
{
	const u8 family = type == &receivers[0].type ? NFPROTO_IPV4 : NFPROTO_IPV6;
	struct ft_net *tn = ft_pernet(dev_net(dev));

	if (is_tracked(tn, skb, family)) {
		ft_own_lock();
		look_ahead_at(tn, skb, family);
		ft_own_unlock();
	}
	consume_skb(skb);
	return NET_RX_SUCCESS;
}

/* As ft_ahead_take(), from a ring that has packets left. */
static noinline const struct ft_ahead *
ring_take(struct ring *ring, const struct ft_net *tn, const struct sk_buff *skb, u8 family,
	  u16 zone)
{
	unsigned int i, end = min(ring->in, ring->out + LOOKS);
	const struct ft_ahead *ahead;

	for (i = ring->out; i < end; i++) {
		if (ring->skb[i] == (unsigned long)skb)
			break;
	}
	if (i == end)
		return NULL;
	ring->out = i + 1;
	ring->mid = max(ring->mid, ring->out);
	if (ring->mid < ring->in)
		fetch_flow(tn, &ring->ahead[ring->mid++]);
	ahead = &ring->ahead[i];
	if (ahead->home != tn->home || ahead->pkt.key.zone != zone ||
	    !ft_tuple_is(skb, family, &ahead->pkt))
		return NULL;
	if (ring->in > 1)
		WRITE_ONCE(ring->useful, ring->useful + 1);
	return ahead;
}

/**
 * ft_ahead_take() - what was found out about a packet ahead
 * @tn: its namespace
 * @skb: the packet, at PRE_ROUTING
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @zone: conntrack zone
 *
 * Takes each packet once, and forgets those before it, which never came here. The
 * next packet goes through stage 2 meanwhile.
 *
 * Context: ft_own_lock(); RCU read side.
 * Return: what is true of the packet as it is now, until that is unlocked; or NULL.
 */
const struct ft_ahead *ft_ahead_take(const struct ft_net *tn, const struct sk_buff *skb,
				     u8 family, u16 zone)
{
	struct ring *ring = this_cpu_ptr(rings);

	/* Apart, so that a packet that comes alone saves no registers for what it does not do. */
	return ring->out < ring->in ? ring_take(ring, tn, skb, family, zone) : NULL;
}

/* Register what is wanted, and nothing else. */
static void apply(void)
{
	struct receiver *r;
	bool wanted;

	lockdep_assert_held(&ahead_lock);
	for (r = receivers; r < receivers + ARRAY_SIZE(receivers); r++) {
		wanted = ready && (worth.resting ? r->always : r->users);
		if (wanted == r->registered)
			continue;
		r->registered = wanted;
		if (wanted)
			dev_add_pack(&r->type);
		else
			dev_remove_pack(&r->type);
	}
}

/* Count a namespace, or (@by is -1) count it no more. */
static void count_users(const struct ft_net *tn, int by)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(receivers); i++) {
		if (!(tn->ahead & BIT(i)))
			continue;
		receivers[i].users += by;
		if (tn->ahead_always)
			receivers[i].always += by;
	}
}

/**
 * ft_ahead_set() - look ahead where a namespace tracks, if its settings say so
 * @tn: namespace, its hooks and settings as they are to be
 *
 * The receiver may still be at one of its packets until a grace period has passed.
 *
 * Context: may sleep; settings_lock held, or nobody else knows @tn.
 */
void ft_ahead_set(struct ft_net *tn)
{
	u32 setting = ft_setting(&tn->set, LOOKAHEAD);

	mutex_lock(&ahead_lock);
	count_users(tn, -1);
	WRITE_ONCE(tn->ahead, setting == FT_LOOKAHEAD_OFF ? 0 : tn->hooked);
	/* Where it gains nothing a tenant cannot have it nevertheless: all packets pay for it. */
	tn->ahead_always = setting == FT_LOOKAHEAD_ON && !tn->tenant;
	count_users(tn, 1);
	apply();
	mutex_unlock(&ahead_lock);
}

/**
 * ft_ahead_adapt() - is it worth looking ahead?
 *
 * Context: may sleep; called twice a second.
 */
void ft_ahead_adapt(void)
{
	unsigned long seen = 0, useful = 0, now_seen, now_useful;
	unsigned int cpu;

	mutex_lock(&ahead_lock);
	for_each_possible_cpu(cpu) {
		seen += READ_ONCE(per_cpu_ptr(rings, cpu)->seen);
		useful += READ_ONCE(per_cpu_ptr(rings, cpu)->useful);
	}
	now_seen = seen - worth.seen;
	now_useful = useful - worth.useful;
	worth.seen = seen;
	worth.useful = useful;

	if (worth.resting) {
		worth.resting = time_before(jiffies, worth.until);
	} else if (now_seen >= BUSY && now_useful < now_seen / WORTH) {
		worth.resting = true;
		worth.until = jiffies + worth.rest;
		worth.rest = min_t(unsigned long, worth.rest * 2, REST_MAX);
	} else if (now_useful) {
		worth.rest = REST_MIN;
	}
	apply();
	mutex_unlock(&ahead_lock);
}

static void set_ready(bool value)
{
	mutex_lock(&ahead_lock);
	ready = value;
	apply();
	mutex_unlock(&ahead_lock);
}

/**
 * ft_ahead_start() - begin to look ahead
 *
 * Context: may sleep; every namespace has its struct ft_net, also those that come later.
 */
void ft_ahead_start(void)
{
	set_ready(true);
}

/**
 * ft_ahead_stop() - look ahead no more
 *
 * Context: may sleep; waits until no packet is looked at. Before the namespaces lose what
 * flowtrack keeps for them.
 */
void ft_ahead_stop(void)
{
	set_ready(false);
}

/**
 * ft_ahead_init() - prepare to look ahead
 *
 * Context: may sleep; before anything is tracked.
 * Return: 0 or -ENOMEM.
 */
int __init ft_ahead_init(void)
{
	rings = alloc_percpu(struct ring);
	return rings ? 0 : -ENOMEM;
}

/**
 * ft_ahead_exit() - undo ft_ahead_init()
 *
 * Context: may sleep; nothing is tracked any more.
 */
void ft_ahead_exit(void)
{
	free_percpu(rings);
}
