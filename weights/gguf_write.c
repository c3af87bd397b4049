/* Writes GGUF values and pads to its alignment. */
#include "weights/gguf_write.h"

#include <math.h>
#include <string.h>

#include "weights/arch.h"

enum { ALIGN = 32, T_U32 = 4, T_I32 = 5, T_F32 = 6, T_BOOL = 7, T_STR = 8, T_ARR = 9 };

static void put_le(rg_gguf_writer *w, uint64_t v, int bytes)
{
    unsigned char b[8];
    rg_put_le(b, v, bytes);
    fwrite(b, 1, (size_t)bytes, w->f);
    w->at += (uint64_t)bytes;
}

static void put_str(rg_gguf_writer *w, const char *s, size_t n)
{
    put_le(w, n, 8);
    fwrite(s, 1, n, w->f);
    w->at += n;
}

static void key_of(rg_gguf_writer *w, const char *key, unsigned type)
{
    put_str(w, key, strlen(key));
    put_le(w, type, 4);
    w->n_kv++;
}

void rg_gguf_u32(rg_gguf_writer *w, const char *key, int64_t v)
{
    key_of(w, key, T_U32);
    put_le(w, (uint64_t)v, 4);
}

static void put_f32(rg_gguf_writer *w, const char *key, double v)
{
    key_of(w, key, T_F32);
    put_le(w, rg_f32_bits((float)v), 4);
}

static void put_bool(rg_gguf_writer *w, const char *key, bool v)
{
    key_of(w, key, T_BOOL);
    put_le(w, v, 1);
}

static void put_text(rg_gguf_writer *w, const char *key, const char *v)
{
    key_of(w, key, T_STR);
    put_str(w, v, strlen(v));
}

static void put_array(rg_gguf_writer *w, const char *key, unsigned type, uint64_t n)
{
    key_of(w, key, T_ARR);
    put_le(w, type, 4);
    put_le(w, n, 8);
}

#define KEY(key) (rg_text(name, sizeof name, "%s.%s", w->arch->word[RG_ARCH_GGUF], key), name)
#define INT(key, v) rg_gguf_u32(w, KEY(key), v)
#define REAL(key, v) put_f32(w, KEY(key), v)

static void put_yarn(rg_gguf_writer *w, const rg_config *c)
{
    const double by = log(c->rope_factor), own = 0.1 * by + 1.0,
                 most = c->rope_magnitude > 0.0 ? c->rope_magnitude : 1.0;
    char name[96];
    INT("rope.scaling.original_context_length", c->rope_orig_ctx);
    REAL("rope.scaling.yarn_beta_fast", c->rope_beta_fast);
    REAL("rope.scaling.yarn_beta_slow", c->rope_beta_slow);
    if (fabs(most - own) > 1e-9) REAL("rope.scaling.attn_factor", most / own);
}

/* One flag a layer, where they differ. */
static void put_windows(rg_gguf_writer *w, const rg_config *c)
{
    char name[96];
    INT("attention.sliding_window", c->window);
    put_array(w, KEY("attention.sliding_window_pattern"), T_BOOL, (uint64_t)c->layers);
    for (int64_t l = 0; l < c->layers; l++) put_le(w, rg_layer_window(c, l) > 0, 1);
}

const rg_arch *rg_gguf_arch(const rg_config *c)
{
    const rg_arch *a = rg_arch_named(c->arch);
    if (!a->word[RG_ARCH_GGUF] && a->traits == 0) a = rg_archs; /* Mistral is a Llama */
    for (const rg_arch *of = rg_archs; !a->word[RG_ARCH_GGUF] && of->word[0]; of++)
        if (of->word[RG_ARCH_GGUF] && strcmp(of->word[RG_ARCH_GGUF], c->arch) == 0) a = of; /* OLMo 2 */
    return a->word[RG_ARCH_GGUF] ? a : NULL;
}

void rg_gguf_begin(rg_gguf_writer *w, FILE *f, const rg_config *c, const float *freqs)
{
    *w = (rg_gguf_writer){.f = f,
        .c = c,
        .arch = rg_gguf_arch(c),
        .freqs = freqs,
        .has_freqs = freqs || c->rope_scaling == RG_ROPE_LLAMA3};
    rg_config as = *c;
    if (as.experts > 0) as.ffn = as.expert_ffn; /* the only width that some mixtures' readers know */
    fwrite("GGUF", 1, 4, f);
    w->at = 4;
    put_le(w, 3, 4);
    w->counts_at = w->at;
    put_le(w, 0, 8);
    put_le(w, 0, 8);
    const int64_t value_dim = c->head_dim, rope_dim = rg_rope_dim(c), experts = c->experts;
    const rg_arch *a = w->arch;
    char name[96];
    put_text(w, "general.architecture", a->word[RG_ARCH_GGUF]);
    put_text(w, "general.name", c->name);
    rg_gguf_u32(w, "general.alignment", ALIGN);
#define ROPE REAL
#define WINDOW(key, v) (void)0
#define MOE(key, v) \
    if (a->traits & RG_HAS_MOE) INT(key, v)
#define OWN MOE
#define SHEXP(key, v) \
    if (a->traits & RG_HAS_SHARED_EXPERT) INT(key, v)
#define RG_FIELD(kind, field, hf, gguf, silent, gguf_silent) kind(gguf, as.field);
#define RG_FIELD_GGUF(kind, field, gguf, silent) kind(gguf, field);
#include "weights/arch.def"
    if (c->rope_scaling == RG_ROPE_LINEAR || c->rope_scaling == RG_ROPE_YARN) {
        put_text(w, KEY("rope.scaling.type"), rg_scaling_names[c->rope_scaling]);
        REAL("rope.scaling.factor", c->rope_factor);
    }
    if (c->rope_scaling == RG_ROPE_YARN) put_yarn(w, c);
    if (c->q_temp > 0.0) REAL("attention.temperature_scale", c->q_temp);
    if (c->window > 0) put_windows(w, c);
#define RG_FACTOR(trait, field, hf, gguf, silent, gguf_silent) \
    if (a->traits & RG_HAS_##trait && c->field > 0.0) REAL(gguf, c->field);
#include "weights/arch.def"
}

void rg_gguf_vocab(rg_gguf_writer *w, const rg_ckpt_vocab *v)
{
    put_text(w, "tokenizer.ggml.model", v->model);
    if (v->pre) put_text(w, "tokenizer.ggml.pre", v->pre);
    if (v->n) put_array(w, "tokenizer.ggml.tokens", T_STR, v->n);
    for (size_t i = 0; i < v->n; i++) put_str(w, v->piece[i], v->piece_len[i]);
    if (v->score) put_array(w, "tokenizer.ggml.scores", T_F32, v->n);
    for (size_t i = 0; v->score && i < v->n; i++) put_le(w, rg_f32_bits(v->score[i]), 4);
    if (v->type) put_array(w, "tokenizer.ggml.token_type", T_I32, v->n);
    for (size_t i = 0; v->type && i < v->n; i++) put_le(w, (uint32_t)v->type[i], 4);
    if (v->n_merges) put_array(w, "tokenizer.ggml.merges", T_STR, v->n_merges);
    for (size_t i = 0; i < v->n_merges; i++) put_str(w, v->merge[i], v->merge_len[i]);
#define ID rg_gguf_u32
#define FLAG put_bool
#define RG_VOCAB_KEY(kind, field, key) \
    if (v->field >= 0) kind(w, "tokenizer.ggml." key, v->field);
#include "weights/vocab.def"
}

void rg_gguf_pad(rg_gguf_writer *w)
{
    while (w->at % ALIGN) put_le(w, 0, 1);
}

/* dim: innermost first. */
static void info(
    rg_gguf_writer *w, const char *name, const int64_t *dim, unsigned rank, rg_ftype type, uint64_t offset)
{
    put_str(w, name, strlen(name));
    put_le(w, rank, 4);
    for (unsigned i = 0; i < rank; i++) put_le(w, (uint64_t)dim[i], 8);
    put_le(w, (uint64_t)rg_ftypes[type].ggml, 4);
    put_le(w, offset, 8);
}

/* The gate, behind which up follows without a gap, so that both are one matrix. */
static bool is_stacked(const rg_gguf_writer *w, const rg_file_tensor *t, size_t n)
{
    return (w->arch->traits & RG_HAS_STACKED_MLP) && n > 1 && t->site == RG_SITE_FFN_GATE &&
        t[1].site == RG_SITE_FFN_UP && t[1].type == t->type && rg_file_bytes(t) % ALIGN == 0;
}

void rg_gguf_infos(rg_gguf_writer *w, const rg_file_tensor *t, size_t n)
{
    char name[96];
    uint64_t offset = 0;
    for (; n > 0; n--, t++) {
        int64_t rows = t->rows;
        if (is_stacked(w, t, n)) {
            offset += rg_file_bytes(t);
            rows += (++t)->rows;
            n--;
        }
        rg_file_name(name, sizeof name, RG_NAMES_GGUF, w->arch->traits, t->site, t->layer);
        w->n_tensors++;
        const bool vector = rg_site_rows(t->site) == RG_EXT_ONE;
        info(w, name, (int64_t[]){t->cols, vector ? t->experts : rows, t->experts},
            (vector ? 1 : 2) + (t->experts > 0), t->type,
            offset - (rows > t->rows ? rg_file_bytes(t - 1) : 0));
        offset += (rg_file_bytes(t) + ALIGN - 1) / ALIGN * ALIGN;
    }
    if (w->has_freqs) info(w, "rope_freqs.weight", (int64_t[]){w->c->head_dim / 2, 0}, 1, RG_FT_F32, offset);
    rg_gguf_pad(w);
}

/* Divisor i of the RoPE frequencies, by Llama 3's scaling. */
static float rope_divisor(const rg_config *c, int64_t i)
{
    const double f = pow(c->rope_theta, -2.0 * (double)i / (double)c->head_dim);
    return (float)(f / rg_rope_llama3(c, f));
}

rg_status rg_gguf_end(rg_gguf_writer *w, const char *path, rg_err *err)
{
    for (int64_t i = 0; w->has_freqs && i < w->c->head_dim / 2; i++)
        put_le(w, rg_f32_bits(w->freqs ? w->freqs[i] : rope_divisor(w->c, i)), 4);
    if (fseek(w->f, (long)w->counts_at, SEEK_SET) != 0)
        return rg_fail(err, RG_E_FILE, "%s: cannot seek", path);
    put_le(w, w->n_tensors + w->has_freqs, 8);
    put_le(w, w->n_kv, 8);
    return RG_OK;
}
