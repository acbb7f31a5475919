/* SPDX-License-Identifier: GPL-2.0 */
/*
 * No packet goes through a network namespace for a moment.
 */
#ifndef FT_FREEZE_H
#define FT_FREEZE_H

struct mnl_socket;

int freeze(struct mnl_socket **sk);
void thaw(struct mnl_socket *sk);

#endif /* FT_FREEZE_H */
