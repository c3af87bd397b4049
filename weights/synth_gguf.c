/* A synthetic checkpoint as a GGUF v3 file with an embedded vocabulary. */
#include <stdlib.h>
#include <string.h>

#include "base/outfile.h"
#include "weights/gguf_write.h"
#include "weights/synth_impl.h"

static bool put_vocab(rg_gguf_writer *w, int64_t vocab)
{
    const size_t n = (size_t)vocab;
    char(*text)[32] = malloc(n * sizeof *text);
    const char **piece = malloc(n * sizeof *piece);
    size_t *len = malloc(n * sizeof *len);
    float *score = malloc(n * sizeof *score);
    int32_t *type = malloc(n * sizeof *type);
    const bool ok = text && piece && len && score && type;
    for (size_t i = 0; ok && i < n; i++) {
        piece[i] = rg_synth_piece(text[i], (int64_t)i, &type[i]);
        len[i] = strlen(piece[i]);
        score[i] = -(float)i;
    }
    const rg_ckpt_vocab v = {.model = "llama",
        .n = n,
        .piece = piece,
        .piece_len = len,
        .score = score,
        .type = type,
        .bos = 1,
        .eos = 2,
        .eot = -1,
        .add_bos = -1,
        .add_eos = -1,
        .add_space_prefix = -1};
    if (ok) rg_gguf_vocab(w, &v);
    free(text);
    free(piece);
    free(len);
    free(score);
    free(type);
    return ok;
}

rg_status rg_synth_gguf(rg_synth_job *j, const char *path, rg_err *err)
{
    rg_outfile o;
    rg_status st = rg_outfile_open(&o, path, err);
    if (st) return st;
    rg_gguf_writer w;
    rg_gguf_begin(&w, o.f, j->c, NULL);
    if (j->c->vocab >= RG_SYNTH_MIN_VOCAB && !put_vocab(&w, j->c->vocab)) st = rg_no_memory(err, path);
    rg_gguf_infos(&w, j->t, j->n);
    for (size_t i = 0; i < j->n && !st; i++) {
        st = rg_synth_rows(j, &j->t[i], o.f, path, err);
        w.at += rg_file_bytes(&j->t[i]);
        rg_gguf_pad(&w);
    }
    if (!st) st = rg_gguf_end(&w, path, err);
    if (!st) return rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}
