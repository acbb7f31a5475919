// SPDX-License-Identifier: GPL-2.0
/*
 * The benchmark's file, /sys/kernel/debug/ft_bench. One command a write, its
 * outcome is read from it afterwards:
 *
 *	attach WHO CONNTRACK	take the writer's namespace as number WHO, with
 *				nf_conntrack's hooks (1) or without (0)
 *	run NAME=NUMBER...	send packets, see struct bench_run
 *		-> "ns packets accepted seen wrong"; ns is the total that the
 *		middle half of the batches would make: the machine has other
 *		things to do, and what interrupts a batch is not its cost
 *	floor BUCKETS FLOWS READS
 *		-> "ps", picoseconds for two reads
 *
 * A hook in the place of a ruleset looks at what it would look at, the state
 * of each packet, compares that with what is expected, and accepts or drops.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "bench.h"

#define SITES_MAX	4
#define COMMAND_MAX	512
#define SAMPLES_MAX	BIT(17)
/* Packets after which workers get the CPU: a network has gaps. */
#define PAUSE		(BENCH_BATCH * 64)
#define DEVICE		"bench0"

/**
 * struct site - a namespace that is measured
 * @net: the namespace; NULL: none yet
 * @dev: where packets come in and go out
 * @conntrack: its hooks were asked for
 */
struct site {
	struct net *net;
	struct net_device *dev;
	bool conntrack;
};

static DEFINE_MUTEX(bench_lock); /* protects all below */
static struct site sites[SITES_MAX];
static struct sk_buff *batch[BENCH_BATCH];
static u32 *samples;
static unsigned int n_samples;
static char answer[128];
static struct dentry *file;

/* What the ruleset expects to see and does, and what it saw otherwise. */
static unsigned int rule_expect;
static unsigned int rule_verdict = NF_ACCEPT;
static u64 rule_wrong;
static u64 rule_seen;

static unsigned int rule(void *priv, struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	rule_seen++;
	if (ct ? ctinfo != rule_expect : rule_expect != IP_CT_NUMBER)
		rule_wrong++;
	return rule_verdict;
}

static const struct nf_hook_ops rule_ops[] = {
	{ .hook = rule, .pf = NFPROTO_IPV4, .hooknum = NF_INET_LOCAL_IN,
	  .priority = NF_IP_PRI_FILTER },
	{ .hook = rule, .pf = NFPROTO_IPV4, .hooknum = NF_INET_FORWARD,
	  .priority = NF_IP_PRI_FILTER },
	{ .hook = rule, .pf = NFPROTO_IPV6, .hooknum = NF_INET_LOCAL_IN,
	  .priority = NF_IP6_PRI_FILTER },
	{ .hook = rule, .pf = NFPROTO_IPV6, .hooknum = NF_INET_FORWARD,
	  .priority = NF_IP6_PRI_FILTER },
};

static int attach(unsigned int who, bool conntrack)
{
	struct net *net = current->nsproxy->net_ns;
	struct site *site;
	int err;

	if (who >= SITES_MAX || sites[who].net)
		return -EINVAL;
	site = &sites[who];
	site->dev = dev_get_by_name(net, DEVICE);
	if (!site->dev)
		return -ENODEV;
	if (conntrack) {
		err = nf_ct_netns_get(net, NFPROTO_INET);
		if (err)
			goto err_dev;
	}
	err = nf_register_net_hooks(net, rule_ops, ARRAY_SIZE(rule_ops));
	if (err)
		goto err_conntrack;
	site->net = get_net(net);
	site->conntrack = conntrack;
	return 0;

err_conntrack:
	if (conntrack)
		nf_ct_netns_put(net, NFPROTO_INET);
err_dev:
	dev_put(site->dev);
	return err;
}

static void detach(struct site *site)
{
	if (!site->net)
		return;
	nf_unregister_net_hooks(site->net, rule_ops, ARRAY_SIZE(rule_ops));
	if (site->conntrack)
		nf_ct_netns_put(site->net, NFPROTO_INET);
	dev_put(site->dev);
	put_net(site->net);
	site->net = NULL;
}

static bool pass(const struct site *site, u8 pf, unsigned int hook,
		 struct sk_buff *skb)
{
	struct net_device *in = hook == NF_INET_POST_ROUTING ? NULL : site->dev;
	struct net_device *out = hook == NF_INET_POST_ROUTING ||
				 hook == NF_INET_FORWARD ? site->dev : NULL;

	return nf_hook(pf, hook, site->net, NULL, skb, in, out, NULL) == 1;
}

static bool send_one(const struct site *site, const struct bench_run *run,
		     struct sk_buff *skb)
{
	u8 pf = run->family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;

	if (!pass(site, pf, NF_INET_PRE_ROUTING, skb))
		return false;
	if (!run->forward)
		return pass(site, pf, NF_INET_LOCAL_IN, skb);
	return pass(site, pf, NF_INET_FORWARD, skb) &&
	       pass(site, pf, NF_INET_POST_ROUTING, skb);
}

/* Who frees or takes up a packet takes its conntrack away: a part of the cost. */
static u64 send_batch(const struct site *site, const struct bench_run *run,
		      unsigned int n, u64 *accepted)
{
	unsigned int i;
	u64 start, ns;

	local_bh_disable();
	start = ktime_get_ns();
	for (i = 0; i < n; i++) {
		*accepted += send_one(site, run, batch[i]);
		nf_reset_ct(batch[i]);
	}
	ns = ktime_get_ns() - start;
	local_bh_enable();
	return ns;
}

static int by_size(const void *a, const void *b)
{
	return *(const u32 *)a < *(const u32 *)b ? -1 :
	       *(const u32 *)a > *(const u32 *)b;
}

/* Mean of the middle half of the batches, for all packets. */
static u64 middle(u64 packets)
{
	unsigned int i, from = n_samples / 4, to = n_samples - from;
	u64 sum = 0;

	sort(samples, n_samples, sizeof(*samples), by_size, NULL);
	for (i = from; i < to; i++)
		sum += samples[i];
	return n_samples ? div_u64(sum * packets, (to - from) * BENCH_BATCH) : 0;
}

static int run(const struct bench_run *run)
{
	u64 accepted = 0, done = 0, pick, ns;
	const struct site *site;
	unsigned int i, n;

	if (run->who >= SITES_MAX || !sites[run->who].net ||
	    run->kind >= BENCH_KINDS || !run->flows || !run->burst)
		return -EINVAL;
	site = &sites[run->who];
	rule_expect = run->expect;
	rule_verdict = run->drop ? NF_DROP : NF_ACCEPT;
	rule_wrong = 0;
	rule_seen = 0;
	n_samples = 0;

	while (done < run->packets) {
		n = min_t(u64, run->packets - done, BENCH_BATCH);
		for (i = 0; i < n; i++) {
			pick = (done + i) / run->burst;
			if (run->seed)
				pick = (bench_mix(run->seed + pick) >> 32) *
				       run->flows >> 32;
			batch[i]->dev = site->dev;
			/* Whoever drops it must not free it. */
			refcount_set(&batch[i]->users, 2);
			bench_skb_set(batch[i], run, run->first + pick,
				      run->step + done + i);
		}
		ns = send_batch(site, run, n, &accepted);
		if (n == BENCH_BATCH && n_samples < SAMPLES_MAX)
			samples[n_samples++] = min_t(u64, ns, U32_MAX);
		done += n;
		if (!(done % PAUSE))
			usleep_range(50, 100);
	}
	for (i = 0; i < BENCH_BATCH; i++)
		refcount_set(&batch[i]->users, 1);
	snprintf(answer, sizeof(answer), "%llu %llu %llu %llu %llu\n", middle(done), done,
		 accepted, rule_seen, rule_wrong);
	return signal_pending(current) ? -EINTR : 0;
}

#define FIELD(_name) { #_name, offsetof(struct bench_run, _name) }

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(who), FIELD(family), FIELD(kind), FIELD(reply), FIELD(forward),
	FIELD(drop), FIELD(expect), FIELD(first), FIELD(flows), FIELD(packets),
	FIELD(burst), FIELD(seed), FIELD(step), FIELD(port),
};

static int parse_field(struct bench_run *run, char *word)
{
	char *value = strchr(word, '=');
	unsigned int i;

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!strcmp(word, fields[i].name))
			return kstrtou64(value, 0,
					 (void *)run + fields[i].offset);
	}
	return -EINVAL;
}

static int parse_run(char *words)
{
	struct bench_run r = { .family = 4, .burst = 1, .port = 53 };
	char *word;
	int err;

	while ((word = strsep(&words, "\n "))) {
		if (!*word)
			continue;
		err = parse_field(&r, word);
		if (err)
			return err;
	}
	return run(&r);
}

static int command(char *text)
{
	u64 buckets, flows, reads, ns;
	unsigned int who, conntrack;
	int err;

	answer[0] = '\0';
	if (sscanf(text, "attach %u %u", &who, &conntrack) == 2)
		return attach(who, conntrack);
	if (sscanf(text, "floor %llu %llu %llu", &buckets, &flows, &reads) == 3) {
		err = bench_floor(buckets, flows, reads, &ns);
		if (!err)
			snprintf(answer, sizeof(answer), "%llu\n", ns);
		return err;
	}
	if (!strncmp(text, "run ", 4))
		return parse_run(text + 4);
	return -EINVAL;
}

static ssize_t bench_write(struct file *f, const char __user *from,
			   size_t len, loff_t *pos)
{
	char *text;
	int err;

	if (len > COMMAND_MAX)
		return -E2BIG;
	text = memdup_user_nul(from, len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&bench_lock);
	err = command(text);
	mutex_unlock(&bench_lock);
	kfree(text);
	return err ?: len;
}

static ssize_t bench_read(struct file *f, char __user *to, size_t len,
			  loff_t *pos)
{
	ssize_t ret;

	mutex_lock(&bench_lock);
	ret = simple_read_from_buffer(to, len, pos, answer, strlen(answer));
	mutex_unlock(&bench_lock);
	return ret;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.write = bench_write,
	.read = bench_read,
};

static void free_batch(void)
{
	unsigned int i;

	vfree(samples);
	for (i = 0; i < BENCH_BATCH; i++)
		kfree_skb(batch[i]);
}

static int __init bench_init(void)
{
	unsigned int i;

	samples = vmalloc_array(SAMPLES_MAX, sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	for (i = 0; i < BENCH_BATCH; i++) {
		batch[i] = bench_skb_alloc(NULL);
		if (!batch[i]) {
			free_batch();
			return -ENOMEM;
		}
	}
	file = debugfs_create_file("ft_bench", 0600, NULL, NULL, &bench_fops);
	return 0;
}

static void __exit bench_exit(void)
{
	unsigned int i;

	debugfs_remove(file);
	for (i = 0; i < SITES_MAX; i++)
		detach(&sites[i]);
	free_batch();
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Benchmark of connection tracking");
