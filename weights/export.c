/* Opens, fills and commits an exported checkpoint, whatever its format. */
#include "weights/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/export_impl.h"

/* Nothing that the writers of quantised files have no place for, but sites. */
static bool is_alike(const rg_config *c)
{
    bool alike = true;
    for (int64_t l = 0; l < c->layers; l++)
        alike &= rg_layer_rotates(c, l) && rg_layer_window(c, l) == c->window;
    return alike && !c->no_pre_norm && c->attn_cap == 0.0 && c->rope_dim == 0 && c->rope_local == 0.0 &&
        c->q_temp == 0.0 && (c->rope_magnitude == 0.0 || c->rope_magnitude == 1.0) &&
        c->rope_scaling < RG_ROPE_YARN;
}
bool rg_ckpt_is_plain(const rg_ckpt *ckpt)
{
    const rg_config *c = &ckpt->cfg;
    return is_alike(c) && c->experts == 0 && c->extra == 0 && c->attn_scale == 0.0;
}
bool rg_ckpt_can_quantise(const rg_ckpt *c)
{
    /* names and orders of rows that only readers know */
    enum { OTHERWISE = RG_HAS_SHARED_MLP | RG_HAS_INTERLEAVED | RG_HAS_STACKED_MLP | RG_HAS_PLUS_ONE };
    uint64_t known = 0;
    for (rg_site s = 0; s < RG_SITE_COUNT; s++) {
        const rg_op op = rg_site_op(s);
        if (op == RG_OP_BIAS || op == RG_OP_HEADNORM || op == RG_OP_SCALE) known |= rg_site_bit(s);
    }
    return rg_ckpt_is_plain(c) ||
        (is_alike(&c->cfg) && !(c->cfg.extra & ~known) && !(c->traits & OTHERWISE) && !c->wrapped);
}

const rg_ckpt_tensor *rg_export_source(const rg_export *e, const rg_export_tensor *t)
{
    const rg_ckpt_tensor *s = rg_ckpt_find_expert(e->source, t->site, t->layer, t->expert);
    return s || t->site != RG_SITE_OUTPUT ? s : rg_ckpt_find(e->source, RG_SITE_TOKEN_EMBD, -1);
}

rg_file_tensor rg_export_file_tensor(const rg_export *e, const rg_export_tensor *t)
{
    return (rg_file_tensor){.site = t->site,
        .layer = t->layer,
        .rows = t->rows,
        .cols = t->cols,
        .type = rg_export_float_type(e, t),
        .expert = t->expert};
}

rg_ftype rg_export_norm_type(const rg_ckpt *source, rg_export_format format)
{
    return format == RG_EXPORT_GGUF ? RG_FT_F32 : rg_ckpt_find(source, RG_SITE_OUTPUT_NORM, -1)->type;
}

rg_ftype rg_export_float_type(const rg_export *e, const rg_export_tensor *t)
{
    const bool vector = rg_site_rows(t->site) == RG_EXT_ONE;
    if (rg_site_is_norm(t->site)) return rg_export_norm_type(e->source, e->format);
    if (e->format == RG_EXPORT_GGUF && (vector || rg_site_keeps_type(t->site))) return RG_FT_F32;
    /* of experts, which may be one tensor, that of the first */
    return t->expert ? rg_ckpt_find(e->source, t->site, t->layer)->type : rg_export_source(e, t)->type;
}

void rg_export_float_row(rg_export *e, const rg_export_tensor *t, const float *f32, int64_t r)
{
    const rg_ftype type = rg_export_float_type(e, t);
    const rg_ckpt_tensor *s = rg_export_source(e, t);
    if (!f32 && s->type == type && rg_site_op(t->site) != RG_OP_BIAS) { /* not a bit changes */
        memcpy(e->row, rg_ckpt_row(s, r), (size_t)rg_ftype_row_bytes(type, t->cols));
        return;
    }
    if (f32)
        memcpy(e->row_f32, f32 + r * t->cols, sizeof *f32 * (size_t)t->cols);
    else
        rg_ckpt_row_f32(s, r, e->row_f32);
    for (int64_t i = 0; i < t->cols; i++) {
        const uint32_t v = type == RG_FT_F32 ? rg_f32_bits(e->row_f32[i])
            : type == RG_FT_F16              ? rg_f32_to_f16(e->row_f32[i])
                                             : rg_f32_to_bf16(e->row_f32[i]);
        rg_put_le(e->row + i * rg_ftypes[type].bytes, v, rg_ftypes[type].bytes);
    }
}

rg_status rg_export_open(rg_export **out, const rg_ckpt *source, rg_export_format format, rg_qspec spec,
    const rg_export_tensor *t, size_t n, bool untie, const char *path, rg_err *err)
{
    int64_t cols = 0;
    *out = NULL;
    rg_export *e = calloc(1, sizeof *e);
    if (!e) return rg_no_memory(err, path);
    e->source = source;
    e->format = format;
    e->spec = spec;
    e->untie = untie;
    e->n = n;
    for (size_t i = 0; i < n; i++) cols = rg_max(cols, t[i].cols);
    e->t = malloc(n * sizeof *t);
    e->path = strdup(path);
    e->row = malloc((size_t)cols * 4 + 64);
    e->row_f32 = malloc((size_t)cols * sizeof *e->row_f32);
    rg_status st = e->t && e->path && e->row && e->row_f32 ? RG_OK : rg_no_memory(err, path);
    if (!st) {
        memcpy(e->t, t, n * sizeof *t);
        for (size_t len = strlen(e->path); len > 1 && e->path[len - 1] == '/'; len--) e->path[len - 1] = 0;
        st = format == RG_EXPORT_GGUF ? rg_export_gguf_begin(e, err) : rg_export_packed_begin(e, err);
    }
    if (!st)
        *out = e;
    else
        rg_export_close(e);
    return st;
}

rg_status rg_export_put(rg_export *e, const rg_qtensor *q, const float *f32, rg_err *err)
{
    if (e->next >= e->n || e->t[e->next].quantised != (q != NULL))
        return rg_fail(err, RG_E_INTERNAL, "%s: tensor %zu is not the next one", e->path, e->next);
    const rg_export_tensor *t = &e->t[e->next++];
    (e->format == RG_EXPORT_GGUF ? rg_export_gguf_put : rg_export_packed_put)(e, t, q, f32);
    if (ferror(e->f.f)) return rg_fail(err, RG_E_FILE, "%s: cannot write (disk full?)", e->path);
    return RG_OK;
}

rg_status rg_export_commit(rg_export *e, rg_err *err)
{
    if (e->next != e->n)
        return rg_fail(err, RG_E_INTERNAL, "%s: %zu of %zu tensors were written", e->path, e->next, e->n);
    return e->format == RG_EXPORT_GGUF ? rg_export_gguf_end(e, err) : rg_export_packed_end(e, err);
}

void rg_export_close(rg_export *e)
{
    if (!e) return;
    rg_outfile_abort(&e->f);
    if (e->tmp_dir) rg_export_packed_remove(e);
    rg_lines_free(&e->notes);
    free(e->tmp_dir);
    free(e->path);
    free(e->row);
    free(e->row_f32);
    free(e->t);
    free(e);
}

uint64_t rg_export_bytes(const rg_export *e) { return e->bytes; }
const char *rg_export_note(const rg_export *e, int i) { return i < e->notes.n ? e->notes.s[i] : NULL; }
