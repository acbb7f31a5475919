/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of the tool: what fails is said, and the test goes on.
 */
#ifndef FT_TEST_H
#define FT_TEST_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct flow;
struct nlmsghdr;

/**
 * struct test - a test
 * @name: what is true if it passes
 * @run: finds out
 */
struct test {
	const char *name;
	void (*run)(void);
};

extern const struct test advise_tests[], cli_tests[], cmd_tests[], complete_tests[],
			 confirm_tests[], doctor_tests[], filter_tests[], flow_tests[],
			 list_tests[], metrics_tests[], names_tests[], nl_tests[], out_tests[],
			 parse_tests[], print_tests[], program_tests[], reload_tests[],
			 replay_tests[], watch_tests[], words_tests[];

/* The program itself, for the tests that start it. */
extern const char *tool_path;

void test_failed(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void test_skip(const char *why);
void expect_str(const char *file, int line, const char *got, const char *want);
void expect_int(const char *file, int line, long long got, long long want);

#define EXPECT(cond)							\
	((cond) ? (void)0 : test_failed(__FILE__, __LINE__, "%s", #cond))
#define EXPECT_STR(got, want)	expect_str(__FILE__, __LINE__, got, want)
#define EXPECT_INT(got, want)	expect_int(__FILE__, __LINE__, got, want)

/* Splits words at blanks; the words live until the next call. */
int test_words(const char *line, char ***argv);

/* Keeps what a verb printed with -j, for the schema's test. */
void test_json(const char *verb, const char *text);

#define ALIGNED	__attribute__((aligned(8)))

/* test_msg.c: messages as the kernel makes them. */
struct nlmsghdr *msg_flow(void *buf, __u32 seq, int cmd, int flags,
			  const struct flow *f);
void sample_tcp(struct flow *f, unsigned int i);
void sample_icmp6(struct flow *f);

/* test_fake.c: a kernel. */
struct fake {
	char request[65536] ALIGNED;	/* last one that was sent */
	size_t request_len;
	unsigned int requests;
	unsigned int flows;	/* in the table */
	unsigned int over;	/* so many of them have no time left */
	unsigned int changed;	/* so many, the first ones, are not as they were */
	unsigned int gone;	/* so many, the first ones, have ended */
	unsigned int later;	/* milliseconds that have passed */
	unsigned int fetched;	/* requests for one flow */
	unsigned int added;	/* requests to enter one */
	bool no_digests;	/* what a module said before there were any */
	unsigned int interrupt;	/* so many dumps are inconsistent */
	bool no_family;
	unsigned int enobufs;	/* so many receptions fail */
	unsigned int enobufs_at;	/* and one after so many requests; 0: none */
	int error;		/* errno of every request */
	int done_error;		/* errno at the end of a dump */
	const char *message;	/* extack */
	unsigned int offset;	/* of the bad attribute */
	unsigned int missing;	/* attribute */
	int fail_at;		/* message of a batch that fails; -1: none */
	int fail_errno;
	int setting;		/* that has another value; 0: none */
	__u32 value;		/* which one */
	__u64 follow;		/* of FLOWTRACK_A_SETTINGS_FOLLOWING */
	int settings_max;	/* the last setting that there is; 0: all are */
	bool acct;		/* top knows bytes */
};

extern struct fake fake;

void fake_reset(void);
const struct nlmsghdr *fake_request(void);
void fake_family(int cmd, const char *name, __u16 id, __u32 group);

/* What the linker puts in the place of libmnl's functions. */
struct mnl_socket;

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *req,
				 size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf,
				   size_t size);

/* Runs a verb with standard output going to the buffer returned. */
struct options;
const char *run_verb(int (*verb)(const struct options *, int, char **),
		     const struct options *opts, const char *line, int *code);

#endif /* FT_TEST_H */
