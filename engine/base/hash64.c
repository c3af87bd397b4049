/* XXH64 in pieces. */
#include "base/hash64.h"

#include <string.h>

#define P1 0x9e3779b185ebca87ull
#define P2 0xc2b2ae3d27d4eb4full
#define P3 0x165667b19e3779f9ull
#define P4 0x85ebca77c2b2ae63ull
#define P5 0x27d4eb2f165667c5ull

static uint64_t rotl(uint64_t x, int r) { return x << r | x >> (64 - r); }

/* little-endian whatever the machine is */
static uint64_t get(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static uint64_t mix(uint64_t lane, uint64_t v) { return rotl(lane + v * P2, 31) * P1; }

static void stripe(uint64_t *lane, const unsigned char *p)
{
    for (int i = 0; i < 4; i++) lane[i] = mix(lane[i], get(p + 8 * i, 8));
}

void rg_hash64_start(rg_hash64 *h, uint64_t seed)
{
    *h = (rg_hash64){.lane = {seed + P1 + P2, seed + P2, seed, seed - P1}, .seed = seed};
}

void rg_hash64_add(rg_hash64 *h, const void *data, size_t n)
{
    const unsigned char *p = data;
    h->total += n;
    if (h->n_tail > 0) {
        const size_t want = 32 - h->n_tail, k = n < want ? n : want;
        if (k) memcpy(h->tail + h->n_tail, p, k);
        h->n_tail += k;
        p += k;
        n -= k;
        if (h->n_tail < 32) return;
        stripe(h->lane, h->tail);
        h->n_tail = 0;
    }
    for (; n >= 32; p += 32, n -= 32) stripe(h->lane, p);
    if (n) memcpy(h->tail, p, n);
    h->n_tail = n;
}

uint64_t rg_hash64_end(const rg_hash64 *h)
{
    uint64_t x = h->seed + P5;
    if (h->total >= 32) {
        x = rotl(h->lane[0], 1) + rotl(h->lane[1], 7) + rotl(h->lane[2], 12) + rotl(h->lane[3], 18);
        for (int i = 0; i < 4; i++) x = (x ^ mix(0, h->lane[i])) * P1 + P4;
    }
    x += h->total;
    const unsigned char *p = h->tail;
    size_t n = h->n_tail;
    for (; n >= 8; p += 8, n -= 8) x = rotl(x ^ mix(0, get(p, 8)), 27) * P1 + P4;
    for (; n >= 4; p += 4, n -= 4) x = rotl(x ^ get(p, 4) * P1, 23) * P2 + P3;
    for (; n > 0; p++, n--) x = rotl(x ^ *p * P5, 11) * P1;
    x = (x ^ x >> 33) * P2;
    x = (x ^ x >> 29) * P3;
    return x ^ x >> 32;
}

uint64_t rg_hash64_of(const void *p, size_t n, uint64_t seed)
{
    rg_hash64 h;
    rg_hash64_start(&h, seed);
    rg_hash64_add(&h, p, n);
    return rg_hash64_end(&h);
}
