// SPDX-License-Identifier: GPL-2.0
#include <linux/bitfield.h>
#include <linux/cache.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_tuple.h>

#include "base/settings.h"
#include "base/tenant.h"
#include "flow/flow.h"
#include "flow/table.h"
#include "flow/tuple.h"
#include "net.h"
#include "track/birth.h"
#include "track/carrier.h"
#include "track/nat_source.h"

#define LINE_SLOTS	8

/* A flow that a slot names: a hint, what is found there is looked at. 0: none. */
#define SLOT_INDEX	GENMASK_ULL(31, 0)
#define SLOT_TAG	GENMASK_ULL(62, 32)
#define SLOT_USED	BIT_ULL(63)

/**
 * struct ft_nat_lines - flows by the hash of their source
 * @mask: number of lines, less one
 * @line: the slots of sources whose hash selects it. Read and written by anyone
 *
 * What is overwritten is forgotten, and nf_nat chooses anew for that source.
 */
struct ft_nat_lines {
	u32 mask;
	struct {
		u64 slot[LINE_SLOTS];
	} ____cacheline_aligned line[];
};

/* 16 MiB: a slot for each of two million flows. */
#define LINES_MAX	BIT(18)

/* Where there is no memory for them, it is not asked for again with each flow. */
#define LINES_REST	(10 * HZ)

/* A key with the source alone: that of all flows that it opens. Of ICMP, the id is it. */
static void source_key(struct ft_key *source, const struct ft_key *key, u32 word)
{
	unsigned int to = !(word & FT_FLOW_ORIG_HI);

	*source = *key;
	/* Which end it is must not matter. */
	source->addr4[0] = key->addr4[!to];
	source->addr6[0] = key->addr6[!to];
	source->addr4[1] = 0;
	source->addr6[1] = (struct in6_addr){};
	if (!ft_l4_has_ports(key->l4proto))
		return;
	source->port[0] = key->port[!to];
	source->port[1] = 0;
}

static u64 hash_source(const struct ft_net *tn, struct ft_key *source, const struct ft_key *key,
		       u32 word)
{
	source_key(source, key, word);
	return ft_key_hash(source, ft_table_secret(tn->table));
}

/* Would nf_nat choose that without knowing any other flow of the source? */
static bool is_natural(const struct ft_key *key, const struct ft_key *answer, u32 word, u32 masq)
{
	unsigned int from = !!(word & FT_FLOW_ORIG_HI);
	unsigned int back = !(word & FT_FLOW_REPLY_HI);

	if (!(word & FT_FLOW_SNAT))
		return true;
	if (!masq)
		return false;
	return ft_l4_has_ports(key->l4proto) ? key->port[from] == answer->port[back] :
					       key->port[0] == answer->port[0];
}

static u64 *line_of(struct ft_nat_lines *lines, u64 hash)
{
	return lines->line[hash & lines->mask].slot;
}

static u64 tag_of(u64 hash)
{
	return SLOT_USED | FIELD_PREP(SLOT_TAG, hash >> 32 & 0x7fffffff);
}

/* Has a slot's flow ended? Another one may be in its place: then that is what it names. */
static bool is_stale(const struct ft_net *tn, u64 slot)
{
	const struct ft_flow *flow = ft_table_at(tn->table, FIELD_GET(SLOT_INDEX, slot));

	return !flow || atomic_read(&flow->word) & FT_FLOW_DEAD;
}

/* How many lines flowtrack's table may fill. */
static u32 lines_wanted(const struct ft_net *tn)
{
	return min_t(u32, LINES_MAX, roundup_pow_of_two(ft_setting(&tn->set, MAX_FLOWS) /
							LINE_SLOTS + 1));
}

static void want_lines(struct ft_net *tn)
{
	if (!READ_ONCE(tn->dying) && time_is_before_eq_jiffies(READ_ONCE(tn->nat_sources.again)))
		queue_work(tn->wq, &tn->nat_sources.work);
}

/* One that is free, that of a flow that has ended, or any: then there may be too few. */
static u64 *slot_for(struct ft_net *tn, const struct ft_nat_lines *lines, u64 *line)
{
	unsigned int i, any = get_random_u32_below(LINE_SLOTS);

	for (i = 0; i < LINE_SLOTS; i++) {
		if (!READ_ONCE(line[i]))
			return &line[i];
	}
	/* Each look is a cache miss. */
	for (i = 0; i < 2; i++) {
		if (is_stale(tn, READ_ONCE(line[(any + i) % LINE_SLOTS])))
			return &line[(any + i) % LINE_SLOTS];
	}
	/* The table's limit was a lower one. */
	if (lines->mask + 1 < lines_wanted(tn))
		want_lines(tn);
	return &line[any];
}

/* Of flows that are noted at the same time one may be forgotten. @hash: of the source. */
static void note_source(struct ft_net *tn, struct ft_nat_lines *lines, u64 hash, u32 index)
{
	WRITE_ONCE(*slot_for(tn, lines, line_of(lines, hash)),
		   tag_of(hash) | FIELD_PREP(SLOT_INDEX, index));
}

/**
 * ft_nat_source_note() - remember what the source of a flow has
 * @tn: namespace
 * @birth: a translated flow that has been entered; ft_nat_source_find() was asked for it
 *
 * Context: BH disabled, RCU read side.
 */
void ft_nat_source_note(struct ft_net *tn, const struct ft_birth *birth)
{
	struct ft_nat_lines *lines;
	struct ft_key source;
	u64 hash;

	if (is_natural(&birth->key, &birth->answer, birth->word, birth->masq))
		return;
	lines = rcu_dereference(tn->nat_sources.lines);
	if (!lines) {
		want_lines(tn);
		return;
	}
	hash = birth->source ?: hash_source(tn, &source, &birth->key, birth->word);
	note_source(tn, lines, hash, birth->index);
}

/* The answers' tuple of a flow, if it is one of that source's. */
static bool reply_of(const struct ft_net *tn, u32 index, const struct ft_key *source,
		     struct nf_conntrack_tuple *reply)
{
	struct ft_flow *flow = ft_table_at(tn->table, index);
	struct ft_key key, its_source;
	struct ft_flow6 copy;
	u32 word;

	if (!flow || !(index & FT_INDEX_NAT) || !ft_flow_snapshot(flow, 0, &copy) ||
	    ft_flow_left(&copy.f, ft_now()) <= 0)
		return false;
	word = atomic_read(&copy.f.word);
	ft_flow_key(&copy.f, &key);
	source_key(&its_source, &key, word);
	if (!(word & FT_FLOW_SNAT) || !ft_key_equal(&its_source, source))
		return false;
	ft_nat_key(&copy.f, &copy.nat, &key);
	ft_carrier_tuple(reply, &key, word & FT_FLOW_REPLY_HI, true);
	return true;
}

/**
 * ft_nat_source_find() - what has the source of a new flow towards others?
 * @tn: namespace
 * @birth: the flow; its keys, their hashes, and bits of its word are set. That of its source
 *	is set if it is needed
 * @reply: set: the tuple of the answers to one of its flows
 *
 * Context: BH disabled, RCU read side.
 * Return: false if nothing is known of it.
 */
bool ft_nat_source_find(const struct ft_net *tn, struct ft_birth *birth,
			struct nf_conntrack_tuple *reply)
{
	struct ft_nat_lines *lines = rcu_dereference(tn->nat_sources.lines);
	struct ft_key source;
	unsigned int i;
	u64 hash, slot;
	u64 *line;

	if (likely(!lines) || !(birth->word & FT_FLOW_SNAT))
		return false;
	hash = hash_source(tn, &source, &birth->key, birth->word);
	birth->source = hash;
	line = line_of(lines, hash);
	for (i = 0; i < LINE_SLOTS; i++) {
		slot = READ_ONCE(line[i]);
		if ((slot & ~SLOT_INDEX) == tag_of(hash) &&
		    reply_of(tn, FIELD_GET(SLOT_INDEX, slot), &source, reply))
			return true;
	}
	return false;
}

/* A flow of before. */
static int note_one(struct ft_flow *flow, u32 index, void *arg)
{
	struct ft_key key, answer, source;
	struct ft_net *tn = arg;
	struct ft_flow6 copy;
	u32 word;

	if (!(index & FT_INDEX_NAT) || !ft_flow_snapshot(flow, 0, &copy))
		return 0;
	word = atomic_read(&copy.f.word);
	ft_flow_key(&copy.f, &key);
	ft_nat_key(&copy.f, &copy.nat, &answer);
	if (!is_natural(&key, &answer, word, copy.nat.masq))
		note_source(tn, rcu_dereference(tn->nat_sources.lines),
			    hash_source(tn, &source, &key, word), index);
	return 0;
}

static void make_lines(struct work_struct *work)
{
	struct ft_net *tn = container_of(work, struct ft_net, nat_sources.work);
	struct ft_nat_lines *lines, *old;
	struct mem_cgroup *outer;
	u32 n = lines_wanted(tn);

	/* Only this work writes it. */
	old = rcu_dereference_protected(tn->nat_sources.lines, true);
	if (old && old->mask + 1 >= n)
		return;
	outer = ft_tenant_charge(tn->memcg);
	/* No process is killed for hints. */
	lines = kvzalloc(struct_size(lines, line, n),
			 ft_tenant_gfp(tn->memcg, GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL));
	ft_tenant_uncharge(tn->memcg, outer);
	if (!lines) {
		WRITE_ONCE(tn->nat_sources.again, jiffies + LINES_REST);
		return;
	}
	lines->mask = n - 1;
	rcu_assign_pointer(tn->nat_sources.lines, lines);
	ft_table_for_each(tn->table, false, note_one, tn);
	if (old) {
		synchronize_rcu();
		kvfree(old);
	}
}

/**
 * ft_nat_source_net_init() - prepare a namespace
 * @tn: namespace
 */
void ft_nat_source_net_init(struct ft_net *tn)
{
	RCU_INIT_POINTER(tn->nat_sources.lines, NULL);
	tn->nat_sources.again = jiffies;
	INIT_WORK(&tn->nat_sources.work, make_lines);
}

/**
 * ft_nat_source_net_exit() - undo ft_nat_source_net_init()
 * @tn: namespace, dying for a grace period
 *
 * Context: may sleep.
 */
void ft_nat_source_net_exit(struct ft_net *tn)
{
	cancel_work_sync(&tn->nat_sources.work);
	kvfree(rcu_dereference_protected(tn->nat_sources.lines, true));
}
