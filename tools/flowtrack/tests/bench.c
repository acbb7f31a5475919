// SPDX-License-Identifier: GPL-2.0
/*
 * How long it takes to read and format a million flows, the kernel apart.
 *
 * The messages are made before, in blocks as large as those of a dump.
 */
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "print.h"
#include "test.h"

#define FLOWS	1000000
#define BLOCK	100

static char block[BLOCK][1024] ALIGNED;

static double now(void)
{
	struct timespec ts;

	/* Others may be using this machine. */
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void measure(const char *name, const struct options *opts, bool save)
{
	struct printer p;
	double start;
	int i;

	out_init(&std, open("/dev/null", O_WRONLY | O_CLOEXEC));
	printer_init(&p, &std, opts);
	if (save)
		p.form = PRINT_SAVE;
	start = now();
	printer_begin(&p);
	for (i = 0; i < FLOWS; i++)
		printer_message((void *)block[i % BLOCK], &p);
	printer_end(&p);
	out_flush(&std);
	printf("%-8s %7.3f s  %5.0f bytes per flow\n", name, now() - start,
	       (double)std.written / FLOWS);
}

int main(void)
{
	struct options columns = { 0 }, oneline = { .oneline = true };
	struct options json = { .json = true }, color = { .color = true };
	struct flow f;
	int i;

	for (i = 0; i < BLOCK; i++) {
		sample_tcp(&f, i * 9973);
		msg_flow(block[i], i, FLOWTRACK_CMD_FLOW_GET, 0, &f);
	}
	measure("columns", &columns, false);
	measure("color", &color, false);
	measure("oneline", &oneline, false);
	measure("json", &json, false);
	measure("save", &columns, true);
	return 0;
}
