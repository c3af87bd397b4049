/* A synthetic checkpoint as a GGUF v3 file with an embedded vocabulary. */
#include <math.h>
#include <string.h>

#include "base/outfile.h"
#include "weights/ckpt_impl.h"
#include "weights/synth_impl.h"

enum { ALIGN = 32, T_U32 = 4, T_I32 = 5, T_F32 = 6, T_BOOL = 7, T_STR = 8, T_ARR = 9 };

typedef struct writer {
    FILE *f;
    uint64_t at, n_kv;
} writer;

static void put_le(writer *w, uint64_t v, int bytes)
{
    unsigned char b[8];
    for (int i = 0; i < bytes; i++) b[i] = (unsigned char)(v >> (8 * i));
    fwrite(b, 1, (size_t)bytes, w->f);
    w->at += (uint64_t)bytes;
}

static void put_str(writer *w, const char *s)
{
    const size_t n = strlen(s);
    put_le(w, n, 8);
    fwrite(s, 1, n, w->f);
    w->at += n;
}

static void put_key(writer *w, const char *key, unsigned type)
{
    put_str(w, key);
    put_le(w, type, 4);
    w->n_kv++;
}

static void put_u32(writer *w, const char *key, int64_t v)
{
    put_key(w, key, T_U32);
    put_le(w, (uint64_t)v, 4);
}

static void put_f32(writer *w, const char *key, double v)
{
    put_key(w, key, T_F32);
    put_le(w, rg_f32_bits((float)v), 4);
}

static void put_text(writer *w, const char *key, const char *v)
{
    put_key(w, key, T_STR);
    put_str(w, v);
}

static void put_array(writer *w, const char *key, unsigned type, int64_t n)
{
    put_key(w, key, T_ARR);
    put_le(w, type, 4);
    put_le(w, (uint64_t)n, 8);
}

static void put_vocab(writer *w, const rg_config *c)
{
    char piece[32];
    int type;
    put_text(w, "tokenizer.ggml.model", "llama");
    put_array(w, "tokenizer.ggml.tokens", T_STR, c->vocab);
    for (int64_t i = 0; i < c->vocab; i++) put_str(w, rg_synth_piece(piece, i, &type));
    put_array(w, "tokenizer.ggml.scores", T_F32, c->vocab);
    for (int64_t i = 0; i < c->vocab; i++) put_le(w, rg_f32_bits(-(float)i), 4);
    put_array(w, "tokenizer.ggml.token_type", T_I32, c->vocab);
    for (int64_t i = 0; i < c->vocab; i++) {
        rg_synth_piece(piece, i, &type);
        put_le(w, (uint64_t)type, 4);
    }
    put_u32(w, "tokenizer.ggml.bos_token_id", 1);
    put_u32(w, "tokenizer.ggml.eos_token_id", 2);
    put_u32(w, "tokenizer.ggml.unknown_token_id", 0);
}

static void put_config(writer *w, const rg_config *c)
{
    put_text(w, "general.architecture", "llama");
    put_text(w, "general.name", c->name);
    put_u32(w, "general.alignment", ALIGN);
    put_u32(w, "llama.vocab_size", c->vocab);
    put_u32(w, "llama.context_length", c->ctx_train);
    put_u32(w, "llama.embedding_length", c->dim);
    put_u32(w, "llama.feed_forward_length", c->ffn);
    put_u32(w, "llama.block_count", c->layers);
    put_u32(w, "llama.attention.head_count", c->heads);
    put_u32(w, "llama.attention.head_count_kv", c->kv_heads);
    put_u32(w, "llama.attention.key_length", c->head_dim);
    put_u32(w, "llama.attention.value_length", c->head_dim);
    put_u32(w, "llama.rope.dimension_count", c->head_dim);
    put_f32(w, "llama.attention.layer_norm_rms_epsilon", c->eps);
    put_f32(w, "llama.rope.freq_base", c->rope_theta);
    if (c->rope_scaling == RG_ROPE_LINEAR) {
        put_text(w, "llama.rope.scaling.type", "linear");
        put_f32(w, "llama.rope.scaling.factor", c->rope_factor);
    }
}

static uint64_t aligned(uint64_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static void pad(writer *w)
{
    while (w->at % ALIGN) put_le(w, 0, 1);
}

/* Llama 3's RoPE scaling is baked into divisors of the frequencies. */
static float rope_divisor(const rg_config *c, int64_t i)
{
    const double f = pow(c->rope_theta, -2.0 * (double)i / (double)c->head_dim);
    return (float)(f / rg_rope_llama3(c, f));
}

static void put_info(writer *w, const char *name, const int64_t *dim, unsigned rank, rg_ftype type, uint64_t offset)
{
    put_str(w, name);
    put_le(w, rank, 4);
    for (unsigned i = 0; i < rank; i++) put_le(w, (uint64_t)dim[i], 8);
    put_le(w, (uint64_t)rg_ftypes[type].ggml, 4);
    put_le(w, offset, 8);
}

rg_status rg_synth_gguf(rg_synth_job *j, const char *path, rg_err *err)
{
    const rg_config *c = j->c;
    const bool freqs = c->rope_scaling == RG_ROPE_LLAMA3;
    rg_outfile o;
    rg_status st = rg_outfile_open(&o, path, err);
    if (st != RG_OK) return st;
    writer w = {.f = o.f};
    fwrite("GGUF", 1, 4, o.f);
    w.at = 4;
    put_le(&w, 3, 4);
    put_le(&w, j->n + (freqs ? 1 : 0), 8);
    const uint64_t count_at = w.at;
    put_le(&w, 0, 8); /* metadata entries: filled in below */
    put_config(&w, c);
    if (c->vocab >= RG_SYNTH_MIN_VOCAB) put_vocab(&w, c);
    uint64_t offset = 0;
    for (size_t i = 0; i < j->n; i++) {
        const rg_synth_tensor *t = &j->t[i];
        const int64_t dim[2] = {t->cols, t->rows};
        put_info(&w, t->name, dim, rg_site_op(t->site) == RG_OP_RMSNORM ? 1 : 2, t->type, offset);
        offset += aligned(rg_synth_bytes(t));
    }
    if (freqs) put_info(&w, "rope_freqs.weight", &(int64_t){c->head_dim / 2}, 1, RG_FT_F32, offset);
    pad(&w);
    for (size_t i = 0; i < j->n && st == RG_OK; i++) {
        st = rg_synth_rows(j, &j->t[i], o.f, path, err);
        w.at += rg_synth_bytes(&j->t[i]);
        pad(&w);
    }
    for (int64_t i = 0; freqs && st == RG_OK && i < c->head_dim / 2; i++) put_le(&w, rg_f32_bits(rope_divisor(c, i)), 4);
    if (st == RG_OK && fseek(o.f, (long)count_at, SEEK_SET) != 0) st = rg_fail(err, RG_E_FILE, "%s: cannot seek", path);
    if (st == RG_OK) {
        put_le(&w, w.n_kv, 8);
        return rg_outfile_commit(&o, err);
    }
    rg_outfile_abort(&o);
    return st;
}
