/* Writes config.json and the header of safetensors files. */
#include "weights/hf_write.h"

#include <stdlib.h>
#include <string.h>

#include "weights/arch.h"

json_t *rg_hf_config(const rg_config *c, rg_ftype type, int64_t bos, int64_t eos)
{
    static const char *const dtype[RG_FT_COUNT] = {
        [RG_FT_F32] = "float32", [RG_FT_F16] = "float16", [RG_FT_BF16] = "bfloat16"};
    json_t *o = json_pack("{s:[s],s:s,s:s,s:s}", "architectures", rg_archs->word[RG_ARCH_HF], "model_type",
        rg_archs->word[RG_ARCH_GGUF], "hidden_act", "silu", "torch_dtype", dtype[type]);
#define INT(o, key, v) json_object_set_new(o, key, json_integer(v))
#define REAL(o, key, v) json_object_set_new(o, key, json_real(v))
#define BOOL(o, key, v) json_object_set_new(o, key, json_boolean(v))
#define ROPE REAL
#define WINDOW(o, key, v) (void)0
#define SHARED WINDOW
#define RG_BIASES(trait, key, sites) \
    if (*key) BOOL(o, key, false);
#define RG_FIELD(kind, field, hf, gguf, silent, gguf_silent) kind(o, hf, c->field);
#define RG_FIELD_HF(kind, field, hf, silent) kind(o, hf, c->field);
#include "weights/arch.def"
    if (bos >= 0) INT(o, "bos_token_id", bos);
    if (eos >= 0) INT(o, "eos_token_id", eos);
    if (c->rope_scaling == RG_ROPE_NONE) return o;
    json_t *s = json_pack("{s:s}", "rope_type", rg_scaling_names[c->rope_scaling]);
#define RG_SCALING_KEY(scaling, kind, field, key) \
    if (c->rope_scaling == RG_ROPE_##scaling) kind(s, key, c->field);
#include "weights/arch.def"
    json_object_set_new(o, "rope_scaling", s);
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
