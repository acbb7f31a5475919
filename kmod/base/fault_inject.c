// SPDX-License-Identifier: GPL-2.0
#include "base/fault_inject.h"

/* In the module with the suites only. */
unsigned long ft_faults;
