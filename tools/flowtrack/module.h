/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files of the module, and the way into the kernel and out of it.
 */
#ifndef FT_MODULE_H
#define FT_MODULE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define MODULE			"nf_flowtrack"
#define MODULE_CTNETLINK	"nf_flowtrack_ctnetlink"

/**
 * struct module_file - a file that the module is loaded from
 * @path: file
 * @by_name: by modprobe(8), which finds the same file, and what modprobe.d says
 */
struct module_file {
	char path[PATH_MAX];
	bool by_name;
};

bool module_loaded(const char *name);
int module_find(struct module_file *file, const char *path);
bool module_find_loaded(struct module_file *file, const struct module_file *other);
void module_params(char *params, size_t size);
int module_unload(const char *name);
int module_unload_ctnetlink(void);
int module_load(const struct module_file *file, const char *params);
int module_load_ctnetlink(const struct module_file *file);
void module_keep(const struct module_file *file);

#endif /* FT_MODULE_H */
