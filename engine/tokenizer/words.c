/* Text without a pre-tokeniser, cut at seams into words that are merged one by one. Words repeat: the ids of
 * recent ones are copied from the output. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok_impl.h"

enum { CACHE_SLOTS = 1 << 13, CACHE_WORD = 48, CACHE_FROM = 1024 /* bytes of text that are worth a cache */ };

struct rg_word_slot {
    const char *p; /* the word in the text of this run; NULL: empty */
    uint32_t len;
    uint32_t n;
    size_t at; /* its ids are e->ids[at .. at + n) */
};

static rg_status word(rg_enc *e, struct rg_word_slot *cache, const char *p, size_t n, rg_word_merge merge)
{
    if (!cache || n > CACHE_WORD) return merge(e, p, n);
    struct rg_word_slot *s = &cache[rg_hash_bytes(p, n) & (CACHE_SLOTS - 1)];
    rg_status st = RG_OK;
    if (s->p && s->len == n && memcmp(s->p, p, n) == 0) {
        for (uint32_t i = 0; i < s->n && !st; i++) st = rg_enc_push(e, e->ids[s->at + i]);
        return st;
    }
    const size_t at = e->n;
    st = merge(e, p, n);
    *s = (struct rg_word_slot){p, (uint32_t)n, (uint32_t)(e->n - at), at};
    return st;
}

rg_status rg_words_run(rg_enc *e, const char *p, size_t n, rg_word_merge merge)
{
    const rg_seams *s = &e->t->seams;
    if (n == 0) return RG_OK;
    if (!s->inside) return merge(e, p, n);
    struct rg_word_slot *cache = NULL;
    if (n >= CACHE_FROM) {
        cache = calloc(CACHE_SLOTS, sizeof *cache);
        if (!cache) return rg_fail(e->err, RG_E_NOMEM, "tokenizer: words");
    }
    rg_status st = RG_OK;
    const unsigned char *u = (const unsigned char *)p;
    uint32_t a, b;
    size_t start = 0, i = rg_seam_symbol(u, u + n, &a);
    while (i < n && !st) {
        const size_t k = rg_seam_symbol(u + i, u + n, &b);
        if (rg_seam_between(s, a, b)) {
            st = word(e, cache, p + start, i - start, merge);
            start = i;
        }
        a = b;
        i += k;
    }
    if (!st) st = word(e, cache, p + start, n - start, merge);
    free(cache);
    return st;
}
