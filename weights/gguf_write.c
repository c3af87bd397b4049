/* The pieces of a GGUF file. */
#include "weights/gguf_write.h"

#include <math.h>
#include <string.h>

#include "weights/arch.h"

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
    const int64_t value_dim = c->head_dim, rope_dim = c->head_dim;
    rg_gguf_text(w, "general.architecture", "llama");
    rg_gguf_text(w, "general.name", c->name);
    rg_gguf_u32(w, "general.alignment", RG_GGUF_ALIGN);
#define INT(key, v) rg_gguf_u32(w, "llama." key, v)
#define REAL(key, v) rg_gguf_f32(w, "llama." key, v)
#define ROPE REAL
#define WINDOW(key, v) (void)0
#define RG_FIELD(kind, field, hf, gguf, silent, gguf_silent) kind(gguf, c->field);
#define RG_FIELD_GGUF(kind, field, gguf, silent) kind(gguf, field);
#include "weights/arch.def"
    if (c->rope_scaling == RG_ROPE_LINEAR) {
        rg_gguf_text(w, "llama.rope.scaling.type", rg_scaling_names[RG_ROPE_LINEAR]);
        REAL("rope.scaling.factor", c->rope_factor);
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
