// SPDX-License-Identifier: GPL-2.0
#include <linux/in6.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#define CREATE_TRACE_POINTS
#include "track/trace.h"
