/* A block of memory carved by a layout function that runs twice: with no base it only adds up sizes. */
#ifndef RG_ARENA_H
#define RG_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct rg_arena {
    char *base; /* NULL: measuring */
    size_t used;
} rg_arena;

/* The next `bytes`, 64-byte aligned; NULL while measuring. */
void *rg_arena_take(rg_arena *a, size_t bytes);

/* Zeroed anonymous memory, untouched, aligned to 2 MiB, in huge pages if large enough; NULL: the kernel
 * refuses. Free with rg_big_free(p, the same size). */
void *rg_big_alloc(size_t bytes);
/* Pages of the base size instead; before the block is touched. */
void rg_big_small_pages(void *p, size_t bytes);
void rg_big_free(void *p, size_t bytes);

#endif
