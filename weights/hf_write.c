/* Writes config.json and the header of safetensors files. */
#include "weights/hf_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weights/arch.h"

#define INT(o, key, v) json_object_set_new(o, key, json_integer(v))
#define REAL(o, key, v) json_object_set_new(o, key, json_real(v))
#define BOOL(o, key, v) json_object_set_new(o, key, json_boolean(v))

static void put_rope(json_t *o, const rg_config *c, const rg_arch *a)
{
    const bool none = c->rope_scaling == RG_ROPE_NONE;
    if (none && !(a->traits & (RG_HAS_TEMPERATURE | RG_HAS_CLAMPED))) return; /* whose files always say it */
    json_t *s = json_pack("{s:s}", "rope_type", none ? "default" : rg_scaling_names[c->rope_scaling]);
#define RG_SCALING_KEY(scaling, kind, field, key, silent) \
    if (c->rope_scaling == RG_ROPE_##scaling) kind(s, key, c->field);
#include "weights/arch.def"
    if (c->rope_scaling == RG_ROPE_YARN && c->rope_exact_ends) BOOL(s, "truncate", false);
    if (c->q_temp > 0.0) REAL(s, "llama_4_scaling_beta", c->q_temp);
    json_object_set_new(o, "rope_scaling", s);
}

/* Layers that differ: which see everything, which do not rotate. */
static void put_layers(json_t *o, const rg_config *c, const rg_arch *a)
{
    json_t *types = json_array(), *rotated = json_array();
    for (int64_t l = 0; l < c->layers; l++) {
        json_array_append_new(
            types, json_string(rg_layer_window(c, l) ? "sliding_attention" : "full_attention"));
        json_array_append_new(rotated, json_integer(rg_layer_rotates(c, l)));
    }
    if (c->window > 0) {
        INT(o, "sliding_window", c->window);
        json_object_set(o, "layer_types", types);
    }
    if (c->window == 0 && a->window) json_object_set_new(o, "sliding_window", json_null()); /* silent: one */
    if (a->traits & RG_HAS_SWITCH) BOOL(o, "use_sliding_window", c->window > 0);
    if (a->traits & RG_HAS_UNROTATED) json_object_set(o, "no_rope_layers", rotated);
    if (a->traits & RG_HAS_MAY_NOT_ROTATE)
        json_object_set_new(
            o, "position_embedding_type", json_string(rg_layer_rotates(c, 0) ? "rope" : "nope"));
    json_decref(types);
    json_decref(rotated);
}

static void put_factors(json_t *o, const rg_config *c, const rg_arch *a)
{
    rg_config as = *c;
    if (a->traits & RG_HAS_Q_SCALAR && c->attn_scale > 0.0)
        as.attn_scale = 1.0 / (c->attn_scale * c->attn_scale);
    if (a->traits & RG_HAS_MINICPM) {
        as.resid_scale = (c->resid_scale > 0.0 ? c->resid_scale : 1.0) * sqrt((double)c->layers);
        as.logit_scale = (double)c->dim / (c->logit_scale > 0.0 ? c->logit_scale : 1.0);
    }
#define RG_FACTOR(trait, field, hf, gguf, silent, gguf_silent) \
    if (a->traits & RG_HAS_##trait && as.field > 0.0) REAL(o, hf, as.field);
#include "weights/arch.def"
}

json_t *rg_hf_config(const rg_config *config, rg_ftype type, int64_t bos, int64_t eos)
{
    rg_config as = *config;
    const rg_config *c = &as;
    if (as.experts > 0) as.ffn = as.expert_ffn; /* the only width that some mixtures' classes read */
    static const char *const dtype[RG_FT_COUNT] = {
        [RG_FT_F32] = "float32", [RG_FT_F16] = "float16", [RG_FT_BF16] = "bfloat16"};
    const rg_arch *a = rg_arch_named(c->arch);
    json_t *o = json_pack("{s:[s],s:s,s:s,s:s}", "architectures", a->word[RG_ARCH_HF], "model_type",
        a->word[RG_ARCH_TYPE], a->traits & RG_HAS_GELU ? "hidden_activation" : "hidden_act",
        a->traits & RG_HAS_GELU ? "gelu_pytorch_tanh" : "silu", "torch_dtype", dtype[type]);
#define ROPE REAL
#define WINDOW(o, key, v) (void)0
#define MOE(o, key, v) \
    if (a->traits & RG_HAS_MOE) INT(o, key, v)
#define SPARSE(o, key, v) \
    if (a->traits & RG_HAS_BLOCK_SPARSE) INT(o, key, v)
#define OWN(o, key, v) \
    if ((a->traits & (RG_HAS_MOE | RG_HAS_BLOCK_SPARSE)) == RG_HAS_MOE) INT(o, key, v)
#define NORM(o, key, v) \
    if ((a->traits & (RG_HAS_MOE | RG_HAS_BLOCK_SPARSE)) == RG_HAS_MOE) BOOL(o, key, v)
#define SHEXP(o, key, v) \
    if (a->traits & RG_HAS_SHARED_EXPERT) INT(o, key, v)
#define SHARED(o, key, v) \
    if (a->traits & RG_HAS_SHARED_MLP) INT(o, key, v)
#define RG_BIASES(trait, key, sites) \
    if (*key && a->traits & RG_HAS_##trait) BOOL(o, key, (c->extra & (sites)) != 0);
#define B(site) rg_site_bit(RG_SITE_##site##_BIAS)
#define RG_FIELD(kind, field, hf, gguf, silent, gguf_silent) kind(o, hf, c->field);
#define RG_FIELD_HF(kind, field, hf, silent) kind(o, hf, c->field);
#include "weights/arch.def"
    put_layers(o, c, a);
    put_factors(o, c, a);
    if (c->rope_dim) REAL(o, "partial_rotary_factor", (double)c->rope_dim / (double)c->head_dim);
    if (bos >= 0) INT(o, "bos_token_id", bos);
    if (eos >= 0) INT(o, "eos_token_id", eos);
    put_rope(o, c, a);
    return o;
}

rg_status rg_hf_write_json(json_t *o, const char *path, rg_err *err)
{
    rg_outfile f;
    rg_status st = o ? rg_outfile_open(&f, path, err) : rg_no_memory(err, path);
    if (!st) {
        if (json_dumpf(o, f.f, JSON_INDENT(1) | JSON_SORT_KEYS) != 0) {
            rg_outfile_abort(&f);
            st = rg_fail(err, RG_E_FILE, "%s: cannot write (disk full?)", path);
        } else {
            st = rg_outfile_commit(&f, err);
        }
    }
    json_decref(o);
    return st;
}

void rg_hf_entry(json_t *header, const char *name, const char *dtype, int64_t rows, int64_t cols, int64_t *at,
    int64_t bytes)
{
    json_t *shape =
        rows ? json_pack("[I,I]", (json_int_t)rows, (json_int_t)cols) : json_pack("[I]", (json_int_t)cols);
    json_object_set_new(header, name,
        json_pack("{s:s,s:o,s:[I,I]}", "dtype", dtype, "shape", shape, "data_offsets", (json_int_t)*at,
            (json_int_t)(*at + bytes)));
    *at += bytes;
}

rg_status rg_hf_open(rg_outfile *f, json_t *header, const char *path, rg_err *err)
{
    char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    const rg_status st = text ? rg_outfile_open(f, path, err) : rg_no_memory(err, path);
    if (!st) {
        const size_t len = strlen(text), padded = (len + 7) / 8 * 8;
        for (int i = 0; i < 8; i++) putc((int)(padded >> (8 * i) & 255), f->f);
        fprintf(f->f, "%-*s", (int)padded, text);
    }
    free(text);
    json_decref(header);
    return st;
}
