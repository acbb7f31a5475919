/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the linker puts in the place of functions that change the machine, and those
 * functions themselves.
 */
#ifndef FT_TEST_RELOAD_H
#define FT_TEST_RELOAD_H

#include <stdbool.h>
#include <sys/types.h>

struct mnl_socket;
struct module_file;
struct netns;
struct netns_list;

bool __real_module_loaded(const char *name);
int __real_module_find(struct module_file *file, const char *path);
bool __real_module_find_loaded(struct module_file *file, const struct module_file *other);
int __real_module_unload(const char *name);
int __real_module_load(const struct module_file *file, const char *params);
void __real_module_keep(const struct module_file *file);
int __real_netns_all(struct netns_list *list);
int __real_netns_enter(const struct netns *netns);
int __real_freeze(struct mnl_socket **sk);
void __real_thaw(struct mnl_socket *sk);
uid_t __real_geteuid(void);

bool __wrap_module_loaded(const char *name);
int __wrap_module_find(struct module_file *file, const char *path);
bool __wrap_module_find_loaded(struct module_file *file, const struct module_file *other);
int __wrap_module_unload(const char *name);
int __wrap_module_load(const struct module_file *file, const char *params);
void __wrap_module_keep(const struct module_file *file);
int __wrap_netns_all(struct netns_list *list);
int __wrap_netns_enter(const struct netns *netns);
int __wrap_freeze(struct mnl_socket **sk);
void __wrap_thaw(struct mnl_socket *sk);
uid_t __wrap_geteuid(void);

#endif /* FT_TEST_RELOAD_H */
