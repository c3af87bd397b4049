/* A seeded generator, and memory that ends at a guard page. */
#ifndef RG_GUARDED_H
#define RG_GUARDED_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* xorshift64*; print the seed on failure. */
typedef struct rg_rng {
    uint64_t s;
} rg_rng;

static inline uint64_t rng_u64(rg_rng *r)
{
    r->s ^= r->s >> 12;
    r->s ^= r->s << 25;
    r->s ^= r->s >> 27;
    return r->s * 2685821657736338717ull;
}
static inline int64_t rng_in(rg_rng *r, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(rng_u64(r) % (uint64_t)(hi - lo + 1));
}
static inline double rng_unit(rg_rng *r) { return (double)(rng_u64(r) >> 11) * 0x1p-53; }
static inline float rng_normal(rg_rng *r)
{
    const double u = 1.0 - rng_unit(r), v = rng_unit(r);
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

/* bytes that end exactly at a page that faults; freed with guarded_free. The start is aligned only as far as
 * bytes is. */
typedef struct guarded {
    char *map, *p;
    size_t map_len, bytes;
} guarded;

static inline guarded guarded_alloc(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded g = {.bytes = bytes, .map_len = (bytes + page - 1) / page * page + page};
    g.map = mmap(NULL, g.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect(g.map + g.map_len - page, page, PROT_NONE) != 0) abort();
    g.p = g.map + g.map_len - page - bytes;
    return g;
}
static inline void guarded_free(guarded *g) { munmap(g->map, g->map_len); }

#endif
