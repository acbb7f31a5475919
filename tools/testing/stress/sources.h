/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The limit of flows per source, asked for by all processors at once.
 */
#ifndef _FT_STRESS_SOURCES_H
#define _FT_STRESS_SOURCES_H

/**
 * struct ft_stress_sources - what came of it
 * @granted: flows that a source was allowed
 * @refused: flows that it was not
 * @over: how often a source had one more than the limit
 * @kept: sources that were still known when all flows had ended
 */
struct ft_stress_sources {
	unsigned int granted;
	unsigned int refused;
	unsigned int over;
	unsigned int kept;
};

int ft_stress_sources(struct ft_stress_sources *result, unsigned int ms);

#endif /* _FT_STRESS_SOURCES_H */
