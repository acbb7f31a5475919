// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host whose CPU has another amount of FPU state: what uml.sh preloads into
 * a User-Mode Linux to see how that deals with it.
 *
 * FT_FPU_BYTES: PTRACE_GETREGSET gives so many bytes of NT_X86_XSTATE (zeros
 * behind what this CPU has), and PTRACE_SETREGSET refuses fewer, as Linux does.
 * 0: it refuses whatever it gets.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define REAL_MAX	65536

static long (*real)(int request, int pid, void *addr, void *data);
static size_t wanted;

static void __attribute__((constructor)) start(void)
{
	const char *bytes = getenv("FT_FPU_BYTES");

	real = (long (*)(int, int, void *, void *))dlsym(RTLD_NEXT, "ptrace");
	wanted = bytes ? strtoul(bytes, NULL, 10) : 0;
}

static long get(int pid, void *type, struct iovec *iov)
{
	static char state[REAL_MAX];
	struct iovec all = { .iov_base = state, .iov_len = sizeof(state) };
	size_t len = iov->iov_len, has;

	memset(state, 0, sizeof(state));
	if (real(PTRACE_GETREGSET, pid, type, &all) < 0)
		return -1;
	has = wanted ? wanted : all.iov_len;
	if (len > has)
		len = has;
	memset(iov->iov_base, 0, len);
	memcpy(iov->iov_base, state, len < all.iov_len ? len : all.iov_len);
	iov->iov_len = len;
	return 0;
}

static long set(int pid, void *type, struct iovec *iov)
{
	if (!wanted || iov->iov_len < wanted) {
		errno = EFAULT;
		return -1;
	}
	/* Linux cuts off what is more than it has. */
	return real(PTRACE_SETREGSET, pid, type, iov);
}

long ptrace(enum __ptrace_request request, ...)
{
	void *addr, *data;
	va_list args;
	int pid;

	va_start(args, request);
	pid = va_arg(args, int);
	addr = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);

	if (addr == (void *)NT_X86_XSTATE && request == PTRACE_GETREGSET)
		return get(pid, addr, data);
	if (addr == (void *)NT_X86_XSTATE && request == PTRACE_SETREGSET)
		return set(pid, addr, data);
	return real(request, pid, addr, data);
}
