/* SPDX-License-Identifier: GPL-2.0 */
/* Flows as JSON objects. */
#ifndef FT_JSON_H
#define FT_JSON_H

#include <stdbool.h>

struct flow;

char *json_flow(char *p, const struct flow *f, bool windows);

#endif /* FT_JSON_H */
