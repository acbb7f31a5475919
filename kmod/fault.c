// SPDX-License-Identifier: GPL-2.0
#include "fault.h"

/* In the module with the suites only. */
unsigned long ft_faults;
