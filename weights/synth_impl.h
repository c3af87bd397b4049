/* What the synthesiser's two writers share. Private to weights/. */
#ifndef RG_SYNTH_IMPL_H
#define RG_SYNTH_IMPL_H

#include <stdio.h>

#include "weights/ckpt_impl.h"
#include "weights/synth.h"

typedef struct rg_synth_job {
    const rg_config *c;
    rg_ftype type;
    uint64_t seed;
    rg_planted planted;
    rg_progress_fn *progress;
    void *user;
    const rg_stop_flag *stop;
    rg_file_tensor *t; /* [n] */
    enum rg_naming naming;
    size_t n;
    uint64_t total, done; /* bytes of tensor data */
    float *unit;          /* [RG_SYNTH_TABLE] normal numbers for all tensors */
} rg_synth_job;

/* Whether a site has planted values; and those of its row r into x[t->cols], which holds the row without
 * them; std: its deviation. */
bool rg_synth_plants(const rg_synth_job *j, rg_site site);
void rg_synth_plant(const rg_synth_job *j, const rg_file_tensor *t, int64_t r, float std, float *x);

/* Rows in file order; checks the stop flag, reports progress. */
rg_status rg_synth_rows(rg_synth_job *j, const rg_file_tensor *t, FILE *f, const char *path, rg_err *err);

/* A token of the synthetic vocabulary (259 control and byte tokens, "_" and printable ASCII, fillers) and its
 * GGUF type. */
const char *rg_synth_piece(char buf[32], int64_t id, int *gguf_type);
enum { RG_SYNTH_TABLE = 1 << 16 };
enum { RG_SYNTH_MIN_VOCAB = 3 + 256 + 1 + 95 };

rg_status rg_synth_safetensors(rg_synth_job *j, const char *dir, rg_err *err);
rg_status rg_synth_gguf(rg_synth_job *j, const char *path, rg_err *err);

#endif
