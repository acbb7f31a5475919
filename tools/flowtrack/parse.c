// SPDX-License-Identifier: GPL-2.0
/*
 * Words of the command line, and the values among them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "names.h"
#include "parse.h"

void words_init(struct words *w, int argc, char **argv)
{
	w->argc = argc;
	w->argv = argv;
	w->key[0] = '\0';
	w->value = NULL;
}

/**
 * words_next() - go to the next word
 * @w: walk
 *
 * Return: false at the end.
 */
bool words_next(struct words *w)
{
	const char *word, *eq;
	size_t len;

	if (!w->argc)
		return false;
	word = *w->argv++;
	w->argc--;
	eq = strchr(word, '=');
	len = eq ? (size_t)(eq - word) : strlen(word);
	if (len >= sizeof(w->key))
		len = sizeof(w->key) - 1;
	memcpy(w->key, word, len);
	w->key[len] = '\0';
	w->value = eq ? eq + 1 : NULL;
	return true;
}

/**
 * words_value() - the value of the current word
 * @w: walk
 * @value: set to it
 *
 * Return: an exit code.
 */
int words_value(struct words *w, const char **value)
{
	if (!w->value && w->argc) {
		w->value = *w->argv++;
		w->argc--;
	}
	if (!w->value || !*w->value)
		return err_set(EXIT_USAGE, "'%s' needs a value", w->key);
	*value = w->value;
	return EXIT_OK;
}

/* Complains about a value that the current word does not take. */
int words_no_value(const struct words *w)
{
	if (!w->value)
		return EXIT_OK;
	return err_set(EXIT_USAGE, "'%s' takes no value, '%s' was given",
		       w->key, w->value);
}

/* The error for a word that is none of @keys. */
int words_unknown(const struct words *w, const char * const *keys, size_t n)
{
	const char *near = close_word(w->key, keys, n);

	err_set(EXIT_USAGE, "unknown word '%s'", w->key);
	if (near)
		err_add(", did you mean '%s'?", near);
	return EXIT_USAGE;
}

/* The error for a value that the current word cannot have. */
int words_bad(const struct words *w, const char *value, const char *wanted)
{
	return err_set(EXIT_USAGE, "bad value '%s' of '%s': expected %s",
		       value, w->key, wanted);
}

int words_twice(const struct words *w)
{
	return err_set(EXIT_USAGE, "'%s' contradicts or repeats an earlier word",
		       w->key);
}

/**
 * parse_u64() - a decimal or 0x hexadecimal number
 * @s: string
 * @max: largest value allowed
 * @v: set to the number
 *
 * Return: false if @s is no such number.
 */
bool parse_u64(const char *s, __u64 max, __u64 *v)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	unsigned long long n;
	char *end;

	if (hex ? !strchr("0123456789abcdefABCDEF", s[2]) || !s[2] :
		  s[0] < '0' || s[0] > '9')
		return false;
	errno = 0;
	n = strtoull(s, &end, hex ? 16 : 10);
	if (errno || *end || n > max)
		return false;
	*v = n;
	return true;
}

bool parse_u32(const char *s, __u32 *v)
{
	__u64 n;

	if (!parse_u64(s, UINT_MAX, &n))
		return false;
	*v = n;
	return true;
}

bool parse_addr(const char *s, struct addr *addr)
{
	if (inet_pton(AF_INET, s, addr->b) == 1) {
		addr->family = AF_INET;
		addr->len = 32;
		return true;
	}
	if (inet_pton(AF_INET6, s, addr->b) == 1) {
		addr->family = AF_INET6;
		addr->len = 128;
		return true;
	}
	return false;
}

/* An address, or a network: ADDR/LEN. What is behind LEN is cleared. */
bool parse_prefix(const char *s, struct addr *addr)
{
	const char *slash = strchr(s, '/');
	char buf[INET6_ADDRSTRLEN];
	unsigned int i;
	__u64 len;

	if (!slash)
		return parse_addr(s, addr);
	if ((size_t)(slash - s) >= sizeof(buf))
		return false;
	memcpy(buf, s, slash - s);
	buf[slash - s] = '\0';
	if (!parse_addr(buf, addr) || !parse_u64(slash + 1, addr->len, &len))
		return false;
	for (i = len; i < addr->len; i++)
		addr->b[i / 8] &= ~(0x80 >> i % 8);
	addr->len = len;
	return true;
}

static bool service_port(const char *s, __u8 proto, __u16 *port)
{
	const struct protoent *pe = proto ? getprotobynumber(proto) : NULL;
	const struct servent *se = getservbyname(s, pe ? pe->p_name : NULL);

	if (!se && pe)
		se = getservbyname(s, NULL);
	if (!se)
		return false;
	*port = ntohs(se->s_port);
	return true;
}

/* What stands before @end, as a string of its own. Return: false if it does not fit. */
static bool cut_at(const char *s, const char *end, char *buf, size_t size)
{
	size_t len = end - s;

	if (len >= size)
		return false;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return true;
}

static bool parse_range(const char *s, __u16 *min, __u16 *max)
{
	const char *dash = strchr(s, '-');
	char buf[16];
	__u64 v;

	if (!dash) {
		if (!parse_u64(s, 65535, &v))
			return false;
		*min = v;
		*max = v;
		return true;
	}
	if (!cut_at(s, dash, buf, sizeof(buf)) || !parse_u64(buf, 65535, &v))
		return false;
	*min = v;
	if (!parse_u64(dash + 1, 65535, &v) || v < *min)
		return false;
	*max = v;
	return true;
}

/* N, N-M, or the name of a service. */
bool parse_ports(const char *s, __u8 proto, __u16 *min, __u16 *max)
{
	if (parse_range(s, min, max))
		return true;
	if (!service_port(s, proto, min))
		return false;
	*max = *min;
	return true;
}

/**
 * parse_duration() - a time
 * @s: seconds, or numbers with units: 1.5, 90s, 500ms, 5m, 1h30m, 5d
 * @ms: set to the milliseconds
 *
 * Return: false if @s is no time.
 */
bool parse_duration(const char *s, __u64 *ms)
{
	static const struct {
		const char *name;
		__u32 ms;
	} units[] = {	/* ms before m */
		{ "ms", 1 },
		{ "s", 1000 },
		{ "m", 60 * 1000 },
		{ "h", 3600 * 1000 },
		{ "d", 86400 * 1000 },
		{ "w", 7 * 86400 * 1000 },
	};
	__u64 total = 0, part, whole, frac, scale;
	size_t i, len = 0;

	if (!*s)
		return false;
	while (*s) {
		if (*s < '0' || *s > '9')
			return false;
		for (whole = 0; *s >= '0' && *s <= '9'; s++) {
			whole = whole * 10 + (*s - '0');
			if (whole > UINT_MAX)
				return false;
		}
		frac = 0;
		scale = 1;
		if (*s == '.') {
			s++;
			if (*s < '0' || *s > '9')
				return false;
			for (; *s >= '0' && *s <= '9'; s++) {
				if (scale == 1000000)
					continue;
				frac = frac * 10 + (*s - '0');
				scale *= 10;
			}
		}
		if (!*s) {
			/* A bare number is seconds, but not after "5m". */
			if (len)
				return false;
			total = whole * 1000 + frac * 1000 / scale;
			break;
		}
		for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			len = strlen(units[i].name);
			if (!strncmp(s, units[i].name, len))
				break;
		}
		if (i == sizeof(units) / sizeof(units[0]))
			return false;
		/* Not above 2^62, but so often that the sum would be. */
		part = whole * units[i].ms + frac * units[i].ms / scale;
		if (__builtin_add_overflow(total, part, &total))
			return false;
		s += len;
	}
	*ms = total;
	return true;
}

/* A time in whole seconds. */
bool parse_seconds(const char *s, __u32 *secs)
{
	__u64 ms;

	if (!parse_duration(s, &ms) || ms % 1000 || ms / 1000 > UINT_MAX)
		return false;
	*secs = ms / 1000;
	return true;
}

/*
 * N, N-M, >N, <N, >=N, <=N. The kernel compares whole seconds, rounded down:
 * an age of at least N is what ">N" means to the millisecond.
 */
bool parse_age(const char *s, __u32 *min, __u32 *max)
{
	const char *dash = strchr(s, '-');
	char buf[32];

	*min = 0;
	*max = UINT_MAX;
	if (*s == '>')
		return parse_seconds(s + 1 + (s[1] == '='), min);
	if (s[0] == '<' && s[1] == '=')
		return parse_seconds(s + 2, max);
	if (*s == '<') {
		if (!parse_seconds(s + 1, max) || !*max)
			return false;
		--*max;
		return true;
	}
	if (!dash) {
		if (!parse_seconds(s, min))
			return false;
		*max = *min;
		return true;
	}
	return cut_at(s, dash, buf, sizeof(buf)) && parse_seconds(buf, min) &&
	       parse_seconds(dash + 1, max) && *min <= *max;
}

/* N or N/MASK. */
bool parse_masked(const char *s, __u32 *v, __u32 *mask)
{
	const char *slash = strchr(s, '/');
	char buf[16];

	*mask = UINT_MAX;
	if (!slash)
		return parse_u32(s, v);
	return cut_at(s, slash, buf, sizeof(buf)) && parse_u32(buf, v) &&
	       parse_u32(slash + 1, mask);
}

/* Seconds since the epoch, with decimals; to nanoseconds. */
bool parse_time(const char *s, __u64 *ns)
{
	const char *dot = strchrnul(s, '.');
	size_t digits = *dot ? strlen(dot + 1) : 0;
	__u64 whole, frac = 0;
	char buf[16];

	if ((size_t)(dot - s) >= sizeof(buf) || digits > 9)
		return false;
	memcpy(buf, s, dot - s);
	buf[dot - s] = '\0';
	if (!parse_u64(buf, ULLONG_MAX / 1000000000 - 1, &whole))
		return false;
	if (*dot) {
		memset(buf, '0', 9);
		memcpy(buf, dot + 1, digits);
		buf[9] = '\0';
		if (!digits || buf[1] == 'x' || buf[1] == 'X' ||
		    !parse_u64(buf, 999999999, &frac))
			return false;
	}
	*ns = whole * 1000000000 + frac;
	return true;
}

/**
 * parse_size() - a number of bytes
 * @s: a number, with unit k or M (of 1024), or none
 * @max: largest value allowed
 * @bytes: set to the number
 *
 * Return: false if @s is no such number.
 */
bool parse_size(const char *s, __u32 max, __u32 *bytes)
{
	size_t len = strlen(s);
	unsigned int shift = 0;
	char buf[16];
	__u64 v;

	if (!len || len >= sizeof(buf))
		return false;
	memcpy(buf, s, len + 1);
	if (buf[len - 1] == 'k' || buf[len - 1] == 'K')
		shift = 10;
	if (buf[len - 1] == 'm' || buf[len - 1] == 'M')
		shift = 20;
	if (shift)
		buf[len - 1] = '\0';
	if (!parse_u64(buf, max >> shift, &v))
		return false;
	*bytes = v << shift;
	return true;
}
