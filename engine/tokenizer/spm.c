/* SentencePiece BPE: of all neighbours that form a piece, the pair of highest score merges first, ties
 * leftmost. */
#include <stdlib.h>

#include "base/num.h"
#include "base/utf8.h"
#include "tokenizer/tok_impl.h"

/* Higher scores come first; -0 equals 0. */
static uint32_t rank_of(float score)
{
    const uint32_t u = rg_f32_bits(score + 0.0f);
    return (u & 0x80000000u) ? u : 0x7fffffffu - u;
}

static bool pair(
    const void *user, const char *text, const rg_sym *a, const rg_sym *b, uint32_t *prio, int32_t *id)
{
    const rg_enc *e = user;
    const rg_vocab *v = &e->t->vocab;
    const uint32_t len = a->len + b->len;
    if ((a->id >= 0 && v->type[a->id] == RG_TT_USER) || (b->id >= 0 && v->type[b->id] == RG_TT_USER))
        return false;
    const int32_t hit = rg_vocab_find(v, text + a->pos, len);
    if (hit < 0) return false;
    if (e->rev && v->type[hit] == RG_TT_UNUSED) e->rev[hit] = a->len;
    *prio = rank_of(v->score[hit]);
    *id = hit;
    return true;
}

/* A symbol as tokens: itself, the halves that made an unused piece, its bytes, or <unk>. */
static rg_status emit(rg_enc *e, const char *p, uint32_t len, int32_t id, int depth, bool *in_unk)
{
    const rg_tokenizer *t = e->t;
    if (id >= 0 && (t->vocab.type[id] != RG_TT_UNUSED || !e->rev || e->rev[id] == 0 || e->rev[id] >= len)) {
        *in_unk = false;
        return rg_enc_push(e, id);
    }
    if (id >= 0) {
        if (depth > 256)
            return rg_fail(e->err, RG_E_UNSUPPORTED, "tokenizer: unused pieces nested more than 256 deep");
        const uint32_t left = e->rev[id];
        const rg_status st = emit(e, p, left, rg_vocab_find(&t->vocab, p, left), ++depth, in_unk);
        if (st) return st;
        p += left;
        len -= left;
        return emit(e, p, len, rg_vocab_find(&t->vocab, p, len), depth, in_unk);
    }
    bool all = true;
    for (uint32_t i = 0; i < len; i++) all = all && t->byte_id[(unsigned char)p[i]] >= 0;
    if (!all) return rg_enc_unknown(e, p, len, in_unk);
    *in_unk = false;
    rg_status st = RG_OK;
    for (uint32_t i = 0; i < len && !st; i++) st = rg_enc_push(e, t->byte_id[(unsigned char)p[i]]);
    return st;
}

/* Text as symbols; user-defined pieces are symbols that never merge. */
static rg_status merge_whole(rg_enc *e, const char *p, size_t n)
{
    const rg_tokenizer *t = e->t;
    const unsigned char *u = (const unsigned char *)p;
    rg_status st = RG_OK;
    bool in_unk = false;
    if (t->has_unused && !e->rev) {
        e->rev = calloc(t->vocab.n, sizeof *e->rev);
        if (!e->rev) return rg_fail(e->err, RG_E_NOMEM, "tokenizer: unused pieces");
    }
    rg_merger_reset(&e->merger);
    size_t user_from = n, user_to = n; /* the next user-defined piece in the text */
    const rg_added_tok *user = rg_added_find(&t->normed, p, n, 0, &rg_trust_all, &user_from, &user_to);
    for (size_t i = 0; i < n && !st;) {
        if (user && i == user_from) {
            st = rg_merger_push(&e->merger, (uint32_t)i, (uint32_t)(user_to - i), user->id, e->err);
            i = user_to;
            user = rg_added_find(&t->normed, p, n, i, &rg_trust_all, &user_from, &user_to);
            continue;
        }
        const size_t k = rg_utf8_len(u + i, u + n);
        const size_t step = k ? k : 1;
        st = rg_merger_push(
            &e->merger, (uint32_t)i, (uint32_t)step, k ? rg_vocab_find(&t->vocab, p + i, k) : -1, e->err);
        i += step;
    }
    if (!st && e->merger.n > 1) st = rg_merger_run(&e->merger, p, pair, e, e->err);
    for (int32_t s = e->merger.n ? 0 : -1; s >= 0 && !st; s = e->merger.sym[s].next) {
        const rg_sym *y = &e->merger.sym[s];
        st = emit(e, p + y->pos, y->len, y->id, 0, &in_unk);
    }
    return st;
}

static rg_status between(rg_enc *e, const char *p, size_t n, bool first, bool trusted)
{
    (void)first, (void)trusted;
    return rg_words_run(e, p, n, merge_whole);
}

rg_status rg_spm_segment(rg_enc *e, const char *p, size_t n)
{
    if (n == 0) return RG_OK; /* p may be NULL then */
    if (!e->t->seams.inside) return merge_whole(e, p, n);
    return rg_enc_between(e, &e->t->normed, &rg_trust_all, p, n, true, between);
}
