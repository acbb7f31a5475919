// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frequency of this machine's TSC in kHz. QEMU's emulated CPUs have the same one.
 *
 * It is measured against the kernel's clock for a fifth of a second. At both ends the two are
 * read many times, and those readings count between which the least time passed: so it makes
 * no difference how busy the machine is.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void read_both(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX, before, after, at;
	int i;

	for (i = 0; i < 1000; i++) {
		before = __rdtsc();
		at = now();
		after = __rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		*tsc = before + best / 2;
		*ns = at;
	}
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	uint64_t tsc[2], ns[2];

	read_both(&tsc[0], &ns[0]);
	nanosleep(&pause, NULL);
	read_both(&tsc[1], &ns[1]);
	printf("%.0f\n", (double)(tsc[1] - tsc[0]) / (ns[1] - ns[0]) * 1e6);
	return 0;
}
