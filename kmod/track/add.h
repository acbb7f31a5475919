/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A flow that no packet opens: somebody enters it by a request.
 */
#ifndef _FT_TRACK_ADD_H
#define _FT_TRACK_ADD_H

struct ft_birth;
struct ft_net;

int ft_flow_add(struct ft_net *tn, struct ft_birth *birth);

#endif /* _FT_TRACK_ADD_H */
