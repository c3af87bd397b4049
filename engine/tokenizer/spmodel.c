/* tokenizer.model of SentencePiece: the protocol buffer ModelProto, field by field. */
#include <math.h>

#include "base/mapfile.h"
#include "base/num.h"
#include "tokenizer/tok_beside.h"
#include "tokenizer/tok_json.h"

/* One field of a message: a number (wire types 0, 1, 5) or bytes (2). */
typedef struct field {
    uint64_t number, value;
    const unsigned char *p;
    size_t n;
    int wire;
} field;

static uint64_t varint(rg_cursor *c)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        const uint8_t b = rg_cur_u8(c);
        if (c->bad || (shift == 63 && b > 1)) break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) return v;
    }
    c->bad = true;
    return 0;
}

/* False: the message ends, or is malformed (c->bad). */
static bool next_field(rg_cursor *c, field *f)
{
    if (rg_cur_left(c) == 0) return false;
    const uint64_t tag = varint(c);
    *f = (field){.number = tag >> 3, .wire = (int)(tag & 7)};
    switch (f->wire) {
    case 0:
        f->value = varint(c);
        break;
    case 1:
        f->value = rg_cur_u64(c);
        break;
    case 2:
        f->value = varint(c);
        f->p = rg_cur_take(c, f->value);
        f->n = (size_t)f->value;
        break;
    case 5:
        f->value = rg_cur_u32(c);
        break;
    default:
        c->bad = true;
    }
    if (f->number == 0) c->bad = true;
    return !c->bad;
}

/* The last field of that number and wire type goes to *to. */
typedef struct want {
    uint64_t number;
    int wire;
    field *to;
} want;

static bool read_fields(const field *msg, const want *w, size_t n)
{
    rg_cursor c = {.p = msg->p, .end = msg->p + msg->n};
    field f;
    while (next_field(&c, &f))
        for (size_t i = 0; i < n; i++)
            if (w[i].number == f.number && w[i].wire == f.wire) *w[i].to = f;
    return !c.bad;
}

static rg_status read_piece(rg_tokenizer *t, const field *msg, const rg_src *src)
{
    field piece = {0}, score_bits = {0}, type = {.value = RG_TT_NORMAL};
    const want w[] = {{1, 2, &piece}, {2, 5, &score_bits}, {3, 0, &type}};
    const long long id = (long long)t->vocab.n;
    if (!read_fields(msg, w, 3)) return rg_bad(src, "piece %lld is malformed", id);
    const float score = rg_f32_from_bits((uint32_t)score_bits.value);
    if (type.value < RG_TT_NORMAL || type.value > RG_TT_BYTE)
        return rg_bad(src, "piece %lld has type %llu, expected 1 to 6", id, (unsigned long long)type.value);
    if (piece.n == 0) return rg_bad(src, "piece %lld is empty", id);
    if (!isfinite(score)) return rg_bad(src, "the score of piece %lld is not finite", id);
    if (type.value == RG_TT_BYTE && rg_byte_piece((const char *)piece.p, piece.n) < 0)
        return rg_bad(src, "piece %lld is of type byte but not <0xHH>", id);
    return rg_vocab_set(&t->vocab, id, (const char *)piece.p, piece.n, (rg_toktype)type.value, score, src);
}

static int32_t id_of(const rg_tokenizer *t, uint64_t id, rg_toktype type)
{
    return id < t->vocab.n && t->vocab.type[id] == type ? (int32_t)id : -1;
}

/* Tokens that the files beside it declare; the name of a piece may change. */
static rg_status set_added(rg_tokenizer *t, const rg_tok_beside *b, const rg_src *src)
{
    const rg_tok_src s = {.t = t, .src = *src, .part = "added_tokens_decoder"};
    json_t *list = NULL, *o;
    rg_vocab *v = &t->vocab;
    const size_t n_model = v->n;
    size_t i;
    rg_status st = rg_tok_beside_merge(&list, b, NULL, t, true, src);
    json_array_foreach (list, i, o) {
        rg_tj_token a = {0};
        if (!st) st = rg_tj_added(&s, o, &a);
        if (st) break;
        if (a.id >= (json_int_t)(n_model + json_array_size(list)) + 1024) {
            st = rg_bad(
                src, "%s declares token %lld, but there are only %zu", b->file, (long long)a.id, n_model);
            break;
        }
        const bool old = a.id >= 0 && (size_t)a.id < v->n && v->type[a.id] != RG_TT_HOLE;
        const rg_toktype was = old ? (rg_toktype)v->type[a.id] : RG_TT_HOLE;
        const rg_toktype type = was == RG_TT_UNKNOWN || was == RG_TT_BYTE ? was
            : a.tok.special                                               ? RG_TT_CONTROL
                                                                          : RG_TT_USER;
        if (old) v->type[a.id] = RG_TT_HOLE;
        st = rg_vocab_set(v, a.id, a.content, a.len, type, 0.0f, src);
        if (!st) st = rg_added_put(&t->raw, a.content, a.len, a.tok, src->err);
    }
    json_decref(list);
    return st;
}

rg_status rg_tok_read_spmodel(
    rg_tokenizer *t, const rg_tok_beside *b, const unsigned char *data, size_t n, const rg_src *src)
{
    rg_cursor c = {.p = data, .end = data + n};
    /* the defaults of the schema; suffix: white space is written behind words */
    field model_type = {.value = 1}, suffix = {0}, unk = {0}, bos = {.value = 1}, eos = {.value = 2};
    field charsmap = {0}, dummy_prefix = {.value = 1}, squeeze = {.value = 1}, escape = {.value = 1},
          decharsmap = {0};
    const want trainer[] = {
        {3, 0, &model_type}, {24, 0, &suffix}, {40, 0, &unk}, {41, 0, &bos}, {42, 0, &eos}};
    const want normalizer[] = {{2, 2, &charsmap}, {3, 0, &dummy_prefix}, {4, 0, &squeeze}, {5, 0, &escape}};
    rg_status st = RG_OK;
    field f;
    bool sane = true, seen_trainer = false;
    t->kind = "SentencePiece BPE";
    t->model = RG_TM_SPM;
    while (!st && sane && next_field(&c, &f)) {
        if (f.wire != 2) continue;
        switch (f.number) {
        case 1:
            st = read_piece(t, &f, src);
            break;
        case 2:
            seen_trainer = true;
            sane = read_fields(&f, trainer, 5);
            break;
        case 3:
            sane = read_fields(&f, normalizer, 4);
            break;
        case 5:
            sane = read_fields(&f, &(want){2, 2, &decharsmap}, 1);
            break;
        default: /* self_test_data and extensions do not change ids */
            break;
        }
    }
    if (st) return st;
    if (c.bad || !sane)
        return rg_bad(src, "malformed or cut off SentencePiece model after %zu pieces", t->vocab.n);
    if (!seen_trainer) return rg_bad(src, "the SentencePiece model has no trainer_spec: cut off?");
    static const char *const types[] = {"unknown", "unigram", "BPE", "word", "char"};
    if (model_type.value != 2)
        return rg_lacks(src, "SentencePiece model type %s, only BPE is supported",
            types[model_type.value < 5 ? model_type.value : 0]);
    if (charsmap.n || decharsmap.n)
        return rg_lacks(src, "SentencePiece character normalisation (precompiled_charsmap)");
    if (suffix.value) return rg_lacks(src, "SentencePiece treat_whitespace_as_suffix");
    st = rg_tok_spm_norm(t, squeeze.value, dummy_prefix.value, escape.value, src->err);
    if (!st) st = set_added(t, b, src);
    if (!st) st = rg_tok_index(t, true, src);
    for (size_t id = 0; id < t->vocab.n && !st; id++) {
        const rg_toktype type = (rg_toktype)t->vocab.type[id];
        const rg_pool_span s = t->vocab.piece[id];
        if (type == RG_TT_CONTROL || type == RG_TT_UNKNOWN)
            st = rg_tok_add_raw(t, (int32_t)id, true, src->err);
        if (type == RG_TT_USER)
            st = rg_added_put(
                &t->normed, t->vocab.pool + s.off, s.len, (rg_added_tok){.id = (int32_t)id}, src->err);
    }
    if (st) return st;
    rg_tok_find_bytes(t);
    t->unk = id_of(t, unk.value, RG_TT_UNKNOWN);
    t->fuse_unk = true;
    t->bos = id_of(t, bos.value, RG_TT_CONTROL);
    t->eos = id_of(t, eos.value, RG_TT_CONTROL);
    if (t->bos >= 0) t->prefix[t->n_prefix++] = t->bos;
    return RG_OK;
}
