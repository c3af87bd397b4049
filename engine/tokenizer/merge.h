/* Greedy merging: symbols in a linked list, candidate pairs in a heap; n log n. */
#ifndef RG_MERGE_H
#define RG_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct rg_sym {
    uint32_t pos, len;  /* bytes of the text; len 0: merged away */
    int32_t prev, next; /* -1: none */
    int32_t id;
} rg_sym;

typedef struct rg_cand {
    uint64_t key;   /* priority, then position: ties go left */
    uint32_t right; /* the right symbol */
    uint32_t len;   /* of both together: tells whether a symbol changed since */
    int32_t id;
} rg_cand;

typedef struct rg_merger {
    rg_sym *sym; /* owns */
    size_t n, cap;
    rg_cand *heap; /* owns */
    size_t n_heap, cap_heap;
    uint64_t work; /* heap steps so far, for tests */
} rg_merger;

/* What a and b merge into; false if nothing. The smallest *prio wins. */
typedef bool (*rg_merge_fn)(
    const void *user, const char *text, const rg_sym *a, const rg_sym *b, uint32_t *prio, int32_t *id);

static inline void rg_merger_reset(rg_merger *m) { m->n = 0; }
rg_status rg_merger_push(rg_merger *m, uint32_t pos, uint32_t len, int32_t id, rg_err *err);
/* Merges until nothing merges. Walk the result from symbol 0 by next. */
rg_status rg_merger_run(rg_merger *m, const char *text, rg_merge_fn pair, const void *user, rg_err *err);
void rg_merger_free(rg_merger *m);

#endif
