#include "weights/gguf_write.h"

#include <math.h>
#include <string.h>

enum { T_U32 = 4, T_BOOL = 7, T_ARR = 9 };

void rg_gguf_le(rg_gguf_writer *w, uint64_t v, int bytes)
{
    unsigned char b[8];
    for (int i = 0; i < bytes; i++) b[i] = (unsigned char)(v >> (8 * i));
    fwrite(b, 1, (size_t)bytes, w->f);
    w->at += (uint64_t)bytes;
}

void rg_gguf_str(rg_gguf_writer *w, const char *s, size_t n)
{
    rg_gguf_le(w, n, 8);
    fwrite(s, 1, n, w->f);
    w->at += n;
}

static void key_of(rg_gguf_writer *w, const char *key, unsigned type)
{
    rg_gguf_str(w, key, strlen(key));
    rg_gguf_le(w, type, 4);
    w->n_kv++;
}

void rg_gguf_u32(rg_gguf_writer *w, const char *key, int64_t v)
{
    key_of(w, key, T_U32);
    rg_gguf_le(w, (uint64_t)v, 4);
}

void rg_gguf_f32(rg_gguf_writer *w, const char *key, double v)
{
    key_of(w, key, RG_GGUF_F32);
    rg_gguf_le(w, rg_f32_bits((float)v), 4);
}

void rg_gguf_bool(rg_gguf_writer *w, const char *key, bool v)
{
    key_of(w, key, T_BOOL);
    rg_gguf_le(w, v, 1);
}

void rg_gguf_text(rg_gguf_writer *w, const char *key, const char *v)
{
    key_of(w, key, RG_GGUF_STR);
    rg_gguf_str(w, v, strlen(v));
}

void rg_gguf_array(rg_gguf_writer *w, const char *key, unsigned type, uint64_t n)
{
    key_of(w, key, T_ARR);
    rg_gguf_le(w, type, 4);
    rg_gguf_le(w, n, 8);
}

void rg_gguf_begin(rg_gguf_writer *w, FILE *f, uint64_t n_tensors)
{
    *w = (rg_gguf_writer){.f = f};
    fwrite("GGUF", 1, 4, f);
    w->at = 4;
    rg_gguf_le(w, 3, 4);
    rg_gguf_le(w, n_tensors, 8);
    w->count_at = w->at;
    rg_gguf_le(w, 0, 8);
}

bool rg_gguf_finish(rg_gguf_writer *w)
{
    if (fseek(w->f, (long)w->count_at, SEEK_SET) != 0) return false;
    rg_gguf_le(w, w->n_kv, 8);
    return true;
}

void rg_gguf_config(rg_gguf_writer *w, const rg_config *c)
{
    rg_gguf_text(w, "general.architecture", "llama");
    rg_gguf_text(w, "general.name", c->name);
    rg_gguf_u32(w, "general.alignment", RG_GGUF_ALIGN);
    rg_gguf_u32(w, "llama.vocab_size", c->vocab);
    rg_gguf_u32(w, "llama.context_length", c->ctx_train);
    rg_gguf_u32(w, "llama.embedding_length", c->dim);
    rg_gguf_u32(w, "llama.feed_forward_length", c->ffn);
    rg_gguf_u32(w, "llama.block_count", c->layers);
    rg_gguf_u32(w, "llama.attention.head_count", c->heads);
    rg_gguf_u32(w, "llama.attention.head_count_kv", c->kv_heads);
    rg_gguf_u32(w, "llama.attention.key_length", c->head_dim);
    rg_gguf_u32(w, "llama.attention.value_length", c->head_dim);
    rg_gguf_u32(w, "llama.rope.dimension_count", c->head_dim);
    rg_gguf_f32(w, "llama.attention.layer_norm_rms_epsilon", c->eps);
    rg_gguf_f32(w, "llama.rope.freq_base", c->rope_theta);
    if (c->rope_scaling == RG_ROPE_LINEAR) {
        rg_gguf_text(w, "llama.rope.scaling.type", "linear");
        rg_gguf_f32(w, "llama.rope.scaling.factor", c->rope_factor);
    }
}

uint64_t rg_gguf_aligned(uint64_t n) { return (n + RG_GGUF_ALIGN - 1) / RG_GGUF_ALIGN * RG_GGUF_ALIGN; }

void rg_gguf_pad(rg_gguf_writer *w)
{
    while (w->at % RG_GGUF_ALIGN) rg_gguf_le(w, 0, 1);
}

float rg_gguf_rope_divisor(const rg_config *c, int64_t i)
{
    const double f = pow(c->rope_theta, -2.0 * (double)i / (double)c->head_dim);
    return (float)(f / rg_rope_llama3(c, f));
}

void rg_gguf_info(
    rg_gguf_writer *w, const char *name, const int64_t *dim, unsigned rank, rg_ftype type, uint64_t offset)
{
    rg_gguf_str(w, name, strlen(name));
    rg_gguf_le(w, rank, 4);
    for (unsigned i = 0; i < rank; i++) rg_gguf_le(w, (uint64_t)dim[i], 8);
    rg_gguf_le(w, (uint64_t)rg_ftypes[type].ggml, 4);
    rg_gguf_le(w, offset, 8);
}
