// SPDX-License-Identifier: GPL-2.0
/*
 * Adaptive timeouts, after pf's: between two fill levels, timeouts shrink
 * linearly from whole to nothing.
 *
 * What differs from pf: each class has a factor of its own, by the room that
 * it and the more valuable ones take. A flood of unanswered packets thus makes
 * unanswered flows end sooner, and does not touch connections. And no flow goes
 * before it has been idle for the floor of its class, so that handshakes on
 * their way and connections with keepalives live at any level.
 */
#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/math64.h>

#include "flow/flow.h"
#include "policy/adaptive.h"

/* Seconds that a flow may be idle at any level. */
static const u8 floors[FT_CLASSES] = {
	[FLOWTRACK_CLASS_CLOSING] = 1,
	/* The first retransmission of a SYN comes after one, the next after 3. */
	[FLOWTRACK_CLASS_EMBRYONIC] = 3,
	[FLOWTRACK_CLASS_REPLIED] = 10,
	/* The usual keepalives of ssh, VPNs and web sockets come sooner. */
	[FLOWTRACK_CLASS_ASSURED] = 60,
};

/**
 * ft_adaptive_factor() - what is left of timeouts at a fill level
 * @count: flows
 * @room: how many there may be
 * @start: setting adaptive_start, per cent of @room; 0: off
 * @end: setting adaptive_end, above @start; 0: off
 *
 * Context: any; pure.
 * Return: permille; FT_ADAPTIVE_WHOLE up to @start, 0 from @end on.
 */
u32 ft_adaptive_factor(u32 count, u32 room, u32 start, u32 end)
{
	u64 level;

	if (!start || end <= start)
		return FT_ADAPTIVE_WHOLE;
	/* In permille of the room, as start and end times ten are. */
	level = div_u64((u64)count * 1000, max(room, 1u));
	if (level <= start * 10)
		return FT_ADAPTIVE_WHOLE;
	if (level >= end * 10)
		return 0;
	return (u32)(end * 10 - level) * FT_ADAPTIVE_WHOLE / ((end - start) * 10);
}

/**
 * ft_adaptive_floor() - how long a flow may be idle at any level
 * @class: its class
 *
 * Context: any; pure.
 * Return: jiffies.
 */
u32 ft_adaptive_floor(enum flowtrack_class class)
{
	return floors[class] * (u32)HZ;
}

/**
 * ft_adaptive_limit() - a timeout under pressure
 * @class: class of the flow
 * @timeout: its timeout, in jiffies
 * @factor: permille, ft_adaptive_factor()
 *
 * Context: any; pure.
 * Return: jiffies that the flow may be idle; a timeout below the floor of the
 * class gives the floor, so that such a flow has its own timeout.
 */
u32 ft_adaptive_limit(enum flowtrack_class class, u32 timeout, u32 factor)
{
	u32 shrunk = div_u64((u64)timeout * factor, FT_ADAPTIVE_WHOLE);

	return max(shrunk, ft_adaptive_floor(class));
}

/**
 * ft_adaptive_init() - no pressure
 * @adaptive: of a namespace that nobody else knows yet
 */
void ft_adaptive_init(struct ft_adaptive *adaptive)
{
	unsigned int i;

	for (i = 0; i < FT_CLASSES; i++)
		adaptive->factor[i] = FT_ADAPTIVE_WHOLE;
	adaptive->scarce = false;
	adaptive->short_of_room = false;
	adaptive->hopeless = ft_now() - 1;
}

/**
 * ft_adaptive_update() - bring the factors up to date
 * @adaptive: of the namespace
 * @census: flows by class
 * @room: how many there may be
 * @start: setting adaptive_start
 * @end: setting adaptive_end
 * @now: ft_now()
 *
 * Context: gc_work.
 * Return: true if any class has a factor below FT_ADAPTIVE_WHOLE.
 */
bool ft_adaptive_update(struct ft_adaptive *adaptive,
			const struct ft_census *census, u32 room, u32 start,
			u32 end, u32 now)
{
	bool shrunk = false;
	u32 count = 0;
	u32 factor;
	int class;

	for (class = FT_CLASSES - 1; class >= 0; class--) {
		count += census->n[class];
		factor = ft_adaptive_factor(count, room, start, end);
		WRITE_ONCE(adaptive->factor[class], factor);
		shrunk |= factor < FT_ADAPTIVE_WHOLE;
	}

	if (READ_ONCE(adaptive->scarce)) {
		WRITE_ONCE(adaptive->scarce, false);
		adaptive->scarce_since = now;
		WRITE_ONCE(adaptive->short_of_room, true);
	} else if (adaptive->short_of_room &&
		   now - adaptive->scarce_since >= FT_ADAPTIVE_MEMORY) {
		WRITE_ONCE(adaptive->short_of_room, false);
	}
	return shrunk;
}

/**
 * ft_adaptive_scarce() - a newcomer found only idle flows to evict
 * @adaptive: of the namespace
 *
 * Context: any.
 */
void ft_adaptive_scarce(struct ft_adaptive *adaptive)
{
	if (!READ_ONCE(adaptive->scarce))
		WRITE_ONCE(adaptive->scarce, true);
}

/**
 * ft_adaptive_shown() - the factor in force, for statistics
 * @adaptive: of the namespace
 * @class: a class
 *
 * Context: any.
 * Return: permille; 0 where flows are evicted that have been idle for no more
 * than the floor of their class.
 */
u32 ft_adaptive_shown(const struct ft_adaptive *adaptive,
		      enum flowtrack_class class)
{
	if (class >= FLOWTRACK_CLASS_REPLIED &&
	    (READ_ONCE(adaptive->scarce) || READ_ONCE(adaptive->short_of_room)))
		return 0;
	return READ_ONCE(adaptive->factor[class]);
}
