/* SentencePiece tokenizer.model: the protocol buffer ModelProto, read field by field. */
#include <math.h>
#include <string.h>

#include "base/mapfile.h"
#include "tokenizer/tok_impl.h"

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

/* False at the end of the message, or if it is malformed (then c->bad). */
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

static float f32_of(uint64_t bits)
{
    const uint32_t u = (uint32_t)bits;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static rg_status read_piece(rg_tokenizer *t, const field *msg, const rg_src *src)
{
    rg_cursor c = {.p = msg->p, .end = msg->p + msg->n};
    field f, piece = {0};
    uint64_t type = RG_TT_NORMAL;
    float score = 0.0f;
    while (next_field(&c, &f)) {
        if (f.number == 1 && f.wire == 2)
            piece = f;
        else if (f.number == 2 && f.wire == 5)
            score = f32_of(f.value);
        else if (f.number == 3 && f.wire == 0)
            type = f.value;
    }
    const long long id = (long long)t->vocab.n;
    if (c.bad) return rg_bad(src, "piece %lld is malformed", id);
    if (type < RG_TT_NORMAL || type > RG_TT_BYTE)
        return rg_bad(src, "piece %lld has type %llu, expected 1 to 6", id, (unsigned long long)type);
    if (piece.n == 0) return rg_bad(src, "piece %lld is empty", id);
    if (!isfinite(score)) return rg_bad(src, "the score of piece %lld is not finite", id);
    if (type == RG_TT_BYTE && rg_byte_piece((const char *)piece.p, piece.n) < 0)
        return rg_bad(src, "piece %lld is of type byte but not <0xHH>", id);
    return rg_vocab_set(&t->vocab, id, (const char *)piece.p, piece.n, (rg_toktype)type, score, src);
}

typedef struct trainer {
    uint64_t model_type;
    bool suffix; /* white space is written behind words */
    int64_t unk, bos, eos;
} trainer;

static bool read_trainer(trainer *s, const field *msg)
{
    rg_cursor c = {.p = msg->p, .end = msg->p + msg->n};
    field f;
    while (next_field(&c, &f)) {
        if (f.number == 3 && f.wire == 0) s->model_type = f.value;
        if (f.number == 24 && f.wire == 0) s->suffix = f.value != 0;
        if (f.number == 40 && f.wire == 0) s->unk = (int64_t)f.value;
        if (f.number == 41 && f.wire == 0) s->bos = (int64_t)f.value;
        if (f.number == 42 && f.wire == 0) s->eos = (int64_t)f.value;
    }
    return !c.bad;
}

typedef struct normalizer {
    size_t charsmap; /* bytes */
    bool dummy_prefix, squeeze, escape;
} normalizer;

static bool read_normalizer(normalizer *s, const field *msg)
{
    rg_cursor c = {.p = msg->p, .end = msg->p + msg->n};
    field f;
    while (next_field(&c, &f)) {
        if (f.number == 2 && f.wire == 2) s->charsmap = f.n;
        if (f.number == 3 && f.wire == 0) s->dummy_prefix = f.value != 0;
        if (f.number == 4 && f.wire == 0) s->squeeze = f.value != 0;
        if (f.number == 5 && f.wire == 0) s->escape = f.value != 0;
    }
    return !c.bad;
}

static int32_t id_of(const rg_tokenizer *t, int64_t id, rg_toktype type)
{
    return id >= 0 && (uint64_t)id < t->vocab.n && t->vocab.type[id] == type ? (int32_t)id : -1;
}

rg_status rg_tok_read_spmodel(rg_tokenizer *t, const unsigned char *data, size_t n, const rg_src *src)
{
    rg_cursor c = {.p = data, .end = data + n};
    trainer train = {.model_type = 1, .unk = 0, .bos = 1, .eos = 2}; /* the defaults of the schema */
    normalizer norm = {.dummy_prefix = true, .squeeze = true, .escape = true}, denorm = {0};
    rg_status st = RG_OK;
    field f;
    bool sane = true, seen_trainer = false;
    t->kind = "SentencePiece BPE";
    t->model = RG_TM_SPM;
    while (st == RG_OK && sane && next_field(&c, &f)) {
        if (f.wire != 2) continue;
        switch (f.number) {
        case 1:
            st = read_piece(t, &f, src);
            break;
        case 2:
            seen_trainer = true;
            sane = read_trainer(&train, &f);
            break;
        case 3:
            sane = read_normalizer(&norm, &f);
            break;
        case 5:
            sane = read_normalizer(&denorm, &f);
            break;
        default: /* self_test_data and extensions do not change ids */
            break;
        }
    }
    if (st != RG_OK) return st;
    if (c.bad || !sane)
        return rg_bad(src, "malformed or cut off SentencePiece model after %zu pieces", t->vocab.n);
    if (!seen_trainer) return rg_bad(src, "the SentencePiece model has no trainer_spec: cut off?");
    if (train.model_type != 2)
        return rg_lacks(src, "SentencePiece model type %s, only BPE is supported",
            train.model_type == 1       ? "unigram"
                : train.model_type == 3 ? "word"
                : train.model_type == 4 ? "char"
                                        : "unknown");
    if (norm.charsmap || denorm.charsmap)
        return rg_lacks(src, "SentencePiece character normalisation (precompiled_charsmap)");
    if (train.suffix) return rg_lacks(src, "SentencePiece treat_whitespace_as_suffix");
    st = rg_tok_spm_norm(t, norm.squeeze, norm.dummy_prefix, norm.escape, src->err);
    if (st == RG_OK) st = rg_tok_index(t, true, src);
    for (size_t id = 0; id < t->vocab.n && st == RG_OK; id++) {
        const rg_toktype type = (rg_toktype)t->vocab.type[id];
        const rg_span s = t->vocab.piece[id];
        if (type == RG_TT_CONTROL || type == RG_TT_UNKNOWN)
            st = rg_tok_add_raw(t, (int32_t)id, true, src->err);
        if (type == RG_TT_USER)
            st = rg_added_put(
                &t->normed, t->vocab.pool + s.off, s.len, (rg_added_tok){.id = (int32_t)id}, src->err);
    }
    if (st != RG_OK) return st;
    rg_tok_find_bytes(t);
    t->unk = id_of(t, train.unk, RG_TT_UNKNOWN);
    t->fuse_unk = true;
    t->bos = id_of(t, train.bos, RG_TT_CONTROL);
    t->eos = id_of(t, train.eos, RG_TT_CONTROL);
    if (t->bos >= 0) t->prefix[t->n_prefix++] = t->bos;
    return RG_OK;
}
