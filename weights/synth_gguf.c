/* A synthetic checkpoint as a GGUF v3 file with an embedded vocabulary. */
#include <string.h>

#include "base/outfile.h"
#include "weights/gguf_write.h"
#include "weights/synth_impl.h"

static void put_piece(rg_gguf_writer *w, const char *s) { rg_gguf_str(w, s, strlen(s)); }

static void put_vocab(rg_gguf_writer *w, const rg_config *c)
{
    char piece[32];
    int type;
    rg_gguf_text(w, "tokenizer.ggml.model", "llama");
    rg_gguf_array(w, "tokenizer.ggml.tokens", RG_GGUF_STR, c->vocab);
    for (int64_t i = 0; i < c->vocab; i++) put_piece(w, rg_synth_piece(piece, i, &type));
    rg_gguf_array(w, "tokenizer.ggml.scores", RG_GGUF_F32, c->vocab);
    for (int64_t i = 0; i < c->vocab; i++) rg_gguf_le(w, rg_f32_bits(-(float)i), 4);
    rg_gguf_array(w, "tokenizer.ggml.token_type", RG_GGUF_I32, c->vocab);
    for (int64_t i = 0; i < c->vocab; i++) {
        rg_synth_piece(piece, i, &type);
        rg_gguf_le(w, (uint64_t)type, 4);
    }
    rg_gguf_u32(w, "tokenizer.ggml.bos_token_id", 1);
    rg_gguf_u32(w, "tokenizer.ggml.eos_token_id", 2);
    rg_gguf_u32(w, "tokenizer.ggml.unknown_token_id", 0);
}

rg_status rg_synth_gguf(rg_synth_job *j, const char *path, rg_err *err)
{
    const rg_config *c = j->c;
    const bool freqs = c->rope_scaling == RG_ROPE_LLAMA3;
    rg_outfile o;
    rg_status st = rg_outfile_open(&o, path, err);
    if (st != RG_OK) return st;
    rg_gguf_writer w;
    rg_gguf_begin(&w, o.f, j->n + (freqs ? 1 : 0));
    rg_gguf_config(&w, c);
    if (c->vocab >= RG_SYNTH_MIN_VOCAB) put_vocab(&w, c);
    uint64_t offset = 0;
    for (size_t i = 0; i < j->n; i++) {
        const rg_synth_tensor *t = &j->t[i];
        const int64_t dim[2] = {t->cols, t->rows};
        rg_gguf_info(&w, t->name, dim, rg_site_op(t->site) == RG_OP_RMSNORM ? 1 : 2, t->type, offset);
        offset += rg_gguf_aligned(rg_synth_bytes(t));
    }
    if (freqs) rg_gguf_info(&w, "rope_freqs.weight", &(int64_t){c->head_dim / 2}, 1, RG_FT_F32, offset);
    rg_gguf_pad(&w);
    for (size_t i = 0; i < j->n && st == RG_OK; i++) {
        st = rg_synth_rows(j, &j->t[i], o.f, path, err);
        w.at += rg_synth_bytes(&j->t[i]);
        rg_gguf_pad(&w);
    }
    for (int64_t i = 0; freqs && st == RG_OK && i < c->head_dim / 2; i++)
        rg_gguf_le(&w, rg_f32_bits(rg_gguf_rope_divisor(c, i)), 4);
    if (st == RG_OK && !rg_gguf_finish(&w)) st = rg_fail(err, RG_E_FILE, "%s: cannot seek", path);
    if (st == RG_OK) return rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}
