/* A quantised checkpoint as GGUF: Q4_0, Q4_1 or Q8_0 blocks of 32; q and k in llama.cpp's order. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "weights/export_impl.h"
#include "weights/export_vocab.h"

static rg_ftype block_type(rg_qspec s)
{
    return s.kind == RG_QK_SYM8 ? RG_FT_Q8_0 : s.kind == RG_QK_MIN4 ? RG_FT_Q4_1 : RG_FT_Q4_0;
}
static rg_ftype type_of(const rg_export *e, const rg_export_tensor *t)
{
    return t->quantised ? block_type(e->spec) : rg_export_float_type(e, t);
}

static bool ends_with(const char *s, const char *tail)
{
    const size_t n = strlen(s), k = strlen(tail);
    return n >= k && strcmp(s + n - k, tail) == 0;
}

/* The tokenizer as llama.cpp wants it. */
static void put_vocab(rg_export *e)
{
    const rg_config *c = rg_ckpt_config(e->source);
    const rg_ckpt_vocab *v = rg_ckpt_embedded_vocab(e->source);
    if (v) {
        rg_gguf_vocab(&e->gguf, v);
        rg_lines_add(&e->notes,
            "of the source's metadata only the configuration and the vocabulary were carried over (no chat "
            "template, no authors and licence)");
        return;
    }
    const char *path = rg_ckpt_tokenizer_path(e->source);
    const char *why = !path                  ? "there is none beside the source"
        : !ends_with(path, "tokenizer.json") ? "only a tokenizer.json can be turned into one that GGUF holds"
                                             : rg_export_vocab(&e->gguf, path, c);
    if (!why) {
        rg_lines_add(&e->notes,
            "the vocabulary was made from %s; compare `ridge tokenize` of both on a text of yours", path);
        return;
    }
    const rg_ckpt_vocab none = {.model = "no_vocab",
        .bos = c->bos,
        .eos = c->n_eos > 0 ? c->eos[0] : -1,
        .eot = -1,
        .unk = -1,
        .add_bos = -1,
        .add_eos = -1,
        .add_space_prefix = -1};
    rg_gguf_vocab(&e->gguf, &none);
    rg_lines_add(&e->notes,
        "the tokenizer was not carried over: %s; give the file with -z (llama.cpp: the model loads "
        "without a vocabulary)",
        why);
}

rg_status rg_export_gguf_begin(rg_export *e, rg_err *err)
{
    const rg_config *c = rg_ckpt_config(e->source);
    struct stat sb;
    e->as = *c;
    if (rg_ckpt_is_plain(e->source)) snprintf(e->as.arch, sizeof e->as.arch, "llama");
    if (!rg_gguf_arch(&e->as))
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: GGUF has no word for %s models: write safetensors",
            e->path, rg_arch_named(c->arch)->word[RG_ARCH_NAME]);
    if (c->window > 0 && c->window < c->ctx_train)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: a sliding window of %lld positions has no place in a GGUF of such a model: write "
            "safetensors",
            e->path, (long long)c->window);
    if (e->spec.group != 32 || e->spec.kind == RG_QK_ZERO4)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: GGUF blocks hold 32 weights: use q4g32, q4g32m or q8g32, or write safetensors", e->path);
    if (stat(e->path, &sb) == 0 && S_ISDIR(sb.st_mode))
        return rg_fail(err, RG_E_USAGE, "%s: is a directory, expected the name of a GGUF file", e->path);
    rg_status st = rg_outfile_open(&e->f, e->path, err);
    if (st) return st;
    rg_file_tensor *t = malloc(e->n * sizeof *t);
    if (!t) return rg_no_memory(err, e->path);
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++) { /* all experts of a site are one tensor */
        if (e->t[i].expert) continue;
        t[n] = rg_export_file_tensor(e, &e->t[i]);
        t[n].type = type_of(e, &e->t[i]);
        if (rg_op_of_experts(rg_site_op(t[n].site))) t[n].experts = c->experts;
        n++;
    }
    rg_gguf_writer *w = &e->gguf;
    rg_gguf_begin(w, e->f.f, &e->as, rg_ckpt_rope_freqs(e->source));
    /* the llama.cpp numbers of "mostly" that type */
    rg_gguf_u32(w, "general.file_type", e->spec.kind == RG_QK_SYM8 ? 7 : e->spec.kind == RG_QK_MIN4 ? 3 : 2);
    rg_gguf_u32(w, "general.quantization_version", 2);
    put_vocab(e);
    rg_gguf_infos(w, t, n);
    free(t);
    return RG_OK;
}

static void encode(unsigned char *out, const rg_qtensor *q, int64_t r)
{
    const int64_t groups = q->cols / 32;
    for (int64_t b = 0; b < groups; b++) {
        const uint8_t *c = q->code + r * q->cols + b * 32;
        const uint16_t s = q->scale[r * groups + b], m = q->offset[r * groups + b];
        rg_put_le(out, s, 2);
        out += 2;
        if (q->spec.kind == RG_QK_SYM8) {
            memcpy(out, c, 32);
            out += 32;
            continue;
        }
        if (q->spec.kind == RG_QK_MIN4) {
            rg_put_le(out, m, 2);
            out += 2;
        }
        for (int i = 0; i < 16; i++) *out++ = (unsigned char)(c[i] | c[16 + i] << 4);
    }
}

/* Elements of a bias are the rows of its matrix. Vectors are F32. */
static void turn(rg_export *e, int64_t n, int64_t hd)
{
    memcpy(e->row_f32, e->row, (size_t)n * sizeof *e->row_f32);
    for (int64_t i = 0; i < n; i++) memcpy(e->row + 4 * i, e->row_f32 + rg_our_row(i, hd), 4);
}

void rg_export_gguf_put(rg_export *e, const rg_export_tensor *t, const rg_qtensor *q, const float *f32)
{
    const size_t bytes = (size_t)rg_ftype_row_bytes(type_of(e, t), t->cols);
    const rg_config *c = rg_ckpt_config(e->source);
    const bool turned = rg_site_rotated(t->site) && !(e->gguf.arch->traits & RG_HAS_HALF_SPLIT),
               bias = rg_site_op(t->site) == RG_OP_BIAS;
    const int64_t hd = turned ? c->head_dim : 0;
    for (int64_t i = 0; i < t->rows; i++) {
        if (q)
            encode(e->row, q, rg_our_row(i, hd));
        else
            rg_export_float_row(e, t, f32, bias ? i : rg_our_row(i, hd));
        if (bias && hd) turn(e, t->cols, hd);
        fwrite(e->row, 1, bytes, e->f.f);
        e->gguf.at += bytes;
        e->bytes += bytes;
    }
    /* experts of a site follow without a gap */
    if (t->expert + 1 == rg_site_matrices(c, t->site)) rg_gguf_pad(&e->gguf);
}

rg_status rg_export_gguf_end(rg_export *e, rg_err *err)
{
    const rg_status st = rg_gguf_end(&e->gguf, e->path, err);
    return st ? st : rg_outfile_commit(&e->f, err);
}
