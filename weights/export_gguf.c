/* A quantised checkpoint as GGUF: Q4_0, Q4_1 or Q8_0 blocks of 32, q and k rows in llama.cpp's order. */
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
    rg_gguf_writer *w = &e->gguf;
    const rg_config *c = rg_ckpt_config(e->source);
    const rg_ckpt_vocab *v = rg_ckpt_embedded_vocab(e->source);
    if (!v) {
        const char *path = rg_ckpt_tokenizer_path(e->source);
        const char *why = !path ? "there is none beside the source"
            : !ends_with(path, "tokenizer.json")
            ? "only a tokenizer.json can be turned into one that GGUF holds"
            : rg_export_vocab(w, path, c);
        if (!why) {
            rg_export_add_note(e,
                "the vocabulary was made from %s; compare `ridge tokenize` of both on a text of yours", path);
            return;
        }
        rg_gguf_text(w, "tokenizer.ggml.model", "no_vocab");
        if (c->bos >= 0) rg_gguf_u32(w, "tokenizer.ggml.bos_token_id", c->bos);
        if (c->n_eos > 0) rg_gguf_u32(w, "tokenizer.ggml.eos_token_id", c->eos[0]);
        rg_export_add_note(e,
            "the tokenizer was not carried over: %s; give the file with -z (llama.cpp: the model loads "
            "without a vocabulary)",
            why);
        return;
    }
    rg_gguf_text(w, "tokenizer.ggml.model", v->model);
    if (v->pre) rg_gguf_text(w, "tokenizer.ggml.pre", v->pre);
    rg_gguf_array(w, "tokenizer.ggml.tokens", RG_GGUF_STR, v->n);
    for (size_t i = 0; i < v->n; i++) rg_gguf_str(w, v->piece[i], v->piece_len[i]);
    if (v->score) {
        rg_gguf_array(w, "tokenizer.ggml.scores", RG_GGUF_F32, v->n);
        for (size_t i = 0; i < v->n; i++) rg_gguf_le(w, rg_f32_bits(v->score[i]), 4);
    }
    if (v->type) {
        rg_gguf_array(w, "tokenizer.ggml.token_type", RG_GGUF_I32, v->n);
        for (size_t i = 0; i < v->n; i++) rg_gguf_le(w, (uint64_t)(uint32_t)v->type[i], 4);
    }
    if (v->n_merges) {
        rg_gguf_array(w, "tokenizer.ggml.merges", RG_GGUF_STR, v->n_merges);
        for (size_t i = 0; i < v->n_merges; i++) rg_gguf_str(w, v->merge[i], v->merge_len[i]);
    }
    const struct {
        const char *key;
        int32_t id;
    } ids[] = {{"tokenizer.ggml.bos_token_id", v->bos}, {"tokenizer.ggml.eos_token_id", v->eos},
        {"tokenizer.ggml.eot_token_id", v->eot}, {"tokenizer.ggml.unknown_token_id", v->unk}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i].id >= 0) rg_gguf_u32(w, ids[i].key, ids[i].id);
    const struct {
        const char *key;
        int v;
    } flags[] = {{"tokenizer.ggml.add_bos_token", v->add_bos}, {"tokenizer.ggml.add_eos_token", v->add_eos},
        {"tokenizer.ggml.add_space_prefix", v->add_space_prefix}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].v >= 0) rg_gguf_bool(w, flags[i].key, flags[i].v != 0);
    rg_export_add_note(e,
        "of the source's metadata only the configuration and the vocabulary were carried over (no chat "
        "template, no authors and licence)");
}

rg_status rg_export_gguf_begin(rg_export *e, rg_err *err)
{
    const rg_config *c = rg_ckpt_config(e->source);
    const float *divisors = rg_ckpt_rope_freqs(e->source);
    const bool freqs = divisors || c->rope_scaling == RG_ROPE_LLAMA3;
    struct stat sb;
    if (c->window > 0 && c->window < c->ctx_train)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: a sliding window of %lld positions has no place in a GGUF of a Llama: write safetensors",
            e->path, (long long)c->window);
    if (e->spec.group != 32 || e->spec.kind == RG_QK_ZERO4)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: GGUF blocks hold 32 weights: use q4g32, q4g32m or q8g32, or write safetensors", e->path);
    if (stat(e->path, &sb) == 0 && S_ISDIR(sb.st_mode))
        return rg_fail(err, RG_E_USAGE, "%s: is a directory, expected the name of a GGUF file", e->path);
    rg_status st = rg_outfile_open(&e->f, e->path, err);
    if (st != RG_OK) return st;
    rg_gguf_writer *w = &e->gguf;
    rg_gguf_begin(w, e->f.f, e->n + (freqs ? 1 : 0));
    rg_gguf_config(w, c);
    /* the llama.cpp numbers of "mostly" that type */
    rg_gguf_u32(w, "general.file_type", e->spec.kind == RG_QK_SYM8 ? 7 : e->spec.kind == RG_QK_MIN4 ? 3 : 2);
    rg_gguf_u32(w, "general.quantization_version", 2);
    put_vocab(e);
    uint64_t offset = 0;
    char name[96];
    for (size_t i = 0; i < e->n; i++) {
        const rg_export_tensor *t = &e->t[i];
        const rg_ftype type = type_of(e, t);
        const int64_t dim[2] = {t->cols, t->rows};
        rg_file_name(name, sizeof name, RG_NAMES_GGUF, t->site, t->layer);
        rg_gguf_info(w, name, dim, rg_site_op(t->site) == RG_OP_RMSNORM ? 1 : 2, type, offset);
        offset += rg_gguf_aligned((uint64_t)(t->rows * rg_ftype_row_bytes(type, t->cols)));
    }
    if (freqs) rg_gguf_info(w, "rope_freqs.weight", &(int64_t){c->head_dim / 2}, 1, RG_FT_F32, offset);
    rg_gguf_pad(w);
    return RG_OK;
}

/* One row of codes as blocks of 32. */
static void encode(unsigned char *out, const rg_qtensor *q, int64_t r)
{
    const int64_t groups = q->cols / 32;
    for (int64_t b = 0; b < groups; b++) {
        const uint8_t *c = q->code + r * q->cols + b * 32;
        const uint16_t s = q->scale[r * groups + b], m = q->offset[r * groups + b];
        *out++ = (unsigned char)s;
        *out++ = (unsigned char)(s >> 8);
        if (q->spec.kind == RG_QK_SYM8) {
            memcpy(out, c, 32);
            out += 32;
            continue;
        }
        if (q->spec.kind == RG_QK_MIN4) {
            *out++ = (unsigned char)m;
            *out++ = (unsigned char)(m >> 8);
        }
        for (int i = 0; i < 16; i++) *out++ = (unsigned char)(c[i] | c[16 + i] << 4);
    }
}

rg_status rg_export_gguf_put(
    rg_export *e, const rg_export_tensor *t, const rg_qtensor *q, const float *f32, rg_err *err)
{
    (void)err;
    const size_t bytes = (size_t)rg_ftype_row_bytes(type_of(e, t), t->cols);
    const int64_t hd = rg_ckpt_config(e->source)->head_dim, half = hd / 2;
    const bool pairs = t->site == RG_SITE_ATTN_Q || t->site == RG_SITE_ATTN_K;
    for (int64_t i = 0; i < t->rows; i++) {
        /* stored row 2j + s of a head is row s * half + j of ours */
        const int64_t r = pairs ? i / hd * hd + i % 2 * half + i % hd / 2 : i;
        if (q)
            encode(e->row, q, r);
        else
            rg_export_float_row(e, t, f32, r);
        fwrite(e->row, 1, bytes, e->f.f);
        e->gguf.at += bytes;
        e->bytes += bytes;
    }
    rg_gguf_pad(&e->gguf);
    return RG_OK;
}

rg_status rg_export_gguf_end(rg_export *e, rg_err *err)
{
    const rg_config *c = rg_ckpt_config(e->source);
    const float *divisors = rg_ckpt_rope_freqs(e->source);
    if (divisors || c->rope_scaling == RG_ROPE_LLAMA3)
        for (int64_t i = 0; i < c->head_dim / 2; i++)
            rg_gguf_le(&e->gguf, rg_f32_bits(divisors ? divisors[i] : rg_gguf_rope_divisor(c, i)), 4);
    rg_gguf_pad(&e->gguf);
    if (!rg_gguf_finish(&e->gguf)) return rg_fail(err, RG_E_FILE, "%s: cannot seek", e->path);
    return rg_outfile_commit(&e->f, err);
}
