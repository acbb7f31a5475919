/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How flows are shown: lines, JSON objects, or lines of a saved table.
 */
#ifndef FT_PRINT_H
#define FT_PRINT_H

#include <linux/types.h>
#include <stdbool.h>

#include "flow.h"
#include "out.h"

struct nlmsghdr;
struct options;

enum print_form {
	PRINT_COLUMNS,		/* aligned */
	PRINT_ONELINE,		/* one blank between fields */
	PRINT_JSON,		/* objects of one array */
	PRINT_SAVE,		/* lines for restore */
};

/**
 * struct printer - prints the flows of a dump as they come
 * @o: where to
 * @form: how
 * @color: with escape sequences
 * @windows: JSON shows TCP windows as well
 * @head: what a saved table begins with
 * @flows: how many were printed
 * @flow: the current one
 */
struct printer {
	struct out *o;
	enum print_form form;
	bool color;
	bool windows;
	const char *head;
	__u64 flows;
	struct flow flow;
};

void printer_init(struct printer *p, struct out *o, const struct options *opts);
void printer_begin(struct printer *p);
int printer_message(const struct nlmsghdr *nlh, void *data);
int printer_flow(struct printer *p, struct flow *f);
bool printer_restart(void *data);
void printer_end(struct printer *p);

const char *class_color(const struct flow *f);
char *print_flow(char *p, const struct flow *f, bool columns, bool color);

#define COLOR_OFF	"\033[0m"
#define COLOR_GREEN	"\033[32m"
#define COLOR_YELLOW	"\033[33m"
#define COLOR_RED	"\033[31m"
#define COLOR_CYAN	"\033[36m"
#define COLOR_DIM	"\033[2m"

#endif /* FT_PRINT_H */
