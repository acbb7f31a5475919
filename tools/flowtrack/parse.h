/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Words of the command line, and the values among them.
 *
 * A value is given as the next word or behind an equals sign: "dport 443" and
 * "dport=443" are the same, so that fields of the output can be pasted back.
 */
#ifndef FT_PARSE_H
#define FT_PARSE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct words - a walk through the arguments
 * @argc: how many are left
 * @argv: what is left
 * @key: the current word, without its value
 * @value: what stands behind its equals sign; NULL: nothing
 */
struct words {
	int argc;
	char **argv;
	char key[64];
	const char *value;
};

void words_init(struct words *w, int argc, char **argv);
bool words_next(struct words *w);
int words_value(struct words *w, const char **value);
int words_no_value(const struct words *w);
int words_unknown(const struct words *w, const char * const *keys, size_t n);
int words_bad(const struct words *w, const char *value, const char *wanted);
int words_twice(const struct words *w);

/**
 * struct addr - an address with its prefix
 * @family: AF_INET or AF_INET6; 0: none given
 * @len: bits that count
 * @b: 4 or 16 bytes, network byte order
 */
struct addr {
	__u8 family;
	__u8 len;
	__u8 b[16];
};

bool parse_u64(const char *s, __u64 max, __u64 *v);
bool parse_u32(const char *s, __u32 *v);
bool parse_addr(const char *s, struct addr *addr);
bool parse_prefix(const char *s, struct addr *addr);
bool parse_ports(const char *s, __u8 proto, __u16 *min, __u16 *max);
bool parse_duration(const char *s, __u64 *ms);
bool parse_size(const char *s, __u32 max, __u32 *bytes);
bool parse_time(const char *s, __u64 *ns);
bool parse_seconds(const char *s, __u32 *secs);
bool parse_age(const char *s, __u32 *min, __u32 *max);
bool parse_masked(const char *s, __u32 *v, __u32 *mask);

#endif /* FT_PARSE_H */
