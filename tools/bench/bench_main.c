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
 *		things to do, and what interrupts a batch is not its cost. With
 *		cpus=N it is the sum over N CPUs that send at the same time
 *	floor BUCKETS FLOWS READS
 *		-> "ps", picoseconds for two reads
 *	spin MS
 *		-> "ns" that others had the CPU for, while this gave way to them
 *
 * A hook in the place of a ruleset looks at what it would look at, the state
 * of each packet, compares that with what is expected, and accepts or drops.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/if_arp.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/nsproxy.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "bench.h"

#define SITES_MAX	4
#define LANES_MAX	8
#define COMMAND_MAX	512
#define SAMPLES_MAX	BIT(17)
/* Packets after which workers get the CPU: a network has gaps. */
#define PAUSE		(BENCH_BATCH * 64)
#define DEVICE		"bench0"
#define DEVICE_OUT	"bench1"

/**
 * struct site - a namespace that is measured
 * @net: the namespace; NULL: none yet
 * @dev: where packets come in, and go out unless they are received in earnest
 * @out: where those go out
 * @conntrack: its hooks were asked for
 */
struct site {
	struct net *net;
	struct net_device *dev;
	struct net_device *out;
	bool conntrack;
};

/**
 * struct lane - one of those who send at the same time
 * @run: what it is to do
 * @batch: packets
 * @samples: nanoseconds that each batch took
 * @n_samples: how many there are
 * @accepted: packets that got through
 * @back: packets of @batch that have come out
 * @done: packets sent
 * @end: completed when all is sent
 */
struct lane {
	struct bench_run run;
	struct sk_buff *batch[BENCH_BATCH];
	u32 *samples;
	unsigned int n_samples;
	u64 accepted;
	unsigned int back;
	u64 done;
	struct completion end;
};

/**
 * struct seen - what the ruleset saw on a CPU
 * @all: packets
 * @wrong: those in another state than expected
 */
struct seen {
	u64 all;
	u64 wrong;
};

static DEFINE_MUTEX(bench_lock); /* protects all below */
static struct site sites[SITES_MAX];
static struct lane *lanes[LANES_MAX];
static char answer[128];
static struct dentry *file;

/* What the ruleset expects to see, and does. */
static unsigned int rule_expect;
static unsigned int rule_verdict = NF_ACCEPT;
static DEFINE_PER_CPU_ALIGNED(struct seen, rule_seen);

/* Lanes of a run that have not begun. */
static atomic_t waiting;

/* Whose packets a CPU receives; NULL: none. */
static DEFINE_PER_CPU(struct lane *, receiver);

static unsigned int rule(void *priv, struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	this_cpu_inc(rule_seen.all);
	if (ct ? ctinfo != rule_expect : rule_expect != IP_CT_NUMBER)
		this_cpu_inc(rule_seen.wrong);
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

/* What has come out is what will be sent next: nothing is allocated or freed meanwhile. */
static bool take_back(struct sk_buff *skb)
{
	struct lane *lane = this_cpu_read(receiver);

	if (!lane)
		return false;
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	lane->batch[lane->back++] = skb;
	return true;
}

/* In place of the socket of a packet that is for this machine. */
static unsigned int deliver(void *priv, struct sk_buff *skb,
			    const struct nf_hook_state *state)
{
	return take_back(skb) ? NF_STOLEN : NF_ACCEPT;
}

/* The last hooks: registered before nf_conntrack's of the same priority, called after them. */
static const struct nf_hook_ops deliver_ops[] = {
	{ .hook = deliver, .pf = NFPROTO_IPV4, .hooknum = NF_INET_LOCAL_IN,
	  .priority = NF_IP_PRI_LAST },
	{ .hook = deliver, .pf = NFPROTO_IPV6, .hooknum = NF_INET_LOCAL_IN,
	  .priority = NF_IP6_PRI_LAST },
};

static netdev_tx_t out_xmit(struct sk_buff *skb, struct net_device *dev)
{
	if (!take_back(skb))
		kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops out_ops = {
	.ndo_start_xmit = out_xmit,
};

/* One neighbour for all, and no header: what goes out is what came in. */
static void out_setup(struct net_device *dev)
{
	dev->netdev_ops = &out_ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP | IFF_POINTOPOINT;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->mtu = 1500;
	dev->needs_free_netdev = true;
}

static int out_register(struct site *site, struct net *net)
{
	int err;

	site->out = alloc_netdev(0, DEVICE_OUT, NET_NAME_USER, out_setup);
	if (!site->out)
		return -ENOMEM;
	dev_net_set(site->out, net);
	err = register_netdev(site->out);
	if (err)
		free_netdev(site->out);
	return err;
}

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
	err = out_register(site, net);
	if (err)
		goto err_dev;
	err = nf_register_net_hooks(net, deliver_ops, ARRAY_SIZE(deliver_ops));
	if (err)
		goto err_out;
	if (conntrack) {
		err = nf_ct_netns_get(net, NFPROTO_INET);
		if (err)
			goto err_deliver;
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
err_deliver:
	nf_unregister_net_hooks(net, deliver_ops, ARRAY_SIZE(deliver_ops));
err_out:
	unregister_netdev(site->out);
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
	nf_unregister_net_hooks(site->net, deliver_ops, ARRAY_SIZE(deliver_ops));
	unregister_netdev(site->out);
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

/* As a NIC's poll hands them up. Those that come out are in the batch again. */
static void receive(struct lane *lane, unsigned int n)
{
	unsigned int i, list_end = 0;
	LIST_HEAD(list);

	for (i = 0; i < n; i++) {
		list_add_tail(&lane->batch[i]->list, &list);
		if (++list_end < lane->run.receive && i + 1 < n)
			continue;
		netif_receive_skb_list(&list);
		INIT_LIST_HEAD(&list);
		list_end = 0;
	}
}

/* The code that frees or takes up a packet takes its conntrack away: a part of the cost. */
static u64 send_batch(const struct site *site, struct lane *lane,
		      unsigned int n)
{
	const struct bench_run *run = &lane->run;
	unsigned int i;
	u64 start, ns;

	local_bh_disable();
	lane->back = 0;
	this_cpu_write(receiver, run->receive ? lane : NULL);
	start = ktime_get_ns();
	if (run->receive)
		receive(lane, n);
	for (i = 0; i < n && !run->receive; i++) {
		lane->accepted += send_one(site, run, lane->batch[i]);
		nf_reset_ct(lane->batch[i]);
	}
	ns = ktime_get_ns() - start;
	this_cpu_write(receiver, NULL);
	local_bh_enable();
	return ns;
}

/* Packets that did not come out were freed where they were dropped. */
static bool replace_lost(struct lane *lane, unsigned int n)
{
	lane->accepted += lane->back;
	for (; lane->back < n; lane->back++) {
		lane->batch[lane->back] = bench_skb_alloc(NULL);
		if (!lane->batch[lane->back])
			return false;
	}
	return true;
}

static int by_size(const void *a, const void *b)
{
	return *(const u32 *)a < *(const u32 *)b ? -1 :
	       *(const u32 *)a > *(const u32 *)b;
}

/* Mean of the middle half of the batches, for all packets. */
static u64 middle(struct lane *lane)
{
	unsigned int from = lane->n_samples / 4, to = lane->n_samples - from, i;
	u64 sum = 0;

	if (!lane->n_samples)
		return 0;
	sort(lane->samples, lane->n_samples, sizeof(*lane->samples), by_size,
	     NULL);
	for (i = from; i < to; i++)
		sum += lane->samples[i];
	return div_u64(sum * lane->done, (to - from) * BENCH_BATCH);
}

static void lane_run(struct lane *lane)
{
	const struct bench_run *run = &lane->run;
	const struct site *site = &sites[run->who];
	unsigned int i, n;
	u64 ns;

	lane->accepted = 0;
	lane->done = 0;
	lane->n_samples = 0;
	while (lane->done < run->packets) {
		n = min_t(u64, run->packets - lane->done, BENCH_BATCH);
		for (i = 0; i < n; i++) {
			lane->batch[i]->dev = site->dev;
			/* A drop must not free it; a receiver would copy it. */
			refcount_set(&lane->batch[i]->users, run->receive ? 1 : 2);
			bench_skb_set(lane->batch[i], run,
				      run->first + bench_pick(run, lane->done + i),
				      run->step + lane->done + i);
		}
		ns = send_batch(site, lane, n);
		if (run->receive && !replace_lost(lane, n))
			break;
		if (n == BENCH_BATCH && lane->n_samples < SAMPLES_MAX)
			lane->samples[lane->n_samples++] = min_t(u64, ns,
								 U32_MAX);
		lane->done += n;
		if (!(lane->done % PAUSE))
			usleep_range(50, 100);
	}
	for (i = 0; i < BENCH_BATCH && lane->batch[i]; i++)
		refcount_set(&lane->batch[i]->users, 1);
}

static int lane_thread(void *arg)
{
	struct lane *lane = arg;

	/* All at once, or the first would have the machine for itself. */
	atomic_dec(&waiting);
	while (atomic_read(&waiting) > 0)
		cond_resched();
	lane_run(lane);
	complete(&lane->end);
	return 0;
}

static void lane_free(struct lane *lane)
{
	unsigned int i;

	if (!lane)
		return;
	vfree(lane->samples);
	for (i = 0; i < BENCH_BATCH; i++)
		kfree_skb(lane->batch[i]);
	kfree(lane);
}

static struct lane *lane_alloc(void)
{
	struct lane *lane = kzalloc(sizeof(*lane), GFP_KERNEL);
	unsigned int i;

	if (!lane)
		return NULL;
	lane->samples = vmalloc_array(SAMPLES_MAX, sizeof(*lane->samples));
	if (!lane->samples)
		goto err;
	for (i = 0; i < BENCH_BATCH; i++) {
		lane->batch[i] = bench_skb_alloc(NULL);
		if (!lane->batch[i])
			goto err;
	}
	return lane;

err:
	lane_free(lane);
	return NULL;
}

/* Give each lane its part of a run. */
static int lanes_prepare(const struct bench_run *run, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!lanes[i])
			lanes[i] = lane_alloc();
		if (!lanes[i])
			return -ENOMEM;
		lanes[i]->run = *run;
		lanes[i]->run.first += i * run->apart;
		if (run->seed)
			lanes[i]->run.seed += i << 20;
	}
	return 0;
}

/* Send on CPUs 0 to @n - 1. */
static int run_on_cpus(unsigned int n)
{
	struct task_struct *task[LANES_MAX];
	unsigned int i;
	int err = 0;

	for (i = 0; i < n; i++) {
		init_completion(&lanes[i]->end);
		task[i] = kthread_create_on_cpu(lane_thread, lanes[i], i,
						"ft_bench/%u");
		if (IS_ERR(task[i])) {
			err = PTR_ERR(task[i]);
			break;
		}
	}
	atomic_set(&waiting, n);
	while (i--) {
		if (err)
			kthread_stop(task[i]);
		else
			wake_up_process(task[i]);
	}
	for (i = 0; i < n && !err; i++)
		wait_for_completion(&lanes[i]->end);
	return err;
}

static int run(const struct bench_run *run)
{
	u64 ns = 0, done = 0, accepted = 0, seen = 0, wrong = 0;
	unsigned int i, n = run->cpus ?: 1;
	int cpu, err;

	if (run->who >= SITES_MAX || !sites[run->who].net ||
	    run->kind >= BENCH_KINDS || !run->flows || !run->burst ||
	    run->receive > BENCH_BATCH ||
	    run->cpus > min_t(unsigned int, LANES_MAX, num_online_cpus()))
		return -EINVAL;
	err = lanes_prepare(run, n);
	if (err)
		return err;
	rule_expect = run->expect;
	rule_verdict = run->drop ? NF_DROP : NF_ACCEPT;
	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(&rule_seen, cpu), 0, sizeof(struct seen));

	if (run->cpus)
		err = run_on_cpus(n);
	else
		lane_run(lanes[0]);
	if (err)
		return err;

	for (i = 0; i < n; i++) {
		ns += middle(lanes[i]);
		done += lanes[i]->done;
		accepted += lanes[i]->accepted;
	}
	for_each_possible_cpu(cpu) {
		seen += per_cpu_ptr(&rule_seen, cpu)->all;
		wrong += per_cpu_ptr(&rule_seen, cpu)->wrong;
	}
	snprintf(answer, sizeof(answer), "%llu %llu %llu %llu %llu\n", ns, done,
		 accepted, seen, wrong);
	return signal_pending(current) ? -EINTR : 0;
}

#define FIELD(_name) { #_name, offsetof(struct bench_run, _name) }

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(who), FIELD(family), FIELD(kind), FIELD(reply), FIELD(forward),
	FIELD(receive), FIELD(drop), FIELD(expect), FIELD(first), FIELD(flows),
	FIELD(packets), FIELD(burst), FIELD(seed), FIELD(skew), FIELD(step),
	FIELD(port), FIELD(server), FIELD(client), FIELD(cpus), FIELD(apart),
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
	struct bench_run r = {
		.family = 4, .burst = 1, .port = 53, .server = 1, .client = 10,
	};
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

/*
 * What the CPU does besides, by the gaps in a loop that reads the clock. Ticks
 * can't tell: work that starts with one and ends before the next is in none. A
 * gap of less than that is an interrupt, or the machine's.
 */
#define SPIN_GAP	(100 * NSEC_PER_USEC)

static u64 spin(unsigned int ms)
{
	u64 begun = ktime_get_mono_fast_ns(), last = begun, now, lost = 0;

	while (last - begun < (u64)ms * NSEC_PER_MSEC &&
	       !signal_pending(current)) {
		cond_resched();
		now = ktime_get_mono_fast_ns();
		if (now - last > SPIN_GAP)
			lost += now - last;
		last = now;
	}
	return lost;
}

static int command(char *text)
{
	u64 buckets, flows, reads, ns;
	unsigned int who, conntrack, ms;
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
	if (sscanf(text, "spin %u", &ms) == 1) {
		snprintf(answer, sizeof(answer), "%llu\n", spin(ms));
		return 0;
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

static int __init bench_init(void)
{
	lanes[0] = lane_alloc();
	if (!lanes[0])
		return -ENOMEM;
	file = debugfs_create_file("ft_bench", 0600, NULL, NULL, &bench_fops);
	return 0;
}

static void __exit bench_exit(void)
{
	unsigned int i;

	debugfs_remove(file);
	for (i = 0; i < SITES_MAX; i++)
		detach(&sites[i]);
	for (i = 0; i < LANES_MAX; i++)
		lane_free(lanes[i]);
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Benchmark of connection tracking");
