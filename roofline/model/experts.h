/* How many experts of a layer a call reads: what a mixture's bytes depend on, and shapes do not tell. */
#ifndef RG_EXPERTS_H
#define RG_EXPERTS_H

#include "base/config.h"

/* Which experts tokens choose: each by chance alone, all the same ones, each token others, or so many of a
 * layer in a decode step as a run has counted (and by chance in prefill). */
typedef enum rg_routing {
    RG_ROUTING_UNIFORM,
    RG_ROUTING_SAME,
    RG_ROUTING_DISJOINT,
    RG_ROUTING_COUNTED,
    RG_ROUTINGS
} rg_routing;
extern const char *const rg_routings[]; /* "uniform", "same", "disjoint", "counted", NULL */

/* Of E experts, that some of B tokens chose, where each goes to k different ones.
 *
 * Expected where all are equally likely and tokens do not know of each other: a token leaves an expert out
 * with 1 - k / E, all do with the power of it, so E (1 - (1 - k / E)^B) are expected to be chosen. */
double rg_experts_expected(int64_t experts, int64_t used, int64_t tokens);
/* The most: min(B k, E). The fewest are k. */
int64_t rg_experts_bound(int64_t experts, int64_t used, int64_t tokens);

/* A dense model of the same active size: one network as wide as all that a token meets, and no router. */
rg_config rg_experts_dense(const rg_config *c);

#endif
