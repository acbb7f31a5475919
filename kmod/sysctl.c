// SPDX-License-Identifier: GPL-2.0
/*
 * net.netfilter.nf_flowtrack_*, made from the descriptors in settings.c.
 */
#include <linux/kstrtox.h>
#include <linux/nf_flowtrack.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysctl.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

#include "base/settings.h"
#include "control.h"
#include "net.h"
#include "sysctl.h"

/* Room for any name, a newline and a zero. */
#define NAME_LEN	16

static unsigned int attr_of(const struct ctl_table *ctl)
{
	return (unsigned long)ctl->extra1;
}

static int proc_number(FT_CTL_CONST struct ctl_table *ctl, int write,
		       void *buffer, size_t *lenp, loff_t *ppos)
{
	struct ctl_table number = { .maxlen = sizeof(u32), .mode = ctl->mode };
	/* What follows on a first write() is not a number of its own. */
	bool whole = !*ppos && *lenp;
	struct ft_net *tn = ctl->data;
	u32 value;
	int err;

	if (write && whole && ft_setting_descs[attr_of(ctl)].follows &&
	    sysfs_streq(buffer, "auto")) {
		*ppos += *lenp;
		return ft_settings_set(tn, attr_of(ctl), FLOWTRACK_SETTING_AUTO, NULL);
	}
	value = ft_settings_get(tn, attr_of(ctl));
	number.data = &value;
	err = proc_douintvec(&number, write, buffer, lenp, ppos);
	if (err || !write || !whole)
		return err;
	return ft_settings_set(tn, attr_of(ctl), value, NULL);
}

static int parse_name(unsigned int attr, const char *text, u32 *value)
{
	int named = ft_setting_value(attr, text);

	if (named < 0)
		return kstrtou32(text, 0, value);
	*value = named;
	return 0;
}

static int proc_enum(FT_CTL_CONST struct ctl_table *ctl, int write,
		     void *buffer, size_t *lenp, loff_t *ppos)
{
	struct ctl_table string = { .maxlen = NAME_LEN, .mode = ctl->mode };
	bool whole = !*ppos && *lenp;
	unsigned int attr = attr_of(ctl);
	struct ft_net *tn = ctl->data;
	char text[NAME_LEN] = "";
	u32 value;
	int err;

	if (!write)
		strscpy(text, ft_setting_name(attr, ft_settings_get(tn, attr)),
			sizeof(text));
	string.data = text;
	err = proc_dostring(&string, write, buffer, lenp, ppos);
	if (err || !write || !whole)
		return err;
	err = parse_name(attr, text, &value);
	return err ?: ft_settings_set(tn, attr, value, NULL);
}

static umode_t mode_of(const struct ft_setting_desc *desc, const struct net *net)
{
	if (desc->readonly)
		return 0444;
	/* Root of a user namespace of its own may not take all the memory. */
	if (desc->memory && net->user_ns != &init_user_ns)
		return 0444;
	return 0644;
}

/**
 * ft_sysctl_init() - register the sysctls of a namespace
 * @tn: namespace with settings and table
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ft_sysctl_init(struct ft_net *tn)
{
	struct ctl_table *table, *ctl;
	unsigned int attr;

	/* At least one is left over: the end that older kernels look for. */
	table = kcalloc(ARRAY_SIZE(ft_setting_descs) + 1, sizeof(*table),
			GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;

	ctl = table;
	for (attr = 0; attr < ARRAY_SIZE(ft_setting_descs); attr++) {
		const struct ft_setting_desc *desc = &ft_setting_descs[attr];

		if (!desc->name)
			continue;
		ctl->procname = desc->procname;
		ctl->mode = mode_of(desc, tn->net);
		ctl->maxlen = sizeof(u32);
		ctl->data = tn;
		ctl->extra1 = (void *)(unsigned long)attr;
		ctl->proc_handler = desc->kind == FT_SETTING_ENUM ?
				    proc_enum : proc_number;
		ctl++;
	}
	tn->sysctl = register_net_sysctl_sz(tn->net, "net/netfilter", table,
					    ctl - table);
	if (!tn->sysctl) {
		kfree(table);
		return -ENOMEM;
	}
	tn->sysctl_table = table;
	return 0;
}

/**
 * ft_sysctl_exit() - take the sysctls of a namespace away
 * @tn: namespace; may have none
 *
 * Context: may sleep, waits for handlers that run; settings_lock not held.
 */
void ft_sysctl_exit(struct ft_net *tn)
{
	if (!tn->sysctl)
		return;
	unregister_net_sysctl_table(tn->sysctl);
	kfree(tn->sysctl_table);
	tn->sysctl = NULL;
	tn->sysctl_table = NULL;
}
