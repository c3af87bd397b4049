/* Byte-pair encoding by merge rank, over characters or bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/tok_impl.h"

static uint64_t mix(uint64_t k)
{
    k = (k ^ k >> 31) * 0x7fb5d329728ea185ull;
    k = (k ^ k >> 27) * 0x81dadef4bc2dd44dull;
    return k ^ k >> 33;
}

static uint64_t pair_key(int32_t a, int32_t b) { return (uint64_t)(uint32_t)a << 32 | (uint32_t)b; }

static size_t probe(const rg_pairs *p, uint64_t key)
{
    size_t i = mix(key) & p->mask;
    while (p->slot[i].key != key && p->slot[i].key != UINT64_MAX) i = (i + 1) & p->mask;
    return i;
}

rg_status rg_pairs_init(rg_pairs *p, size_t n, rg_err *err)
{
    size_t slots = 16;
    while (slots < n + n / 2) slots *= 2;
    p->slot = malloc(slots * sizeof *p->slot);
    if (!p->slot) return rg_fail(err, RG_E_NOMEM, "tokenizer: %zu merge rules", n);
    for (size_t i = 0; i < slots; i++) p->slot[i].key = UINT64_MAX;
    p->mask = slots - 1;
    return RG_OK;
}

void rg_pairs_put(rg_pairs *p, int32_t a, int32_t b, uint32_t rank, int32_t id)
{
    const uint64_t key = pair_key(a, b);
    p->slot[probe(p, key)] = (struct rg_pair){key, rank, id};
}

enum { RULE_MAX = 4096 }; /* bytes of a merge rule */

rg_status rg_bpe_rule(rg_tokenizer *t, const char *a, size_t a_len, const char *b, size_t b_len,
    uint32_t rank, const rg_src *src)
{
    char buf[RULE_MAX];
    const int show_a = (int)(a_len < 40 ? a_len : 40), show_b = (int)(b_len < 40 ? b_len : 40);
    if (a_len == 0 || b_len == 0) return rg_bad(src, "merge %u has an empty half", rank);
    if (a_len > sizeof buf || b_len > sizeof buf || a_len + b_len > sizeof buf)
        return rg_lacks(src, "merge %u joins %zu and %zu bytes, at most %zu together are supported", rank,
            a_len, b_len, sizeof buf);
    memcpy(buf, a, a_len);
    memcpy(buf + a_len, b, b_len);
    size_t cut = a_len, len = a_len + b_len;
    if (t->model == RG_TM_BYTE_BPE) { /* never more bytes than characters had: in place */
        unsigned char *u = (unsigned char *)buf;
        const int64_t na = rg_bytemap_decode(u, u, a_len),
                      nb = na < 0 ? -1 : rg_bytemap_decode(u + na, u + a_len, b_len);
        if (nb < 0)
            return rg_bad(
                src, "merge %u (\"%.*s %.*s\") is not of byte-level characters", rank, show_a, a, show_b, b);
        cut = (size_t)na;
        len = (size_t)(na + nb);
    }
    const int32_t ia = rg_vocab_find_any(&t->vocab, buf, cut),
                  ib = rg_vocab_find_any(&t->vocab, buf + cut, len - cut);
    const int32_t id = rg_vocab_find_any(&t->vocab, buf, len);
    if (ia < 0 || ib < 0 || id < 0)
        return rg_bad(src, "merge %u (\"%.*s %.*s\"): the %s is not in the vocabulary", rank, show_a, a,
            show_b, b,
            ia < 0       ? "left half"
                : ib < 0 ? "right half"
                         : "whole");
    const uint8_t ta = t->vocab.type[ia], tb = t->vocab.type[ib];
    if ((ta != RG_TT_NORMAL && ta != RG_TT_USER) || (tb != RG_TT_NORMAL && tb != RG_TT_USER) ||
        ia == t->unk || ib == t->unk)
        t->odd_rules = true;
    if (t->vocab.type[id] != RG_TT_CONTROL && t->vocab.type[id] != RG_TT_UNKNOWN)
        rg_pairs_put(&t->pairs, ia, ib, rank, id);
    return RG_OK;
}

static bool pair(
    const void *user, const char *text, const rg_sym *a, const rg_sym *b, uint32_t *prio, int32_t *id)
{
    const rg_pairs *p = user;
    (void)text;
    const struct rg_pair *hit = &p->slot[probe(p, pair_key(a->id, b->id))];
    if (hit->key == UINT64_MAX || a->id < 0 || b->id < 0) return false;
    *prio = hit->rank;
    *id = hit->id;
    return true;
}

static rg_status bytes_of(rg_enc *e, const unsigned char *p, size_t pos, size_t k, bool *all)
{
    *all = true;
    for (size_t i = 0; i < k; i++) *all = *all && e->t->byte_id[p[pos + i]] >= 0;
    for (size_t i = 0; *all && i < k; i++) {
        const rg_status st =
            rg_merger_push(&e->merger, (uint32_t)(pos + i), 1, e->t->byte_id[p[pos + i]], e->err);
        if (st) return st;
    }
    return RG_OK;
}

rg_status rg_bpe_word(rg_enc *e, const char *p, size_t n)
{
    const rg_tokenizer *t = e->t;
    const unsigned char *u = (const unsigned char *)p;
    rg_status st = RG_OK;
    bool in_unk = false;
    if (t->ignore_merges || (t->whole_breaks && n > 0 && p[0] == '\n')) {
        const int32_t id = rg_vocab_find(&t->vocab, p, n);
        if (id >= 0) return rg_enc_push(e, id);
    }
    rg_merger_reset(&e->merger);
    for (size_t i = 0; i < n && !st;) {
        const bool bytes = t->model == RG_TM_BYTE_BPE;
        const size_t k = bytes ? 1 : rg_utf8_len(u + i, u + n);
        const size_t step = k ? k : 1;
        const int32_t id = bytes ? t->byte_id[u[i]] : k ? rg_vocab_find(&t->vocab, p + i, k) : -1;
        bool known = id >= 0;
        if (known)
            st = rg_merger_push(&e->merger, (uint32_t)i, (uint32_t)k, id, e->err);
        else if (!bytes)
            st = bytes_of(e, u, i, step, &known);
        /* without an unknown token such a character is left out, as by the originals */
        if (!known && !st && t->unk >= 0 && !(in_unk && t->fuse_unk))
            st = rg_merger_push(&e->merger, (uint32_t)i, (uint32_t)step, t->unk, e->err);
        in_unk = !known;
        i += step;
    }
    if (!st && e->merger.n > 1) st = rg_merger_run(&e->merger, p, pair, &t->pairs, e->err);
    for (int32_t s = e->merger.n ? 0 : -1; s >= 0 && !st; s = e->merger.sym[s].next)
        st = rg_enc_push(e, e->merger.sym[s].id);
    return st;
}
