/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What may stand next on a command line that is being written.
 */
#ifndef FT_COMPLETE_H
#define FT_COMPLETE_H

/* Offered alone: the name of a file is wanted, and the shell knows those. */
#define COMPLETE_FILES	":files"

int complete(int argc, char **argv);

#endif /* FT_COMPLETE_H */
