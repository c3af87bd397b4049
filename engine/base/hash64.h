/* XXH64 of the xxHash family: fast, not cryptographic. Tells damage and mix-ups, not malice. */
#ifndef RG_HASH64_H
#define RG_HASH64_H

#include <stddef.h>
#include <stdint.h>

typedef struct rg_hash64 {
    uint64_t lane[4], total, seed;
    unsigned char tail[32];
    size_t n_tail;
} rg_hash64;

void rg_hash64_start(rg_hash64 *h, uint64_t seed);
void rg_hash64_add(rg_hash64 *h, const void *p, size_t n);
uint64_t rg_hash64_end(const rg_hash64 *h);
/* All at once. */
uint64_t rg_hash64_of(const void *p, size_t n, uint64_t seed);

#endif
