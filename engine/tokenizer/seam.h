/* Seams: between two characters that no piece has side by side. Text without a pre-tokeniser is cut there and
 * merged part by part, with the result of merging the whole. */
#ifndef RG_SEAM_H
#define RG_SEAM_H

#include "tokenizer/vocab.h"

enum { RG_SEAM_BITS = 18 };

typedef struct rg_seams {
    /* pairs of characters by hash, set if a piece has them (or by collision); owns. NULL: no seams */
    uint64_t *inside;
    uint64_t *known; /* [65536 bits] characters that are pieces themselves; owns */
} rg_seams;

rg_status rg_seams_init(rg_seams *s, const rg_vocab *v, rg_err *err);
void rg_seams_free(rg_seams *s);

static inline uint64_t rg_seam_slot(uint32_t a, uint32_t b)
{
    return (((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15ull) >> (64 - RG_SEAM_BITS);
}
static inline bool rg_seam_known(const rg_seams *s, uint32_t c)
{
    return c < 65536 && (s->known[c >> 6] >> (c & 63) & 1);
}
/* May the text be cut between a and b? Only between known characters: unknown ones may be fused. */
static inline bool rg_seam_between(const rg_seams *s, uint32_t a, uint32_t b)
{
    const uint64_t i = rg_seam_slot(a, b);
    return !(s->inside[i >> 6] >> (i & 63) & 1) && rg_seam_known(s, a) && rg_seam_known(s, b);
}

/* The symbol at p < end: bytes, and code point, or 0x110000 + byte where no character is. */
size_t rg_seam_symbol(const unsigned char *p, const unsigned char *end, uint32_t *cp);

#endif
